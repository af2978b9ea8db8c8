"""The baseline makes what older databases have become, or `migrate` says where it does not."""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import psycopg
import pytest
from older import CHAPTERS, make_older

from conversation_tracker.base.failure import USAGE
from conversation_tracker.cli import main as cli
from conversation_tracker.database import partitions
from conversation_tracker.database.migrate import (
    Differences,
    NewerDatabase,
    NotMigrated,
    migrate,
    verify,
)
from conversation_tracker.database.schema.catalogue import find_differences
from conversation_tracker.database.schema.files import File, Files, read_files

if TYPE_CHECKING:
    from pathlib import Path

    from private.postgres import Postgres

# Databases were made from it: what changes stands in a numbered file of sql/migrations/.
DIGESTS = {
    "baseline": "6f1dfb55f31a995c0b3309199ed6da9adcb417a9521a48f8afcda8a29198a41d",
    "0015-refuse-attachments": "aedaf2169e2e1f2f99a110ff712595d9fd0bd7ef52c031422a7aafd6dacd8c64",
    "0016-unnamed-mail": "2d5354944df0319b8cca06f706176132c1b22370e982238cf29ce3e96e362f61",
    "0017-new-message": "b9c8e17c14734a4e32843908f2cac985377ba492a9f1cb09a63e82ed80882239",
    "0018-untagged": "2598a79d3a21a09e2430a129510f0cbd2d80dfc0d89ac1262a409ea38349ea20",
    "0019-grants": "9120d5df2d18bfbcc4e8bab4d81ec99f001bdb065f0e99f4d40add1be5f6a47e",
    "0020-feed": "adfb66f09e0655d5201e8a475f8778f44bcb5a31700f22bd53c7f632dc843975",
    "0021-texts": "d62bf77d994ca729fae4d0e54629fe69e3feeb6b0ca01cffd2adb2ffd31381d4",
    "0022-waiting": "c1b8b38c0fd5dddaf96ad68da8cb202e52354fa4f73ffed158f19315fb2b20b3",
    "0023-webhooks": "617e0d8bc523f5536128a6f70c11276a2431549ad8a73ec8a62a335b5562849a",
    "0024-store-numbers": "a068f2f0a9625ca57329ffcf2446f7f4189af0efc55757baaea1cad1d27267a6",
    "0025-many-stores": "5968af9ea3fdf4966c7ef59f5a0dafefb6d95e93d8afdc030dc6de69a99ffcdf",
}

# Everything that a role could notice: tables with the places of their columns, functions with their
# bodies, views, privileges, comments. Internal names of rows (oids) are left out.
EVERYTHING = r"""
SELECT 'relation', c.oid::regclass::text, c.relkind::text, c.relpersistence::text,
       c.reloptions::text, c.relacl::text, obj_description(c.oid, 'pg_class'), NULL, NULL
  FROM pg_class AS c WHERE c.relnamespace = 'tracker'::regnamespace
UNION ALL
SELECT 'column', a.attrelid::regclass::text, a.attname,
       (rank() OVER (PARTITION BY a.attrelid ORDER BY a.attnum))::text,
       format_type(a.atttypid, a.atttypmod), a.attacl::text,
       concat_ws(' ', a.attnotnull, a.attidentity, a.attgenerated, a.attcompression, a.attstorage),
       pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum)
  FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE c.relnamespace = 'tracker'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
   AND c.relkind <> 'i'
UNION ALL
SELECT 'constraint', coalesce(k.conrelid::regclass::text, k.contypid::regtype::text), k.conname,
       pg_get_constraintdef(k.oid), k.convalidated::text, NULL, NULL, NULL, NULL
  FROM pg_constraint AS k
  -- That a column is not null is a constraint, too, from version 18 on: told of columns already.
 WHERE k.connamespace = 'tracker'::regnamespace AND k.contype <> 'n'
UNION ALL
SELECT 'index', i.indrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisvalid::text,
       NULL, NULL, NULL, NULL, NULL
  FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
 WHERE c.relnamespace = 'tracker'::regnamespace
UNION ALL
SELECT 'trigger', t.tgrelid::regclass::text, pg_get_triggerdef(t.oid), t.tgenabled::text,
       NULL, NULL, NULL, NULL, NULL
  FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
 WHERE c.relnamespace = 'tracker'::regnamespace AND NOT t.tgisinternal
UNION ALL
SELECT 'view', c.oid::regclass::text, pg_get_viewdef(c.oid), NULL, NULL, NULL, NULL, NULL, NULL
  FROM pg_class AS c WHERE c.relnamespace = 'tracker'::regnamespace AND c.relkind = 'v'
UNION ALL
SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid), p.proacl::text,
       p.proowner::regrole::text, obj_description(p.oid, 'pg_proc'), NULL, NULL, NULL
  FROM pg_proc AS p WHERE p.pronamespace = 'tracker'::regnamespace AND p.prokind = 'f'
UNION ALL
SELECT 'type', t.oid::regtype::text, t.typtype::text, format_type(t.typbasetype, t.typtypmod),
       t.typacl::text, NULL, NULL, NULL, NULL
  FROM pg_type AS t WHERE t.typnamespace = 'tracker'::regnamespace
UNION ALL
SELECT 'comment', o.type, o.identity, d.description, NULL, NULL, NULL, NULL, NULL
  FROM pg_description AS d, pg_identify_object(d.classoid, d.objoid, d.objsubid) AS o
 WHERE o.type <> ALL ('{table,view,table column,view column,function}')
   AND o.identity ~ '\mtracker\M'
UNION ALL
SELECT 'policy', p.polrelid::regclass::text, p.polname, p.polcmd::text, p.polpermissive::text,
       ARRAY(SELECT r::regrole::text FROM unnest(p.polroles) AS r ORDER BY 1)::text,
       pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid), NULL
  FROM pg_policy AS p
UNION ALL
SELECT 'guarded', c.oid::regclass::text, c.relrowsecurity::text, c.relforcerowsecurity::text,
       c.relreplident::text, c.relowner::regrole::text, NULL, NULL, NULL
  FROM pg_class AS c WHERE c.relnamespace = 'tracker'::regnamespace
UNION ALL
SELECT 'sequence', s.seqrelid::regclass::text, s.seqtypid::regtype::text, s.seqstart::text,
       s.seqincrement::text, s.seqmax::text, s.seqcache::text, s.seqcycle::text, NULL
  FROM pg_sequence AS s
UNION ALL
SELECT 'partition', i.inhrelid::regclass::text, i.inhparent::regclass::text,
       pg_get_expr(c.relpartbound, c.oid), NULL, NULL, NULL, NULL, NULL
  FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE c.relkind <> 'i'
UNION ALL
SELECT 'statistics', pg_get_statisticsobjdef(oid), NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM pg_statistic_ext
UNION ALL
SELECT 'schema', nspname, nspacl::text, nspowner::regrole::text, NULL, NULL, NULL, NULL, NULL
  FROM pg_namespace WHERE nspname ~ '^tracker'
UNION ALL
SELECT 'default privileges', defaclrole::regrole::text, defaclobjtype::text, defaclacl::text,
       NULL, NULL, NULL, NULL, NULL
  FROM pg_default_acl
UNION ALL
SELECT 'applied', name, digest, makes::text, program, NULL, NULL, NULL, NULL
  FROM tracker.migrations
UNION ALL
SELECT 'outside', c.oid::regclass::text, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace
 ORDER BY 1, 2, 3, 4
"""

# Two people, a guest and a return path, and a message, in a database of 0008.
ROWS = """
INSERT INTO tracker.stores (name, alias_domain, mask)
VALUES ('hard', 'ct.example.com', 'hard'), ('soft', 'soft.example.com', 'soft');
INSERT INTO tracker.orders (store, number, ref, alias_domain, expires_at)
SELECT name, '1', lpad(length(alias_domain)::text, 12, '0'), alias_domain, now() + '1 day'
  FROM tracker.stores;
INSERT INTO tracker.participants (order_id, token, role, address, vouched)
SELECT o.id, md5(o.store || p.role)::uuid, split_part(p.role, ' ', 1), p.address, p.vouched
  FROM tracker.orders AS o,
       (VALUES ('buyer', 'john@doe.example', true), ('store', 'info@shop.example', true),
               ('partner', 'eve@far.example', false), ('return', 'b@far.example', true))
           AS p(role, address, vouched);
INSERT INTO tracker.messages (order_id, digest, queue_id, direction, sender_id, return_id,
                              sender_name, message_id, subject, first_words, size,
                              attachment_names, automatic, auto_reply, verdict, notes, raw)
SELECT o.id, '1', 'q', 'internal', s.id, r.id, '', '', '', '', 1, '{}', false, false,
       'unverified', '{}', ''
  FROM tracker.orders AS o
  JOIN tracker.participants AS s ON s.order_id = o.id AND s.role = 'store'
  JOIN tracker.participants AS r ON r.order_id = o.id AND r.role = 'return';
"""

# What an administrator may have done to a database that is as it should be.
TUNED = """
CREATE ROLE clerk;
GRANT SELECT ON tracker.timeline, tracker.orders TO clerk;
GRANT SELECT (id) ON tracker.participants TO clerk;
ALTER TABLE tracker.messages_default SET (autovacuum_enabled = false);
ALTER TABLE tracker.orders ALTER COLUMN store SET STATISTICS 1000;
ALTER TABLE tracker.unmaskings OWNER TO clerk;
COMMENT ON TABLE tracker.orders IS 'ours';
SELECT tracker.make_month('2001-02-01');
INSERT INTO tracker.stores (name, alias_domain) VALUES ('shop', 'ct.example.net');
SELECT tracker.mask('shop', '1', 'john@doe.example');
"""

CHANGES = {
    "ALTER TABLE tracker.orders ADD COLUMN colour text DEFAULT 'red'": [
        "has column tracker.orders.colour text DEFAULT 'red'::text"
    ],
    "ALTER TABLE tracker.orders DROP COLUMN closed_at": [
        "lacks column tracker.orders.closed_at timestamp with time zone"
    ],
    "ALTER TABLE tracker.orders ALTER COLUMN placed_at DROP NOT NULL": [
        "lacks column tracker.orders.placed_at timestamp with time zone NOT NULL DEFAULT now()",
        "has column tracker.orders.placed_at timestamp with time zone DEFAULT now()",
    ],
    "ALTER TABLE tracker.stores ALTER COLUMN hourly_limit SET DEFAULT 7": [
        "lacks column tracker.stores.hourly_limit integer NOT NULL DEFAULT 100",
        "has column tracker.stores.hourly_limit integer NOT NULL DEFAULT 7",
    ],
    "ALTER TABLE tracker.refusals ALTER COLUMN times TYPE bigint": [
        "lacks column tracker.refusals.times integer NOT NULL DEFAULT 1",
        "has column tracker.refusals.times bigint NOT NULL DEFAULT 1",
    ],
    "ALTER TABLE tracker.stores DROP CONSTRAINT stores_hourly_limit_is_positive": [
        "lacks constraint stores_hourly_limit_is_positive on tracker.stores:"
        " CHECK ((hourly_limit > 0))"
    ],
    "ALTER TABLE tracker.messages DROP CONSTRAINT messages_return_takes_part": [
        "lacks constraint messages_return_takes_part on tracker.messages: FOREIGN KEY"
        " (order_id, return_id) REFERENCES tracker.participants(order_id, id)"
    ],
    "ALTER DOMAIN tracker.octets ADD CONSTRAINT mine CHECK (VALUE < 7) NOT VALID": [
        "has constraint mine on domain tracker.octets: CHECK ((VALUE < 7)) NOT VALID"
    ],
    "DROP INDEX tracker.refusals_at": [
        "lacks index: CREATE INDEX refusals_at ON tracker.refusals USING btree (at)"
    ],
    "CREATE INDEX mine ON tracker.messages (subject)": [
        "has index: CREATE INDEX mine ON ONLY tracker.messages USING btree (subject)"
    ],
    "CREATE INDEX mine ON tracker.messages_default (subject)": [
        "has index: CREATE INDEX mine ON tracker.messages_default USING btree (subject)"
    ],
    "DROP TRIGGER stores_directory ON tracker.stores": [
        "lacks trigger on tracker.stores: CREATE TRIGGER stores_directory AFTER INSERT OR DELETE OR"
        " UPDATE OR TRUNCATE ON tracker.stores FOR EACH STATEMENT EXECUTE FUNCTION"
        " tracker.note_change()"
    ],
    "ALTER TABLE tracker.stores DISABLE TRIGGER stores_directory": [
        "lacks trigger on tracker.stores: CREATE TRIGGER stores_directory AFTER INSERT OR DELETE OR"
        " UPDATE OR TRUNCATE ON tracker.stores FOR EACH STATEMENT EXECUTE FUNCTION"
        " tracker.note_change()",
        "has trigger on tracker.stores: CREATE TRIGGER stores_directory AFTER INSERT OR DELETE OR"
        " UPDATE OR TRUNCATE ON tracker.stores FOR EACH STATEMENT EXECUTE FUNCTION"
        " tracker.note_change() (not enabled as usual)",
    ],
    "ALTER TABLE tracker.pieces SET LOGGED": [
        "lacks unlogged table tracker.pieces",
        "has table tracker.pieces",
    ],
    "ALTER TABLE tracker.orders ENABLE ROW LEVEL SECURITY": [
        "lacks table tracker.orders",
        "has table tracker.orders with row level security",
    ],
    "CREATE POLICY mine ON tracker.orders": ["has policy mine on tracker.orders"],
    "CREATE RULE mine AS ON DELETE TO tracker.orders DO ALSO NOTHING": [
        "has rule on tracker.orders: CREATE RULE mine AS"
    ],
    "CREATE TABLE tracker.mine (id integer)": [
        "has column tracker.mine.id integer",
        "has table tracker.mine",
    ],
    "CREATE VIEW tracker.mine AS SELECT 1 AS one": ["has view tracker.mine"],
    "CREATE FUNCTION tracker.mine(text) RETURNS text LANGUAGE sql AS 'SELECT $1'": [
        "has function tracker.mine(text)"
    ],
    "CREATE TYPE tracker.mine AS (a text, b integer)": [
        "has type tracker.mine (a text, b integer)"
    ],
    "ALTER TYPE tracker.delivery ADD ATTRIBUTE more text": [
        "lacks type tracker.delivery (status text, ",
        "has type tracker.delivery (status text, ",
    ],
    "CREATE SEQUENCE tracker.mine": ["has sequence tracker.mine bigint by 1"],
    "DROP TABLE tracker.deliveries_default": [
        "lacks constraint deliveries_message_is_there on tracker.deliveries_default",
        "lacks table tracker.deliveries_default default partition of tracker.deliveries",
    ],
    "CREATE OR REPLACE FUNCTION tracker.gmail_key(address text) RETURNS text LANGUAGE sql"
    " IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'SELECT address'": [
        "lacks function tracker.gmail_key(text) of the text ",
        "has function tracker.gmail_key(text) of the text ",
    ],
}


@pytest.fixture
def uri(postgres: "Postgres") -> Iterator[str]:
    """Return the URI of an empty database."""
    yield postgres.create_database("older")
    postgres.drop_database("older")


@pytest.fixture(scope="module")
def before(postgres: "Postgres") -> Iterator[str]:
    """Return the name of a database as the last program before the baseline left it."""
    make_older(postgres.create_database("last_before"))
    yield "last_before"
    postgres.drop_database("last_before")


@pytest.fixture
def older(postgres: "Postgres", before: str) -> Iterator[str]:
    """Return the URI of a database as the last program before the baseline left it."""
    yield postgres.create_database("older", template=before)
    postgres.drop_database("older")
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS clerk")


def everything(uri: str) -> list[tuple[object, ...]]:
    """Return all that EVERYTHING tells of a database."""
    with psycopg.connect(uri) as connection:
        return connection.execute(EVERYTHING.encode()).fetchall()


def run(uri: str, statements: str) -> None:
    """Run statements in a transaction."""
    with psycopg.connect(uri) as connection:
        connection.execute(statements.encode())


def test_the_baseline_and_numbered_files_are_never_edited() -> None:
    """Databases have what they said when they landed; what changes stands in the next."""
    files = read_files()
    numbered = (files.baseline, *files.migrations)
    assert {each.name: sha256(each.text.encode()).hexdigest() for each in numbered} == DIGESTS


def test_each_migration_has_a_number_of_its_own_and_none_lacks() -> None:
    """Where two have the same, each of two authors meant to be the last."""
    files = read_files()
    numbers = [int(file.name[:4]) for file in (*files.before, *files.migrations)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_no_repeatable_file_makes_what_the_baseline_does_and_none_twice() -> None:
    """Two functions may have one name, if they take other types."""
    files = read_files()
    assert not set(files.baseline.makes) & files.makes()
    views = [name for file in files.repeatable for kind, name in file.makes if kind == "VIEW"]
    made = [*files.baseline.makes, *views, *(signature for _name, signature in files.signatures())]
    assert len(made) == len(set(made)) > 50
    for file in files.repeatable:
        assert len(file.statements) == file.text.count("\nCREATE ")


@pytest.mark.parametrize("last", [CHAPTERS[n] for n in (0, 7, 10, 11, 13)])
def test_an_upgraded_database_is_as_a_new_one(uri: str, migrated: str, last: str) -> None:
    """Whatever it had: tables, functions with their bodies, views, grants.

    Of yoyo's tables one stays, with one line, by which programs of then know a newer database.
    """
    fresh = uri.replace("/older", f"/{migrated}")
    make_older(uri, last)
    told: list[str] = []
    migrate(uri, told.append)
    assert told == [*CHAPTERS[CHAPTERS.index(last) + 1 :], *(f.name for f in read_files().all)]
    marks = {"_yoyo_migration", "_yoyo_migration_pkey"}
    assert {row[1] for row in everything(uri) if row[0] == "outside"} == marks
    assert [row for row in everything(uri) if row[1] not in marks] == everything(fresh)
    with psycopg.connect(uri) as connection:
        verify(connection)


def test_a_program_of_before_knows_a_newer_database(older: str) -> None:
    """It takes a name that it does not know for a newer program's, and ends with 2; not with 75."""
    migrate(older)
    with psycopg.connect(older) as connection:
        query = "SELECT migration_id FROM public._yoyo_migration"
        assert connection.execute(query).fetchall() == [("baseline",)]
    assert migrate(older) == 0


def test_what_was_made_after_the_schema_was_dropped_is_as_new(older: str) -> None:
    """The line that stays is not taken for bookkeeping."""
    migrate(older)
    run(older, "DROP SCHEMA tracker CASCADE")
    assert migrate(older) == len(read_files().all)


def test_a_database_of_the_baseline_alone_becomes_as_a_new_one(
    uri: str, migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was made before there was any numbered file, when `record` took positions."""
    files = read_files()
    with monkeypatch.context() as then:
        then.setattr(
            "conversation_tracker.database.migrate.read_files",
            lambda: without_numbered_files(files),
        )
        then.setattr(partitions, "FEED", partitions.MESSAGES)  # there was none
        then.setattr("conversation_tracker.database.migrate.number_for", lambda *_: None)
        migrate(uri)
    with psycopg.connect(uri) as connection:
        assert connection.execute("SELECT to_regtype('tracker.new_message')").fetchone() == (None,)
    told: list[str] = []
    migrate(uri, told.append)
    changed = sorted(["repeatable/partitions", "repeatable/record", *LATER])
    assert told == [*(f.name for f in files.migrations), *changed]
    assert everything(uri) == everything(uri.replace("/older", f"/{migrated}"))
    with psycopg.connect(uri) as connection:
        verify(connection)


# Files of functions and views that need a table or a function of a numbered file's time.
_TOPICS = (
    "bounces conversation_json events feed_months grants numbering texts timeline waiting webhooks"
)
LATER = tuple(f"repeatable/{topic}" for topic in _TOPICS.split())


def test_whatever_its_functions_took_they_are_as_new_ones(
    uri: str, migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes more or other arguments than before takes the place of what it was.

    Else both would be there: whoever calls the former one calls a rule that is none any more, and
    where the latter has defaults, PostgreSQL knows not which is meant.
    """
    files = read_files()
    with monkeypatch.context() as then:
        then.setattr(
            "conversation_tracker.database.migrate.read_files", lambda: with_other_arguments(files)
        )
        then.setattr("conversation_tracker.database.migrate.number_for", lambda *_: None)
        then.setattr(partitions, "make", lambda *_: None)
        migrate(uri)
    taken = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'tracker'::regnamespace"
    taken += " AND prosrc = 'SELECT 1'"
    with psycopg.connect(uri) as connection:
        assert connection.execute(taken.encode()).fetchone() == (len(files.signatures()),)
    told: list[str] = []
    migrate(uri, told.append)
    assert told == [file.name for file in files.repeatable]
    assert everything(uri) == everything(uri.replace("/older", f"/{migrated}"))
    with psycopg.connect(uri) as connection:
        verify(connection)


def with_other_arguments(files: Files) -> Files:
    """Return the files with all functions that are made anew taking other things, and no views."""
    seen: Counter[str] = Counter()

    def change(file: File) -> File:
        made = []
        for statement in file.functions:
            seen[statement.name] += 1
            # No function of ours takes such.
            takes = ", ".join(f"former{n} macaddr8" for n in range(seen[statement.name]))
            made.append(
                f"CREATE OR REPLACE FUNCTION tracker.{statement.name}({takes}) RETURNS integer"
                " LANGUAGE sql AS 'SELECT 1';\n"
            )
        return File(file.name, "".join(made))

    repeatable = tuple(map(change, files.repeatable))
    return replace(files, repeatable=repeatable, roles=File("roles", "SELECT"))


def without_numbered_files(files: Files) -> Files:
    """Return the files without any numbered one, with a `record` of two positions, and no texts.

    Nor with what needs a numbered one: what `roles` says of all of these comes with the upgrade.
    """
    [now] = [file for file in files.repeatable if file.name == "repeatable/record"]
    head, _, body = now.text.partition("CREATE OR REPLACE FUNCTION tracker.record(")
    assert body
    then = File(
        now.name,
        f"{head}CREATE OR REPLACE FUNCTION tracker.record(order_id bigint, raw bytea)"
        " RETURNS bigint LANGUAGE sql AS 'SELECT order_id';\n",
    )
    [months] = [file for file in files.repeatable if file.name == "repeatable/partitions"]
    pairs = re.sub(r"    (EXECUTE|PERFORM)[^;]*'texts_'[^;]*;\n", "", months.text)
    pairs = pairs.replace(", tracker.texts IN", " IN")
    former = {now: then, months: File(months.name, pairs)}
    repeatable = tuple(
        former.get(file, file) for file in files.repeatable if file.name not in LATER
    )
    return replace(files, migrations=(), repeatable=repeatable, roles=File("roles", "SELECT"))


def test_an_interrupted_start_of_the_older_program_is_begun_anew(uri: str, migrated: str) -> None:
    """There is its bookkeeping, and nothing else."""
    make_older(uri, "0000")
    migrate(uri)
    assert everything(uri) == everything(uri.replace("/older", f"/{migrated}"))


def test_what_administrators_do_is_no_difference(older: str) -> None:
    run(older, TUNED)
    assert migrate(older) == len(read_files().all)
    with psycopg.connect(older) as connection:
        query = "SELECT tracker.unmask(tracker.mask('shop', '1', 'john@doe.example'), 'test')"
        assert connection.execute(query).fetchone() == ("john@doe.example",)
        query = (
            "SELECT has_table_privilege('clerk', 'tracker.timeline', 'SELECT'),"
            " pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'tracker.unmaskings'::regclass"
        )
        assert connection.execute(query).fetchone() == (True, "clerk")
    run(older, "DROP OWNED BY clerk")


@pytest.fixture(scope="module")
def session(postgres: "Postgres", before: str) -> Iterator[psycopg.Connection]:
    """Return a connection to a database of then, in which nothing may stay."""
    uri = postgres.create_database("session", template=before)
    with psycopg.connect(uri, autocommit=True) as connection:
        yield connection
    postgres.drop_database("session")


@pytest.mark.parametrize("change", CHANGES)
def test_each_difference_is_told_on_a_line(session: psycopg.Connection, change: str) -> None:
    with session.transaction(force_rollback=True):
        session.execute("SET LOCAL search_path TO pg_catalog, pg_temp")
        session.execute(change.encode())
        found = find_differences(session, read_files())
    expected = CHANGES[change]
    assert len(found) == len(expected), found
    for line, beginning in zip(sorted(found), sorted(expected), strict=True):
        assert " ".join(line.split()).startswith(beginning)


def test_the_command_lists_the_differences_and_exits_2(
    older: str, tmp_path: "Path", capsys: pytest.CaptureFixture[str]
) -> None:
    run(older, "CREATE INDEX mine ON tracker.orders (number); CREATE TABLE tracker.more ()")
    config = tmp_path / "tracker.conf"
    config.write_text(f"[tracker]\ndatabase = {older}\nsocket = unix:{tmp_path}/milter.sock\n")
    assert cli.main(["-c", str(config), "migrate"]) == USAGE
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "has index: CREATE INDEX mine ON tracker.orders USING btree (number)",
        "has table tracker.more",
    ]
    assert "nothing was changed" in err
    with psycopg.connect(older) as connection:
        marks = connection.execute("SELECT count(*) FROM public._yoyo_migration").fetchone()
        assert marks == (len(CHAPTERS),)
        assert connection.execute("SELECT to_regclass('tracker.migrations')").fetchone() == (None,)


@pytest.mark.parametrize("name", ["baseline", "0021-texts"])
def test_another_file_of_the_same_name_is_noticed(database: str, name: str) -> None:
    """It is compared: equal, and that is noted; else the differences are listed.

    Until then the service does not begin.
    """
    run(database, f"UPDATE tracker.migrations SET digest = 'f' WHERE name = '{name}'")
    with psycopg.connect(database) as connection, pytest.raises(NotMigrated, match=name):
        verify(connection)
    told: list[str] = []
    assert migrate(database, told.append) == 1
    assert told == [name]
    assert migrate(database) == 0
    run(database, f"UPDATE tracker.migrations SET digest = 'f' WHERE name = '{name}'")
    run(database, "ALTER TABLE tracker.orders ADD COLUMN colour text")
    with pytest.raises(Differences) as caught:
        migrate(database)
    assert caught.value.lines == ["has column tracker.orders.colour text"]


def test_a_file_that_is_unknown_is_of_a_newer_program(older: str) -> None:
    run(older, "INSERT INTO public._yoyo_migration VALUES ('f', '0099-later', now())")
    with pytest.raises(NewerDatabase, match="0099-later; install the newer program"):
        migrate(older)


def test_what_others_keep_in_public_stays(older: str) -> None:
    run(older, "CREATE TABLE public.theirs (id integer); INSERT INTO public.theirs VALUES (1)")
    migrate(older)
    with psycopg.connect(older) as connection:
        assert connection.execute("SELECT * FROM public.theirs").fetchall() == [(1,)]


def test_an_older_databases_people_keep_their_aliases(uri: str) -> None:
    """Soft ones that may be out there resolve, return paths lie apart, and all is as before."""
    make_older(uri, "0008")
    run(uri, ROWS)
    migrate(uri)
    with psycopg.connect(uri) as connection:
        people = connection.execute(
            "SELECT o.store, p.role, p.address, p.introduced, p.handed_out, p.owner_id IS NOT NULL"
            " FROM tracker.participants AS p JOIN tracker.orders AS o ON o.id = p.order_id"
            " ORDER BY 1, 2"
        ).fetchall()
        expected = []
        for store in ("hard", "soft"):
            expected += [
                (store, "buyer", "john@doe.example", True, store == "soft", False),
                (store, "partner", "eve@far.example", False, False, False),
                (store, "return", None, False, False, True),
                (store, "store", "info@shop.example", True, True, False),
            ]
        assert people == expected
        found = connection.execute(
            "SELECT a.address FROM tracker.return_addresses AS a"
            " JOIN tracker.messages AS m ON m.return_id = a.participant_id"
        ).fetchall()
        assert found == [("b@far.example",)] * 2
        for address, role in (("John@doe.example", "buyer"), ("b@far.example", "store")):
            query = "SELECT order_number, role FROM tracker.find_orders('soft', %s)"
            assert connection.execute(query, (address,)).fetchall() == [("1", role)]
        assert connection.execute("SELECT * FROM tracker.unnumbered").fetchall() == []


THEIR_YOYO = """
CREATE TABLE public._yoyo_log (id integer, migration_id text);
INSERT INTO public._yoyo_log VALUES (1, 'theirs-0001');
CREATE TABLE public._yoyo_migration (migration_hash text, migration_id text, applied_at_utc date);
INSERT INTO public._yoyo_migration VALUES ('h', 'theirs-0001', now());
"""


@pytest.mark.parametrize("marks", ["", "DELETE FROM public._yoyo_migration;", "own table"])
def test_another_programs_bookkeeping_stays(uri: str, marks: str) -> None:
    """The tool that kept ours is used by others, in the same schema, too."""
    theirs = "DROP TABLE public._yoyo_migration;" if marks == "own table" else marks
    run(uri, THEIR_YOYO + theirs)
    migrate(uri)
    with psycopg.connect(uri) as connection:
        assert connection.execute("SELECT count(*) FROM public._yoyo_log").fetchone() == (1,)
        verify(connection)


def test_a_function_of_somebody_elses_with_a_name_of_before_stays(older: str) -> None:
    """What our files dropped on the way is not looked for once more."""
    run(older, "CREATE FUNCTION tracker.too_many(point) RETURNS text LANGUAGE sql AS 'SELECT NULL'")
    migrate(older)
    with psycopg.connect(older) as connection:
        query = "SELECT to_regprocedure('tracker.too_many(point)') IS NOT NULL"
        assert connection.execute(query).fetchone() == (True,)


def test_a_schema_without_bookkeeping_is_told_and_left(database: str) -> None:
    """As a dump of the schema alone makes it."""
    run(database, "DROP TABLE tracker.migrations")
    with pytest.raises(Differences) as caught:
        migrate(database)
    assert caught.value.lines == [
        "has a schema tracker, and no bookkeeping of what it was made from"
    ]


def test_whoever_owns_the_schema_migrates_after_a_superuser_did(older: str) -> None:
    """The bookkeeping is the owner's, as all that it tells of is."""
    run(older, "CREATE ROLE plain LOGIN; ALTER SCHEMA tracker OWNER TO plain")
    migrate(older)
    with psycopg.connect(older) as connection:
        query = "SELECT tableowner FROM pg_tables WHERE tablename = 'migrations'"
        assert connection.execute(query).fetchone() == ("plain",)
    run(older, "REASSIGN OWNED BY plain TO postgres; DROP OWNED BY plain; DROP ROLE plain")


def test_a_session_of_repeatable_reads_waits_and_sees(uri: str) -> None:
    """Else a second run would begin with what was there before the first one was done."""
    run(uri, "ALTER DATABASE older SET default_transaction_isolation = 'repeatable read'")
    with ThreadPoolExecutor(3) as pool:
        counts = sorted(pool.map(migrate, [uri] * 3))
    assert counts == [0, 0, len(read_files().all)]
