-- Messages that were in flight when a process of the service ended.
--
-- Each is tried next alone, and only one that ends a process alone is condemned: refused for good,
-- on every host. Nothing of a message is kept but its keyed digest. Workers read these with the
-- directory; there are few, and never more than a thousand of either kind.

CREATE TABLE tracker.suspects (
    digest bytea CONSTRAINT suspects_pkey PRIMARY KEY
        CONSTRAINT suspects_digest_is_32_octets CHECK (octet_length(digest) = 32),
    condemned boolean NOT NULL,
    host text NOT NULL CONSTRAINT suspects_host_is_named CHECK (host <> ''),
    at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX suspects_at ON tracker.suspects (condemned, at);

-- By rows: expiry looks for old ones every day, and most often there are none.
CREATE TRIGGER suspects_directory AFTER INSERT OR UPDATE OR DELETE ON tracker.suspects
    FOR EACH ROW EXECUTE FUNCTION tracker.note_change();

-- Notes what was found out about messages: suspected, condemned or cleared. Who is condemned stays so;
-- of too many the oldest go.
CREATE FUNCTION tracker.suspect(digests bytea[], states text[], host text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM tracker.suspects AS s
     USING unnest(digests, states) AS found(digest, state)
     WHERE found.state = 'cleared' AND NOT s.condemned AND s.digest = tracker.keyed(found.digest);

    INSERT INTO tracker.suspects AS s (digest, condemned, host)
    SELECT tracker.keyed(found.digest), bool_or(found.state = 'condemned'), suspect.host
      FROM unnest(digests, states) AS found(digest, state)
     WHERE found.state IN ('suspected', 'condemned')
     GROUP BY found.digest
    ON CONFLICT ON CONSTRAINT suspects_pkey
    DO UPDATE SET at = now(), host = excluded.host, condemned = s.condemned OR excluded.condemned
     WHERE excluded.condemned OR NOT s.condemned;

    DELETE FROM tracker.suspects AS s
     WHERE s.digest IN (
           SELECT ranked.digest
             FROM (SELECT digest, row_number() OVER (PARTITION BY condemned ORDER BY at DESC) AS place
                     FROM tracker.suspects) AS ranked
            WHERE ranked.place > 1000);
$$;
