-- Who may do what. Run after every migration; it changes nothing where all is as it should be.
-- Roles that do not exist and that we may not create are left out: `check` names them.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['tracker_service', 'tracker_reader', 'tracker_integrator',
                               'tracker_auditor'] LOOP
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
        REVOKE UPDATE, DELETE ON tracker.unmaskings, tracker.lookups, tracker.exports
            FROM tracker_service;
        -- Old ones are deleted by expiry.
        REVOKE UPDATE ON tracker.erasures FROM tracker_service;
        REVOKE INSERT, UPDATE, DELETE ON tracker.migrations, tracker.grants FROM tracker_service;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA tracker TO tracker_service;
        -- Who may read what is the owner's to say.
        REVOKE EXECUTE ON FUNCTION tracker.grant_store, tracker.revoke_store FROM tracker_service;
    END IF;
    -- What a reader may read, an integrator may read too.
    FOR wanted IN SELECT rolname FROM pg_roles
                   WHERE rolname IN ('tracker_reader', 'tracker_integrator') LOOP
        EXECUTE format($reading$
        GRANT USAGE ON SCHEMA tracker TO %1$I;
        GRANT SELECT ON tracker.stores, tracker.alias_domains, tracker.sender_domains,
                        tracker.orders, tracker.messages, tracker.refusals,
                        tracker.timeline, tracker.timeline_rows, tracker.waiting
           TO %1$I;
        -- No token: who compares one with others', by the index of them, could have a plan count the
        -- rows that a policy hides.
        REVOKE SELECT ON tracker.participants, tracker.deliveries FROM %1$I;
        GRANT SELECT (id, order_id, role, introduced, owner_id, joined_at)
           ON tracker.participants TO %1$I;
        GRANT SELECT (message_id, message_at, recipient_id, queue_id, state, status, changed_at, reason)
           ON tracker.deliveries TO %1$I;
        GRANT EXECUTE ON FUNCTION tracker.events,
                                  tracker.find_alias,
                                  tracker.find_numbers,
                                  tracker.find_orders,
                                  tracker.hard_alias,
                                  tracker.list_lately,
                                  tracker.list_waiting,
                                  tracker.may_read,
                                  tracker.may_read_all,
                                  tracker.may_read_domain,
                                  tracker.may_read_order,
                                  tracker.may_read_participant,
                                  tracker.order_page,
                                  tracker.readable_names,
                                  tracker.readable_stores,
                                  tracker.conversation,
                                  tracker.attachment,
                                  tracker.page,
                                  tracker.search,
                                  tracker.search_orders
           TO %1$I;
        $reading$, wanted);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tracker_integrator') THEN
        GRANT EXECUTE ON FUNCTION tracker.mask(text, text, text, text),
                                  tracker.mask(text, jsonb),
                                  tracker.close_order
           TO tracker_integrator;
        -- Where data leave to is the administrator's to say; a secret is the service's alone, and may
        -- be part of a URL.
        GRANT SELECT (id, store, url, events, active) ON tracker.webhooks TO tracker_integrator;
    END IF;
    -- Who asked for whose address, and nothing else: of every store, since a trace that leaves some out
    -- is none. It has aliases, reasons and keyed digests.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tracker_auditor') THEN
        GRANT USAGE ON SCHEMA tracker TO tracker_auditor;
        GRANT SELECT ON tracker.unmaskings, tracker.lookups, tracker.exports, tracker.erasures
           TO tracker_auditor;
    END IF;
END
$$;

-- Which rows: whoever is not the owner sees those that a policy lets through. The service's is open, and
-- nothing is left of it in a plan. A reader's costs less than any condition of theirs, so that it is asked
-- before (repeatable/grants.sql); and of what begins an index, `= ANY` has the index read for their stores
-- alone. No policy is on a partition: those are reached through the whole table, by everybody.
DO $$
DECLARE
    readers constant oid[] := ARRAY(SELECT r.oid FROM pg_roles AS r
                                     WHERE r.rolname IN ('tracker_reader', 'tracker_integrator')
                                     ORDER BY r.oid);
    service constant oid[] := ARRAY(SELECT r.oid FROM pg_roles AS r WHERE r.rolname = 'tracker_service');
    policy record;
BEGIN
    FOR policy IN
        WITH readable(place, condition) AS (
            SELECT place, format('(SELECT tracker.readable_names()) ? %1$I'
                                 ' AND %1$I = ANY ((SELECT tracker.readable_stores())::text[])', named)
              FROM (VALUES ('stores', 'name'), ('sender_domains', 'store'), ('orders', 'store'),
                           ('webhooks', 'store'))
                   AS tables(place, named)
            UNION ALL
            SELECT place, format('(SELECT tracker.may_read_all()) OR tracker.%s', asked)
              FROM (VALUES ('alias_domains', 'may_read_domain(name)'),
                           ('participants', 'may_read_order(order_id)'),
                           ('messages', 'may_read_order(order_id)'),
                           ('refusals', 'may_read_order(order_id)'),
                           ('deliveries', 'may_read_participant(recipient_id)'))
                   AS tables(place, asked))
        SELECT place, 'granted' AS name, readers AS roles, 'FOR SELECT' AS command, condition
          FROM readable WHERE readers <> '{}'
        UNION ALL
        SELECT place, 'service', service, 'FOR ALL', 'true'
          FROM (SELECT place FROM readable UNION VALUES ('grants'), ('texts'), ('store_numbers')) AS tables
         WHERE service <> '{}'
    LOOP
        -- To make one anew takes a lock that mail waits for: only where it is another one.
        CONTINUE WHEN EXISTS (
            SELECT FROM pg_policy AS p
             WHERE p.polrelid = format('tracker.%I', policy.place)::regclass
               AND p.polname = policy.name
               AND ARRAY(SELECT unnest(p.polroles) ORDER BY 1) = policy.roles
               AND obj_description(p.oid, 'pg_policy') = policy.condition);
        EXECUTE format('DROP POLICY IF EXISTS %I ON tracker.%I', policy.name, policy.place);
        EXECUTE format('CREATE POLICY %I ON tracker.%I %s TO %s USING (%s)',
                       policy.name, policy.place, policy.command,
                       (SELECT string_agg(r::regrole::text, ', ') FROM unnest(policy.roles) AS r),
                       policy.condition);
        -- What it was made of.
        EXECUTE format('COMMENT ON POLICY %I ON tracker.%I IS %L',
                       policy.name, policy.place, policy.condition);
    END LOOP;
END
$$;
