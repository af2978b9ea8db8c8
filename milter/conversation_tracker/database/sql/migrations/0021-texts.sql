-- What the publisher takes out of recorded messages: text, page, list of files, words to search.
--
-- A row lies in the month of its message and goes with it. Messages without a row are those that
-- the publisher has yet to look at. No role may read the table but the service's: conversation,
-- attachment, page and search of repeatable/texts.sql ask for the grant first.

-- A number of each store, which stays when the store is called otherwise. What one store may look up
-- begins with it in the indexes: in one for all stores a search would read where others' mail has the
-- word, and what was read can be counted.
CREATE TABLE tracker.store_numbers (
    store text CONSTRAINT store_numbers_pkey PRIMARY KEY
        CONSTRAINT store_numbers_store_is_a_store
            REFERENCES tracker.stores ON UPDATE CASCADE ON DELETE CASCADE,
    number integer GENERATED ALWAYS AS IDENTITY
        CONSTRAINT store_numbers_number_is_one_stores UNIQUE
);

INSERT INTO tracker.store_numbers (store) SELECT name FROM tracker.stores;

CREATE FUNCTION tracker.number_store() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO tracker.store_numbers (store) VALUES (new.name);
    RETURN NULL;
END
$$;

CREATE TRIGGER stores_number AFTER INSERT ON tracker.stores
    FOR EACH ROW EXECUTE FUNCTION tracker.number_store();

ALTER TABLE tracker.store_numbers ENABLE ROW LEVEL SECURITY;

CREATE TABLE tracker.texts (
    message_id bigint NOT NULL,
    -- The message's own, so that both lie in the same month.
    message_at timestamptz NOT NULL,
    -- The message's own, so that a search need not look at the messages of other stores.
    order_id bigint NOT NULL,
    body text NOT NULL,
    -- Sanitised; NULL where the message has none, or none that may be shown.
    html text,
    -- An object for each file: number, name, type, size, and where its content is: `encoding` of the
    -- `length` octets that begin `from_end` before the end of messages.raw; of what SQL cannot
    -- decode, `stored` is its place in files.
    attachments jsonb NOT NULL
        CONSTRAINT texts_attachments_are_an_array CHECK (jsonb_typeof(attachments) = 'array'),
    files bytea[] NOT NULL,
    -- What could not be taken out.
    marks text[] NOT NULL
        CONSTRAINT texts_marks_are_known
            CHECK (marks <@ ARRAY['unreadable', 'cut', 'no html']),
    -- Each begins with the mark of its store.
    words tsvector NOT NULL,
    CONSTRAINT texts_pkey PRIMARY KEY (message_id, message_at)
) PARTITION BY RANGE (message_at);

CREATE INDEX texts_words ON tracker.texts USING gin (words);

COMMENT ON TABLE tracker.texts IS 'Text, page, files and words of recorded messages, as the publisher read them.';

CREATE TABLE tracker.texts_default PARTITION OF tracker.texts (
    CONSTRAINT texts_message_is_there
        FOREIGN KEY (message_id, message_at) REFERENCES tracker.messages_default (id, at)
        ON DELETE CASCADE
) DEFAULT;

-- Nobody but the owner and the service sees a row, whoever is granted the table.
ALTER TABLE tracker.texts ENABLE ROW LEVEL SECURITY;
ALTER TABLE tracker.texts_default ENABLE ROW LEVEL SECURITY;

-- The months that there are.
DO $$
DECLARE
    month record;
BEGIN
    FOR month IN
        SELECT c.relname::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds
          FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'tracker.messages'::regclass AND c.relname <> 'messages_default'
    LOOP
        EXECUTE format('CREATE TABLE tracker.%I PARTITION OF tracker.texts ('
                       'CONSTRAINT texts_message_is_there FOREIGN KEY (message_id, message_at)'
                       ' REFERENCES tracker.%I (id, at) ON DELETE CASCADE) %s',
                       replace(month.name, 'messages', 'texts'), month.name, month.bounds);
        EXECUTE format('ALTER TABLE tracker.%I ENABLE ROW LEVEL SECURITY',
                       replace(month.name, 'messages', 'texts'));
    END LOOP;
END
$$;
