-- Aliases: how one is written, who gets one, and whom it stands for.

-- The soft alias of an address, or NULL where it cannot be carried; see core/model/alias.py.
CREATE OR REPLACE FUNCTION tracker.soft_alias(address text, ref text, alias_domain text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    local text := tracker.address_key(substring(address FROM '^(.*)@[^@]*$'));
    domain text := substring(address FROM '^.*@([^@]*)$');
    last text := substring(domain FROM '[^.]*$');
    carried text := domain || '-' || ref || 'b.' || alias_domain;
BEGIN
    IF octet_length(local) <= 64
       AND local ~ '^[a-z0-9#$&''*+/=?^_`{|}~-]+(\.[a-z0-9#$&''*+/=?^_`{|}~-]+)*$'
       AND domain !~ '^\['
       AND last !~ '^xn--'
       AND length(last) + length(ref) + 2 <= 63
       AND length(carried) <= 253
       AND length(local) + 1 + length(carried) <= 254
    THEN
        RETURN local || '@' || carried;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION tracker.hard_alias(token uuid, alias_domain text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT replace(token::text, '-', '') || '@' || alias_domain
$$;

-- The alias domain that a domain is, or is inside of, or NULL.
CREATE OR REPLACE FUNCTION tracker.alias_domain_of(domain text) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    -- One look-up for each level of the name, however many alias domains there are.
    SELECT name FROM tracker.alias_domains
     WHERE name = ANY (ARRAY(SELECT array_to_string(labels[n:], '.')
                               FROM string_to_array(domain, '.') AS labels,
                                    generate_series(1, cardinality(labels)) AS n))
$$;

-- An address as it may be masked, in canonical form; with the role it is to have, any other is refused.
CREATE OR REPLACE FUNCTION tracker.maskable(address text, role text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    canonical constant text := tracker.canonical_address(address);
    domain constant text := substring(canonical FROM '[^@]*$');
BEGIN
    IF role IS NULL OR role NOT IN ('buyer', 'store', 'partner') THEN
        RAISE EXCEPTION 'role must be buyer, store or partner' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF domain !~ '[.[]' THEN
        RAISE EXCEPTION 'not a valid mail address: its domain is a single label'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Give one bare address, such as name@example.com.';
    END IF;
    IF tracker.alias_domain_of(domain) IS NOT NULL THEN
        RAISE EXCEPTION 'an address in an alias domain cannot be masked again'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN canonical;
END
$$;

-- Introduces an address to an order whose row is locked, and gives its role there and its alias.
--   canonical  the address, as maskable gives it
--   given      the role it gets if it was not introduced before
--   first      nobody takes part in the order yet: nothing need be looked up
CREATE OR REPLACE FUNCTION tracker.take_part(
    settings tracker.stores, wanted tracker.orders, canonical text, given text, first boolean,
    OUT role text, OUT alias text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    key text;
    gmail text;
    who tracker.participants;
    joins boolean;
    as_what text := CASE WHEN substring(canonical FROM '[^@]*$') = ANY (settings.sender_domains)
                         THEN 'store' ELSE given END;
BEGIN
    IF wanted.expires_at <= now() OR wanted.emptied_at IS NOT NULL THEN
        RAISE EXCEPTION 'order % of store % has expired', tracker.shown(wanted.number),
                tracker.shown(wanted.store)
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF NOT first THEN
        key := tracker.address_key(canonical);
        gmail := tracker.gmail_key(canonical);
        -- The order's row is locked: nobody else can join meanwhile.
        SELECT * INTO who FROM tracker.participants AS p
         WHERE p.order_id = wanted.id AND tracker.address_key(p.address) = key;
        IF NOT FOUND AND gmail IS NOT NULL THEN
            -- Of several spellings at Gmail that take part already, the first.
            SELECT * INTO who FROM tracker.participants AS p
             WHERE p.order_id = wanted.id AND tracker.gmail_key(p.address) = gmail
             ORDER BY p.introduced DESC, p.id LIMIT 1;
        END IF;
        IF who.id IS NULL THEN
            SELECT p.* INTO who FROM tracker.return_addresses AS r
              JOIN tracker.participants AS p ON p.id = r.participant_id
             WHERE r.order_id = wanted.id AND tracker.address_key(r.address) = key;
        END IF;
        -- Guests do not count: nobody can fill an order who was not introduced to it.
        IF who.introduced IS NOT TRUE
           AND (SELECT count(*) FROM tracker.participants AS p
                 WHERE p.order_id = wanted.id AND p.introduced AND p.role <> 'return'
                   AND p.address IS NOT NULL) >= settings.participant_limit THEN
            RAISE EXCEPTION 'order % of store % has reached its participant_limit',
                tracker.shown(wanted.number), tracker.shown(wanted.store)
                USING ERRCODE = 'program_limit_exceeded';
        END IF;
    END IF;
    joins := who.id IS NULL OR who.role = 'return';
    IF who.id IS NULL THEN
        INSERT INTO tracker.participants (order_id, token, role, address, introduced, store_number)
        VALUES (wanted.id, gen_random_uuid(), as_what, canonical, true,
                (SELECT n.number FROM tracker.store_numbers AS n WHERE n.store = wanted.store))
        RETURNING * INTO who;
    ELSIF NOT who.introduced THEN
        IF who.role = 'return' THEN
            DELETE FROM tracker.return_addresses AS r WHERE r.participant_id = who.id;
        END IF;
        UPDATE tracker.participants AS p
           SET introduced = true, role = as_what, address = coalesce(p.address, canonical),
               owner_id = NULL,
               store_number = (SELECT n.number FROM tracker.store_numbers AS n
                                WHERE n.store = wanted.store)
         WHERE p.id = who.id RETURNING p.* INTO who;
    END IF;
    IF joins THEN
        INSERT INTO tracker.event_queue (event, order_id, participant_id, detail)
        VALUES ('joined', wanted.id, who.id,
                jsonb_build_object('role', who.role, 'introduced', true));
    END IF;
    role := who.role;
    IF (CASE who.role WHEN 'store' THEN settings.issuer_mask ELSE settings.mask END) = 'soft' THEN
        alias := tracker.soft_alias(who.address, wanted.ref, wanted.alias_domain);
    END IF;
    IF alias IS NULL THEN
        alias := tracker.hard_alias(who.token, wanted.alias_domain);
    ELSE
        UPDATE tracker.participants AS p SET handed_out = true
         WHERE p.id = who.id AND NOT p.handed_out;
    END IF;
END
$$;

-- What whoever calls has set, a body's text is read with: with standard_conforming_strings off, each
-- backslash in it would be gone.
CREATE OR REPLACE FUNCTION tracker.mask(
    store text, order_number text, address text, role text DEFAULT 'buyer')
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
#variable_conflict use_variable
DECLARE
    canonical text;
    settings tracker.stores;
    wanted tracker.orders;
    opened bigint;
BEGIN
    -- Two statements: what is immutable may be run while one is planned.
    PERFORM tracker.check_store(store);
    PERFORM tracker.check_number(order_number);
    canonical := tracker.maskable(address, role);
    opened := tracker.open_order(store, order_number, false);
    PERFORM tracker.hold_order(opened);
    SELECT * INTO settings FROM tracker.stores AS s WHERE s.name = store;
    SELECT * INTO wanted FROM tracker.orders AS o WHERE o.id = opened FOR NO KEY UPDATE;
    RETURN (SELECT taken.alias
              FROM tracker.take_part(settings, wanted, canonical, role, false) AS taken);
END
$$;

-- What is wrong with an object that names one address to mask, or NULL. What is in it is not repeated.
CREATE OR REPLACE FUNCTION tracker.wrong_with(wanted jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN jsonb_typeof(wanted) <> 'object' THEN 'it is no object'
        WHEN wanted - ARRAY['order_number', 'address', 'role'] <> '{}'
            THEN 'it has keys other than order_number, address and role'
        WHEN jsonb_typeof(wanted -> 'order_number') IS DISTINCT FROM 'string'
            THEN 'order_number must be a string'
        WHEN jsonb_typeof(wanted -> 'address') IS DISTINCT FROM 'string'
            THEN 'address must be a string'
        WHEN jsonb_typeof(wanted -> 'role') <> 'string' THEN 'role must be buyer, store or partner'
    END
$$;

-- The same for many: an array of objects with order_number, address and role. All of them, or none.
--
-- Nothing is locked before everything was looked at; then orders are, always in one sequence: new
-- ones by number, then all by id. So of two that mask the same orders one waits for the other, and
-- never each for the other. Each is waited for as tracker.hold_order does: mail would pass for ever.
CREATE OR REPLACE FUNCTION tracker.mask(store text, wanted jsonb)
RETURNS TABLE (order_number text, role text, alias text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
#variable_conflict use_variable
DECLARE
    most constant integer := 100000;
    settings tracker.stores;
    numbers text[];
    addresses text[];
    roles text[];
    aliases text[];
    place bigint;
    each record;
    taken record;
    fresh bigint[] := '{}';
    locked bigint;
    told text;
BEGIN
    PERFORM tracker.check_store(store);
    IF wanted IS NULL OR jsonb_typeof(wanted) <> 'array' THEN
        RAISE EXCEPTION 'wanted must be an array of objects' USING ERRCODE = 'invalid_parameter_value';
    ELSIF jsonb_array_length(wanted) > most THEN
        RAISE EXCEPTION 'wanted has more than % objects', most USING ERRCODE = 'program_limit_exceeded';
    END IF;
    SELECT w.place, tracker.wrong_with(w.value) INTO place, told
      FROM jsonb_array_elements(wanted) WITH ORDINALITY AS w(value, place)
     WHERE tracker.wrong_with(w.value) IS NOT NULL ORDER BY w.place LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'object %: %', place, told USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT array_agg(w.value ->> 'order_number' ORDER BY w.place),
           array_agg(w.value ->> 'address' ORDER BY w.place),
           array_agg(coalesce(w.value ->> 'role', 'buyer') ORDER BY w.place)
      INTO numbers, addresses, roles
      FROM jsonb_array_elements(wanted) WITH ORDINALITY AS w(value, place);
    aliases := roles;
    BEGIN
        FOR n IN 1..coalesce(cardinality(numbers), 0) LOOP
            place := n;
            numbers[place] := tracker.check_number(numbers[place]);
            addresses[place] := tracker.maskable(addresses[place], roles[place]);
        END LOOP;
        -- Locked, so that the alias domain does not change, and go, under new orders.
        SELECT * INTO settings FROM tracker.stores AS s WHERE s.name = store FOR SHARE;
        LOOP
            WITH made AS (
                INSERT INTO tracker.orders (store, number, ref, alias_domain, expires_at)
                SELECT store, n.number, tracker.random_ref(), settings.alias_domain,
                       now() + settings.alias_lifetime
                  FROM (SELECT DISTINCT number FROM unnest(numbers) AS number) AS n
                 WHERE NOT EXISTS (SELECT FROM tracker.orders AS o
                                    WHERE o.store = settings.name AND o.number = n.number)
                 ORDER BY n.number COLLATE "C"
                ON CONFLICT DO NOTHING RETURNING id
            ), told AS (
                INSERT INTO tracker.event_queue (event, order_id) SELECT 'opened', made.id FROM made)
            SELECT fresh || coalesce(array_agg(made.id), '{}') INTO fresh FROM made;
            PERFORM tracker.hold_order(o.id)
               FROM (SELECT o.id FROM tracker.orders AS o
                      WHERE o.store = settings.name AND o.number = ANY (numbers)
                      ORDER BY o.id) AS o;
            PERFORM FROM tracker.orders AS o
              WHERE o.store = settings.name AND o.number = ANY (numbers)
              ORDER BY o.id FOR NO KEY UPDATE;
            GET DIAGNOSTICS locked = ROW_COUNT;
            -- Fewer: one was removed meanwhile.
            EXIT WHEN locked = (SELECT count(DISTINCT number) FROM unnest(numbers) AS number);
        END LOOP;
        FOR each IN
            SELECT n.place, o AS wanted,
                   f.id IS NOT NULL
                   AND row_number() OVER (PARTITION BY o.id ORDER BY n.place) = 1 AS first
              FROM unnest(numbers) WITH ORDINALITY AS n(number, place)
              JOIN tracker.orders AS o ON o.store = settings.name AND o.number = n.number
              LEFT JOIN unnest(fresh) AS f(id) ON f.id = o.id
             ORDER BY o.id, n.place
        LOOP
            place := each.place;
            taken := tracker.take_part(settings, each.wanted, addresses[place], roles[place],
                                       each.first);
            roles[place] := taken.role;
            aliases[place] := taken.alias;
        END LOOP;
    EXCEPTION
        WHEN invalid_parameter_value OR object_not_in_prerequisite_state OR program_limit_exceeded THEN
            RAISE EXCEPTION 'object %: %', place, SQLERRM USING ERRCODE = SQLSTATE;
    END;
    RETURN QUERY SELECT * FROM unnest(numbers, roles, aliases);
END
$$;

-- The participant an alias stands for, whatever its order's state, or no row. A soft alias that was
-- never handed out is none.
CREATE OR REPLACE FUNCTION tracker.participant_of(alias text) RETURNS SETOF tracker.participants
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    local text := tracker.address_key(substring(btrim(alias) FROM '^(.*)@[^@]*$'));
    domain text := tracker.canonical_domain(substring(btrim(alias) FROM '^.*@([^@]*)$'));
    alias_domain text := tracker.alias_domain_of(domain);
    carried text[];
    who tracker.participants;
BEGIN
    IF domain = alias_domain AND local ~ '^[0-9a-f]{32}$' THEN
        SELECT p.* INTO who FROM tracker.participants AS p
          JOIN tracker.orders AS o ON o.id = p.order_id
         WHERE p.token = local::uuid AND o.alias_domain = alias_domain;
        IF FOUND THEN
            IF who.role = 'return' THEN
                SELECT r.address INTO who.address FROM tracker.return_addresses AS r
                 WHERE r.participant_id = who.id;
            END IF;
            RETURN NEXT who;
        END IF;
    ELSIF domain <> alias_domain THEN
        carried := regexp_match(left(domain, -length(alias_domain) - 1), '^(.+)-([0-9]{12})b$');
        RETURN QUERY SELECT p.* FROM tracker.participants AS p
                       JOIN tracker.orders AS o ON o.id = p.order_id
                      WHERE o.ref = carried[2] AND o.alias_domain = alias_domain
                        AND tracker.address_key(p.address) = local || '@' || carried[1]
                        AND p.handed_out;
    END IF;
END
$$;

-- The same as before, and a line in the server's log: what a transaction wrote goes with it if that
-- is rolled back, and whoever asked has seen the address.
CREATE OR REPLACE FUNCTION tracker.unmask(alias text, reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET client_min_messages = 'warning' AS $$
#variable_conflict use_variable
DECLARE
    who tracker.participants;
    wanted tracker.orders;
    actor text := coalesce(nullif(left(current_setting('tracker.actor', true), 1000), ''), session_user);
    hard text;
BEGIN
    IF octet_length(reason) > 10000 THEN
        RAISE EXCEPTION 'a reason may have 10000 octets' USING ERRCODE = 'invalid_parameter_value';
    ELSIF reason IS NULL OR reason !~ '[^[:space:]]' THEN
        RAISE EXCEPTION 'a reason is needed to unmask an alias' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO who FROM tracker.participant_of(CASE WHEN octet_length(alias) <= 1000 THEN alias END);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such alias' USING ERRCODE = 'no_data_found';
    END IF;
    SELECT * INTO wanted FROM tracker.orders AS o WHERE o.id = who.order_id;
    IF who.address IS NULL OR wanted.expires_at <= now() THEN
        RAISE EXCEPTION 'the alias has expired' USING ERRCODE = 'no_data_found';
    END IF;
    IF position(tracker.address_key(who.address) IN tracker.address_key(reason)) > 0 THEN
        RAISE EXCEPTION 'the reason must not name the address: it is kept for longer'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    hard := tracker.hard_alias(who.token, wanted.alias_domain);
    INSERT INTO tracker.unmaskings (db_user, actor, alias, reason)
    VALUES (session_user, actor, hard, reason);
    -- One line, whatever somebody wrote into it.
    RAISE LOG 'conversation tracker: % unmasked, role %, actor %, reason: %', hard, session_user,
        regexp_replace(actor, '[[:cntrl:]]+', ' ', 'g'), regexp_replace(reason, '[[:cntrl:]]+', ' ', 'g');
    RETURN who.address;
END
$$;
