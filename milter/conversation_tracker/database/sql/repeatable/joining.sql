-- Who takes part in an order: who is known, who joins with a message, who is a stranger.

-- Gives lines (as tracker.people) of those of an order who have these addresses and none of these
-- tokens, or NULL: whoever planned a message without knowing of them must plan again.
-- In plpgsql, which keeps its plan: one in SQL is planned anew for each message.
CREATE OR REPLACE FUNCTION tracker.known_of(wanted bigint, keys text[], tokens uuid[]) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT string_agg(p.line, E'\n')
          FROM (SELECT p.id FROM tracker.participants AS p
                 WHERE p.order_id = wanted AND tracker.address_key(p.address) = ANY (keys)
                   AND p.token <> ALL (tokens)
                UNION ALL
                SELECT r.participant_id FROM tracker.return_addresses AS r
                 WHERE r.order_id = wanted AND tracker.address_key(r.address) = ANY (keys)) AS known
          JOIN tracker.people AS p ON p.id = known.id
         WHERE p.token <> ALL (tokens));
END
$$;

-- Lets people join an order whose row is locked; nobody has their addresses. False, and nothing
-- written: with whom has joined meanwhile there would be too many.
CREATE OR REPLACE FUNCTION tracker.join_order(
    wanted bigint, participant_limit integer, guest_limit integer, joined jsonb)
RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    introducing bigint;
    named bigint;
    returns boolean;
    no_longer boolean;
    numbered integer;
BEGIN
    SELECT count(*) FILTER (WHERE j.role <> 'return' AND j.introduced AND p.introduced IS NOT TRUE),
           count(*) FILTER (WHERE j.named AND (p.id IS NULL OR p.role = 'return')),
           bool_or(j.role = 'return'), bool_or(j.role <> 'return' AND p.role = 'return')
      INTO introducing, named, returns, no_longer
      FROM jsonb_to_recordset(joined)
           AS j(token uuid, role text, introduced boolean, named boolean)
      LEFT JOIN tracker.participants AS p ON p.token = j.token;
    -- Messages planned at once must not pass the limits together; planned again, one is refused, or
    -- leaves people out.
    IF introducing > 0 AND participant_limit < introducing + (
        SELECT count(*) FROM tracker.participants AS p
         WHERE p.order_id = wanted AND p.introduced AND p.role <> 'return'
           AND p.address IS NOT NULL) THEN
        RETURN false;
    END IF;
    IF named > 0 AND guest_limit < named + (
        SELECT count(*) FROM (
            SELECT FROM tracker.participants AS p
             WHERE p.order_id = wanted AND NOT p.introduced AND p.role <> 'return'
               AND p.address IS NOT NULL LIMIT guest_limit) AS guests) THEN
        RETURN false;
    END IF;
    numbered := (SELECT n.number FROM tracker.orders AS o
                   JOIN tracker.store_numbers AS n ON n.store = o.store WHERE o.id = wanted);
    INSERT INTO tracker.participants (order_id, token, role, address, introduced, store_number)
    SELECT wanted, j.token, j.role, j.address, j.introduced, numbered
      FROM jsonb_to_recordset(joined)
           AS j(token uuid, role text, address text, introduced boolean)
     WHERE j.role <> 'return'
    ON CONFLICT (token) DO UPDATE
       SET role = CASE WHEN participants.introduced THEN participants.role ELSE excluded.role END,
           address = coalesce(participants.address, excluded.address),
           introduced = participants.introduced OR excluded.introduced,
           -- Whose Reply-To or return path it was takes part from now on: see tracker.announce.
           joined_at = CASE participants.role WHEN 'return' THEN now()
                                              ELSE participants.joined_at END,
           owner_id = NULL, store_number = excluded.store_number;
    -- After those whose they may be.
    IF returns THEN
        WITH added AS (
            INSERT INTO tracker.participants (order_id, token, role, introduced, owner_id, store_number)
            SELECT wanted, j.token, j.role, false,
                   (SELECT owner.id FROM tracker.participants AS owner
                     WHERE owner.token = j.owner AND owner.order_id = wanted),
                   numbered
              FROM jsonb_to_recordset(joined) AS j(token uuid, role text, owner uuid)
             WHERE j.role = 'return'
            ON CONFLICT (token) DO UPDATE
               SET owner_id = CASE WHEN participants.role = 'return' THEN excluded.owner_id END
            RETURNING id, token, role
        )
        INSERT INTO tracker.return_addresses (participant_id, order_id, address, store_number)
        SELECT added.id, wanted, j.address, numbered
          FROM added JOIN jsonb_to_recordset(joined) AS j(token uuid, address text)
            ON j.token = added.token
         WHERE added.role = 'return'
        ON CONFLICT (participant_id) DO NOTHING;
    END IF;
    IF no_longer THEN
        DELETE FROM tracker.return_addresses AS r
         USING jsonb_to_recordset(joined) AS j(token uuid, role text), tracker.participants AS p
         WHERE j.role <> 'return' AND p.token = j.token AND r.participant_id = p.id;
    END IF;
    RETURN true;
END
$$;

-- Who is a stranger to an order: a guest, and who is unknown. `joined` is who joins with the message,
-- as record has it.
CREATE OR REPLACE FUNCTION tracker.is_stranger(wanted bigint, sender uuid, joined jsonb)
RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM tracker.participants AS p
                        WHERE p.token = sender AND p.order_id = wanted AND p.introduced
                          AND p.role <> 'return')
       AND NOT EXISTS (SELECT FROM jsonb_to_recordset(joined) AS j(token uuid, introduced boolean)
                        WHERE j.token = sender AND j.introduced);
END
$$;
