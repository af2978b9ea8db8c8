"""What the documentation shows of our commands and SQL is run, page by page, and works.

Each page has a database of its own, with the store of README.md, made by its own statement, and the
order that all examples are about.
"""

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from private.tracker import Tracker

from ...pages.blocks import ROOT, Block, blocks, pages

if TYPE_CHECKING:
    from private.postgres import Postgres

RUN = ("run", "sql")
PAGES = [page for page in pages() if any(each.kind in RUN for each in blocks(page))]
ALIAS = re.compile(r"\b(?:ALIAS\b|[0-9a-f]{32}@ct\.example\.com)")
MESSAGE = b"From: desk@carrier.example\r\nSubject: Parcel\r\n\r\nOn its way.\r\n"


@pytest.fixture
def uri(postgres: "Postgres", migrated: str) -> Iterator[str]:
    uri = postgres.create_database("documented", template=migrated)
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(first_store().encode())
        before = list_roles(connection)
    yield uri
    postgres.drop_database("documented")
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        # Other tests have the same server, and a role of a page there would get rights in theirs.
        for name in list_roles(connection) - before:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def list_roles(connection: psycopg.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}


def first_store() -> str:
    """Return the statement that README.md gives psql for the first store."""
    [said] = [each for each in blocks(ROOT / "README.md") if " psql " in each.text]
    return said.text.partition('"')[2].partition('"')[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_shows_works(page: Path, uri: str, tmp_path: Path) -> None:
    with closing(Tracker(uri)) as tracker, psycopg.connect(uri, autocommit=True) as connection:
        [alias] = connection.execute(
            "SELECT tracker.mask('mystore', '1001', 'john@customer.example')"
        ).fetchone() or ("",)
        letter = b"To: " + str(alias).encode() + b"\r\n" + MESSAGE
        (tmp_path / "parcel.eml").write_bytes(letter)
        for block in blocks(page):
            if block.kind in RUN and block.about:  # another test runs it
                assert (ROOT / block.about).is_file()
            elif block.kind == "sql":
                run_statements(block, connection)
            elif block.kind == "run":
                run_commands(block, tracker, str(alias), tmp_path)


def run_statements(block: Block, connection: psycopg.Connection) -> None:
    for statement, role, error in block.statements():
        if role:
            # Not SET ROLE: grants are asked of who logged in.
            connection.execute(f"SET SESSION AUTHORIZATION {role}".encode())
        said = ""
        try:
            connection.execute(statement.encode())
        except psycopg.Error as failure:
            said = str(failure).partition("\n")[0]
        assert said == error, block.place
        connection.execute("RESET SESSION AUTHORIZATION")


def run_commands(block: Block, tracker: Tracker, alias: str, home: Path) -> None:
    """Run them; `check` may find this machine wanting, and says so by 1."""
    for line in block.commands():
        program, *words = shlex.split(ALIAS.sub(alias, line))
        assert program == "conversation-tracker", block.place
        done = subprocess.run(
            tracker.command(*words), capture_output=True, text=True, check=False, cwd=home
        )
        allowed = (0, 1) if words[0] == "check" else (0,)
        assert done.returncode in allowed, f"{block.place}: {line}\n{done.stdout}{done.stderr}"
