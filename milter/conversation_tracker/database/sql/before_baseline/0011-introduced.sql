-- Who is who: introduced people and guests, soft aliases that were handed out, and Reply-To
-- addresses and return paths, which lie apart from the participants.
--
-- Introduced is whom somebody named whose word counts: mask(), the store's own mail, or an introduced
-- participant who is who they claim to be. Everybody else is a guest: guests get hard aliases, and
-- stop nobody's mail.

-- Tables ----------------------------------------------------------------------------------------

ALTER TABLE tracker.stores ADD COLUMN guest_limit integer NOT NULL DEFAULT 20
    CONSTRAINT stores_guest_limit_is_0_to_1000 CHECK (guest_limit BETWEEN 0 AND 1000);

COMMENT ON COLUMN tracker.stores.participant_limit IS 'Introduced people of an order; then 550 5.7.1.';
COMMENT ON COLUMN tracker.stores.guest_limit IS
    'People of an order whom only strangers named; further ones are left out of the copies.';

ALTER TABLE tracker.participants RENAME COLUMN vouched TO introduced;
-- A soft alias, which anybody could write down who knows the order's reference and guesses an
-- address, stands for nobody until a copy showed it or mask() gave it.
ALTER TABLE tracker.participants ADD COLUMN handed_out boolean NOT NULL DEFAULT false;
-- Of a Reply-To address or return path: who wrote the message that brought it.
ALTER TABLE tracker.participants ADD COLUMN owner_id bigint
    CONSTRAINT participants_owner_is_a_participant REFERENCES tracker.participants ON DELETE SET NULL;

-- Which were shown before is written nowhere: they may be out there, by what the store wants today.
UPDATE tracker.participants AS p SET handed_out = true
  FROM tracker.orders AS o JOIN tracker.stores AS s ON s.name = o.store
 WHERE o.id = p.order_id AND p.introduced AND p.role <> 'return' AND p.address IS NOT NULL
   AND CASE p.role WHEN 'store' THEN s.issuer_mask ELSE s.mask END = 'soft';

COMMENT ON COLUMN tracker.participants.introduced IS
    'Named by mask(), the store''s own mail or an introduced participant; else a guest.';
COMMENT ON COLUMN tracker.participants.handed_out IS
    'The soft alias was given by mask() or shown by a copy; no other soft alias resolves.';
COMMENT ON COLUMN tracker.participants.address IS
    'The real address, but that of a Reply-To or return path. NULL once the order has expired.';

-- The addresses of Reply-To fields and return paths, which are no participants: any message may bring
-- a new one. So only the address lies here; the row of role 'return' in participants gives it a
-- token, and what messages and deliveries refer to.
CREATE TABLE tracker.return_addresses (
    participant_id bigint CONSTRAINT return_addresses_pkey PRIMARY KEY,
    order_id bigint NOT NULL,
    address text
        CONSTRAINT return_addresses_address_is_an_address
            CHECK (address ~ '^[^[:cntrl:]]+@[^@[:space:][:cntrl:]]+$'
                   AND octet_length(address) <= 320),
    CONSTRAINT return_addresses_belong_to_their_order
        FOREIGN KEY (order_id, participant_id) REFERENCES tracker.participants (order_id, id)
        ON DELETE CASCADE
)
WITH (autovacuum_vacuum_scale_factor = 0.02); -- as participants

COMMENT ON COLUMN tracker.return_addresses.address IS
    'The real address. NULL once the order has expired.';

INSERT INTO tracker.return_addresses (participant_id, order_id, address)
SELECT p.id, p.order_id, p.address FROM tracker.participants AS p WHERE p.role = 'return';
UPDATE tracker.participants AS p
   SET address = NULL, introduced = false,
       owner_id = (SELECT m.sender_id FROM tracker.messages AS m
                    WHERE m.order_id = p.order_id AND m.return_id = p.id ORDER BY m.at LIMIT 1)
 WHERE p.role = 'return';

CREATE UNIQUE INDEX return_addresses_address_is_once_per_order
    ON tracker.return_addresses (order_id, tracker.address_key(address)) WHERE address IS NOT NULL;
CREATE INDEX return_addresses_address ON tracker.return_addresses (tracker.address_key(address))
    WHERE address IS NOT NULL;
CREATE INDEX participants_owner ON tracker.participants (owner_id) WHERE owner_id IS NOT NULL;

ALTER TABLE tracker.participants
    ADD CONSTRAINT participants_return_address_lies_apart
        CHECK (role <> 'return' OR address IS NULL),
    ADD CONSTRAINT participants_handed_out_are_introduced CHECK (introduced OR NOT handed_out);

-- A message's look-up reads these from an end, however many there are.
CREATE INDEX participants_introduced ON tracker.participants (order_id, id)
    WHERE introduced AND role <> 'return';
CREATE INDEX participants_guests ON tracker.participants (order_id, id)
    WHERE NOT introduced AND role <> 'return' AND address IS NOT NULL;
CREATE INDEX participants_returns ON tracker.participants (order_id, id) WHERE role = 'return';

-- Dots count nothing at Gmail, and it has two names: the same mailbox in all its spellings, but for
-- a +tag. NULL elsewhere.
CREATE FUNCTION tracker.gmail_key(address text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN address ~* '^[^"+@]+(\+[^"@]*)?@(gmail|googlemail)\.com$'
                THEN replace(lower(substring(address COLLATE "C" FROM '^[^+@]+')), '.', '')
                     || lower(coalesce(substring(address COLLATE "C" FROM '\+[^@]*'), ''))
                     || '@gmail.com' END
$$;

CREATE INDEX participants_gmail ON tracker.participants (order_id, tracker.gmail_key(address))
    WHERE tracker.gmail_key(address) IS NOT NULL;

-- Conversations ---------------------------------------------------------------------------------

-- Every participant and return address, as a line of tracker.conversation:
-- "TOKEN STANDING ROLE ADDRESS". STANDING is introduced, handed-out (and introduced) or guest; of a
-- return address (role return), its owner's token, or - where nobody knows.
CREATE VIEW tracker.people AS
SELECT p.id, p.order_id, p.token, p.role, p.introduced,
       coalesce(p.address, r.address) AS address,
       p.token::text || ' '
       || CASE WHEN p.role = 'return' THEN coalesce(owner.token::text, '-')
               WHEN p.handed_out THEN 'handed-out'
               WHEN p.introduced THEN 'introduced' ELSE 'guest' END
       || ' ' || p.role || ' ' || coalesce(p.address, r.address, '') AS line
  FROM tracker.participants AS p
  LEFT JOIN tracker.return_addresses AS r ON r.participant_id = p.id
  LEFT JOIN tracker.participants AS owner ON owner.id = p.owner_id;

-- participants: a line for each introduced participant, for the newest guests, as many as may join by
-- being named, and for a few of the newest return addresses: a sender most often has the same again.
CREATE OR REPLACE VIEW tracker.conversations AS
SELECT CASE WHEN o.expires_at <= now() THEN 'expired'
            WHEN NOT s.active THEN 'inactive'
            ELSE 'live' END AS status,
       json_build_array(
           s.name, s.mask, s.issuer_mask, s.sender_domains, s.order_header, s.mask_body,
           s.attachments_with_address, s.unknown_senders, s.spoofed_senders,
           s.participant_limit, s.guest_limit)::text AS store,
       o.id AS order_id, o.number, o.ref, o.alias_domain,
       array_to_string(
           ARRAY(
               SELECT p.token::text
                      || CASE WHEN p.handed_out THEN ' handed-out ' ELSE ' introduced ' END
                      || p.role || ' ' || coalesce(p.address, '')
                 FROM tracker.participants AS p
                WHERE p.order_id = o.id AND p.introduced AND p.role <> 'return' ORDER BY p.id)
           || ARRAY(
               SELECT p.token::text || ' guest ' || p.role || ' ' || p.address
                 FROM tracker.participants AS p
                WHERE p.order_id = o.id AND NOT p.introduced AND p.role <> 'return'
                  AND p.address IS NOT NULL
                ORDER BY p.id DESC LIMIT s.guest_limit)
           || ARRAY(
               SELECT p.token::text || ' ' || coalesce(owner.token::text, '-') || ' return '
                      || r.address
                 FROM (SELECT p.id, p.token, p.owner_id FROM tracker.participants AS p
                        WHERE p.order_id = o.id AND p.role = 'return'
                        ORDER BY p.id DESC LIMIT 4) AS p
                 JOIN tracker.return_addresses AS r
                   ON r.participant_id = p.id AND r.address IS NOT NULL
                 LEFT JOIN tracker.participants AS owner ON owner.id = p.owner_id
                ORDER BY p.id DESC),
           E'\n') AS participants,
       ARRAY(
           SELECT i.ours || ' ' || p.token::text || ' '
                  || CASE WHEN octet_length(i.original) <= 1000 THEN i.original ELSE '' END
             FROM tracker.message_ids AS i JOIN tracker.participants AS p ON p.id = i.participant_id
            WHERE i.order_id = o.id LIMIT 51) AS identifiers
  FROM tracker.orders AS o JOIN tracker.stores AS s ON s.name = o.store;

-- Whoever is asked for comes along, wherever they stand. The functions below are made part of the
-- statement that asks, so the same words stand in each.

CREATE OR REPLACE FUNCTION tracker.conversation_with(wanted bigint, token uuid)
RETURNS SETOF tracker.conversation
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN c.status = 'live' AND conversation_with.token IS NOT NULL
                     AND p.address IS NULL THEN 'expired'
                ELSE c.status END,
           conversation_with.token, c.store, c.order_id, c.number, c.ref, c.alias_domain,
           CASE WHEN p.line IS NULL OR position(p.line IN c.participants) > 0 THEN c.participants
                ELSE c.participants || E'\n' || p.line END,
           c.identifiers
      FROM tracker.conversations AS c
      LEFT JOIN tracker.people AS p ON p.token = conversation_with.token
     WHERE c.order_id = wanted
$$;

-- The conversation that a hard alias belongs to. No row: there is no such alias.
CREATE OR REPLACE FUNCTION tracker.conversation_of_hard(token uuid, alias_domain text)
RETURNS SETOF tracker.conversation
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN c.status = 'live' AND p.address IS NULL THEN 'expired' ELSE c.status END,
           p.token, c.store, c.order_id, c.number, c.ref, c.alias_domain,
           CASE WHEN position(p.line IN c.participants) > 0 THEN c.participants
                ELSE c.participants || E'\n' || p.line END,
           c.identifiers
      FROM tracker.people AS p JOIN tracker.conversations AS c ON c.order_id = p.order_id
     WHERE p.token = conversation_of_hard.token
       AND c.alias_domain = conversation_of_hard.alias_domain
$$;

-- The conversation that a soft alias belongs to, once it was handed out: any other is as if it was
-- none. Once its order has expired, its reference alone says so, whatever stands before it: by then
-- the addresses may be gone.
CREATE OR REPLACE FUNCTION tracker.conversation_of_soft(key text, ref text, alias_domain text)
RETURNS SETOF tracker.conversation
LANGUAGE sql STABLE AS $$
    SELECT c.status, p.token, c.store, c.order_id, c.number, c.ref, c.alias_domain, c.participants,
           c.identifiers
      FROM tracker.conversations AS c
      LEFT JOIN tracker.participants AS p
        ON p.order_id = c.order_id AND tracker.address_key(p.address) = key AND p.handed_out
     WHERE c.ref = conversation_of_soft.ref AND c.alias_domain = conversation_of_soft.alias_domain
       AND (p.id IS NOT NULL OR c.status = 'expired')
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

-- What integrators and support call -------------------------------------------------------------

CREATE OR REPLACE FUNCTION tracker.mask(
    store text, order_number text, address text, role text DEFAULT 'buyer')
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    canonical text := tracker.canonical_address(address);
    domain constant text := substring(canonical FROM '[^@]*$');
    settings tracker.stores;
    wanted tracker.orders;
    who tracker.participants;
    given text := role;
    opened bigint;
    carried text;
BEGIN
    IF role IS NULL OR role NOT IN ('buyer', 'store', 'partner') THEN
        RAISE EXCEPTION 'role must be buyer, store or partner' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF domain !~ '[.[]' THEN
        RAISE EXCEPTION 'not a valid mail address: its domain is a single label'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Give one bare address, such as name@example.com.';
    END IF;
    IF tracker.alias_domain_of(domain) IS NOT NULL THEN
        RAISE EXCEPTION 'an address in an alias domain cannot be masked again'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    opened := tracker.open_order(store, order_number, false);
    SELECT * INTO settings FROM tracker.stores AS s WHERE s.name = store;
    SELECT * INTO wanted FROM tracker.orders AS o WHERE o.id = opened FOR NO KEY UPDATE;
    IF wanted.expires_at <= now() OR wanted.emptied_at IS NOT NULL THEN
        RAISE EXCEPTION 'order % of store % has expired', order_number, store
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF domain = ANY (settings.sender_domains) THEN
        given := 'store';
    END IF;
    -- The order's row is locked: nobody else can join meanwhile.
    SELECT * INTO who FROM tracker.participants AS p
     WHERE p.order_id = wanted.id AND tracker.address_key(p.address) = tracker.address_key(canonical);
    IF NOT FOUND THEN
        -- Of several spellings at Gmail that take part already, the first.
        SELECT * INTO who FROM tracker.participants AS p
         WHERE p.order_id = wanted.id AND tracker.gmail_key(p.address) = tracker.gmail_key(canonical)
         ORDER BY p.introduced DESC, p.id LIMIT 1;
    END IF;
    IF NOT FOUND THEN
        SELECT p.* INTO who FROM tracker.return_addresses AS r
          JOIN tracker.participants AS p ON p.id = r.participant_id
         WHERE r.order_id = wanted.id
           AND tracker.address_key(r.address) = tracker.address_key(canonical);
    END IF;
    IF who.introduced IS NOT TRUE THEN
        -- Guests do not count: nobody can fill an order who was not introduced to it.
        IF (SELECT count(*) FROM tracker.participants AS p
             WHERE p.order_id = wanted.id AND p.introduced AND p.role <> 'return'
               AND p.address IS NOT NULL) >= settings.participant_limit THEN
            RAISE EXCEPTION 'order % of store % has reached its participant_limit', order_number, store
                USING ERRCODE = 'program_limit_exceeded';
        END IF;
        IF who.role = 'return' THEN
            DELETE FROM tracker.return_addresses AS r WHERE r.participant_id = who.id;
        END IF;
        UPDATE tracker.participants AS p
           SET introduced = true, role = given, address = coalesce(p.address, canonical),
               owner_id = NULL
         WHERE p.id = who.id RETURNING p.* INTO who;
        IF NOT FOUND THEN
            INSERT INTO tracker.participants (order_id, token, role, address, introduced)
            VALUES (wanted.id, gen_random_uuid(), given, canonical, true) RETURNING * INTO who;
        END IF;
    END IF;
    IF (CASE who.role WHEN 'store' THEN settings.issuer_mask ELSE settings.mask END) = 'soft' THEN
        carried := tracker.soft_alias(who.address, wanted.ref, wanted.alias_domain);
    END IF;
    IF carried IS NULL THEN
        RETURN tracker.hard_alias(who.token, wanted.alias_domain);
    END IF;
    UPDATE tracker.participants AS p SET handed_out = true WHERE p.id = who.id AND NOT p.handed_out;
    RETURN carried;
END
$$;

-- The participant an alias stands for, whatever its order's state, or no row. A soft alias that was
-- never handed out is none.
CREATE OR REPLACE FUNCTION tracker.participant_of(alias text) RETURNS SETOF tracker.participants
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    local text := tracker.address_key(substring(btrim(alias) FROM '^(.*)@[^@]*$'));
    domain text := tracker.canonical_domain(substring(btrim(alias) FROM '^.*@([^@]*)$'));
    alias_domain text := tracker.alias_domain_of(domain);
    carried text[];
    who tracker.participants;
BEGIN
    IF domain = alias_domain AND local ~ '^[0-9a-f]{32}$' THEN
        SELECT p.* INTO who FROM tracker.participants AS p
          JOIN tracker.orders AS o ON o.id = p.order_id
         WHERE p.token = local::uuid AND o.alias_domain = alias_domain;
        IF FOUND THEN
            IF who.role = 'return' THEN
                SELECT r.address INTO who.address FROM tracker.return_addresses AS r
                 WHERE r.participant_id = who.id;
            END IF;
            RETURN NEXT who;
        END IF;
    ELSIF domain <> alias_domain THEN
        carried := regexp_match(left(domain, -length(alias_domain) - 1), '^(.+)-([0-9]{12})b$');
        RETURN QUERY SELECT p.* FROM tracker.participants AS p
                       JOIN tracker.orders AS o ON o.id = p.order_id
                      WHERE o.ref = carried[2] AND o.alias_domain = alias_domain
                        AND tracker.address_key(p.address) = local || '@' || carried[1]
                        AND p.handed_out;
    END IF;
END
$$;

-- Recording -------------------------------------------------------------------------------------

-- Gives lines (as tracker.people) of those of an order who have these addresses and none of these
-- tokens, or NULL: whoever planned a message without knowing of them must plan again.
-- In plpgsql, which keeps its plan: one in SQL is planned anew for each message.
CREATE FUNCTION tracker.known_of(wanted bigint, keys text[], tokens uuid[]) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT string_agg(p.line, E'\n')
          FROM (SELECT p.id FROM tracker.participants AS p
                 WHERE p.order_id = wanted AND tracker.address_key(p.address) = ANY (keys)
                   AND p.token <> ALL (tokens)
                UNION ALL
                SELECT r.participant_id FROM tracker.return_addresses AS r
                 WHERE r.order_id = wanted AND tracker.address_key(r.address) = ANY (keys)) AS known
          JOIN tracker.people AS p ON p.id = known.id
         WHERE p.token <> ALL (tokens));
END
$$;

-- Lets people join an order whose row is locked; nobody has their addresses. False, and nothing
-- written: with whom has joined meanwhile there would be too many.
CREATE FUNCTION tracker.join_order(
    wanted bigint, participant_limit integer, guest_limit integer, joined jsonb)
RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    introducing bigint;
    named bigint;
    returns boolean;
    no_longer boolean;
BEGIN
    SELECT count(*) FILTER (WHERE j.role <> 'return' AND j.introduced AND p.introduced IS NOT TRUE),
           count(*) FILTER (WHERE j.named AND (p.id IS NULL OR p.role = 'return')),
           bool_or(j.role = 'return'), bool_or(j.role <> 'return' AND p.role = 'return')
      INTO introducing, named, returns, no_longer
      FROM jsonb_to_recordset(joined)
           AS j(token uuid, role text, introduced boolean, named boolean)
      LEFT JOIN tracker.participants AS p ON p.token = j.token;
    -- Messages planned at once must not pass the limits together; planned again, one is refused, or
    -- leaves people out.
    IF introducing > 0 AND participant_limit < introducing + (
        SELECT count(*) FROM tracker.participants AS p
         WHERE p.order_id = wanted AND p.introduced AND p.role <> 'return'
           AND p.address IS NOT NULL) THEN
        RETURN false;
    END IF;
    IF named > 0 AND guest_limit < named + (
        SELECT count(*) FROM (
            SELECT FROM tracker.participants AS p
             WHERE p.order_id = wanted AND NOT p.introduced AND p.role <> 'return'
               AND p.address IS NOT NULL LIMIT guest_limit) AS guests) THEN
        RETURN false;
    END IF;
    INSERT INTO tracker.participants (order_id, token, role, address, introduced)
    SELECT wanted, j.token, j.role, j.address, j.introduced
      FROM jsonb_to_recordset(joined)
           AS j(token uuid, role text, address text, introduced boolean)
     WHERE j.role <> 'return'
    ON CONFLICT (token) DO UPDATE
       SET role = CASE WHEN participants.introduced THEN participants.role ELSE excluded.role END,
           address = coalesce(participants.address, excluded.address),
           introduced = participants.introduced OR excluded.introduced,
           owner_id = NULL;
    -- After those whose they may be.
    IF returns THEN
        WITH added AS (
            INSERT INTO tracker.participants (order_id, token, role, introduced, owner_id)
            SELECT wanted, j.token, j.role, false,
                   (SELECT owner.id FROM tracker.participants AS owner
                     WHERE owner.token = j.owner AND owner.order_id = wanted)
              FROM jsonb_to_recordset(joined) AS j(token uuid, role text, owner uuid)
             WHERE j.role = 'return'
            ON CONFLICT (token) DO UPDATE
               SET owner_id = CASE WHEN participants.role = 'return' THEN excluded.owner_id END
            RETURNING id, token, role
        )
        INSERT INTO tracker.return_addresses (participant_id, order_id, address)
        SELECT added.id, wanted, j.address
          FROM added JOIN jsonb_to_recordset(joined) AS j(token uuid, address text)
            ON j.token = added.token
         WHERE added.role = 'return'
        ON CONFLICT (participant_id) DO NOTHING;
    END IF;
    IF no_longer THEN
        DELETE FROM tracker.return_addresses AS r
         USING jsonb_to_recordset(joined) AS j(token uuid, role text), tracker.participants AS p
         WHERE j.role <> 'return' AND p.token = j.token AND r.participant_id = p.id;
    END IF;
    RETURN true;
END
$$;

DROP FUNCTION tracker.join_order(bigint, integer, jsonb);

-- Who is a stranger to an order: a guest, and who is unknown. `joined` is who joins with the message,
-- as record has it.
CREATE FUNCTION tracker.is_stranger(wanted bigint, sender uuid, joined jsonb)
RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM tracker.participants AS p
                        WHERE p.token = sender AND p.order_id = wanted AND p.introduced
                          AND p.role <> 'return')
       AND NOT EXISTS (SELECT FROM jsonb_to_recordset(joined) AS j(token uuid, introduced boolean)
                        WHERE j.token = sender AND j.introduced);
END
$$;

DROP FUNCTION tracker.record(
    bigint, jsonb, bytea, text, text, uuid, uuid, uuid[], uuid[], text, text, text, text, bigint,
    text[], boolean, bytea, jsonb, text, boolean, boolean, text[]);

-- Writes one message of one order, once, with one delivery per recipient, and gives the outcome:
--   done      recorded, or already there
--   stale     somebody else joined meanwhile, or is known who was not read with the conversation:
--             read it again, with those of `known_of`, and plan again
--   expired   the order has expired meanwhile
--   limited   whoever wrote it has had their share of the hour's messages
--   looping   a machine answers again and again, or two answer each other
-- `recipients` and `tokens` go together: a recipient's token, and the bounce token of the delivery.
-- `own`: it is the store's own mail. `brief`: nothing but its client tells it from another one with
-- the same text, so it is the one that came before for ten minutes only, and not for a week.
-- `id` and whose the order is come with a message that is new, whose bounce tokens are those given;
-- of one already there, `bounces` maps each recipient's token to its bounce token.
-- `mentioned`: the addresses, by their keys, of whom the message names and who is not known to whom
-- planned it. `shown`: whose soft alias a copy shows that was not handed out before.
-- Every message pays for each statement here, for what a statement might need and does not, and for
-- a search path set: names are written in full. Its plans are kept: with two years of months,
-- planning anew took four times as long as the rest. They are good for a month that was empty when
-- they were made, because none reads a table through.
CREATE FUNCTION tracker.record(
    order_id bigint, joined jsonb, digest bytea, queue_id text, direction text,
    sender uuid, return_path uuid, recipients uuid[], tokens uuid[], sender_name text,
    message_id text, subject text, first_words text, size bigint, attachment_names text[],
    automatic boolean, raw bytea, identifiers jsonb, verdict text, auto_reply boolean,
    first_pass boolean, notes text[], own boolean, brief boolean,
    mentioned text[], shown uuid[],
    OUT outcome text, OUT bounces jsonb, OUT id bigint, OUT store text, OUT number text,
    OUT alias_domain text)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    over boolean;
    keyed bytea;
    hourly_limit integer;
    participant_limit integer;
    guest_limit integer;
    known bigint;
    known_at timestamptz;
    passes integer;
    stale boolean;
    stranger boolean;
BEGIN
    -- now() is when the transaction began; the order may have been emptied since.
    SELECT o.store, o.number, o.alias_domain, o.expires_at <= now() OR o.emptied_at IS NOT NULL
      INTO record.store, record.number, record.alias_domain, over
      FROM tracker.orders AS o WHERE o.id = record.order_id FOR NO KEY UPDATE;
    IF over IS NOT FALSE THEN
        outcome := 'expired';
        RETURN;
    END IF;
    -- Another statement than the one that waited for the order: it sees what was recorded meanwhile.
    -- The search has an end, as those of tracker.used. Of several the newest: a brief message may
    -- have come before. It is not ordered by what an index is ordered by, or that one would be read.
    SELECT secret.digest, s.hourly_limit, s.participant_limit, s.guest_limit, m.id, m.at, m.passes,
           -- A recipient whose address was erased since then gets nothing.
           EXISTS (SELECT FROM tracker.participants AS p
                     LEFT JOIN tracker.return_addresses AS r ON r.participant_id = p.id
                    WHERE p.order_id = record.order_id AND p.address IS NULL AND r.address IS NULL
                      AND p.token = ANY (recipients))
      INTO keyed, hourly_limit, participant_limit, guest_limit, known, known_at, passes, stale
      FROM tracker.stores AS s
     CROSS JOIN (SELECT sha256(key || record.digest) AS digest FROM tracker.secrets) AS secret
      LEFT JOIN LATERAL (
           SELECT m.id, m.at, m.passes FROM tracker.messages AS m
            WHERE m.order_id = record.order_id AND m.digest = secret.digest
              AND m.at > now() - CASE WHEN brief THEN interval '10 minutes' ELSE interval '7 days' END
              AND m.at < now() + interval '1 day'
            ORDER BY m.id + 0 DESC LIMIT 1) AS m ON true
     WHERE s.name = record.store;
    stranger := NOT record.own AND (record.verdict = 'flagged'
                                    OR tracker.is_stranger(order_id, sender, joined));
    IF known IS NULL OR first_pass THEN
        outcome := tracker.limit_reached(order_id, hourly_limit, sender, recipients, record.own,
                                         stranger, record.verdict, record.auto_reply,
                                         known IS NOT NULL);
    END IF;
    IF first_pass AND passes >= 20 + floor(extract(epoch FROM now() - known_at) / 900) THEN
        -- A client that never got our answer tries again; one that repeats itself for ever does not.
        -- A mail server may go on for days, with minutes between, while a milter behind us refuses.
        outcome := 'limited';
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;
    IF mentioned IS NOT NULL OR joined IS NOT NULL THEN
        stale := stale OR tracker.known_of(
            order_id,
            mentioned || ARRAY(SELECT tracker.address_key(j.address)
                                 FROM jsonb_to_recordset(joined) AS j(address text)),
            ARRAY(SELECT j.token FROM jsonb_to_recordset(joined) AS j(token uuid))) IS NOT NULL;
    END IF;
    IF stale
       OR joined IS NOT NULL
          AND NOT tracker.join_order(order_id, participant_limit, guest_limit, joined) THEN
        outcome := 'stale';
        RETURN;
    END IF;
    IF shown IS NOT NULL THEN
        -- Before the copy leaves that shows it.
        UPDATE tracker.participants AS p SET handed_out = true
         WHERE p.order_id = record.order_id AND p.token = ANY (shown)
           AND p.introduced AND NOT p.handed_out;
    END IF;
    IF known IS NULL THEN
        INSERT INTO tracker.messages (order_id, digest, queue_id, direction, sender_id, return_id,
                                      sender_name, message_id, subject, first_words, size,
                                      attachment_names, automatic, auto_reply, verdict, notes, raw,
                                      own, stranger)
        VALUES (record.order_id, keyed, record.queue_id, record.direction,
                (SELECT p.id FROM tracker.participants AS p
                  WHERE p.token = sender AND p.order_id = record.order_id),
                (SELECT p.id FROM tracker.participants AS p
                  WHERE p.token = return_path AND p.order_id = record.order_id),
                record.sender_name, record.message_id, record.subject, record.first_words,
                record.size, record.attachment_names, record.automatic, record.auto_reply,
                record.verdict, record.notes, record.raw, record.own, stranger)
        RETURNING id, at INTO record.id, known_at;
        -- LIMIT: to look each up takes less than to make a table of them and join it.
        INSERT INTO tracker.deliveries (message_id, message_at, recipient_id, bounce, queue_id)
        SELECT record.id, known_at, p.id, r.bounce, record.queue_id
          FROM unnest(recipients, tokens) AS r(token, bounce),
               LATERAL (SELECT p.id FROM tracker.participants AS p
                         WHERE p.token = r.token AND p.order_id = record.order_id LIMIT 1) AS p;
    ELSE
        bounces := tracker.record_again(known, known_at, first_pass, recipients, tokens, queue_id);
        IF first_pass THEN
            PERFORM tracker.count_repeat(order_id, sender, record.own, stranger, record.verdict);
        END IF;
    END IF;
    IF identifiers IS NOT NULL THEN
        INSERT INTO tracker.message_ids (order_id, ours, original, participant_id)
        SELECT record.order_id, i.ours, i.original, p.id
          FROM jsonb_to_recordset(identifiers) AS i(ours text, original text, token uuid),
               LATERAL (SELECT p.id FROM tracker.participants AS p
                         WHERE p.token = i.token AND p.order_id = record.order_id LIMIT 1) AS p
        ON CONFLICT DO NOTHING;
    END IF;
    outcome := 'done';
END
$$;
