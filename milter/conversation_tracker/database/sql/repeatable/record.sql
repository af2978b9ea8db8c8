-- Recording: one message of one order, with a delivery for each recipient.

-- A digest that tells nobody anything who has not the secret.
CREATE OR REPLACE FUNCTION tracker.keyed(digest bytea) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256(key || digest) FROM tracker.secrets
$$;

-- Notes that a message came once more, for these recipients or for others, and gives the bounce
-- token of each by theirs.
CREATE OR REPLACE FUNCTION tracker.record_again(
    known bigint, known_at timestamptz, first_pass boolean, recipients uuid[], tokens uuid[],
    queue_id text)
RETURNS jsonb
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    UPDATE tracker.messages AS m SET passes = m.passes + 1
     WHERE first_pass AND m.id = known AND m.at = known_at;
    INSERT INTO tracker.deliveries AS d (message_id, message_at, recipient_id, bounce, queue_id)
    SELECT known, known_at, p.id, r.bounce, record_again.queue_id
      FROM unnest(recipients, tokens) AS r(token, bounce)
      JOIN tracker.messages AS m ON m.id = known AND m.at = known_at
      JOIN tracker.participants AS p ON p.token = r.token AND p.order_id = m.order_id
    ON CONFLICT (message_id, recipient_id, message_at) DO UPDATE SET queue_id = excluded.queue_id
     WHERE d.queue_id <> excluded.queue_id;
    RETURN (SELECT jsonb_object_agg(replace(p.token::text, '-', ''), replace(d.bounce::text, '-', ''))
              FROM tracker.deliveries AS d JOIN tracker.participants AS p ON p.id = d.recipient_id
             WHERE d.message_id = known AND d.message_at = known_at);
END
$$;

-- Writes one message of one order, once, with one delivery per recipient, and gives the outcome:
--   done      recorded, or already there
--   stale     somebody else joined meanwhile, or is known who was not read with the conversation, or
--             the author or a recipient was erased: read it again, with those of `known_of`, and plan
--             again
--   unknown   without `raw` it is for a message that was recorded, and that is not there: record it whole
--   expired   the order has expired meanwhile
--   limited   whoever wrote it has had their share of the hour's messages
--   looping   a machine answers again and again, or two answer each other
--   locked    somebody holds the order: roll back, and begin again with `wait`
--   alone     it must have the order for itself: roll back, and begin again with `wait` and `alone`
-- `id` and whose the order is come with a message that is new, whose bounce tokens are those given;
-- of one already there, `bounces` maps each recipient's token to its bounce token.
--
-- The order's row is taken only as strongly as it must be, and that is known before: two that have it
-- and want it more strongly would wait for each other. Whoever joins, what a machine wrote, what hands
-- out a soft alias, what changes whether the buyer waits, and what is near a limit has the order for
-- itself. All else shares it: whatever joins, closes, wakes or empties the order comes before or after
-- it, and of the same message twice at once the second has the order for itself. What is in flight
-- beside it is in no count.
-- Without `wait` no lock is waited for, and nobody who waits is kept waiting: see tracker.hold_order.
-- With it, the orders of one message are waited for by their ids, and each one's identifiers in their
-- sequence: so nobody waits in a circle.
--
-- Every message pays for each statement here, for what a statement might need and does not, and for
-- a search path set: names are written in full. Its plans are kept: with two years of months,
-- planning anew took four times as long as the rest. They are good for a month that was empty when
-- they were made, because none reads a table through.
CREATE OR REPLACE FUNCTION tracker.record(
    given tracker.new_message, raw bytea, wait boolean DEFAULT true, alone boolean DEFAULT true,
    OUT outcome text, OUT bounces jsonb, OUT id bigint, OUT store text, OUT number text,
    OUT alias_domain text)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    same_for CONSTANT interval := '7 days';
    brief_same_for CONSTANT interval := '10 minutes';
    clocks_differ_by CONSTANT interval := '1 day';
    repeats_at_once CONSTANT integer := 20;
    seconds_between_repeats CONSTANT integer := 900;
    shared boolean := NOT record.alone AND given.joined IS NULL AND given.shown IS NULL
                      AND NOT given.automatic AND NOT given.auto_reply;
    -- Whether the buyer waits from now on; NULL: as before. A stranger's mail answers nothing.
    waits boolean := CASE WHEN given.automatic OR given.verdict = 'flagged' THEN NULL
                          WHEN given.direction = 'inbound' THEN true
                          WHEN given.direction = 'outbound' THEN false END;
    turn CONSTANT bigint := hashtextextended('tracker.orders', given.order_id);
    over boolean;
    keyed bytea;
    hourly_limit integer;
    participant_limit integer;
    guest_limit integer;
    known bigint;
    known_at timestamptz;
    passes integer;
    stale boolean;
    author bigint;
    introduced boolean;
    lately integer;
    repeated boolean;
    stranger boolean;
    waiting_since timestamptz;
BEGIN
    IF record.wait THEN
        shared := shared AND EXISTS (
            SELECT FROM tracker.orders AS o
             WHERE o.id = given.order_id
               AND (waits IS NULL
                    OR waits = coalesce(o.waiting_since > coalesce(o.closed_at, '-infinity'),
                                        false)));
        IF shared THEN
            -- Whoever waits for the order itself is first here too: else those that wait to share it
            -- would pass for ever, one of each worker. Who has let others pass for long waits as they
            -- do; it might be somebody that only keeps the lock.
            FOR attempt IN 1..100 LOOP
                shared := pg_try_advisory_lock(turn) AND pg_advisory_unlock(turn);
                EXIT WHEN shared;
                PERFORM pg_sleep(0.002);
            END LOOP;
        END IF;
        IF shared THEN
            PERFORM FROM tracker.orders AS o WHERE o.id = given.order_id FOR SHARE;
        ELSE
            PERFORM tracker.hold_order(given.order_id);
        END IF;
    ELSIF shared THEN
        -- Nobody waits for it: else that one is first, or it might wait for ever.
        shared := pg_try_advisory_lock(turn) AND pg_advisory_unlock(turn);
    END IF;
    -- now() is when the transaction began; the order may have been emptied since.
    IF shared THEN
        SELECT o.store, o.number, o.alias_domain, o.expires_at <= now() OR o.emptied_at IS NOT NULL,
               (SELECT sha256(secret.key || given.digest) FROM tracker.secrets AS secret)
          INTO record.store, record.number, record.alias_domain, over, keyed
          FROM tracker.orders AS o
         WHERE o.id = given.order_id
           AND (waits IS NULL
                OR waits = coalesce(o.waiting_since > coalesce(o.closed_at, '-infinity'), false))
           FOR SHARE SKIP LOCKED;
        shared := FOUND;
        IF NOT shared AND record.wait THEN
            outcome := 'alone';
            RETURN;
        END IF;
    END IF;
    IF NOT shared THEN
        SELECT o.store, o.number, o.alias_domain, o.expires_at <= now() OR o.emptied_at IS NOT NULL,
               CASE WHEN o.waiting_since > coalesce(o.closed_at, '-infinity') THEN o.waiting_since END,
               (SELECT sha256(secret.key || given.digest) FROM tracker.secrets AS secret)
          INTO record.store, record.number, record.alias_domain, over, waiting_since, keyed
          FROM tracker.orders AS o WHERE o.id = given.order_id FOR NO KEY UPDATE SKIP LOCKED;
        IF NOT FOUND AND NOT record.wait THEN
            outcome := 'locked';
            RETURN;
        END IF;
    END IF;
    IF over IS NOT FALSE THEN
        outcome := 'expired';
        RETURN;
    END IF;
    -- Whoever has it writes the same message just now. It is not waited for: others may take it too.
    IF shared AND NOT pg_try_advisory_xact_lock(
           hashtextextended(encode(keyed, 'hex'), given.order_id)) THEN
        outcome := 'alone';
        RETURN;
    END IF;
    -- Another statement than the one that waited for the order: it sees what was recorded meanwhile.
    -- One for all that is asked of every message: a statement costs more than what it looks up. What is
    -- searched has an end, as in shares.sql. Of several messages the newest: a brief one may have come
    -- before. It is not ordered by what an index is ordered by, or that one would be read.
    SELECT s.hourly_limit, s.participant_limit, s.guest_limit, m.id, m.at, m.passes,
           author.id, author.introduced AND author.role <> 'return',
           author.id IS NOT NULL AND author.address IS NULL
           OR EXISTS (SELECT FROM tracker.participants AS p
                       WHERE p.order_id = given.order_id AND p.address IS NULL
                         AND p.token = ANY (given.recipients)),
           (SELECT count(*)
              FROM (SELECT FROM tracker.messages AS m
                     WHERE m.order_id = given.order_id
                       AND m.at > now() - interval '80 minutes' AND m.at < now() + clocks_differ_by
                     LIMIT 18) AS lately),
           EXISTS (SELECT FROM tracker.repeats AS r
                    WHERE r.order_id = given.order_id AND r.at > now() - interval '1 hour')
      INTO hourly_limit, participant_limit, guest_limit, known, known_at, passes,
           author, introduced, stale, lately, repeated
      FROM tracker.stores AS s
      LEFT JOIN LATERAL (
           SELECT m.id, m.at, m.passes FROM tracker.messages AS m
            WHERE m.order_id = given.order_id AND m.digest = keyed
              AND m.at > now() - CASE WHEN given.brief THEN brief_same_for ELSE same_for END
              AND m.at < now() + clocks_differ_by
            ORDER BY m.id + 0 DESC LIMIT 1) AS m ON true
      LEFT JOIN tracker.participants AS author
        ON author.token = given.sender AND author.order_id = given.order_id
     WHERE s.name = record.store;
    IF known IS NULL AND record.raw IS NULL THEN
        outcome := 'unknown';
        RETURN;
    END IF;
    -- A recipient whose address was erased since then gets nothing, and an author leaves neither name
    -- nor identifier behind. Whose address lies apart has one.
    IF stale THEN
        stale := EXISTS (
            SELECT FROM tracker.participants AS p
              LEFT JOIN tracker.return_addresses AS r ON r.participant_id = p.id
             WHERE p.order_id = given.order_id AND p.address IS NULL AND r.address IS NULL
               AND p.token = ANY (given.recipients || given.sender));
    END IF;
    stranger := NOT given.own
                AND (given.verdict = 'flagged'
                     OR introduced IS NOT TRUE
                        AND (given.joined IS NULL
                             OR tracker.is_stranger(given.order_id, given.sender, given.joined)));
    -- With fewer messages than these no limit is reached, and nobody has answered often enough.
    IF (known IS NULL OR given.first_pass)
       AND (repeated OR lately >= least(CASE WHEN given.auto_reply THEN 5 ELSE 18 END,
                                        (hourly_limit::bigint + 1) / 2 - CASE WHEN shared THEN 16 ELSE 0 END)) THEN
        outcome := tracker.limit_reached(given.order_id, hourly_limit, author, given.recipients,
                                         given.own, stranger, given.verdict, given.auto_reply,
                                         known IS NOT NULL, shared);
    END IF;
    IF given.first_pass
       AND passes >= repeats_at_once
                     + floor(extract(epoch FROM now() - known_at) / seconds_between_repeats) THEN
        -- A client that never got our answer tries again; one that repeats itself for ever does not.
        -- A mail server may go on for days, with minutes between, while a milter behind us refuses.
        outcome := 'limited';
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;
    IF given.mentioned IS NOT NULL OR given.joined IS NOT NULL THEN
        stale := stale OR tracker.known_of(
            given.order_id,
            given.mentioned || ARRAY(SELECT tracker.address_key(j.address)
                                       FROM jsonb_to_recordset(given.joined) AS j(address text)),
            ARRAY(SELECT j.token FROM jsonb_to_recordset(given.joined) AS j(token uuid))
        ) IS NOT NULL;
    END IF;
    IF stale
       OR given.joined IS NOT NULL
          AND NOT tracker.join_order(given.order_id, participant_limit, guest_limit,
                                     given.joined) THEN
        outcome := 'stale';
        RETURN;
    END IF;
    IF author IS NULL THEN
        -- Who has just joined.
        SELECT p.id INTO author FROM tracker.participants AS p
         WHERE p.token = given.sender AND p.order_id = given.order_id;
    END IF;
    IF given.shown IS NOT NULL THEN
        -- Before the copy leaves that shows it.
        UPDATE tracker.participants AS p SET handed_out = true
         WHERE p.order_id = given.order_id AND p.token = ANY (given.shown)
           AND p.introduced AND NOT p.handed_out;
    END IF;
    IF known IS NULL THEN
        INSERT INTO tracker.messages (order_id, digest, queue_id, direction, sender_id, return_id,
                                      sender_name, message_id, subject, first_words, size,
                                      attachment_names, automatic, auto_reply, verdict, notes, raw,
                                      own, stranger)
        VALUES (given.order_id, keyed, given.queue_id, given.direction, author,
                (SELECT p.id FROM tracker.participants AS p
                  WHERE p.token = given.return_path AND p.order_id = given.order_id),
                given.sender_name, given.message_id, given.subject, given.first_words,
                given.size, given.attachment_names, given.automatic, given.auto_reply,
                given.verdict, given.notes, record.raw, given.own, stranger)
        RETURNING id, at INTO record.id, known_at;
        -- LIMIT: to look each up takes less than to make a table of them and join it.
        INSERT INTO tracker.deliveries (message_id, message_at, recipient_id, bounce, queue_id)
        SELECT record.id, known_at, p.id, r.bounce, given.queue_id
          FROM unnest(given.recipients, given.bounces) AS r(token, bounce),
               LATERAL (SELECT p.id FROM tracker.participants AS p
                         WHERE p.token = r.token AND p.order_id = given.order_id LIMIT 1) AS p;
        -- The row is locked, and written only where it changes; see waiting.sql.
        IF NOT shared AND waits = (waiting_since IS NULL) AND (waits OR NOT stranger) THEN
            UPDATE tracker.orders AS o SET waiting_since = CASE WHEN waits THEN known_at END
             WHERE o.id = given.order_id;
        END IF;
        IF given.joined IS NULL AND given.notes = '{}' THEN
            INSERT INTO tracker.event_queue (event, order_id, message_id, message_at)
            VALUES ('recorded', given.order_id, record.id, known_at);
        ELSE
            PERFORM tracker.announce(given.order_id, given.joined, given.notes, record.id, known_at);
        END IF;
    ELSE
        bounces := tracker.record_again(known, known_at, given.first_pass, given.recipients,
                                        given.bounces, given.queue_id);
        IF given.first_pass THEN
            PERFORM tracker.count_repeat(given.order_id, given.sender, given.own, stranger,
                                         given.verdict);
        END IF;
        IF given.joined IS NOT NULL THEN
            PERFORM tracker.announce(given.order_id, given.joined, '{}', NULL, NULL);
        END IF;
    END IF;
    IF given.identifiers IS NOT NULL THEN
        -- Of whoever is only mentioned, and was erased since then, none is kept either.
        INSERT INTO tracker.message_ids (order_id, ours, original, participant_id)
        SELECT given.order_id, i.ours, i.original, p.id
          FROM jsonb_to_recordset(given.identifiers) AS i(ours text, original text, token uuid),
               LATERAL (SELECT p.id FROM tracker.participants AS p
                         WHERE p.token = i.token AND p.order_id = given.order_id
                           AND (p.address IS NOT NULL
                                OR EXISTS (SELECT FROM tracker.return_addresses AS r
                                            WHERE r.participant_id = p.id
                                              AND r.address IS NOT NULL)) LIMIT 1) AS p
         ORDER BY i.ours
        ON CONFLICT DO NOTHING;
    END IF;
    outcome := 'done';
END
$$;
