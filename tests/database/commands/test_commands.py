"""The commands, run as a user runs them: what they print, how they end, no traceback ever."""

import json
import os
import pty
import re
import select
import signal
import stat
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import aging
import psycopg
import pytest
from psycopg import Notify
from psycopg.conninfo import make_conninfo
from tracker_command import ESCAPES, JOHN, Tracker, record

from private.postgres import Postgres

ALIAS_DOMAIN = "ct.example.com"
UNREACHABLE = "postgresql://user:secret-word@127.0.0.1:1/nowhere"

REPORT = b"""\
From: MAILER-DAEMON@mx.partner.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Nobody here.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.partner.example

Final-Recipient: rfc822; partner0@partner.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <partner0@partner.example> no such user

--b--
"""

MAIL = f"""From: Carrier <news@carrier.example>
To: %s
Subject: Parcel for {JOHN}
Message-ID: <1@carrier.example>

Dear {JOHN}, your parcel is on its way.
"""


# mask and unmask


def test_mask_prints_the_alias_alone_and_the_same_one_again(tracker: Tracker) -> None:
    first = tracker("mask", "shop", "1", JOHN)
    local, domain = first.out.rstrip("\n").split("@")
    assert (first.code, first.err, domain) == (0, "", ALIAS_DOMAIN)
    assert uuid.UUID(local).hex == local
    assert tracker("mask", "shop", "1", "John.Doe@EXAMPLE.org").out == first.out


def test_an_international_domain_is_one_address_however_it_is_written(tracker: Tracker) -> None:
    unicode = tracker("mask", "shop", "1", "a@exämple.org")
    assert tracker("mask", "shop", "1", "a@xn--exmple-cua.org").out == unicode.out
    assert unicode.code == 0


def test_mask_takes_a_role(tracker: Tracker) -> None:
    assert tracker("mask", "shop", "1", JOHN, "--role", "partner").code == 0
    assert tracker.sql("SELECT role FROM tracker.participants") == [("partner",)]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nostore", "1", JOHN), 1, "no such store: nostore"),
        (("shop", "1", "not an address"), 2, "ADDRESS is no mail address"),
        (("shop", "1", ""), 2, "ADDRESS: is empty"),
        (("shop", "", JOHN), 2, "ORDER: is empty"),
        (("shop", "1", b"j\xf6hn@example.org"), 2, "ADDRESS: is not UTF-8"),
        ((b"sh\xf6p", "1", JOHN), 2, "STORE: is not UTF-8"),
        (("shop", "1", "a@example.org\r\nBcc: b@example.org"), 2, "control character"),
        (("shop", "1\n", JOHN), 2, "ORDER: holds a control character"),
        (("shop", "1", "x" * 300 + "@example.org"), 2, "longer than 64 octets"),
        (("shop", "1", "a@" + "x" * 300), 2, "domain"),
        (("shop", "9" * 300, JOHN), 2, "order_number must be 1 to 200 printable characters"),
        (("shop", " 1", JOHN), 2, "order_number must be 1 to 200 printable characters"),
        (("shop", "1", "x@ct.example.com"), 2, "cannot be masked again"),
        (("shop", "1", "john@doe"), 2, "not a valid mail address"),
        (("shop", "1", JOHN, "--role", "return"), 2, "invalid choice"),
        (("shop", "1"), 2, "required: ADDRESS"),
    ],
)
def test_mask_refuses_in_one_line(
    tracker: Tracker, arguments: tuple[str | bytes, ...], code: int, said: str
) -> None:
    result = tracker("mask", *arguments)
    assert (result.code, result.out) == (code, "")
    assert said in result.complaint


@pytest.mark.parametrize(
    "address", ['"john doe"@example.org', "o'neil@example.org", r'"a\"b"@example.org']
)
def test_quotes_in_an_address_do_no_harm(tracker: Tracker, address: str) -> None:
    alias = tracker("mask", "shop", "1", address)
    assert alias.code == 0
    back = tracker("unmask", alias.out.strip(), "--reason", "test")
    assert (back.code, back.out) == (0, f"{address}\n")


def test_an_expired_order_gives_no_alias_and_no_address(tracker: Tracker) -> None:
    alias = tracker("mask", "shop", "1", JOHN).out.strip()
    tracker.sql("UPDATE tracker.orders SET expires_at = now()")
    masked = tracker("mask", "shop", "1", JOHN)
    assert (masked.code, masked.complaint) == (1, "order 1 of store shop has expired")
    unmasked = tracker("unmask", alias, "--reason", "test")
    assert (unmasked.code, unmasked.complaint) == (1, "the alias has expired")


def test_a_full_order_takes_nobody_more(tracker: Tracker) -> None:
    tracker.sql("UPDATE tracker.stores SET participant_limit = 2")
    codes = [tracker("mask", "shop", "1", f"{name}@example.org").code for name in "abc"]
    assert codes == [0, 0, 1]


def test_unmask_notes_who_asked_and_why(tracker: Tracker) -> None:
    alias = tracker("mask", "shop", "1", JOHN).out.strip()
    result = tracker("unmask", alias.upper(), "--reason", "he asked for it", SUDO_USER="anna")
    assert (result.code, result.out) == (0, f"{JOHN}\n")
    noted = tracker.sql("SELECT db_user, actor, alias, reason FROM tracker.unmaskings")
    assert noted == [("postgres", "anna", alias, "he asked for it")]


def test_unmask_notes_the_account_where_there_is_no_sudo(tracker: Tracker) -> None:
    alias = tracker("mask", "shop", "1", JOHN).out.strip()
    assert tracker("unmask", alias, "--reason", "test", USER="somebody-else").code == 0
    [(actor,)] = tracker.sql("SELECT actor FROM tracker.unmaskings")
    assert actor not in ("", "somebody-else")


@pytest.mark.parametrize(
    ("alias", "reason", "code", "said"),
    [
        (f"{'0' * 32}@{ALIAS_DOMAIN}", "test", 1, "no such alias"),
        (JOHN, "test", 1, "no such alias"),
        ("nonsense", "test", 2, "ALIAS is no mail address"),
        ("ALIAS", " ", 2, "--reason: is empty"),
        ("ALIAS", f"for {JOHN}", 2, "must not name the address"),
    ],
)
def test_unmask_refuses_and_notes_nothing(
    tracker: Tracker, alias: str, reason: str, code: int, said: str
) -> None:
    real = tracker("mask", "shop", "1", JOHN).out.strip()
    result = tracker("unmask", real if alias == "ALIAS" else alias, "--reason", reason)
    assert (result.code, result.out) == (code, "")
    assert said in result.complaint
    assert JOHN not in result.err
    assert tracker.sql("SELECT FROM tracker.unmaskings") == []


# close and erase


def test_close_tells_when_the_aliases_end(tracker: Tracker) -> None:
    tracker("mask", "shop", "1", JOHN)
    tracker.sql("UPDATE tracker.stores SET close_grace = '1 day'")
    result = tracker("close", "shop", "1")
    assert result.code == 0
    told = datetime.fromisoformat(result.out.removeprefix("its aliases stop working at ").strip())
    [(ends,)] = tracker.sql("SELECT expires_at FROM tracker.orders")
    assert told == ends.replace(microsecond=0)  # type: ignore[attr-defined]
    assert tracker("close", "shop", "1").out == result.out


def test_close_knows_a_time_that_python_does_not(tracker: Tracker) -> None:
    tracker("mask", "shop", "1", JOHN)
    tracker.sql("UPDATE tracker.orders SET expires_at = 'infinity'")
    assert "9999" in tracker("close", "shop", "1").out


@pytest.mark.parametrize(("store", "number"), [("shop", "2"), ("nostore", "1")])
def test_close_knows_only_orders(tracker: Tracker, store: str, number: str) -> None:
    result = tracker("close", store, number)
    assert (result.code, result.complaint) == (1, f"no such order: {number} of store {store}")


def test_erase_tells_of_how_many_orders(tracker: Tracker) -> None:
    for number in ("1", "2"):
        tracker("mask", "shop", number, JOHN)
    outcomes = [tracker("erase", "John.Doe@example.org") for _ in range(2)]
    assert [(each.code, each.out.splitlines()[0]) for each in outcomes] == [
        (0, "erased from 2 orders"),
        (0, "erased from 0 orders"),
    ]
    assert tracker.sql("SELECT FROM tracker.participants WHERE address IS NOT NULL") == []


def test_erase_wants_an_address(tracker: Tracker) -> None:
    assert tracker("erase", "John Doe").code == 2


# timeline


def test_the_timeline_as_json(tracker: Tracker) -> None:
    number = record(tracker, states=("sent", "bounced", "accepted"))
    tracker.sql("CREATE ROLE reader LOGIN IN ROLE tracker_reader")
    tracker.sql("SELECT tracker.grant_store('reader', 'shop')")
    try:
        tracker.become("reader")
        result = tracker("timeline", "shop", "1", "--json")
    finally:
        tracker.sql("SELECT tracker.revoke_store('reader', 'shop')")
        tracker.sql("DROP ROLE reader")
    assert result.code == 0
    [message] = json.loads(result.out)
    to = message.pop("to")
    assert [each["alias"] for each in message["recipients"]] == to
    assert all(alias.endswith(f"@{ALIAS_DOMAIN}") for alias in (*to, message.pop("from")))
    names = ("role", "state", "status", "reason")
    states = [tuple(each[name] for name in names) for each in message.pop("recipients")]
    assert states == [
        ("partner", "sent", "", ""),
        ("partner", "bounced", "5.1.1", "no such user"),
        ("partner", "accepted", "", ""),
    ]
    assert message == {
        "id": number,
        "date": "2026-02-01T00:30:00+01:00",
        "direction": "inbound",
        "fromName": "John Doe",
        "fromRole": "buyer",
        "subject": "Hello",
        "firstWords": "Where is <b>my</b> order? ü",
        "body": "Where is <b>my</b> order? ü\n",
        "hasAttachment": True,
        "attachmentNames": ["invoice.pdf"],
        "state": "bounced",
        "size": 1234,
        "automatic": False,
        "verdict": "unverified",
        "notes": [],
        "attachments": [],
        "deliveries": [
            {"alias": alias, "role": "partner", "state": state, "status": status, "reason": reason}
            for alias, (_, state, status, reason) in zip(to, states, strict=True)
        ],
        "hasHtml": False,
        "marks": ["waiting"],
    }
    assert JOHN not in result.out


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        (("sent", "sent"), "sent"),
        (("sent", "accepted"), "accepted"),
        (("accepted", "delayed"), "delayed"),
        (("delayed", "refused"), "refused"),
        (("refused", "bounced", "sent"), "bounced"),
        ((), "accepted"),
    ],
)
def test_a_message_is_as_well_off_as_its_worst_delivery(
    tracker: Tracker, states: tuple[str, ...], worst: str
) -> None:
    record(tracker, states=states)
    [message] = json.loads(tracker("timeline", "shop", "1", "--json").out)
    assert message["state"] == worst


def test_the_timeline_as_a_table(tracker: Tracker) -> None:
    record(tracker, subject=ESCAPES, states=("bounced", "sent"))
    result = tracker("timeline", "shop", "1", COLUMNS="160")
    titles, line = result.out.splitlines()
    assert titles.split() == [
        "time",
        "direction",
        "from",
        "to",
        "subject",
        "text",
        "files",
        "state",
    ]
    assert re.split(" {2,}", line) == [
        "2026-02-01 00:30",
        "inbound",
        "buyer John Doe",
        "2 partners",
        "[2Jü 中文 👍 gnp",
        "Where is <b>my</b> order? ü",
        "invoice.pdf",
        "bounced 5.1.1",
    ]
    assert not set(result.out) & {"\x1b", "\u202e", "\r"}


def test_a_sender_who_is_not_who_they_say_stands_out(tracker: Tracker) -> None:
    record(tracker)
    tracker.sql("UPDATE tracker.messages SET verdict = 'flagged'")
    assert "FORGED? buyer John Doe" in tracker("timeline", "shop", "1", COLUMNS="160").out
    page = tracker("timeline", "shop", "1", "--html", "-").out
    assert "Claims to be the customer, but is not: do not trust." in page
    [message] = json.loads(tracker("timeline", "shop", "1", "--json").out)
    assert message["verdict"] == "flagged"


def test_a_table_fits_the_terminal_it_is_shown_on(tracker: Tracker) -> None:
    record(tracker, subject="中" * 500)
    command = tracker.command("timeline", "shop", "1")
    leader, follower = pty.openpty()
    try:
        with subprocess.Popen(
            ["sh", "-c", 'stty cols 70 && exec "$@"', "sh", *command],
            stdin=follower, stdout=follower, stderr=follower, env=tracker.environment(),
        ) as process:  # fmt: skip
            assert process.wait(timeout=60) == 0
        shown = os.read(leader, 100_000).decode()
    finally:
        os.close(leader)
        os.close(follower)
    lines = shown.splitlines()
    assert len(lines) == 2
    assert "…" in lines[1]
    assert max(len(line) + line.count("中") for line in lines) <= 70


def test_the_timeline_as_a_page(tracker: Tracker, tmp_path: Path) -> None:
    record(tracker, subject='<script>alert("1")</script>' + ESCAPES)
    file = tmp_path / "page.html"
    file.write_text("what was there before")
    result = tracker("timeline", "shop", "1", "--html", file)
    assert (result.code, result.out, result.err) == (0, "", "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "tracker.conf"]
    page = file.read_text()
    tags: set[str] = set()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.add(tag)  # type: ignore[method-assign]
    parser.feed(page)
    assert not tags & {"script", "link", "img", "iframe", "b", "a"}
    assert "Where is &lt;b&gt;my&lt;/b&gt; order? ü" in page
    assert not set(page) & {"\x1b", "\u202e"}
    assert JOHN not in page
    again = tracker("timeline", "shop", "1", "--html", "-").out
    assert again.partition("<footer")[0] == page.partition("<footer")[0]
    assert again.partition("</time>. Addresses")[2] == page.partition("</time>. Addresses")[2] != ""


@pytest.mark.parametrize("where", ["missing/page.html", "."])
def test_a_page_that_cannot_be_written(tracker: Tracker, tmp_path: Path, where: str) -> None:
    record(tracker)
    result = tracker("timeline", "shop", "1", "--html", tmp_path / where)
    assert result.code == 2
    assert str(tmp_path / where) in result.complaint


def test_a_page_written_to_a_device_leaves_the_device(tracker: Tracker) -> None:
    record(tracker)
    assert tracker("timeline", "shop", "1", "--html", "/dev/null").code == 0
    assert Path("/dev/null").is_char_device()
    assert "<!DOCTYPE html>" in tracker("timeline", "shop", "1", "--html", "/dev/stdout").out


def test_an_order_without_messages(tracker: Tracker) -> None:
    tracker("mask", "shop", "1", JOHN)
    assert tracker("timeline", "shop", "1").out == "no messages\n"
    assert json.loads(tracker("timeline", "shop", "1", "--json").out) == []


@pytest.mark.parametrize("form", [(), ("--json",), ("--html", "-")])
@pytest.mark.parametrize(
    ("store", "number", "said"),
    [
        ("nostore", "1", "no such store: nostore"),
        ("shop", "7", "no such order: 7 of store shop"),
        ("shop", "9" * 900, "no such order: 999"),
        (JOHN, "1", "no such store: [with an at sign]"),
        ("shop", f"1 {JOHN}", "no such order: 1 [with an at sign] of store shop"),
    ],
)
def test_a_timeline_of_nothing(
    tracker: Tracker, form: tuple[str, ...], store: str, number: str, said: str
) -> None:
    result = tracker("timeline", store, number, *form)
    assert (result.code, result.out) == (1, "")
    assert said in result.complaint
    assert JOHN not in result.err
    assert len(result.err) < 600


def test_a_reader_that_goes_away_is_no_error(tracker: Tracker) -> None:
    record(tracker)
    with subprocess.Popen(
        tracker.command("timeline", "shop", "1", "--json"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=tracker.environment(),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 141
        assert process.stderr.read() == b""


def test_a_full_disk_is_told(tracker: Tracker) -> None:
    record(tracker)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            tracker.command("timeline", "shop", "1"),
            stdout=full, stderr=subprocess.PIPE, env=tracker.environment(), check=False,
        )  # fmt: skip
    assert done.returncode == 75
    assert (
        done.stderr == b"conversation-tracker: cannot write the output: No space left on device\n"
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [('"$@" timeline shop 1 --json >&-', 0), ('"$@" explain --rcpt a@example.org - <&-', 2)],
)
def test_a_closed_stream_is_no_traceback(tracker: Tracker, command: str, code: int) -> None:
    record(tracker)
    done = subprocess.run(
        ["sh", "-c", command, "sh", *tracker.command()],
        capture_output=True, env=tracker.environment(), check=False,
    )  # fmt: skip
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == (1 if code else 0)


# explain


def counted(tracker: Tracker) -> list[tuple[object, ...]]:
    """Return all rows that a message could leave or change."""
    return tracker.sql(
        "SELECT (SELECT count(*) FROM tracker.messages),"
        " (SELECT array_agg(d::text ORDER BY d.bounce) FROM tracker.deliveries AS d),"
        " (SELECT count(*) FROM tracker.unmaskings),"
        " (SELECT array_agg(o::text ORDER BY o.id) FROM tracker.orders AS o),"
        " (SELECT array_agg(p::text ORDER BY p.id) FROM tracker.participants AS p)"
    )


@pytest.fixture
def announced(tracker: Tracker) -> Iterator[Callable[[], list[Notify]]]:
    """Gives all announcements so far."""
    heard: list[Notify] = []
    with psycopg.connect(tracker.database, autocommit=True) as connection:
        connection.add_notify_handler(heard.append)
        connection.execute("LISTEN tracker_messages")
        yield lambda: connection.execute("SELECT") and heard


@pytest.mark.parametrize("crlf", [False, True])
def test_explain_shows_what_would_happen_and_changes_nothing(
    tracker: Tracker, tmp_path: Path, announced: Callable[[], list[Notify]], crlf: bool
) -> None:
    alias = tracker("mask", "shop", "1", JOHN).out.strip()
    before = counted(tracker)
    file = tmp_path / "message.eml"
    text = MAIL % alias
    file.write_bytes((text.replace("\n", "\r\n") if crlf else text).encode())
    result = tracker("explain", "--rcpt", alias, file)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert f"recipient {alias}: the buyer of order 1 of store shop" in lines
    assert "decision: record and forward it" in lines
    assert f"  add recipient <{JOHN}>" in lines
    assert f"  delete recipient <{alias}>" in lines
    assert any(line.startswith("  set sender <bounce-") for line in lines)
    found = re.compile(r"found: partner \S+ in header From: masked or left out")
    assert any(found.fullmatch(line) for line in lines)
    assert "  direction: outbound" in lines
    assert f"  subject: Parcel for {alias}" in lines
    assert "news@carrier.example" not in result.out
    assert counted(tracker) == before
    assert announced() == []
    record(tracker)
    assert len(announced()) == 1


def test_explain_tells_whose_share_of_the_hour_is_used(tracker: Tracker) -> None:
    alias = tracker("mask", "shop", "1", JOHN).out.strip()
    tracker.sql("UPDATE tracker.stores SET hourly_limit = 3")

    def told(text: str, *options: str) -> list[str]:
        result = tracker("explain", *options, "--rcpt", alias, "-", stdin=text.encode())
        mark = "share of order 1 of store shop in this hour: "
        return [line.removeprefix(mark) for line in result.out.splitlines() if mark in line]

    news = MAIL % alias
    strange = "the sender's, 0 of 2 used, the strangers', 0 of 2 used, that of all but the store, "
    assert told(news) == [f"{strange}0 of 3 used"]
    record(tracker)
    aging.move(tracker.database, "now()")
    assert told(news) == [f"{strange}1 of 3 used"]
    copy = news.replace("news@carrier.example", JOHN)
    assert told(copy) == ["the sender's, 1 of 2 used, that of all but the store, 1 of 3 used"]
    own = f"From: info@shop.example\nTo: {alias}\nSubject: Thanks\n\nThanks!\n"
    assert told(own, "--trusted") == ["the store's own, 0 of 3 used"]
    tracker.sql("UPDATE tracker.stores SET hourly_limit = 1")
    refused = tracker("explain", "--rcpt", alias, "-", stdin=news.encode())
    assert "decision: refuse, 451 4.7.1" in refused.out
    assert "that of all but the store, 1 of 1 used" in refused.out


def test_explain_tells_who_takes_part_as_what(tracker: Tracker) -> None:
    alias = tracker("mask", "shop", "1", JOHN).out.strip()
    tracker.sql("UPDATE tracker.stores SET guest_limit = 2")
    text = (MAIL % alias).replace("\nSubject", "\nCc: ann@far.example, bob@far.example\nSubject", 1)
    lines = tracker("explain", "--rcpt", alias, "-", stdin=text.encode()).out.splitlines()
    people = [line.partition(", ")[2] for line in lines if line.startswith("  takes part: ")]
    assert people == ["introduced", "guest", "guest"]
    assert "  note: left out: 1" in lines
    tracker.sql("UPDATE tracker.stores SET mask = 'soft'")
    own = f"From: info@shop.example\nTo: {JOHN}\nCc: ann@far.example\nX-Order-Id: 1\n\nHello\n"
    told = tracker("explain", "--trusted", "--rcpt", JOHN, "-", stdin=own.encode()).out
    handed = [
        line for line in told.splitlines() if line.startswith("  hands out the soft alias of")
    ]
    assert len(handed) == 1
    assert "store " in handed[0]
    assert "partner " in handed[0]
    assert ", introduced, soft alias handed out" in told
    claim = own.replace(JOHN, alias)
    told = tracker("explain", "--rcpt", alias, "-", stdin=claim.encode()).out
    assert "  sender: flagged" in told
    assert "store " not in told.replace("of store shop", "").replace("all but the store", "")


def test_explain_tells_who_is_a_postmaster(tracker: Tracker) -> None:
    to = f"Abuse@{ALIAS_DOMAIN}"
    result = tracker("explain", "--rcpt", to, "-", stdin=(MAIL % to).encode())
    assert result.code == 0
    assert f"recipient {to}: the postmaster of an alias domain" in result.out
    assert "decision: pass it on to the postmaster as it came" in result.out
    assert "  add recipient <postmaster>" in result.out
    assert tracker.sql("SELECT count(*) FROM tracker.orders") == [(0,)]


def test_explain_tells_where_whose_address_and_alias_stands(tracker: Tracker) -> None:
    """Of a sole copy, and of each of several; no address is shown."""
    john = tracker("mask", "shop", "1", JOHN).out.strip()
    ann = tracker("mask", "shop", "1", "ann@friends.example", "--role", "partner").out.strip()
    text = (MAIL % f"{john}, {ann}").replace("Dear", f"https://x.example/?e={john} {ann} Dear")
    told = tracker("explain", "--rcpt", john, "-", stdin=text.encode()).out
    where = "header To, part 1 text/plain"
    assert f"copy for buyer {john}: their own address in header To, header Subject, part 1" in told
    assert f"copy for buyer {john}: their alias in part 1 text/plain\n" in told
    assert f"copy for buyer {john}: the alias of partner {ann} in {where}\n" in told
    assert re.search(rf"copy for buyer {john}: the alias of partner \w+@\S+ in header From", told)
    several = tracker("explain", "--rcpt", john, "--rcpt", ann, "-", stdin=text.encode()).out
    assert f"copy for buyer {john}: their alias in part 1 text/plain\n" in several
    assert f"copy for partner {ann}: their own address in {where}\n" in several
    assert f"copy for partner {ann}: their alias" not in several
    assert f"copy for partner {ann}: the alias of buyer {john} in {where.split(',')[0]}" in several
    for line in (told + several).splitlines():
        assert not (line.startswith("copy for") and ("friends" in line or JOHN in line))


def test_explain_tells_what_stays_because_the_store_decides_so(tracker: Tracker) -> None:
    alias = tracker("mask", "shop", "1", JOHN).out.strip()
    tracker("mask", "shop", "1", "news@carrier.example", "--role", "partner")
    start, _, body = (MAIL % alias).partition("\n\n")
    mail = f"{start}\nContent-Type: application/x-any\n\n\x01news@carrier.example\x01\n{body}"
    told = tracker("explain", "--rcpt", alias, "-", stdin=mail.encode())
    assert told.code == 0
    assert "part 1 application/x-any (bytes): stays, as the store decides" in told.out
    assert "news@carrier.example" not in told.out


def test_explain_reads_standard_input(tracker: Tracker) -> None:
    alias = tracker("mask", "shop", "1", JOHN).out.strip()
    result = tracker("explain", "--rcpt", alias, "-", stdin=(MAIL % alias).encode())
    assert result.code == 0


def test_explain_takes_the_envelope_sender_it_is_given(tracker: Tracker) -> None:
    alias = tracker("mask", "shop", "1", JOHN).out.strip()
    mail = (MAIL % alias).encode()
    other = tracker("explain", "--rcpt", alias, "--from", "b@bounces.example", "-", stdin=mail)
    assert "joins: " in other.out
    assert "return " in other.out
    null = tracker("explain", "--rcpt", alias, "--from", "<>", "-", stdin=mail)
    assert "set sender" not in null.out
    assert "automatic" in null.out
    wrong = tracker("explain", "--rcpt", alias, "--from", "nobody", "-", stdin=mail)
    assert (wrong.code, wrong.out) == (2, "")


def test_explain_as_if_from_the_store_itself(tracker: Tracker) -> None:
    mail = (
        f"From: Shop <info@shop.example>\nTo: {JOHN}\nX-Order-Id: 77\nSubject: Thanks\n\nThanks!\n"
    ).encode()
    before = counted(tracker)
    untrusted = tracker("explain", "--rcpt", JOHN, "-", stdin=mail)
    assert "let it pass untouched" in untrusted.out
    trusted = tracker("explain", "--trusted", "--rcpt", JOHN, "-", stdin=mail)
    assert trusted.code == 0
    assert "record: order 77 of store shop" in trusted.out
    assert counted(tracker) == before
    tracker.sql("UPDATE tracker.stores SET submitters = '{erp}'")
    for options, own in (
        (["--trusted"], False),
        (["--user", "ERP"], False),
        (["--user", "erp"], True),
    ):
        said = tracker("explain", *options, "--rcpt", JOHN, "-", stdin=mail)
        assert ("record: order 77 of store shop" in said.out) is own
        assert ("let it pass untouched" in said.out) is not own


@pytest.mark.parametrize(
    ("rcpt", "said"),
    [
        (f"{'0' * 32}@{ALIAS_DOMAIN}", "550 5.1.1"),
        (f"nobody@{ALIAS_DOMAIN}", "550 5.1.1"),
        ("EXPIRED", "550 5.2.1"),
    ],
)
def test_explain_says_no_for_an_alias_that_is_none(tracker: Tracker, rcpt: str, said: str) -> None:
    alias = tracker("mask", "shop", "1", JOHN).out.strip()
    tracker.sql("UPDATE tracker.orders SET expires_at = now()")
    rcpt = alias if rcpt == "EXPIRED" else rcpt
    result = tracker("explain", "--rcpt", rcpt, "-", stdin=(MAIL % rcpt).encode())
    assert result.code == 1
    assert f"refused, {said}" in result.out
    assert f"decision: refuse, {said}" in result.out


def test_explain_says_no_for_mail_that_would_be_refused(tracker: Tracker) -> None:
    alias = tracker("mask", "shop", "1", JOHN).out.strip()
    mail = f"From: <x@{ALIAS_DOMAIN}>\nTo: {alias}\n\nforged\n".encode()
    result = tracker("explain", "--rcpt", alias, "-", stdin=mail)
    assert result.code == 1
    assert "decision: refuse, 550 5.7.1" in result.out


def test_explain_tells_what_a_bounce_would_do(tracker: Tracker) -> None:
    record(tracker)
    [(bounce,)] = tracker.sql(
        "SELECT 'bounce-' || replace(bounce::text, '-', '') || '@ct.example.com'"
        " FROM tracker.deliveries"
    )
    before = counted(tracker)
    result = tracker("explain", "--rcpt", str(bounce), "--from", "<>", "-", stdin=REPORT)
    assert result.code == 0
    assert (
        f"recipient {bounce}: bounce address of a delivery to the partner of order 1" in result.out
    )
    assert "mark: the delivery is bounced 5.1.1" in result.out
    assert counted(tracker) == before
    assert "partner0@partner.example" not in result.out
    refused = tracker("explain", "--rcpt", str(bounce), "--from", JOHN, "-", stdin=REPORT)
    assert refused.code == 1
    assert "decision: refuse, 550 5.7.1 This address takes delivery reports only" in refused.out


def test_explain_shows_no_control_characters(tracker: Tracker) -> None:
    alias = tracker("mask", "shop", "1", JOHN).out.strip()
    mail = (MAIL % alias).replace("Parcel", "\x1b[2J\x9b Parcel").encode("utf-8", "surrogateescape")
    result = tracker("explain", "--rcpt", alias, "-", stdin=mail)
    assert result.code == 0
    assert not set(result.out) & {"\x1b", "\x9b"}


@pytest.mark.parametrize("file", ["missing.eml", "."])
def test_explain_wants_a_file(tracker: Tracker, tmp_path: Path, file: str) -> None:
    result = tracker("explain", "--rcpt", JOHN, tmp_path / file)
    assert result.code == 2
    assert str(tmp_path / file) in result.complaint


def test_explain_by_a_role_that_may_not_is_a_matter_of_configuration(tracker: Tracker) -> None:
    alias = tracker("mask", "shop", "1", JOHN).out.strip()
    tracker.sql("CREATE ROLE reader LOGIN IN ROLE tracker_reader")
    try:
        tracker.become("reader")
        result = tracker("explain", "--rcpt", alias, "-", stdin=(MAIL % alias).encode())
        asked = tracker("unmask", alias, "--reason", "test")
    finally:
        tracker.sql("DROP ROLE reader")
    assert (result.code, asked.code) == (2, 2)
    assert "permission denied" in result.complaint
    assert "permission denied" in asked.complaint


# check and expire


def test_check_tells_what_is_right_and_says_no_for_what_is_wrong(tracker: Tracker) -> None:
    result = tracker("check")
    assert (result.code, result.err) == (1, "")
    assert "the schema is this program's" in result.out
    assert f"there is no socket {tracker.socket}" in result.out


def test_a_dry_run_of_expire_tells_and_leaves(tracker: Tracker) -> None:
    tracker("mask", "shop", "1", JOHN)
    tracker.sql("UPDATE tracker.orders SET expires_at = now() - interval '1 day'")
    outcomes = [tracker("expire", "--dry-run"), tracker("expire")]
    assert [outcome.code for outcome in outcomes] == [0, 0]
    assert "would expire 1 order" in outcomes[0].out
    assert tracker("expire", "--dry-run").out.startswith("would expire 0 orders")


# Whatever the command


COMMANDS = [
    ("mask", "shop", "1", JOHN),
    ("unmask", f"{'0' * 32}@{ALIAS_DOMAIN}", "--reason", "test"),
    ("timeline", "shop", "1"),
    ("close", "shop", "1"),
    ("export", JOHN, "/dev/shm/never.zip"),
    ("erase", JOHN),
    ("explain", "--rcpt", JOHN, "-"),
    ("migrate",),
    ("expire",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_database_that_is_down_is_temporary(tmp_path: Path, command: tuple[str, ...]) -> None:
    tracker = Tracker(tmp_path, UNREACHABLE)
    result = tracker(*command, stdin=(MAIL % JOHN).encode())
    assert (result.code, result.out) == (75, "")
    assert "the database " in result.complaint
    assert "secret-word" not in result.err


@pytest.mark.parametrize("command", [c for c in COMMANDS if c[0] != "migrate"], ids=lambda c: c[0])
def test_a_database_that_is_not_migrated_is_temporary(
    tmp_path: Path, postgres: Postgres, command: tuple[str, ...]
) -> None:
    name = f"empty_{uuid.uuid4().hex}"
    tracker = Tracker(tmp_path, postgres.create_database(name))
    try:
        result = tracker(*command, stdin=(MAIL % JOHN).encode())
    finally:
        postgres.drop_database(name)
    assert (result.code, result.out) == (75, "")
    assert "migrate" in result.complaint


def test_migrate_says_what_it_applied_and_then_that_there_is_nothing(
    tmp_path: Path, postgres: Postgres
) -> None:
    name = f"empty_{uuid.uuid4().hex}"
    tracker = Tracker(tmp_path, postgres.create_database(name))
    try:
        first, second = tracker("migrate"), tracker("migrate")
    finally:
        postgres.drop_database(name)
    assert (first.code, first.out.splitlines()[0]) == (0, "applied baseline")
    assert (second.code, second.out) == (0, "nothing to apply\n")


def test_a_newer_database_is_no_matter_of_time(tracker: Tracker) -> None:
    tracker.sql(
        "INSERT INTO tracker.migrations (name, digest, program) VALUES ('9999-later', 'x', '0')"
    )
    for command in ("migrate", "serve"):
        result = tracker(command)
        assert result.code == 2
        assert "9999-later" in result.complaint


def test_migrate_does_not_keep_mail_waiting_behind_a_long_reader(tracker: Tracker) -> None:
    tracker.sql("UPDATE tracker.migrations SET digest = 'x' WHERE name = 'repeatable/timeline'")
    with psycopg.connect(tracker.database) as reader:
        reader.execute("SELECT count(*) FROM tracker.timeline")
        result = tracker("migrate")
        assert (result.code, result.out) == (75, "")
        assert f"process {reader.info.backend_pid} in a transaction of " in result.complaint
        assert "nothing was changed; run migrate again" in result.complaint
    assert tracker("migrate").out == "applied repeatable/timeline\n"


# Texts of others ----------------------------------------------------------------------------------

QUOTES_THE_ADDRESS = {
    "raised": "RAISE EXCEPTION 'no % here', reverse(new.address)",
    "raised as ours are": (
        "RAISE EXCEPTION 'no % here', reverse(new.address) USING ERRCODE = 'no_data_found'"
    ),
    "named as a constraint": (
        "RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation', CONSTRAINT = reverse(new.address),"
        " HINT = reverse(new.address)"
    ),
    "said by the server": "PERFORM reverse(new.address)::integer",
    "raised below": (
        "EXECUTE format('DO %L', format('BEGIN RAISE ''%s''; END', reverse(new.address)))"
    ),
}


@pytest.mark.parametrize("schema", ["public", "tracker"])
@pytest.mark.parametrize("how", QUOTES_THE_ADDRESS)
def test_an_errors_text_that_may_hold_an_address_is_not_shown(
    tracker: Tracker, how: str, schema: str
) -> None:
    """A trigger of somebody else's says what it likes; here backwards, for the server logs it."""
    body = f"BEGIN {QUOTES_THE_ADDRESS[how]}; RETURN new; END"
    tracker.sql(
        f"CREATE FUNCTION {schema}.theirs() RETURNS trigger LANGUAGE plpgsql AS $body$"
        + body.replace("%", "%%")
        + "$body$"
    )
    tracker.sql(
        "CREATE TRIGGER theirs BEFORE INSERT ON tracker.participants"
        f" FOR EACH ROW EXECUTE FUNCTION {schema}.theirs()"
    )
    result = tracker("mask", "shop", "1", JOHN)
    assert (result.code, result.out) == (75, "")
    assert JOHN[::-1] not in result.err
    assert "whose text may quote an address" in result.complaint


# serve


def logged(process: "subprocess.Popen[bytes]", timeout: float = 20.0) -> dict[str, object]:
    """Wait for the next line of a process's log; its standard error must not be buffered."""
    assert process.stderr is not None
    ready, _, _ = select.select([process.stderr], [], [], timeout)
    assert ready, "nothing was logged in time"
    line = process.stderr.readline()
    assert line, "it ended without a word"
    return dict(json.loads(line))


def test_serve_waits_for_its_database_and_says_so_once(tmp_path: Path) -> None:
    """The database starts later than the service; then mail is accepted."""
    with Postgres(fsync=False) as server:
        tracker = Tracker(tmp_path, make_conninfo(server.uri(), password="secret-word"))
        assert tracker("migrate").code == 0
        server.stop()
        with subprocess.Popen(
            tracker.command("serve"), stderr=subprocess.PIPE, bufsize=0, env=tracker.environment()
        ) as process:
            try:
                lost, why = logged(process), logged(process)
                time.sleep(1.5)
                assert process.poll() is None
                assert not tracker.socket.exists()
                server.start()
                assert logged(process)["event"] == "database-back"
                while logged(process)["event"] != "ready":
                    pass
                assert stat.S_IMODE(tracker.socket.stat().st_mode) == 0o660
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
    assert lost["event"] == "database-unreachable"
    assert "the database cannot be reached" in str(why["text"])
    assert "secret-word" not in f"{lost}{why}"


def test_serve_ends_when_it_is_told_to_while_it_waits(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, UNREACHABLE)
    with subprocess.Popen(
        tracker.command("serve"), stderr=subprocess.PIPE, bufsize=0, env=tracker.environment()
    ) as process:
        logged(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130


def test_serve_refuses_a_database_that_is_not_migrated(tmp_path: Path, postgres: Postgres) -> None:
    name = f"empty_{uuid.uuid4().hex}"
    tracker = Tracker(tmp_path, postgres.create_database(name))
    try:
        result = tracker("serve")
    finally:
        postgres.drop_database(name)
    assert result.code == 75
    assert "run migrate" in result.complaint


def test_serve_wants_a_directory_for_its_socket(tracker: Tracker) -> None:
    tracker.socket = tracker.socket.parent / "missing" / "milter.sock"
    tracker.use(tracker.database)
    result = tracker("serve")
    assert result.code == 2
    assert "there is no directory" in result.complaint
