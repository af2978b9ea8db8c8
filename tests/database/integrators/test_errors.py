"""Whatever an integrator calls a function with, it answers, or says why as documented."""

import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from ...pages.blocks import ROOT

if TYPE_CHECKING:
    from private.postgres import Postgres

ROLES = ("tracker_integrator", "tracker_reader")
SECRET = "secret.person"
ADDRESS = f"{SECRET}@doe.example"
HUGE = 5_000_000
SETUP = """
INSERT INTO tracker.stores (name, alias_domain) VALUES ('mine', 'ct.example.com'),
    ('theirs', 'ct.example.net'), ('theirs too', 'ct.example.net');
SELECT tracker.mask(s, n, 'secret.person@doe.example')
  FROM unnest('{mine,theirs}'::text[]) AS s, unnest('{1,expired,full}'::text[]) AS n;
UPDATE tracker.orders SET expires_at = now() WHERE number = 'expired';
UPDATE tracker.stores SET participant_limit = 2;
SELECT tracker.mask(s, 'full', 'x@doe.example') FROM unnest('{mine,theirs}'::text[]) AS s;
INSERT INTO tracker.messages (order_id, digest, queue_id, direction, sender_id, sender_name,
                              message_id, subject, first_words, size, attachment_names, automatic,
                              auto_reply, verdict, notes, raw)
SELECT o.id, '', 'Q', 'inbound', p.id, '', '', 'x', 'x', 1, '{}', false, false, 'verified', '{}', ''
  FROM tracker.orders AS o JOIN tracker.participants AS p ON p.order_id = o.id AND p.role = 'buyer';
"""
# Of a type: what is tried with all of the others' values, and what alone, with the first of each.
VALUES: dict[str, tuple[list[object], list[object]]] = {
    "text": (
        ["mine", "theirs", "nowhere", None, "1", ADDRESS, "partner", "expired", "full", ""],
        [
            *(" ", "\n", "*", "1" * 200, "1" * 201, "x" * HUGE, "a" * HUGE + "@doe.example", "@"),
            *("'", "\\", "%", "\u202e", "\U0010ffff", "return", "x@localhost", "x@ct.example.com"),
            *(ADDRESS + "\n", f'"{SECRET}"@doe.example', f"{SECRET}@doe", "(" * 100_000),
            *("a & (" * 500, "<->" * 100, "!" * 100_000, "x " * 100_000),
        ],
    ),
    "jsonb": (
        [
            f'[{{"order_number": "1", "address": "{ADDRESS}"}}]',
            f'[{{"order_number": "expired", "address": "{ADDRESS}"}}]',
            f'[{{"order_number": "full", "address": "{SECRET}@far.example"}}]',
            *(None, "[]", "{}", "5"),
        ],
        [
            *("null", "[null]", '"x"', "[" * 1000 + "]" * 1000, f'["{"x" * HUGE}"]'),
            f"[{'0,' * 100_000}0]",
            f'[{{"order_number": "{"x" * HUGE}", "address": "{SECRET}"}}]',
        ],
    ),
    "integer": ([1, None, 0, -1], [2**31 - 1, -(2**31)]),
    "bigint": ([1, None, 0, -1], [2**63 - 1, -(2**63)]),
    "boolean": ([True, None], [False]),
    "uuid": (["00000000-0000-0000-0000-000000000000", None], []),
    "timestamp with time zone": (["2026-11-29", None], ["infinity", "-infinity"]),
    "date": (["2026-11-29", None], ["infinity"]),
    "text[]": (["{mine}", None], ["{}", "{NULL}"]),
}  # fmt: skip


@pytest.fixture(scope="module", params=ROLES)
def caller(request: pytest.FixtureRequest, postgres: "Postgres", migrated: str) -> Iterator[str]:
    """Return the URI of a database for a member of a role, who was granted one of its stores."""
    name = f"errors_{request.param}"
    uri = postgres.create_database(name, template=migrated)
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(SETUP.encode())
        connection.execute(f"CREATE ROLE {name} LOGIN IN ROLE {request.param}".encode())
        connection.execute("SELECT tracker.grant_store(%s, 'mine')", (name,))
    yield postgres.uri(name, name)
    postgres.drop_database(name)
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute(f"DROP ROLE {name}".encode())


def functions(connection: psycopg.Connection) -> list[tuple[str, list[str]]]:
    """Return name and types of the arguments of all functions that may be called."""
    return connection.execute(
        "SELECT p.proname::text, ARRAY(SELECT format_type(t, NULL)"
        "           FROM unnest(p.proargtypes) WITH ORDINALITY AS u(t, n) ORDER BY n)"
        "  FROM pg_proc AS p WHERE p.pronamespace = 'tracker'::regnamespace"
        "   AND has_function_privilege(p.oid, 'EXECUTE') ORDER BY 1, 2"
    ).fetchall()


def documented() -> dict[str, set[str]]:
    """Return of each SQLSTATE in docs/sql.md the functions that tell it."""
    page = (ROOT / "docs/sql.md").read_text()
    table = page.partition("### What errors mean\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([0-9A-Z]{5}) \| [^|]+ \| ([^|]+) \|", table, re.MULTILINE)
    return {state: set(re.findall(r"\w+", functions)) for state, functions in rows}


def combinations(types: list[str]) -> Iterator[tuple[object, ...]]:
    """Yield what a function is called with."""
    yield from itertools.product(*(VALUES[each][0] for each in types))
    for place, each in enumerate(types):
        for value in VALUES[each][1]:
            usual: list[object] = [VALUES[other][0][0] for other in types]
            usual[place] = value
            yield tuple(usual)


def call(
    connection: psycopg.Connection, name: str, types: list[str], values: tuple[object, ...]
) -> tuple[str, Any]:
    """Call a function; return the SQLSTATE with the error's text, or "" and all rows; undo it."""
    arguments = ", ".join(f"%s::{each}" for each in types)
    try:
        with connection.transaction(force_rollback=True):
            statement = f"SELECT * FROM tracker.{name}({arguments})"
            return "", connection.execute(statement.encode(), values).fetchall()
    except psycopg.Error as error:
        diag = error.diag
        said = (diag.message_primary, diag.message_detail, diag.message_hint, diag.context)
        return error.sqlstate or "none", "\n".join(each or "" for each in said)


def plain(said: object) -> str:
    """Return what was answered, new aliases alike."""
    return re.sub(r"[0-9a-f]{32}@", "alias@", str(said))


def test_whatever_a_function_is_called_with_it_answers_as_documented(caller: str) -> None:
    """Nothing, or a documented SQLSTATE; no address in the text, nor much else."""
    known, found = documented(), set()
    assert len(known) >= 5
    with psycopg.connect(caller, autocommit=True) as connection:
        connection.execute("SET statement_timeout = '120s'")
        callable_ = functions(connection)
        for name, types in callable_:
            for values in combinations(types):
                state, said = call(connection, name, types, values)
                shown = (name, [str(each)[:60] for each in values], state, str(said)[:300])
                assert state == "" or known.get(state, set()) & {"all", name}, shown
                if state:
                    assert SECRET not in said, shown
                    assert len(said) < 1500, shown
                    found.add(state)
    assert {"hard_alias", "find_orders", "may_read"} <= {name for name, _types in callable_}
    expected = set(known) if "integrator" in caller else {"42501", "22023"}
    assert expected <= found


def test_what_is_somebody_elses_answers_as_what_is_not_there(caller: str) -> None:
    """So nobody learns which stores there are: 'theirs' and 'nowhere' differ by nothing."""
    tried = 0
    with psycopg.connect(caller, autocommit=True) as connection:
        for name, types in functions(connection):
            for values in itertools.product(*(VALUES[each][0] for each in types)):
                if "theirs" not in values or name == "hard_alias":
                    continue
                state, said = call(connection, name, types, values)
                absent = tuple("nowhere" if each == "theirs" else each for each in values)
                other, answer = call(connection, name, types, absent)
                assert state == other, (name, values)
                assert plain(said).replace("theirs", "nowhere") == plain(answer), (name, values)
                tried += 1
    assert tried >= 20


def test_only_what_is_granted_is_told(caller: str) -> None:
    """Of another's store no function gives a row that the same call of none does not."""
    with psycopg.connect(caller, autocommit=True) as connection:
        for name, types in functions(connection):
            if types[:1] != ["text"] or name == "hard_alias" or name.startswith("may_read"):
                continue
            for values in itertools.product(*(VALUES[each][0] for each in types[1:])):
                state, said = call(connection, name, types, ("theirs", *values))
                assert state in ("42501", "22023") or said in ([], [(None,)]), (name, values)
