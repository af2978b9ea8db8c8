-- Events: how one is queued, and how the publisher takes them into the feed.
--
-- Of one order, who queues an event holds a lock of it until the end of the transaction, or has nothing
-- more to do in it: so the ids in the queue are in the order of the commits. Only messages share that
-- lock with each other: of those that are recorded at once, the ids may be in another.

-- Queues an event of an order. `tracker.record` does it itself, with its own INSERT.
CREATE OR REPLACE FUNCTION tracker.note_event(
    event text, order_id bigint, participant_id bigint DEFAULT NULL, detail jsonb DEFAULT NULL,
    message_id bigint DEFAULT NULL, message_at timestamptz DEFAULT NULL)
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO tracker.event_queue (event, order_id, participant_id, detail, message_id, message_at)
    VALUES (note_event.event, note_event.order_id, note_event.participant_id, note_event.detail,
            note_event.message_id, note_event.message_at)
$$;

-- Queues, with one INSERT, what a message tells beside itself: who joined with it, in this transaction,
-- and how many were left out of its copies. `message_id` is NULL for one that was there before.
CREATE OR REPLACE FUNCTION tracker.announce(
    wanted bigint, joined jsonb, notes text[], message_id bigint, message_at timestamptz)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO tracker.event_queue (event, order_id, message_id, message_at, participant_id, detail)
    SELECT e.event, wanted, e.message_id, e.message_at, e.participant_id, e.detail
      FROM (SELECT 1 AS place, p.id AS participant_id, 'joined' AS event, NULL::bigint AS message_id,
                   NULL::timestamptz AS message_at,
                   jsonb_build_object('role', p.role, 'introduced', p.introduced) AS detail
              FROM jsonb_to_recordset(announce.joined) AS j(token uuid)
              JOIN tracker.participants AS p ON p.token = j.token AND p.order_id = wanted
             WHERE p.role <> 'return' AND p.joined_at = now()
            UNION ALL
            SELECT 2, NULL, 'recorded', announce.message_id, announce.message_at, NULL
             WHERE announce.message_id IS NOT NULL
            UNION ALL
            SELECT 3, NULL, 'left out', announce.message_id, announce.message_at,
                   jsonb_build_object('people', substring(n.note FROM '[0-9]+')::integer)
              FROM unnest(announce.notes) AS n(note) WHERE n.note ~ '^left out: [0-9]{1,9}$') AS e
     ORDER BY e.place, e.participant_id;
END
$$;

-- Takes the next events out of the queue, `most` of them at most and none of an id up to `after`, and
-- gives each the next position in the feed. Of an order that is gone they are taken and not published.
--   taken      out of the queue
--   published  of these
--   last       the highest id taken; NULL if there was none
-- Two never do this at once: the second waits for the row of feed_head.
CREATE OR REPLACE FUNCTION tracker.publish_events(
    after bigint, most integer, OUT taken bigint, OUT published bigint, OUT last bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    head bigint;
BEGIN
    SELECT h.position INTO head FROM tracker.feed_head AS h FOR UPDATE;
    WITH next AS (
        DELETE FROM tracker.event_queue AS q
         WHERE q.id = ANY (ARRAY(SELECT n.id FROM tracker.event_queue AS n
                                  WHERE n.id > publish_events.after
                                  ORDER BY n.id LIMIT publish_events.most))
        RETURNING q.*
    ), told AS (
        SELECT row_number() OVER (ORDER BY next.id) AS place, next.*,
               o.store, o.number, o.alias_domain,
               coalesce(p.token, m.sender) AS token,
               CASE next.event WHEN 'recorded' THEN m.detail END AS recorded
          FROM next
          JOIN tracker.orders AS o ON o.id = next.order_id
          LEFT JOIN tracker.participants AS p
            ON p.id = next.participant_id AND p.order_id = next.order_id
          LEFT JOIN LATERAL tracker.describe_recorded(next.message_id, next.message_at) AS m
            ON next.event IN ('recorded', 'left out')
    ), added AS (
        INSERT INTO tracker.feed (position, at, published_at, store, order_id, order_number, event,
                                  alias, message_id, detail)
        SELECT head + told.place, told.at, now(), told.store, told.order_id, told.number,
               told.event, tracker.hard_alias(told.token, told.alias_domain), told.message_id,
               CASE WHEN told.message_id IS NULL THEN '{}'
                    ELSE jsonb_build_object('message_id', told.message_id) END
               || coalesce(told.recorded, '{}') || coalesce(told.detail, '{}')
          FROM told
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM next), (SELECT count(*) FROM added), (SELECT max(next.id) FROM next)
      INTO publish_events.taken, publish_events.published, publish_events.last;
    IF publish_events.published > 0 THEN
        UPDATE tracker.feed_head AS h SET position = head + publish_events.published;
    END IF;
END
$$;

-- What is told of a recorded message, which may be gone: its sender's token, and what came of it.
-- Of very many recipients only the first 50 are named.
CREATE OR REPLACE FUNCTION tracker.describe_recorded(
    message_id bigint, message_at timestamptz, OUT sender uuid, OUT detail jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    SELECT s.token,
           jsonb_build_object(
               'direction', m.direction, 'automatic', m.automatic, 'verdict', m.verdict,
               'to', coalesce(
                   (SELECT jsonb_agg(tracker.hard_alias(r.token, o.alias_domain) ORDER BY r.id)
                      FROM (SELECT p.token, p.id
                              FROM tracker.deliveries AS d
                              JOIN tracker.participants AS p ON p.id = d.recipient_id
                             WHERE d.message_id = m.id AND d.message_at = m.at
                             ORDER BY p.id LIMIT 50) AS r), '[]'))
      INTO describe_recorded.sender, describe_recorded.detail
      FROM tracker.messages AS m
      JOIN tracker.orders AS o ON o.id = m.order_id
      JOIN tracker.participants AS s ON s.id = m.sender_id
     WHERE m.id = describe_recorded.message_id AND m.at = describe_recorded.message_at;
END
$$;

-- A store's events behind a position, `most` of them at most, for programs that follow with a cursor: the
-- position of the last event they took. 0 is the beginning of what is kept. Whoever was away until what
-- they had not read was dropped is told so, and so is whoever has a position that was never given.
CREATE OR REPLACE FUNCTION tracker.events(store text, after bigint, most integer)
RETURNS TABLE ("position" bigint, at timestamptz, event text, order_number text, alias text, detail jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
    most_at_once CONSTANT integer := 1000;
    head bigint;
    gone bigint;
BEGIN
    PERFORM tracker.check_store(events.store);
    -- With its lock held no month is dropped from here on.
    PERFORM FROM tracker.feed WHERE false;
    SELECT h.position, g.position INTO head, gone
      FROM tracker.feed_head AS h LEFT JOIN tracker.feed_gone AS g ON g.store = events.store;
    IF events.most IS NULL OR events.most NOT BETWEEN 1 AND most_at_once THEN
        RAISE EXCEPTION 'most must be 1 to %', most_at_once USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF events.after IS NULL OR events.after < 0 THEN
        RAISE EXCEPTION 'after must be 0 or the position of an event'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF events.after > head THEN
        RAISE EXCEPTION 'there is no position % yet: the last is %', events.after, head
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'If the database was restored from a backup, begin again with 0.';
    END IF;
    IF events.after > 0 AND events.after < gone THEN
        RAISE EXCEPTION 'events after position % are no longer kept', events.after
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = format('What is kept of the store begins after %s; read its orders anew.', gone);
    END IF;
    RETURN QUERY
        SELECT f.position, f.at, f.event::text, f.order_number, f.alias, f.detail
          FROM tracker.feed AS f
         WHERE f.store = events.store AND f.position > events.after
         ORDER BY f.position LIMIT events.most;
END
$$;
