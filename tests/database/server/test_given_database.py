"""The installer asks a database that was given before anything depends on it."""

import io
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from installer import ask_database
from installer.configuration import Configuration
from installer.database import look_at_database
from installer.machine import Failed, Machine

if TYPE_CHECKING:
    from private.postgres import Postgres


def ask(uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what is wrong with a database, "" if it will do."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(uri))
    code = ask_database.main()
    said = capsys.readouterr().out
    assert (code == 0) is (said == "")
    assert said.count("\n") <= 1
    return said.rstrip("\n")


def test_a_new_database_will_do_and_one_in_use(
    postgres: "Postgres",
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ask(database, monkeypatch, capsys) == ""
    assert ask(postgres.create_database("given"), monkeypatch, capsys) == ""


def test_what_will_not_do_is_said_with_what_mends_it(
    postgres: "Postgres",
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute(
            "CREATE DATABASE given_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
        )
        connection.execute("CREATE ROLE given_stranger LOGIN")
    read_only = (
        f"{database}{'&' if '?' in database else '?'}options=-cdefault_transaction_read_only%3Don"
    )
    assert "is read-only" in ask(read_only, monkeypatch, capsys)
    assert "is encoded as LATIN1" in ask(postgres.uri("given_latin"), monkeypatch, capsys)
    name = database.partition("?")[0].rpartition("/")[2]
    stranger = postgres.uri(name, user="given_stranger")
    assert "lets given_stranger make no tables" in ask(stranger, monkeypatch, capsys)


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://u:secret@127.0.0.1:1/x",
        "postgresql://u:sec:ret@host:secret/x",
        "postgresql://u:secret%80@127.0.0.1:1/x",
        "password=secret nonsense",
    ],
)
def test_no_password_is_shown(
    uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ask(uri, monkeypatch, capsys)
    assert said
    assert "secret" not in said


def test_no_part_of_a_password_written_wrongly_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands behind the first `@` is the host to libpq, which names it."""

    def say(*_command: object, **_more: object) -> "subprocess.CompletedProcess[str]":
        said = "cannot be reached: no such host: secret@db.example\n"
        return subprocess.CompletedProcess([], 1, said, "")

    monkeypatch.setattr("subprocess.run", say)
    values = {"database": "postgresql://u:p@secret@db.example/x"}
    configuration = Configuration(Path("x.conf"), True, "", values)
    with pytest.raises(Failed) as caught:
        look_at_database(Machine(dry_run=False), configuration)
    assert "secret" not in str(caught.value)
    assert "no such host: ***" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ((120000, "UTF8", False, True, "u", "d", True, []), "is PostgreSQL 12: "),
        (
            (170000, "UTF8", False, True, "u", "d", False, ["tracker_reader"]),
            "as its administrator, CREATE ROLE tracker_reader NOLOGIN",
        ),
        ((170000, "UTF8", False, True, "u", "d", True, ["tracker_reader"]), ""),
        ((170000, "UTF8", False, True, "u", "d", False, []), ""),
    ],
)
def test_versions_and_roles_are_judged(row: tuple[object, ...], says: str) -> None:
    said = ask_database.judge(row)
    assert says in said
    assert (said == "") is (says == "")
