-- What an address is made of: domains in ASCII, addresses in one form.

-- RFC 3492 section 6.1; `delta` is damped or halved already.
CREATE OR REPLACE FUNCTION tracker.punycode_bias(delta bigint, points integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rest bigint := delta + delta / points;
    k integer := 0;
BEGIN
    WHILE rest > 455 LOOP
        rest := rest / 35;
        k := k + 36;
    END LOOP;
    RETURN k + (36 * rest / (rest + 38))::integer;
END
$$;

-- RFC 3492 section 6.3, for one label of a domain in Unicode.
CREATE OR REPLACE FUNCTION tracker.punycode(label text) RETURNS text
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
                bias := tracker.punycode_bias(delta, handled);
                delta := 0;
            END IF;
        END LOOP;
        delta := delta + 1;
        n := n + 1;
    END LOOP;
    RETURN output;
END
$$;

-- RFC 3492 section 6.2: the label that becomes this one, or NULL if none does.
CREATE OR REPLACE FUNCTION tracker.from_punycode(encoded text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    digits constant text := 'abcdefghijklmnopqrstuvwxyz0123456789';
    basic constant text := coalesce(substring(encoded FROM '^(.*)-[^-]*$'), '');
    output text[] := CASE basic WHEN '' THEN '{}' ELSE regexp_split_to_array(basic, '') END;
    rest text := substring(encoded FROM '[^-]*$');
    point bigint := 128;
    place bigint := 0;
    former bigint;
    weight bigint;
    bias integer := 72;
    k integer;
    t integer;
    digit integer;
BEGIN
    WHILE rest <> '' LOOP
        former := place;
        weight := 1;
        k := 36;
        LOOP
            digit := position(left(rest, 1) IN digits) - 1;
            place := place + digit * weight;
            -- Nothing of 63 characters is so far behind, and no number grows beyond its kind.
            IF rest = '' OR digit < 0 OR place > 1000000000 THEN
                RETURN NULL;
            END IF;
            rest := substr(rest, 2);
            t := CASE WHEN k <= bias THEN 1 WHEN k >= bias + 26 THEN 26 ELSE k - bias END;
            EXIT WHEN digit < t;
            weight := weight * (36 - t);
            k := k + 36;
        END LOOP;
        bias := tracker.punycode_bias((place - former) / CASE former WHEN 0 THEN 700 ELSE 2 END,
                                      cardinality(output) + 1);
        point := point + place / (cardinality(output) + 1);
        place := place % (cardinality(output) + 1);
        IF point > 1114111 OR point BETWEEN 55296 AND 57343 THEN
            RETURN NULL;
        END IF;
        output := output[:place] || chr(point::integer) || output[place + 1:];
        place := place + 1;
    END LOOP;
    RETURN array_to_string(output, '');
END
$$;

-- A domain in canonical form as people write it: with its labels in Unicode, but for those that nobody
-- writes so, since they would become others: of xn--abc- another one, abc, would be found.
CREATE OR REPLACE FUNCTION tracker.unicode_domain(domain text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(CASE WHEN tracker.canonical_domain(seen) = label THEN seen ELSE label END,
                      '.' ORDER BY place)
      FROM (SELECT label, place,
                   CASE WHEN label LIKE 'xn--%' THEN tracker.from_punycode(substr(label, 5)) END AS seen
              FROM unnest(string_to_array(domain, '.')) WITH ORDINALITY AS labels(label, place)) AS given
$$;

-- A domain in lower case, with every label in ASCII (RFC 5891), or NULL if it is none. The mapping
-- is that of UTS 46 for all but rare characters; see core/syntax/addr_spec.py.
CREATE OR REPLACE FUNCTION tracker.canonical_domain(domain text) RETURNS text
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
CREATE OR REPLACE FUNCTION tracker.canonical_address(address text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- To trim a text takes eight times its length of memory.
    given constant text := CASE WHEN octet_length(address) <= 100000 THEN btrim(address) END;
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
