"""Status and reason are two columns, also of rows from before; who unmasks leaves a trace."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from older import make_older

from conversation_tracker.database.migrate import migrate
from private import processes

if TYPE_CHECKING:
    from tests.database.conftest import Shop

    from private.postgres import Postgres

JOHN = "john.doe1977+shop@home.example"
CODE = "deliveries_status_is_an_enhanced_status_code_alone"


@pytest.fixture
def before(postgres: "Postgres") -> Iterator[str]:
    """Return a database as it was before."""
    uri = postgres.create_database("before")
    make_older(uri, "0011")
    yield uri
    postgres.drop_database("before")


def test_rows_from_before_are_split_and_masked(before: str) -> None:
    """Where the recipient's address is gone, the words go: nobody could say whom they name."""
    told = {
        "5.1.1 No such user john.doe1977 here": ("5.1.1", "No such user [name] here"),
        "5.1.1 <john@x>: JohnDoe1977+a, johndoe19": ("5.1.1", "<john@x>: [name], johndoe19"),
        "5.2.1": ("5.2.1", ""),
        "": ("", ""),
        "mailbox full": ("", "mailbox full"),
        "5.1.11111 odd": ("", "5.1.11111 odd"),
        "2.0.0 250 2.0.0 kept": ("2.0.0", "250 2.0.0 kept"),
    }
    with psycopg.connect(before, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain) VALUES ('shop', 'ct.example.com')"
        )
        for number, address in (("1", JOHN), ("2", "gone@doe.example")):
            connection.execute("SELECT tracker.mask('shop', %s, %s)", (number, address))
        for status in told:
            delivered(connection, status)
        connection.execute(
            "UPDATE tracker.participants SET address = NULL WHERE address LIKE 'gone%'"
        )
    migrate(before)
    with psycopg.connect(before) as connection:
        query = (
            "SELECT order_number, status, reason FROM tracker.timeline ORDER BY order_number,"
            " message_id"
        )
        rows = connection.execute(query).fetchall()
    assert [row[1:] for row in rows if row[0] == "1"] == list(told.values())
    assert [row[1:] for row in rows if row[0] == "2"] == [(code, "") for code, _ in told.values()]


def delivered(connection: psycopg.Connection[Any], status: str) -> None:
    """Write a message and its delivery to everybody there is, as an older program did."""
    connection.execute(
        "WITH message AS (INSERT INTO tracker.messages (order_id, digest, queue_id, direction,"
        "   sender_id, sender_name, message_id, subject, first_words, size, attachment_names,"
        "   automatic, auto_reply, verdict, notes, raw)"
        "   SELECT order_id, '', '', 'internal', id, '', '', '', '', 0, '{}', false, false,"
        "          'verified', '{}', '' FROM tracker.participants RETURNING id, at, sender_id)"
        " INSERT INTO tracker.deliveries (message_id, message_at, recipient_id, bounce, queue_id,"
        "   status) SELECT id, at, sender_id, gen_random_uuid(), '', %s FROM message",
        (status,),
    )


@pytest.mark.parametrize("status", ["5.1.1 no such user", "5.1", "no", "9.0.0", "5.1.1 "])
def test_a_status_is_a_code_alone(shop: "Shop", status: str) -> None:
    shop.mask(JOHN)
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        delivered(shop.connection, status)
    assert caught.value.diag.constraint_name == CODE


def test_whoever_only_claims_to_be_somebody_has_no_role(shop: "Shop") -> None:
    """The timeline's notes say so, after what they say of the message's parts."""
    shop.mask(JOHN)
    delivered(shop.connection, "")
    order = "order_id IN (SELECT id FROM tracker.orders WHERE store = %s)"
    query = "SELECT sender_role, notes FROM tracker.timeline WHERE store = %s"
    shop.connection.execute(
        f"UPDATE tracker.messages SET notes = '{{2 text/plain identity}}' WHERE {order}".encode(),
        (shop.name,),
    )
    assert shop.rows(query, shop.name) == [("buyer", ["2 text/plain identity"])]
    shop.connection.execute(
        f"UPDATE tracker.messages SET verdict = 'flagged' WHERE {order}".encode(), (shop.name,)
    )
    [(role, notes)] = shop.rows(query, shop.name)
    assert role is None
    assert notes[0] == "2 text/plain identity"
    assert notes[1].startswith("sender flagged: ")


def test_unmasking_leaves_a_trace_that_no_rollback_takes(
    shop: "Shop", postgres: "Postgres"
) -> None:
    """In the server's log: role, actor, hard alias and reason, on one line; never the address."""
    shop.set(mask="soft")
    soft = shop.mask("jane.roe@home.example")
    token = shop.one(
        "SELECT token FROM tracker.participants WHERE address = 'jane.roe@home.example'"
    )
    with psycopg.connect(shop.uri) as connection:
        connection.execute("SELECT set_config('tracker.actor', 'anna' || chr(10) || 'x', false)")
        query = "SELECT tracker.unmask(%s, %s)"
        row = connection.execute(query, (soft, "parcel\ncame back")).fetchone()
        user = connection.info.user
        connection.rollback()
    assert row == ("jane.roe@home.example",)
    trace = (
        f"LOG:  conversation tracker: {token.hex}@{shop.alias_domain} unmasked, role {user},"
        " actor anna x, reason: parcel came back\n"
    )
    assert processes.until(lambda: trace in postgres.log_text(), 10.0)
    assert "jane.roe" not in postgres.log_text()
    assert shop.rows("SELECT FROM tracker.unmaskings WHERE reason LIKE 'parcel%%back'") == []


def test_what_is_refused_to_unmask_leaves_no_trace(shop: "Shop", postgres: "Postgres") -> None:
    alias = shop.mask("jack@home.example")
    for given, reason in ((alias, ""), (alias, "jack@home.example"), (f"x{alias}", "why")):
        with pytest.raises(psycopg.Error):
            shop.unmask(given, reason)
    assert f"{alias} unmasked" not in postgres.log_text()
