-- Months: the partitions, three of each, that messages, deliveries and texts lie in.
--
-- `migrate` and `expire` make them ahead; `expire` drops those whose messages have all had their
-- time. Mail needs neither: what has no month yet lies in the default ones. Both functions need
-- locks that mail waits for; they wait half a second for them and no longer (lock_timeout), so
-- mail does not either. Months are those of UTC.

-- The months there are, and whether every message of each has had its time.
--   past      by the retention of all stores
--   outdated  by that of one store: what is left of it must be gone before it is dropped
CREATE OR REPLACE FUNCTION tracker.months(now timestamptz)
RETURNS TABLE (month date, past boolean, outdated boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
    SELECT named.month,
           coalesce(named.month + interval '1 month' <= months.now - kept.longest, false),
           coalesce(named.month + interval '1 month' <= months.now - kept.shortest, false)
      FROM (SELECT to_date(substring(c.relname FROM '^messages_(\d{4}_\d{2})$'), 'YYYY_MM') AS month
              FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
             WHERE i.inhparent = 'tracker.messages'::regclass) AS named,
           (SELECT max(message_retention) AS longest, min(message_retention) AS shortest
              FROM tracker.stores) AS kept
     WHERE named.month IS NOT NULL
     ORDER BY 1
$$;

-- The months that should be there and are not: this one and the next four. One that the default
-- ones have messages of is left to them.
CREATE OR REPLACE FUNCTION tracker.months_lacking(now timestamptz) RETURNS SETOF date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
    SELECT wanted::date
      FROM generate_series(date_trunc('month', now), date_trunc('month', now) + interval '4 months',
                           interval '1 month') AS wanted
     WHERE NOT EXISTS (SELECT FROM tracker.months(now) AS m WHERE m.month = wanted::date)
       AND NOT EXISTS (SELECT FROM tracker.messages_default AS m
                        WHERE m.at >= wanted AND m.at < wanted + interval '1 month')
$$;

-- Hides all rows of a new partition from everybody but the owner, who reaches for one by itself, and has
-- its columns sampled as little as those of the whole table. PostgreSQL takes neither from there.
CREATE OR REPLACE FUNCTION tracker.guard_partition(whole text, part text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sampled record;
BEGIN
    EXECUTE format('ALTER TABLE tracker.%I ENABLE ROW LEVEL SECURITY', part);
    FOR sampled IN
        SELECT a.attname, a.attstattarget FROM pg_attribute AS a
         WHERE a.attrelid = format('tracker.%I', whole)::regclass
           AND a.attnum > 0 AND NOT a.attisdropped AND a.attstattarget >= 0
    LOOP
        EXECUTE format('ALTER TABLE tracker.%I ALTER %I SET STATISTICS %s',
                       part, sampled.attname, sampled.attstattarget);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION tracker.make_month(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '500ms' AS $$
DECLARE
    first constant timestamptz := date_trunc('month', month);
    name constant text := to_char(first, 'YYYY_MM');
    bounds constant text :=
        format('FOR VALUES FROM (%L) TO (%L)', first, first + interval '1 month');
BEGIN
    LOCK TABLE tracker.messages, tracker.deliveries, tracker.texts IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('CREATE TABLE IF NOT EXISTS tracker.%I PARTITION OF tracker.messages %s',
                   'messages_' || name, bounds);
    EXECUTE format('CREATE TABLE IF NOT EXISTS tracker.%I PARTITION OF tracker.deliveries ('
                   'CONSTRAINT deliveries_message_is_there FOREIGN KEY (message_id, message_at)'
                   ' REFERENCES tracker.%I (id, at) ON DELETE CASCADE) %s WITH (fillfactor = 80)',
                   'deliveries_' || name, 'messages_' || name, bounds);
    EXECUTE format('CREATE TABLE IF NOT EXISTS tracker.%I PARTITION OF tracker.texts ('
                   'CONSTRAINT texts_message_is_there FOREIGN KEY (message_id, message_at)'
                   ' REFERENCES tracker.%I (id, at) ON DELETE CASCADE) %s',
                   'texts_' || name, 'messages_' || name, bounds);
    PERFORM tracker.guard_partition('messages', 'messages_' || name);
    PERFORM tracker.guard_partition('deliveries', 'deliveries_' || name);
    PERFORM tracker.guard_partition('texts', 'texts_' || name);
END
$$;

-- Drops a month, if every message of it has had its time, or it is outdated and has none; gives
-- how many messages it had, or NULL where it stays.
CREATE OR REPLACE FUNCTION tracker.drop_month(month date, now timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '500ms' AS $$
#variable_conflict use_variable
DECLARE
    name constant text := to_char(month, 'YYYY_MM');
    due record;
    held bigint;
BEGIN
    -- Nobody changes a retention meanwhile.
    LOCK TABLE tracker.stores IN SHARE MODE;
    SELECT m.past, m.outdated INTO due FROM tracker.months(now) AS m WHERE m.month = drop_month.month;
    IF NOT FOUND OR NOT due.outdated THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT count(*) FROM tracker.%I', 'messages_' || name) INTO held;
    IF held > 0 AND NOT due.past THEN
        RETURN NULL;
    END IF;
    LOCK TABLE tracker.messages, tracker.deliveries, tracker.texts IN ACCESS EXCLUSIVE MODE;
    IF NOT due.past THEN
        EXECUTE format('SELECT count(*) FROM tracker.%I', 'messages_' || name) INTO held;
        IF held > 0 THEN
            RETURN NULL;
        END IF;
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS tracker.%I, tracker.%I, tracker.%I',
                   'texts_' || name, 'deliveries_' || name, 'messages_' || name);
    RETURN held;
END
$$;
