-- Shares: how much of an order's hour each may use, which two answer each other without end, and
-- what is a message that was here before.
--
-- Of stores.hourly_limit nobody uses up what belongs to others. The store's own mail has the whole
-- number for itself. All other mail together has the same number, of which no sender, and not all
-- strangers together, may use more than half, rounded up. What a client hands in again counts; what
-- was refused does not.

-- Every search looks at two months at most: it has an end, which lies ahead, because a transaction that
-- began later may have recorded before this one had the order's row. Pairs are compared and the result
-- is sorted, which only the index of orders and times can do: by that of times alone all orders'
-- messages might be looked at, and such a plan would be kept.

-- How many of an order's messages each share has had within the hour: the store's own, all others, of
-- those the strangers' and one sender's; and of 80 minutes, which hold any loop, that sender's, all
-- others' and how many they are. `most` of the newest messages are counted, or, if it is NULL, all.
CREATE OR REPLACE FUNCTION tracker.used_of(
    wanted bigint, sender bigint, most integer,
    OUT own bigint, OUT others bigint, OUT strangers bigint, OUT senders bigint, OUT lately bigint,
    OUT answers bigint, OUT messages bigint)
LANGUAGE plpgsql SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
BEGIN
    SELECT count(*) FILTER (WHERE each.counts AND each.own),
           count(*) FILTER (WHERE each.counts AND NOT each.own),
           count(*) FILTER (WHERE each.counts AND each.stranger),
           count(*) FILTER (WHERE each.counts AND NOT each.own AND each.sender_id = sender),
           count(*) FILTER (WHERE each.sender_id = sender),
           count(*) FILTER (WHERE each.sender_id <> sender),
           count(*) FILTER (WHERE NOT each.repeated)
      INTO used_of.own, used_of.others, used_of.strangers, used_of.senders, used_of.lately,
           used_of.answers, used_of.messages
      FROM (SELECT m.own, m.stranger, m.at > now() - interval '1 hour' AS counts, false AS repeated,
                   -- Who only claims to be somebody uses up nothing of theirs.
                   CASE WHEN m.verdict <> 'flagged' THEN m.sender_id END AS sender_id
              FROM (SELECT m.own, m.stranger, m.at, m.verdict, m.sender_id
                      FROM tracker.messages AS m
                     WHERE (m.order_id, m.at) > (wanted, now() - interval '80 minutes')
                       AND (m.order_id, m.at) < (wanted, now() + interval '1 day')
                       AND m.at > now() - interval '80 minutes' AND m.at < now() + interval '1 day'
                     ORDER BY m.order_id DESC, m.at DESC LIMIT most) AS m
            UNION ALL
            SELECT r.own, r.stranger, true, true, r.sender_id
              FROM tracker.repeats AS r
             WHERE r.order_id = wanted AND r.at > now() - interval '1 hour') AS each;
END
$$;

-- The same as far as a share may be used up. By default no order has 600 messages in 80 minutes. Where a
-- store allows for many more, all are counted only once there are as many in the hour as one share.
CREATE OR REPLACE FUNCTION tracker.used(
    wanted bigint, sender bigint, share integer,
    OUT own bigint, OUT others bigint, OUT strangers bigint, OUT senders bigint, OUT lately bigint,
    OUT answers bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    most CONSTANT integer := 600;
    seen record;
    hour bigint;
BEGIN
    SELECT * INTO seen FROM tracker.used_of(wanted, sender, most);
    used.lately := seen.lately;
    used.answers := seen.answers;
    IF seen.messages >= most THEN
        SELECT count(*) INTO hour
          FROM (SELECT FROM tracker.messages AS m
                 WHERE m.order_id = wanted
                   AND m.at > now() - interval '1 hour' AND m.at < now() + interval '1 day'
                 LIMIT used.share) AS m;
        -- Of a message that came again there are more repeats than one.
        IF hour + seen.own + seen.others >= used.share THEN
            SELECT * INTO seen FROM tracker.used_of(wanted, sender, NULL);
        END IF;
    END IF;
    used.own := seen.own;
    used.others := seen.others;
    used.strangers := seen.strangers;
    used.senders := seen.senders;
END
$$;

-- The times of an order's messages of the last 80 minutes, the newest 600 at most. What is asked of these
-- messages is asked by these times.
CREATE OR REPLACE FUNCTION tracker.times_of(wanted bigint) RETURNS timestamptz[]
LANGUAGE plpgsql SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN ARRAY(SELECT m.at FROM tracker.messages AS m
                  WHERE (m.order_id, m.at) > (wanted, now() - interval '80 minutes')
                    AND (m.order_id, m.at) < (wanted, now() + interval '1 day')
                    AND m.at > now() - interval '80 minutes' AND m.at < now() + interval '1 day'
                  ORDER BY m.order_id DESC, m.at DESC LIMIT 600);
END
$$;

-- Tells whether a sender and one of the recipients only answer each other: their last 19 messages
-- alternate, each within 60 s of the one before, and the last is not an hour old.
-- Nothing is noted: what is refused for it is not recorded, so these stay the last until the hour is
-- over. 80 minutes hold them all, and who has not written 9 messages in them is not asked about.
CREATE OR REPLACE FUNCTION tracker.answer_each_other(
    wanted bigint, sender bigint, recipients uuid[])
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    times CONSTANT timestamptz[] := tracker.times_of(wanted);
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
    wanted bigint, hourly_limit integer, author bigint, recipients uuid[], own boolean,
    stranger boolean, verdict text, auto_reply boolean, again boolean, shared boolean)
RETURNS text
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    sender CONSTANT bigint := CASE WHEN limit_reached.verdict <> 'flagged' THEN author END;
    used record;
    share CONSTANT integer := (hourly_limit::bigint + 1) / 2;
    near CONSTANT integer := CASE WHEN shared THEN least(share / 3, 16) ELSE 0 END;
    answers bigint;
BEGIN
    SELECT * INTO used FROM tracker.used(wanted, sender, share);
    IF NOT again AND used.lately >= 9 AND used.answers >= 9
       AND tracker.answer_each_other(wanted, sender, recipients) THEN
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
         WHERE m.order_id = wanted AND m.sender_id = sender
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
