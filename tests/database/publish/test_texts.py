"""What the publisher takes out of recorded messages, and what of it programs read."""

import io
import json
import os
import signal
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aging
import psycopg
import pytest
from records import make_record

from conversation_tracker.base import timeouts
from conversation_tracker.config.config import load
from conversation_tracker.core.model.plan import Refusal
from conversation_tracker.database import timelines
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.publishing import lag
from conversation_tracker.database.publishing import texts as rows
from conversation_tracker.database.repository import Database
from conversation_tracker.maintenance import expire
from conversation_tracker.publish import texts, texts_reader
from conversation_tracker.publish.texts import Texts
from conversation_tracker.publish.texts_reader import ReaderKilled, ReadMessage
from conversation_tracker.support import timeline

if TYPE_CHECKING:
    from private.postgres import Postgres

STORE = """
    INSERT INTO tracker.stores (name, alias_domain, hourly_limit)
    VALUES (%s, 'ct.example.com', 100000)"""
PLAIN = b"Subject: x\r\n\r\nYour parcel is on its way.\r\n"
MIXED = b"""From: "John Doe" <%s@ct.example.com>\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/html\r
\r
<p>See <img src="cid:pic@x"> and <script>alert(1)</script></p>\r
--b\r
Content-Type: image/png; name="parcel.png"\r
Content-Transfer-Encoding: base64\r
Content-ID: <pic@x>\r
\r
iVBO\r
Rw==\r
--b\r
Content-Type: text/csv; name="list.csv"\r
Content-Transfer-Encoding: quoted-printable\r
\r
a=3Bb\r
--b\r
Content-Disposition: attachment; filename="raw.bin"\r
\r
raw\r
--b\r
Content-Disposition: attachment; filename="broken.bin"\r
Content-Transfer-Encoding: base64\r
\r
aGV*sbG8\r
--b--\r
"""
FILES = [
    (1, "parcel.png", "image/png", b"\x89PNG"),
    (2, "list.csv", "text/csv", b"a;b"),
    (3, "raw.bin", "text/plain", b"raw"),
    (4, "broken.bin", "text/plain", b"hello"),
]


class Order:
    """A store `shop` with order 1, and a session of the schema's owner."""

    def __init__(self, uri: str) -> None:
        """Make the store and the order."""
        self.uri = uri
        self.connection = Connection.connect(uri)
        self.sql(STORE, "shop")
        self.buyer = self.mask("john@doe.example")
        self.carrier = self.mask("desk@carrier.example", "partner")
        [(self.id,)] = self.sql("SELECT id FROM tracker.orders")
        self.database = Database(uri, size=1)
        self.database.open()
        self.step = Texts()
        self.count = 0

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, if it has any."""
        cursor = self.connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def mask(self, address: str, role: str = "buyer") -> str:
        """Return somebody's token."""
        [(alias,)] = self.sql("SELECT tracker.mask('shop', '1', %s, %s)", address, role)
        return str(alias).partition("@")[0]

    def record(self, raw: bytes = PLAIN, **changes: Any) -> int:
        """Record a message from the buyer to the carrier; return its number."""
        self.count += 1
        record = make_record(
            self.id, self.buyer, (self.carrier,), raw=raw, digest=self.count.to_bytes(32),
            direction="inbound", subject="Where is it?", first_words="The first words",
            sender_name="John Doe",
        )  # fmt: skip
        assert self.database.record([replace(record, **changes)])[0] == "done"
        return self.last()

    def last(self) -> int:
        [(number,)] = self.sql("SELECT max(id) FROM tracker.messages")
        return int(number)

    def take_out(self) -> None:
        """Take turns until there is nothing more to do."""
        for _ in range(100):
            if not self.step.take_out(self.connection):
                return
        raise AssertionError("it never ends")

    def conversation(self, more: str = "") -> dict[str, Any]:
        [(found,)] = self.sql(f"SELECT tracker.conversation('shop', '1'{more})")
        return dict(found)

    def message(self) -> dict[str, Any]:
        """Return the last message as the conversation has it."""
        return dict(self.conversation()["messages"][-1])

    def search(self, words: str, store: str = "shop") -> list[int]:
        rows = self.sql("SELECT message_id FROM tracker.search(%s, %s)", store, words)
        return [number for (number,) in rows]


@pytest.fixture
def order(database: str) -> Iterator[Order]:
    found = Order(database)
    yield found
    found.step.close()
    found.database.close()
    found.connection.close()


# What is taken out --------------------------------------------------------------------------------


def test_until_it_is_read_a_message_shows_its_first_words(order: Order) -> None:
    number = order.record()
    before = order.message()
    assert (before["id"], before["body"]) == (number, "The first words")
    assert before["marks"] == ["waiting"]
    order.take_out()
    after = order.message()
    assert (after["body"], after["marks"]) == ("Your parcel is on its way.\n", [])
    assert after["firstWords"] == "The first words"


def test_files_are_listed_and_each_can_be_had(order: Order) -> None:
    number = order.record(MIXED % order.buyer.encode(), attachment_names=("parcel.png",))
    order.take_out()
    found = order.message()
    names = [{"number": n, "name": a, "type": b, "size": len(c)} for n, a, b, c in FILES]
    assert found["attachments"] == names
    assert found["hasAttachment"]
    for n, name, kind, content in FILES:
        rows = order.sql("SELECT * FROM tracker.attachment(%s, %s)", number, n)
        assert rows == [(name, kind, content)]
    for n in (0, 5, -1, None):
        assert order.sql("SELECT * FROM tracker.attachment(%s, %s)", number, n) == []
    assert order.sql("SELECT * FROM tracker.attachment(%s, 1)", number + 1) == []


def test_the_page_is_sanitised_and_its_pictures_are_files(order: Order) -> None:
    number = order.record(MIXED % order.buyer.encode())
    order.take_out()
    assert order.message()["hasHtml"]
    assert order.message()["body"] == "See and"
    page = order.sql("SELECT tracker.page(%s)", number)
    assert page == [('<p>See <img src="attachment:1"> and  </p>',)]
    order.record()
    order.take_out()
    assert order.sql("SELECT tracker.page(%s)", order.last()) == [(None,)]


def test_old_messages_are_caught_up_the_newest_first(order: Order, monkeypatch: Any) -> None:
    for days in range(6):
        number = order.record()
        where = "id = %(id)s"
        aging.move(order.uri, f"at - interval '{31 * days} days'", where, {"id": number})
    done: list[list[int]] = []
    taken = order.step._reader.read

    def read(raw: bytes) -> texts_reader.ReadMessage:
        rows = order.sql("SELECT message_id FROM tracker.texts ORDER BY message_at DESC")
        done.append([number for (number,) in rows])
        return taken(raw)

    monkeypatch.setattr(order.step._reader, "read", read)
    order.take_out()
    rows = order.sql("SELECT message_id FROM tracker.texts ORDER BY message_at DESC")
    done.append([number for (number,) in rows])
    whole = [number for (number,) in order.sql("SELECT id FROM tracker.messages ORDER BY at DESC")]
    assert done == [whole[:number] for number in range(7)]


def test_nothing_is_taken_out_twice_and_nothing_is_missed(order: Order) -> None:
    for _ in range(60):
        order.record()
    order.take_out()
    versions = order.sql("SELECT message_id, xmin::text FROM tracker.texts ORDER BY 1")
    assert len(versions) == 60
    again = Texts()
    try:
        while again.take_out(order.connection):
            pass
    finally:
        again.close()
    assert order.sql("SELECT message_id, xmin::text FROM tracker.texts ORDER BY 1") == versions


HOPELESS = {
    "too many parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 2000,
    "too deep": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(50)
    ),
}


@pytest.mark.parametrize("what", HOPELESS)
def test_what_cannot_be_read_keeps_its_first_words_and_a_mark(order: Order, what: str) -> None:
    order.record(HOPELESS[what])
    order.take_out()
    found = order.message()
    assert (found["body"], found["marks"]) == ("The first words", ["unreadable"])
    assert not found["hasHtml"]
    assert order.search("first") == [found["id"]]


def test_a_page_that_costs_too_much_is_left_out_and_the_text_stays(order: Order) -> None:
    """A hundred elements that are opened anew in each of many paragraphs."""
    page = "<p>" + "".join(f'<font color="{n}">' for n in range(150)) + "<p>x" * 19_000
    order.record(b"Content-Type: text/html\r\n\r\n" + page.encode())
    order.record()
    order.take_out()
    first, second = order.conversation()["messages"]
    assert first["body"].startswith("x\n")
    assert (first["marks"], first["hasHtml"]) == (["no html"], False)
    assert second["marks"] == []


def test_characters_that_the_database_has_not_are_left_out(order: Order) -> None:
    kept = b"Content-Type: text/plain; charset=utf-8\r\n\r\na\x00b\xed\xa0\x80c\xff\r\n"
    named = b"Content-Type: application/x; name*=utf-8''%00%ED%A0%80x\r\n\r\n\x00"
    order.record(kept)
    order.record(named)
    order.take_out()
    assert [each["marks"] for each in order.conversation()["messages"]] == [[], []]


def test_a_message_that_ends_the_process_is_marked_and_the_next_is_read(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried once more, as it may have been an accident."""
    sent: list[bytes] = []
    send = texts_reader.send_frame

    def send_and_kill(connection: Any, raw: bytes) -> None:
        sent.append(raw)
        process = order.step._reader._process
        if b"poison" in raw and process is not None:
            os.kill(process.pid, signal.SIGSEGV)
            process.wait()
        send(connection, raw)

    monkeypatch.setattr(texts_reader, "send_frame", send_and_kill)
    order.record(PLAIN + b"poison")
    order.record()
    order.take_out()
    assert [each["marks"] for each in order.conversation()["messages"]] == [["unreadable"], []]
    assert sum(b"poison" in raw for raw in sent) == 2


def test_large_files_take_little_memory_of_the_publisher(order: Order) -> None:
    """It may have a quarter of a small host's memory; ended, it would begin with the same."""
    number = order.record()
    [(at,)] = order.sql("SELECT at::text FROM tracker.messages WHERE id = %s", number)
    contents = [bytes(range(256)) * 40_000, b"\0\xff" * 5_000_000]
    tracemalloc.start()
    try:
        place = rows.MessagePlace(at, number)
        assert rows.insert(order.connection, place, "x", None, [], contents, [])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * sum(map(len, contents))
    assert order.sql("SELECT files FROM tracker.texts") == [(contents,)]


def test_a_process_that_answers_no_more_is_ended(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    order.record()
    order.take_out()
    reader = order.step._reader
    process, end = reader._process, reader.close
    assert process is not None
    before = timeouts.use(replace(timeouts.get(), text_seconds=2.0))

    def close() -> None:
        """Give the next process, which has yet to start, all its time."""
        timeouts.use(before)
        end()

    monkeypatch.setattr(reader, "close", close)
    try:
        os.kill(process.pid, signal.SIGSTOP)
        order.record()
        order.take_out()
        assert process.poll() is not None
    finally:
        timeouts.use(before)
    assert order.message()["marks"] == []


def test_a_process_that_does_not_start_marks_nothing(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    order.record()
    monkeypatch.setattr(texts_reader.sys, "executable", "/bin/false")
    with pytest.raises(OSError, match="does not start"):
        order.take_out()
    assert order.message()["marks"] == ["waiting"]
    monkeypatch.undo()
    order.take_out()
    assert order.message()["marks"] == []


def test_for_want_of_memory_no_message_is_unreadable_at_once(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, and keeps no other back; one that is killed each time is given up."""
    monkeypatch.setattr(texts, "_ASIDE", 0.1)
    monkeypatch.setattr(texts, "_KILLS", 4)
    deadly, sound = order.record(PLAIN + b"deadly"), order.record()
    read, times, short = order.step._reader.read, [0], [2]

    def kill(raw: bytes) -> ReadMessage:
        if b"deadly" in raw and times[0] < short[0]:
            times[0] += 1
            raise ReaderKilled
        return read(raw)

    monkeypatch.setattr(order.step._reader, "read", kill)
    marks = "SELECT message_id, marks FROM tracker.texts ORDER BY 1"

    def until(rows: list[tuple[int, list[str]]]) -> None:
        ends = time.monotonic() + 30
        while order.sql(marks) != rows:
            assert time.monotonic() < ends
            with suppress(ReaderKilled):
                order.step.take_out(order.connection)

    until([(sound, [])])
    until([(deadly, []), (sound, [])])
    assert times == [2]
    times[0], short[0] = 0, 1000
    hopeless = order.record(PLAIN + b"deadly again")
    until([(deadly, []), (sound, []), (hopeless, ["unreadable"])])
    assert times == [4]


def test_a_message_that_somebody_keeps_locked_keeps_no_other_back(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "_ASIDE", 0.5)
    first, locked = order.record(), order.record()
    order.sql("SET lock_timeout = '100ms'")
    done = "SELECT message_id FROM tracker.texts ORDER BY 1"
    with psycopg.connect(order.uri) as keeper:
        keeper.execute("SELECT FROM tracker.messages WHERE id = %s FOR UPDATE", [locked])
        for _ in range(2):
            with suppress(psycopg.errors.LockNotAvailable):
                order.step.take_out(order.connection)
        assert order.sql(done) == [(first,)]
    ends = time.monotonic() + 30
    while order.sql(done) != [(first,), (locked,)]:
        assert time.monotonic() < ends
        order.step.take_out(order.connection)


def test_an_old_message_that_the_database_fails_with_keeps_no_older_one_back(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [order.record(PLAIN + b"poison" * (n == 1)) for n in range(3)]
    aging.move(order.uri, "now() - interval '2 hours'", "true", {})
    insert = rows.insert

    def fail(connection: Any, place: rows.MessagePlace, *values: Any) -> bool:
        if place.id == numbers[1]:
            raise UnicodeEncodeError("utf-8", "", 0, 1, "what no check foresaw")
        return insert(connection, place, *values)

    monkeypatch.setattr(rows, "insert", fail)
    for _ in range(3):
        with suppress(UnicodeEncodeError):
            order.step.take_out(order.connection)
    found = order.sql("SELECT message_id FROM tracker.texts ORDER BY 1")
    assert found == [(numbers[0],), (numbers[2],)]


def test_what_was_recorded_while_the_database_was_away_is_not_a_day_late(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    order.take_out()
    order.record()
    aging.move(order.uri, "now() - interval '2 hours'", "true", {})
    order.take_out()
    assert order.message()["marks"] == ["waiting"]
    monkeypatch.setattr(texts, "_GAP", 0.0)
    order.take_out()
    assert order.message()["marks"] == []


# Erasing and expiry -------------------------------------------------------------------------------


def test_an_erased_name_is_not_found_any_more_and_files_still_are(order: Order) -> None:
    number = order.record(MIXED % order.buyer.encode(), attachment_names=("parcel.png",))
    desk = {"sender": order.carrier, "sender_name": "John Desk"}
    other = order.record(PLAIN + b"John was here\r\n", **desk)
    order.take_out()
    assert set(order.search("doe")) == {number}
    assert set(order.search("john")) == {number, other}
    order.sql("SELECT tracker.erase(%s)", "john@doe.example")
    assert order.search("doe") == []
    assert order.search("john") == [other]
    assert order.search("parcel.png") == [number]
    assert order.search("where is it") == [other, number]
    for n, name, kind, content in FILES:
        rows = order.sql("SELECT * FROM tracker.attachment(%s, %s)", number, n)
        assert rows == [(name, kind, content)]


def test_a_name_that_is_erased_meanwhile_is_not_kept(order: Order) -> None:
    number = order.record()
    with psycopg.connect(order.uri) as eraser:
        eraser.execute("SELECT tracker.erase(%s)", ["john@doe.example"])
        taking = threading.Thread(target=order.take_out)
        taking.start()
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        with psycopg.connect(order.uri, autocommit=True) as watcher:
            ends = time.monotonic() + 30
            while watcher.execute(waits).fetchone() != (1,):
                assert time.monotonic() < ends
                time.sleep(0.02)
        eraser.commit()
        taking.join()
    assert order.search("parcel") == [number]
    assert order.search("doe") == []


def test_what_was_taken_out_goes_with_the_message(order: Order, tmp_path: Path) -> None:
    path = tmp_path / "tracker.conf"
    path.write_text(f"[tracker]\ndatabase = {order.uri}\nsocket = unix:{tmp_path}/milter.sock\n")
    long_ago = datetime.now(UTC) - timedelta(days=800)
    order.sql("SELECT tracker.make_month(%s)", long_ago.date())
    gone = order.record()
    aging.move(order.uri, "now() - interval '800 days'", "id = %(id)s", {"id": gone})
    order.record()
    order.take_out()
    count = "SELECT count(*) FROM tracker.texts"
    assert order.sql(count) == [(2,)]
    assert expire.run(load(path, {}), dry_run=False, out=io.StringIO(), err=io.StringIO()) == 0
    assert order.sql(count) == [(1,)]
    name = f"tracker.texts_{long_ago:%Y_%m}"
    assert order.sql("SELECT to_regclass(%s)", name) == [(None,)]
    order.sql("DELETE FROM tracker.messages")
    assert order.sql(count) == [(0,)]


def test_texts_lie_in_the_months_of_their_messages(order: Order) -> None:
    pairs = order.sql(
        "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
        " WHERE conname = 'texts_message_is_there'"
    )
    months = order.sql("SELECT 1 FROM pg_inherits WHERE inhparent = 'tracker.messages'::regclass")
    assert len(pairs) == len(months)
    assert all(one.replace("texts", "messages") == other for one, other in pairs)


# The conversation ---------------------------------------------------------------------------------


def refuse(order: Order, reply: str = "550 5.7.1 Sender refused") -> None:
    order.count += 1
    digest = order.count.to_bytes(32)
    order.database.refuse(Refusal(order.id, digest, None, order.buyer, "Not for you", reply))


def test_a_conversation_tells_of_the_order_and_who_takes_part(order: Order) -> None:
    order.record()
    found = order.conversation()
    [(placed, expires)] = order.sql("SELECT placed_at, expires_at FROM tracker.orders")
    assert (found["number"], found["store"], found["closed"]) == ("1", "shop", None)
    assert datetime.fromisoformat(found["placed"]) == placed
    assert datetime.fromisoformat(found["expires"]) == expires
    assert found["people"] == [
        {"role": role, "alias": f"{token}@ct.example.com", "introduced": True}
        for role, token in (("buyer", order.buyer), ("partner", order.carrier))
    ]
    order.sql("SELECT tracker.close_order('shop', '1')")
    assert order.conversation()["closed"] is not None


def test_a_message_tells_all_that_the_contract_names(order: Order) -> None:
    number = order.record(MIXED % order.buyer.encode(), attachment_names=("parcel.png",))
    order.take_out()
    found = order.message()
    [(at,)] = order.sql("SELECT at FROM tracker.messages")
    assert datetime.fromisoformat(found.pop("date")) == at
    assert len(found.pop("attachments")) == len(FILES)
    copy = {"alias": f"{order.carrier}@ct.example.com", "role": "partner", "state": "accepted"}
    copy |= {"status": "", "reason": ""}
    assert found == {
        "id": number, "direction": "inbound", "from": f"{order.buyer}@ct.example.com",
        "fromName": "John Doe", "fromRole": "buyer", "to": [copy["alias"]], "recipients": [copy],
        "deliveries": [copy], "subject": "Where is it?", "firstWords": "The first words",
        "body": "See and", "hasHtml": True, "hasAttachment": True,
        "attachmentNames": ["parcel.png"], "state": "accepted", "size": 1, "automatic": False,
        "verdict": "unverified", "notes": [], "marks": [],
    }  # fmt: skip


def test_a_sender_who_only_claims_to_be_somebody_has_no_role(order: Order) -> None:
    order.record(verdict="flagged")
    assert order.message()["fromRole"] is None
    assert order.message()["verdict"] == "flagged"


def test_the_timeline_as_json_is_the_conversations_messages(order: Order) -> None:
    """Refused mail is in both, in its place; and each page by page."""
    for number in range(3):
        order.record(MIXED % order.buyer.encode() if number == 1 else PLAIN)
        refuse(order, f"550 5.7.1 No {number}")
    order.take_out()
    whole = order.conversation()["messages"]
    assert [each["state"] for each in whole] == ["accepted", "refused"] * 3
    refused = whole[1]
    assert (refused["id"], refused["from"], refused["fromRole"]) == (None, "", "unknown")
    assert (refused["direction"], refused["subject"]) == ("outbound", "Not for you")
    assert refused["deliveries"] == [
        {
            "alias": f"{order.buyer}@ct.example.com", "role": "buyer", "state": "refused",
            "status": "5.7.1", "reason": "550 5.7.1 No 0",
        }
    ]  # fmt: skip
    printed = json.loads("".join(timeline.as_json(order.connection, "shop", "1")))
    for one, other in zip(printed, whole, strict=True):
        at = [datetime.fromisoformat(each.pop("date")) for each in (one, other)]
        assert at[0] == at[1]
        assert one == other
    entries = timeline.read_timeline(order.connection, "shop", "1")
    assert [(each.id, each.state, each.alias, each.subject) for each in entries] == [
        (each["id"], each["state"], each["from"], each["subject"]) for each in whole
    ]


def test_a_long_conversation_comes_in_pages(order: Order, monkeypatch: Any) -> None:
    for _ in range(5):
        order.record()
        refuse(order)
    whole = order.conversation()["messages"]
    assert len(whole) == 10
    assert not order.conversation()["more"]
    last = order.conversation(", most => 3")
    assert (last["messages"], last["more"]) == (whole[-3:], True)
    before = order.conversation(f", most => 3, before => '{whole[3]['date']}'")
    assert (before["messages"], before["more"]) == (whole[:3], False)
    after = order.conversation(f", most => 4, after => '{whole[2]['date']}'")
    assert (after["messages"], after["more"]) == (whole[3:7], True)
    none = order.conversation(f", after => '{whole[-1]['date']}'")
    assert (none["messages"], none["more"]) == ([], False)
    monkeypatch.setattr(timelines, "_PAGE_SIZE", 3)
    printed = json.loads("".join(timeline.as_json(order.connection, "shop", "1")))
    assert [each["id"] for each in printed] == [each["id"] for each in whole]


def test_all_texts_of_a_conversation_together_have_an_end(order: Order) -> None:
    """A value of the database holds 256 MB; each text is cut, and says so."""
    for _ in range(52):
        order.record(b"Subject: x\r\n\r\n" + b"word " * 200_000)
    order.take_out()
    size = "SELECT length(tracker.conversation('shop', '1')::text)"
    assert order.sql(size)[0][0] < 51_000_000
    assert {len(each["body"]) for each in order.conversation()["messages"]} == {50_000_000 // 52}
    assert order.message()["marks"] == ["cut"]
    last = order.conversation(", most => 1")["messages"][0]
    assert (len(last["body"]), last["marks"]) == (1_000_000, [])


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("conversation('shop', '2')", "no such order: 2 of store shop"),
        ("conversation('none', '1')", "no such store: none"),
        ("conversation(NULL, '1')", "no such store: NULL"),
        ("search('none', 'x')", "no such store: none"),
    ],
)
def test_what_is_not_there_is_an_error(order: Order, call: str, error: str) -> None:
    with pytest.raises(psycopg.errors.NoDataFound, match=error):
        order.sql(f"SELECT tracker.{call}")


@pytest.mark.parametrize(
    "call",
    ["'shop', NULL", "'shop', ''", "'shop', '1', 0", "'shop', '1', -1", "'shop', repeat('1', 201)"],
)
def test_what_can_be_no_number_is_an_error(order: Order, call: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="must be"):
        order.sql(f"SELECT tracker.conversation({call})")


# The search ---------------------------------------------------------------------------------------

WORDS = """Subject: x\r
Content-Type: text/plain; charset=utf-8\r
\r
Die Gr\u00f6\u00dfe passt nicht; na\u00efve \u0421\u0443\u043c\u043a\u0430.
Tracking number: A-1001/2, at shop.example.com/x_y.
\u914d\u9001\u3067\u3059\u3002 \uff11\uff12\uff13
"""
FOUND = [
    "gr\u00f6\u00dfe", "GROSSE", "Gro\u0308\u00dfe", "naive", "\u0441\u0443\u043c\u043a\u0430",
    "\u0441\u0443\u043c", "track", "number tracking", '"tracking number"', "A-1001/2", "1001",
    "a 1001 2", "shop.example.com", "x_y", "\u914d\u9001", "\u9001", "123", "where", "John", "doe",
    "invoice.pdf", "invoice", "order-77", "77", "size or gr\u00f6\u00dfe", "grosse -red",
    "d\u00efe ; & | ! ( ) : * < > ' \\",
]  # fmt: skip
NOT_FOUND = [
    '"number tracking"', "grosse -tracking", "umka", "200", "nothing", "", " ", "-grosse", '"', "-",
    "''", "\\", "()", ":*", "! & |", "\x01", "<->",
]  # fmt: skip


@pytest.fixture
def worded(order: Order) -> Order:
    order.sql("UPDATE tracker.orders SET number = 'Order-77'")
    order.record(WORDS.encode(), attachment_names=("invoice.pdf",))
    order.take_out()
    order.sql("UPDATE tracker.orders SET number = '1'")
    return order


def test_words_are_found_however_they_are_written(worded: Order) -> None:
    assert {words: worded.search(words) for words in FOUND} == {each: [1] for each in FOUND}
    assert {words: worded.search(words) for words in NOT_FOUND} == {each: [] for each in NOT_FOUND}


def test_nothing_that_is_typed_is_an_error(worded: Order) -> None:
    for words in (
        "x" * 100_000,
        '"' * 1000,
        "-" * 1000,
        "zz " * 5000,
        "\u0300" * 500,
        "\U0001f4e6",
    ):
        assert worded.search(words) == []
    assert worded.sql("SELECT * FROM tracker.search('shop', NULL)") == []


def test_a_search_gives_the_newest_and_has_an_end(order: Order) -> None:
    numbers = [order.record() for _ in range(110)]
    for number in numbers[:60]:
        where = "id = %(id)s"
        aging.move(order.uri, f"at - interval '{200 - number} days'", where, {"id": number})
    order.take_out()
    assert order.search("parcel") == numbers[:9:-1]
    rows = order.sql("SELECT order_number, at, subject FROM tracker.search('shop', 'parcel')")
    at = [each[1] for each in rows]
    assert at == sorted(at, reverse=True)
    assert rows[0][::2] == ("1", "Where is it?")


def test_a_store_finds_its_own_messages_only(order: Order) -> None:
    order.sql(STORE, "other")
    order.record()
    order.take_out()
    assert order.search("parcel", "other") == []
    assert order.search(order.buyer, "other") == []


def test_a_search_reads_no_word_of_other_stores(order: Order) -> None:
    """The server tells everybody how many rows they had it read, whosever these are."""
    order.sql(STORE, "other")
    order.record()
    order.take_out()
    matching = """
        SELECT count(*) FROM tracker.texts
         WHERE words @@ tracker.read_query(%s, tracker.word_mark(%s))"""
    for words in ("parcel", "parcel or way", "parcel -nothing", '"your parcel"', "1"):
        assert order.search(words) == [1]
        assert order.sql(matching, words, "shop") == [(1,)]
        assert order.sql(matching, words, "other") == [(0,)]


def test_a_store_that_is_renamed_finds_its_messages(order: Order) -> None:
    [number] = [order.record()]
    order.take_out()
    order.sql("UPDATE tracker.stores SET name = 'renamed' WHERE name = 'shop'")
    assert order.search("parcel", "renamed") == [number]


def test_an_alias_finds_what_it_wrote_and_got(order: Order) -> None:
    one = order.record()
    other = order.record(sender=order.carrier, recipients=((order.buyer, uuid4().hex),))
    order.record(sender=order.carrier, recipients=())
    for words in (order.buyer, f" {order.buyer.upper()}@ct.example.com "):
        assert order.search(words) == [other, one]


def test_more_words_than_fit_are_found_at_the_beginning(order: Order) -> None:
    hans = "".join(chr(0x4E00 + n) + chr(0x4E01 + n) + " " for n in range(20_000))
    many = " ".join(f"word{n:x}{n * 7919:x}" for n in range(150_000))
    for text in (hans, many):
        order.record(b"Content-Type: text/plain; charset=utf-8\r\n\r\nfirst " + text.encode())
    order.take_out()
    assert len(order.search("first")) == 2


# Grants -------------------------------------------------------------------------------------------


@pytest.fixture
def clerk(order: Order, postgres: "Postgres") -> Iterator[psycopg.Connection]:
    """Return the session of a reader who was granted nothing yet."""
    name = f"clerk_{uuid4().hex}"
    order.sql(f"CREATE ROLE {name} LOGIN IN ROLE tracker_reader")
    uri = postgres.uri(order.connection.info.dbname, name)
    with psycopg.connect(uri, autocommit=True) as connection:
        yield connection
    order.sql(f"DROP OWNED BY {name}")
    order.sql(f"DROP ROLE {name}")


def test_without_a_grant_nothing_is_told_and_with_one_all_is(
    order: Order, clerk: psycopg.Connection
) -> None:
    number = order.record(MIXED % order.buyer.encode())
    order.take_out()
    calls = ["conversation('{}', '1')", "search('{}', 'see')"]
    for call in calls:
        for store in ("shop", "none"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as raised:
                clerk.execute(f"SELECT tracker.{call.format(store)}")
            assert raised.value.diag.message_primary == f"no grant on store {store}"
    for given in (number, number + 1):
        assert clerk.execute("SELECT * FROM tracker.attachment(%s, 1)", (given,)).fetchall() == []
        assert clerk.execute("SELECT tracker.page(%s)", (given,)).fetchall() == [(None,)]
    order.sql("SELECT tracker.grant_store(%s, 'shop')", clerk.info.user)
    for call in calls:
        assert len(clerk.execute(f"SELECT tracker.{call.format('shop')}").fetchall()) == 1
    content = clerk.execute("SELECT content FROM tracker.attachment(%s, 1)", (number,)).fetchall()
    assert content == [(FILES[0][3],)]
    assert clerk.execute("SELECT tracker.page(%s)", (number,)).fetchone() != (None,)
    order.sql("SELECT tracker.revoke_store(%s, 'shop')", clerk.info.user)
    assert clerk.execute("SELECT * FROM tracker.attachment(%s, 1)", (number,)).fetchall() == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT FROM tracker.texts",
        "SELECT words FROM tracker.texts_default",
        "COPY tracker.texts TO STDOUT",
        "SELECT tracker.messages_json(1, '-infinity', 'infinity', 10)",
        "SELECT tracker.find_page(1, 50, NULL, NULL)",
        "SELECT tracker.write_words('', '', '', '', '{}', '')",
        "SELECT FROM tracker.store_numbers",
        "SELECT tracker.word_mark('shop')",
    ],
)
def test_a_reader_reaches_the_texts_by_the_functions_only(
    order: Order, clerk: psycopg.Connection, statement: str
) -> None:
    order.sql("SELECT tracker.grant_store(%s, 'shop')", clerk.info.user)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        clerk.execute(statement.encode())
    order.sql("SELECT tracker.revoke_store(%s, 'shop')", clerk.info.user)


def test_the_service_takes_out_and_reads(order: Order, postgres: "Postgres") -> None:
    name = f"clerk_{uuid4().hex}"
    order.sql(f"CREATE ROLE {name} LOGIN IN ROLE tracker_service")
    try:
        order.record(MIXED % order.buyer.encode())
        uri = postgres.uri(order.connection.info.dbname, name)
        with Connection.connect(uri) as service:
            while order.step.take_out(service):
                pass
            [found] = service.execute("SELECT tracker.conversation('shop', '1')").fetchone() or ()
        assert found["messages"][0]["marks"] == []
    finally:
        order.sql(f"DROP ROLE {name}")


# How far it is behind -----------------------------------------------------------------------------


def behind(order: Order) -> float:
    """Return what the metrics are told, in minutes."""
    return order.database.publisher_lag()[1] / 60


def read_all(order: Order) -> None:
    """Read messages as a publisher does that has just begun."""
    order.step.close()
    order.step = Texts()
    order.take_out()


def migrated(order: Order, ago: str = "10 days") -> None:
    """Make the table of texts so old: the tests' databases are copies of one of earlier."""
    changed = order.sql(
        "UPDATE tracker.migrations SET applied_at = now() - %s::interval"
        " WHERE name = '0021-texts' RETURNING 1",
        ago,
    )
    assert changed == [(1,)]


def came(order: Order, minutes: int) -> int:
    """Record a message that came so many minutes ago; return its number."""
    number = order.record()
    at = f"now() - interval '{minutes} minutes'"
    assert aging.move(order.uri, at, "id = %(id)s", {"id": number}) == 1
    return number


def test_while_nobody_reads_it_is_told_since_when(order: Order) -> None:
    """Also if nobody ever has; and of a publisher that is away, however long it is."""
    migrated(order)
    assert behind(order) == 0
    came(order, 180)
    assert behind(order) == pytest.approx(180, abs=1)
    came(order, 2)
    assert behind(order) == pytest.approx(180, abs=1)
    read_all(order)
    assert behind(order) == 0
    for minutes in (120, 50, 3):
        came(order, minutes)
    read_all(order)
    assert behind(order) == 0
    order.record()
    assert 0 < behind(order) < 1


def test_what_was_left_out_among_what_was_read_is_found(order: Order) -> None:
    migrated(order)
    left = came(order, 5)
    came(order, 2)
    order.take_out()
    order.sql("DELETE FROM tracker.texts WHERE message_id = %s", left)
    assert behind(order) == pytest.approx(5, abs=1)
    read_all(order)
    assert behind(order) == 0


def test_what_came_before_there_were_texts_does_not_count(order: Order) -> None:
    migrated(order, "1 minute")
    came(order, 5)
    came(order, 180)
    assert behind(order) == 0
    migrated(order)
    assert behind(order) == pytest.approx(180, abs=1)


def test_the_service_may_ask_how_far_it_is_behind(order: Order) -> None:
    migrated(order)
    came(order, 30)
    order.sql("SET ROLE tracker_service")
    [(seconds,)] = order.sql(f"SELECT {lag.UNREAD}")
    assert seconds / 60 == pytest.approx(30, abs=1)


@pytest.mark.parametrize("read", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_asking_does_not_read_a_day_of_messages(order: Order, *, known: bool, read: bool) -> None:
    """Whether the planner knows how many there are or not, and somebody reads them or not."""
    migrated(order)
    order.record()
    fill(order, 20_000, read=read)
    if known:
        order.sql("ANALYZE tracker.messages, tracker.texts")
    assert (behind(order) > 60) is not read
    [(plan,)] = order.sql(f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT {lag.UNREAD}")
    assert 100 < count_rows(plan[0]["Plan"]) < 5_000


def count_rows(plan: dict[str, Any]) -> float:
    """Return how many rows of tables a plan read, those that it left out among them."""
    rows = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    own = plan["Actual Loops"] * rows if "Relation Name" in plan else 0
    return float(own) + sum(map(count_rows, plan.get("Plans", [])))


def fill(order: Order, more: int, *, read: bool) -> None:
    """Add copies of the last message, spread over a day; they were read, or not."""
    [(columns,)] = order.sql(
        "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute"
        " WHERE attrelid = 'tracker.messages'::regclass AND attnum > 0 AND NOT attisdropped"
        " AND attname NOT IN ('id', 'at')"
    )
    order.sql(
        f"INSERT INTO tracker.messages (at, {columns})"
        f" SELECT now() - interval '1 day' * (1 - n / {more}::float8), {columns}"
        f"  FROM generate_series(1, {more}) AS n,"
        "       (SELECT * FROM tracker.messages ORDER BY id DESC LIMIT 1) AS m"
    )
    if read:
        order.sql(
            "INSERT INTO tracker.texts SELECT id, at, order_id, 'x', NULL, '[]', '{}', '{}', ''"
            " FROM tracker.messages ON CONFLICT DO NOTHING"
        )
