-- The timeline: one row per message and recipient, and one per refused message. Aliases are always
-- in hard form.

CREATE VIEW tracker.timeline AS
SELECT o.store,
       o.number AS order_number,
       m.at,
       m.direction,
       s.role AS sender_role,
       tracker.hard_alias(s.token, o.alias_domain) AS sender_alias,
       m.sender_name,
       tracker.hard_alias(r.token, o.alias_domain) AS recipient_alias,
       r.role AS recipient_role,
       m.subject,
       m.first_words,
       m.attachment_names <> '{}' AS has_attachment,
       d.state,
       d.status,
       m.id AS message_id
  FROM tracker.messages AS m
  JOIN tracker.orders AS o ON o.id = m.order_id
  JOIN tracker.participants AS s ON s.id = m.sender_id
  LEFT JOIN tracker.deliveries AS d ON d.message_id = m.id AND d.message_at = m.at
  LEFT JOIN tracker.participants AS r ON r.id = d.recipient_id
UNION ALL
SELECT o.store,
       o.number,
       f.at,
       CASE WHEN s.role = 'buyer' THEN 'inbound'
            WHEN r.role = 'buyer' THEN 'outbound' ELSE 'internal' END,
       s.role,
       tracker.hard_alias(s.token, o.alias_domain),
       '',
       tracker.hard_alias(r.token, o.alias_domain),
       r.role,
       f.subject,
       '',
       false,
       'refused',
       f.reply,
       NULL
  FROM tracker.refusals AS f
  JOIN tracker.orders AS o ON o.id = f.order_id
  LEFT JOIN tracker.participants AS s ON s.id = f.author_id
  LEFT JOIN tracker.participants AS r ON r.id = f.recipient_id;
