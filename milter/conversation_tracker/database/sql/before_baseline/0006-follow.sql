-- The log follower: which deliveries the lines of Postfix's log are about.

-- The deliveries with these queue ids, each as "HOST/QUEUE-ID". Postfix uses a queue id again for other mail: only what changed
-- within a week counts, longer than Postfix keeps mail. Under the queue id of a first pass there are
-- several deliveries, or none any more, and the log tells nothing about one of them.
CREATE FUNCTION tracker.deliveries_queued(queue_ids text[])
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
