-- Bounces: what a bounce address leads to, and how a delivery is marked.

-- One delivery, as a report about it needs it: the conversation, with the recipient as its token,
-- and the message it carried.
CREATE TYPE tracker.delivery AS (
    status text,
    recipient uuid,
    store text,
    order_id bigint,
    number text,
    ref text,
    alias_domain text,
    participants text,
    identifiers text[],
    bounce uuid,
    author uuid,
    return_path uuid,
    at timestamptz,
    subject text,
    original_id text,
    state text
);

-- When the message went that a bounce address was made for: reports come soon, so the last months
-- are looked at before all others.
CREATE FUNCTION tracker.bounce_at(bounce uuid) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(
        (SELECT d.message_at FROM tracker.deliveries AS d
          WHERE d.bounce = bounce_at.bounce AND d.message_at > now() - interval '1 month'
            AND d.message_at < now() + interval '1 day'),
        (SELECT d.message_at FROM tracker.deliveries AS d WHERE d.bounce = bounce_at.bounce))
$$;

-- The delivery that a bounce address was made for. No row: there is none.
CREATE FUNCTION tracker.delivery_of(bounce uuid, alias_domain text) RETURNS SETOF tracker.delivery
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT found.*,
           d.bounce, author.token, back.token, m.at, m.subject,
           coalesce((SELECT i.original FROM tracker.message_ids AS i
                      WHERE i.order_id = m.order_id AND i.ours = m.message_id
                        AND i.participant_id = m.sender_id), m.message_id),
           d.state
      FROM tracker.deliveries AS d
      JOIN tracker.messages AS m ON m.id = d.message_id AND m.at = d.message_at
      JOIN tracker.orders AS o ON o.id = m.order_id
      JOIN tracker.participants AS p ON p.id = d.recipient_id
      JOIN tracker.participants AS author ON author.id = m.sender_id
      LEFT JOIN tracker.participants AS back ON back.id = m.return_id,
           LATERAL tracker.conversation_with(o.id, p.token) AS found
     WHERE d.bounce = delivery_of.bounce
       AND d.message_at = (SELECT tracker.bounce_at(delivery_of.bounce))
       AND o.alias_domain = delivery_of.alias_domain
$$;

-- The last delivery of an order that went from one participant to another, for reports that come
-- to the sender's alias.
CREATE FUNCTION tracker.last_delivery(sender uuid, recipient uuid) RETURNS SETOF tracker.delivery
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
             ORDER BY m.at DESC LIMIT 1) AS last,
           LATERAL tracker.delivery_of(last.bounce, last.alias_domain) AS found
$$;

-- Marks a delivery, and tells whether its author is to hear of it: its state changed, or the report
-- that changed it comes once more, because whoever brings it never got our answer. A delivery that
-- bounced stays so, and a delay says nothing about one that was sent.
CREATE FUNCTION tracker.mark_delivery(
    bounce uuid, state text, status text, report bytea DEFAULT NULL)
RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH marked AS (
        UPDATE tracker.deliveries AS d
           SET state = mark_delivery.state, status = mark_delivery.status, changed_at = now(),
               report = tracker.keyed(mark_delivery.report)
         WHERE d.bounce = mark_delivery.bounce
           AND d.message_at = (SELECT tracker.bounce_at(mark_delivery.bounce))
           AND d.state <> mark_delivery.state
           AND d.state <> 'bounced' AND NOT (d.state = 'sent' AND mark_delivery.state = 'delayed')
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM marked)
        OR EXISTS (SELECT FROM tracker.deliveries AS d
                    WHERE d.bounce = mark_delivery.bounce
                      AND d.message_at = (SELECT tracker.bounce_at(mark_delivery.bounce))
                      AND d.state = mark_delivery.state
                      AND d.report = tracker.keyed(mark_delivery.report))
$$;
