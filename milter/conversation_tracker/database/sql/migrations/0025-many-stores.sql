-- Thousands of stores can be written in one statement, whatever was known of the tables before.

-- A domain that no store uses any more is found without reading all stores.
CREATE INDEX stores_alias_domain ON tracker.stores (alias_domain);

-- As in the baseline, but for its settings and how it finds what a store has. Its plans are kept while
-- one statement writes thousands of rows, and are made when there was none yet: so only those are
-- left to the planner that stay good, by an index that was given what to look for.
CREATE OR REPLACE FUNCTION tracker.note_domains() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET jit = off SET enable_seqscan = off SET enable_indexonlyscan = off SET enable_indexscan = on AS $$
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
    SELECT domain, new.name FROM unnest(new.sender_domains) AS domain
    EXCEPT
    SELECT own.name, own.store FROM tracker.sender_domains AS own WHERE own.store = new.name;
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
