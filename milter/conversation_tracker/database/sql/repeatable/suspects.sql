-- Messages that were in flight when a process of the service ended.

-- Notes what was found out about messages: suspected, condemned or cleared. Who is condemned stays so;
-- of too many the oldest go.
CREATE OR REPLACE FUNCTION tracker.suspect(digests bytea[], states text[], host text) RETURNS void
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
