-- Whose buyer wrote last, and since when: record notes it with the order.
--
-- Mail that a program wrote neither asks nor answers, nor does a stranger's or what comes with a false
-- claim. Closing an order ends it; what the buyer writes afterwards begins it anew. An order that has
-- expired is not told: no mail of the buyer's gets through, and nobody is known to answer.
CREATE OR REPLACE VIEW tracker.waiting WITH (security_barrier) AS
SELECT o.store,
       o.number AS order_number,
       o.waiting_since AS since,
       CASE WHEN o.id > 0 THEN m.subject END AS subject
  FROM tracker.orders AS o
  LEFT JOIN LATERAL (
       SELECT m.subject FROM tracker.messages AS m
        WHERE m.order_id = o.id AND m.at = o.waiting_since AND m.direction = 'inbound'
        ORDER BY m.id + 0 LIMIT 1) AS m ON true
 WHERE o.waiting_since IS NOT NULL
   AND o.expires_at > now()
   AND o.emptied_at IS NULL
   AND (o.closed_at IS NULL OR o.waiting_since > o.closed_at)
   -- As the policy of orders (roles.sql).
   AND (SELECT tracker.readable_names()) ? o.store
   AND o.store = ANY ((SELECT tracker.readable_stores())::text[]);
