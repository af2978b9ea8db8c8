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
