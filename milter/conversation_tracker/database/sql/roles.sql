-- Who may do what. Run after every migration; it changes nothing where all is as it should be.
-- Roles that do not exist and that we may not create are left out: `check` names them.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['tracker_service', 'tracker_reader', 'tracker_integrator'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION
                WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
    END LOOP;

    -- Of a statement that fails, the server's log would quote the row, with the address in it.
    IF current_setting('log_error_verbosity') <> 'terse' THEN
        BEGIN
            EXECUTE format('ALTER DATABASE %I SET log_error_verbosity TO terse', current_database());
        EXCEPTION
            WHEN insufficient_privilege THEN NULL;
        END;
    END IF;

    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tracker FROM PUBLIC;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tracker_service') THEN
        GRANT USAGE ON SCHEMA tracker TO tracker_service;
        -- Partitions are reached through the whole table, by everybody.
        FOR wanted IN SELECT oid::regclass FROM pg_class
                       WHERE relnamespace = 'tracker'::regnamespace AND relkind IN ('r', 'p', 'v')
                         AND NOT relispartition LOOP
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tracker_service', wanted);
        END LOOP;
        REVOKE UPDATE, DELETE ON tracker.unmaskings FROM tracker_service;
        REVOKE INSERT, UPDATE, DELETE ON tracker.migrations FROM tracker_service;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA tracker TO tracker_service;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tracker_reader') THEN
        GRANT USAGE ON SCHEMA tracker TO tracker_reader;
        GRANT SELECT ON tracker.stores, tracker.alias_domains, tracker.sender_domains,
                        tracker.orders, tracker.messages, tracker.deliveries,
                        tracker.refusals, tracker.timeline
           TO tracker_reader;
        GRANT SELECT (id, order_id, token, role, introduced, owner_id, joined_at)
           ON tracker.participants TO tracker_reader;
        GRANT EXECUTE ON FUNCTION tracker.hard_alias TO tracker_reader;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tracker_integrator') THEN
        GRANT USAGE ON SCHEMA tracker TO tracker_integrator;
        GRANT SELECT ON tracker.stores, tracker.alias_domains, tracker.sender_domains,
                        tracker.orders, tracker.messages, tracker.deliveries,
                        tracker.refusals, tracker.timeline
           TO tracker_integrator;
        GRANT SELECT (id, order_id, token, role, introduced, owner_id, joined_at)
           ON tracker.participants TO tracker_integrator;
        GRANT EXECUTE ON FUNCTION tracker.hard_alias,
                                  tracker.mask,
                                  tracker.close_order
           TO tracker_integrator;
    END IF;
END
$$;
