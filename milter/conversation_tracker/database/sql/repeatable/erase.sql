-- What is erased is gone: not only where an address stands as itself, but in other people's message
-- identifiers and return paths, in any spelling, and the display name in recorded headers.

-- Every spelling of some characters that may stand in an identifier or in a local part, as a regular
-- expression: themselves, or each octet in hexadecimal behind % (URLs), + (xtext, RFC 3461) or =.
CREATE OR REPLACE FUNCTION tracker.spelled(written text, dots boolean DEFAULT false) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(string_agg(
               '(?:' || CASE WHEN c ~ '[[:alnum:]]' THEN c ELSE '\' || c END || '|'
               || regexp_replace(encode(convert_to(c, 'UTF8'), 'hex'), '(..)', '[%+=]\1', 'g') || ')',
               CASE WHEN dots THEN '(?:\.|[%+=]2e)*' ELSE '' END ORDER BY place), '')
      FROM regexp_split_to_table(written, '') WITH ORDINALITY AS characters(c, place)
$$;

-- A regular expression, without regard to case, for an address inside any other text: as it is, with
-- what stands for its at sign in variable envelope return paths (john=home.example), in routes
-- (john%home.example, home.example!john) and in rewritten senders (SRS: home.example=john); with a
-- tag or without; at Gmail with any dots, under both names.
CREATE OR REPLACE FUNCTION tracker.holding(address text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT before || local || '(?:@|=|%|!|#|\*|[%+=]40|[%+=]3d|_at_|\.at\.|-at-)' || domain
           || '(?![[:alnum:]-]|\.[[:alpha:]])'
           || '|' || before || domain || '(?:=|!|[%+=]3d|[%+=]21)' || local || '(?![[:alnum:]])'
      FROM (SELECT lower(substring(address FROM '^(.*)@[^@]*$')) AS whole,
                   lower(substring(address FROM '[^@]*$')) AS host) AS parts,
           LATERAL (SELECT host IN ('gmail.com', 'googlemail.com') AS gmail,
                           regexp_replace(whole, '^"(.*)"$', '\1') AS meant) AS given,
           LATERAL (SELECT coalesce(nullif(substring(meant FROM '^[^+]*'), ''), meant) AS plain) AS own,
           LATERAL (SELECT tracker.spelled(CASE WHEN gmail THEN replace(plain, '.', '')
                                                ELSE plain END, gmail)
                           || '(?:(?:\+|[%+=]2b)[^@=%!<>[:space:]]*)?' AS local,
                           CASE WHEN gmail THEN '(?:gmail|googlemail)(?:\.|[%+=]2e)com'
                                ELSE tracker.spelled(host) END AS domain,
                           '(?:(?<![[:alnum:]])|(?<=[%+=][0-9a-f][0-9a-f]))' AS before) AS spelt
$$;

-- What an address is in hexadecimal, and in base64 wherever it begins in a group of three octets, as
-- patterns for LIKE; the latter with + and / for - and _.
CREATE OR REPLACE FUNCTION tracker.encodings(address text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg('%' || encode(convert_to(w, 'UTF8'), 'hex') || '%')
           || (SELECT array_agg('%' || substr(
                       rtrim(replace(encode(convert_to(repeat('x', n) || w, 'UTF8'), 'base64'),
                                     E'\n', ''), '='),
                       CASE n WHEN 0 THEN 1 WHEN 1 THEN 3 ELSE 4 END,
                       (n + octet_length(w)) * 8 / 6 - CASE n WHEN 0 THEN 0 WHEN 1 THEN 2 ELSE 3 END)
                       || '%')
                 FROM generate_series(0, 2) AS n, unnest(ARRAY[address, lower(address)]) AS w)
      FROM unnest(ARRAY[address, lower(address)]) AS w
$$;

-- A recorded message without the display names of those of its address headers that hold an alias:
-- bare addresses are left.
CREATE OR REPLACE FUNCTION tracker.without_names(raw bytea, token uuid) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ends constant integer := position('\x0d0a0d0a'::bytea IN raw);
    head text;
    named text;
    field text;
    changed text := '';
BEGIN
    IF ends = 0 THEN
        RETURN raw;
    END IF;
    head := encode(substring(raw FROM 1 FOR ends + 1), 'escape');
    named := replace(token::text, '-', '');
    IF position(named IN lower(head)) = 0 THEN
        RETURN raw;
    END IF;
    FOR field IN SELECT piece[1] FROM regexp_matches(head, '[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*', 'g')
                                      AS piece LOOP
        IF position(named IN lower(field)) > 0
           AND field ~* '^(from|sender|reply-to|to|cc|bcc|resent-[a-z-]+|mail-[a-z]+-to)[ \t]*:' THEN
            SELECT coalesce(substring(field FROM '^[^:]*:') || ' '
                            || string_agg('<' || piece[1] || '>', E',\r\n ') || E'\r\n', field)
              INTO field
              FROM regexp_matches(substring(field FROM '^[^:]*:(.*)$'),
                                  '[^][:space:]<>()",;:@]+@[^][:space:]<>()",;:@]+', 'g') AS piece;
        END IF;
        changed := changed || field;
    END LOOP;
    RETURN CASE WHEN changed = head THEN raw
                ELSE decode(changed, 'escape') || substring(raw FROM ends + 2) END;
END
$$;

-- Takes a person's address out of every order; their aliases stop working, what was recorded
-- keeps its aliases and loses the display names. Other people's identifiers and return paths that
-- hold the address go with it, whoever's they are. Gives the number of orders the person was in.
CREATE OR REPLACE FUNCTION tracker.erase(address text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    canonical constant text := tracker.canonical_address(address);
    pattern constant text := tracker.holding(canonical);
    encodings constant text[] := tracker.encodings(canonical);
    gmail constant text := tracker.gmail_key(canonical);
    domain constant text := CASE WHEN gmail IS NULL THEN lower(substring(canonical FROM '[^@]*$'))
                                 ELSE 'mail.com' END;
    who record;
    places bigint[];
    lost bigint[];
BEGIN
    -- What takes long, since every row is looked at, comes before what mail may wait for. The pattern
    -- takes twenty times as long as what is asked before: the domain is there, or something encoded.
    DELETE FROM tracker.message_ids AS i
     WHERE (position(domain IN lower(i.original)) > 0 OR i.original ~ '[%+=][0-9A-Fa-f]{2}')
           AND i.original ~* pattern
        OR lower(i.original) LIKE ANY (encodings)
        OR translate(i.original, '-_', '+/') LIKE ANY (encodings);
    WITH apart AS (
        UPDATE tracker.return_addresses AS r SET address = NULL
         WHERE (position(domain IN lower(r.address)) > 0 OR r.address ~ '[%+=][0-9A-Fa-f]{2}')
               AND r.address ~* pattern
            OR lower(r.address) LIKE ANY (encodings)
            OR translate(r.address, '-_', '+/') LIKE ANY (encodings)
        RETURNING r.participant_id, r.order_id
    )
    SELECT coalesce(array_agg(participant_id), '{}'), coalesce(array_agg(order_id), '{}')
      INTO lost, places FROM apart;
    FOR who IN
        UPDATE tracker.participants AS p SET address = NULL
         WHERE p.id IN (SELECT q.id FROM tracker.participants AS q
                         WHERE tracker.address_key(q.address) = tracker.address_key(canonical)
                        UNION ALL
                        SELECT q.id FROM tracker.participants AS q
                         WHERE gmail IS NOT NULL AND tracker.gmail_key(q.address) = gmail)
        RETURNING p.id, p.order_id, p.token
    LOOP
        lost := lost || who.id;
        places := places || who.order_id;
        UPDATE tracker.messages AS m
           SET sender_name = CASE WHEN m.sender_id = who.id THEN '' ELSE m.sender_name END,
               raw = tracker.without_names(m.raw, who.token)
         WHERE m.order_id = who.order_id
           AND (m.sender_id = who.id AND m.sender_name <> ''
                OR m.raw <> tracker.without_names(m.raw, who.token));
        -- A statement behind the other: what was taken out of a message meanwhile is there by now.
        UPDATE tracker.texts AS t SET words = ts_filter(t.words, '{a,b,d}')
          FROM tracker.messages AS m
         WHERE m.order_id = who.order_id AND m.sender_id = who.id
           AND t.message_id = m.id AND t.message_at = m.at;
    END LOOP;
    DELETE FROM tracker.message_ids AS i WHERE i.participant_id = ANY (lost);
    RETURN (SELECT count(DISTINCT place) FROM unnest(places) AS place);
END
$$;
