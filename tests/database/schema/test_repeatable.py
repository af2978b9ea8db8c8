"""Functions and views are made anew when their text changes, and stay whose they were."""

import re
import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from conversation_tracker.database import migrate as module
from conversation_tracker.database.migrate import (
    Dependents,
    NewerDatabase,
    NotMigrated,
    migrate,
    verify,
)
from conversation_tracker.database.schema import files as schema_files

if TYPE_CHECKING:
    from private.postgres import Postgres

SCRIPTS = Path(str(files("conversation_tracker.database").joinpath("sql")))
Edit = Callable[[str, str, str], None]

CLERKS = """
CREATE ROLE clerk; CREATE ROLE owner;
GRANT CREATE ON SCHEMA tracker TO owner; GRANT tracker_service TO owner;
GRANT SELECT ON tracker.timeline TO clerk WITH GRANT OPTION;
GRANT SELECT (store, participants) ON tracker.conversations TO clerk;
GRANT EXECUTE ON FUNCTION tracker.mask(text, text, text, text) TO clerk WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION tracker.random_ref TO clerk;
ALTER FUNCTION tracker.mask(text, text, text, text) OWNER TO owner;
ALTER VIEW tracker.timeline OWNER TO owner;
"""


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let `migrate` run a copy of our files; return its folder."""
    shutil.copytree(SCRIPTS, tmp_path / "sql")
    (tmp_path / "sql/migrations").mkdir(exist_ok=True)
    monkeypatch.setattr(schema_files, "files", lambda _package: tmp_path)
    return tmp_path / "sql"


@pytest.fixture
def edit(scripts: Path) -> Edit:
    """Return a function that replaces a text in a repeatable file."""

    def replace(name: str, old: str, new: str) -> None:
        path = scripts / f"repeatable/{name}.sql"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return replace


@pytest.fixture
def uri(postgres: "Postgres", migrated: str) -> Iterator[str]:
    """Return a database of this program, where others own and may use some of it."""
    name = "repeatable"
    found = postgres.create_database(name, template=migrated)
    run(found, CLERKS)
    yield found
    postgres.drop_database(name)
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute("DROP ROLE clerk")
        connection.execute("DROP ROLE owner")


def run(uri: str, statements: str) -> None:
    """Run statements in a transaction."""
    with psycopg.connect(uri) as connection:
        connection.execute(statements.encode())


def one(uri: str, query: str) -> object:
    """Return the only value that a query gives."""
    with psycopg.connect(uri) as connection:
        [(value,)] = connection.execute(query.encode()).fetchall()
        return value


def privileges(uri: str) -> list[tuple[object, ...]]:
    """Return owner and privileges of all functions and views, by their names."""
    query = """
        SELECT proname, proowner::regrole::text, ARRAY(SELECT unnest(proacl)::text ORDER BY 1)
          FROM pg_proc WHERE pronamespace = 'tracker'::regnamespace
        UNION ALL
        SELECT relname, relowner::regrole::text, ARRAY(SELECT unnest(relacl)::text ORDER BY 1)
          FROM pg_class WHERE relnamespace = 'tracker'::regnamespace AND relkind = 'v'
        UNION ALL
        SELECT c.relname || '.' || a.attname, '', ARRAY(SELECT unnest(a.attacl)::text ORDER BY 1)
          FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'tracker'::regnamespace AND a.attacl IS NOT NULL
         ORDER BY 1, 2, 3"""
    with psycopg.connect(uri) as connection:
        return connection.execute(query).fetchall()


def which(uri: str, name: str) -> object:
    """Return the oid of a function or view; of two functions, the one that takes more."""
    return one(
        uri,
        "(SELECT oid FROM pg_proc WHERE pronamespace = 'tracker'::regnamespace"
        f" AND proname = '{name}' ORDER BY pronargs DESC LIMIT 1) UNION ALL SELECT oid"
        f" FROM pg_class WHERE relnamespace = 'tracker'::regnamespace AND relname = '{name}'",
    )


def test_only_the_file_whose_text_changed_is_applied(uri: str, edit: Edit) -> None:
    before = which(uri, "hard_alias")
    edit(
        "aliases",
        "SELECT replace(token::text, '-', '')",
        "SELECT 'x' || replace(token::text, '-', '')",
    )
    told: list[str] = []
    assert migrate(uri, told.append) == 1
    assert told == ["repeatable/aliases"]
    assert str(one(uri, "SELECT tracker.hard_alias(gen_random_uuid(), 'a')")).startswith("x")
    assert which(uri, "hard_alias") == before
    assert migrate(uri, told.append) == 0


SIGNATURE = (
    "aliases",
    "role text DEFAULT 'buyer')",
    "role text DEFAULT 'buyer', more text DEFAULT '')",
)
GRANTED = (
    "../roles",
    "tracker.mask(text, text, text, text)",
    "tracker.mask(text,text,text,text,text)",
)
RESULT = ("orders", "tracker.random_ref() RETURNS text", "tracker.random_ref() RETURNS varchar")
COLUMN = ("timeline", "THEN f.subject END", "THEN f.subject::varchar END")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("mask", [SIGNATURE, GRANTED]),
        ("mask", [("aliases", "role text DEFAULT 'buyer')", "role text)")]),
        ("random_ref", [RESULT]),
        ("timeline", [("timeline", "notes, message_id\n", "notes, message_id AS message\n")]),
        ("timeline", [("timeline", "recipient_role, subject,", "recipient_role,")]),
        (
            "timeline_rows",
            [
                ("timeline", "       f.recipient_id,", "       f.recipient_id::integer,"),
                ("timeline", "       d.recipient_id,", "       d.recipient_id::integer,"),
            ],
        ),
        (
            "conversations",
            [
                ("conversations", " AS status,", " AS state,"),
                ("conversations", "c.status", "c.state"),
            ],
        ),
    ],
)
def test_what_is_dropped_and_made_stays_whose_it_was(
    uri: str, edit: Edit, name: str, changes: list[tuple[str, str, str]]
) -> None:
    """Arguments, defaults, results, or columns are others: nothing else can replace it."""
    before, old = privileges(uri), which(uri, name)
    for change in changes:
        edit(*change)
    assert migrate(uri) == 1
    assert which(uri, name) != old
    assert privileges(uri) == before
    with psycopg.connect(uri) as connection:
        verify(connection)


def comments(uri: str) -> list[tuple[object, ...]]:
    """Return all comments on functions, views and columns of views."""
    query = """
        SELECT proname, 0, obj_description(oid, 'pg_proc') FROM pg_proc
         WHERE pronamespace = 'tracker'::regnamespace AND obj_description(oid, 'pg_proc') <> ''
        UNION ALL
        SELECT c.relname, d.objsubid, d.description
          FROM pg_description AS d JOIN pg_class AS c ON c.oid = d.objoid
         WHERE d.classoid = 'pg_class'::regclass AND c.relkind = 'v'
           AND c.relnamespace = 'tracker'::regnamespace ORDER BY 1, 2"""
    with psycopg.connect(uri) as connection:
        return connection.execute(query).fetchall()


def test_comments_are_kept(uri: str, edit: Edit) -> None:
    """But for that on a column which is no more."""
    run(
        uri,
        "COMMENT ON FUNCTION tracker.mask(text, text, text, text)"
        " IS 'the ERP calls it, don''t touch';"
        "COMMENT ON VIEW tracker.timeline IS 'for support';"
        "COMMENT ON COLUMN tracker.timeline.store IS 'the shop';"
        "COMMENT ON COLUMN tracker.timeline.message_id IS 'gone'",
    )
    before = comments(uri)
    assert len(before) == 4
    edit(*SIGNATURE)
    edit(*GRANTED)
    edit("timeline", "notes, message_id\n", "notes, message_id AS message\n")
    migrate(uri)
    assert comments(uri) == [row for row in before if row[2] != "gone"]


GO_WITH_THE_VIEW = {
    "trigger theirs on view tracker.timeline": (
        "CREATE FUNCTION public.theirs() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE TRIGGER theirs INSTEAD OF INSERT ON tracker.timeline"
        " FOR EACH ROW EXECUTE FUNCTION public.theirs()"
    ),
    "rule theirs on view tracker.timeline": (
        "CREATE RULE theirs AS ON INSERT TO tracker.timeline DO INSTEAD NOTHING"
    ),
    "default of column tracker.timeline.subject": (
        "ALTER VIEW tracker.timeline ALTER COLUMN subject SET DEFAULT 'x'"
    ),
}


@pytest.mark.parametrize("named", GO_WITH_THE_VIEW)
@pytest.mark.parametrize("by", ["a view", "a table"])
def test_what_would_go_with_a_view_is_named_and_nothing_is_changed(
    uri: str, edit: Edit, scripts: Path, named: str, by: str
) -> None:
    run(uri, GO_WITH_THE_VIEW[named])
    old = which(uri, "timeline")
    if by == "a view":
        edit("timeline", "notes, message_id\n", "notes, message_id AS message\n")
    else:
        (scripts / "migrations/0099-wider.sql").write_text(
            "ALTER TABLE tracker.refusals ALTER COLUMN reply TYPE varchar"
        )
    with pytest.raises(Dependents) as caught:
        migrate(uri)
    assert str(caught.value).startswith(f"{named}: it would be lost; drop it, run migrate")
    assert which(uri, "timeline") == old
    run(uri, "DROP VIEW tracker.timeline")
    assert migrate(uri) >= 1


def test_a_privilege_on_a_column_goes_with_the_column(uri: str, edit: Edit) -> None:
    edit("conversations", " AS store,\n", " AS shop,\n")
    edit("conversations", "c.store", "c.shop")
    migrate(uri)
    names = [name for name, *_ in privileges(uri) if "conversations." in str(name)]
    assert names == ["conversations.participants"]


def test_what_no_file_makes_any_more_is_dropped_and_what_others_made_is_not(
    uri: str, scripts: Path
) -> None:
    run(uri, "CREATE FUNCTION tracker.theirs() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    run(uri, "CREATE VIEW tracker.their_view AS SELECT 1 AS one")
    (scripts / "repeatable/timeline.sql").unlink()
    text = (scripts / "repeatable/suspects.sql").read_text()
    (scripts / "repeatable/suspects.sql").write_text(
        re.sub(r"\bsuspect(\(|\.host)", r"suspect_anew\1", text)
    )
    roles = scripts / "roles.sql"
    roles.write_text(
        re.sub(r",\s+tracker\.timeline, tracker\.timeline_rows", "", roles.read_text())
    )
    assert migrate(uri) == 1
    assert one(uri, "SELECT to_regclass('tracker.timeline')") is None
    assert one(uri, "SELECT to_regproc('tracker.suspect')") is None
    assert one(uri, "SELECT count(*) FROM (SELECT tracker.suspect_anew('{}', '{}', '')) AS s") == 1
    assert one(uri, "SELECT tracker.theirs() + one FROM tracker.their_view") == 2
    with psycopg.connect(uri) as connection:
        verify(connection)


def test_a_view_of_somebody_elses_goes_on_where_ours_can_be_replaced(uri: str, edit: Edit) -> None:
    run(uri, "CREATE VIEW public.report AS SELECT store, subject FROM tracker.timeline")
    edit("timeline", "notes, message_id\n", "notes, message_id, size\n")
    assert migrate(uri) == 1
    assert one(uri, "SELECT count(*) FROM public.report") == 0
    assert one(uri, "SELECT count(size) FROM tracker.timeline") == 0


@pytest.mark.parametrize("by", ["a view of ours", "a function of ours", "a table"])
def test_a_view_of_somebody_elses_in_the_way_is_named_and_nothing_is_changed(
    uri: str, edit: Edit, scripts: Path, by: str
) -> None:
    run(
        uri,
        "CREATE VIEW public.report AS"
        " SELECT store, subject, tracker.hard_alias(NULL, 'x') AS nobody FROM tracker.timeline",
    )
    edit("erase", "-- What is erased is gone", "-- What is gone is gone")
    if by == "a view of ours":
        edit("timeline", "notes, message_id\n", "notes, message_id AS message\n")
        words = "view public.report depends on view tracker.timeline: drop it"
    elif by == "a function of ours":
        edit("aliases", "tracker.hard_alias(token uuid,", "tracker.hard_alias(which uuid,")
        edit("aliases", "replace(token::text", "replace(which::text")
        words = "view public.report depends on "
    else:
        (scripts / "migrations/0015-more.sql").write_text(
            "ALTER TABLE tracker.refusals ALTER COLUMN subject TYPE varchar"
        )
        words = "view public.report depends on view tracker.timeline: drop it"
    before, roles = (
        privileges(uri),
        one(uri, "SELECT array_agg(m::text) FROM tracker.migrations AS m"),
    )
    with pytest.raises(Dependents, match=words):
        migrate(uri)
    assert privileges(uri) == before
    assert one(uri, "SELECT array_agg(m::text) FROM tracker.migrations AS m") == roles
    run(uri, "DROP VIEW public.report")
    assert migrate(uri) == 2


def test_views_make_room_for_a_column_that_changes(uri: str, scripts: Path) -> None:
    """They are made again, and whoever might use them still may."""
    before, old = privileges(uri), which(uri, "timeline")
    (scripts / "migrations/0015-wider.sql").write_text(
        "ALTER TABLE tracker.refusals ALTER COLUMN reply TYPE varchar"
    )
    told: list[str] = []
    migrate(uri, told.append)
    assert told == ["0015-wider"]
    assert which(uri, "timeline") != old
    assert privileges(uri) == before


def test_a_function_that_could_never_run_is_refused(uri: str, edit: Edit) -> None:
    edit(
        "conversations",
        "FROM tracker.conversations AS c\n      LEFT",
        "FROM tracker.nothing AS c\n      LEFT",
    )
    before = privileges(uri)
    with pytest.raises(psycopg.errors.UndefinedTable):
        migrate(uri)
    assert privileges(uri) == before


def test_functions_of_an_older_version_do_not_replace_newer_ones(
    uri: str, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that was not upgraded yet, and is started again, must not undo what `migrate` did."""
    edit("suspects", "place > 1000", "place > 2000")
    monkeypatch.setattr(module, "__version__", "999.0.0")
    migrate(uri)
    edit("suspects", "place > 2000", "place > 1000")
    monkeypatch.undo()
    with psycopg.connect(uri) as connection, pytest.raises(NewerDatabase, match="suspects"):
        verify(connection)
    with pytest.raises(NewerDatabase, match="repeatable/suspects; install the newer program"):
        migrate(uri)


THEIRS = "CREATE FUNCTION tracker.%s(point) RETURNS text LANGUAGE sql AS 'SELECT NULL'"
OURS = "SELECT count(*) FROM pg_proc WHERE proname = '%s' AND pronargs = %d"


def test_a_function_of_somebody_elses_with_our_name_stays(uri: str, edit: Edit) -> None:
    """Ours is changed in place, and neither is dropped."""
    run(uri, THEIRS % "random_ref")
    edit("orders", "\nCREATE OR REPLACE", "\n-- Another text.\nCREATE OR REPLACE")
    assert migrate(uri) == 1
    assert (one(uri, OURS % ("random_ref", 0)), one(uri, OURS % ("random_ref", 1))) == (1, 1)


@pytest.mark.parametrize(("name", "change"), [("mask", SIGNATURE), ("random_ref", RESULT)])
def test_of_two_functions_of_one_name_none_is_dropped(
    uri: str, edit: Edit, name: str, change: tuple[str, str, str]
) -> None:
    """Which of them is ours is unknown: nothing is changed, and the name is shown."""
    run(uri, THEIRS % name)
    before = one(uri, f"SELECT array_agg(oid ORDER BY 1) FROM pg_proc WHERE proname = '{name}'")
    edit(*change)
    with pytest.raises(Dependents, match=f"several functions tracker.{name}"):
        migrate(uri)
    assert before == one(
        uri, f"SELECT array_agg(oid ORDER BY 1) FROM pg_proc WHERE proname = '{name}'"
    )
    assert len(before) == {"mask": 3, "random_ref": 2}[name]


TWIN = """
CREATE OR REPLACE FUNCTION tracker.random_ref(
    digits integer, -- how many, 12 at most
    OUT given text, more numeric(4, 1) DEFAULT round(1.5))
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT left('123456789012', digits) $$;
"""
BOTH = """
    SELECT array_agg(p.oid::regprocedure::text || ' ' || array_to_string(ARRAY(
               SELECT a.grantee::regrole::text FROM aclexplode(p.proacl) AS a
                WHERE a.grantee::regrole::text IN ('clerk', 'owner') ORDER BY 1), ',')
                     ORDER BY p.pronargs)
      FROM pg_proc AS p WHERE p.proname = 'random_ref'"""


@pytest.fixture
def twins(uri: str, scripts: Path, edit: Edit) -> str:
    """Return the database, to which a second function of one name came."""
    before = which(uri, "random_ref")
    path = scripts / "repeatable/orders.sql"
    path.write_text(path.read_text() + TWIN)
    assert migrate(uri) == 1
    assert one(uri, BOTH) == [
        "tracker.random_ref() clerk",
        "tracker.random_ref(integer,numeric) ",
    ]
    assert one(uri, "SELECT 'tracker.random_ref()'::regprocedure::oid") == before
    run(uri, "GRANT EXECUTE ON FUNCTION tracker.random_ref(integer, numeric) TO owner")
    run(uri, "COMMENT ON FUNCTION tracker.random_ref(integer, numeric) IS 'short {}'")
    return uri


def test_two_functions_may_have_one_name(twins: str) -> None:
    """The first stays, granted as it was, and so does whatever it was that was called so."""
    assert len(str(one(twins, "SELECT tracker.random_ref(5)"))) == 5
    assert migrate(twins) == 0
    with psycopg.connect(twins) as connection:
        verify(connection)


def test_of_two_of_one_name_only_the_one_that_changed_is_made_anew(twins: str, edit: Edit) -> None:
    """Its arguments are others; then its result alone, which is no new one of that name either."""
    first = one(twins, "SELECT 'tracker.random_ref()'::regprocedure::oid")
    edit("orders", "    digits integer,", "    digits smallint,")
    assert migrate(twins) == 1
    now = ["tracker.random_ref() clerk", "tracker.random_ref(smallint,numeric) owner"]
    assert one(twins, BOTH) == now
    edit("orders", "OUT given text,", "OUT given varchar,")
    assert migrate(twins) == 1
    assert one(twins, BOTH) == now
    assert one(twins, "SELECT 'tracker.random_ref()'::regprocedure::oid") == first
    query = "SELECT obj_description('tracker.random_ref(smallint, numeric)'::regprocedure)"
    assert one(twins, query) == "short {}"


@pytest.mark.parametrize("gone", ["the first", "the second"])
def test_one_of_two_of_one_name_that_no_file_makes_is_dropped(
    twins: str, scripts: Path, edit: Edit, gone: str
) -> None:
    if gone == "the second":
        edit("orders", TWIN, "")
        left = ["tracker.random_ref() clerk"]
    else:
        path = scripts / "repeatable/orders.sql"
        text = path.read_text()
        at = text.index("CREATE OR REPLACE FUNCTION tracker.random_ref() ")
        path.write_text(text[:at] + text[text.index("-- The order of this number", at) :])
        left = ["tracker.random_ref(integer,numeric) owner"]
    assert migrate(twins) == 1
    assert one(twins, BOTH) == left
    with psycopg.connect(twins) as connection:
        verify(connection)


def test_one_of_two_of_one_name_that_is_lost_is_made_again(twins: str) -> None:
    run(twins, "DROP FUNCTION tracker.random_ref(integer, numeric)")
    with (
        psycopg.connect(twins) as connection,
        pytest.raises(NotMigrated, match="function random_r"),
    ):
        verify(connection)
    assert migrate(twins) == 1
    assert one(twins, "SELECT count(*) FROM pg_proc WHERE proname = 'random_ref'") == 2


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        ("    digits integer,", "    digits smallint,", True),
        ("OUT given text,", "OUT given varchar,", True),
        (TWIN, "", True),
        ("SELECT left(", "SELECT right(", False),
    ],
)
def test_beside_two_of_ours_one_of_somebody_elses_stays(
    twins: str, edit: Edit, old: str, new: str, refused: bool
) -> None:
    run(twins, THEIRS % "random_ref")
    edit("orders", old, new)
    if refused:
        with pytest.raises(Dependents, match="several functions"):
            migrate(twins)
    else:
        assert migrate(twins) == 1
    assert one(twins, "SELECT count(*) FROM pg_proc WHERE proname = 'random_ref'") == 3


def test_every_function_is_found_by_the_types_of_its_arguments(uri: str) -> None:
    for name, signature in schema_files.read_files().signatures():
        assert one(uri, f"SELECT to_regprocedure('tracker.{signature}')") is not None, name


def test_a_lost_function_is_noticed_and_made_again(uri: str) -> None:
    """Its text did not change, so only that it is not there tells."""
    run(uri, "DROP FUNCTION tracker.suspect")
    with psycopg.connect(uri) as connection, pytest.raises(NotMigrated, match="function suspect"):
        verify(connection)
    assert migrate(uri) == 1
    with psycopg.connect(uri) as connection:
        verify(connection)


def test_a_release_is_no_older_than_its_candidates() -> None:
    """What a candidate applied must not keep the release out."""
    assert (
        module._read_version("1.0.0rc1")
        == module._read_version("1.0.0.dev3")
        == module._read_version("1.0")
    )
    assert (
        module._read_version("1.0.1")
        > module._read_version("1.0.0")
        > module._read_version("0.9.12")
    )
