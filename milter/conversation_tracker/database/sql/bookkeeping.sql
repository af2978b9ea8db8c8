-- Which files the database was brought up to date by.
CREATE TABLE IF NOT EXISTS tracker.migrations (
    -- baseline, that of a numbered file, or repeatable/ and that of a topic.
    name text CONSTRAINT migrations_pkey PRIMARY KEY,
    -- SHA-256 of the file, in hexadecimal.
    digest text NOT NULL,
    -- The functions and views that a repeatable file made: what no file makes any more is dropped.
    makes text[] NOT NULL DEFAULT '{}',
    -- The version of the program that applied it.
    program text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- Whoever owns the schema can go on from here, also where a superuser made the table.
DO $$
DECLARE
    mine text := (SELECT nspowner::regrole::text FROM pg_catalog.pg_namespace
                   WHERE nspname = 'tracker' AND nspowner <> current_user::regrole);
BEGIN
    IF mine IS NOT NULL THEN
        EXECUTE format('ALTER TABLE tracker.migrations OWNER TO %s', mine);
    END IF;
END $$;
