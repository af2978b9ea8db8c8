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

CREATE OR REPLACE FUNCTION tracker.mask(
    store text, order_number text, address text, role text DEFAULT 'buyer')
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    canonical text;
    domain text;
    settings tracker.stores;
    wanted tracker.orders;
    who tracker.participants;
    given text := role;
    opened bigint;
    carried text;
BEGIN
    PERFORM tracker.require_grant(store);
    canonical := tracker.canonical_address(address);
    domain := substring(canonical FROM '[^@]*$');
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
    opened := tracker.open_order(store, order_number, false);
    SELECT * INTO settings FROM tracker.stores AS s WHERE s.name = store;
    SELECT * INTO wanted FROM tracker.orders AS o WHERE o.id = opened FOR NO KEY UPDATE;
    IF wanted.expires_at <= now() OR wanted.emptied_at IS NOT NULL THEN
        RAISE EXCEPTION 'order % of store % has expired', order_number, store
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF domain = ANY (settings.sender_domains) THEN
        given := 'store';
    END IF;
    -- The order's row is locked: nobody else can join meanwhile.
    SELECT * INTO who FROM tracker.participants AS p
     WHERE p.order_id = wanted.id AND tracker.address_key(p.address) = tracker.address_key(canonical);
    IF NOT FOUND THEN
        -- Of several spellings at Gmail that take part already, the first.
        SELECT * INTO who FROM tracker.participants AS p
         WHERE p.order_id = wanted.id AND tracker.gmail_key(p.address) = tracker.gmail_key(canonical)
         ORDER BY p.introduced DESC, p.id LIMIT 1;
    END IF;
    IF NOT FOUND THEN
        SELECT p.* INTO who FROM tracker.return_addresses AS r
          JOIN tracker.participants AS p ON p.id = r.participant_id
         WHERE r.order_id = wanted.id
           AND tracker.address_key(r.address) = tracker.address_key(canonical);
    END IF;
    IF who.introduced IS NOT TRUE THEN
        -- Guests do not count: nobody can fill an order who was not introduced to it.
        IF (SELECT count(*) FROM tracker.participants AS p
             WHERE p.order_id = wanted.id AND p.introduced AND p.role <> 'return'
               AND p.address IS NOT NULL) >= settings.participant_limit THEN
            RAISE EXCEPTION 'order % of store % has reached its participant_limit', order_number, store
                USING ERRCODE = 'program_limit_exceeded';
        END IF;
        IF who.role = 'return' THEN
            DELETE FROM tracker.return_addresses AS r WHERE r.participant_id = who.id;
        END IF;
        UPDATE tracker.participants AS p
           SET introduced = true, role = given, address = coalesce(p.address, canonical),
               owner_id = NULL
         WHERE p.id = who.id RETURNING p.* INTO who;
        IF NOT FOUND THEN
            INSERT INTO tracker.participants (order_id, token, role, address, introduced)
            VALUES (wanted.id, gen_random_uuid(), given, canonical, true) RETURNING * INTO who;
        END IF;
    END IF;
    IF (CASE who.role WHEN 'store' THEN settings.issuer_mask ELSE settings.mask END) = 'soft' THEN
        carried := tracker.soft_alias(who.address, wanted.ref, wanted.alias_domain);
    END IF;
    IF carried IS NULL THEN
        RETURN tracker.hard_alias(who.token, wanted.alias_domain);
    END IF;
    UPDATE tracker.participants AS p SET handed_out = true WHERE p.id = who.id AND NOT p.handed_out;
    RETURN carried;
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
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    who tracker.participants;
    wanted tracker.orders;
    actor text := coalesce(nullif(current_setting('tracker.actor', true), ''), session_user);
    hard text;
BEGIN
    IF reason IS NULL OR reason !~ '[^[:space:]]' THEN
        RAISE EXCEPTION 'a reason is needed to unmask an alias' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO who FROM tracker.participant_of(alias);
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
