-- Webhooks: where the publisher sends what happened to a store's orders, and what waits to be sent.
--
-- A webhook follows the feed by a position of its own. The events it wants are queued as deliveries, a
-- bounded number at a time, and a delivery goes when the receiver has taken it; so what waits is in the
-- feed, and a webhook that waits for days costs nothing. A delivery that failed for a day is dead: it
-- stays until it is sent again on demand, or its event leaves the feed.

CREATE TABLE tracker.webhooks (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT webhooks_pkey PRIMARY KEY,
    store text NOT NULL
        CONSTRAINT webhooks_store_is_a_store
            REFERENCES tracker.stores ON UPDATE CASCADE ON DELETE CASCADE,
    -- http is for receivers inside, where [publish] allow_private lets it go there.
    url text NOT NULL
        CONSTRAINT webhooks_url_begins_with_https_or_http CHECK (url ~ '^https?://')
        CONSTRAINT webhooks_url_has_2000_characters_at_most CHECK (length(url) <= 2000)
        CONSTRAINT webhooks_url_has_no_user_or_password CHECK (url !~ '^[a-z]+://[^/?#]*@')
        CONSTRAINT webhooks_url_is_host_and_port_and_path_in_ascii
            CHECK (url ~ ('^https?://([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])'
                          '(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~!$&''()*+,;=:@/?%-]*)?$')
                   AND coalesce(substring(url FROM '^https?://[^/]*:([0-9]{1,5})(?:/|$)')::integer,
                                443) <= 65535),
    -- Standard Webhooks: what both sides sign with. 24 to 64 octets.
    secret text NOT NULL
        DEFAULT 'whsec_' || encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
                                          || uuid_send(gen_random_uuid())), 'base64')
        CONSTRAINT webhooks_secret_is_whsec_and_base64_of_24_to_64_octets
            CHECK (CASE WHEN secret ~ ('^whsec_([A-Za-z0-9+/]{4}){8,22}'
                                       '([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$')
                        THEN octet_length(decode(substr(secret, 7), 'base64')) BETWEEN 24 AND 64
                        ELSE false END),
    former_secret text
        CONSTRAINT webhooks_former_secret_is_like_a_secret
            CHECK (CASE WHEN former_secret ~ ('^whsec_([A-Za-z0-9+/]{4}){8,22}'
                                              '([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$')
                        THEN octet_length(decode(substr(former_secret, 7), 'base64')) BETWEEN 24 AND 64
                        ELSE former_secret IS NULL END),
    -- No array of tracker.event: PostgreSQL lets nobody change a domain that has one.
    events text[] NOT NULL DEFAULT '{}'
        CONSTRAINT webhooks_events_are_those_of_the_feed
            CHECK (events <@ ARRAY['recorded', 'sent', 'delayed', 'bounced', 'opened', 'joined',
                                   'left out', 'refused', 'closed', 'expired', 'unmasked']
                   AND cardinality(events) <= 100),
    active boolean NOT NULL DEFAULT true,
    CONSTRAINT webhooks_url_is_given_once_in_a_store UNIQUE (store, url)
);

COMMENT ON TABLE tracker.webhooks IS 'Where events of a store are sent, signed (Standard Webhooks).';
COMMENT ON COLUMN tracker.webhooks.url IS 'https://HOST[:PORT]/PATH; http inside only.';
COMMENT ON COLUMN tracker.webhooks.secret IS 'Made by default; the receiver has it too.';
COMMENT ON COLUMN tracker.webhooks.former_secret IS 'Signs as well, while the secret is changed.';
COMMENT ON COLUMN tracker.webhooks.events IS 'Which events; empty: all.';
COMMENT ON COLUMN tracker.webhooks.active IS 'false: nothing is sent; true again: what is missing is.';

ALTER TABLE tracker.webhooks ENABLE ROW LEVEL SECURITY;

-- Nor do the planner's estimates tell of it (0019).
ALTER TABLE tracker.webhooks ALTER url SET STATISTICS 0, ALTER store SET STATISTICS 0;

-- How far each webhook is, and how its receiver does.
CREATE TABLE tracker.webhook_states (
    webhook_id bigint CONSTRAINT webhook_states_pkey PRIMARY KEY
        CONSTRAINT webhook_states_webhook_is_there REFERENCES tracker.webhooks ON DELETE CASCADE,
    -- Up to this position of the feed its events were queued.
    position bigint NOT NULL,
    delivered_at timestamptz,
    -- Tries that failed at the receiver, one after another, the first of them when, and until when it
    -- is left alone.
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    held_until timestamptz,
    -- It answered 410.
    gone_at timestamptz,
    -- Events left the feed before they were sent.
    lost_at timestamptz,
    CONSTRAINT webhook_states_failing_since_the_first_failure
        CHECK ((failures = 0) = (failing_since IS NULL))
);

CREATE TABLE tracker.webhook_deliveries (
    webhook_id bigint NOT NULL
        CONSTRAINT webhook_deliveries_webhook_is_there
            REFERENCES tracker.webhooks ON DELETE CASCADE,
    -- Where in the feed, and in which month of it.
    position bigint NOT NULL,
    published_at timestamptz NOT NULL,
    -- It is tried for a day from here.
    queued_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    -- An HTTP status, or a word of a closed list.
    said text
        CONSTRAINT webhook_deliveries_said_is_a_status_or_a_word
            CHECK (said ~ '^([0-9]{3}|[a-z-]{1,20})$'),
    dead_at timestamptz,
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (webhook_id, position)
)
-- Rows come and go: old ones are vacuumed before they are many.
WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE INDEX webhook_deliveries_waiting
    ON tracker.webhook_deliveries (webhook_id, next_at) WHERE dead_at IS NULL;
CREATE INDEX webhook_deliveries_dead
    ON tracker.webhook_deliveries (webhook_id) WHERE dead_at IS NOT NULL;

-- A new webhook begins with what happens from now on. One that is changed is tried at once; one that is
-- made active again has a new day for what waits.
CREATE FUNCTION tracker.begin_webhook() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO tracker.webhook_states (webhook_id, position)
        SELECT new.id, h.position FROM tracker.feed_head AS h;
        RETURN NULL;
    END IF;
    UPDATE tracker.webhook_states
       SET failures = 0, failing_since = NULL, held_until = NULL, gone_at = NULL
     WHERE webhook_id = new.id;
    IF NOT old.active THEN
        UPDATE tracker.webhook_deliveries SET queued_at = now(), next_at = now(), attempts = 0
         WHERE webhook_id = new.id AND dead_at IS NULL;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER webhooks_begin AFTER INSERT ON tracker.webhooks
    FOR EACH ROW EXECUTE FUNCTION tracker.begin_webhook();
CREATE TRIGGER webhooks_begin_again AFTER UPDATE OF url, secret, former_secret, active
    ON tracker.webhooks FOR EACH ROW
    WHEN (new.active AND (new.url, new.secret, new.former_secret, new.active)
                         IS DISTINCT FROM (old.url, old.secret, old.former_secret, old.active))
    EXECUTE FUNCTION tracker.begin_webhook();
