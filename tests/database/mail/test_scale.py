"""What mail asks stays the same work however many orders there are."""

import os
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest
from records import make_record

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import MappedId, Participant
from conversation_tracker.core.model.plan import Record
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.migrate import migrate
from conversation_tracker.database.repository import Database

if TYPE_CHECKING:
    from private.postgres import Postgres

FILL = """
INSERT INTO tracker.stores (name, alias_domain) VALUES ('shop', 'ct.example.com');
WITH o AS (
    INSERT INTO tracker.orders (store, number, ref, alias_domain, expires_at)
    SELECT 'shop', n::text, lpad(n::text, 12, '0'), 'ct.example.com', now() + interval '2 months'
      FROM generate_series(1, 20000) AS n
    RETURNING id, number
)
INSERT INTO tracker.participants (order_id, token, role, address)
SELECT id, lpad(number, 32, '0')::uuid, 'buyer', 'buyer' || number || '@buyer.example' FROM o;
WITH m AS (
    INSERT INTO tracker.messages (order_id, digest, queue_id, direction, sender_id, sender_name,
                                  message_id, subject, first_words, size, attachment_names,
                                  automatic, auto_reply, verdict, notes, raw)
    SELECT p.order_id, sha256(p.id::text::bytea), 'q' || p.id, 'outbound', p.id, '',
           '<' || p.id || '@x.example>', '', '', 0, '{}', false, false, 'unverified', '{}', ''
      FROM tracker.participants AS p
    RETURNING id, at, sender_id, queue_id
)
INSERT INTO tracker.deliveries (message_id, message_at, recipient_id, bounce, queue_id)
SELECT id, at, sender_id, gen_random_uuid(), queue_id FROM m;
INSERT INTO tracker.message_ids (order_id, ours, original, participant_id)
SELECT order_id, '<m-' || n || '@ct.example.com>', '<' || n || '@x.example>', id
  FROM tracker.participants, generate_series(2, 4) AS n;
"""
SCANNED = """
SELECT relname, seq_tup_read FROM pg_stat_xact_user_tables
 WHERE schemaname = 'tracker' AND seq_tup_read > 100
   AND relname ~ '^(orders|participants|messages|deliveries|message_ids|repeats|refusals)'
"""


@pytest.fixture(scope="module")
def filled(postgres: "Postgres") -> str:
    """Return the name of a database with many orders in it; connect to no such thing."""
    name = "many_orders"
    uri = postgres.create_database(name)
    migrate(uri)
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(FILL)
        connection.execute("VACUUM ANALYZE")
    return name


@pytest.fixture
def connection(postgres: "Postgres", filled: str) -> Iterator[Connection]:
    """Return a session in a copy of it, dropped after the test."""
    name = "many_orders_once"
    with Connection.connect(postgres.create_database(name, filled)) as connection:
        yield connection
    postgres.drop_database(name)


class Recorder(Database):
    """A database on one connection, so that what a transaction read can be asked there."""

    def __init__(self, connection: Connection) -> None:
        super().__init__("")
        self._only = connection

    def _run(self, work, locks=()):
        return work(self._only)


def record(order: int, buyer: str) -> Record:
    writer = Participant(uuid.uuid4().hex, "partner", Address.parse("bot@x.example"), False)
    return make_record(
        order,
        writer.token,
        (buyer,),
        joined=(writer,),
        digest=os.urandom(32),
        message_id="<1@x.example>",
        raw=b"x",
        identifiers=(MappedId("<m-1@ct.example.com>", "<1@x.example>", writer.token),),
    )


def test_recording_and_looking_up_reads_no_table_through(connection: Connection) -> None:
    database = Recorder(connection)
    with connection.transaction():
        for number in range(1, 20):
            token = f"{number:032d}"
            [(order,)] = connection.execute(
                "SELECT order_id FROM tracker.participants WHERE token = %s::uuid", (token,)
            ).fetchall()
            assert database.record([record(order, token)])[0] == "done"
            database.again(order)
            database.open_order("shop", str(number))
            database.find_by_reply("shop", [f"<{number}@x.example>"])
            database.identifiers(order, ["<m-1@ct.example.com>"])
            database.last_delivery(token, [token])
            for query, values in (
                (
                    "SELECT * FROM tracker.conversation_of_hard(%s::uuid, 'ct.example.com')",
                    (token,),
                ),
                (
                    "SELECT * FROM tracker.conversation_of_soft(%s, %s, 'ct.example.com')",
                    (f"buyer{number}@buyer.example", f"{number:012d}"),
                ),
                ("SELECT tracker.mask('shop', %s, 'new@x.example')", (str(number),)),
                ("SELECT * FROM tracker.delivery_of(gen_random_uuid(), 'ct.example.com')", ()),
            ):
                connection.execute(query.encode(), values)
        assert connection.execute(SCANNED).fetchall() == []


def test_a_month_that_was_empty_when_plans_were_made_is_not_read_through(database: str) -> None:
    """An empty table that was vacuumed is thought to stay empty until it is analysed again."""
    with psycopg.connect(database, autocommit=True) as unhurried:
        unhurried.execute(FILL[: FILL.index("WITH m AS")])
        unhurried.execute("VACUUM ANALYZE")
    with Connection.connect(database) as connection:
        recorder = Recorder(connection)
        orders = connection.execute(
            "SELECT order_id, replace(token::text, '-', '') FROM tracker.participants LIMIT 30"
        ).fetchall()
        with connection.transaction():
            for order, token in orders:
                assert recorder.record([record(order, token)])[0] == "done"
            assert connection.execute(SCANNED).fetchall() == []


def make_months(uri: str) -> None:
    """Make the last two years' months; elsewhere, so that what it reads is not counted."""
    with psycopg.connect(uri) as other:
        other.execute(
            "SELECT tracker.make_month((now() - n * interval '1 month')::date)"
            " FROM generate_series(1, 24) AS n"
        )


def record_some(connection: Connection, recorder: Recorder) -> None:
    """Record a message in each of some orders: more than a plan is tried before it is kept."""
    for number in range(1, 9):
        token = f"{number:032d}"
        [(order,)] = connection.execute(
            "SELECT order_id FROM tracker.participants WHERE token = %s::uuid", (token,)
        ).fetchall()
        assert recorder.record([record(order, token)])[0] == "done"


def test_recording_looks_at_two_months_at_most(database: str, connection: Connection) -> None:
    """However many there are; of the deliveries, at one."""
    make_months(database)
    recorder = Recorder(connection)
    reads = (
        "SELECT relname FROM pg_stat_xact_user_tables WHERE schemaname = 'tracker'"
        " AND relname ~ %s AND coalesce(seq_scan, 0) + coalesce(idx_scan, 0) > 0"
    )
    with connection.transaction():
        record_some(connection, recorder)
        assert 1 <= len(connection.execute(reads, ("^messages_[0-9]",)).fetchall()) <= 2
        assert len(connection.execute(reads, ("^deliveries_[0-9]",)).fetchall()) <= 1
        assert connection.execute(reads, ("_default$",)).fetchall() == []


def test_recording_plans_nothing_anew_however_many_months_there_are(
    database: str, connection: Connection
) -> None:
    make_months(database)
    plans: list[str] = []
    connection.execute("LOAD 'auto_explain'")
    for setting in (
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_nested_statements = on",
        "client_min_messages = log",
    ):
        connection.execute(f"SET {setting}".encode())
    if connection.info.server_version >= 160000:  # it would log values, which name addresses
        connection.execute(b"SET auto_explain.log_parameter_max_length = 0")
    connection.add_notice_handler(lambda notice: plans.append(notice.message_primary or ""))
    record_some(connection, Recorder(connection))
    searches = [plan for plan in plans if "LEFT JOIN LATERAL" in plan]
    assert len(searches) == 8
    # A plan that is kept has parameters where one made for this message has values.
    assert "order_id = $" in searches[-1]
