-- The timeline: one row for each message and recipient, and one for each refused message.
--
-- Aliases are always in hard form; who answered to a Reply-To address wrote to whoever gave it.
-- Whoever claims to be somebody, and is not, is shown without a role. Of refused mail, `reason` is
-- our own reply.
--
-- It reads the tables as its owner, so it asks itself for the orders that were granted: once for each
-- order, where the tables' policies would ask for each message, recipient and participant.

CREATE OR REPLACE VIEW tracker.timeline WITH (security_barrier) AS
SELECT o.store,
       o.number AS order_number,
       m.at,
       m.direction,
       CASE WHEN m.verdict <> 'flagged' THEN s.role END AS sender_role,
       tracker.hard_alias(s.token, o.alias_domain) AS sender_alias,
       m.sender_name,
       tracker.hard_alias(r.token, o.alias_domain) AS recipient_alias,
       CASE r.role WHEN 'return' THEN coalesce(owner.role, 'partner') ELSE r.role END
           AS recipient_role,
       m.subject,
       m.first_words,
       m.attachment_names <> '{}' AS has_attachment,
       d.state::text AS state,
       d.status::text AS status,
       d.reason,
       m.notes || CASE WHEN m.verdict = 'flagged'
                       THEN ARRAY['sender flagged: authentication does not confirm the From']
                       ELSE '{}' END AS notes,
       m.id AS message_id
  FROM tracker.messages AS m
  JOIN tracker.orders AS o ON o.id = m.order_id
  JOIN tracker.participants AS s ON s.id = m.sender_id
  LEFT JOIN tracker.deliveries AS d ON d.message_id = m.id AND d.message_at = m.at
  LEFT JOIN tracker.participants AS r ON r.id = d.recipient_id
  LEFT JOIN tracker.participants AS owner ON owner.id = r.owner_id
 WHERE (SELECT tracker.may_read_all()) OR o.store IN (SELECT tracker.granted_stores())
UNION ALL
SELECT o.store,
       o.number,
       f.at,
       CASE WHEN s.role = 'buyer' THEN 'inbound'
            WHEN r.role = 'buyer' OR owner.role = 'buyer' THEN 'outbound' ELSE 'internal' END,
       s.role,
       tracker.hard_alias(s.token, o.alias_domain),
       '',
       tracker.hard_alias(r.token, o.alias_domain),
       CASE r.role WHEN 'return' THEN coalesce(owner.role, 'partner') ELSE r.role END,
       f.subject,
       '',
       false,
       'refused',
       coalesce(substring(f.reply FROM '^[245][0-9]{2} ([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)'), ''),
       f.reply,
       '{}'::text[],
       NULL
  FROM tracker.refusals AS f
  JOIN tracker.orders AS o ON o.id = f.order_id
  LEFT JOIN tracker.participants AS s ON s.id = f.author_id
  LEFT JOIN tracker.participants AS r ON r.id = f.recipient_id
  LEFT JOIN tracker.participants AS owner ON owner.id = r.owner_id
 WHERE (SELECT tracker.may_read_all()) OR o.store IN (SELECT tracker.granted_stores());
