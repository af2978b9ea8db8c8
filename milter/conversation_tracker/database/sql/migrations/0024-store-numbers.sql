-- Which orders an address is in is looked up among those of one store: in an index for all, what was
-- read, and can be counted, would tell how many others have the address.
--
-- So participants and return addresses have the number of their store, which stays when the store is
-- called otherwise. Those that are there get it afterwards, a bounded number at a time
-- (database/numbering.py): here nothing but their table's definition changes, and the indexes are
-- empty.

-- What an address is found by: the same for all its spellings that mask takes for the same. An index
-- asks this for each new row, and PostgreSQL plans a function in SQL anew each time; so these are in
-- plpgsql, with all names in full instead of a search path.
CREATE OR REPLACE FUNCTION tracker.address_key(address text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF address OPERATOR(pg_catalog.~) '[^\x01-\x7f]' THEN
        RETURN normalize(pg_catalog.lower(address COLLATE pg_catalog."und-x-icu"), NFC)
               COLLATE pg_catalog."default";
    END IF;
    RETURN pg_catalog.lower(address COLLATE pg_catalog."C") COLLATE pg_catalog."default";
END
$$;

CREATE OR REPLACE FUNCTION tracker.gmail_key(address text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF address OPERATOR(pg_catalog.~*) '^[^"+@]+(\+[^"@]*)?@(gmail|googlemail)\.com$' THEN
        RETURN pg_catalog.concat(
            pg_catalog.replace(
                pg_catalog.lower(substring(address COLLATE pg_catalog."C" FROM '^[^+@]+')), '.', ''),
            pg_catalog.lower(substring(address COLLATE pg_catalog."C" FROM '\+[^@]*')), '@gmail.com');
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION tracker.mailbox_key(address text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN coalesce(tracker.gmail_key(address), tracker.address_key(address));
END
$$;

ALTER TABLE tracker.participants ADD COLUMN store_number integer;
ALTER TABLE tracker.return_addresses ADD COLUMN store_number integer;

-- Whoever writes a row most often knows it.
CREATE FUNCTION tracker.note_store_number() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    new.store_number := (SELECT n.number FROM tracker.orders AS o
                           JOIN tracker.store_numbers AS n ON n.store = o.store
                          WHERE o.id = new.order_id);
    RETURN new;
END
$$;

CREATE TRIGGER participants_store_number BEFORE INSERT ON tracker.participants
    FOR EACH ROW WHEN (new.store_number IS NULL) EXECUTE FUNCTION tracker.note_store_number();
CREATE TRIGGER return_addresses_store_number BEFORE INSERT ON tracker.return_addresses
    FOR EACH ROW WHEN (new.store_number IS NULL) EXECUTE FUNCTION tracker.note_store_number();

CREATE INDEX participants_of_store
    ON tracker.participants (store_number, tracker.mailbox_key(address))
    WHERE store_number IS NOT NULL AND address IS NOT NULL;
CREATE INDEX return_addresses_of_store
    ON tracker.return_addresses (store_number, tracker.mailbox_key(address))
    WHERE store_number IS NOT NULL AND address IS NOT NULL;
-- Nothing but the look-up asked for return addresses in whatever order.
DROP INDEX tracker.return_addresses_address;

-- The rows that are there, by their numbers: behind `after` they have yet to get it.
CREATE TABLE tracker.unnumbered (
    place text CONSTRAINT unnumbered_pkey PRIMARY KEY
        CONSTRAINT unnumbered_place_has_addresses
            CHECK (place IN ('participants', 'return_addresses')),
    after bigint NOT NULL,
    last bigint NOT NULL
);

INSERT INTO tracker.unnumbered (place, after, last)
SELECT place, 0, last
  FROM (SELECT 'participants' AS place, max(id) AS last FROM tracker.participants
        UNION ALL
        SELECT 'return_addresses', max(participant_id) FROM tracker.return_addresses) AS there
 WHERE last IS NOT NULL;
