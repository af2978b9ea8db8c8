"""All of one person in an archive: whole, readable, safe to unpack, with nobody else's address."""

import base64
import errno
import json
import os
import re
import signal
import stat
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from posixpath import normpath
from typing import Any
from urllib.parse import unquote

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker_command import ESCAPES, JOHN, Tracker, record

from conversation_tracker.base import timeouts
from conversation_tracker.base.failure import Failure
from conversation_tracker.support.export.archive import open_archive
from conversation_tracker.support.export.names import write_name
from conversation_tracker.support.export.run import _hide_addresses, export

PARTNER = "partner0@partner.example"
LETTER = b"From: <%s>\r\nSubject: %s\r\nContent-Type: text/plain\r\n\r\n%s\r\n"
INSERT = """
INSERT INTO tracker.messages (order_id, digest, queue_id, direction, sender_id, sender_name,
    message_id, subject, first_words, size, attachment_names, automatic, auto_reply, verdict,
    notes, raw, at)
SELECT p.order_id, %(digest)s, '', %(direction)s, p.id, '', '', %(subject)s, %(subject)s, 9, '{}',
       false, false, 'trusted', '{}', %(raw)s, %(at)s
  FROM tracker.participants AS p JOIN tracker.orders AS o ON o.id = p.order_id
 WHERE p.address = %(author)s AND o.number = %(number)s RETURNING id, at, order_id"""
DELIVER = """
INSERT INTO tracker.deliveries (message_id, message_at, recipient_id, bounce, queue_id)
SELECT %s, %s, id, gen_random_uuid(), '' FROM tracker.participants
 WHERE address = %s AND order_id = %s"""


def write(
    tracker: Tracker, author: str, to: str, subject: str, number: str = "1", raw: bytes = b""
) -> int:
    """Record one message of an order."""
    letter = LETTER % (b"x@ct.example.com", subject.encode(), subject.encode())
    values = {
        "digest": subject.encode(),
        "direction": "internal",
        "subject": subject,
        "raw": raw or letter,
        "at": "2026-02-01",
        "author": author,
        "number": number,
    }
    with psycopg.connect(tracker.database, autocommit=True) as connection:
        [(found, at, order)] = connection.execute(INSERT.encode(), values).fetchall()
        connection.execute(DELIVER.encode(), (found, at, to, order))
    return int(found)


def reply_to(tracker: Tracker, address: str) -> None:
    """Let John have answers sent to another address."""
    tracker.sql(
        "WITH p AS (INSERT INTO tracker.participants (order_id, token, role, introduced, owner_id)"
        "  SELECT order_id, gen_random_uuid(), 'return', false, id FROM tracker.participants"
        "   WHERE address = %s RETURNING id, order_id)"
        " INSERT INTO tracker.return_addresses SELECT id, order_id, %s FROM p",
        JOHN, address,
    )  # fmt: skip


LOADING = ("src", "href", "data", "action", "poster", "background")


class Opened:
    """An archive that was unpacked, read as a browser and a mail program read it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with zipfile.ZipFile(path) as found:
            assert found.testzip() is None
            self.entries = found.infolist()
            self.files = {entry.filename: found.read(entry) for entry in self.entries}

    def text(self, name: str) -> str:
        return self.files[name].decode()

    def json(self, name: str) -> Any:
        return json.loads(self.files[name])

    @property
    def all(self) -> str:
        return "\n".join([*self.files, *(each.decode("latin-1") for each in self.files.values())])


class Links(HTMLParser):
    """What a page leads to, and what it would load by itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in LOADING and not (value or "").startswith("#"):
                self.loads.append(f"{tag} {value}")


@pytest.fixture
def exported(tracker: Tracker, tmp_path: Path) -> Iterator[Any]:
    def run(address: str = JOHN, name: str = "file.zip") -> Opened:
        result = tracker("export", address, str(tmp_path / name))
        assert (result.code, result.err) == (0, "")
        assert "@" not in result.out
        return Opened(tmp_path / name)

    return run


def test_a_buyer_gets_all_of_each_order(tracker: Tracker, exported: Any) -> None:
    record(tracker, states=("accepted", "bounced"))
    write(tracker, PARTNER, "partner1@partner.example", "between partners")
    tracker.sql("SELECT tracker.mask('shop', '2', %s)", JOHN)
    tracker.sql("SELECT tracker.mask('shop', '3', 'jane@far.example')")
    write(tracker, "jane@far.example", "jane@far.example", "of another customer", "3")
    found = exported()
    facts = found.json("about-you.json")
    assert [(o["number"], o["messages"], o["complete"]) for o in facts["orders"]] == [
        ("1", 2, True),
        ("2", 0, True),
    ]
    first = facts["orders"][0]
    assert [(you["address"], you["role"]) for you in first["you"]] == [(JOHN, "buyer")]
    conversation = found.json(f"{first['folder']}/conversation.json")
    assert [each["subject"] for each in conversation["messages"]] == ["Hello", "between partners"]
    assert conversation["you"] == [first["you"][0]["alias"]]
    assert [each["state"] for each in conversation["messages"][0]["recipients"]] == [
        "accepted",
        "bounced",
    ]
    for each in conversation["messages"]:
        [(raw,)] = tracker.sql("SELECT raw FROM tracker.messages WHERE id = %s", each["id"])
        assert found.files[each["file"]] == bytes(raw)  # type: ignore[call-overload]
    assert "another customer" not in found.all
    assert "Where is" in found.text(f"{first['folder']}/conversation.html")


def test_nobody_elses_address_is_in_it(tracker: Tracker, exported: Any) -> None:
    record(tracker)
    alias = str(tracker.sql("SELECT tracker.mask('shop', '1', %s)", JOHN)[0][0])
    tracker("unmask", alias, "--reason", f"lu@else.example and Al@else.example asked for {alias}")
    tracker.sql(
        "INSERT INTO tracker.message_ids (order_id, ours, original, participant_id)"
        " SELECT order_id, t, t, id FROM tracker.participants, unnest(%s::text[]) AS t"
        "  WHERE address = %s", ["<1@home.example>", "<2-partner0.x@x.example>"], JOHN,
    )  # fmt: skip
    found = exported()
    addresses = tracker.sql("SELECT address FROM tracker.participants WHERE address <> %s", JOHN)
    assert addresses
    for (address,) in addresses:
        assert str(address).partition("@")[0] not in found.all
    assert "else.example" not in found.all
    facts = found.json("about-you.json")
    assert [each["original"] for each in facts["identifiers"]] == ["<1@home.example>"]
    assert [each["reason"] for each in facts["unmaskings"]] == [
        f"(an address) and (an address) asked for {alias}"
    ]
    messages = [name for name in found.files if name.endswith(".eml")]
    assert messages
    for name in messages:
        assert JOHN.encode() not in found.files[name].lower()


@pytest.mark.parametrize(
    "reason",
    ['ask "al smith"@else.example', "ask al%40else.example", "ask al\uff20else.example",
     "ask x@al@else.example", "0" * 32 + "@else.example", "al @ else.example",
     "al @else.example", "al@ else.example", "<al >@< else.example>", "al, %40 else.example"],
)  # fmt: skip
def test_no_form_of_an_address_is_left_of_a_reason(reason: str) -> None:
    alias = "a" * 32 + "@ct.example.com"
    noted = [{"reason": f"{reason} for <{alias}>, {alias}."}]
    _hide_addresses(noted, {alias})
    assert "else.example" not in noted[0]["reason"]
    assert "al" not in noted[0]["reason"].removesuffix(f"<{alias}>, {alias}.").split()
    assert noted[0]["reason"].endswith(f"(an address) for <{alias}>, {alias}.")


@pytest.mark.parametrize(
    "text", ["a", "a@", "@", " @", " ", "0" * 32 + "@", "0" * 32 + "@a.", "%40", "<"]
)
def test_long_reasons_cost_little(text: str) -> None:
    steps = []
    for size in (50_000, 100_000):
        noted = [{"reason": text * (size // len(text))} for _each in range(2)]
        begun = time.process_time()
        _hide_addresses(noted, set())
        steps.append(time.process_time() - begun)
    assert steps[1] < 10 * max(steps[0], 0.05)


def test_identifiers_that_hold_somebody_elses_address_in_any_spelling_stay(
    tracker: Tracker, exported: Any
) -> None:
    """A carrier's may have the customer's; Reply-To addresses are somebody's, too."""
    record(tracker)
    tracker.sql("SELECT tracker.mask('shop', '1', 'jane.roe@gmail.com', 'partner')")
    reply_to(tracker, "wife@home.example")
    held = [
        f"<{JOHN.replace('.', '%2E').replace('@', '%40')}@carrier.example>",
        f"<1-{JOHN.encode().hex()}@carrier.example>",
        f"<{base64.urlsafe_b64encode(b'id=' + JOHN.encode()).decode()}@carrier.example>",
        "<n1-janeroe@gmail.com@carrier.example>",
        "<n1-wife=home.example@carrier.example>",
    ]
    own = ["<1.5@partner.example>", "<partner0+40partner.example.7@partner.example>"]
    tracker.sql(
        "INSERT INTO tracker.message_ids (order_id, ours, original, participant_id)"
        " SELECT order_id, t, t, id FROM tracker.participants, unnest(%s::text[]) AS t"
        "  WHERE address = %s", [*held, *own], PARTNER,
    )  # fmt: skip
    facts = exported(PARTNER).json("about-you.json")
    assert sorted(each["original"] for each in facts["identifiers"]) == sorted(own)
    # All that is recorded is searched for addresses later.
    tracker.sql("DELETE FROM tracker.message_ids WHERE original = ANY (%s)", held)


def test_a_reply_to_address_at_gmail_is_found_without_its_dots(
    tracker: Tracker, exported: Any
) -> None:
    record(tracker)
    reply_to(tracker, "j.d@gmail.com")
    [order] = exported("JD@googlemail.com").json("about-you.json")["orders"]
    assert [(you["address"], you["answersOnly"]) for you in order["you"]] == [
        ("j.d@gmail.com", True)
    ]


def test_a_partner_gets_what_they_wrote_and_what_was_sent_to_them(
    tracker: Tracker, exported: Any
) -> None:
    record(tracker, states=("accepted", "accepted"))
    write(tracker, JOHN, "partner1@partner.example", "not theirs")
    write(tracker, PARTNER, "partner1@partner.example", "theirs")
    found = exported(PARTNER)
    [order] = found.json("about-you.json")["orders"]
    assert (order["complete"], order["messages"]) == (False, 2)
    conversation = found.json(f"{order['folder']}/conversation.json")
    assert {each["subject"] for each in conversation["messages"]} == {"Hello", "theirs"}
    assert "not theirs" not in found.all
    assert len(conversation["people"]) == 3
    assert "the messages that you wrote or got" in found.text("index.html")


def test_somebodys_reply_to_address_gets_no_more_than_came_there(
    tracker: Tracker, exported: Any
) -> None:
    """Whoever it is: a buyer may have had answers sent to somebody else."""
    record(tracker)
    reply_to(tracker, "wife@home.example")
    found = exported("Wife@home.example")
    [order] = found.json("about-you.json")["orders"]
    assert (order["complete"], order["messages"]) == (False, 0)
    assert [you["answersOnly"] for you in order["you"]] == [True]
    assert "Where is" not in found.all


@pytest.mark.parametrize(
    ("known", "asked", "tagged"),
    [
        (JOHN, "JOHN.DOE@EXAMPLE.ORG", 0),
        ("j.o@gmail.com", "Jo@GoogleMail.com", 0),
        ("j@b\u00fccher.example", "J@xn--bcher-kva.example", 0),
        (JOHN, '"john.doe"@example.org', 1),
    ],
)
def test_in_every_spelling_that_mask_takes_for_the_same(
    tracker: Tracker, tmp_path: Path, known: str, asked: str, tagged: int
) -> None:
    tracker("mask", "shop", "1", known)
    if tagged:
        tracker("mask", "shop", "2", JOHN.replace("@", "+shop@"))
    result = tracker("export", asked, str(tmp_path / "file.zip"))
    assert result.code == 0
    assert result.out.startswith("wrote 1 order with 0 messages\n")
    assert ("1 like this address with a +tag" in result.out) == bool(tagged)
    found = Opened(tmp_path / "file.zip")
    assert ("1 other address that begin" in found.text("index.html")) == bool(tagged)


def test_what_is_known_of_nobody_leaves_a_trace_and_no_file(
    tracker: Tracker, tmp_path: Path
) -> None:
    for _again in range(2):
        result = tracker("export", JOHN, str(tmp_path / "file.zip"))
        assert (result.code, result.out) == (1, "")
        assert result.complaint.startswith("nothing is known of this address; an order that has")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["tracker.conf"]
    assert tracker.sql("SELECT found FROM tracker.exports") == [(0,), (0,)]


def test_it_is_noted_who_did_it(tracker: Tracker, tmp_path: Path) -> None:
    tracker("mask", "shop", "1", JOHN)
    tracker("export", JOHN, str(tmp_path / "file.zip"), SUDO_USER="anna")
    rows = tracker.sql(
        "SELECT db_user, actor, found, digest = tracker.lookup_digest(%s) FROM tracker.exports",
        JOHN,
    )
    assert rows == [("postgres", "anna", 1, True)]


def test_traces_alone_are_told_too_and_not_whose_they_are(tracker: Tracker, exported: Any) -> None:
    """What is left when the address is gone from all orders."""
    tracker("mask", "shop", "1", JOHN)
    with psycopg.connect(tracker.database, autocommit=True) as connection:
        connection.execute("SET tracker.actor = 'clerk anna'")
        connection.execute("SELECT tracker.find_orders('shop', %s)", (JOHN,))
    assert exported().json("about-you.json")["exports"] == []
    tracker("erase", JOHN)
    found = exported()
    facts = found.json("about-you.json")
    assert facts["orders"] == []
    assert [len(facts[name]) for name in ("lookups", "exports", "erasures")] == [1, 1, 1]
    assert "anna" not in found.all
    assert "postgres" not in found.all
    assert "takes part in no order today" in found.text("index.html")
    assert "was erased from all orders" in found.text("index.html")


def test_every_link_of_the_page_leads_somewhere_and_nothing_is_loaded(
    tracker: Tracker, exported: Any
) -> None:
    record(tracker, subject="<script>alert(1)</script> " + ESCAPES)
    tracker.sql(
        "UPDATE tracker.orders SET number = %s", '../../etc/<img src=//evil.example>\\CON:*?"|'
    )
    found = exported()
    seen, waiting = set(), ["index.html"]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name.endswith(".html"):
            assert not {*ESCAPES} & {"\x1b", "\u202e"} & {*found.text(name)}
            page = Links(found.text(name))
            assert page.loads == []
            assert page.tags.isdisjoint({"script", "img", "link", "object", "embed", "form"})
            inside = name.rpartition("/")[0]
            for link in page.links:
                assert not re.match(r"[a-z]+:|//", link), link
                if not link.startswith("#"):
                    waiting.append(normpath(f"{inside}/{unquote(link)}".lstrip("/")))
        assert name in found.files
    assert seen == set(found.files)
    assert "Content-Security-Policy" in found.text("index.html")


def test_names_are_safe_everywhere(tracker: Tracker, exported: Any) -> None:
    names = [
        "..",
        "a/b",
        "A/B",
        "CON",
        "nul.",
        "x" * 200,
        "\u00fc \u4e2d",
        'a:b*c?"<>|',
        ".hidden",
        "~",
    ]
    for number in names:
        tracker("mask", "shop", number, JOHN)
    found = exported()
    paths = [entry.filename for entry in found.entries]
    assert len({path.lower() for path in paths}) == len(paths)
    for path in paths:
        assert len(path) < 150
        for part in path.split("/"):
            assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]", part), path
    facts = found.json("about-you.json")
    assert sorted(each["number"] for each in facts["orders"]) == sorted(names)
    for entry in found.entries:
        assert stat.S_IMODE(entry.external_attr >> 16) == 0o600
        assert entry.flag_bits & 0x800 == 0


def test_the_file_is_whole_and_for_its_owner_alone(tracker: Tracker, tmp_path: Path) -> None:
    tracker("mask", "shop", "1", JOHN)
    path = tmp_path / "file.zip"
    path.write_bytes(b"old")
    path.chmod(0o644)
    assert tracker("export", JOHN, str(path)).code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tracker("export", "nobody@far.example", str(path)).code == 1
    assert zipfile.is_zipfile(path)


@pytest.mark.parametrize("name", ["no/such/folder.zip", ".", "pipe"])
def test_what_cannot_be_written_is_told(tracker: Tracker, tmp_path: Path, name: str) -> None:
    """And nobody is looked up for it."""
    os.mkfifo(tmp_path / "pipe")
    tracker("mask", "shop", "1", JOHN)
    result = tracker("export", JOHN, str(tmp_path / name))
    assert (result.code, result.out) == (2, "")
    assert str(tmp_path) in result.complaint
    assert tracker.sql("SELECT count(*) FROM tracker.exports") == [(0,)]
    assert len(list(tmp_path.iterdir())) == 2


def test_it_is_written_to_no_file_of_the_name_of_standard_output(tracker: Tracker) -> None:
    """As `timeline --html -` and `erase --list -` lead there."""
    tracker("mask", "shop", "1", JOHN)
    result = tracker("export", JOHN, "-")
    assert (result.code, result.out) == (2, "")
    assert result.complaint == "an archive needs a file: - is none"
    assert not Path("-").exists()


def test_a_disk_that_is_full_is_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fill)
    path = tmp_path / "file.zip"
    with pytest.raises(Failure, match="No space left") as error, open_archive(path) as opened:
        opened.add_octets("x", b"x", datetime.now(UTC))
    assert error.value.code == 75
    assert list(tmp_path.iterdir()) == []


def test_other_files_beside_it_are_nobodys_business(tmp_path: Path) -> None:
    """Not of a name that can be guessed either: they neither hinder nor go."""
    other = tmp_path / f".file.zip.{os.getpid()}"
    other.write_text("somebody else's")
    with open_archive(tmp_path / "file.zip") as opened:
        opened.add_octets("x", b"x", datetime.now(UTC))
    assert other.read_text() == "somebody else's"
    assert {each.name for each in tmp_path.iterdir()} == {other.name, "file.zip"}


def test_a_name_that_is_taken_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever came first has it, and keeps it."""
    taken: list[str] = []
    link = os.link

    def come_first(source: str, name: Path, **given: Any) -> None:
        if not taken:
            Path(name).write_text("somebody else's")
            taken.append(Path(name).name)
        link(source, name, **given)

    monkeypatch.setattr(os, "link", come_first)
    path = tmp_path / "file.zip"
    with pytest.raises(Failure, match="File exists"), open_archive(path) as opened:
        opened.add_octets("x", b"x", datetime.now(UTC))
    assert [each.name for each in tmp_path.iterdir()] == taken
    assert (tmp_path / taken[0]).read_text() == "somebody else's"


def test_nothing_is_left_of_a_process_that_is_killed(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        with open_archive(tmp_path / "file.zip") as opened:
            opened.add_octets("x", os.urandom(1_000_000), datetime.now(UTC))
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_nameless_files_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)
    with open_archive(tmp_path / "file.zip") as opened:
        opened.add_octets("x", b"x", datetime.now(UTC))
    assert [each.name for each in tmp_path.iterdir()] == ["file.zip"]
    with pytest.raises(ZeroDivisionError), open_archive(tmp_path / "other.zip"):
        raise ZeroDivisionError
    assert [each.name for each in tmp_path.iterdir()] == ["file.zip"]


def test_an_order_without_an_end(tracker: Tracker, exported: Any) -> None:
    record(tracker)
    tracker.sql("UPDATE tracker.orders SET expires_at = 'infinity'")
    found = exported()
    [order] = found.json("about-you.json")["orders"]
    assert order["addressKeptUntil"] is None
    assert "without an end" in found.text("index.html")


def test_a_long_conversation_has_several_pages(tracker: Tracker, exported: Any) -> None:
    record(tracker)
    for number in range(1, 6):
        write(tracker, PARTNER, JOHN, f"letter {number}")
    with psycopg.connect(tracker.database, autocommit=True) as connection:
        # Of one moment each, so that they make pages.
        connection.execute(
            "INSERT INTO tracker.messages (order_id, digest, queue_id, direction, sender_id,"
            "  sender_name, message_id, subject, first_words, size, attachment_names, automatic,"
            "  auto_reply, verdict, notes, raw, at)"
            " SELECT order_id, digest, '', direction, sender_id, '', '', 'n' || n, 'n' || n, 1,"
            "  '{}', false, false, verdict, '{}', raw, at + n * interval '1 minute'"
            "   FROM tracker.messages, generate_series(1, 450) AS n WHERE subject = 'letter 5'"
        )
    found = exported()
    [order] = found.json("about-you.json")["orders"]
    assert order["messages"] == 456
    pages = sorted(name for name in found.files if name.endswith(".html") and "/" in name)
    assert [name.rpartition("/")[2] for name in pages] == [
        "conversation-01.html",
        "conversation-02.html",
        "conversation-03.html",
    ]
    led = [[each for each in Links(found.text(page)).links if ".html" in each] for page in pages]
    index = "../../index.html"
    assert led == [
        [index, "conversation-02.html", index],
        [index, "conversation-01.html", "conversation-03.html", index],
        [index, "conversation-02.html", index],
    ]
    said = "".join(map(found.text, pages))
    assert [said.count(f">n{n}<") > 0 for n in range(1, 451)] == [True] * 450
    assert len([name for name in found.files if name.endswith(".eml")]) == 456


def test_memory_is_that_of_a_message_and_not_of_all(tracker: Tracker, tmp_path: Path) -> None:
    record(tracker)
    text = base64.encodebytes(os.urandom(60_000))
    needed = []
    # What is kept from the first time on is not counted.
    export(tracker.database, JOHN, tmp_path / "file.zip", "anna")
    for count in (20, 60):
        for number in range(count):
            letter = LETTER % (b"x@ct.example.com", b"large", text)
            write(tracker, PARTNER, JOHN, f"letter {count} {number}", raw=letter)
        tracemalloc.start()
        try:
            export(tracker.database, JOHN, tmp_path / "file.zip", "anna")
            needed.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert (tmp_path / "file.zip").stat().st_size > 4_000_000
    # A line for each message, and no message.
    assert needed[1] - needed[0] < 60 * len(text) / 2
    # All that is recorded is searched for addresses later, and this holds none.
    tracker.sql("DELETE FROM tracker.messages")


def test_mails_limits_of_time_end_no_export(tracker: Tracker, tmp_path: Path) -> None:
    """All addresses that there are may be looked at."""
    record(tracker)
    mail = replace(timeouts.get().mail, statement_milliseconds=1)
    before = timeouts.use(replace(timeouts.get(), mail=mail))
    try:
        assert export(tracker.database, JOHN, tmp_path / "file.zip", "anna").orders == 1
    finally:
        timeouts.use(before)


def test_more_files_than_an_old_archive_can_hold(tmp_path: Path) -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC)
    with open_archive(tmp_path / "file.zip") as opened:
        for number in range(66_000):
            opened.add_octets(f"messages/{number}", b"", at)
        opened.add_text("text", iter(["\u00fc", "\ud800", "x"]), at.replace(year=9000))
    with zipfile.ZipFile(tmp_path / "file.zip") as found:
        assert len(found.infolist()) == 66_001
        assert found.read("text").decode() == "\u00fc?x"
        assert [found.getinfo(name).date_time[0] for name in ("messages/7", "text")] == [1980, 2107]


@given(st.lists(st.text(max_size=60), max_size=3), st.integers(1, 99_999))
def test_a_name_of_anything_is_safe(parts: list[str], number: int) -> None:
    name = write_name(number, *parts, ending=".eml")
    assert re.fullmatch(r"[0-9]{5}(-[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)*\.eml", name)
    assert len(name) <= 5 + 3 * 41 + 4


def test_a_stranger_understands_the_readme(tracker: Tracker, exported: Any) -> None:
    """Plain words, short lines, every file that is there, and the addresses and times meant."""
    record(tracker)
    found = exported()
    readme = found.files["README.txt"].decode("ascii")
    assert readme.count("\n") == readme.count("\r\n")
    assert max(map(len, readme.splitlines())) < 80
    kinds = {name.rpartition("/")[2] for name in found.files if not name.endswith(".eml")}
    for said in (*kinds, "messages/", "orders/", ".eml", JOHN, "2 years", "Article 15", "alias"):
        assert said in readme
    for jargon in ("milter", "Postfix", "SQL", "token", "hash", "tracker"):
        assert jargon.lower() not in readme.lower()


def test_whoever_may_not_read_addresses_exports_nothing(tracker: Tracker, tmp_path: Path) -> None:
    record(tracker)
    for role in ("tracker_reader", "tracker_integrator", "tracker_auditor"):
        name = f"clerk_{role}"
        tracker.sql(f"CREATE ROLE {name} LOGIN IN ROLE {role}")
        try:
            tracker.become(name)
            result = tracker("export", JOHN, str(tmp_path / "file.zip"))
        finally:
            tracker.use(tracker.database)
            tracker.sql(f"DROP ROLE {name}")
        assert (result.code, result.out) == (2, "")
        assert "permission" in result.complaint or "may not" in result.complaint
    assert not (tmp_path / "file.zip").exists()
