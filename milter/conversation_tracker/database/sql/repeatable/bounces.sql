-- What became of a delivery: what a bounce address or a queue id leads to, and how it is marked.

-- When the message went that a bounce address was made for: reports come soon, so the last months
-- are looked at before all others.
CREATE OR REPLACE FUNCTION tracker.bounce_at(bounce uuid) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(
        (SELECT d.message_at FROM tracker.deliveries AS d
          WHERE d.bounce = bounce_at.bounce AND d.message_at > now() - interval '1 month'
            AND d.message_at < now() + interval '1 day'),
        (SELECT d.message_at FROM tracker.deliveries AS d WHERE d.bounce = bounce_at.bounce))
$$;

-- The delivery that a bounce address was made for. No row: there is none. The message's author and
-- return path come along, as the recipient does.
CREATE OR REPLACE FUNCTION tracker.delivery_of(bounce uuid, alias_domain text)
RETURNS SETOF tracker.delivery
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT found.status, found.token, found.store, found.order_id, found.number, found.ref,
           found.alias_domain,
           concat_ws(E'\n', nullif(found.participants, ''),
               CASE WHEN position(author.line IN found.participants) = 0 THEN author.line END,
               CASE WHEN back.token <> author.token AND back.token <> found.token
                         AND position(back.line IN found.participants) = 0 THEN back.line END),
           found.identifiers,
           d.bounce, author.token, back.token, m.at, m.subject,
           coalesce((SELECT i.original FROM tracker.message_ids AS i
                      WHERE i.order_id = m.order_id AND i.ours = m.message_id
                        AND i.participant_id = m.sender_id), m.message_id),
           d.state
      FROM tracker.deliveries AS d
      JOIN tracker.messages AS m ON m.id = d.message_id AND m.at = d.message_at
      JOIN tracker.orders AS o ON o.id = m.order_id
      JOIN tracker.participants AS p ON p.id = d.recipient_id
      JOIN tracker.people AS author ON author.id = m.sender_id
      LEFT JOIN tracker.people AS back ON back.id = m.return_id,
           LATERAL tracker.conversation_with(o.id, p.token) AS found
     WHERE d.bounce = delivery_of.bounce
       AND d.message_at = (SELECT tracker.bounce_at(delivery_of.bounce))
       AND o.alias_domain = delivery_of.alias_domain
$$;

-- The last delivery of an order that went from one participant to another, for reports that come
-- to the sender's alias.
CREATE OR REPLACE FUNCTION tracker.last_delivery(sender uuid, recipient uuid) RETURNS SETOF tracker.delivery
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT found.*
      FROM (SELECT d.bounce, o.alias_domain
              FROM tracker.deliveries AS d
              JOIN tracker.messages AS m ON m.id = d.message_id AND m.at = d.message_at
              JOIN tracker.orders AS o ON o.id = m.order_id
              JOIN tracker.participants AS p ON p.id = d.recipient_id
              JOIN tracker.participants AS author
                ON author.order_id = m.order_id AND author.id = m.sender_id
             WHERE author.token = sender AND p.token = recipient
             ORDER BY m.at DESC, m.id DESC LIMIT 1) AS last,
           LATERAL tracker.delivery_of(last.bounce, last.alias_domain) AS found
$$;

-- Marks a delivery, and tells whether its author is to hear of it: its state changed, or the report
-- that changed it comes once more, because whoever brings it never got our answer. A delivery that
-- bounced stays so, and a delay says nothing about one that was sent.
CREATE OR REPLACE FUNCTION tracker.mark_delivery(
    bounce uuid, state text, status text, reason text, report bytea DEFAULT NULL)
RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH marked AS (
        UPDATE tracker.deliveries AS d
           SET state = mark_delivery.state, status = mark_delivery.status,
               reason = mark_delivery.reason, changed_at = now(),
               report = tracker.keyed(mark_delivery.report)
         WHERE d.bounce = mark_delivery.bounce
           AND d.message_at = (SELECT tracker.bounce_at(mark_delivery.bounce))
           AND d.state <> mark_delivery.state
           AND d.state <> 'bounced' AND NOT (d.state = 'sent' AND mark_delivery.state = 'delayed')
        RETURNING d.message_id, d.message_at, d.recipient_id
    ), told AS (
        INSERT INTO tracker.event_queue (event, order_id, message_id, message_at, participant_id, detail)
        SELECT mark_delivery.state, m.order_id, marked.message_id, marked.message_at,
               marked.recipient_id, jsonb_build_object('status', mark_delivery.status)
          FROM marked
          JOIN tracker.messages AS m ON m.id = marked.message_id AND m.at = marked.message_at
         WHERE mark_delivery.state IN ('sent', 'delayed', 'bounced')
    )
    SELECT EXISTS (SELECT FROM marked)
        OR EXISTS (SELECT FROM tracker.deliveries AS d
                    WHERE d.bounce = mark_delivery.bounce
                      AND d.message_at = (SELECT tracker.bounce_at(mark_delivery.bounce))
                      AND d.state = mark_delivery.state
                      AND d.report = tracker.keyed(mark_delivery.report))
$$;

-- The deliveries with these queue ids, each as "HOST/QUEUE-ID". Postfix uses a queue id again for other mail: only what changed
-- within a week counts, longer than Postfix keeps mail. Under the queue id of a first pass there are
-- several deliveries, or none any more, and the log tells nothing about one of them.
CREATE OR REPLACE FUNCTION tracker.deliveries_queued(queue_ids text[])
RETURNS TABLE (queue_id text, bounce uuid, alias_domain text, state text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.queue_id, d.bounce, o.alias_domain, d.state
      FROM (SELECT (array_agg(q.bounce))[1] AS bounce, (array_agg(q.message_at))[1] AS message_at
              FROM tracker.deliveries AS q
             WHERE q.queue_id = ANY (queue_ids) AND q.changed_at > now() - interval '7 days'
               -- The months that may hold such a delivery, and no others.
               AND q.message_at > now() - interval '1 month'
               AND q.message_at < now() + interval '1 day'
             GROUP BY q.queue_id HAVING count(*) = 1) AS sole
      JOIN tracker.deliveries AS d ON d.bounce = sole.bounce AND d.message_at = sole.message_at
      JOIN tracker.messages AS m ON m.id = d.message_id AND m.at = d.message_at
      JOIN tracker.orders AS o ON o.id = m.order_id
$$;
