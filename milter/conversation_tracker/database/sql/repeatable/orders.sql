-- Orders: opened at first sight, woken, and closed.

CREATE OR REPLACE FUNCTION tracker.random_ref() RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    -- 60 of the random bits of a version 4 UUID: the version and variant digits are left out.
    SELECT lpad(((('x' || substr(hex, 1, 12) || substr(hex, 21, 3))::bit(60)::bigint) % 1000000000000)::text, 12, '0')
      FROM (SELECT replace(gen_random_uuid()::text, '-', '') AS hex) AS uuid
$$;

-- A name as an error may show it: whoever mixes up the arguments may have given an address, and errors
-- are logged.
CREATE OR REPLACE FUNCTION tracker.shown(name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN name IS NULL THEN 'NULL' WHEN position('@' IN name) > 0 THEN '[with an at sign]'
                ELSE left(name, 100) END
$$;

-- Refuses what is no store of whoever calls; exactly alike whether it is somebody else's or nobody's.
CREATE OR REPLACE FUNCTION tracker.check_store(store text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
    PERFORM tracker.require_grant(store);
    IF NOT EXISTS (SELECT FROM tracker.stores AS s WHERE s.name = store) THEN
        RAISE EXCEPTION 'no such store: %', tracker.shown(store)
            USING ERRCODE = 'no_data_found';
    END IF;
END
$$;

-- Gives an order's number, or refuses what can be none.
CREATE OR REPLACE FUNCTION tracker.check_number(order_number text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF order_number IS NULL OR length(order_number) NOT BETWEEN 1 AND 200
       OR order_number ~ '[[:cntrl:]]' OR order_number <> btrim(order_number) THEN
        RAISE EXCEPTION 'order_number must be 1 to 200 printable characters'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN order_number;
END
$$;

-- The order of this number, made at first sight. With `wake`, an expired or closed one opens again
-- for the store's wake_for; without it, it stays as it is.
CREATE OR REPLACE FUNCTION tracker.open_order(store text, order_number text, wake boolean)
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    settings tracker.stores;
    opened bigint;
    asleep boolean;
    was_over boolean;
BEGIN
    SELECT * INTO settings FROM tracker.stores AS s WHERE s.name = store;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such store: %', tracker.shown(store) USING ERRCODE = 'no_data_found';
    END IF;
    LOOP
        SELECT o.id, wake AND (o.expires_at <= now() OR o.closed_at IS NOT NULL)
                     AND o.expires_at < now() + settings.wake_for
          INTO opened, asleep FROM tracker.orders AS o
         WHERE o.store = open_order.store AND o.number = order_number;
        EXIT WHEN FOUND AND NOT asleep;
        IF FOUND THEN
            PERFORM tracker.hold_order(opened);
            UPDATE tracker.orders AS o
               SET expires_at = greatest(o.expires_at, now() + settings.wake_for), emptied_at = NULL
              FROM (SELECT b.id, b.expires_at <= now() AS over FROM tracker.orders AS b
                     WHERE b.id = opened AND (b.expires_at <= now() OR b.closed_at IS NOT NULL)
                       AND b.expires_at < now() + settings.wake_for) AS before
             WHERE o.id = before.id RETURNING before.over INTO was_over;
            IF was_over THEN
                PERFORM tracker.note_event('opened', opened, detail => '{"again": true}');
            END IF;
            -- It is awake, unless it was removed meanwhile.
            CONTINUE;
        END IF;
        -- Locked, so that the alias domain does not change, and go, under the new order.
        SELECT * INTO settings FROM tracker.stores AS s WHERE s.name = store FOR SHARE;
        INSERT INTO tracker.orders (store, number, ref, alias_domain, expires_at)
        VALUES (store, order_number, tracker.random_ref(), settings.alias_domain, now() + settings.alias_lifetime)
        ON CONFLICT DO NOTHING RETURNING id INTO opened;
        IF FOUND THEN
            PERFORM tracker.note_event('opened', opened);
            EXIT;
        END IF;
    END LOOP;
    RETURN opened;
END
$$;

-- Has an order's row for itself until the end of the transaction, and waits for it if need be.
-- Of messages that share the order (tracker.record) there is always one more while it is in much use,
-- and PostgreSQL lets each of them pass. So whoever waits says so by a lock that many may have, and a
-- message asks for it alone, for an instant. Whoever else has it, which any role may, makes messages
-- take turns and nothing else. It is taken only where there is something to wait for: a transaction
-- may hold any number of orders, but not of such locks.
CREATE OR REPLACE FUNCTION tracker.hold_order(wanted bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM tracker.orders AS o WHERE o.id = wanted FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        -- A message may have it just now, for an instant, or longer where it waits for the processor:
        -- whoever has not said so is passed for ever.
        FOR attempt IN 1..200 LOOP
            EXIT WHEN pg_try_advisory_xact_lock_shared(hashtextextended('tracker.orders', wanted));
            PERFORM pg_sleep(0.001);
        END LOOP;
        PERFORM FROM tracker.orders AS o WHERE o.id = wanted FOR NO KEY UPDATE;
    END IF;
END
$$;

-- Closes an order and gives the time its aliases stop working. Closing twice changes nothing.
CREATE OR REPLACE FUNCTION tracker.close_order(store text, order_number text) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    closed bigint;
    ends timestamptz;
    first boolean;
BEGIN
    PERFORM tracker.require_grant(store);
    PERFORM tracker.check_number(order_number);
    PERFORM tracker.hold_order(o.id) FROM tracker.orders AS o
      WHERE o.store = close_order.store AND o.number = order_number;
    UPDATE tracker.orders AS o
       SET closed_at = coalesce(o.closed_at, now()),
           expires_at = CASE WHEN o.closed_at IS NULL
                             THEN least(o.expires_at, now() + s.close_grace) ELSE o.expires_at END
      FROM tracker.stores AS s,
           (SELECT b.id, b.closed_at IS NULL AS open FROM tracker.orders AS b
             WHERE b.store = close_order.store AND b.number = order_number
               FOR NO KEY UPDATE) AS before
     WHERE o.id = before.id AND s.name = o.store
    RETURNING o.id, o.expires_at, before.open INTO closed, ends, first;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such order: % of store %', tracker.shown(order_number), tracker.shown(store)
            USING ERRCODE = 'no_data_found';
    END IF;
    IF first THEN
        PERFORM tracker.note_event('closed', closed,
                                   detail => jsonb_build_object('expires_at', ends));
    END IF;
    RETURN ends;
END
$$;
