-- What happened, for programs: events, queued by whoever made them happen, and the feed of them.
--
-- An event is queued in the transaction of what happened. The publisher takes what is visible out of
-- the queue and gives it the next positions in the feed, in one transaction: so positions have no
-- gap, a transaction that is open keeps nobody else's events back, and whatever dies meanwhile, none
-- is there twice or lost. Neither table holds anything of a person but ids and aliases.

CREATE DOMAIN tracker.event AS text
    CONSTRAINT event_is_known
        CHECK (VALUE IN ('recorded', 'sent', 'delayed', 'bounced', 'opened', 'joined', 'left out',
                         'refused', 'closed', 'expired', 'unmasked'));

-- No foreign keys: each would be asked for every message. Of an order that is gone nothing is
-- published any more.
CREATE TABLE tracker.event_queue (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT event_queue_pkey PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    event tracker.event NOT NULL,
    order_id bigint NOT NULL,
    message_id bigint,
    -- The message's own, which says in what month it is.
    message_at timestamptz,
    participant_id bigint,
    detail jsonb,
    CONSTRAINT event_queue_message_has_its_time
        CHECK ((message_id IS NULL) = (message_at IS NULL))
)
-- Rows come and go: old ones are vacuumed before they are many.
WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
      autovacuum_vacuum_insert_scale_factor = 0.2);

-- The last position that was given. One row; whoever publishes holds it.
CREATE TABLE tracker.feed_head (
    position bigint NOT NULL DEFAULT 0
        CONSTRAINT feed_head_position_is_not_negative CHECK (position >= 0),
    only_row boolean NOT NULL DEFAULT true
        CONSTRAINT feed_head_pkey PRIMARY KEY CONSTRAINT feed_head_has_one_row CHECK (only_row)
);

INSERT INTO tracker.feed_head DEFAULT VALUES;

-- Whoever publishes holds the lock of this table, which has no row, all the time. Of a table with room
-- on disk that would keep autovacuum out, of a partitioned one without partitions it does not.
CREATE TABLE tracker.publisher (nothing boolean) PARTITION BY LIST (nothing);

ALTER TABLE tracker.publisher ENABLE ROW LEVEL SECURITY;

-- By months of UTC, which repeatable/feed_months.sql makes and drops; what no month takes lies in the
-- default table. A key of a partitioned table holds the partitions' column; that a position is given
-- once is what feed_head is for.
CREATE TABLE tracker.feed (
    position bigint NOT NULL
        CONSTRAINT feed_position_is_positive CHECK (position > 0),
    at timestamptz NOT NULL,
    published_at timestamptz NOT NULL,
    store text NOT NULL
        CONSTRAINT feed_store_is_a_store
            REFERENCES tracker.stores ON UPDATE CASCADE ON DELETE CASCADE,
    order_id bigint NOT NULL,
    order_number text NOT NULL,
    event tracker.event NOT NULL,
    alias text,
    message_id bigint,
    detail jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT feed_pkey PRIMARY KEY (position, published_at)
) PARTITION BY RANGE (published_at);

-- A store's page is read without those of others.
CREATE INDEX feed_store ON tracker.feed (store, position);
-- Nor is it read through for what bounced, was refused or came with a false claim: of many events a few.
CREATE INDEX feed_notable ON tracker.feed (store, event, position)
    WHERE event IN ('bounced', 'refused') OR (event = 'recorded' AND detail ->> 'verdict' = 'flagged');

COMMENT ON TABLE tracker.feed IS 'Published events; a store''s are read by tracker.events().';

CREATE TABLE tracker.feed_default PARTITION OF tracker.feed DEFAULT;

-- Up to what position a store's events are gone, with the month they were in.
CREATE TABLE tracker.feed_gone (
    store text CONSTRAINT feed_gone_pkey PRIMARY KEY
        CONSTRAINT feed_gone_store_is_a_store
            REFERENCES tracker.stores ON UPDATE CASCADE ON DELETE CASCADE,
    position bigint NOT NULL
        CONSTRAINT feed_gone_position_is_positive CHECK (position > 0)
);

-- Whoever unmasks may have more to do in the same transaction, and holds no lock of the order's: only
-- at its end is it known where among the order's other events this one comes.
CREATE FUNCTION tracker.note_unmasking() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO tracker.event_queue (event, order_id, participant_id, detail)
    SELECT 'unmasked', p.order_id, p.id, jsonb_build_object('unmasking', new.id)
      FROM tracker.participants AS p
      JOIN tracker.orders AS o ON o.id = p.order_id
     WHERE p.token = substring(new.alias FROM '^([0-9a-f]{32})@')::uuid
       AND o.alias_domain = substring(new.alias FROM '@(.*)$');
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER unmaskings_event AFTER INSERT ON tracker.unmaskings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tracker.note_unmasking();
