-- Words of messages, and the search for them.
--
-- The same function folds what is recorded and what is asked for, and the configuration is `simple`:
-- mail comes in any language, often several, and order numbers and names have no stem. What is asked
-- for is found at the beginning of words.

-- A text as words and blanks: lower case, without accents, without punctuation; of scripts without
-- blanks between words each character is a word. `kept` are punctuation marks that stay.
CREATE OR REPLACE FUNCTION tracker.fold_words(given text, kept text DEFAULT '') RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN parted ~ '[\u2e80-\u9fff\uf900-\ufaff]'
                THEN regexp_replace(parted, '[\u2e80-\u9fff\uf900-\ufaff]', ' \& ', 'g')
                ELSE parted END
      FROM (SELECT lower(CASE WHEN given ~ '[^\x01-\x7f]'
                              THEN replace(translate(regexp_replace(
                                       -- Two of Arabic are short for whole sentences.
                                       normalize(translate(given, E'\ufdfa\ufdfb', ''), NFKD), '[\u0300-\u036f]+', '', 'g'),
                                       'ØøĐđŁłıĦħ', 'OoDdLliHh'), 'ß', 'ss')
                              ELSE given END COLLATE "und-x-icu") AS plain) AS lowered,
           LATERAL (SELECT translate('!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~¡¿«»“”„‟‘’‚‛‹›–—―…·•。、「」『』（）',
                                     kept, '') AS marks) AS dividing,
           LATERAL (SELECT translate(plain, marks, repeat(' ', length(marks))) AS parted) AS words
$$;

-- The mark of a store: no mark is the beginning of another (migrations/0021 says what it is for).
CREATE OR REPLACE FUNCTION tracker.word_mark(store text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT n.number || 'x' FROM tracker.store_numbers AS n WHERE n.store = word_mark.store);
END
$$;

-- The words of a message, each behind the store's mark: number and files (B) and subject (A), the
-- author's name (C, which erasing takes out), text (D). Of a text with more different words than fit,
-- those at its beginning.
CREATE OR REPLACE FUNCTION tracker.write_words(
    mark text, number text, subject text, name text, files text[], body text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    simple constant regconfig := 'pg_catalog.simple';
    most integer;
    words tsvector;
BEGIN
    FOREACH most IN ARRAY ARRAY[100000, 20000, 1000] LOOP
        BEGIN
            words := setweight(to_tsvector(simple, tracker.fold_words(left(subject, most))), 'A')
                || setweight(to_tsvector(simple, tracker.fold_words(
                       left(number || ' ' || array_to_string(files, ' '), most))), 'B')
                || setweight(to_tsvector(simple, tracker.fold_words(left(name, most))), 'C')
                || to_tsvector(simple, tracker.fold_words(left(body, most)));
            -- No word has a blank or a quote in it.
            RETURN regexp_replace(words::text, '(^| )''', '\1''' || mark, 'g')::tsvector;
        EXCEPTION
            WHEN program_limit_exceeded THEN NULL;
        END;
    END LOOP;
    RETURN '';
END
$$;

-- What somebody typed as a query: all the words, each at the beginning of one; "in this order", or,
-- -without. NULL if there is nothing to look for. Nothing that is typed is an error.
CREATE OR REPLACE FUNCTION tracker.read_query(words text, mark text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN querytree(query) <> 'T'
                -- A single letter is not the beginning of a word: it would be that of every tenth.
                THEN regexp_replace(regexp_replace(query::text, '''([^'']+)''', '''' || mark || '\1'':*', 'g'),
                                    '(''' || mark || '[^'']''):\*', '\1', 'g')::tsquery END
      FROM (SELECT regexp_replace(tracker.fold_words(left(words, 200), '"-'),
                                  '-(?![\w"])|(?<!^)(?<!\s)-', ' ', 'g') AS folded) AS given,
           LATERAL (SELECT websearch_to_tsquery('pg_catalog.simple', folded) AS query) AS read
     WHERE numnode(query) > 0
$$;

-- The newest messages of a store, 100 at most, that hold words, or that an alias wrote or got if that
-- is all that is asked for. It goes back from month to month and ends where it has enough. What whoever
-- asks has set for the planner changes nothing: others' mail is not read.
CREATE OR REPLACE FUNCTION tracker.search(store text, words text)
RETURNS TABLE (order_number text, message_id bigint, at timestamptz, subject text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
SET client_min_messages = 'warning'
SET plan_cache_mode = force_custom_plan SET max_parallel_workers_per_gather = 0 SET jit = off
SET enable_indexscan = on SET enable_bitmapscan = on SET enable_nestloop = on SET enable_seqscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
SET seq_page_cost = 1 SET random_page_cost = 1 SET cpu_tuple_cost = 0.01
SET cpu_index_tuple_cost = 0.005 SET cpu_operator_cost = 0.0025 AS $$
#variable_conflict use_column
DECLARE
    most constant integer := 100;
    query tsquery;
    -- A huge text is not matched: that would take four times its length of memory.
    alias constant text := lower(substring(left(words, 200) FROM '^\s*([0-9A-Fa-f]{32})(?:@[^\s@]*)?\s*$'));
    found integer := 0;
    more integer;
    since timestamptz;
    until timestamptz := 'infinity';
    oldest timestamptz;
BEGIN
    PERFORM tracker.check_store(store);
    IF alias IS NOT NULL THEN
        RETURN QUERY
        SELECT o.number, m.id, m.at, m.subject
          FROM tracker.participants AS p
          JOIN tracker.orders AS o ON o.id = p.order_id AND o.store = search.store
          JOIN tracker.messages AS m ON m.order_id = o.id
         WHERE p.token = alias::uuid
           AND (m.sender_id = p.id
                OR EXISTS (SELECT FROM tracker.deliveries AS d
                            WHERE d.message_id = m.id AND d.message_at = m.at
                              AND d.recipient_id = p.id))
         ORDER BY m.at DESC, m.id DESC LIMIT most;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;
    query := tracker.read_query(words, tracker.word_mark(store));
    IF query IS NULL THEN
        RETURN;
    END IF;
    SELECT m.at INTO oldest FROM tracker.messages AS m ORDER BY m.at LIMIT 1;
    since := date_trunc('month', now());
    WHILE oldest IS NOT NULL AND found < most AND until > oldest LOOP
        RETURN QUERY
        SELECT o.number, m.id, m.at, m.subject
          FROM tracker.texts AS t
          JOIN tracker.orders AS o ON o.id = t.order_id AND o.store = search.store
          JOIN tracker.messages AS m ON m.id = t.message_id AND m.at = t.message_at
         WHERE t.words @@ query
           AND t.message_at >= since AND t.message_at < until
           AND m.at >= since AND m.at < until
         ORDER BY m.at DESC, m.id DESC LIMIT most - found;
        GET DIAGNOSTICS more = ROW_COUNT;
        found := found + more;
        until := since;
        since := since - interval '1 month';
    END LOOP;
END
$$;
