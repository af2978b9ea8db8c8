-- Whose buyer waits for an answer; who looked up whose orders, had them written out, and was erased.

-- It is kept with the order, whose row is locked and read for every message anyway: asked of the
-- messages, it would take each order's last ones, of every month. It is written only when it changes.
ALTER TABLE tracker.orders ADD COLUMN waiting_since timestamptz;

COMMENT ON COLUMN tracker.orders.waiting_since IS
    'When the first message of the buyer''s came that nobody has answered since.';

UPDATE tracker.orders AS o SET waiting_since = w.since
  FROM (SELECT c.order_id, min(c.at) AS since
          FROM (SELECT m.order_id, m.at, m.direction,
                       max(m.at) FILTER (WHERE m.direction = 'outbound' AND NOT m.stranger)
                           OVER (PARTITION BY m.order_id) AS answered
                  FROM tracker.messages AS m JOIN tracker.orders AS o ON o.id = m.order_id
                 WHERE o.expires_at > now() AND (o.closed_at IS NULL OR m.at > o.closed_at)
                   AND m.direction IN ('inbound', 'outbound')
                   AND NOT m.automatic AND m.verdict <> 'flagged') AS c
         WHERE c.direction = 'inbound' AND (c.answered IS NULL OR c.at > c.answered)
         GROUP BY c.order_id) AS w
 WHERE w.order_id = o.id;

-- By stores: one for all would be read where others' orders wait, and what was read can be counted. Orders
-- that were closed or emptied meanwhile need not be passed over.
CREATE INDEX orders_waiting ON tracker.orders (store, waiting_since)
    WHERE waiting_since IS NOT NULL AND emptied_at IS NULL
      AND (closed_at IS NULL OR waiting_since > closed_at);

-- Who asked which orders an address has a part in, when, and for which store; see unmaskings.
CREATE TABLE tracker.lookups (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT lookups_pkey PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    db_user text NOT NULL,
    actor text NOT NULL,
    -- By its name of then.
    store text NOT NULL,
    -- Of the address, keyed with the secret: the same for all its spellings. It is not kept itself.
    digest bytea NOT NULL
        CONSTRAINT lookups_digest_is_32_octets CHECK (octet_length(digest) = 32),
    -- How many orders were told.
    found integer NOT NULL CONSTRAINT lookups_found_is_not_negative CHECK (found >= 0)
);

-- Who had all conversations of an address written out, and when; see lookups.
CREATE TABLE tracker.exports (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT exports_pkey PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    db_user text NOT NULL,
    actor text NOT NULL,
    digest bytea NOT NULL
        CONSTRAINT exports_digest_is_32_octets CHECK (octet_length(digest) = 32),
    -- As how many participants, Reply-To addresses and return paths it was known.
    found integer NOT NULL CONSTRAINT exports_found_is_not_negative CHECK (found >= 0)
);

COMMENT ON TABLE tracker.exports IS 'Who had all conversations of an address written out, and when.';

-- What was erased, so that it can be again where a backup brings it back: a person's address, and each
-- identifier or return path of others' that held it. Kept until nothing in any backup could bring it back.
CREATE TABLE tracker.erasures (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT erasures_pkey PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    db_user text NOT NULL,
    actor text NOT NULL,
    kind text NOT NULL
        CONSTRAINT erasures_kind_is_address_or_identifier CHECK (kind IN ('address', 'identifier')),
    digest bytea NOT NULL
        CONSTRAINT erasures_digest_is_32_octets CHECK (octet_length(digest) = 32),
    keep_until timestamptz NOT NULL
);

CREATE INDEX erasures_digest ON tracker.erasures (digest);

COMMENT ON TABLE tracker.erasures IS 'What was erased, as keyed digests: tracker.erase_again erases it again.';
