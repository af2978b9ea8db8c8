-- Grants: which store a role may read, and act for if it is an integrator. Without one it sees nothing.
--
-- A grant names its role, so that a dump restored on another server keeps it. A name may come to stand
-- for another role; so a grant counts only while that very role also holds SELECT on this table, given
-- to it by itself: PostgreSQL keeps that by the role's identity, dumps and restores it, and lets no role
-- be dropped that holds it. With DROP OWNED it goes, and the grant is dead: a new role of that name has
-- nothing. Rows are written by tracker.grant_store and tracker.revoke_store alone.
CREATE TABLE tracker.grants (
    role name NOT NULL
        -- Every reader or integrator would have it.
        CONSTRAINT grants_are_for_no_role_that_all_readers_are_in
            CHECK (role NOT IN ('tracker_service', 'tracker_reader', 'tracker_integrator')),
    -- It follows a store's new name, and goes with the store. NULL: every store.
    store text
        CONSTRAINT grants_store_is_there REFERENCES tracker.stores
            ON UPDATE CASCADE ON DELETE CASCADE,
    granted_at timestamptz NOT NULL DEFAULT now(),
    granted_by name NOT NULL DEFAULT session_user,
    CONSTRAINT grants_are_given_once UNIQUE NULLS NOT DISTINCT (role, store)
);

CREATE INDEX grants_store ON tracker.grants (store);

COMMENT ON TABLE tracker.grants IS
    'Which store a role may read: written by tracker.grant_store and tracker.revoke_store.';
COMMENT ON COLUMN tracker.grants.store IS 'NULL: every store, those to come too.';

-- tracker.grant_store takes it for every store.
ALTER TABLE tracker.stores
    ADD CONSTRAINT stores_name_is_not_the_sign_for_every_store CHECK (name <> '*');

-- Nobody but the owner sees a row of these unless a policy says so; those stand in roles.sql, because
-- the roles may lack. The partitions have none at all.
DO $$
DECLARE
    place regclass;
BEGIN
    FOR place IN
        SELECT ('tracker.' || name)::regclass
          FROM unnest('{grants,stores,alias_domains,sender_domains,orders,participants,messages,
                        deliveries,refusals}'::text[]) AS name
        UNION ALL
        SELECT inhrelid FROM pg_inherits
         WHERE inhparent IN ('tracker.messages'::regclass, 'tracker.deliveries'::regclass)
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', place);
    END LOOP;
END
$$;

-- Whoever was granted something may see that.
CREATE POLICY own ON tracker.grants FOR SELECT USING (
    role IN (SELECT r.rolname FROM pg_roles AS r WHERE pg_has_role(session_user, r.oid, 'USAGE')));

-- The planner's estimates, which anybody may have explained, come from samples of all rows. Of what is
-- said in mail none are taken, nor of what an index says is there once; of what else rows are looked up
-- by, as few as go: the least value and the greatest. New months get the same (repeatable/partitions.sql).
ALTER TABLE tracker.stores
    ALTER name SET STATISTICS 0, ALTER alias_domain SET STATISTICS 0,
    ALTER sender_domains SET STATISTICS 0, ALTER submitters SET STATISTICS 0;
ALTER TABLE tracker.sender_domains ALTER name SET STATISTICS 0, ALTER store SET STATISTICS 0;
ALTER TABLE tracker.alias_domains ALTER name SET STATISTICS 0;
ALTER TABLE tracker.orders
    ALTER store SET STATISTICS 0, ALTER ref SET STATISTICS 0, ALTER alias_domain SET STATISTICS 0,
    ALTER number SET STATISTICS 1;
ALTER TABLE tracker.messages
    ALTER sender_name SET STATISTICS 0, ALTER subject SET STATISTICS 0,
    ALTER first_words SET STATISTICS 0, ALTER attachment_names SET STATISTICS 0,
    ALTER notes SET STATISTICS 0, ALTER raw SET STATISTICS 0,
    ALTER message_id SET STATISTICS 1, ALTER queue_id SET STATISTICS 1;
ALTER TABLE tracker.deliveries
    ALTER reason SET STATISTICS 0, ALTER queue_id SET STATISTICS 1;
ALTER TABLE tracker.refusals ALTER subject SET STATISTICS 0, ALTER reply SET STATISTICS 0;

-- What was sampled before stays until a month is dropped, but where a superuser takes it away.
DO $$
BEGIN
    DELETE FROM pg_statistic AS s USING pg_attribute AS a, pg_class AS c
     WHERE a.attrelid = s.starelid AND a.attnum = s.staattnum AND a.attstattarget = 0
       AND c.oid = s.starelid AND c.relnamespace = 'tracker'::regnamespace;
EXCEPTION
    WHEN insufficient_privilege THEN NULL;
END
$$;
