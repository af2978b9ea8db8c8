-- Grants: who may read and act for which store.
--
-- Asked of session_user and the roles whose rights it has without SET ROLE: what a function runs as,
-- and what a session sets its role to, changes nothing. Superusers, the owner of the schema and members
-- of tracker_service need no grant.

-- The grants that count: the role is there, and it is the one that was granted (migrations/0019); and
-- not every reader or integrator would have it because their common role became a member of that one.
CREATE OR REPLACE VIEW tracker.grants_in_force AS
SELECT g.role, g.store, found.role_id
  FROM tracker.grants AS g,
       LATERAL (SELECT pg_catalog.to_regrole(pg_catalog.quote_ident(g.role))::oid AS role_id) AS found
 WHERE (SELECT c.relacl OPERATOR(pg_catalog.@>)
               pg_catalog.makeaclitem(found.role_id, c.relowner, 'SELECT', false)
          FROM pg_catalog.pg_class AS c WHERE c.oid = 'tracker.grants'::pg_catalog.regclass)
   AND pg_catalog.pg_has_role(pg_catalog.to_regrole('tracker_reader')::oid,
                              found.role_id, 'MEMBER') IS NOT TRUE
   AND pg_catalog.pg_has_role(pg_catalog.to_regrole('tracker_integrator')::oid,
                              found.role_id, 'MEMBER') IS NOT TRUE;

-- Whether the session may read every store, those to come too.
CREATE OR REPLACE FUNCTION tracker.may_read_all() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN pg_has_role(session_user,
                       (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'tracker'), 'USAGE')
        OR EXISTS (SELECT FROM pg_roles AS r
                    WHERE r.rolname = 'tracker_service' AND pg_has_role(session_user, r.oid, 'USAGE'))
        OR EXISTS (SELECT FROM tracker.grants_in_force AS g
                    WHERE g.store IS NULL AND pg_has_role(session_user, g.role_id, 'USAGE'));
END
$$;

-- The stores that the session may read.
CREATE OR REPLACE FUNCTION tracker.readable_stores() RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF tracker.may_read_all() THEN
        RETURN ARRAY(SELECT s.name FROM tracker.stores AS s);
    END IF;
    RETURN ARRAY(SELECT DISTINCT g.store FROM tracker.grants_in_force AS g
                  WHERE g.store IS NOT NULL AND pg_has_role(session_user, g.role_id, 'USAGE'));
END
$$;

-- The same as the keys of an object, among which one is found however many there are.
CREATE OR REPLACE FUNCTION tracker.readable_names() RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_object_agg(name, true), '{}')
              FROM unnest(tracker.readable_stores()) AS name);
END
$$;

-- Whether the session may read a store. It does not tell whether there is one.
CREATE OR REPLACE FUNCTION tracker.may_read(store text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN tracker.may_read_all()
        OR EXISTS (SELECT FROM tracker.grants_in_force AS g
                    WHERE g.store = may_read.store AND pg_has_role(session_user, g.role_id, 'USAGE'));
END
$$;

-- Whether everybody who is a reader, an integrator or an auditor, and can connect, may read every store.
-- PostgreSQL lets whoever can connect listen to every channel: an announcement of a message tells no more
-- than all of them may know.
CREATE OR REPLACE FUNCTION tracker.all_read_all() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN NOT EXISTS (
        SELECT FROM pg_roles AS r, pg_namespace AS n
         WHERE r.rolcanlogin AND n.nspname = 'tracker'
           AND (pg_has_role(r.oid, to_regrole('tracker_reader')::oid, 'MEMBER')
                OR pg_has_role(r.oid, to_regrole('tracker_integrator')::oid, 'MEMBER')
                OR pg_has_role(r.oid, to_regrole('tracker_auditor')::oid, 'MEMBER'))
           AND has_database_privilege(r.oid, current_database(), 'CONNECT')
           AND NOT pg_has_role(r.oid, n.nspowner, 'USAGE')
           AND pg_has_role(r.oid, to_regrole('tracker_service')::oid, 'USAGE') IS NOT TRUE
           AND NOT EXISTS (SELECT FROM tracker.grants_in_force AS g
                            WHERE g.store IS NULL AND pg_has_role(r.oid, g.role_id, 'USAGE'))
           AND EXISTS (SELECT FROM tracker.stores AS s
                        WHERE NOT EXISTS (SELECT FROM tracker.grants_in_force AS g
                                           WHERE g.store = s.name
                                             AND pg_has_role(r.oid, g.role_id, 'USAGE'))));
END
$$;

-- What policies ask of a row (roles.sql). Of the conditions of a statement the planner runs the cheapest
-- first, if they tell nobody what they see; so these are declared to cost nothing. Otherwise whoever has a
-- plan explained with what came of it reads there how many of others' rows their condition is true for,
-- and by asking again and again what stands in them. They are for who was granted stores by name.
CREATE OR REPLACE FUNCTION tracker.may_read_order(wanted bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER COST 0.0001 SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN EXISTS (SELECT FROM tracker.orders AS o JOIN tracker.grants_in_force AS g ON g.store = o.store
                    WHERE o.id = wanted AND pg_has_role(session_user, g.role_id, 'USAGE'));
END
$$;

CREATE OR REPLACE FUNCTION tracker.may_read_participant(wanted bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER COST 0.0001 SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN EXISTS (SELECT FROM tracker.participants AS p JOIN tracker.orders AS o ON o.id = p.order_id
                     JOIN tracker.grants_in_force AS g ON g.store = o.store
                    WHERE p.id = wanted AND pg_has_role(session_user, g.role_id, 'USAGE'));
END
$$;

CREATE OR REPLACE FUNCTION tracker.may_read_domain(wanted text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER COST 0.0001 SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN EXISTS (SELECT FROM tracker.stores AS s
                    WHERE s.alias_domain = wanted AND tracker.may_read(s.name));
END
$$;

-- What every function begins with that is given a store and runs with its owner's rights. The error is
-- the same for a store that is not there.
CREATE OR REPLACE FUNCTION tracker.require_grant(store text) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF NOT tracker.may_read(store) THEN
        RAISE EXCEPTION 'no grant on store %', tracker.shown(store)
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'The owner of the database gives one: SELECT tracker.grant_store(role, store).';
    END IF;
END
$$;

-- Grants a role a store, or every store by '*', and tells whether it had not been.
CREATE OR REPLACE FUNCTION tracker.grant_store(role text, store text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    given oid := (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = grant_store.role);
    common text;
BEGIN
    IF given IS NULL THEN
        RAISE EXCEPTION 'no such role: %', grant_store.role USING ERRCODE = 'undefined_object';
    END IF;
    IF grant_store.role = 'tracker_service' THEN
        RAISE EXCEPTION 'tracker_service needs no grant: it reads every store'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF grant_store.role = 'tracker_auditor' THEN
        RAISE EXCEPTION 'tracker_auditor is granted no store: it reads the trace of all of them'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT r.rolname INTO common FROM pg_roles AS r
     WHERE r.rolname IN ('tracker_reader', 'tracker_integrator') AND pg_has_role(r.oid, given, 'MEMBER')
     ORDER BY r.oid <> given LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a grant to % would be one to everybody in %', grant_store.role, common
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Grant it to the role that logs in, or to a role of yours that it is in.';
    END IF;
    IF grant_store.store IS NULL
       OR grant_store.store <> '*'
          AND NOT EXISTS (SELECT FROM tracker.stores AS s WHERE s.name = grant_store.store) THEN
        RAISE EXCEPTION 'no such store: %', coalesce(grant_store.store, 'NULL')
            USING ERRCODE = 'no_data_found';
    END IF;
    LOCK TABLE tracker.grants IN SHARE ROW EXCLUSIVE MODE;
    -- Nobody else's of that name comes back to life.
    DELETE FROM tracker.grants AS g
     WHERE g.role = grant_store.role
       AND NOT EXISTS (SELECT FROM tracker.grants_in_force AS f WHERE f.role = g.role);
    EXECUTE format('GRANT SELECT ON tracker.grants TO %I', grant_store.role);
    INSERT INTO tracker.grants (role, store)
    VALUES (grant_store.role, nullif(grant_store.store, '*')) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;

-- Takes a role one store, or by '*' the grant on every store; and tells whether it had it. What it was
-- granted by name it keeps without the latter. The role need not be there any more.
CREATE OR REPLACE FUNCTION tracker.revoke_store(role text, store text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken boolean;
BEGIN
    LOCK TABLE tracker.grants IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM tracker.grants AS g
     WHERE g.role = revoke_store.role
       AND g.store IS NOT DISTINCT FROM nullif(revoke_store.store, '*')
       AND revoke_store.store IS NOT NULL;
    taken := FOUND;
    IF NOT EXISTS (SELECT FROM tracker.grants AS g WHERE g.role = revoke_store.role)
       AND revoke_store.role <> 'tracker_service'
       AND EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = revoke_store.role) THEN
        EXECUTE format('REVOKE SELECT ON tracker.grants FROM %I', revoke_store.role);
    ELSIF EXISTS (SELECT FROM tracker.grants AS g
                   WHERE g.role = revoke_store.role AND g.store IS NULL) THEN
        RAISE WARNING '% still has every store, by *', revoke_store.role;
    END IF;
    RETURN taken;
END
$$;
