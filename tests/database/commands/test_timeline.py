"""The timeline as it is read, with what was refused in its place."""

import json

import psycopg
import pytest

from conversation_tracker.core.model.plan import Refusal
from conversation_tracker.database.repository import Database
from conversation_tracker.support import timeline

STORE = "INSERT INTO tracker.stores (name, alias_domain) VALUES ('shop', 'ct.example.com')"


@pytest.fixture
def connection(database: str):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(STORE)
        yield connection


def refuse(database: str, connection: psycopg.Connection, *, times: int = 1) -> str:
    [alias] = connection.execute("SELECT tracker.mask('shop', '1', 'john@doe.example')").fetchone()
    [order] = connection.execute("SELECT id FROM tracker.orders").fetchone()
    refusal = Refusal(
        order, b"\1" * 32, None, alias.partition("@")[0], "Hello", "550 5.7.1 Sender refused"
    )
    opened = Database(database)
    opened.open()
    for _ in range(times):
        opened.refuse(refusal)
    opened.close()
    return alias


def test_refused_mail_stands_in_the_timeline_with_the_reason(database, connection) -> None:
    """Support can see what was refused, when and why, though nothing of it was kept."""
    alias = refuse(database, connection)
    [entry] = timeline.read_timeline(connection, "shop", "1")
    assert (entry.state, entry.subject, entry.id) == ("refused", "Hello", None)
    assert entry.role == "unknown"
    assert entry.deliveries[0].alias == alias
    assert entry.deliveries[0].status == "5.7.1"
    assert entry.deliveries[0].reason == "550 5.7.1 Sender refused"
    [written] = json.loads("".join(timeline.as_json(connection, "shop", "1")))
    assert (written["id"], written["body"]) == (None, "")
    [line] = list(timeline.as_table([entry], 100))[1:]
    assert line.endswith("refused 5.7.1")


def test_a_client_that_tries_again_is_one_entry(database, connection) -> None:
    """The same message refused three times is listed once, with its count."""
    refuse(database, connection, times=3)
    assert len(timeline.read_timeline(connection, "shop", "1")) == 1
    assert connection.execute("SELECT times FROM tracker.refusals").fetchone() == (3,)


def test_the_view_shows_refused_mail_in_the_contracts_columns(database, connection) -> None:
    """tracker.timeline has a row for it, with the recipient's hard alias."""
    alias = refuse(database, connection)
    row = connection.execute(
        "SELECT direction, sender_alias, recipient_alias, state, status, reason, notes,"
        " message_id"
        "  FROM tracker.timeline"
    ).fetchone()
    assert row == (
        "outbound",
        None,
        alias,
        "refused",
        "5.7.1",
        "550 5.7.1 Sender refused",
        [],
        None,
    )
