-- What the web page lists, over all stores that the session may read.
--
-- Each store's part is read by an index that begins with the store, and ends where it has enough: what
-- others have costs nothing, and cannot be told from the time it takes. So the plan is the same whatever
-- the tables have, and whatever the session has set.

-- The stores to list: all that may be read, or the one that is wanted, if it may be.
CREATE OR REPLACE FUNCTION tracker.stores_to_list(wanted text) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN wanted IS NULL THEN tracker.readable_stores()
                WHEN tracker.may_read(wanted) THEN ARRAY[wanted] ELSE '{}' END;
END
$$;

-- Whose buyers wait for an answer, the longest first.
CREATE OR REPLACE FUNCTION tracker.list_waiting(wanted text, most integer)
RETURNS TABLE (store text, order_number text, at timestamptz, subject text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET max_parallel_workers_per_gather = 0 SET jit = off
SET enable_indexscan = on SET enable_nestloop = on SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off
SET seq_page_cost = 1 SET random_page_cost = 1 SET cpu_tuple_cost = 0.01
SET cpu_index_tuple_cost = 0.005 SET cpu_operator_cost = 0.0025 AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT w.store, w.number, w.waiting_since, m.subject
      FROM (SELECT o.* FROM unnest(tracker.stores_to_list(list_waiting.wanted)) AS s(name)
             CROSS JOIN LATERAL (
                   SELECT n.id, n.store, n.number, n.waiting_since FROM tracker.orders AS n
                    WHERE n.store = s.name AND n.waiting_since IS NOT NULL AND n.emptied_at IS NULL
                      AND (n.closed_at IS NULL OR n.waiting_since > n.closed_at)
                      AND n.expires_at > now()
                    ORDER BY n.waiting_since LIMIT greatest(list_waiting.most, 0)) AS o
             ORDER BY o.waiting_since, o.id LIMIT greatest(list_waiting.most, 0)) AS w
      LEFT JOIN LATERAL (
           SELECT t.subject FROM tracker.messages AS t
            WHERE t.order_id = w.id AND t.at = w.waiting_since AND t.direction = 'inbound'
            ORDER BY t.id + 0 LIMIT 1) AS m ON true
     ORDER BY w.waiting_since, w.id;
END
$$;

-- What bounced, what was refused, or what came with a false claim (`flagged`) within a month, as the
-- feed tells, the newest first. `role` is the recipient's; where the claim is false there is none.
CREATE OR REPLACE FUNCTION tracker.list_lately(kind text, wanted text, most integer)
RETURNS TABLE (store text, order_number text, at timestamptz, subject text, role text, status text,
               reason text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET max_parallel_workers_per_gather = 0 SET jit = off
SET enable_indexscan = on SET enable_nestloop = on SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off
SET seq_page_cost = 1 SET random_page_cost = 1 SET cpu_tuple_cost = 0.01
SET cpu_index_tuple_cost = 0.005 SET cpu_operator_cost = 0.0025 AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT f.store, o.number, f.at,
           coalesce(m.subject, r.subject, ''), coalesce(p.role, ''),
           coalesce(d.status, f.detail ->> 'status',
                    substring(f.detail ->> 'reply' FROM '^[245][0-9]{2} ([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)'), ''),
           coalesce(d.reason, f.detail ->> 'reply', '')
      FROM (SELECT e.* FROM unnest(tracker.stores_to_list(list_lately.wanted)) AS s(name)
             CROSS JOIN LATERAL (
                   SELECT n.* FROM tracker.feed AS n
                    WHERE n.store = s.name AND n.event = list_lately.kind
                      AND n.event IN ('bounced', 'refused')  -- so that feed_notable has them
                      AND n.at > now() - interval '1 month'
                    ORDER BY n.position DESC LIMIT greatest(list_lately.most, 0)) AS e
            UNION ALL
            SELECT e.* FROM unnest(tracker.stores_to_list(list_lately.wanted)) AS s(name)
             CROSS JOIN LATERAL (
                   SELECT n.* FROM tracker.feed AS n
                    WHERE list_lately.kind = 'flagged' AND n.store = s.name
                      AND n.event = 'recorded' AND n.detail ->> 'verdict' = 'flagged'
                      AND n.at > now() - interval '1 month'
                    ORDER BY n.position DESC LIMIT greatest(list_lately.most, 0)) AS e
             ORDER BY at DESC, position DESC LIMIT greatest(list_lately.most, 0)) AS f
      JOIN tracker.orders AS o ON o.id = f.order_id
      LEFT JOIN LATERAL (
           SELECT t.subject, t.at FROM tracker.messages AS t
            WHERE t.id = f.message_id AND t.order_id = f.order_id) AS m ON true
      LEFT JOIN LATERAL (
           SELECT r.id, r.role FROM tracker.participants AS r
            WHERE r.token = substring(CASE list_lately.kind WHEN 'refused' THEN f.detail ->> 'to'
                                                            WHEN 'bounced' THEN f.alias END
                                      FROM '^([0-9a-f]{32})@')::uuid
              AND r.order_id = f.order_id) AS p ON true
      LEFT JOIN LATERAL (
           SELECT c.status::text, c.reason FROM tracker.deliveries AS c
            WHERE list_lately.kind = 'bounced' AND c.message_id = f.message_id
              AND c.message_at = m.at AND c.recipient_id = p.id) AS d ON true
      LEFT JOIN LATERAL (
           SELECT a.id FROM tracker.participants AS a
            WHERE list_lately.kind = 'refused' AND a.order_id = f.order_id
              AND a.token = substring(f.alias FROM '^([0-9a-f]{32})@')::uuid) AS w ON true
      LEFT JOIN LATERAL (
           -- The row was made in the event's transaction, so before it; once it is gone, no other is meant.
           SELECT x.subject FROM tracker.refusals AS x
            WHERE list_lately.kind = 'refused' AND x.order_id = f.order_id
              AND x.since <= f.at AND x.since > f.at - interval '1 minute'
              AND x.author_id IS NOT DISTINCT FROM w.id AND x.recipient_id IS NOT DISTINCT FROM p.id
              AND x.more = (f.detail ? 'more')
            ORDER BY x.since DESC LIMIT 1) AS r ON true
     ORDER BY f.at DESC, f.position DESC;
END
$$;

-- The orders whose number is what is typed, then those whose number begins with it. In a database whose
-- order of letters is another than that of code points, those that are near it are looked at.
CREATE OR REPLACE FUNCTION tracker.find_numbers(typed text, wanted text, most integer)
RETURNS TABLE (store text, order_number text, at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET max_parallel_workers_per_gather = 0 SET jit = off
SET enable_indexscan = on SET enable_nestloop = on SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off
SET seq_page_cost = 1 SET random_page_cost = 1 SET cpu_tuple_cost = 0.01
SET cpu_index_tuple_cost = 0.005 SET cpu_operator_cost = 0.0025 AS $$
#variable_conflict use_column
DECLARE
    near constant integer := 500;
BEGIN
    RETURN QUERY
    SELECT o.store, o.number, o.placed_at
      FROM unnest(tracker.stores_to_list(find_numbers.wanted)) AS s(name)
     CROSS JOIN LATERAL (
           SELECT n.store, n.number, n.placed_at, n.number = find_numbers.typed AS same
             FROM (SELECT c.store, c.number, c.placed_at FROM tracker.orders AS c
                    WHERE c.store = s.name AND c.number >= find_numbers.typed
                    ORDER BY c.number LIMIT near) AS n
            WHERE starts_with(n.number, find_numbers.typed)
            LIMIT greatest(find_numbers.most, 0)) AS o
     ORDER BY o.same DESC, o.number, o.store LIMIT greatest(find_numbers.most, 0);
END
$$;

-- The order that an alias belongs to, in hard form or soft, in any letter case. Of a soft one only the
-- order's reference is looked at, whatever stands before it: nobody can confirm a guessed address.
CREATE OR REPLACE FUNCTION tracker.find_alias(alias text)
RETURNS TABLE (store text, order_number text, role text, at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET max_parallel_workers_per_gather = 0 SET jit = off
SET enable_indexscan = on SET enable_nestloop = on SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off
SET seq_page_cost = 1 SET random_page_cost = 1 SET cpu_tuple_cost = 0.01
SET cpu_index_tuple_cost = 0.005 SET cpu_operator_cost = 0.0025 AS $$
#variable_conflict use_column
DECLARE
    plain constant text := lower(left(btrim(find_alias.alias), 1000));
    known_token constant text := substring(plain FROM '^([0-9a-f]{32})(?:@[^@]*)?$');
    known_ref constant text := substring(plain FROM '@[^@]*-([0-9]{12})b\.[^@]*$');
BEGIN
    RETURN QUERY
    SELECT o.store, o.number, coalesce(CASE p.role WHEN 'return' THEN coalesce(w.role, 'partner')
                                                   ELSE p.role END, ''), o.placed_at
      FROM tracker.participants AS p
      JOIN tracker.orders AS o ON o.id = p.order_id
      LEFT JOIN tracker.participants AS w ON w.id = p.owner_id
     WHERE p.token = known_token::uuid AND tracker.may_read(o.store)
       AND (plain = known_token OR plain = known_token || '@' || o.alias_domain)
    UNION ALL
    SELECT o.store, o.number, '', o.placed_at FROM tracker.orders AS o
     WHERE o.ref = known_ref AND tracker.may_read(o.store)
       AND right(plain, length(known_ref || o.alias_domain) + 2) = known_ref || 'b.' || o.alias_domain;
END
$$;

-- The store's orders whose messages hold words, as `search` reads them: of each its newest such message,
-- the newest first. An order of many messages hides no other. It goes back from month to month and ends
-- where it has enough.
CREATE OR REPLACE FUNCTION tracker.search_orders(store text, words text, most integer)
RETURNS TABLE (order_number text, at timestamptz, subject text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
SET client_min_messages = 'warning' SET jit = off AS $$
#variable_conflict use_column
DECLARE
    query tsquery;
    hit record;
    known bigint[] := '{}';
    since timestamptz;
    until timestamptz := 'infinity';
    oldest timestamptz;
BEGIN
    PERFORM tracker.check_store(search_orders.store);
    query := tracker.read_query(search_orders.words, tracker.word_mark(search_orders.store));
    IF query IS NULL THEN
        RETURN;
    END IF;
    SELECT t.message_at INTO oldest FROM tracker.texts AS t ORDER BY t.message_at LIMIT 1;
    since := date_trunc('month', now());
    WHILE oldest IS NOT NULL AND cardinality(known) < search_orders.most AND until > oldest LOOP
        FOR hit IN
            SELECT o.id, o.number, m.at, m.subject
              FROM (SELECT n.* FROM (
                        SELECT DISTINCT ON (t.order_id) t.order_id, t.message_id, t.message_at
                          FROM tracker.texts AS t
                         WHERE t.words @@ query AND t.message_at >= since AND t.message_at < until
                           AND t.order_id <> ALL (known)
                         ORDER BY t.order_id, t.message_at DESC, t.message_id DESC) AS n
                     ORDER BY n.message_at DESC, n.message_id DESC
                     LIMIT search_orders.most - cardinality(known)) AS found
              JOIN tracker.orders AS o ON o.id = found.order_id AND o.store = search_orders.store
              JOIN tracker.messages AS m ON m.id = found.message_id AND m.at = found.message_at
             WHERE m.at >= since AND m.at < until
             ORDER BY m.at DESC, m.id DESC
        LOOP
            known := known || hit.id;
            order_number := hit.number;
            at := hit.at;
            subject := hit.subject;
            RETURN NEXT;
        END LOOP;
        until := since;
        since := since - interval '1 month';
    END LOOP;
END
$$;
