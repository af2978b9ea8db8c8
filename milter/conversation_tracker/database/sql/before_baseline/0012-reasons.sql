-- What became of a delivery: the status code alone, and the remote's words beside it, in which no
-- local part of an address stands either. And a trace of each unmasking that outlives a rollback.

-- Views and functions that ask for the old column.
DROP VIEW tracker.timeline;
DROP FUNCTION tracker.mark_delivery(uuid, text, text, bytea);

CREATE DOMAIN tracker.status_code AS text
    CONSTRAINT deliveries_status_is_an_enhanced_status_code_alone
        CHECK (VALUE ~ '^([245]\.[0-9]{1,3}\.[0-9]{1,3})?$');

ALTER TABLE tracker.deliveries ADD COLUMN reason text NOT NULL DEFAULT '';

COMMENT ON COLUMN tracker.deliveries.reason IS 'The remote''s words, masked.';

-- The remote's words without the local parts of an order's addresses, as core/reports/redaction.py has
-- it, but that ordinary words stay also where they are quoted.
CREATE FUNCTION tracker.without_local_parts(words text, wanted bigint) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known text;
    spelling text;
BEGIN
    FOR known IN
        SELECT DISTINCT replace(lower(part), '.', '')
          FROM tracker.people AS p,
               LATERAL (SELECT substring(p.address FROM '^(.*)@[^@]*$') AS local) AS whole,
               LATERAL (VALUES (whole.local), (substring(whole.local FROM '^[^+]+'))) AS parts(part)
         WHERE p.order_id = wanted AND p.address IS NOT NULL
         ORDER BY 1 DESC
    LOOP
        CONTINUE WHEN length(known) < 3 OR known ~ '^[0-9]{3}$'
            OR known IN ('account', 'address', 'box', 'delivery', 'email', 'host', 'mail', 'mailbox',
                         'message', 'name', 'not', 'queue', 'recipient', 'sender', 'server', 'smtp',
                         'spam', 'the', 'unknown', 'user')
            OR position(known IN replace(lower(words), '.', '')) = 0;
        SELECT string_agg(CASE WHEN c ~ '[[:alnum:]]' THEN c ELSE '\' || c END, '\.?' ORDER BY place)
          INTO spelling
          FROM regexp_split_to_table(known, '') WITH ORDINALITY AS characters(c, place);
        words := regexp_replace(
            words,
            '(?<![[:alnum:]@.])' || spelling || '(?:\+[^[:space:]<>()",;:@]*)?(?![[:alnum:]])',
            '[name]', 'gi');
    END LOOP;
    RETURN words;
END
$$;

-- Until now both stood in one column, the code first. Words about somebody whose address is gone go:
-- what cannot be recognised cannot be masked.
UPDATE tracker.deliveries AS d
   SET reason = tracker.without_local_parts(
           regexp_replace(d.status, '^[245]\.[0-9]{1,3}\.[0-9]{1,3}( |$)', ''), p.order_id)
  FROM tracker.people AS p
 WHERE p.id = d.recipient_id AND p.address IS NOT NULL AND d.status <> '';

DROP FUNCTION tracker.without_local_parts(text, bigint);

ALTER TABLE tracker.deliveries ALTER COLUMN status DROP DEFAULT;
ALTER TABLE tracker.deliveries ALTER COLUMN status TYPE tracker.status_code
    USING coalesce(substring(status FROM '^([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)'), '');
ALTER TABLE tracker.deliveries ALTER COLUMN status SET DEFAULT '';

-- Marks a delivery, and tells whether its author is to hear of it: its state changed, or the report
-- that changed it comes once more, because whoever brings it never got our answer. A delivery that
-- bounced stays so, and a delay says nothing about one that was sent.
CREATE FUNCTION tracker.mark_delivery(
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
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM marked)
        OR EXISTS (SELECT FROM tracker.deliveries AS d
                    WHERE d.bounce = mark_delivery.bounce
                      AND d.message_at = (SELECT tracker.bounce_at(mark_delivery.bounce))
                      AND d.state = mark_delivery.state
                      AND d.report = tracker.keyed(mark_delivery.report))
$$;

-- The timeline: one row per message and recipient, and one per refused message. Aliases are always
-- in hard form; who answered to a Reply-To address wrote to whoever gave it. Whoever claims to be somebody, and is not, is shown without a role. Of refused mail,
-- `reason` is our own reply.
CREATE VIEW tracker.timeline AS
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
  LEFT JOIN tracker.participants AS owner ON owner.id = r.owner_id;

-- The same as before, and a line in the server's log: what a transaction wrote goes with it if that
-- is rolled back, and whoever asked has seen the address.
CREATE OR REPLACE FUNCTION tracker.unmask(alias text, reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    who tracker.participants;
    wanted tracker.orders;
    actor text := coalesce(nullif(current_setting('tracker.actor', true), ''), session_user);
    hard text;
BEGIN
    IF reason IS NULL OR reason !~ '[^[:space:]]' THEN
        RAISE EXCEPTION 'a reason is needed to unmask an alias' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO who FROM tracker.participant_of(alias);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such alias' USING ERRCODE = 'no_data_found';
    END IF;
    SELECT * INTO wanted FROM tracker.orders AS o WHERE o.id = who.order_id;
    IF who.address IS NULL OR wanted.expires_at <= now() THEN
        RAISE EXCEPTION 'the alias has expired' USING ERRCODE = 'no_data_found';
    END IF;
    IF position(tracker.address_key(who.address) IN tracker.address_key(reason)) > 0 THEN
        RAISE EXCEPTION 'the reason must not name the address: it is kept for longer'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    hard := tracker.hard_alias(who.token, wanted.alias_domain);
    INSERT INTO tracker.unmaskings (db_user, actor, alias, reason)
    VALUES (session_user, actor, hard, reason);
    -- One line, whatever somebody wrote into it.
    RAISE LOG 'conversation tracker: % unmasked, role %, actor %, reason: %', hard, session_user,
        regexp_replace(actor, '[[:cntrl:]]+', ' ', 'g'), regexp_replace(reason, '[[:cntrl:]]+', ' ', 'g');
    RETURN who.address;
END
$$;
