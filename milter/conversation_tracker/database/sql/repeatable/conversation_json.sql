-- A conversation as one value, its files and its pages: what programs and the timeline's JSON read.
--
-- Who asks must have the grant of the store. Nothing here holds a real address; aliases are in hard
-- form.

-- The messages of an order within some time, refused ones among them, each with its time; the text of
-- each is cut after `longest` characters.
CREATE OR REPLACE FUNCTION tracker.messages_json(
    order_id bigint, since timestamptz, until timestamptz, longest integer)
RETURNS TABLE (at timestamptz, id bigint, message jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    -- What became of all messages' copies at once: message by message takes ten times as long.
    WITH copies AS MATERIALIZED (
        SELECT d.message_id, d.message_at,
               jsonb_agg(jsonb_build_object(
                   'alias', tracker.hard_alias(r.token, o.alias_domain),
                   'role', CASE r.role WHEN 'return' THEN coalesce(owner.role, 'partner') ELSE r.role END,
                   'state', d.state, 'status', d.status, 'reason', d.reason) ORDER BY r.id) AS deliveries,
               min(array_position(ARRAY['bounced', 'refused', 'delayed', 'accepted', 'sent'],
                                  d.state::text)) AS worst
          FROM tracker.messages AS m
          JOIN tracker.orders AS o ON o.id = m.order_id
          JOIN tracker.deliveries AS d ON d.message_id = m.id AND d.message_at = m.at
          JOIN tracker.participants AS r ON r.id = d.recipient_id
          LEFT JOIN tracker.participants AS owner ON owner.id = r.owner_id
         WHERE m.order_id = messages_json.order_id
           AND m.at BETWEEN messages_json.since AND messages_json.until
           AND d.message_at BETWEEN messages_json.since AND messages_json.until
         GROUP BY d.message_id, d.message_at
    )
    SELECT m.at, m.id, jsonb_build_object(
               'id', m.id,
               'date', m.at,
               'direction', m.direction,
               'from', tracker.hard_alias(s.token, o.alias_domain),
               'fromName', m.sender_name,
               'fromRole', CASE WHEN m.verdict <> 'flagged' THEN s.role END,
               'to', jsonb_path_query_array(coalesce(copies.deliveries, '[]'), '$[*].alias'),
               'recipients', coalesce(copies.deliveries, '[]'),
               'deliveries', coalesce(copies.deliveries, '[]'),
               'subject', m.subject,
               'firstWords', m.first_words,
               'body', left(coalesce(t.body, m.first_words), longest),
               'hasHtml', t.html IS NOT NULL,
               'hasAttachment', m.attachment_names <> '{}',
               'attachmentNames', m.attachment_names,
               'attachments', coalesce((
                    SELECT jsonb_agg(jsonb_build_object('number', f -> 'number', 'name', f -> 'name',
                                                        'type', f -> 'type', 'size', f -> 'size')
                                     ORDER BY place)
                      FROM jsonb_array_elements(t.attachments) WITH ORDINALITY AS files(f, place)),
                    '[]'),
               'state', (ARRAY['bounced', 'refused', 'delayed', 'accepted', 'sent'])[coalesce(copies.worst, 4)],
               'size', m.size,
               'automatic', m.automatic,
               'verdict', m.verdict,
               'notes', m.notes,
               'marks', CASE WHEN t.body IS NULL THEN ARRAY['waiting']
                             WHEN length(t.body) > longest THEN t.marks || ARRAY['cut']
                             ELSE t.marks END)
      FROM tracker.messages AS m
      JOIN tracker.orders AS o ON o.id = m.order_id
      JOIN tracker.participants AS s ON s.id = m.sender_id
      LEFT JOIN tracker.texts AS t ON t.message_id = m.id AND t.message_at = m.at
       AND t.message_at BETWEEN messages_json.since AND messages_json.until
      LEFT JOIN copies ON copies.message_id = m.id AND copies.message_at = m.at
     WHERE m.order_id = messages_json.order_id
       AND m.at BETWEEN messages_json.since AND messages_json.until
    UNION ALL
    SELECT f.at, NULL, jsonb_build_object(
               'id', NULL,
               'date', f.at,
               'direction', CASE WHEN s.role = 'buyer' THEN 'inbound'
                                 WHEN r.role = 'buyer' OR owner.role = 'buyer' THEN 'outbound'
                                 ELSE 'internal' END,
               'from', coalesce(tracker.hard_alias(s.token, o.alias_domain), ''),
               'fromName', '',
               'fromRole', coalesce(s.role, 'unknown'),
               'to', CASE WHEN r.id IS NULL THEN '[]' ELSE jsonb_build_array(copy.alias) END,
               'recipients', jsonb_build_array(copy.said),
               'deliveries', jsonb_build_array(copy.said),
               'subject', f.subject,
               'firstWords', '',
               'body', '',
               'hasHtml', false,
               'hasAttachment', false,
               'attachmentNames', '[]'::jsonb,
               'attachments', '[]'::jsonb,
               'state', 'refused',
               'size', 0,
               'automatic', false,
               'verdict', 'unverified',
               'notes', '[]'::jsonb,
               'marks', '[]'::jsonb)
      FROM tracker.refusals AS f
      JOIN tracker.orders AS o ON o.id = f.order_id
      LEFT JOIN tracker.participants AS s ON s.id = f.author_id
      LEFT JOIN tracker.participants AS r ON r.id = f.recipient_id
      LEFT JOIN tracker.participants AS owner ON owner.id = r.owner_id,
           LATERAL (SELECT coalesce(tracker.hard_alias(r.token, o.alias_domain), '') AS alias) AS named,
           LATERAL (SELECT named.alias, jsonb_build_object(
                        'alias', named.alias,
                        'role', coalesce(CASE r.role WHEN 'return' THEN coalesce(owner.role, 'partner')
                                              ELSE r.role END, ''),
                        'state', 'refused',
                        'status', coalesce(substring(f.reply FROM
                            '^[245][0-9]{2} ([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)'), ''),
                        'reason', f.reply) AS said) AS copy
     WHERE f.order_id = messages_json.order_id
       AND f.at BETWEEN messages_json.since AND messages_json.until
$$;

-- An order and its messages, oldest first. Of long ones, a page: the last `most` messages before a
-- time, or the first `most` after one; those of one moment stay together. `more` says whether there
-- are others beyond. All texts together have about 50,000,000 characters at most.
CREATE OR REPLACE FUNCTION tracker.conversation(
    store text, order_number text, most integer DEFAULT NULL, before timestamptz DEFAULT NULL, after timestamptz DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
BEGIN
    RETURN tracker.order_page(store, order_number, most, before, after, 50000000);
END
$$;

-- The same, with `texts` characters of texts at most: what people look at need not be everything.
CREATE OR REPLACE FUNCTION tracker.order_page(
    store text, order_number text, most integer, before timestamptz, after timestamptz, texts integer)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
#variable_conflict use_variable
DECLARE
    known tracker.orders;
    since timestamptz;
    until timestamptz;
    counted bigint;
    more boolean;
BEGIN
    PERFORM tracker.check_store(store);
    PERFORM tracker.check_number(order_number);
    IF most < 1 THEN
        RAISE EXCEPTION 'most must be a positive number' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT o.* INTO known FROM tracker.orders AS o
     WHERE o.store = order_page.store AND o.number = order_number;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such order: % of store %', tracker.shown(order_number), tracker.shown(store)
            USING ERRCODE = 'no_data_found';
    END IF;
    SELECT p.* INTO since, until, counted, more
      FROM tracker.find_page(known.id, most, before, after) AS p;
    RETURN jsonb_build_object(
        'number', known.number,
        'store', known.store,
        'placed', known.placed_at,
        'closed', known.closed_at,
        'expires', known.expires_at,
        'people', coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                       'role', p.role, 'alias', tracker.hard_alias(p.token, known.alias_domain),
                       'introduced', p.introduced) ORDER BY p.id)
              FROM tracker.participants AS p
             WHERE p.order_id = known.id AND p.role <> 'return'), '[]'),
        'messages', coalesce((
            SELECT jsonb_agg(m.message ORDER BY m.at, m.id NULLS LAST)
              FROM tracker.messages_json(known.id, since, until,
                       least(1000000, least(texts, 50000000) / greatest(counted, 1))::integer) AS m), '[]'),
        'more', more);
END
$$;

-- Within what time the page of an order lies, how many messages it has, and whether there are others
-- beyond. However many an order has, those of the page are looked at.
CREATE OR REPLACE FUNCTION tracker.find_page(
    order_id bigint, most integer, before timestamptz, after timestamptz,
    OUT since timestamptz, OUT until timestamptz, OUT counted bigint, OUT more boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET max_parallel_workers_per_gather = 0 SET jit = off
SET enable_indexscan = on SET enable_nestloop = on SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off
SET seq_page_cost = 1 SET random_page_cost = 1 SET cpu_tuple_cost = 0.01
SET cpu_index_tuple_cost = 0.005 SET cpu_operator_cost = 0.0025 AS $$
#variable_conflict use_variable
DECLARE
    size constant integer := coalesce(most, 2147483647);
    first timestamptz := coalesce(after, '-infinity');
    last timestamptz := coalesce(before, 'infinity');
BEGIN
    IF after IS NOT NULL THEN
        SELECT min(e.at), max(e.at), count(*) INTO since, until, counted
          FROM (SELECT t.at
                  FROM ((SELECT m.at FROM tracker.messages AS m
                          WHERE m.order_id = find_page.order_id AND m.at > first AND m.at < last
                          ORDER BY m.at FETCH FIRST size ROWS WITH TIES)
                        UNION ALL
                        (SELECT f.at FROM tracker.refusals AS f
                          WHERE f.order_id = find_page.order_id AND f.at > first AND f.at < last
                          ORDER BY f.at FETCH FIRST size ROWS WITH TIES)) AS t
                 ORDER BY t.at FETCH FIRST size ROWS WITH TIES) AS e;
        first := until;
    ELSE
        SELECT min(e.at), max(e.at), count(*) INTO since, until, counted
          FROM (SELECT t.at
                  FROM ((SELECT m.at FROM tracker.messages AS m
                          WHERE m.order_id = find_page.order_id AND m.at < last
                          ORDER BY m.at DESC FETCH FIRST size ROWS WITH TIES)
                        UNION ALL
                        (SELECT f.at FROM tracker.refusals AS f
                          WHERE f.order_id = find_page.order_id AND f.at < last
                          ORDER BY f.at DESC FETCH FIRST size ROWS WITH TIES)) AS t
                 ORDER BY t.at DESC FETCH FIRST size ROWS WITH TIES) AS e;
        last := since;
    END IF;
    -- Of an empty page there is nothing beyond.
    more := most IS NOT NULL AND counted > 0
        AND (EXISTS (SELECT FROM tracker.messages AS m
                      WHERE m.order_id = find_page.order_id AND m.at > first AND m.at < last)
             OR EXISTS (SELECT FROM tracker.refusals AS f
                         WHERE f.order_id = find_page.order_id AND f.at > first AND f.at < last));
END
$$;

-- One file of a message, by its number in the conversation; no row if there is none, and none for
-- whoever has no grant of its store: who guesses numbers of messages learns nothing.
CREATE OR REPLACE FUNCTION tracker.attachment(message_id bigint, number integer)
RETURNS TABLE (name text, type text, content bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.file ->> 'name', f.file ->> 'type',
           CASE WHEN f.file ? 'stored' THEN t.files[(f.file ->> 'stored')::integer]
                WHEN f.file ->> 'encoding' = 'base64'
                THEN decode(convert_from(part.octets, 'SQL_ASCII'), 'base64')
                ELSE part.octets END
      FROM tracker.texts AS t
      JOIN tracker.orders AS o ON o.id = t.order_id AND tracker.may_read(o.store)
      JOIN tracker.messages AS m ON m.id = t.message_id AND m.at = t.message_at,
           LATERAL (SELECT file FROM jsonb_array_elements(t.attachments) AS file
                     WHERE file -> 'number' = to_jsonb(attachment.number)) AS f,
           LATERAL (SELECT CASE WHEN NOT f.file ? 'stored' THEN
                           substring(m.raw FROM octet_length(m.raw) - (f.file ->> 'from_end')::integer + 1
                                     FOR (f.file ->> 'length')::integer) END AS octets) AS part
     WHERE t.message_id = attachment.message_id
$$;

-- The sanitised page of a message; NULL if it has none, and for whoever has no grant of its store.
CREATE OR REPLACE FUNCTION tracker.page(message_id bigint) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.html
      FROM tracker.texts AS t
      JOIN tracker.orders AS o ON o.id = t.order_id AND tracker.may_read(o.store)
     WHERE t.message_id = page.message_id
$$;
