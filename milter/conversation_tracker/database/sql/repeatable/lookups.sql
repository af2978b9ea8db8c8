-- Looking up which orders an address has a part in. Who asks is noted, as where one is unmasked.

-- What stands for an address in the notes: the same for all its spellings, and nothing to whoever has
-- not the secret.
CREATE OR REPLACE FUNCTION tracker.lookup_digest(address text) RETURNS bytea
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    canonical constant text := tracker.canonical_address(address);
BEGIN
    RETURN tracker.keyed(convert_to(
        'lookup ' || coalesce(tracker.gmail_key(canonical), tracker.address_key(canonical)), 'UTF8'));
END
$$;

-- The store's orders, but for those that have expired, that an address has a part in, in any spelling
-- that mask takes for the same; the newest first, and a thousand at most. Whoever's Reply-To address or
-- return path it is has the role of who gave it.
CREATE OR REPLACE FUNCTION tracker.find_orders(store text, address text)
RETURNS TABLE (order_number text, role text, placed_at timestamptz, expires_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
#variable_conflict use_variable
DECLARE
    -- Whoever reads may set it, to any length.
    actor text := coalesce(nullif(left(current_setting('tracker.actor', true), 1000), ''), session_user);
    canonical text;
    key text;
    gmail text;
    digest bytea;
    places bigint[];
    roles text[];
BEGIN
    PERFORM tracker.check_store(store);
    canonical := tracker.canonical_address(address);
    key := tracker.address_key(canonical);
    gmail := tracker.gmail_key(canonical);
    digest := tracker.lookup_digest(canonical);
    -- OFFSET: each order by its id. Nothing tells the planner how many a store has (0019), and it would
    -- read them all.
    SELECT array_agg(f.id), array_agg(f.role) INTO places, roles
      FROM (SELECT o.id, w.role
              FROM (SELECT p.order_id, p.role FROM tracker.participants AS p
                     WHERE tracker.address_key(p.address) = key
                    UNION
                    SELECT p.order_id, p.role FROM tracker.participants AS p
                     WHERE gmail IS NOT NULL AND tracker.gmail_key(p.address) = gmail
                    UNION
                    SELECT r.order_id, coalesce(owner.role, 'partner')
                      FROM tracker.return_addresses AS r
                      JOIN tracker.participants AS p ON p.id = r.participant_id
                      LEFT JOIN tracker.participants AS owner ON owner.id = p.owner_id
                     WHERE tracker.address_key(r.address) = key) AS w
             CROSS JOIN LATERAL (SELECT n.* FROM tracker.orders AS n
                                  WHERE n.id = w.order_id OFFSET 0) AS o
             WHERE o.store = store AND o.expires_at > now() AND o.emptied_at IS NULL
             ORDER BY o.placed_at DESC, o.id DESC, w.role LIMIT 1000) AS f;
    INSERT INTO tracker.lookups (db_user, actor, store, digest, found)
    VALUES (session_user, actor, store, digest, coalesce(cardinality(places), 0));
    -- What a transaction wrote goes with it if that is rolled back, and whoever asked has seen the
    -- orders. One line, whatever somebody wrote into it.
    RAISE LOG 'conversation tracker: orders of store % looked up by address, role %, actor %, digest %, found %',
        store, session_user, regexp_replace(actor, '[[:cntrl:]]+', ' ', 'g'), encode(digest, 'hex'),
        coalesce(cardinality(places), 0);
    RETURN QUERY SELECT o.number, f.role, o.placed_at, o.expires_at
                   FROM unnest(places, roles) WITH ORDINALITY AS f(id, role, place)
                   JOIN tracker.orders AS o ON o.id = f.id ORDER BY f.place;
END
$$;
