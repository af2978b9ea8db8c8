-- The functions: what integrators call (mask, unmask, close_order, erase) and what the milter
-- calls (conversation_of, open_order, record). Each runs with the owner's rights and a fixed
-- search path; who may call which is said in roles.sql.

-- Addresses and aliases -------------------------------------------------------------------------

-- RFC 3492 section 6.3, for one label of a domain in Unicode.
CREATE FUNCTION tracker.punycode(label text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    points integer[] := ARRAY(SELECT ascii(c) FROM regexp_split_to_table(label, '') WITH ORDINALITY AS t(c, n) ORDER BY n);
    output text := coalesce((SELECT string_agg(chr(p), '' ORDER BY n) FROM unnest(points) WITH ORDINALITY AS t(p, n) WHERE p < 128), '');
    digits constant text := 'abcdefghijklmnopqrstuvwxyz0123456789';
    basic constant integer := length(output);
    handled integer := basic;
    delta bigint := 0;
    n integer := 128;
    bias integer := 72;
    next_point integer;
    point integer;
    q bigint;
    k integer;
    t integer;
BEGIN
    IF basic > 0 THEN
        output := output || '-';
    END IF;
    WHILE handled < cardinality(points) LOOP
        SELECT min(p) INTO next_point FROM unnest(points) AS p WHERE p >= n;
        delta := delta + (next_point - n)::bigint * (handled + 1);
        n := next_point;
        FOREACH point IN ARRAY points LOOP
            IF point < n THEN
                delta := delta + 1;
            ELSIF point = n THEN
                q := delta;
                k := 36;
                LOOP
                    t := CASE WHEN k <= bias THEN 1 WHEN k >= bias + 26 THEN 26 ELSE k - bias END;
                    EXIT WHEN q < t;
                    output := output || substr(digits, (t + (q - t) % (36 - t))::integer + 1, 1);
                    q := (q - t) / (36 - t);
                    k := k + 36;
                END LOOP;
                output := output || substr(digits, q::integer + 1, 1);
                delta := CASE WHEN handled = basic THEN delta / 700 ELSE delta / 2 END;
                handled := handled + 1;
                delta := delta + delta / handled;
                k := 0;
                WHILE delta > 455 LOOP
                    delta := delta / 35;
                    k := k + 36;
                END LOOP;
                bias := k + (36 * delta / (delta + 38))::integer;
                delta := 0;
            END IF;
        END LOOP;
        delta := delta + 1;
        n := n + 1;
    END LOOP;
    RETURN output;
END
$$;

-- A domain in lower case, with every label in ASCII (RFC 5891), or NULL if it is none. The mapping
-- is that of UTS 46 for all but rare characters; see core/addr_spec.py.
CREATE FUNCTION tracker.canonical_domain(domain text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text := domain;
    ignored constant text :=
        '[\u00ad\u034f\u180b-\u180d\u180f\u200b\u2060\u2064\ufe00-\ufe0f\ufeff]';
BEGIN
    IF domain ~ '^\[[!-Z^-~]+\]$' THEN
        RETURN lower(domain COLLATE "C");
    END IF;
    IF name ~ '[^\x01-\x7f]' THEN
        name := translate(normalize(regexp_replace(name, ignored, '', 'g'), NFKC), U&'\3002', '.');
        -- One by one: among its neighbours, a sigma would become a final one.
        SELECT normalize(string_agg(lower(c COLLATE "und-x-icu"), '' ORDER BY place), NFC) INTO name
          FROM regexp_split_to_table(name, '') WITH ORDINALITY AS characters(c, place);
        IF name ~ '(^|\.)xn--[^.]*[^\x01-\x7f]' THEN
            RETURN NULL;
        END IF;
        SELECT string_agg(CASE WHEN label ~ '[^\x01-\x7f]' THEN 'xn--' || tracker.punycode(label)
                               ELSE label END, '.' ORDER BY place) INTO name
          FROM unnest(string_to_array(name, '.')) WITH ORDINALITY AS labels(label, place);
    END IF;
    name := regexp_replace(lower(name COLLATE "C"), '\.$', '');
    IF name ~ '^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$' AND length(name) <= 253 THEN
        RETURN name;
    END IF;
    RETURN NULL;
END
$$;

-- An address as participants.address holds it: local part as written, quoted only where it must
-- be, domain in canonical form. The address is not repeated in the error: errors are logged.
CREATE FUNCTION tracker.canonical_address(address text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given constant text := btrim(address);
    local text;
    domain text;
    character constant text := '[-A-Za-z0-9!#$%&''*+/=?^_`{|}~\u0080-\U0010ffff]';
    word constant text := '("([^"\\]|\\.)*"|' || character || '*)';
BEGIN
    IF length(given) <= 1000 AND given !~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]' THEN
        local := substring(given FROM '^(.+)@[^@]*$');
        domain := tracker.canonical_domain(substring(given FROM '[^@]*$'));
    END IF;
    IF local ~ ('^' || word || '(\.' || word || ')*$') THEN
        local := normalize(regexp_replace(local, '\\(.)|"', '\1', 'g'), NFC);
        IF octet_length(local) <= 64 THEN
            IF local !~ ('^' || character || '+(\.' || character || '+)*$') THEN
                local := '"' || regexp_replace(local, '(["\\])', '\\\1', 'g') || '"';
            END IF;
            IF octet_length(local || '@' || domain) <= 320 THEN
                RETURN local || '@' || domain;
            END IF;
        END IF;
    END IF;
    RAISE EXCEPTION 'not a valid mail address'
        USING ERRCODE = 'invalid_parameter_value',
              HINT = 'Give one bare address, such as name@example.com.';
END
$$;

-- The soft alias of an address, or NULL where it cannot be carried; see core/alias.py.
CREATE FUNCTION tracker.soft_alias(address text, ref text, alias_domain text) RETURNS text
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

CREATE FUNCTION tracker.hard_alias(token uuid, alias_domain text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT replace(token::text, '-', '') || '@' || alias_domain
$$;

-- The alias domain that a domain is, or is inside of, or NULL.
CREATE FUNCTION tracker.alias_domain_of(domain text) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    -- One look-up for each level of the name, however many alias domains there are.
    SELECT name FROM tracker.alias_domains
     WHERE name = ANY (ARRAY(SELECT array_to_string(labels[n:], '.')
                               FROM string_to_array(domain, '.') AS labels,
                                    generate_series(1, cardinality(labels)) AS n))
$$;

CREATE FUNCTION tracker.random_ref() RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    -- 60 of the random bits of a version 4 UUID: the version and variant digits are left out.
    SELECT lpad(((('x' || substr(hex, 1, 12) || substr(hex, 21, 3))::bit(60)::bigint) % 1000000000000)::text, 12, '0')
      FROM (SELECT replace(gen_random_uuid()::text, '-', '') AS hex) AS uuid
$$;

-- Conversations ---------------------------------------------------------------------------------

-- Every RCPT asks one of these. PostgreSQL makes them part of the statement that asks, which is then
-- planned once for each connection; but only functions that set no search path, so all names in
-- them are written in full.

-- What mail needs to know of one order: its store's settings, itself, and who takes part.
-- status: live, expired (the alias, its participant or its order is over), inactive (the store).
-- store: a JSON array, which takes less than an object; rows.py names its items.
-- participants: a line for each, "TOKEN VOUCHED ROLE ADDRESS" with true or false as the second;
-- only an address may have spaces in it, and none has a line break. JSON takes twice as long.
-- identifiers: "OURS TOKEN ORIGINAL" for each. They come along so that the end of the message need
-- not ask; of very many, one more than 50 comes, and of a very long one no original: then it asks.
CREATE TYPE tracker.conversation AS (
    status text,
    token uuid,
    store text,
    order_id bigint,
    number text,
    ref text,
    alias_domain text,
    participants text,
    identifiers text[]
);

CREATE VIEW tracker.conversations AS
SELECT CASE WHEN o.expires_at <= now() THEN 'expired'
            WHEN NOT s.active THEN 'inactive'
            ELSE 'live' END AS status,
       json_build_array(
           s.name, s.mask, s.issuer_mask, s.sender_domains, s.order_header, s.mask_body,
           s.attachments_with_address, s.unknown_senders, s.spoofed_senders,
           s.participant_limit)::text AS store,
       o.id AS order_id, o.number, o.ref, o.alias_domain,
       array_to_string(ARRAY(
           SELECT p.token::text || CASE WHEN p.vouched THEN ' true ' ELSE ' false ' END
                  || p.role || ' ' || coalesce(p.address, '')
             FROM tracker.participants AS p WHERE p.order_id = o.id ORDER BY p.id), E'\n')
           AS participants,
       ARRAY(
           SELECT i.ours || ' ' || p.token::text || ' '
                  || CASE WHEN octet_length(i.original) <= 1000 THEN i.original ELSE '' END
             FROM tracker.message_ids AS i JOIN tracker.participants AS p ON p.id = i.participant_id
            WHERE i.order_id = o.id LIMIT 51) AS identifiers
  FROM tracker.orders AS o JOIN tracker.stores AS s ON s.name = o.store;

CREATE FUNCTION tracker.conversation_with(wanted bigint, token uuid)
RETURNS SETOF tracker.conversation
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN c.status = 'live' AND token IS NOT NULL AND NOT EXISTS (
                    SELECT FROM tracker.participants AS p
                     WHERE p.token = conversation_with.token AND p.address IS NOT NULL) THEN 'expired'
                ELSE c.status END,
           token, c.store, c.order_id, c.number, c.ref, c.alias_domain, c.participants,
           c.identifiers
      FROM tracker.conversations AS c
     WHERE c.order_id = wanted
$$;

-- The conversation that a hard alias belongs to. No row: there is no such alias.
CREATE FUNCTION tracker.conversation_of_hard(token uuid, alias_domain text)
RETURNS SETOF tracker.conversation
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN c.status = 'live' AND p.address IS NULL THEN 'expired' ELSE c.status END,
           p.token, c.store, c.order_id, c.number, c.ref, c.alias_domain, c.participants,
           c.identifiers
      FROM tracker.participants AS p JOIN tracker.conversations AS c ON c.order_id = p.order_id
     WHERE p.token = conversation_of_hard.token AND p.role <> 'return'
       AND c.alias_domain = conversation_of_hard.alias_domain
$$;

-- The conversation that a soft alias belongs to. Once its order has expired, its reference alone
-- says so, whatever stands before it: by then the addresses may be gone.
CREATE FUNCTION tracker.conversation_of_soft(key text, ref text, alias_domain text)
RETURNS SETOF tracker.conversation
LANGUAGE sql STABLE AS $$
    SELECT c.status, p.token, c.store, c.order_id, c.number, c.ref, c.alias_domain, c.participants,
           c.identifiers
      FROM tracker.conversations AS c
      LEFT JOIN tracker.participants AS p
        ON p.order_id = c.order_id AND tracker.address_key(p.address) = key AND p.role <> 'return'
       AND p.vouched
     WHERE c.ref = conversation_of_soft.ref AND c.alias_domain = conversation_of_soft.alias_domain
       AND (p.id IS NOT NULL OR c.status = 'expired')
$$;

-- The order of this number, made at first sight. With `wake`, an expired or closed one opens again
-- for the store's wake_for; without it, it stays as it is.
CREATE FUNCTION tracker.open_order(store text, order_number text, wake boolean)
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    settings tracker.stores;
    opened bigint;
BEGIN
    SELECT * INTO settings FROM tracker.stores AS s WHERE s.name = store;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such store: %', store USING ERRCODE = 'no_data_found';
    END IF;
    LOOP
        UPDATE tracker.orders AS o
           SET expires_at = greatest(o.expires_at, now() + settings.wake_for), emptied_at = NULL
         WHERE wake AND o.store = open_order.store AND o.number = order_number
           AND (o.expires_at <= now() OR o.closed_at IS NOT NULL)
           AND o.expires_at < now() + settings.wake_for;
        SELECT o.id INTO opened FROM tracker.orders AS o
         WHERE o.store = open_order.store AND o.number = order_number;
        EXIT WHEN FOUND;
        -- Locked, so that the alias domain does not change, and go, under the new order.
        SELECT * INTO settings FROM tracker.stores AS s WHERE s.name = store FOR SHARE;
        INSERT INTO tracker.orders (store, number, ref, alias_domain, expires_at)
        VALUES (store, order_number, tracker.random_ref(), settings.alias_domain, now() + settings.alias_lifetime)
        ON CONFLICT DO NOTHING RETURNING id INTO opened;
        EXIT WHEN FOUND;
    END LOOP;
    RETURN opened;
END
$$;

-- The conversation of the order with this number, for the store's own mail; see open_order.
CREATE FUNCTION tracker.conversation_of_number(store text, order_number text)
RETURNS SETOF tracker.conversation
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    opened bigint := tracker.open_order(store, order_number, true);
BEGIN
    RETURN QUERY SELECT * FROM tracker.conversation_with(opened, NULL);
END
$$;

-- What integrators and support call -------------------------------------------------------------

CREATE FUNCTION tracker.mask(store text, order_number text, address text, role text DEFAULT 'buyer')
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    canonical text := tracker.canonical_address(address);
    settings tracker.stores;
    wanted tracker.orders;
    who tracker.participants;
    given text := role;
    opened bigint;
BEGIN
    IF role IS NULL OR role NOT IN ('buyer', 'store', 'partner') THEN
        RAISE EXCEPTION 'role must be buyer, store or partner' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF tracker.alias_domain_of(substring(canonical FROM '[^@]*$')) IS NOT NULL THEN
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
    IF substring(canonical FROM '[^@]*$') = ANY (settings.sender_domains) THEN
        given := 'store';
    END IF;
    SELECT * INTO who FROM tracker.participants AS p
     WHERE p.order_id = wanted.id AND tracker.address_key(p.address) = tracker.address_key(canonical);
    UPDATE tracker.participants AS p SET vouched = true WHERE p.id = who.id AND NOT p.vouched;
    IF who.id IS NULL OR who.role = 'return' THEN
        IF (SELECT count(*) FROM tracker.participants AS p
             WHERE p.order_id = wanted.id AND p.role <> 'return' AND p.address IS NOT NULL)
           >= settings.participant_limit THEN
            RAISE EXCEPTION 'order % of store % has reached its participant_limit', order_number, store
                USING ERRCODE = 'program_limit_exceeded';
        END IF;
        -- The order's row is locked: nobody else can join meanwhile.
        UPDATE tracker.participants AS p SET role = given WHERE p.id = who.id RETURNING p.* INTO who;
        IF NOT FOUND THEN
            INSERT INTO tracker.participants (order_id, token, role, address)
            VALUES (wanted.id, gen_random_uuid(), given, canonical) RETURNING * INTO who;
        END IF;
    END IF;
    RETURN coalesce(
        CASE WHEN (CASE who.role WHEN 'store' THEN settings.issuer_mask ELSE settings.mask END) = 'soft'
             THEN tracker.soft_alias(who.address, wanted.ref, wanted.alias_domain) END,
        tracker.hard_alias(who.token, wanted.alias_domain));
END
$$;

-- The participant an alias stands for, whatever its order's state, or no row.
CREATE FUNCTION tracker.participant_of(alias text) RETURNS SETOF tracker.participants
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    local text := tracker.address_key(substring(btrim(alias) FROM '^(.*)@[^@]*$'));
    domain text := tracker.canonical_domain(substring(btrim(alias) FROM '^.*@([^@]*)$'));
    alias_domain text := tracker.alias_domain_of(domain);
    carried text[];
BEGIN
    IF domain = alias_domain AND local ~ '^[0-9a-f]{32}$' THEN
        RETURN QUERY SELECT p.* FROM tracker.participants AS p
                       JOIN tracker.orders AS o ON o.id = p.order_id
                      WHERE p.token = local::uuid AND p.role <> 'return'
                        AND o.alias_domain = alias_domain;
    ELSIF domain <> alias_domain THEN
        carried := regexp_match(left(domain, -length(alias_domain) - 1), '^(.+)-([0-9]{12})b$');
        RETURN QUERY SELECT p.* FROM tracker.participants AS p
                       JOIN tracker.orders AS o ON o.id = p.order_id
                      WHERE o.ref = carried[2] AND o.alias_domain = alias_domain
                        AND tracker.address_key(p.address) = local || '@' || carried[1]
                        AND p.role <> 'return';
    END IF;
END
$$;

CREATE FUNCTION tracker.unmask(alias text, reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    who tracker.participants;
    wanted tracker.orders;
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
    INSERT INTO tracker.unmaskings (db_user, actor, alias, reason)
    VALUES (session_user, coalesce(nullif(current_setting('tracker.actor', true), ''), session_user),
            tracker.hard_alias(who.token, wanted.alias_domain), reason);
    RETURN who.address;
END
$$;

-- Closes an order and gives the time its aliases stop working. Closing twice changes nothing.
CREATE FUNCTION tracker.close_order(store text, order_number text) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    ends timestamptz;
BEGIN
    UPDATE tracker.orders AS o
       SET closed_at = coalesce(o.closed_at, now()),
           expires_at = CASE WHEN o.closed_at IS NULL
                             THEN least(o.expires_at, now() + s.close_grace) ELSE o.expires_at END
      FROM tracker.stores AS s
     WHERE s.name = o.store AND o.store = close_order.store AND o.number = order_number
    RETURNING o.expires_at INTO ends;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such order: % of store %', order_number, store USING ERRCODE = 'no_data_found';
    END IF;
    RETURN ends;
END
$$;

-- Takes a person's address out of every order; their aliases stop working, what was recorded
-- keeps its aliases and loses the display names they wrote under. Gives the number of orders.
CREATE FUNCTION tracker.erase(address text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    canonical text := tracker.canonical_address(address);
    erased integer;
BEGIN
    WITH gone AS (
        UPDATE tracker.participants AS p SET address = NULL
         WHERE tracker.address_key(p.address) = tracker.address_key(canonical)
        RETURNING p.id, p.order_id
    ), unnamed AS (
        UPDATE tracker.messages AS m SET sender_name = '' FROM gone
         WHERE m.order_id = gone.order_id AND m.sender_id = gone.id
    ), unmapped AS (
        DELETE FROM tracker.message_ids AS i USING gone WHERE i.participant_id = gone.id
    )
    SELECT count(DISTINCT order_id) INTO erased FROM gone;
    RETURN erased;
END
$$;

-- Recording -------------------------------------------------------------------------------------

-- A digest that tells nobody anything who has not the secret.
CREATE FUNCTION tracker.keyed(digest bytea) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256(key || digest) FROM tracker.secrets
$$;

-- Lets people join an order whose row is locked. False, and nothing written: somebody else has
-- joined meanwhile with such an address, or there would be too many.
CREATE FUNCTION tracker.join_order(wanted bigint, participant_limit integer, joined jsonb)
RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    joining bigint;
BEGIN
    IF EXISTS (SELECT FROM jsonb_to_recordset(joined) AS j(token uuid, address text)
                 JOIN tracker.participants AS p
                   ON p.order_id = wanted
                  AND tracker.address_key(p.address) = tracker.address_key(j.address)
                WHERE p.token <> j.token) THEN
        RETURN false;
    END IF;
    -- Messages planned at once must not pass the limit together; planned again, one is refused.
    SELECT count(*) INTO joining
      FROM jsonb_to_recordset(joined) AS j(token uuid, role text)
     WHERE j.role <> 'return' AND NOT EXISTS (
           SELECT FROM tracker.participants AS p WHERE p.token = j.token AND p.role <> 'return');
    IF joining > 0 AND participant_limit < joining + (
        SELECT count(*) FROM tracker.participants AS p
         WHERE p.order_id = wanted AND p.role <> 'return' AND p.address IS NOT NULL) THEN
        RETURN false;
    END IF;
    INSERT INTO tracker.participants (order_id, token, role, address, vouched)
    SELECT wanted, j.token, j.role, j.address, coalesce(j.vouched, true)
      FROM jsonb_to_recordset(joined)
           AS j(token uuid, role text, address text, vouched boolean)
    ON CONFLICT (token) DO UPDATE
       SET role = CASE participants.role WHEN 'return' THEN excluded.role ELSE participants.role END,
           vouched = participants.vouched OR excluded.vouched;
    RETURN true;
END
$$;

-- Notes that a message came once more, for these recipients or for others, and gives the bounce
-- token of each by theirs.
CREATE FUNCTION tracker.record_again(
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

-- Tells why no more messages are taken of an order for now, 'limited' or 'looping', or NULL.
CREATE FUNCTION tracker.too_many(
    wanted bigint, hourly_limit integer, auto_reply boolean, sender uuid)
RETURNS text
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    counted bigint;
BEGIN
    -- Each search has an end, so that two months are looked at and no others; it lies ahead, because
    -- a transaction that began later may have recorded before this one had the order's row.
    SELECT count(*) INTO counted
      FROM (SELECT FROM tracker.messages AS m
             WHERE m.order_id = wanted
               AND m.at > now() - interval '1 hour' AND m.at < now() + interval '1 day'
             LIMIT hourly_limit) AS hour;
    IF counted >= hourly_limit THEN
        RETURN 'limited';
    END IF;
    IF too_many.auto_reply THEN
        SELECT count(*) INTO counted
          FROM tracker.messages AS m JOIN tracker.participants AS p
            ON p.order_id = m.order_id AND p.id = m.sender_id
         WHERE m.order_id = wanted
           AND m.at > now() - interval '1 hour' AND m.at < now() + interval '1 day'
           AND m.auto_reply AND p.token = sender;
        IF counted >= 5 THEN
            RETURN 'looping';
        END IF;
    END IF;
    RETURN NULL;
END
$$;

-- Writes one message of one order, once, with one delivery per recipient, and gives the outcome:
--   done      recorded, or already there
--   stale     somebody else joined meanwhile: read the conversation again and plan again
--   expired   the order has expired meanwhile
--   limited   the order has had its messages of this hour
--   looping   a machine answers again and again
-- `recipients` and `tokens` go together: a recipient's token, and the bounce token of the delivery.
-- `id` and whose the order is come with a message that is new, whose bounce tokens are those given;
-- of one already there, `bounces` maps each recipient's token to its bounce token.
-- Every message pays for each statement here, for what a statement might need and does not, and for
-- a search path set: names are written in full. Its plans are kept: with two years of months,
-- planning anew took four times as long as the rest. They are good for a month that was empty when
-- they were made, because none reads a table through.
CREATE FUNCTION tracker.record(
    order_id bigint, joined jsonb, digest bytea, queue_id text, direction text,
    sender uuid, return_path uuid, recipients uuid[], tokens uuid[], sender_name text,
    message_id text, subject text, first_words text, size bigint, attachment_names text[],
    automatic boolean, raw bytea, identifiers jsonb, verdict text, auto_reply boolean,
    first_pass boolean, notes text[],
    OUT outcome text, OUT bounces jsonb, OUT id bigint, OUT store text, OUT number text,
    OUT alias_domain text)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    over boolean;
    keyed bytea;
    hourly_limit integer;
    participant_limit integer;
    known bigint;
    known_at timestamptz;
    passes integer;
    stale boolean;
BEGIN
    -- now() is when the transaction began; the order may have been emptied since.
    SELECT o.store, o.number, o.alias_domain, o.expires_at <= now() OR o.emptied_at IS NOT NULL
      INTO record.store, record.number, record.alias_domain, over
      FROM tracker.orders AS o WHERE o.id = record.order_id FOR NO KEY UPDATE;
    IF over IS NOT FALSE THEN
        outcome := 'expired';
        RETURN;
    END IF;
    -- Another statement than the one that waited for the order: it sees what was recorded meanwhile.
    -- The search has an end, as those of too_many.
    SELECT secret.digest, s.hourly_limit, s.participant_limit, m.id, m.at, m.passes,
           -- A recipient whose address was erased since then gets nothing.
           EXISTS (SELECT FROM tracker.participants AS p
                    WHERE p.order_id = record.order_id AND p.address IS NULL
                      AND p.token = ANY (recipients))
      INTO keyed, hourly_limit, participant_limit, known, known_at, passes, stale
      FROM tracker.stores AS s
     CROSS JOIN (SELECT sha256(key || record.digest) AS digest FROM tracker.secrets) AS secret
      LEFT JOIN LATERAL (
           SELECT m.id, m.at, m.passes FROM tracker.messages AS m
            WHERE m.order_id = record.order_id AND m.digest = secret.digest
              AND m.at > now() - interval '7 days' AND m.at < now() + interval '1 day'
            LIMIT 1) AS m ON true
     WHERE s.name = record.store;
    IF known IS NULL THEN
        outcome := tracker.too_many(order_id, hourly_limit, auto_reply, sender);
    ELSIF first_pass AND passes >= 20 + floor(extract(epoch FROM now() - known_at) / 900) THEN
        -- A client that never got our answer tries again; one that repeats itself for ever does not.
        -- A mail server may go on for days, with minutes between, while a milter behind us refuses.
        outcome := 'limited';
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;
    IF stale OR joined IS NOT NULL
                AND NOT tracker.join_order(order_id, participant_limit, joined) THEN
        outcome := 'stale';
        RETURN;
    END IF;
    IF known IS NULL THEN
        INSERT INTO tracker.messages (order_id, digest, queue_id, direction, sender_id, return_id,
                                      sender_name, message_id, subject, first_words, size,
                                      attachment_names, automatic, auto_reply, verdict, notes, raw)
        VALUES (record.order_id, keyed, record.queue_id, record.direction,
                (SELECT p.id FROM tracker.participants AS p
                  WHERE p.token = sender AND p.order_id = record.order_id),
                (SELECT p.id FROM tracker.participants AS p
                  WHERE p.token = return_path AND p.order_id = record.order_id),
                record.sender_name, record.message_id, record.subject, record.first_words,
                record.size, record.attachment_names, record.automatic, record.auto_reply,
                record.verdict, record.notes, record.raw)
        RETURNING id, at INTO record.id, known_at;
        -- LIMIT: to look each up takes less than to make a table of them and join it.
        INSERT INTO tracker.deliveries (message_id, message_at, recipient_id, bounce, queue_id)
        SELECT record.id, known_at, p.id, r.bounce, record.queue_id
          FROM unnest(recipients, tokens) AS r(token, bounce),
               LATERAL (SELECT p.id FROM tracker.participants AS p
                         WHERE p.token = r.token AND p.order_id = record.order_id LIMIT 1) AS p;
    ELSE
        bounces := tracker.record_again(known, known_at, first_pass, recipients, tokens, queue_id);
    END IF;
    IF identifiers IS NOT NULL THEN
        INSERT INTO tracker.message_ids (order_id, ours, original, participant_id)
        SELECT record.order_id, i.ours, i.original, p.id
          FROM jsonb_to_recordset(identifiers) AS i(ours text, original text, token uuid),
               LATERAL (SELECT p.id FROM tracker.participants AS p
                         WHERE p.token = i.token AND p.order_id = record.order_id LIMIT 1) AS p
        ON CONFLICT DO NOTHING;
    END IF;
    outcome := 'done';
END
$$;
