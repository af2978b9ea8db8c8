-- Webhooks: what the publisher queues of the feed, and what came of it.

-- Queues the next events that a webhook wants, up to `most` of those that wait in all, and tells whether
-- there may be more at once. A webhook that somebody is changing has its turn later.
CREATE OR REPLACE FUNCTION tracker.queue_webhook(webhook bigint, most integer) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    looked constant integer := 2000;  -- events of the store at a time, whether it wants them or not
    hook record;
    head bigint;
    gone bigint;
    room integer;
    added integer;
    last bigint;
    seen integer;
    seen_to bigint;
BEGIN
    SELECT w.store, w.events, s.position INTO hook
      FROM tracker.webhooks AS w JOIN tracker.webhook_states AS s ON s.webhook_id = w.id
     WHERE w.id = queue_webhook.webhook AND w.active
       FOR UPDATE OF s SKIP LOCKED FOR KEY SHARE OF w SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT h.position INTO head FROM tracker.feed_head AS h;
    SELECT g.position INTO gone FROM tracker.feed_gone AS g WHERE g.store = hook.store;
    IF gone IS NOT NULL THEN
        DELETE FROM tracker.webhook_deliveries AS d
         WHERE d.webhook_id = queue_webhook.webhook AND d.position <= gone;
        IF FOUND OR hook.position < gone THEN
            UPDATE tracker.webhook_states AS s
               SET lost_at = now(), position = greatest(s.position, gone)
             WHERE s.webhook_id = queue_webhook.webhook;
            hook.position := greatest(hook.position, gone);
        END IF;
    END IF;
    SELECT queue_webhook.most - count(*) INTO room
      FROM (SELECT FROM tracker.webhook_deliveries AS d
             WHERE d.webhook_id = queue_webhook.webhook AND d.dead_at IS NULL
             LIMIT queue_webhook.most) AS waiting;
    IF room <= 0 OR head <= hook.position THEN
        RETURN false;
    END IF;
    WITH window_of_feed AS (
        SELECT f.position, f.published_at, f.event
          FROM tracker.feed AS f
         WHERE f.store = hook.store AND f.position > hook.position AND f.position <= head
         ORDER BY f.position LIMIT looked
    ), wanted AS (
        INSERT INTO tracker.webhook_deliveries (webhook_id, position, published_at)
        SELECT queue_webhook.webhook, n.position, n.published_at
          FROM window_of_feed AS n
         WHERE hook.events = '{}' OR n.event = ANY (hook.events)
         ORDER BY n.position LIMIT room
            ON CONFLICT DO NOTHING
        RETURNING position
    )
    SELECT (SELECT count(*) FROM wanted), (SELECT max(w.position) FROM wanted AS w),
           (SELECT count(*) FROM window_of_feed), (SELECT max(n.position) FROM window_of_feed AS n)
      INTO added, last, seen, seen_to;
    UPDATE tracker.webhook_states AS s
       SET position = CASE WHEN added >= room THEN last WHEN seen >= looked THEN seen_to ELSE head END
     WHERE s.webhook_id = queue_webhook.webhook;
    RETURN seen >= looked AND added < room;
END
$$;

-- Notes what came of one delivery, and gives the number of those that are given up now. `pause` is NULL
-- where the receiver has it, else the seconds until the next try; `hold`, the seconds for which the
-- receiver is left alone, is NULL where the fault is the event's; `failures` is how many events in a row have
-- failed at it by now, at least 1 then.
CREATE OR REPLACE FUNCTION tracker.settle_webhook(
    webhook bigint, place bigint, answer text, pause double precision, hold double precision,
    failures integer)
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    day constant interval := '1 day';
    given_up bigint;
BEGIN
    IF settle_webhook.pause IS NULL THEN
        DELETE FROM tracker.webhook_deliveries AS d
         WHERE d.webhook_id = settle_webhook.webhook AND d.position = settle_webhook.place;
        UPDATE tracker.webhook_states AS s
           SET delivered_at = now(), failures = 0, failing_since = NULL, held_until = NULL
         WHERE s.webhook_id = settle_webhook.webhook;
        RETURN 0;
    END IF;
    UPDATE tracker.webhook_deliveries AS d
       SET attempts = d.attempts + 1, said = settle_webhook.answer,
           next_at = now() + settle_webhook.pause * interval '1 second'
     WHERE d.webhook_id = settle_webhook.webhook AND d.position = settle_webhook.place;
    IF settle_webhook.hold IS NOT NULL THEN
        UPDATE tracker.webhook_states AS s
           SET failures = greatest(s.failures, settle_webhook.failures), failing_since = coalesce(s.failing_since, now()),
               held_until = now() + settle_webhook.hold * interval '1 second'
         WHERE s.webhook_id = settle_webhook.webhook;
    END IF;
    -- A receiver that took nothing for a day was tried for all that waits as long.
    UPDATE tracker.webhook_deliveries AS d
       SET dead_at = now(), said = coalesce(d.said, settle_webhook.answer)
     WHERE d.webhook_id = settle_webhook.webhook AND d.dead_at IS NULL AND d.queued_at < now() - day
       AND (d.position = settle_webhook.place
            OR EXISTS (SELECT FROM tracker.webhook_states AS s
                        WHERE s.webhook_id = settle_webhook.webhook
                          AND s.failing_since < now() - day));
    GET DIAGNOSTICS given_up = ROW_COUNT;
    RETURN given_up;
END
$$;

-- Ends a webhook whose receiver says that it wants no more, unless it was given another URL meanwhile.
CREATE OR REPLACE FUNCTION tracker.end_webhook(webhook bigint, url text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE tracker.webhooks AS w SET active = false
     WHERE w.id = end_webhook.webhook AND w.url = end_webhook.url AND w.active;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE tracker.webhook_states AS s SET gone_at = now() WHERE s.webhook_id = end_webhook.webhook;
    RETURN true;
END
$$;

-- Has dead deliveries sent again, of one webhook or of all that are active (NULL), and gives their number.
CREATE OR REPLACE FUNCTION tracker.retry_webhooks(webhook bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    again bigint;
    wanted bigint[] := ARRAY(SELECT w.id FROM tracker.webhooks AS w
                              WHERE w.active AND retry_webhooks.webhook IS NULL
                                 OR w.id = retry_webhooks.webhook);
BEGIN
    IF wanted = '{}' AND retry_webhooks.webhook IS NOT NULL THEN
        RAISE EXCEPTION 'no such webhook: %', retry_webhooks.webhook USING ERRCODE = 'no_data_found';
    END IF;
    IF EXISTS (SELECT FROM tracker.webhooks AS w WHERE w.id = ANY (wanted) AND NOT w.active) THEN
        RAISE EXCEPTION 'webhook % is not active', retry_webhooks.webhook
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE tracker.webhook_states AS s
       SET failures = 0, failing_since = NULL, held_until = NULL
     WHERE s.webhook_id = ANY (wanted);
    UPDATE tracker.webhook_deliveries AS d
       SET dead_at = NULL, queued_at = now(), next_at = now(), attempts = 0
     WHERE d.dead_at IS NOT NULL AND d.webhook_id = ANY (wanted);
    GET DIAGNOSTICS again = ROW_COUNT;
    RETURN again;
END
$$;

-- How many seconds ago what happened that the receiver of an active webhook has not got, 0 if all have all;
-- and how many of their events were given up.
CREATE OR REPLACE FUNCTION tracker.webhook_lag(OUT behind double precision, OUT dead bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(extract(epoch FROM clock_timestamp() - least(
               (SELECT min(d.published_at)
                  FROM tracker.webhook_deliveries AS d
                  JOIN tracker.webhooks AS w ON w.id = d.webhook_id
                 WHERE w.active AND d.dead_at IS NULL),
               (SELECT min(next.published_at)
                  FROM tracker.webhooks AS w
                  JOIN tracker.webhook_states AS s ON s.webhook_id = w.id
                 CROSS JOIN tracker.feed_head AS h
                 CROSS JOIN LATERAL (SELECT f.published_at FROM tracker.feed AS f
                                      WHERE f.store = w.store AND f.position > s.position
                                      ORDER BY f.position LIMIT 1) AS next
                 WHERE w.active AND s.position < h.position)))::double precision, 0),
           (SELECT count(*)
              FROM tracker.webhook_deliveries AS d
              JOIN tracker.webhooks AS w ON w.id = d.webhook_id
             WHERE w.active AND d.dead_at IS NOT NULL)
$$;
