"""What is erased is gone: from identifiers, return paths and recorded names, in any spelling."""

import base64
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.errors import LockNotAvailable
from records import make_record, map_identifier

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import MappedId
from conversation_tracker.core.model.message import Arrival, Message, parse
from conversation_tracker.core.model.plan import Record
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.recording import write_record
from conversation_tracker.database.repository import Database
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.transaction import Transaction
from private import processes

if TYPE_CHECKING:
    from tests.database.conftest import Shop

WAITING = """SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
    WHERE NOT l.granted AND a.datname = current_database()"""
JOHN = "john.doe@home.example"
HOLDING = [
    JOHN,
    "JOHN.Doe@HOME.example",
    "<n1-john.doe@home.example@carrier.example>",
    "<x.john.doe@home.example>",
    "bounce+john.doe=home.example@esp.example",
    "bounces+123-ab-John.Doe=Home.Example@esp.example",
    "bounce-john.doe%40home.example@esp.example",
    "bounce-john%2Edoe%40home%2eexample@esp.example",
    "bounce-%6A%6fhn.doe%40home.example@esp.example",
    "bounce-%3Cjohn.doe%40home.example%3E@esp.example",
    "bounce+john.doe+40home.example@esp.example",
    "bounce-john.doe=40home.example@esp.example",
    "bounce-john.doe%3Dhome.example@esp.example",
    "john.doe%home.example@relay.example",
    "home.example!john.doe@relay.example",
    "SRS0=hAsH=tt=home.example=john.doe@fwd.example",
    "prvs=1234567890=john.doe@home.example",
    "john.doe+shop@home.example",
    "bounce-john.doe+shop=home.example@esp.example",
    "<1.john.doe_at_home.example@carrier.example>",
    f"<{JOHN.encode().hex()}@carrier.example>",
    f"<{JOHN.encode().hex().upper()}@carrier.example>",
    *(
        f"<{base64.urlsafe_b64encode(before + JOHN.encode() + b'&x').decode()}@carrier.example>"
        for before in (b"", b"u", b"to", b"id=")
    ),
]
OTHERS = [
    "jane.doe@home.example",
    "xjohn.doe@home.example",
    "john.doe@home.example.org",
    "john.doe@home.examples",
    "john.doe@myhome.example",
    "bounce+john.doe=away.example@esp.example",
    "bounce+johndoe=home.example@esp.example",
    "<1234.home.example@carrier.example>",
    "<5f2d7@mail.home.example>",
]
GMAIL = [
    "j.ohndoe@gmail.com",
    "JohnDoe@googlemail.com",
    "<1-john.doe@gmail.com@carrier.example>",
    "bounce+j.o.h.n.doe=googlemail.com@esp.example",
    "bounce+john%2Edoe+tag=gmail.com@esp.example",
]


JOE = "joe@b\u00fccher.example"
INTERNATIONAL = [
    "<n1-joe@b\u00fccher.example@carrier.example>",
    "bounce+joe=B\u00dcCHER.example@esp.example",
    "joe@xn--bcher-kva.example",
    "bounce+joe=xn--bcher-kva.example@esp.example",
    "<1-joe%40b%C3%BCcher.example@carrier.example>",
    "b\u00fccher.example!joe@relay.example",
    f"<{JOE.encode().hex()}@carrier.example>",
    f"<{base64.urlsafe_b64encode(b'id=' + JOE.encode()).decode()}@carrier.example>",
]


def erase(shop: "Shop", address: str) -> int:
    return int(shop.one("SELECT tracker.erase(%s)", address))


def identifiers(shop: "Shop") -> list[str]:
    """Return the originals of the store's orders."""
    query = (
        "SELECT original FROM tracker.message_ids AS i JOIN tracker.orders AS o"
        "    ON o.id = i.order_id WHERE o.store = %s ORDER BY 1"
    )
    return [row[0] for row in shop.rows(query, shop.name)]


def returned(shop: "Shop", address: str) -> None:
    """Let a return path lie apart in the store's one order."""
    shop.connection.execute(
        "WITH place AS (INSERT INTO tracker.participants (order_id, token, role, introduced)"
        "   SELECT id, gen_random_uuid(), 'return', false FROM tracker.orders WHERE store = %s"
        "   RETURNING id, order_id)"
        " INSERT INTO tracker.return_addresses (participant_id, order_id, address)"
        " SELECT id, order_id, %s FROM place",
        (shop.name, address),
    )


def return_paths(shop: "Shop") -> list[str]:
    """Return the return paths that are left."""
    query = (
        "SELECT r.address FROM tracker.return_addresses AS r JOIN tracker.orders AS o"
        "    ON o.id = r.order_id WHERE o.store = %s AND r.address IS NOT NULL ORDER BY 1"
    )
    return [row[0] for row in shop.rows(query, shop.name)]


def recorded(shop: "Shop", address: str, name: str, raw: bytes) -> int:
    """Record a message of a participant's."""
    return int(
        shop.one(
            "INSERT INTO tracker.messages (order_id, digest, queue_id, direction, sender_id,"
            "  sender_name, message_id, subject, first_words, size, attachment_names, automatic,"
            "  auto_reply, verdict, notes, raw)"
            " SELECT order_id, %s, '', 'internal', id, %s, '', '', '', 0, '{}', false, false,"
            "  'verified', '{}', %b FROM tracker.participants WHERE address = %s"
            "   AND order_id IN (SELECT id FROM tracker.orders WHERE store = %s) RETURNING id",
            uuid.uuid4().bytes, name, raw, address, shop.name,
        )
    )  # fmt: skip


@pytest.mark.parametrize("address", [JOHN, "John.Doe@HOME.example.", '"john.doe"@home.example'])
def test_identifiers_and_return_paths_go_in_any_spelling(shop: "Shop", address: str) -> None:
    """Whoever's they are; what looks alike and is another's stays."""
    for each in (JOHN, "desk@carrier.example"):
        shop.mask(each)
    for each in (*HOLDING, *OTHERS):
        map_identifier(shop, each, "desk@carrier.example")
    for each in {each.lower() for each in (*HOLDING, *OTHERS) if "<" not in each}:
        returned(shop, each)
    assert erase(shop, address) == 1
    assert identifiers(shop) == sorted(OTHERS)
    assert return_paths(shop) == sorted(each for each in OTHERS if "<" not in each)
    people = [address for role, address in shop.people("1") if role != "return"]
    assert people == [None, "desk@carrier.example"]


def test_a_mailbox_at_gmail_goes_with_all_its_dots_and_names(shop: "Shop") -> None:
    for each in ("john.doe@gmail.com", "desk@carrier.example"):
        shop.mask(each)
    others = ["johndo@gmail.com", "bounce+john.doe=mail.com@esp.example", "xjohndoe@gmail.com"]
    for each in (*GMAIL, *others):
        map_identifier(shop, each, "desk@carrier.example")
    assert erase(shop, "JOHNDOE@googlemail.com") == 1
    assert identifiers(shop) == sorted(others)
    assert [address for _, address in shop.people("1")] == [None, "desk@carrier.example"]


@pytest.mark.parametrize("domain", ["b\u00fccher.example", "XN--BCHER-KVA.example"])
def test_a_domain_goes_in_ascii_and_as_people_write_it(shop: "Shop", domain: str) -> None:
    for each in (JOE, "desk@carrier.example"):
        shop.mask(each)
    others = [
        "<joe@bucher.example>",
        "joe@b\u00fccher.examples",
        "joey@b\u00fccher.example",
        "\u00fc",
    ]
    for each in (*INTERNATIONAL, *others):
        map_identifier(shop, each, "desk@carrier.example")
    returned(shop, "bounce+joe=b\u00fccher.example@esp.example")
    returned(shop, "bounce+joe=bucher.example@esp.example")
    assert erase(shop, f"joe@{domain}") == 1
    assert sorted(identifiers(shop)) == sorted(others)
    assert return_paths(shop) == ["bounce+joe=bucher.example@esp.example"]


@pytest.mark.parametrize(
    ("label", "others"),
    [
        ("xn--abc-", "<1-joe%40abc.example@carrier.example>"),
        ("xn--" + "b\u00dccher".encode("punycode").decode(), "joe@b\u00fccher.example"),
        ("xn--", "<1-joe%40.example@carrier.example>"),
    ],
)  # fmt: skip
def test_a_domain_that_nobody_writes_so_is_not_taken_for_another(
    shop: "Shop", label: str, others: str
) -> None:
    """Whoever may choose the first label could have another's identifiers deleted."""
    shop.mask("desk@carrier.example")
    for each in (f"<joe@{label}.example>", others):
        map_identifier(shop, each, "desk@carrier.example")
    erase(shop, f"joe@{label}.example")
    assert identifiers(shop) == [others]


def test_identifiers_go_where_the_person_takes_no_part(shop: "Shop") -> None:
    """In other orders, and when the address was erased before."""
    shop.mask("desk@carrier.example", "2")
    map_identifier(shop, "<john.doe=home.example@carrier.example>", "desk@carrier.example")
    assert erase(shop, JOHN) == 0
    assert identifiers(shop) == []


def test_the_display_name_goes_from_recorded_headers(shop: "Shop") -> None:
    """From the person's own mail, and from others' that name the person; nothing else changes."""
    his = shop.mask(JOHN)
    hers = shop.mask("desk@carrier.example")
    body = b"\r\nDear J\xf6hn \\ \0 <" + his.encode() + b">\r\n\r\nFrom: John Doe <x>\r\n"
    own = recorded(
        shop, JOHN, "John Doe",
        f"Subject: John\r\nFrom: =?utf-8?q?John_Doe?=\r\n <{his}>\r\nTo: Desk <{hers}>\r\n".encode()
        + body,
    )  # fmt: skip
    other = recorded(
        shop, "desk@carrier.example", "Desk",
        f'From: Desk <{hers}>\r\nX: \xf6 \\\r\nTo: "Doe, John" <{his.upper()}>,\r\n'
        f"\tDesk <{hers}>\r\nReply-To: Desk <{hers}>\r\n".encode("latin-1") + body,
    )  # fmt: skip
    neither = recorded(shop, "desk@carrier.example", "Desk", b"From: Desk <" + hers.encode() + b">")
    assert erase(shop, JOHN) == 1
    query = "SELECT sender_name, raw FROM tracker.messages WHERE id = %s"
    assert shop.rows(query, own) == [
        ("", f"Subject: John\r\nFrom: <{his}>\r\nTo: Desk <{hers}>\r\n".encode() + body)
    ]
    assert shop.rows(query, other) == [
        ("Desk", f"From: Desk <{hers}>\r\nX: \xf6 \\\r\nTo: <{his.upper()}>,\r\n <{hers}>\r\n"
                 f"Reply-To: Desk <{hers}>\r\n".encode("latin-1") + body)
    ]  # fmt: skip
    assert shop.rows(query, neither) == [("Desk", b"From: Desk <" + hers.encode() + b">")]


@pytest.mark.parametrize("between", [b"\n", b"\r", b"\n\n", b"\r\r", b"\0\\\xff"])
def test_nothing_else_goes_with_the_name_whatever_ends_a_line(shop: "Shop", between: bytes) -> None:
    his = shop.mask(JOHN).encode()
    rest = b"Subject: one" + between + b"two\r\n three" + between + b"\r\n" + between + b"Y: 1\r\n"
    made = b"%sFrom: %s<%s>\r\n\r\nText" % (rest, b"John Doe ", his)
    number = recorded(shop, JOHN, "", made)
    assert erase(shop, JOHN) == 1
    query = "SELECT raw FROM tracker.messages WHERE id = %s"
    assert bytes(shop.one(query, number)) == made.replace(b"John Doe ", b"")


@pytest.mark.parametrize(
    "text",
    ["a" * 200_000, "john.doe" * 25_000, "john.doe@" * 20_000, "%6a" * 60_000, "=" * 200_000,
     "john.doe+" * 20_000, "home.example=" * 15_000],
)  # fmt: skip
def test_long_identifiers_cost_little(shop: "Shop", text: str) -> None:
    """PostgreSQL's limits of a statement end what takes long."""
    shop.mask("desk@carrier.example")
    map_identifier(shop, text, "desk@carrier.example")
    with shop.connection.transaction():
        shop.connection.execute("SET LOCAL statement_timeout = '20s'")
        erase(shop, JOHN)
    assert identifiers(shop) == [text]


def taken(shop: "Shop", to: str, sender: str, text: str) -> None:
    """Let the milter's rules take a message to an alias."""
    database = Database(shop.uri)
    database.open()
    try:
        directory = database.directory()
        rules = Filter(database, lambda: directory)
        transaction = Transaction(null=False)
        assert rules.accept_recipient(transaction, f"<{to}>".encode()) is None
        headers, body = parse(text.replace("\n", "\r\n").encode())
        people, arrival = tuple(transaction.recipients), Arrival(uuid.uuid4().hex[:10])
        message = Message(Address.parse(sender), people, headers, body, arrival, null=False)
        assert rules.decide(transaction, message).plan.reply is None
    finally:
        database.close()


def everything(shop: "Shop") -> str:
    """Return all rows of all tables that mail fills, as text."""
    tables = ("orders", "participants", "return_addresses", "message_ids", "deliveries", "refusals")
    rows = [shop.rows(f"SELECT to_jsonb(t)::text FROM tracker.{table} AS t") for table in tables]
    rows.append(shop.rows("SELECT (to_jsonb(m) - 'raw')::text FROM tracker.messages AS m"))
    rows.append(shop.rows("SELECT encode(raw, 'escape') FROM tracker.messages"))
    return "\n".join(row[0] for each in rows for row in each)


def test_nothing_of_an_erased_person_is_left_of_their_mail(shop: "Shop") -> None:
    """As mail brings it: in a carrier's identifiers and return path, and in everybody's headers."""
    his, hers = shop.mask("joe.roe@erased.example"), shop.mask("desk@carrier.example")
    taken(
        shop, his, "bounce+joe.roe=erased.example@carrier.example",
        f"From: Desk <desk@carrier.example>\nTo: Joe Roe <{his}>\nSubject: Parcel\n"
        "Message-ID: <n1-joe.roe@erased.example@carrier.example>\n\nOn its way.\n",
    )  # fmt: skip
    taken(
        shop, hers, "joe.roe@erased.example",
        f"From: =?utf-8?q?Joe_Roe?= <joe.roe@erased.example>\nTo: {hers}\nSubject: Re: Parcel\n"
        'Reply-To: "Roe, Joe" <j2@home.example>\n'
        "Message-ID: <2@erased.example>\n\nThanks.\n",
    )  # fmt: skip
    before = everything(shop).lower()
    assert "joe.roe@erased.example" in before
    assert "joe roe" in before
    assert erase(shop, "Joe.Roe@erased.example") == 1
    after = everything(shop).lower()
    for trace in ("joe.roe", "joe roe", "joe_roe", "roe, joe", "erased.example"):
        assert trace not in after
    assert shop.rows(
        "SELECT sender_name, subject FROM tracker.timeline WHERE store = %s ORDER BY at", shop.name
    ) == [("Desk", "Parcel"), ("", "Re: Parcel")]


# Beside mail --------------------------------------------------------------------------------------

JIM = "jim.poe@planned.example"


def planned(shop: "Shop", author: str, to: str, owner: str) -> Record:
    """Return what a message of one to another is to leave behind that has an identifier."""
    who = [shop.mask(each).partition("@")[0] for each in (author, to, owner)]
    return make_record(
        shop.order()["id"],
        who[0],
        (who[1],),
        digest=b"1" * 32,
        sender_name="Jim Poe",
        raw=b"Subject: Parcel\r\n\r\nMine.\r\n",
        identifiers=(MappedId("<1@ct>", "<n1@planned.example>", who[2]),),
    )


@pytest.mark.parametrize("at_once", [True, False])
def test_mail_of_theirs_planned_before_leaves_neither_name_nor_identifier(
    shop: "Shop", opened: Database, at_once: bool
) -> None:
    """As with a recipient: the conversation is read anew, in which they are not."""
    record = planned(shop, JIM, "desk@carrier.example", JIM)
    assert erase(shop, JIM) == 1
    with Connection.connect(shop.uri) as other:
        assert write_record(other, record, wait=not at_once, alone=not at_once)[0] == "stale"
    assert opened.record([record])[0] == "stale"
    after = everything(shop).lower()
    assert "jim poe" not in after
    assert "planned.example" not in after


@pytest.mark.parametrize("messages", [False, True])
def test_mail_of_theirs_under_way_meanwhile_loses_the_name_or_is_deleted(
    shop: "Shop", shared: str, messages: bool
) -> None:
    """What is recorded at the same moment cannot be seen yet: it is waited for."""
    record = planned(shop, JIM, "desk@carrier.example", JIM)
    query = "SELECT orders, deleted FROM tracker.erase_person(%s, %s)"

    def run() -> list[tuple[Any, ...]]:
        with Connection.connect(shared) as eraser:
            return eraser.execute(query, (JIM, messages)).fetchall()

    with ThreadPoolExecutor(1) as threads:
        with Connection.connect(shop.uri) as other, other.transaction():
            assert write_record(other, record, wait=False, alone=False)[0] == "done"
            erasing = threads.submit(run)
            assert processes.until(lambda: erasing.done() or shop.one(WAITING) > 0, 30.0)
        assert erasing.result() == [(1, int(messages))]
    assert "jim poe" not in everything(shop).lower()
    count = "SELECT count(*) FROM tracker.messages WHERE order_id = %s"
    assert shop.one(count, record.order) == int(not messages)


def test_mail_that_waits_for_what_is_erased_ends_and_the_call_goes_on(
    shop: "Shop", shared: str
) -> None:
    """It has an order that the call waits for in turn: each would wait for the other for ever."""
    first = planned(shop, JIM, "desk@carrier.example", JIM)
    jim, ann = (shop.mask(each, "2").partition("@")[0] for each in (JIM, "ann@carrier.example"))
    map_identifier(shop, "<n1-jim.poe@planned.example@carrier.example>", JIM)
    number = shop.order("2")["id"]
    held = shop.one("SELECT ours FROM tracker.message_ids WHERE order_id = %s", number)
    again = MappedId(held, "<n1-jim.poe@planned.example@carrier.example>", jim)
    second = make_record(number, ann, (jim,), digest=b"2" * 32, identifiers=(again,))

    def run() -> int:
        with Connection.connect(shared) as eraser:
            return int(eraser.execute("SELECT tracker.erase(%s)", (JIM,)).fetchall()[0][0])

    def send() -> str:
        with Connection.connect(shop.uri) as late:
            late.execute("SET lock_timeout = '4s'")
            try:
                return write_record(late, second, wait=False, alone=False)[0]
            except LockNotAvailable:
                return "too late"

    with ThreadPoolExecutor(2) as threads:
        with Connection.connect(shop.uri) as other, other.transaction():
            assert write_record(other, first, wait=False, alone=False)[0] == "done"
            erasing = threads.submit(run)
            assert processes.until(lambda: shop.one(WAITING) == 1, 30.0)
            sending = threads.submit(send)
            assert processes.until(lambda: shop.one(WAITING) == 2, 30.0)
            # Its look for such a circle is over when the other begins to wait.
            time.sleep(1.5)
        assert sending.result() == "too late"
        assert erasing.result() == 2
    assert identifiers(shop) == []
    assert "jim poe" not in everything(shop).lower()


def test_mail_of_others_planned_before_leaves_no_identifier_of_theirs(
    shop: "Shop", opened: Database
) -> None:
    record = planned(shop, "ann@carrier.example", "desk@carrier.example", JIM)
    hers = MappedId("<2@ct>", "<n2@carrier.example>", record.sender)
    assert erase(shop, JIM) == 1
    record = replace(record, identifiers=(*record.identifiers, hers))
    assert opened.record([record])[0] == "done"
    assert identifiers(shop) == ["<n2@carrier.example>"]


def test_an_identifier_of_a_return_address_is_kept_while_that_is(
    shop: "Shop", opened: Database
) -> None:
    record = planned(shop, "ann@carrier.example", "desk@carrier.example", "desk@carrier.example")
    returned(shop, JIM)
    query = "SELECT token FROM tracker.participants WHERE role = 'return' AND order_id = %s"
    its = MappedId("<1@ct>", "<n1@planned.example>", shop.one(query, record.order).hex)
    assert opened.record([replace(record, identifiers=(its,))])[0] == "done"
    assert identifiers(shop) == ["<n1@planned.example>"]
    erase(shop, JIM)
    assert opened.record([replace(record, digest=b"2" * 32, identifiers=(its,))])[0] == "done"
    assert identifiers(shop) == []


def test_who_writes_while_they_are_erased_is_somebody_new(
    shop: "Shop", opened: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their mail counts as come afterwards: it is planned once more."""
    shop.mask(JIM)
    hers, outcomes, record = shop.mask("desk@carrier.example"), list[str](), Database.record

    def beside(database: Database, records: Sequence[Record]) -> tuple[str, dict[str, str]]:
        if not outcomes:
            erase(shop, JIM)
        found = record(database, records)
        outcomes.append(found[0])
        return found

    monkeypatch.setattr(Database, "record", beside)
    text = f"From: Jim Poe <{JIM}>\nTo: {hers}\nMessage-ID: <n1@planned.example>\n\nMine.\n"
    taken(shop, hers, JIM, text)
    assert outcomes == ["stale", "done"]
    assert [address for _role, address in shop.people()] == [None, "desk@carrier.example", JIM]
    query = (
        "SELECT p.address FROM tracker.messages AS m"
        "  JOIN tracker.participants AS p ON p.id = m.sender_id WHERE m.order_id = %s"
    )
    assert shop.one(query, shop.order()["id"]) == JIM
