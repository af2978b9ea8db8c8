-- What there is of one person, to be written out for them: the trace of it first.

-- Whatever an address is known as, in any spelling that mask takes for the same: as a participant, or as a
-- Reply-To address or return path, which has the role of who gave it (`apart`). Who asks is noted.
CREATE OR REPLACE FUNCTION tracker.export_person(wanted text)
RETURNS TABLE (
    order_id bigint, store text, order_number text, placed_at timestamptz, closed_at timestamptz,
    expires_at timestamptz, retention text, participant_id bigint, alias text, role text,
    known_as text, introduced boolean, joined_at timestamptz, apart boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET client_min_messages = 'warning' AS $$
#variable_conflict use_column
DECLARE
    actor constant text := coalesce(nullif(left(current_setting('tracker.actor', true), 1000), ''),
                                    session_user);
    canonical constant text := tracker.canonical_address(wanted);
    key constant text := tracker.address_key(canonical);
    gmail constant text := tracker.gmail_key(canonical);
    digest constant bytea := tracker.lookup_digest(canonical);
    counted integer;
BEGIN
    RETURN QUERY
    SELECT o.id, o.store, o.number, o.placed_at, o.closed_at,
           CASE WHEN o.expires_at < '9999-12-30 UTC' THEN o.expires_at END,
           s.message_retention::text, w.id, tracker.hard_alias(w.token, o.alias_domain), w.role,
           w.address, w.introduced, w.joined_at, w.apart
      FROM (SELECT p.id, p.order_id, p.token, p.role, p.address, p.introduced, p.joined_at,
                   false AS apart
              FROM tracker.participants AS p WHERE tracker.address_key(p.address) = key
            UNION
            SELECT p.id, p.order_id, p.token, p.role, p.address, p.introduced, p.joined_at, false
              FROM tracker.participants AS p
             WHERE gmail IS NOT NULL AND tracker.gmail_key(p.address) = gmail
            UNION
            SELECT p.id, p.order_id, p.token, coalesce(owner.role, 'partner'), r.address,
                   p.introduced, p.joined_at, true
              FROM tracker.return_addresses AS r
              JOIN tracker.participants AS p ON p.id = r.participant_id
              LEFT JOIN tracker.participants AS owner ON owner.id = p.owner_id
             WHERE tracker.mailbox_key(r.address) = tracker.mailbox_key(canonical)) AS w
      JOIN tracker.orders AS o ON o.id = w.order_id
      JOIN tracker.stores AS s ON s.name = o.store
     ORDER BY o.placed_at, o.id, w.id;
    GET DIAGNOSTICS counted = ROW_COUNT;
    INSERT INTO tracker.exports (db_user, actor, digest, found)
    VALUES (session_user, actor, digest, counted);
    RAISE LOG 'conversation tracker: conversations of an address exported, role %, actor %, digest %, found %',
        session_user, regexp_replace(actor, '[[:cntrl:]]+', ' ', 'g'), encode(digest, 'hex'), counted;
END
$$;
