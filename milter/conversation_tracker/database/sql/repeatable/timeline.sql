-- The timeline: one row for each message and recipient, and one for each refused message.
--
-- Aliases are always in hard form; who answered to a Reply-To address wrote to whoever gave it.
-- Whoever claims to be somebody, and is not, is shown without a role. Of refused mail, `reason` is
-- our own reply.

-- With what only the command `timeline` shows besides. It reads the tables as its owner, so it asks
-- itself for the orders that were granted: once, by the index that finds the order, where the tables'
-- policies would ask again for each message, recipient and participant.
--
-- What mail says is shown only `WHEN o.id > 0`, which it always is: a condition on it needs the order
-- then, and is not tried on messages of orders that were not granted. A plan would count them.
--   claimed_role   the sender's, also where the claim is false, unless it is the store's
--   recipient_id   orders the recipients as they joined
CREATE OR REPLACE VIEW tracker.timeline_rows WITH (security_barrier) AS
SELECT o.store,
       o.number AS order_number,
       m.at,
       CASE WHEN o.id > 0 THEN m.direction END AS direction,
       CASE WHEN o.id > 0 AND m.verdict <> 'flagged' THEN s.role END AS sender_role,
       tracker.hard_alias(s.token, o.alias_domain) AS sender_alias,
       CASE WHEN o.id > 0 THEN m.sender_name END AS sender_name,
       tracker.hard_alias(r.token, o.alias_domain) AS recipient_alias,
       CASE WHEN o.id > 0 THEN
            CASE r.role WHEN 'return' THEN coalesce(owner.role, 'partner') ELSE r.role END
       END AS recipient_role,
       CASE WHEN o.id > 0 THEN m.subject END AS subject,
       CASE WHEN o.id > 0 THEN m.first_words END AS first_words,
       CASE WHEN o.id > 0 THEN m.attachment_names <> '{}' END AS has_attachment,
       CASE WHEN o.id > 0 THEN d.state::text END AS state,
       CASE WHEN o.id > 0 THEN d.status::text END AS status,
       CASE WHEN o.id > 0 THEN d.reason END AS reason,
       CASE WHEN o.id > 0 THEN
            m.notes || CASE WHEN m.verdict = 'flagged'
                            THEN ARRAY['sender flagged: authentication does not confirm the From']
                            ELSE '{}' END
       END AS notes,
       m.id AS message_id,
       CASE WHEN o.id > 0 AND (m.verdict <> 'flagged' OR s.role <> 'store') THEN s.role END
           AS claimed_role,
       d.recipient_id,
       CASE WHEN o.id > 0 THEN m.attachment_names END AS attachment_names,
       CASE WHEN o.id > 0 THEN m.size END AS size,
       CASE WHEN o.id > 0 THEN m.automatic END AS automatic,
       CASE WHEN o.id > 0 THEN m.verdict END AS verdict,
       CASE WHEN o.id > 0 THEN m.notes END AS parts
  FROM tracker.messages AS m
  JOIN tracker.orders AS o ON o.id = m.order_id
  JOIN tracker.participants AS s ON s.id = m.sender_id
  LEFT JOIN tracker.deliveries AS d ON d.message_id = m.id AND d.message_at = m.at
  LEFT JOIN tracker.participants AS r ON r.id = d.recipient_id
  LEFT JOIN tracker.participants AS owner ON owner.id = r.owner_id
 WHERE (SELECT tracker.readable_names()) ? o.store
   AND o.store = ANY ((SELECT tracker.readable_stores())::text[])
UNION ALL
SELECT o.store,
       o.number,
       f.at,
       CASE WHEN o.id > 0 AND s.role = 'buyer' THEN 'inbound'
            WHEN o.id > 0 AND (r.role = 'buyer' OR owner.role = 'buyer') THEN 'outbound' ELSE 'internal' END,
       CASE WHEN o.id > 0 THEN s.role END,
       tracker.hard_alias(s.token, o.alias_domain),
       '',
       tracker.hard_alias(r.token, o.alias_domain),
       CASE WHEN o.id > 0 THEN
            CASE r.role WHEN 'return' THEN coalesce(owner.role, 'partner') ELSE r.role END
       END,
       CASE WHEN o.id > 0 THEN f.subject END,
       '',
       false,
       'refused',
       CASE WHEN o.id > 0 THEN
            coalesce(substring(f.reply
                               FROM '^[245][0-9]{2} ([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)'), '')
       END,
       CASE WHEN o.id > 0 THEN f.reply END,
       '{}'::text[],
       NULL,
       CASE WHEN o.id > 0 THEN s.role END,
       f.recipient_id,
       '{}'::text[],
       0,
       false,
       'unverified',
       '{}'::text[]
  FROM tracker.refusals AS f
  JOIN tracker.orders AS o ON o.id = f.order_id
  LEFT JOIN tracker.participants AS s ON s.id = f.author_id
  LEFT JOIN tracker.participants AS r ON r.id = f.recipient_id
  LEFT JOIN tracker.participants AS owner ON owner.id = r.owner_id
 WHERE (SELECT tracker.readable_names()) ? o.store
   AND o.store = ANY ((SELECT tracker.readable_stores())::text[]);

CREATE OR REPLACE VIEW tracker.timeline AS
SELECT store, order_number, at, direction, sender_role, sender_alias, sender_name, recipient_alias,
       recipient_role, subject, first_words, has_attachment, state, status, reason, notes, message_id
  FROM tracker.timeline_rows;
