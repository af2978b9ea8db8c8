"""Databases as they were before the baseline: made by numbered files, with yoyo's bookkeeping."""

import psycopg

from conversation_tracker.database.schema.files import read_files

# As yoyo 8.2 makes them.
_YOYO = b"""
CREATE TABLE public._yoyo_log (
    id varchar(36) NOT NULL PRIMARY KEY, migration_hash varchar(64), migration_id varchar(255),
    operation varchar(10), username varchar(255), hostname varchar(255), comment varchar(255),
    created_at_utc timestamp);
CREATE TABLE public._yoyo_migration (
    migration_hash varchar(64) NOT NULL PRIMARY KEY, migration_id varchar(255),
    applied_at_utc timestamp);
CREATE TABLE public._yoyo_version (
    version integer NOT NULL PRIMARY KEY, installed_at_utc timestamp);
CREATE TABLE public.yoyo_lock (
    locked integer DEFAULT 1 NOT NULL PRIMARY KEY, ctime timestamp, pid integer NOT NULL);
"""
_MARK = "INSERT INTO public._yoyo_migration VALUES (%s, %s, now())"

CHAPTERS = [file.name for file in read_files().before]


def make_older(uri: str, last: str = CHAPTERS[-1]) -> None:
    """Bring an empty database to what it was once `last`, such as 0008, had been applied."""
    with psycopg.connect(uri) as connection:
        connection.execute(_YOYO)
        for file in read_files().before:
            if file.name[:4] <= last[:4]:
                connection.execute(file.text.encode())
                connection.execute(_MARK, (file.digest, file.name))
