-- Shares: how much of an order's hour each may use, which two answer each other without end, and
-- what is a message that was here before.
--
-- Of stores.hourly_limit nobody uses up what belongs to others. The store's own mail has the whole
-- number for itself. All other mail together has the same number, of which no sender, and not all
-- strangers together, may use more than half, rounded up. What a client hands in again counts; what
-- was refused does not.

-- When an order's messages of the last `span` came, `most` of them at most: what the index of orders
-- alone can tell. Whatever else is asked of these messages is asked by these times. A plan with the
-- time as a range might look at all orders' messages of it by another index, and would be kept.
-- The search has an end, so that two months are looked at and no others; it lies ahead, because a
-- transaction that began later may have recorded before this one had the order's row.
CREATE OR REPLACE FUNCTION tracker.times_of(wanted bigint, span interval, most integer) RETURNS timestamptz[]
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN ARRAY(SELECT m.at FROM tracker.messages AS m
                  WHERE m.order_id = wanted
                    AND m.at > now() - span AND m.at < now() + interval '1 day'
                  LIMIT most);
END
$$;

-- How many of an order's messages of these times each share has had within the hour: the store's own,
-- all others, of those the strangers' and one sender's; and that sender's of all the times.
CREATE OR REPLACE FUNCTION tracker.used_at(
    wanted bigint, sender bigint, times timestamptz[],
    OUT own bigint, OUT others bigint, OUT strangers bigint, OUT senders bigint, OUT lately bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    SELECT count(*) FILTER (WHERE each.counts AND each.own),
           count(*) FILTER (WHERE each.counts AND NOT each.own),
           count(*) FILTER (WHERE each.counts AND each.stranger),
           count(*) FILTER (WHERE each.counts AND NOT each.own AND each.sender_id = sender),
           count(*) FILTER (WHERE each.sender_id = sender)
      INTO used_at.own, used_at.others, used_at.strangers, used_at.senders, used_at.lately
      FROM (SELECT m.own, m.stranger, m.at > now() - interval '1 hour' AS counts,
                   -- Who only claims to be somebody uses up nothing of theirs.
                   CASE WHEN m.verdict <> 'flagged' THEN m.sender_id END AS sender_id
              FROM tracker.messages AS m
             WHERE m.order_id = wanted AND m.at = ANY (times)
               AND m.at > now() - interval '80 minutes' AND m.at < now() + interval '1 day'
            UNION ALL
            SELECT r.own, r.stranger, true, r.sender_id
              FROM tracker.repeats AS r
             WHERE r.order_id = wanted AND r.at > now() - interval '1 hour') AS each;
END
$$;

-- The same of the whole hour, as far as a share may be used up, and of the time in which a loop may be
-- seen, which is 80 minutes: `times`. By default no order has 600 messages in them. Where a store
-- allows for many more, these are looked at one by one only once there are as many as one share; and
-- a loop is looked for among the newest, in as long a time as has not so many. Fewer messages than a
-- share, and than five, are told to be none.
CREATE OR REPLACE FUNCTION tracker.used(
    wanted bigint, sender bigint, share integer,
    OUT own bigint, OUT others bigint, OUT strangers bigint, OUT senders bigint, OUT lately bigint,
    OUT times timestamptz[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    span interval := interval '80 minutes';
    hour timestamptz[];
    seen record;
BEGIN
    used.times := tracker.times_of(wanted, span, 600);
    IF cardinality(used.times) < least(used.share, 5) AND NOT EXISTS (
        SELECT FROM tracker.repeats AS r
         WHERE r.order_id = wanted AND r.at > now() - interval '1 hour') THEN
        -- Most orders: so few reach nothing.
        used.own := 0;
        used.others := 0;
        used.strangers := 0;
        used.senders := 0;
        used.lately := 0;
        RETURN;
    END IF;
    WHILE cardinality(used.times) >= 600 AND span > interval '1 second' LOOP
        span := span / 2;
        used.times := tracker.times_of(wanted, span, 600);
    END LOOP;
    SELECT * INTO seen FROM tracker.used_at(wanted, sender, used.times);
    used.lately := seen.lately;
    IF span < interval '1 hour' THEN
        hour := tracker.times_of(wanted, interval '1 hour', used.share);
        -- Of a message that came again there are more repeats than one.
        IF cardinality(hour) + seen.own + seen.others >= used.share THEN
            hour := tracker.times_of(wanted, interval '1 hour', NULL);
            SELECT * INTO seen FROM tracker.used_at(wanted, sender, hour);
        END IF;
    END IF;
    used.own := seen.own;
    used.others := seen.others;
    used.strangers := seen.strangers;
    used.senders := seen.senders;
END
$$;

-- Tells whether a sender and one of the recipients only answer each other: of the messages of these
-- times, their last 19 alternate, each within 60 s of the one before, and the last is not an hour old.
-- Nothing is noted: what is refused for it is not recorded, so these stay the last until the hour is
-- over. 80 minutes hold them all, and who has not written 9 messages in them is not asked about.
CREATE OR REPLACE FUNCTION tracker.answer_each_other(
    wanted bigint, sender bigint, recipients uuid[], times timestamptz[])
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN EXISTS (
        SELECT FROM (
            SELECT m.sender_id AS id FROM tracker.messages AS m
             WHERE m.order_id = wanted AND m.sender_id <> sender AND m.at = ANY (times)
               AND m.at > now() - interval '80 minutes' AND m.at < now() + interval '1 day'
               AND m.sender_id IN (SELECT p.id FROM tracker.participants AS p
                                    WHERE p.token = ANY (recipients))
             GROUP BY m.sender_id HAVING count(*) >= 9) AS other,
        LATERAL (
            SELECT count(*) AS messages, bool_and(turn.turn) AS turns, max(turn.at) AS last
              FROM (SELECT pair.at,
                           coalesce(pair.sender_id <> lag(pair.sender_id) OVER following
                                    AND pair.at - lag(pair.at) OVER following <= interval '60 s',
                                    true) AS turn
                      FROM (SELECT m.id, m.at, m.sender_id FROM tracker.messages AS m
                             WHERE m.order_id = wanted AND m.verdict <> 'flagged'
                               AND m.at = ANY (times)
                               AND m.at > now() - interval '80 minutes'
                               AND m.at < now() + interval '1 day'
                               AND m.sender_id IN (sender, other.id)
                               AND EXISTS (
                                   SELECT FROM tracker.deliveries AS d
                                    WHERE d.message_id = m.id AND d.message_at = m.at
                                      AND d.recipient_id = CASE m.sender_id WHEN sender
                                                           THEN other.id ELSE sender END)
                             ORDER BY m.id + 0 DESC LIMIT 19) AS pair
                    WINDOW following AS (ORDER BY pair.id)) AS turn) AS lately
         WHERE lately.messages = 19 AND lately.turns
           AND lately.last > now() - interval '1 hour');
END
$$;

-- Tells why no more of such messages are taken of an order for now, 'limited' or 'looping', or NULL.
--   own       it is the store's own mail
--   stranger  its author is one, or only claims to be the sender
--   again     it was here before: it uses the hour as any other, and answers nobody
--   shared    others of the order are recorded beside it, and are in no count here. What is near the
--             end of a share is to be counted again without them: 'alone'. So a limit is passed by
--             what is in flight at most, and only if that is more than what is near.
CREATE OR REPLACE FUNCTION tracker.limit_reached(
    wanted bigint, hourly_limit integer, sender uuid, recipients uuid[], own boolean,
    stranger boolean, verdict text, auto_reply boolean, again boolean, shared boolean)
RETURNS text
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    author bigint;
    used record;
    share integer := (hourly_limit::bigint + 1) / 2;
    near integer := CASE WHEN shared THEN least(share / 3, 16) ELSE 0 END;
    answers bigint;
BEGIN
    IF limit_reached.verdict <> 'flagged' THEN
        SELECT p.id INTO author FROM tracker.participants AS p
         WHERE p.token = sender AND p.order_id = wanted;
    END IF;
    SELECT * INTO used FROM tracker.used(wanted, author, share);
    IF NOT again AND used.lately >= 9
       AND tracker.answer_each_other(wanted, author, recipients, used.times) THEN
        RETURN 'looping';
    END IF;
    IF limit_reached.own AND used.own >= hourly_limit - near
       OR NOT limit_reached.own AND (
           used.others >= hourly_limit - near OR used.senders >= share - near
           OR limit_reached.stranger AND used.strangers >= share - near) THEN
        RETURN CASE WHEN shared THEN 'alone' ELSE 'limited' END;
    END IF;
    IF NOT again AND limit_reached.auto_reply AND used.lately >= 5 THEN
        SELECT count(*) INTO answers FROM tracker.messages AS m
         WHERE m.order_id = wanted AND m.sender_id = author
           AND m.at > now() - interval '1 hour' AND m.at < now() + interval '1 day'
           AND m.auto_reply AND m.verdict <> 'flagged';
        IF answers >= 5 THEN
            RETURN 'looping';
        END IF;
    END IF;
    RETURN NULL;
END
$$;

-- Counts a message that was handed in once more.
CREATE OR REPLACE FUNCTION tracker.count_repeat(
    wanted bigint, sender uuid, own boolean, stranger boolean, verdict text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    -- So that the table holds little more than the hour's: nobody else empties it.
    DELETE FROM tracker.repeats AS r
     WHERE r.ctid = ANY (ARRAY(
           SELECT old.ctid FROM tracker.repeats AS old
            WHERE old.at < now() - interval '1 hour'
            ORDER BY old.at LIMIT 20 FOR UPDATE SKIP LOCKED));
    INSERT INTO tracker.repeats (order_id, sender_id, own, stranger)
    SELECT wanted, (SELECT p.id FROM tracker.participants AS p
                     WHERE p.token = sender AND p.order_id = wanted
                       AND count_repeat.verdict <> 'flagged'),
           count_repeat.own, count_repeat.stranger;
END
$$;
