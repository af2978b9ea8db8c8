"""What a look-up reads is its store's alone: what can be counted of it tells nothing of others."""

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from stores import add

from conversation_tracker.database.connection import Connection
from conversation_tracker.database.publishing.numbering import number_batch

if TYPE_CHECKING:
    from tests.database.conftest import Shop

    from private.postgres import Postgres

# Who is in a thousand orders of the other store, in one, in none; with spellings of Gmail, as
# somebody's Reply-To, and with more than ASCII. Those of one kind are as long as each other.
KINDS = {
    "plain": ("every@doe.example", "rarer@doe.example", "naner@doe.example"),
    "gmail": ("every@gmail.com", "r.are@gmail.com", "nan.e@gmail.com"),
    "return": ("every@back.example", "rarer@back.example", "naner@back.example"),
    "unicode": ("every@\u00fcber.example", "rarer@\u00fcber.example", "naner@\u00fcber.example"),
}
KNOWN = [address for kind in KINDS.values() for address in kind[:2]]
# What a caller may set for the planner.
SETTINGS = (
    {},
    {"enable_indexscan": "off", "enable_bitmapscan": "off", "enable_indexonlyscan": "off"},
    {"random_page_cost": "1e9", "cpu_index_tuple_cost": "1e9", "seq_page_cost": "0"},
    {"enable_nestloop": "off", "enable_hashjoin": "on", "enable_mergejoin": "on"},
    {"plan_cache_mode": "force_custom_plan", "work_mem": "64kB", "enable_seqscan": "on"},
)
COUNTED = """
    SELECT relid::regclass::text, coalesce(seq_scan, 0), coalesce(seq_tup_read, 0),
           coalesce(idx_scan, 0), coalesce(idx_tup_fetch, 0), n_tup_ins, n_tup_upd, n_tup_del
      FROM pg_stat_xact_all_tables WHERE schemaname = 'tracker'"""
MESSAGES = """
    INSERT INTO tracker.messages (order_id, digest, queue_id, direction, sender_id, sender_name,
                                  message_id, subject, first_words, size, attachment_names,
                                  automatic, auto_reply, verdict, notes, raw)
    SELECT p.order_id, '', '', 'internal', p.id, '', '', '', '', 1, '{}', false, false,
           'verified', '{}', ''
      FROM (SELECT p.* FROM tracker.participants AS p JOIN tracker.orders AS o ON o.id = p.order_id
             WHERE o.store = %(store)s AND p.role <> 'return' LIMIT 1) AS p,
           generate_series(1, %(messages)s)"""
TEXTS = """
    INSERT INTO tracker.texts (message_id, message_at, order_id, body, attachments, files, marks,
                               words)
    SELECT m.id, m.at, m.order_id, %(word)s, '[]', '{}', '{}',
           tracker.write_words(tracker.word_mark(o.store), o.number, '', '', '{}', %(word)s)
      FROM tracker.messages AS m JOIN tracker.orders AS o ON o.id = m.order_id
     WHERE o.store = %(store)s"""
FIND = "SELECT order_number FROM tracker.find_orders(%s, %s)"


SEARCH = "SELECT order_number FROM tracker.search(%s, %s)"


class Asker:
    """An integrator of one store, beside a much larger one, and what is asked."""

    def __init__(self, session: psycopg.Connection, store: str, query: str = FIND) -> None:
        self.session, self.store, self.query = session, store, query

    def find(self, address: str) -> list[str]:
        """Look up an address, or whatever is asked for."""
        given = (self.store, address)
        return [number for (number,) in self.session.execute(self.query.encode(), given)]

    def count(self, address: str) -> dict[str, tuple[int, ...]]:
        """Return what the server counts of one look-up, by table."""
        with self.session.transaction():
            before = self._read()
            self.find(address)
            after = self._read()
        none = (0,) * 7
        changed = {
            name: tuple(b - a for a, b in zip(before.get(name, none), counts, strict=True))
            for name, counts in after.items()
        }
        return {name: counts for name, counts in changed.items() if any(counts)}

    def buffers(self, address: str) -> str:
        """Return which pages a look-up has the server read and write, most often of some."""
        said = Counter(self._explain(address) for _ in range(7))
        return said.most_common(1)[0][0]

    def _explain(self, address: str) -> str:
        query = b"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF) " + self.query.encode()
        lines = self.session.execute(query, (self.store, address)).fetchall()
        return "\n".join(str(line) for (line,) in lines).replace(address, "")

    def _read(self) -> dict[str, tuple[int, ...]]:
        return {str(name): tuple(counts) for name, *counts in self.session.execute(COUNTED)}


def fill(shop: "Shop", theirs: str) -> None:
    """Give both stores orders: the other a thousand, whose people are in one or in all of them."""
    for store, orders in ((shop.name, 3), (theirs, 1000)):
        shop.connection.execute(
            "INSERT INTO tracker.orders (store, number, ref, alias_domain, expires_at)"
            " SELECT name, n::text, tracker.random_ref(), alias_domain, now() + interval '1 month'"
            " FROM tracker.stores, generate_series(1, %s) AS n WHERE name = %s",
            (orders, store),
        )
    of_orders = "FROM tracker.orders WHERE store = %s AND (number = '500' OR %s)"
    for address in KNOWN:
        given = (address, theirs, address.startswith("every"))
        if "back" not in address:
            shop.connection.execute(
                "INSERT INTO tracker.participants (order_id, token, role, address)"
                f" SELECT id, gen_random_uuid(), 'partner', %s {of_orders}".encode(),
                given,
            )
            continue
        shop.connection.execute(
            "WITH apart AS (INSERT INTO tracker.participants (order_id, token, role, introduced)"
            f" SELECT id, gen_random_uuid(), 'return', false {of_orders} RETURNING id, order_id)"
            " INSERT INTO tracker.return_addresses (participant_id, order_id, address)"
            " SELECT id, order_id, %s FROM apart".encode(),
            (*given[1:], address),
        )
    for n in range(180):
        shop.mask(f"own{n}@doe.example", "1" if n < 90 else "2", "partner")
    for store, word, messages in ((theirs, "zebra", 200), (shop.name, "apple", 5)):
        shop.connection.execute(MESSAGES.encode(), {"store": store, "messages": messages})
        shop.connection.execute(TEXTS.encode(), {"store": store, "word": word})
    # The trace has as many levels from here on.
    shop.connection.execute(
        "INSERT INTO tracker.lookups (db_user, actor, store, digest, found)"
        " SELECT '', '', '', sha256(''), 0 FROM generate_series(1, 1000)"
    )


@pytest.fixture(scope="module")
def asker(postgres: "Postgres", shared: str) -> Iterator[Asker]:
    """Return an integrator of `mine`; the other store is `theirs`."""
    from tests.database.conftest import Shop

    clerk = f"clerk_{uuid.uuid4().hex}"
    with psycopg.connect(shared, autocommit=True) as connection:
        shop = Shop(shared, connection, 900)
        for name in (shop.name, "theirs"):
            add(connection, name, f"{name}.example.com")
        fill(shop, "theirs")
        connection.execute("VACUUM ANALYZE")
        member = sql.SQL("CREATE ROLE {} LOGIN IN ROLE tracker_integrator, tracker_reader")
        connection.execute(member.format(sql.Identifier(clerk)))
        shop.one("SELECT tracker.grant_store(%s, %s)", clerk, shop.name)
        with psycopg.connect(postgres.uri(connection.info.dbname, clerk), autocommit=True) as own:
            yield Asker(own, shop.name)
        connection.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(clerk)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(clerk)))


@contextmanager
def set_for(session: psycopg.Connection, settings: dict[str, str]) -> Iterator[None]:
    """Set something in a session while the block runs; what was planned before is gone."""
    session.execute("DISCARD PLANS")
    for name, value in settings.items():
        session.execute("SELECT set_config(%s, %s, false)", (name, value))
    try:
        yield
    finally:
        session.execute("RESET ALL")


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda given: next(iter(given), "nothing"))
@pytest.mark.parametrize("kind", KINDS)
def test_what_others_have_is_not_counted(asker: Asker, kind: str, settings: dict[str, str]) -> None:
    """Tables, pages and plans: the same for who is everywhere, in one order, and nowhere."""
    with set_for(asker.session, settings):
        counts, pages = [], []
        for address in KINDS[kind]:
            for _ in range(8):  # then another plan could be made
                assert asker.find(address) == []
            counts.append(asker.count(address))
            pages.append(asker.buffers(address))
    assert counts[0] == counts[1] == counts[2]
    assert pages[0] == pages[1] == pages[2]
    assert "Buffers: shared hit=" in pages[0]
    people, orders = (counts[0].get(f"tracker.{name}") for name in ("participants", "orders"))
    assert people is not None
    assert people[:2] == (0, 0)  # nothing is read through
    assert people[3] == 0  # and no row found
    assert orders is None


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda given: next(iter(given), "nothing"))
def test_words_of_others_are_not_counted(asker: Asker, settings: dict[str, str]) -> None:
    search = Asker(asker.session, asker.store, SEARCH)
    with set_for(asker.session, settings):
        counts, pages = [], []
        for word in ("zebra", "zonal"):
            for _ in range(8):
                assert search.find(word) == []
            counts.append(search.count(word))
            pages.append(search.buffers(word))
        assert len(search.find("apple")) == 5
    assert counts[0] == counts[1]
    assert pages[0] == pages[1]
    read = {name: each for name, each in counts[0].items() if "texts" in name}
    assert read
    assert not any(each[0] or each[1] or each[3] for each in read.values()), read


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda given: next(iter(given), "nothing"))
def test_of_ones_own_what_is_found_is_read(asker: Asker, settings: dict[str, str]) -> None:
    with set_for(asker.session, settings):
        assert asker.find("own7@doe.example") == ["1"]
        counts = asker.count("own7@doe.example")
    assert counts["tracker.participants"][:4] == (0, 0, 1, 1)
    assert counts["tracker.orders"][:4] == (0, 0, 1, 1)


def test_each_way_in_gives_the_number_of_the_store(shop: "Shop") -> None:
    """Masked one by one and many, joined by mail as any role, brought in by a row of somebody's."""
    shop.mask("a@x.example")
    shop.rows("SELECT * FROM tracker.mask(%s, %s::jsonb)", shop.name,
              '[{"order_number": "1", "address": "b@x.example"}]')  # fmt: skip
    order = shop.order()["id"]
    tokens = [str(uuid.uuid4()) for _ in range(3)]
    joined = (
        f'[{{"token": "{tokens[0]}", "role": "partner", "address": "c@x.example",'
        ' "introduced": true},'
        f' {{"token": "{tokens[1]}", "role": "return", "address": "d@x.example",'
        ' "introduced": false},'
        f' {{"token": "{tokens[2]}", "role": "return", "address": "e@x.example",'
        ' "introduced": false}]'
    )
    assert shop.one("SELECT tracker.join_order(%s, 100, 20, %s::jsonb)", order, joined)
    shop.mask("d@x.example", role="partner")
    again = joined.replace('"return", "address": "e@', '"partner", "address": "e@')
    unnumber(shop, order)
    again = f"[{{{again.rpartition('{')[2]}"
    assert shop.one("SELECT tracker.join_order(%s, 100, 20, %s::jsonb)", order, again)
    assert {each[0]: each[1] for each in numbers(shop, order)} == {
        f"{letter}@x.example": letter in "e" for letter in "abcde"
    }


def unnumber(shop: "Shop", order: int) -> None:
    """Have an order's rows be as they were before stores had numbers."""
    for table in ("participants", "return_addresses"):
        shop.connection.execute(
            f"UPDATE tracker.{table} SET store_number = NULL WHERE order_id = %s".encode(), (order,)
        )


def numbers(shop: "Shop", order: int) -> list[tuple[Any, ...]]:
    """Return an order's addresses, and whether each has its store's number."""
    return shop.rows(
        "SELECT found.address, found.store_number IS NOT DISTINCT FROM"
        " (SELECT n.number FROM tracker.store_numbers AS n WHERE n.store = %s)"
        "  FROM (SELECT order_id, address, store_number FROM tracker.participants UNION ALL"
        "        SELECT order_id, address, store_number FROM tracker.return_addresses) AS found"
        " WHERE order_id = %s AND address IS NOT NULL ORDER BY address",
        shop.name,
        order,
    )


def test_older_rows_get_the_number_and_nobody_is_waited_for(shop: "Shop") -> None:
    """Until all have it, a look-up is refused: it would not tell of all."""
    for n in range(5):
        shop.mask(f"p{n}@x.example", role="partner")
    shop.mask("back@x.example")
    order = shop.order()["id"]
    apart = shop.one(
        "INSERT INTO tracker.participants (order_id, token, role, introduced)"
        " VALUES (%s, gen_random_uuid(), 'return', false) RETURNING id",
        order,
    )
    shop.rows(
        "INSERT INTO tracker.return_addresses (participant_id, order_id, address)"
        " VALUES (%s, %s, 'far@x.example') RETURNING 1",
        apart,
        order,
    )
    unnumber(shop, order)
    shop.connection.execute(
        "INSERT INTO tracker.unnumbered SELECT 'participants', 0, max(id) FROM tracker.participants"
        " UNION ALL SELECT 'return_addresses', 0, max(participant_id) FROM tracker.return_addresses"
    )
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="looked up yet"):
        shop.rows(FIND, shop.name, "p3@x.example")
    with (
        Connection.connect(shop.uri) as connection,
        psycopg.connect(shop.uri) as mail,
    ):
        mail.execute(
            "UPDATE tracker.participants SET handed_out = true WHERE address = 'p3@x.example'"
            " AND order_id = %s",
            (order,),
        )
        while number_batch(connection):
            pass
        assert not number_batch(connection)
        assert [address for address, numbered in numbers(shop, order) if not numbered] == [
            "far@x.example",
            "p3@x.example",
        ]
        mail.commit()
        turns = 0
        while number_batch(connection):
            turns += 1
        assert turns >= 3  # the one that was locked, the end, and the return addresses
        assert all(numbered for _address, numbered in numbers(shop, order))
    assert shop.rows("SELECT * FROM tracker.unnumbered") == []
    assert shop.rows(FIND, shop.name, "p3@x.example") == [("1",)]
    assert shop.rows(FIND, shop.name, "far@x.example") == [("1",)]


def test_a_store_keeps_its_number_under_another_name(shop: "Shop") -> None:
    shop.mask("john@doe.example")
    before = shop.one("SELECT number FROM tracker.store_numbers WHERE store = %s", shop.name)
    shop.connection.execute(
        "UPDATE tracker.stores SET name = %s WHERE name = %s", (f"{shop.name} new", shop.name)
    )
    shop.name = f"{shop.name} new"
    assert before == shop.one(
        "SELECT number FROM tracker.store_numbers WHERE store = %s", shop.name
    )
    assert shop.rows(FIND, shop.name, "JOHN@doe.example") == [("1",)]


@pytest.mark.parametrize(
    "address",
    ["J.D+Tag@GoogleMail.com", "J.D@x.example", "\u00dcber@\u00fc.example", '"a@b"@gmail.com'],
)
def test_the_key_of_a_mailbox(shop: "Shop", address: str) -> None:
    assert shop.one(
        "SELECT tracker.mailbox_key(%s) = coalesce(tracker.gmail_key(%s), tracker.address_key(%s))",
        *[address] * 3,
    )
