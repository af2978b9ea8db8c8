-- Refused mail: what was refused, when and why, so that support can answer "where is it?".
--
-- 19 an hour for each order, then one row that counts all others of the hour. Without it a stranger
-- fills the timeline with what nobody got. Each row is announced once, when it is made: 20 events an
-- hour and order, and nothing of what a client tries again.

CREATE OR REPLACE FUNCTION tracker.refuse(
    order_id bigint, digest bytea, author uuid, recipient uuid, subject text, reply text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    keyed bytea := tracker.keyed(refuse.digest);
    counted bigint;
BEGIN
    -- Only refusals of the order wait for each other. Its row may be locked for long, by mail or by
    -- who calls mask, and the reply would be another one.
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended('tracker.refusals', refuse.order_id));
    EXCEPTION
        -- PostgreSQL gives such a lock to whoever asks, for as long as they like, and the reply must not be
        -- another. Without it there may be a row more than 20, or one message counted once too few.
        WHEN lock_not_available THEN NULL;
    END;
    UPDATE tracker.refusals AS r SET at = now(), times = r.times + 1, reply = refuse.reply
     WHERE r.order_id = refuse.order_id AND r.digest = keyed;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT count(*) INTO counted FROM tracker.refusals AS r
     WHERE r.order_id = refuse.order_id AND r.since > now() - interval '1 hour' AND NOT r.more;
    IF counted < 19 THEN
        WITH added AS (
            INSERT INTO tracker.refusals (order_id, digest, author_id, recipient_id, subject, reply)
            SELECT o.id, keyed,
                   (SELECT p.id FROM tracker.participants AS p
                     WHERE p.token = author AND p.order_id = o.id),
                   (SELECT p.id FROM tracker.participants AS p
                     WHERE p.token = recipient AND p.order_id = o.id),
                   refuse.subject, refuse.reply
              FROM tracker.orders AS o WHERE o.id = refuse.order_id
            ON CONFLICT DO NOTHING
            RETURNING order_id, author_id, recipient_id
        )
        INSERT INTO tracker.event_queue (event, order_id, participant_id, detail)
        SELECT 'refused', added.order_id, added.author_id,
               jsonb_strip_nulls(jsonb_build_object(
                   'reply', refuse.reply,
                   'to', (SELECT tracker.hard_alias(p.token, o.alias_domain)
                            FROM tracker.participants AS p
                            JOIN tracker.orders AS o ON o.id = p.order_id
                           WHERE p.id = added.recipient_id)))
          FROM added;
        RETURN;
    END IF;
    UPDATE tracker.refusals AS r
       SET at = now(), times = r.times + 1,
           reply = refuse.reply || format(' (one of %s more refused)', r.times + 1)
     WHERE r.order_id = refuse.order_id AND r.since > now() - interval '1 hour' AND r.more;
    IF NOT FOUND THEN
        -- Announced when it begins to count, and not for each that it counts.
        WITH added AS (
            INSERT INTO tracker.refusals (order_id, digest, subject, reply, more)
            SELECT o.id, uuid_send(gen_random_uuid()), '',
                   refuse.reply || ' (one of 1 more refused)', true
              FROM tracker.orders AS o WHERE o.id = refuse.order_id
            RETURNING order_id
        )
        INSERT INTO tracker.event_queue (event, order_id, detail)
        SELECT 'refused', added.order_id, jsonb_build_object('reply', refuse.reply, 'more', true)
          FROM added;
    END IF;
END
$$;
