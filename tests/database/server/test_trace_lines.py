"""The lines in the server's log of who asked for what: they are there, and nobody is sent one.

Whoever is sent the digest of an address of their choice could compare it with those in a list of
erasures, in the trace or in the log.
"""

from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from tests.database.conftest import Shop

    from private.postgres import Postgres

JOHN = "john@doe.example"
ASKED = {
    "tracker_reader": (
        ("looked up by address", "SELECT tracker.find_orders(%(store)s, %(john)s)"),
    ),
    "tracker_service": (
        ("looked up by address", "SELECT tracker.find_orders(%(store)s, %(john)s)"),
        ("unmasked", "SELECT tracker.unmask(%(alias)s, 'asked to')"),
        ("exported", "SELECT tracker.export_person(%(john)s)"),
        ("erased", "SELECT tracker.erase_person(%(john)s)"),
        ("erased", "SELECT tracker.erase(%(john)s)"),
    ),
}


def ask(postgres: "Postgres", shop: "Shop", group: str) -> str:
    """Ask as a role of a group that wants every line; return what it is sent beside results."""
    role = f"trace_{shop.name}_{group}"
    said: list[str] = []
    shop.connection.execute(f'CREATE ROLE "{role}" LOGIN IN ROLE {group}'.encode())
    try:
        if group != "tracker_service":
            shop.one("SELECT tracker.grant_store(%s, %s)", role, shop.name)
        given = {"store": shop.name, "john": JOHN, "alias": shop.mask(JOHN)}
        uri = postgres.uri(shop.connection.info.dbname, role)
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.add_notice_handler(lambda told: said.append(str(told.message_primary)))
            connection.execute("SET client_min_messages = debug5")
            for _what, statement in ASKED[group]:
                connection.execute(statement.encode(), given)
    finally:
        shop.connection.execute(f'DROP OWNED BY "{role}"'.encode())
        shop.connection.execute(f'DROP ROLE "{role}"'.encode())
    assert said, "the session is sent what there is"
    return "\n".join(said)


def test_nobody_who_asks_is_sent_a_digest(postgres: "Postgres", shop: "Shop") -> None:
    for group, asked in ASKED.items():
        role = f"role trace_{shop.name}_{group},"
        sent = ask(postgres, shop, group)
        assert "conversation tracker:" not in sent
        digests = shop.rows("SELECT encode(digest, 'hex') FROM tracker.lookups")
        assert digests
        assert all(digest not in sent for (digest,) in digests)
        logged = [line for line in postgres.log_text().splitlines() if role in line]
        for what, _statement in asked:
            assert [line for line in logged if what in line and "conversation tracker:" in line]


def test_whatever_writes_such_a_line_sends_it_to_nobody(shop: "Shop") -> None:
    found = shop.rows(
        "SELECT p.proname, coalesce('client_min_messages=warning' = ANY (p.proconfig), false)"
        "  FROM pg_proc AS p WHERE p.pronamespace = 'tracker'::regnamespace"
        "   AND p.prosrc ~* 'RAISE\\s+LOG' ORDER BY 1"
    )
    assert {"find_orders", "unmask", "note_erasure", "export_person"} <= {name for name, _ in found}
    assert [name for name, kept in found if not kept] == []
