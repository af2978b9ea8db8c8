-- The baseline: every table and type, and the functions that constraints, indexes and triggers use.
--
-- This file is never edited: databases were made from it. What changes later stands in a numbered
-- file of migrations/; all other functions, and the views, stand in repeatable/.
--
-- Real addresses live in participants.address, and those of Reply-To fields and return paths in
-- return_addresses.address; only an identifier in message_ids.original may hold one too.
-- Every constraint is named after the table and column it guards and says what must hold.

DO $$
BEGIN
    IF getdatabaseencoding() <> 'UTF8' THEN
        RAISE EXCEPTION 'the database must be encoded in UTF8, not %', getdatabaseencoding()
            USING HINT = 'CREATE DATABASE ... ENCODING UTF8 TEMPLATE template0';
    END IF;
END
$$;

CREATE SCHEMA tracker;

-- Domains ---------------------------------------------------------------------------------------

CREATE FUNCTION tracker.is_domain_name(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT name ~ '^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'
       AND length(name) <= 253
$$;

CREATE FUNCTION tracker.are_domain_names(names text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(bool_and(coalesce(tracker.is_domain_name(name), false)), true)
      FROM unnest(names) AS name
$$;

CREATE TYPE tracker.name_range AS RANGE (subtype = text, collation = "C");

-- A domain and everything below it, as one range of reversed names: example.com becomes
-- ['com.example.', 'com.example/'), because '/' is the character after '.'.
CREATE FUNCTION tracker.domain_tree(name text) RETURNS tracker.name_range
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT tracker.name_range(string_agg(label, '.' ORDER BY place DESC) || '.',
                              string_agg(label, '.' ORDER BY place DESC) || '/')
      FROM unnest(string_to_array(name, '.')) WITH ORDINALITY AS labels(label, place)
$$;

-- What stores.alias_domain says, and what orders still use.
CREATE TABLE tracker.alias_domains (
    name text CONSTRAINT alias_domains_pkey PRIMARY KEY,
    CONSTRAINT alias_domain_is_never_inside_another
        EXCLUDE USING gist (tracker.domain_tree(name) WITH &&)
);

-- Stores ----------------------------------------------------------------------------------------

CREATE TABLE tracker.stores (
    name text CONSTRAINT stores_pkey PRIMARY KEY
        CONSTRAINT stores_name_is_1_to_100_printable_characters
            CHECK (name ~ '^[^[:cntrl:]]{1,100}$' AND name = btrim(name)),
    alias_domain text NOT NULL
        CONSTRAINT stores_alias_domain_is_a_lower_case_domain_name
            CHECK (tracker.is_domain_name(alias_domain))
        CONSTRAINT stores_alias_domain_leaves_room_for_an_alias
            CHECK (length(alias_domain) <= 200),
    mask text NOT NULL DEFAULT 'hard'
        CONSTRAINT stores_mask_is_hard_or_soft CHECK (mask IN ('hard', 'soft')),
    issuer_mask text NOT NULL DEFAULT 'soft'
        CONSTRAINT stores_issuer_mask_is_hard_or_soft CHECK (issuer_mask IN ('hard', 'soft')),
    sender_domains text[] NOT NULL DEFAULT '{}'
        CONSTRAINT stores_sender_domains_are_lower_case_domain_names
            CHECK (tracker.are_domain_names(sender_domains)),
    order_header text NOT NULL DEFAULT 'X-Order-Id'
        CONSTRAINT stores_order_header_is_a_header_name_of_its_own
            CHECK (order_header ~ '^[!-9;-~]{1,70}$'
                   AND lower(order_header) !~ '^(content-.*|x-conversation-.*|resent-.*)$'
                   AND lower(order_header) NOT IN (
                       'from', 'sender', 'reply-to', 'to', 'cc', 'bcc', 'subject', 'date',
                       'message-id', 'in-reply-to', 'references', 'mime-version', 'received',
                       'return-path', 'auto-submitted', 'precedence')),
    -- Intervals have an end: the sum of a time and a longer one could be out of range.
    alias_lifetime interval NOT NULL DEFAULT '2 months'
        CONSTRAINT stores_alias_lifetime_is_positive CHECK (alias_lifetime > '0')
        CONSTRAINT stores_alias_lifetime_is_at_most_100_years CHECK (alias_lifetime <= '100 years'),
    close_grace interval
        CONSTRAINT stores_close_grace_is_not_negative CHECK (close_grace >= '0')
        CONSTRAINT stores_close_grace_is_at_most_100_years CHECK (close_grace <= '100 years'),
    wake_for interval NOT NULL DEFAULT '1 day'
        CONSTRAINT stores_wake_for_is_not_negative CHECK (wake_for >= '0')
        CONSTRAINT stores_wake_for_is_at_most_100_years CHECK (wake_for <= '100 years'),
    message_retention interval NOT NULL DEFAULT '2 years'
        CONSTRAINT stores_message_retention_is_positive CHECK (message_retention > '0')
        CONSTRAINT stores_message_retention_is_at_most_100_years
            CHECK (message_retention <= '100 years'),
    mask_body boolean NOT NULL DEFAULT true,
    attachments_with_address text NOT NULL DEFAULT 'flag'
        CONSTRAINT stores_attachments_with_address_is_flag_or_remove
            CHECK (attachments_with_address IN ('flag', 'remove')),
    unknown_senders text NOT NULL DEFAULT 'accept'
        CONSTRAINT stores_unknown_senders_is_accept_or_reject
            CHECK (unknown_senders IN ('accept', 'reject')),
    spoofed_senders text NOT NULL DEFAULT 'flag'
        CONSTRAINT stores_spoofed_senders_is_flag_or_reject
            CHECK (spoofed_senders IN ('flag', 'reject')),
    hourly_limit integer NOT NULL DEFAULT 100
        CONSTRAINT stores_hourly_limit_is_positive CHECK (hourly_limit > 0),
    participant_limit integer NOT NULL DEFAULT 100
        CONSTRAINT stores_participant_limit_is_at_least_2 CHECK (participant_limit >= 2),
    active boolean NOT NULL DEFAULT true,
    guest_limit integer NOT NULL DEFAULT 20
        CONSTRAINT stores_guest_limit_is_0_to_1000 CHECK (guest_limit BETWEEN 0 AND 1000),
    -- Who may hand in the store's own mail: the names that clients authenticate as, letter for letter.
    -- Empty: any client that authenticated or is in a trusted network.
    submitters text[] NOT NULL DEFAULT '{}'
        CONSTRAINT stores_submitters_are_a_list_of_names
            CHECK (coalesce(array_ndims(submitters), 1) = 1
                   AND array_position(submitters, NULL) IS NULL
                   AND array_position(submitters, '') IS NULL)
        CONSTRAINT stores_submitters_are_printable
            CHECK (array_to_string(submitters, ' ') !~ '[[:cntrl:]]')
);

COMMENT ON COLUMN tracker.stores.participant_limit IS 'Introduced people of an order; then 550 5.7.1.';
COMMENT ON COLUMN tracker.stores.guest_limit IS
    'People of an order whom only strangers named; further ones are left out of the copies.';

-- What stores.sender_domains says, one row per domain, so that a key can guard it.
CREATE TABLE tracker.sender_domains (
    name text CONSTRAINT sender_domain_belongs_to_one_store PRIMARY KEY,
    store text NOT NULL REFERENCES tracker.stores ON UPDATE CASCADE ON DELETE CASCADE
);

CREATE INDEX sender_domains_store ON tracker.sender_domains (store);
CREATE INDEX sender_domains_tree ON tracker.sender_domains
    USING gist (tracker.domain_tree(name));

-- Keeps alias_domains and sender_domains as the stores say. A store's own address must never be
-- taken for an alias, nor an alias for a store's own address.
CREATE FUNCTION tracker.note_domains() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    clash text;
BEGIN
    -- Two rows written at once must see each other.
    LOCK TABLE tracker.alias_domains, tracker.sender_domains IN SHARE ROW EXCLUSIVE MODE;
    IF TG_OP <> 'INSERT' THEN
        -- A mistyped domain must not stay: mail to it is refused as mail to an unknown alias.
        DELETE FROM tracker.alias_domains AS unused
         WHERE unused.name = old.alias_domain
           AND NOT EXISTS (SELECT FROM tracker.stores AS s WHERE s.alias_domain = unused.name)
           AND NOT EXISTS (SELECT FROM tracker.orders AS o WHERE o.alias_domain = unused.name);
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN NULL;
    END IF;
    INSERT INTO tracker.alias_domains VALUES (new.alias_domain) ON CONFLICT (name) DO NOTHING;
    DELETE FROM tracker.sender_domains
     WHERE store = new.name AND name <> ALL (new.sender_domains);
    INSERT INTO tracker.sender_domains
    SELECT DISTINCT domain, new.name
      FROM unnest(new.sender_domains) AS domain
     WHERE NOT EXISTS (SELECT FROM tracker.sender_domains AS own
                        WHERE own.name = domain AND own.store = new.name);
    -- By an index each way: there may be thousands of both.
    SELECT name INTO clash FROM (
        SELECT sender.name FROM tracker.sender_domains AS sender, tracker.alias_domains AS alias
         WHERE sender.store = new.name
           AND tracker.domain_tree(alias.name) @> tracker.domain_tree(sender.name)
        UNION ALL
        SELECT sender.name FROM tracker.sender_domains AS sender
         WHERE tracker.domain_tree(sender.name) <@ tracker.domain_tree(new.alias_domain)
    ) AS clashes LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'sender domain "%" lies in an alias domain', clash
            USING ERRCODE = 'check_violation', SCHEMA = 'tracker', TABLE = 'stores',
                  COLUMN = 'sender_domains',
                  CONSTRAINT = 'stores_sender_domains_lie_outside_alias_domains',
                  HINT = 'A store sends from domains of its own; no alias domain holds a mailbox.';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER stores_domains
    AFTER INSERT OR DELETE OR UPDATE OF name, alias_domain, sender_domains ON tracker.stores
    FOR EACH ROW EXECUTE FUNCTION tracker.note_domains();

-- What digests are keyed with, and what the first pass signs its findings with. One row; no role
-- may read it but the service's.
CREATE TABLE tracker.secrets (
    key bytea NOT NULL DEFAULT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
        CONSTRAINT secrets_key_is_32_octets CHECK (octet_length(key) = 32),
    only_row boolean NOT NULL DEFAULT true
        CONSTRAINT secrets_pkey PRIMARY KEY CONSTRAINT secrets_has_one_row CHECK (only_row)
);

INSERT INTO tracker.secrets DEFAULT VALUES;

-- The directory -----------------------------------------------------------------------------------

-- What every worker holds a copy of: the stores, their domains, the secret. The version tells whether
-- the copy is the last; it changes with the transaction that changed them, once. Asking for one
-- number works behind any pooler, where a notification does not arrive.
CREATE TABLE tracker.directory (
    version bigint NOT NULL DEFAULT 0,
    changed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    only_row boolean NOT NULL DEFAULT true
        CONSTRAINT directory_pkey PRIMARY KEY CONSTRAINT directory_has_one_row CHECK (only_row)
);

INSERT INTO tracker.directory DEFAULT VALUES;

CREATE FUNCTION tracker.note_change() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE tracker.directory SET version = version + 1, changed_in = pg_current_xact_id()
     WHERE changed_in <> pg_current_xact_id();
    RETURN NULL;
END
$$;

CREATE TRIGGER stores_directory AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tracker.stores
    FOR EACH STATEMENT EXECUTE FUNCTION tracker.note_change();
-- By rows: expiry looks for unused domains every day, and most often there are none.
CREATE TRIGGER alias_domains_directory AFTER INSERT OR UPDATE OR DELETE ON tracker.alias_domains
    FOR EACH ROW EXECUTE FUNCTION tracker.note_change();
CREATE TRIGGER secrets_directory AFTER INSERT OR UPDATE OR DELETE ON tracker.secrets
    FOR EACH STATEMENT EXECUTE FUNCTION tracker.note_change();

-- Orders and participants -----------------------------------------------------------------------

CREATE TABLE tracker.orders (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT orders_pkey PRIMARY KEY,
    store text NOT NULL REFERENCES tracker.stores ON UPDATE CASCADE,
    number text NOT NULL
        CONSTRAINT orders_number_is_1_to_200_printable_characters
            CHECK (number ~ '^[^[:cntrl:]]{1,200}$' AND number = btrim(number)),
    ref text NOT NULL CONSTRAINT orders_ref_is_unique UNIQUE
        CONSTRAINT orders_ref_is_12_digits CHECK (ref ~ '^[0-9]{12}$'),
    -- An order keeps the domain it began with: aliases that are out stay good.
    alias_domain text NOT NULL REFERENCES tracker.alias_domains,
    placed_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    expires_at timestamptz NOT NULL,
    emptied_at timestamptz,
    CONSTRAINT orders_number_is_unique_in_its_store UNIQUE (store, number)
)
-- Expiry writes many rows anew. Their old versions are vacuumed before they are one in fifty, so
-- that the room is used again and the table does not grow.
WITH (autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX orders_to_empty ON tracker.orders (expires_at) WHERE emptied_at IS NULL;
CREATE INDEX orders_to_remove ON tracker.orders (expires_at) WHERE emptied_at IS NOT NULL;

-- Identity: two addresses are one person if and only if their keys are equal, in any database's
-- locale; the same as Address.key of core/model/address.py.
CREATE FUNCTION tracker.address_key(address text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN address ~ '[^\x01-\x7f]'
                THEN normalize(lower(address COLLATE "und-x-icu"), NFC) COLLATE "default"
                ELSE lower(address COLLATE "C") COLLATE "default" END
$$;

-- Dots count nothing at Gmail, and it has two names: the same mailbox in all its spellings, but for
-- a +tag. NULL elsewhere.
CREATE FUNCTION tracker.gmail_key(address text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN address ~* '^[^"+@]+(\+[^"@]*)?@(gmail|googlemail)\.com$'
                THEN replace(lower(substring(address COLLATE "C" FROM '^[^+@]+')), '.', '')
                     || lower(coalesce(substring(address COLLATE "C" FROM '\+[^@]*'), ''))
                     || '@gmail.com' END
$$;

-- Introduced is whom somebody named whose word counts: mask(), the store's own mail, or an introduced
-- participant who is who they claim to be. Everybody else is a guest: guests get hard aliases, and
-- stop nobody's mail.
CREATE TABLE tracker.participants (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT participants_pkey PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES tracker.orders ON DELETE CASCADE,
    token uuid NOT NULL CONSTRAINT participants_token_is_unique UNIQUE,
    role text NOT NULL
        CONSTRAINT participants_role_is_buyer_store_partner_or_return
            CHECK (role IN ('buyer', 'store', 'partner', 'return')),
    address text
        CONSTRAINT participants_address_is_an_address
            CHECK (address ~ '^[^[:cntrl:]]+@[^@[:space:][:cntrl:]]+$'
                   AND octet_length(address) <= 320),
    introduced boolean NOT NULL DEFAULT true,
    joined_at timestamptz NOT NULL DEFAULT now(),
    -- A soft alias, which anybody could write down who knows the order's reference and guesses an
    -- address, stands for nobody until a copy showed it or mask() gave it.
    handed_out boolean NOT NULL DEFAULT false,
    -- Of a Reply-To address or return path: who wrote the message that brought it.
    owner_id bigint
        CONSTRAINT participants_owner_is_a_participant
            REFERENCES tracker.participants ON DELETE SET NULL,
    -- Messages refer to both: whoever wrote in an order takes part in it.
    CONSTRAINT participants_are_of_one_order UNIQUE (order_id, id),
    CONSTRAINT participants_return_address_lies_apart CHECK (role <> 'return' OR address IS NULL),
    CONSTRAINT participants_handed_out_are_introduced CHECK (introduced OR NOT handed_out)
)
WITH (autovacuum_vacuum_scale_factor = 0.02); -- as orders

COMMENT ON COLUMN tracker.participants.address IS
    'The real address, but that of a Reply-To or return path. NULL once the order has expired.';
COMMENT ON COLUMN tracker.participants.introduced IS
    'Named by mask(), the store''s own mail or an introduced participant; else a guest.';
COMMENT ON COLUMN tracker.participants.handed_out IS
    'The soft alias was given by mask() or shown by a copy; no other soft alias resolves.';

CREATE UNIQUE INDEX participants_address_is_once_per_order
    ON tracker.participants (order_id, tracker.address_key(address)) WHERE address IS NOT NULL;
CREATE INDEX participants_address ON tracker.participants (tracker.address_key(address))
    WHERE address IS NOT NULL;
CREATE INDEX participants_gmail ON tracker.participants (order_id, tracker.gmail_key(address))
    WHERE tracker.gmail_key(address) IS NOT NULL;
CREATE INDEX participants_owner ON tracker.participants (owner_id) WHERE owner_id IS NOT NULL;

-- A message's look-up reads these from an end, however many there are.
CREATE INDEX participants_introduced ON tracker.participants (order_id, id)
    WHERE introduced AND role <> 'return';
CREATE INDEX participants_guests ON tracker.participants (order_id, id)
    WHERE NOT introduced AND role <> 'return' AND address IS NOT NULL;
CREATE INDEX participants_returns ON tracker.participants (order_id, id) WHERE role = 'return';

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

CREATE UNIQUE INDEX return_addresses_address_is_once_per_order
    ON tracker.return_addresses (order_id, tracker.address_key(address)) WHERE address IS NOT NULL;
CREATE INDEX return_addresses_address ON tracker.return_addresses (tracker.address_key(address))
    WHERE address IS NOT NULL;

-- Messages and deliveries -----------------------------------------------------------------------
--
-- Both are kept by months of UTC, in pairs of partitions that repeatable/partitions.sql makes and drops; what
-- no month takes lies in the default pair, and mail goes on. A key of a partitioned table holds the
-- partitions' column, so PostgreSQL cannot guard alone that messages.id and deliveries.bounce are
-- unique: the one is given by one sequence (GENERATED ALWAYS), the other are 122 random bits. That
-- a delivery belongs to a message of the same month is a foreign key from partition to partition:
-- one between the whole tables would read both through when a month is dropped.
--
-- What a column may say is a domain's constraint, not the table's: the latter is read anew from the
-- catalogue for each message.

CREATE DOMAIN tracker.direction AS text
    CONSTRAINT messages_direction_is_outbound_inbound_or_internal
        CHECK (VALUE IN ('outbound', 'inbound', 'internal'));

-- flagged: somebody claimed to be a participant or the store, and the verifier said no.
CREATE DOMAIN tracker.verdict AS text
    CONSTRAINT messages_verdict_is_known
        CHECK (VALUE IN ('trusted', 'verified', 'unverified', 'failed', 'flagged'));

CREATE DOMAIN tracker.octets AS bigint
    CONSTRAINT messages_size_is_not_negative CHECK (VALUE >= 0);

CREATE DOMAIN tracker.delivery_state AS text
    CONSTRAINT deliveries_state_is_known
        CHECK (VALUE IN ('accepted', 'delayed', 'sent', 'bounced', 'refused'));

CREATE DOMAIN tracker.status_code AS text
    CONSTRAINT deliveries_status_is_an_enhanced_status_code_alone
        CHECK (VALUE ~ '^([245]\.[0-9]{1,3}\.[0-9]{1,3})?$');

CREATE TABLE tracker.messages (
    id bigint GENERATED ALWAYS AS IDENTITY,
    order_id bigint NOT NULL REFERENCES tracker.orders ON DELETE CASCADE,
    -- Keyed with the secret: from a plain digest, a guessed address could be confirmed.
    digest bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    queue_id text NOT NULL,
    direction tracker.direction NOT NULL,
    sender_id bigint NOT NULL,
    return_id bigint,
    sender_name text NOT NULL,
    message_id text NOT NULL,
    subject text NOT NULL,
    first_words text NOT NULL,
    size tracker.octets NOT NULL,
    attachment_names text[] NOT NULL,
    automatic boolean NOT NULL,
    auto_reply boolean NOT NULL,
    verdict tracker.verdict NOT NULL,
    -- Parts that held an address and could not be masked, each as "NUMBER TYPE KIND".
    notes text[] NOT NULL,
    raw bytea NOT NULL,
    -- How often a client handed it in.
    passes integer NOT NULL DEFAULT 1,
    -- The store's own mail: from a trusted client, with From in sender_domains.
    own boolean NOT NULL DEFAULT false,
    -- Its author was a stranger then, or claimed to be somebody else.
    stranger boolean NOT NULL DEFAULT false,
    CONSTRAINT messages_pkey PRIMARY KEY (id, at),
    -- By the order as well, so that messages_order serves them and they need no index of their own.
    CONSTRAINT messages_sender_takes_part
        FOREIGN KEY (order_id, sender_id) REFERENCES tracker.participants (order_id, id),
    CONSTRAINT messages_return_takes_part
        FOREIGN KEY (order_id, return_id) REFERENCES tracker.participants (order_id, id)
) PARTITION BY RANGE (at);

-- PostgreSQL's own compression takes 15 ms for a megabyte of attachments; a server may be built
-- without the quick one.
DO $$
BEGIN
    ALTER TABLE tracker.messages ALTER COLUMN raw SET COMPRESSION lz4;
EXCEPTION
    WHEN feature_not_supported THEN NULL;
END
$$;

-- Recording holds the order's row: the same message is not written twice within the longest time
-- that clients try again, and may come again later.
CREATE INDEX messages_digest ON tracker.messages (order_id, digest);
CREATE INDEX messages_order ON tracker.messages (order_id, at);
CREATE INDEX messages_at ON tracker.messages (at);
-- By hash: a Message-ID may be longer than a B-tree takes.
CREATE INDEX messages_message_id ON tracker.messages USING hash (message_id)
    WHERE message_id <> '';

CREATE TABLE tracker.deliveries (
    message_id bigint NOT NULL,
    -- The message's own, so that both lie in the same month.
    message_at timestamptz NOT NULL,
    recipient_id bigint NOT NULL REFERENCES tracker.participants,
    bounce uuid NOT NULL,
    -- Of the copy that leaves: the splitter's, where it made one.
    queue_id text NOT NULL,
    state tracker.delivery_state NOT NULL DEFAULT 'accepted',
    status tracker.status_code NOT NULL DEFAULT '',
    -- Digest of the report that told so; the same report again is not another one.
    report bytea,
    changed_at timestamptz NOT NULL DEFAULT now(),
    reason text NOT NULL DEFAULT '',
    CONSTRAINT deliveries_pkey PRIMARY KEY (message_id, recipient_id, message_at),
    CONSTRAINT deliveries_bounce_is_unique UNIQUE (bounce, message_at)
) PARTITION BY RANGE (message_at);

CREATE INDEX deliveries_recipient ON tracker.deliveries (recipient_id);
CREATE INDEX deliveries_queue_id ON tracker.deliveries (queue_id);

COMMENT ON COLUMN tracker.deliveries.reason IS 'The remote''s words, masked.';

CREATE TABLE tracker.messages_default PARTITION OF tracker.messages DEFAULT;
CREATE TABLE tracker.deliveries_default PARTITION OF tracker.deliveries (
    CONSTRAINT deliveries_message_is_there
        FOREIGN KEY (message_id, message_at) REFERENCES tracker.messages_default (id, at)
        ON DELETE CASCADE
) DEFAULT;

-- A delivery's state changes soon after it was written: with room on its page the indexes stay.
ALTER TABLE tracker.deliveries_default SET (fillfactor = 80);

-- Messages that were handed in once more, of the last hour: each repeat takes some out that are older.
CREATE TABLE tracker.repeats (
    order_id bigint NOT NULL REFERENCES tracker.orders ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT now(),
    -- NULL: somebody who claimed to be somebody else.
    sender_id bigint REFERENCES tracker.participants ON DELETE CASCADE,
    own boolean NOT NULL,
    stranger boolean NOT NULL,
    CONSTRAINT repeats_own_mail_is_no_strangers CHECK (NOT (own AND stranger))
)
WITH (autovacuum_vacuum_scale_factor = 0.02); -- as orders

CREATE INDEX repeats_order ON tracker.repeats (order_id, at);
CREATE INDEX repeats_at ON tracker.repeats (at);
CREATE INDEX repeats_sender ON tracker.repeats (sender_id);

-- Refused mail. Nothing of a refused message is kept but its subject, masked. A client that tries
-- again adds to the count of the same row.
CREATE TABLE tracker.refusals (
    order_id bigint NOT NULL REFERENCES tracker.orders ON DELETE CASCADE,
    digest bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    times integer NOT NULL DEFAULT 1,
    -- NULL: nobody who takes part in the order.
    author_id bigint REFERENCES tracker.participants ON DELETE CASCADE,
    recipient_id bigint REFERENCES tracker.participants ON DELETE CASCADE,
    subject text NOT NULL,
    reply text NOT NULL,
    -- When the row was made; `at` is when it was last added to.
    since timestamptz NOT NULL DEFAULT now(),
    -- It counts what the hour's other rows had no room for.
    more boolean NOT NULL DEFAULT false,
    CONSTRAINT refusals_pkey PRIMARY KEY (order_id, digest)
);

CREATE INDEX refusals_at ON tracker.refusals (at);
CREATE INDEX refusals_author ON tracker.refusals (author_id);
CREATE INDEX refusals_recipient ON tracker.refusals (recipient_id);
CREATE INDEX refusals_order ON tracker.refusals (order_id, since);

-- Message identifiers that revealed a person, and what stands for them. Emptied by expiry, like
-- the addresses.
CREATE TABLE tracker.message_ids (
    order_id bigint NOT NULL REFERENCES tracker.orders ON DELETE CASCADE,
    ours text NOT NULL,
    original text NOT NULL,
    participant_id bigint NOT NULL REFERENCES tracker.participants ON DELETE CASCADE,
    CONSTRAINT message_ids_pkey PRIMARY KEY (order_id, ours)
)
WITH (autovacuum_vacuum_scale_factor = 0.02); -- as orders

CREATE INDEX message_ids_participant ON tracker.message_ids (participant_id);

-- Who asked for a real address, when and why. The alias is kept in hard form.
CREATE TABLE tracker.unmaskings (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT unmaskings_pkey PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    db_user text NOT NULL,
    actor text NOT NULL,
    alias text NOT NULL,
    reason text NOT NULL
        CONSTRAINT unmaskings_reason_is_given CHECK (reason ~ '[^[:space:]]')
);

-- A large message on its way into tracker.messages, which gets it in one piece: the client need not
-- hold it whole. Rows live within one transaction.
CREATE UNLOGGED TABLE tracker.pieces (
    id uuid NOT NULL,
    number integer NOT NULL,
    data bytea NOT NULL,
    CONSTRAINT pieces_pkey PRIMARY KEY (id, number)
);
ALTER TABLE tracker.pieces ALTER COLUMN data SET STORAGE EXTERNAL;

-- Suspects --------------------------------------------------------------------------------------

-- Messages that were in flight when a process of the service ended.
--
-- Each is tried next alone, and only one that ends a process alone is condemned: refused for good,
-- on every host. Nothing of a message is kept but its keyed digest. Workers read these with the
-- directory; there are few, and never more than a thousand of either kind.

CREATE TABLE tracker.suspects (
    digest bytea CONSTRAINT suspects_pkey PRIMARY KEY
        CONSTRAINT suspects_digest_is_32_octets CHECK (octet_length(digest) = 32),
    condemned boolean NOT NULL,
    host text NOT NULL CONSTRAINT suspects_host_is_named CHECK (host <> ''),
    at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX suspects_at ON tracker.suspects (condemned, at);

-- By rows: expiry looks for old ones every day, and most often there are none.
CREATE TRIGGER suspects_directory AFTER INSERT OR UPDATE OR DELETE ON tracker.suspects
    FOR EACH ROW EXECUTE FUNCTION tracker.note_change();

-- What functions give ----------------------------------------------------------------------------

-- What mail needs to know of one order: its store's settings, itself, and who takes part.
-- status: live, expired (the alias, its participant or its order is over), inactive (the store).
-- store: a JSON array, which takes less than an object; database/rows.py names its items.
-- participants: a line of tracker.people for each; only an address may have spaces in it, and none
-- has a line break. JSON takes twice as long.
-- identifiers: "OURS TOKEN ORIGINAL" for each. They come along so that the end of the message need
-- not ask; of very many, one more than 50 comes, and of a very long one no original: then it asks.
CREATE TYPE tracker.conversation AS (
    status text,
    token uuid,
    store text,
    order_id bigint,
    number text,
    ref text,
    alias_domain text,
    participants text,
    identifiers text[]
);

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
