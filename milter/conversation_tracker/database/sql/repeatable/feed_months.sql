-- Months of the feed: made ahead, and dropped a month after their end.
--
-- As those of messages (partitions.sql): `migrate` and `expire` make them, `expire` drops them, locks
-- are waited for half a second and no longer, and what has no month yet lies in the default table.

-- The months there are, and whether all their events have been kept for a month.
CREATE OR REPLACE FUNCTION tracker.feed_months(now timestamptz)
RETURNS TABLE (month date, outdated boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
    SELECT named.month, named.month + interval '1 month' <= feed_months.now - interval '1 month'
      FROM (SELECT to_date(substring(c.relname FROM '^feed_(\d{4}_\d{2})$'), 'YYYY_MM') AS month
              FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
             WHERE i.inhparent = 'tracker.feed'::regclass) AS named
     WHERE named.month IS NOT NULL
     ORDER BY 1
$$;

-- The months that should be there and are not: this one and the next four. One that the default
-- table has events of is left to it.
CREATE OR REPLACE FUNCTION tracker.feed_months_lacking(now timestamptz) RETURNS SETOF date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
    SELECT wanted::date
      FROM generate_series(date_trunc('month', now), date_trunc('month', now) + interval '4 months',
                           interval '1 month') AS wanted
     WHERE NOT EXISTS (SELECT FROM tracker.feed_months(now) AS m WHERE m.month = wanted::date)
       AND NOT EXISTS (SELECT FROM tracker.feed_default AS f
                        WHERE f.published_at >= wanted AND f.published_at < wanted + interval '1 month')
$$;

CREATE OR REPLACE FUNCTION tracker.make_feed_month(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '500ms' AS $$
DECLARE
    first constant timestamptz := date_trunc('month', month);
BEGIN
    LOCK TABLE tracker.feed IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('CREATE TABLE IF NOT EXISTS tracker.%I PARTITION OF tracker.feed'
                   ' FOR VALUES FROM (%L) TO (%L)',
                   'feed_' || to_char(first, 'YYYY_MM'), first, first + interval '1 month');
END
$$;

-- Notes up to what position each store's events of a table are gone, before they go.
CREATE OR REPLACE FUNCTION tracker.note_gone(part regclass, before timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('INSERT INTO tracker.feed_gone AS g (store, position)'
                   ' SELECT f.store, max(f.position) FROM %s AS f WHERE f.published_at < $1'
                   ' GROUP BY f.store'
                   ' ON CONFLICT (store) DO UPDATE SET position = excluded.position'
                   ' WHERE g.position < excluded.position', part) USING before;
END
$$;

-- Drops a month of the feed if its time is over; gives how many events it had, or NULL where it stays.
CREATE OR REPLACE FUNCTION tracker.drop_feed_month(month date, now timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '500ms' AS $$
#variable_conflict use_variable
DECLARE
    name constant text := 'feed_' || to_char(month, 'YYYY_MM');
    held bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM tracker.feed_months(now) AS m
                    WHERE m.month = drop_feed_month.month AND m.outdated) THEN
        RETURN NULL;
    END IF;
    LOCK TABLE tracker.feed IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('SELECT count(*) FROM tracker.%I', name) INTO held;
    PERFORM tracker.note_gone(format('tracker.%I', name)::regclass, 'infinity');
    EXECUTE format('DROP TABLE tracker.%I', name);
    RETURN held;
END
$$;

-- Takes away what has been in the default table for more than a month.
CREATE OR REPLACE FUNCTION tracker.trim_feed(now timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    trimmed bigint;
BEGIN
    PERFORM tracker.note_gone('tracker.feed_default', trim_feed.now - interval '1 month');
    DELETE FROM tracker.feed_default AS f WHERE f.published_at < trim_feed.now - interval '1 month';
    GET DIAGNOSTICS trimmed = ROW_COUNT;
    RETURN trimmed;
END
$$;
