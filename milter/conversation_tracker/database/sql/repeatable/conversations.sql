-- Conversations: what mail needs to know of one order.
--
-- Every RCPT asks one of these. PostgreSQL makes them part of the statement that asks, which is then
-- planned once for each connection; but only functions that set no search path, so all names in
-- them are written in full.

-- Every participant and return address, as a line of tracker.conversation:
-- "TOKEN STANDING ROLE ADDRESS". STANDING is introduced, handed-out (and introduced) or guest; of a
-- return address (role return), its owner's token, or - where nobody knows.
CREATE OR REPLACE VIEW tracker.people AS
SELECT p.id, p.order_id, p.token, p.role, p.introduced,
       coalesce(p.address, r.address) AS address,
       p.token::text || ' '
       || CASE WHEN p.role = 'return' THEN coalesce(owner.token::text, '-')
               WHEN p.handed_out THEN 'handed-out'
               WHEN p.introduced THEN 'introduced' ELSE 'guest' END
       || ' ' || p.role || ' ' || coalesce(p.address, r.address, '') AS line
  FROM tracker.participants AS p
  LEFT JOIN tracker.return_addresses AS r ON r.participant_id = p.id
  LEFT JOIN tracker.participants AS owner ON owner.id = p.owner_id;

-- participants: a line for each introduced participant, for the newest guests, as many as may join by
-- being named, and for a few of the newest return addresses: a sender most often has the same again.
CREATE OR REPLACE VIEW tracker.conversations AS
SELECT CASE WHEN o.expires_at <= now() THEN 'expired'
            WHEN NOT s.active THEN 'inactive'
            ELSE 'live' END AS status,
       json_build_array(
           s.name, s.mask, s.issuer_mask, s.sender_domains, s.order_header, s.mask_body,
           s.attachments_with_address, s.unknown_senders, s.spoofed_senders,
           s.participant_limit, s.guest_limit)::text AS store,
       o.id AS order_id, o.number, o.ref, o.alias_domain,
       array_to_string(
           ARRAY(
               SELECT p.token::text
                      || CASE WHEN p.handed_out THEN ' handed-out ' ELSE ' introduced ' END
                      || p.role || ' ' || coalesce(p.address, '')
                 FROM tracker.participants AS p
                WHERE p.order_id = o.id AND p.introduced AND p.role <> 'return' ORDER BY p.id)
           || ARRAY(
               SELECT p.token::text || ' guest ' || p.role || ' ' || p.address
                 FROM tracker.participants AS p
                WHERE p.order_id = o.id AND NOT p.introduced AND p.role <> 'return'
                  AND p.address IS NOT NULL
                ORDER BY p.id DESC LIMIT s.guest_limit)
           || ARRAY(
               SELECT p.token::text || ' ' || coalesce(owner.token::text, '-') || ' return '
                      || r.address
                 FROM (SELECT p.id, p.token, p.owner_id FROM tracker.participants AS p
                        WHERE p.order_id = o.id AND p.role = 'return'
                        ORDER BY p.id DESC LIMIT 4) AS p
                 JOIN tracker.return_addresses AS r
                   ON r.participant_id = p.id AND r.address IS NOT NULL
                 LEFT JOIN tracker.participants AS owner ON owner.id = p.owner_id
                ORDER BY p.id DESC),
           E'\n') AS participants,
       ARRAY(
           SELECT i.ours || ' ' || p.token::text || ' '
                  || CASE WHEN octet_length(i.original) <= 1000 THEN i.original ELSE '' END
             FROM tracker.message_ids AS i JOIN tracker.participants AS p ON p.id = i.participant_id
            WHERE i.order_id = o.id LIMIT 51) AS identifiers
  FROM tracker.orders AS o JOIN tracker.stores AS s ON s.name = o.store;

CREATE OR REPLACE FUNCTION tracker.conversation_with(wanted bigint, token uuid)
RETURNS SETOF tracker.conversation
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN c.status = 'live' AND conversation_with.token IS NOT NULL
                     AND p.address IS NULL THEN 'expired'
                ELSE c.status END,
           conversation_with.token, c.store, c.order_id, c.number, c.ref, c.alias_domain,
           CASE WHEN p.line IS NULL OR position(p.line IN c.participants) > 0 THEN c.participants
                ELSE c.participants || E'\n' || p.line END,
           c.identifiers
      FROM tracker.conversations AS c
      LEFT JOIN tracker.people AS p ON p.token = conversation_with.token
     WHERE c.order_id = wanted
$$;

-- The conversation that a hard alias belongs to. No row: there is no such alias.
CREATE OR REPLACE FUNCTION tracker.conversation_of_hard(token uuid, alias_domain text)
RETURNS SETOF tracker.conversation
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN c.status = 'live' AND p.address IS NULL THEN 'expired' ELSE c.status END,
           p.token, c.store, c.order_id, c.number, c.ref, c.alias_domain,
           CASE WHEN position(p.line IN c.participants) > 0 THEN c.participants
                ELSE c.participants || E'\n' || p.line END,
           c.identifiers
      FROM tracker.people AS p JOIN tracker.conversations AS c ON c.order_id = p.order_id
     WHERE p.token = conversation_of_hard.token
       AND c.alias_domain = conversation_of_hard.alias_domain
$$;

-- The conversation that a soft alias belongs to, once it was handed out: any other is as if it was
-- none. Once its order has expired, its reference alone says so, whatever stands before it: by then
-- the addresses may be gone.
CREATE OR REPLACE FUNCTION tracker.conversation_of_soft(key text, ref text, alias_domain text)
RETURNS SETOF tracker.conversation
LANGUAGE sql STABLE AS $$
    SELECT c.status, p.token, c.store, c.order_id, c.number, c.ref, c.alias_domain, c.participants,
           c.identifiers
      FROM tracker.conversations AS c
      LEFT JOIN tracker.participants AS p
        ON p.order_id = c.order_id AND tracker.address_key(p.address) = key AND p.handed_out
     WHERE c.ref = conversation_of_soft.ref AND c.alias_domain = conversation_of_soft.alias_domain
       AND (p.id IS NOT NULL OR c.status = 'expired')
$$;

-- The conversation of the order with this number, for the store's own mail; see open_order.
CREATE OR REPLACE FUNCTION tracker.conversation_of_number(store text, order_number text)
RETURNS SETOF tracker.conversation
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    opened bigint := tracker.open_order(store, order_number, true);
BEGIN
    RETURN QUERY SELECT * FROM tracker.conversation_with(opened, NULL);
END
$$;

-- The conversation of the recorded message that a store's own mail answers: of the identifiers,
-- given nearest first, the first that is known. An expired or closed order is woken, as by number.
CREATE OR REPLACE FUNCTION tracker.conversation_answered(store text, identifiers text[])
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
CREATE OR REPLACE FUNCTION tracker.identifiers_of(wanted bigint, identifiers text[])
RETURNS TABLE (ours text, original text, token uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.ours, i.original, p.token
      FROM tracker.message_ids AS i JOIN tracker.participants AS p ON p.id = i.participant_id
     WHERE i.order_id = wanted AND i.ours = ANY (identifiers)
$$;
