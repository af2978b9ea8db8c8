-- Looking up which orders an address has a part in. Who asks is noted, as where one is unmasked.

-- What stands for an address in the notes: the same for all its spellings, and nothing to whoever has
-- not the secret.
CREATE OR REPLACE FUNCTION tracker.lookup_digest(address text) RETURNS bytea
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
    RETURN tracker.keyed(convert_to(
        'lookup ' || tracker.mailbox_key(tracker.canonical_address(address)), 'UTF8'));
END
$$;

-- The store's orders, but for those that have expired, that an address has a part in, in any spelling
-- that mask takes for the same; the newest first, and a thousand at most. Whoever's Reply-To address or
-- return path it is has the role of who gave it.
-- What is read is the store's alone, by indexes that begin with its number, whatever whoever asks has
-- set for the planner, and whatever address it is: what was read can be counted by whoever asks.
-- The line in the server's log is not sent to whoever asks (client_min_messages): its digest would confirm
-- an address to who has others' digests to compare it with. So it is wherever RAISE LOG stands.
CREATE OR REPLACE FUNCTION tracker.find_orders(store text, address text)
RETURNS TABLE (order_number text, role text, placed_at timestamptz, expires_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
SET client_min_messages = 'warning'
SET plan_cache_mode = force_generic_plan SET max_parallel_workers_per_gather = 0 SET jit = off
SET enable_indexscan = on SET enable_nestloop = on SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
SET seq_page_cost = 1 SET random_page_cost = 1 SET cpu_tuple_cost = 0.01
SET cpu_index_tuple_cost = 0.005 SET cpu_operator_cost = 0.0025 AS $$
#variable_conflict use_variable
DECLARE
    -- Whoever reads may set it, to any length.
    actor text := coalesce(nullif(left(current_setting('tracker.actor', true), 1000), ''), session_user);
    canonical text;
    number integer;
    mailbox text;
    digest bytea;
    numbers text[];
    roles text[];
    placed timestamptz[];
    expire timestamptz[];
BEGIN
    PERFORM tracker.check_store(store);
    canonical := tracker.canonical_address(address);
    IF EXISTS (SELECT FROM tracker.unnumbered) THEN
        RAISE EXCEPTION 'older addresses cannot be looked up yet'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'The upgrade is still at work on them; if it was ended, run migrate again.';
    END IF;
    number := (SELECT n.number FROM tracker.store_numbers AS n WHERE n.store = store);
    mailbox := tracker.mailbox_key(canonical);
    digest := tracker.lookup_digest(canonical);
    -- OFFSET: each order by its id.
    SELECT array_agg(f.number), array_agg(f.role), array_agg(f.placed_at), array_agg(f.expires_at)
      INTO numbers, roles, placed, expire
      FROM (SELECT o.number, w.role, o.placed_at, o.expires_at
              FROM (SELECT p.order_id, p.role FROM tracker.participants AS p
                     WHERE p.store_number = number AND tracker.mailbox_key(p.address) = mailbox
                    UNION
                    SELECT r.order_id, coalesce(owner.role, 'partner')
                      FROM tracker.return_addresses AS r
                      JOIN tracker.participants AS p ON p.id = r.participant_id
                      LEFT JOIN tracker.participants AS owner ON owner.id = p.owner_id
                     WHERE r.store_number = number AND tracker.mailbox_key(r.address) = mailbox) AS w
             CROSS JOIN LATERAL (SELECT n.* FROM tracker.orders AS n
                                  WHERE n.id = w.order_id OFFSET 0) AS o
             WHERE o.store = store AND o.expires_at > now() AND o.emptied_at IS NULL
             ORDER BY o.placed_at DESC, o.id DESC, w.role LIMIT 1000) AS f;
    INSERT INTO tracker.lookups (db_user, actor, store, digest, found)
    VALUES (session_user, actor, store, digest, coalesce(cardinality(numbers), 0));
    -- What a transaction wrote goes with it if that is rolled back, and whoever asked has seen the
    -- orders. One line, whatever somebody wrote into it.
    RAISE LOG 'conversation tracker: orders of store % looked up by address, role %, actor %, digest %, found %',
        store, session_user, regexp_replace(actor, '[[:cntrl:]]+', ' ', 'g'), encode(digest, 'hex'),
        coalesce(cardinality(numbers), 0);
    RETURN QUERY SELECT f.* FROM unnest(numbers, roles, placed, expire) AS f;
END
$$;
