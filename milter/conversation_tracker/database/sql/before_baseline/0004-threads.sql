-- Threads: which order a message belongs to by what it answers, and identifiers mapped back.

-- The conversation of the recorded message that a store's own mail answers: of the identifiers,
-- given nearest first, the first that is known. An expired or closed order is woken, as by number.
CREATE FUNCTION tracker.conversation_answered(store text, identifiers text[])
RETURNS SETOF tracker.conversation
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answered text;
BEGIN
    SELECT o.number INTO answered
      FROM unnest(identifiers) WITH ORDINALITY AS given(identifier, place)
      JOIN tracker.messages AS m ON m.message_id = given.identifier AND m.message_id <> ''
      JOIN tracker.orders AS o ON o.id = m.order_id
     WHERE o.store = conversation_answered.store
     ORDER BY given.place, m.at DESC LIMIT 1;
    IF FOUND THEN
        RETURN QUERY SELECT * FROM tracker.conversation_of_number(store, answered);
    END IF;
END
$$;

-- What identifiers of ours stand for in one order, and for whom.
CREATE FUNCTION tracker.identifiers_of(wanted bigint, identifiers text[])
RETURNS TABLE (ours text, original text, token uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.ours, i.original, p.token
      FROM tracker.message_ids AS i JOIN tracker.participants AS p ON p.id = i.participant_id
     WHERE i.order_id = wanted AND i.ours = ANY (identifiers)
$$;
