-- What is erased is gone: not only where an address stands as itself, but in other people's message
-- identifiers and return paths, in any spelling, and the display name in recorded headers.

-- Every spelling of some characters that may stand in an identifier or in a local part, as a regular
-- expression: themselves, or each octet in hexadecimal behind % (URLs), + (xtext, RFC 3461) or =.
CREATE OR REPLACE FUNCTION tracker.spelled(written text, dots boolean DEFAULT false) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(string_agg(
               '(?:' || CASE WHEN c ~ '[[:alnum:]]' THEN c
                             WHEN c ~ '[\x01-\x7f]' THEN '\' || c ELSE c END || '|'
               -- Which capital is whose is not everywhere known to a server.
               || CASE WHEN c ~ '[^\x01-\x7f]' AND length(upper(c COLLATE "und-x-icu")) = 1
                       THEN upper(c COLLATE "und-x-icu") || '|' ELSE '' END
               || regexp_replace(encode(convert_to(c, 'UTF8'), 'hex'), '(..)', '[%+=]\1', 'g') || ')',
               CASE WHEN dots THEN '(?:\.|[%+=]2e)*' ELSE '' END ORDER BY place), '')
      FROM regexp_split_to_table(written, '') WITH ORDINALITY AS characters(c, place)
$$;

-- A regular expression, without regard to case, for an address inside any other text: as it is, with
-- what stands for its at sign in variable envelope return paths (john=home.example), in routes
-- (john%home.example, home.example!john) and in rewritten senders (SRS: home.example=john); with a
-- tag or without; at Gmail with any dots, under both names; a domain in ASCII and as people write it.
CREATE OR REPLACE FUNCTION tracker.holding(address text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT before || local || '(?:@|=|%|!|#|\*|[%+=]40|[%+=]3d|_at_|\.at\.|-at-)' || domain
           || '(?![[:alnum:]-]|\.[[:alpha:]])'
           || '|' || before || domain || '(?:=|!|[%+=]3d|[%+=]21)' || local || '(?![[:alnum:]])'
      FROM (SELECT lower(substring(address FROM '^(.*)@[^@]*$')) AS whole,
                   lower(substring(address FROM '[^@]*$')) AS host) AS parts,
           LATERAL (SELECT host IN ('gmail.com', 'googlemail.com') AS gmail,
                           tracker.unicode_domain(host) AS seen,
                           regexp_replace(whole, '^"(.*)"$', '\1') AS meant) AS given,
           LATERAL (SELECT coalesce(nullif(substring(meant FROM '^[^+]*'), ''), meant) AS plain) AS own,
           LATERAL (SELECT tracker.spelled(CASE WHEN gmail THEN replace(plain, '.', '')
                                                ELSE plain END, gmail)
                           || '(?:(?:\+|[%+=]2b)[^@=%!<>[:space:]]*)?' AS local,
                           CASE WHEN gmail THEN '(?:gmail|googlemail)(?:\.|[%+=]2e)com'
                                WHEN host <> seen THEN '(?:' || tracker.spelled(host) || '|'
                                                       || tracker.spelled(seen) || ')'
                                ELSE tracker.spelled(host) END AS domain,
                           '(?:(?<![[:alnum:]])|(?<=[%+=][0-9a-f][0-9a-f]))' AS before) AS spelt
$$;

-- What an address is in hexadecimal, and in base64 wherever it begins in a group of three octets, as
-- patterns for LIKE; the latter with + and / for - and _. With its domain in ASCII and as people write it.
CREATE OR REPLACE FUNCTION tracker.encodings(address text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    WITH spelt AS (
        SELECT unnest(ARRAY[address, substring(address FROM '^(.*@)[^@]*$')
                                     || tracker.unicode_domain(substring(address FROM '[^@]*$'))]) AS w),
    written AS (SELECT w FROM spelt UNION SELECT lower(w) FROM spelt)
    SELECT array_agg('%' || encode(convert_to(w, 'UTF8'), 'hex') || '%')
           || (SELECT array_agg('%' || substr(
                       rtrim(replace(encode(convert_to(repeat('x', n) || w, 'UTF8'), 'base64'),
                                     E'\n', ''), '='),
                       CASE n WHEN 0 THEN 1 WHEN 1 THEN 3 ELSE 4 END,
                       (n + octet_length(w)) * 8 / 6 - CASE n WHEN 0 THEN 0 WHEN 1 THEN 2 ELSE 3 END)
                       || '%')
                 FROM generate_series(0, 2) AS n, written)
      FROM written
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
    -- Whatever is in it, all pieces together are the whole: a line's end alone parts no fields.
    FOR field IN SELECT piece || E'\r\n'
                   FROM regexp_split_to_table(left(head, -2), '\r\n(?![ \t])') AS piece LOOP
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

-- The digest of an address that is in canonical form, as tracker.lookup_digest gives it; of an identifier
-- that held one; or of `messages`, that the messages of an address were deleted, which is listed as an
-- identifier.
CREATE OR REPLACE FUNCTION tracker.erasure_digest(secret bytea, kind text, erased text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256(secret || convert_to(
        CASE kind WHEN 'address' THEN
                  'lookup ' || coalesce(tracker.gmail_key(erased), tracker.address_key(erased))
             WHEN 'messages' THEN
                  'messages of ' || coalesce(tracker.gmail_key(erased), tracker.address_key(erased))
             ELSE 'erased ' || erased END, 'UTF8'))
$$;

-- How many other participants have an address with a +tag that is this one without it: each is a person of
-- its own to mask, and to erase.
CREATE OR REPLACE FUNCTION tracker.count_tagged(canonical text) RETURNS integer
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(DISTINCT tracker.address_key(p.address))::integer FROM tracker.participants AS p
     WHERE p.address ~ '^[^"+@]+\+'
       AND coalesce(tracker.gmail_key(regexp_replace(p.address, '\+[^@]*@', '@')),
                    tracker.address_key(regexp_replace(p.address, '\+[^@]*@', '@')))
         = coalesce(tracker.gmail_key(canonical), tracker.address_key(canonical))
$$;

-- Takes a person's address out of every order; their aliases stop working, what was recorded
-- keeps its aliases and loses the display names. Other people's identifiers and return paths that
-- hold the address go with it, whoever's they are. `messages` are those that they wrote or got, and mail
-- of theirs that was refused: they go too, if that is wanted, but for what is younger than `until`.
--   orders, aliases           of the person: in how many they were, and how many stop working
--   return_paths, identifiers of others, and Reply-To addresses, that held the address
--   names                     recorded messages that lost their display name
--   deleted                   messages that went
--   kept, kept_until          what is still recorded of these orders, and when the last of it goes
--   unmaskings                notes that one of their aliases was unmasked; they stay
--   tagged                    other addresses that are this one with a +tag; they stay
CREATE OR REPLACE FUNCTION tracker.erase_person(
    address text, messages boolean DEFAULT false, until timestamptz DEFAULT 'infinity',
    OUT orders integer, OUT aliases integer, OUT return_paths integer, OUT identifiers integer,
    OUT names integer, OUT deleted integer, OUT kept integer, OUT kept_until timestamptz,
    OUT unmaskings integer, OUT tagged integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    canonical constant text := tracker.canonical_address(address);
    pattern constant text := tracker.holding(canonical);
    encodings constant text[] := tracker.encodings(canonical);
    gmail constant text := tracker.gmail_key(canonical);
    domain constant text := CASE WHEN gmail IS NULL THEN lower(substring(canonical FROM '[^@]*$'))
                                 ELSE 'mail.com' END;
    -- No mail that is recorded now began to be before.
    since constant timestamptz := clock_timestamp() - interval '1 hour';
    international constant boolean := domain ~ '(^|\.)xn--';
    who record;
    taken record;
    places bigint[];
    lost bigint[];
    held text[];
    apart text[];
    counted integer;
BEGIN
    aliases := 0;
    names := 0;
    deleted := 0;
    -- What takes long, since every row is looked at, comes before what mail may wait for. The pattern
    -- takes twenty times as long as what is asked before: the domain is there, or something encoded.
    WITH gone AS (
        DELETE FROM tracker.message_ids AS i
         WHERE (position(domain IN lower(i.original)) > 0 OR i.original ~ '[%+=][0-9A-Fa-f]{2}'
                OR international AND i.original ~ '[^\x01-\x7f]')
               AND i.original ~* pattern
            OR lower(i.original) LIKE ANY (encodings)
            OR translate(i.original, '-_', '+/') LIKE ANY (encodings)
        RETURNING i.original
    )
    SELECT coalesce(array_agg(original), '{}') INTO held FROM gone;
    WITH found AS (
        SELECT r.participant_id, r.address AS given FROM tracker.return_addresses AS r
         WHERE (position(domain IN lower(r.address)) > 0 OR r.address ~ '[%+=][0-9A-Fa-f]{2}'
                OR international AND r.address ~ '[^\x01-\x7f]')
               AND r.address ~* pattern
            OR lower(r.address) LIKE ANY (encodings)
            OR translate(r.address, '-_', '+/') LIKE ANY (encodings)
           FOR UPDATE
    ), apart AS (
        UPDATE tracker.return_addresses AS r SET address = NULL
          FROM found WHERE r.participant_id = found.participant_id
        RETURNING r.participant_id, r.order_id, found.given
    )
    SELECT coalesce(array_agg(a.participant_id), '{}'), coalesce(array_agg(a.order_id), '{}'),
           coalesce(array_agg(a.given), '{}')
      INTO lost, places, apart FROM apart AS a;
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
        aliases := aliases + 1;
        taken := tracker.erase_recorded(who.order_id, who.id, who.token,
                                        CASE WHEN messages THEN until END, '-infinity');
        names := names + taken.names;
        deleted := deleted + taken.deleted;
    END LOOP;
    -- Mail that was under way meanwhile was not to be seen. It is waited for, by the orders' ids, as
    -- mail does that is of several; what comes later finds that they are not there. Mail waits only
    -- from here on: nothing that takes long follows.
    PERFORM tracker.hold_orders(places);
    FOR who IN
        SELECT DISTINCT p.id, p.order_id, p.token
          FROM tracker.participants AS p
          JOIN tracker.messages AS m ON m.order_id = p.order_id AND m.at > since
         WHERE p.id = ANY (lost) AND p.role <> 'return'
    LOOP
        taken := tracker.erase_recorded(who.order_id, who.id, who.token,
                                        CASE WHEN messages THEN until END, since);
        names := names + taken.names;
        deleted := deleted + taken.deleted;
    END LOOP;
    WITH gone AS (
        DELETE FROM tracker.message_ids AS i WHERE i.participant_id = ANY (lost) RETURNING i.ours
    )
    SELECT cardinality(held) + count(*) INTO identifiers FROM gone;
    return_paths := cardinality(apart);
    orders := (SELECT count(DISTINCT place) FROM unnest(places) AS place);
    SELECT count(*), max(m.at + s.message_retention) INTO kept, kept_until
      FROM (SELECT DISTINCT place FROM unnest(places) AS place) AS those
      JOIN tracker.orders AS o ON o.id = those.place
      JOIN tracker.stores AS s ON s.name = o.store
      JOIN tracker.messages AS m ON m.order_id = o.id;
    SELECT count(*) INTO unmaskings
      FROM tracker.participants AS p JOIN tracker.orders AS o ON o.id = p.order_id
      JOIN tracker.unmaskings AS u ON u.alias = tracker.hard_alias(p.token, o.alias_domain)
     WHERE p.id = ANY (lost);
    tagged := tracker.count_tagged(canonical);
    PERFORM tracker.note_erasure(canonical, held || apart, places, CASE WHEN messages THEN until END);
END
$$;

-- Takes a participant's display name out of what was recorded of their order since then; what they wrote
-- or got up to `until`, if that is no NULL, is deleted. Gives how many messages that were.
CREATE OR REPLACE FUNCTION tracker.erase_recorded(
    order_id bigint, participant_id bigint, token uuid, until timestamptz, since timestamptz,
    OUT names integer, OUT deleted integer)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
    deleted := CASE WHEN until IS NULL THEN 0
                    ELSE tracker.erase_messages(order_id, participant_id, since, until) END;
    UPDATE tracker.messages AS m
       SET sender_name = CASE WHEN m.sender_id = participant_id THEN '' ELSE m.sender_name END,
           raw = tracker.without_names(m.raw, token)
     WHERE m.order_id = order_id AND m.at > since
       AND (m.sender_id = participant_id AND m.sender_name <> ''
            OR m.raw <> tracker.without_names(m.raw, token));
    GET DIAGNOSTICS names = ROW_COUNT;
    -- A statement behind the other: what was taken out of a message meanwhile is there by now.
    UPDATE tracker.texts AS t SET words = ts_filter(t.words, '{a,b,d}')
      FROM tracker.messages AS m
     WHERE m.order_id = order_id AND m.sender_id = participant_id AND m.at > since
       AND t.message_id = m.id AND t.message_at = m.at;
END
$$;

-- Has orders for itself until the end of the transaction. Whoever waits for what this transaction wrote
-- may have one of them: of the two one must end, which the server sees after a while, and mail waits for
-- no more than seconds.
CREATE OR REPLACE FUNCTION tracker.hold_orders(wanted bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    tries constant integer := 20;
BEGIN
    FOR attempt IN 1..tries LOOP
        BEGIN
            PERFORM tracker.hold_order(each.id)
               FROM (SELECT DISTINCT id FROM unnest(wanted) AS id ORDER BY id) AS each;
            RETURN;
        EXCEPTION WHEN deadlock_detected OR lock_not_available THEN
            IF attempt = tries THEN
                RAISE;
            END IF;
        END;
        PERFORM pg_sleep(0.5);
    END LOOP;
END
$$;

-- Deletes the messages of an order that a participant wrote or got, and what is noted of mail of theirs
-- that was refused; of messages those behind `since`, and nothing behind `until`. Gives the number of messages.
CREATE OR REPLACE FUNCTION tracker.erase_messages(
    order_id bigint, participant_id bigint, since timestamptz, until timestamptz)
RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    -- Answers may have gone to a Reply-To address of theirs.
    theirs constant bigint[] := participant_id
        || ARRAY(SELECT p.id FROM tracker.participants AS p WHERE p.owner_id = participant_id);
    counted integer;
BEGIN
    DELETE FROM tracker.messages AS m
     WHERE m.order_id = order_id AND m.at > since AND m.at <= until
       AND (m.sender_id = ANY (theirs)
            OR EXISTS (SELECT FROM tracker.deliveries AS d
                        WHERE d.message_id = m.id AND d.message_at = m.at
                          AND d.recipient_id = ANY (theirs)));
    GET DIAGNOSTICS counted = ROW_COUNT;
    DELETE FROM tracker.refusals AS f
     WHERE f.order_id = order_id AND f.at <= until
       AND (f.author_id = ANY (theirs) OR f.recipient_id = ANY (theirs));
    UPDATE tracker.orders AS o SET waiting_since = NULL
     WHERE o.id = order_id AND o.waiting_since IS NOT NULL
       AND NOT EXISTS (SELECT FROM tracker.messages AS m
                        WHERE m.order_id = o.id AND m.at = o.waiting_since);
    RETURN counted;
END
$$;

-- Notes what was erased, as digests: in a table, and in the server's log, which a restored backup does not
-- take back. `messages` is until when messages were deleted, NULL if none were to be.
CREATE OR REPLACE FUNCTION tracker.note_erasure(
    canonical text, held text[], places bigint[], messages timestamptz)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET client_min_messages = 'warning' AS $$
#variable_conflict use_variable
DECLARE
    secret constant bytea := (SELECT s.key FROM tracker.secrets AS s);
    actor constant text := coalesce(nullif(left(current_setting('tracker.actor', true), 1000), ''),
                                    session_user);
    -- What was recorded by now goes with the retention; an address in an order, with that order.
    until constant timestamptz := greatest(
        now() + (SELECT max(s.message_retention) FROM tracker.stores AS s),
        (SELECT max(o.expires_at + s.wake_for)
           FROM tracker.orders AS o JOIN tracker.stores AS s ON s.name = o.store
          WHERE o.id = ANY (places)),
        now() + interval '1 day');
    -- What came while it ran is erased too.
    ended constant timestamptz := clock_timestamp();
    made record;
BEGIN
    FOR made IN
        INSERT INTO tracker.erasures (at, db_user, actor, kind, digest, keep_until)
        SELECT of.at, session_user, actor, CASE of.kind WHEN 'messages' THEN 'identifier' ELSE of.kind END,
               tracker.erasure_digest(secret, of.kind, of.erased), until
          FROM (SELECT 'address' AS kind, canonical AS erased, ended AS at
                UNION SELECT 'identifier', each, ended FROM unnest(held) AS each
                UNION SELECT 'messages', canonical, least(ended, messages)
                       WHERE messages IS NOT NULL) AS of
        RETURNING kind, digest
    LOOP
        RAISE LOG 'conversation tracker: % erased, role %, actor %, digest %, until %', made.kind,
            session_user, regexp_replace(actor, '[[:cntrl:]]+', ' ', 'g'), encode(made.digest, 'hex'),
            to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');
    END LOOP;
END
$$;

-- The same as erase_person, for programs: the number of orders.
CREATE OR REPLACE FUNCTION tracker.erase(address text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT p.orders FROM tracker.erase_person(erase.address) AS p);
END
$$;

-- What says that a list of erasures is of this database: its digests are keyed with the same secret.
CREATE OR REPLACE FUNCTION tracker.erasures_key() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT encode(tracker.keyed('list of erasures'), 'hex')
$$;

-- Erases once more what a restored backup brought back, and gives the number of addresses that were. The
-- list is that of tracker.erasures before the restore: kinds, digests, until when each is kept, and when
-- it was erased, to the second. Who has taken part only since then came back by themselves, and stays.
-- Without these times everybody is erased, and no messages are deleted again.
CREATE OR REPLACE FUNCTION tracker.erase_again(
    kinds text[], digests bytea[], untils timestamptz[], ats timestamptz[] DEFAULT NULL)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    secret constant bytea := (SELECT s.key FROM tracker.secrets AS s);
    actor constant text := coalesce(nullif(left(current_setting('tracker.actor', true), 1000), ''),
                                    session_user);
    back record;
    counted integer := 0;
BEGIN
    FOR back IN
        WITH listed AS MATERIALIZED (
            SELECT l.kind, l.digest, max(l.at) + interval '1 second' AS at
              FROM unnest(kinds, digests, ats) AS l(kind, digest, at) GROUP BY l.kind, l.digest),
        known AS MATERIALIZED (
            SELECT min(p.address) AS address
              FROM tracker.participants AS p
              JOIN listed AS l
                ON l.kind = 'address' AND l.digest = tracker.erasure_digest(secret, 'address', p.address)
             WHERE p.address IS NOT NULL AND (l.at IS NULL OR p.joined_at <= l.at)
             GROUP BY l.digest)
        SELECT k.address, l.at AS messages
          FROM known AS k
          LEFT JOIN listed AS l
            ON l.kind = 'identifier' AND l.digest = tracker.erasure_digest(secret, 'messages', k.address)
    LOOP
        PERFORM tracker.erase_person(back.address, back.messages IS NOT NULL,
                                     coalesce(back.messages, 'infinity'));
        counted := counted + 1;
    END LOOP;
    DELETE FROM tracker.message_ids AS i
     WHERE tracker.erasure_digest(secret, 'identifier', i.original)
           IN (SELECT l.digest FROM unnest(kinds, digests) AS l(kind, digest)
                WHERE l.kind = 'identifier');
    UPDATE tracker.return_addresses AS r SET address = NULL
     WHERE r.address IS NOT NULL
       AND (tracker.erasure_digest(secret, 'identifier', r.address), 'identifier')
           IN (SELECT l.digest, l.kind FROM unnest(kinds, digests) AS l(kind, digest))
        OR r.address IS NOT NULL
       AND (tracker.erasure_digest(secret, 'address', r.address), 'address')
           IN (SELECT l.digest, l.kind FROM unnest(kinds, digests) AS l(kind, digest));
    -- For the next restore.
    INSERT INTO tracker.erasures (at, db_user, actor, kind, digest, keep_until)
    SELECT least(now(), max(l.at)), session_user, actor, l.kind, l.digest, max(l.until)
      FROM unnest(kinds, digests, untils, ats) AS l(kind, digest, until, at)
     WHERE NOT EXISTS (SELECT FROM tracker.erasures AS e
                        WHERE e.digest = l.digest AND e.kind = l.kind)
     GROUP BY l.kind, l.digest;
    RETURN counted;
END
$$;
