"""Invitations through the tracker: asked, answered, called off, as three programs write them.

Each step is decided by the real filter and recorded; what the organiser's program must know again
is compared with what it sent, octet for octet.
"""

import base64
import email
import quopri
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.message import Arrival, Message, parse, render
from conversation_tracker.core.views.copies import apply_edits
from conversation_tracker.database.repository import Database
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.transaction import Transaction

if TYPE_CHECKING:
    from tests.database.conftest import Shop

JOHN, DESK, DISPATCH = "john@doe.example", "desk@carrier.example", "dispatch@carrier.example"
JANE, NEW = "jane@friends.example", "new@elsewhere.example"
UID = "2f1c@carrier.example"


class Post:
    """One order with John as buyer and a carrier's desk, and the tracker that takes its mail."""

    def __init__(self, shop: "Shop", database: Database) -> None:
        shop.set(hourly_limit=1_000)
        directory = database.directory()
        self.tracker = Filter(database, lambda: directory)
        self.shop, self.number = shop, 0
        self.john = shop.mask(JOHN)
        self.desk = shop.mask(DESK, role="partner")

    def alias(self, address: str) -> str:
        """Return the hard alias of somebody who joined."""
        token = self.shop.one(
            "SELECT p.token FROM tracker.participants AS p WHERE p.order_id = %s"
            " AND lower(p.address) = %s",
            self.shop.order()["id"],
            address,
        )
        return f"{token.hex}@{self.shop.alias_domain}"

    def send(self, author: str, to: str, content: str) -> bytes:
        """Hand a message to one alias in, and return what the one behind it gets."""
        self.number += 1
        transaction = Transaction()
        assert self.tracker.accept_recipient(transaction, f"<{to}>".encode()) is None
        fields = f"From: {author}\nTo: {to}\nSubject: {self.number}\nMIME-Version: 1.0\n"
        headers, body = parse((fields + content).encode())
        recipients = tuple(transaction.recipients)
        sender = Address.parse(author)
        message = Message(sender, recipients, headers, body, Arrival(f"Q{self.number}"))
        plan = self.tracker.decide(transaction, message).plan
        assert plan.reply is None, plan.reply
        left, content = apply_edits(message, plan.edits)
        return bytes(render(tuple(left), content)[:])


@pytest.fixture
def post(shop: "Shop") -> Iterator[Post]:
    database = Database(shop.uri)
    database.open()
    yield Post(shop, database)
    database.close()


def google(method: str, lines: str) -> str:
    """Write it as Google Calendar: an alternative in 7bit, and the same attached in base64."""
    text = calendar(method, lines, "-//Google Inc//Google Calendar 70.9054//EN")
    code = base64.encodebytes(text.encode()).decode()
    return (
        'Content-Type: multipart/mixed; boundary="000000000000a1"\n\n'
        '--000000000000a1\nContent-Type: multipart/alternative; boundary="000000000000a0"\n\n'
        '--000000000000a0\nContent-Type: text/plain; charset="UTF-8"; format=flowed; delsp=yes\n'
        "Content-Transfer-Encoding: base64\n\nSGVsbG8K\n"
        f'--000000000000a0\nContent-Type: text/calendar; charset="UTF-8"; method={method}\n'
        f"Content-Transfer-Encoding: 7bit\n\n{text}\n--000000000000a0--\n"
        '--000000000000a1\nContent-Type: application/ics; name="invite.ics"\n'
        'Content-Disposition: attachment; filename="invite.ics"\n'
        f"Content-Transfer-Encoding: base64\n\n{code}--000000000000a1--\n"
    )


def outlook(method: str, lines: str) -> str:
    """Write it as Exchange: the calendar in base64, its names in capitals, values unquoted."""
    lines = lines.replace("mailto:", "MAILTO:")
    text = calendar(method, lines, "Microsoft Exchange Server 2010")
    code = base64.encodebytes(text.encode()).decode()
    return (
        'Content-Type: multipart/alternative;\n\tboundary="_000_AM0PR_"\n\n'
        '--_000_AM0PR_\nContent-Type: text/plain; charset="iso-8859-1"\n'
        "Content-Transfer-Encoding: quoted-printable\n\nHello=\n\n\n"
        f'--_000_AM0PR_\nContent-Type: text/calendar; charset="utf-8"; method={method}\n'
        f"Content-Transfer-Encoding: base64\n\n{code}--_000_AM0PR_--\n"
    )


def apple(method: str, lines: str) -> str:
    """Write it as Apple Calendar: one part in quoted-printable, folded at 75 octets."""
    text = calendar(method, lines, "-//Apple Inc.//macOS 14.2//EN")
    code = quopri.encodestring(text.replace("\r\n", "\n").encode()).decode()
    return (
        f"Content-Type: text/calendar;\n\tname=iCal.ics;\n\tmethod={method};\n\tcharset=utf-8\n"
        f"Content-Disposition: inline; filename=iCal.ics\n"
        f"Content-Transfer-Encoding: quoted-printable\n\n{code}"
    )


PROGRAMS = [google, outlook, apple]


def calendar(method: str, lines: str, product: str) -> str:
    """Write a calendar object with one event, folded as all programs fold."""
    whole = (
        f"BEGIN:VCALENDAR\nPRODID:{product}\nVERSION:2.0\nCALSCALE:GREGORIAN\nMETHOD:{method}\n"
        f"BEGIN:VEVENT\nDTSTART:20260110T100000Z\nDTSTAMP:20260105T100000Z\n{lines}\n"
        "SEQUENCE:3\nSTATUS:CONFIRMED\nSUMMARY:Übergabe\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    folded = (re.sub(r"(.{70})(?=.)", "\\1\n ", line) for line in whole.splitlines())
    return "".join(line.replace("\n", "\r\n") + "\r\n" for line in folded)


def read(raw: bytes) -> dict[str, list[str]]:
    """Read the calendar in a message, whose copies must agree: values and whole lines by name."""
    found = []
    for part in email.message_from_bytes(raw).walk():
        if part.get_content_type() in ("text/calendar", "application/ics"):
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            found.append(re.sub(rb"\r?\n[ \t]", b"", data).decode().splitlines())
    assert found
    assert all(each == found[0] for each in found)
    values: dict[str, list[str]] = {}
    for line in found[0]:
        name = re.split("[;:]", line)[0].upper()
        values.setdefault(f"whole {name}", []).append(line)
        values.setdefault(name, []).append(_VALUE.sub("", line))
    return values


_VALUE = re.compile(r'[A-Z-]+(?:;(?:[^":;]|"[^"]*")*)*:')


def who(values: list[str]) -> list[str]:
    """Return addresses without the scheme, in lower case."""
    return [re.sub("(?i)mailto:", "", value).lower() for value in values]


REQUEST = (
    f"UID:{UID}\nORGANIZER;CN=Dispatcher:mailto:{DISPATCH}\n"
    'ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN="John, D"'
    f":mailto:{{john}}\nATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Jane:mailto:{JANE}"
)


@pytest.mark.parametrize("answers", PROGRAMS)
@pytest.mark.parametrize("asks", PROGRAMS)
@pytest.mark.parametrize("status", ["ACCEPTED", "DECLINED", "TENTATIVE"])
def test_an_invitation_is_answered_through_the_tracker(
    post: Post, asks, answers, status: str
) -> None:
    """The organiser's program knows their own identifier and the attendee as it named them."""
    got = read(post.send(DESK, post.john, asks("REQUEST", REQUEST.format(john=post.john))))
    jane, dispatch = post.alias(JANE), post.alias(DISPATCH)
    assert who(got["ATTENDEE"]) == [JOHN, jane]
    assert who(got["ORGANIZER"]) == [dispatch]
    assert got["UID"] != [UID]
    assert got["SEQUENCE"] == ["3"]
    answer = (
        f"UID:{got['UID'][0]}\nORGANIZER;CN=Dispatcher:mailto:{dispatch}\n"
        f"ATTENDEE;PARTSTAT={status};CN={JOHN};X-NUM-GUESTS=0:mailto:{JOHN}"
    )
    back = read(post.send(JOHN, dispatch, answers("REPLY", answer)))
    assert back["UID"] == [UID]
    assert who(back["ATTENDEE"]) == [post.john]
    assert f"PARTSTAT={status}" in back["whole ATTENDEE"][0]
    assert JOHN not in str(back)
    assert who(back["ORGANIZER"]) == [DISPATCH]
    assert back["SEQUENCE"] == ["3"]
    # The one beside them in their domain, who sent it, knows it as well.
    assert read(post.send(JOHN, post.desk, answers("REPLY", answer)))["UID"] == [UID]


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_is_called_off_and_asked_anew_under_the_same_identifier(post: Post, program) -> None:
    request = REQUEST.format(john=post.john)
    methods = ("REQUEST", "ADD", "DECLINECOUNTER", "CANCEL")
    got = [read(post.send(DISPATCH, post.john, program(each, request))) for each in methods]
    assert len({each["UID"][0] for each in got}) == 1
    assert [each["METHOD"] for each in got] == [[each] for each in methods]
    jane = post.alias(JANE)
    # Whoever else is asked knows it by the same name.
    assert read(post.send(DISPATCH, jane, program("REQUEST", request)))["UID"] == got[0]["UID"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_buyer_makes_another_proposal(post: Post, program) -> None:
    got = read(post.send(DESK, post.john, program("REQUEST", REQUEST.format(john=post.john))))
    dispatch = post.alias(DISPATCH)
    for method in ("COUNTER", "REFRESH"):
        proposal = (
            f"UID:{got['UID'][0]}\nRECURRENCE-ID:20260110T100000Z\nORGANIZER:mailto:{dispatch}\n"
            f"ATTENDEE;PARTSTAT=TENTATIVE:mailto:{JOHN}\nCOMMENT:Later?"
        )
        back = read(post.send(JOHN, dispatch, program(method, proposal)))
        assert (back["UID"], who(back["ATTENDEE"])) == ([UID], [post.john])
        assert back["RECURRENCE-ID"] == ["20260110T100000Z"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_buyer_delegates_to_somebody_new(post: Post, program) -> None:
    """RFC 5546 section 3.2.2.3: whoever is to come instead joins, and answers as a guest."""
    got = read(post.send(DESK, post.john, program("REQUEST", REQUEST.format(john=post.john))))
    dispatch, uid = post.alias(DISPATCH), got["UID"][0]
    told = (
        f"UID:{uid}\nORGANIZER:mailto:{dispatch}\n"
        f'ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO="mailto:{NEW}":mailto:{JOHN}\n'
        f'ATTENDEE;PARTSTAT=NEEDS-ACTION;DELEGATED-FROM="mailto:{JOHN}":mailto:{NEW}'
    )
    back = read(post.send(JOHN, dispatch, program("REPLY", told)))
    new = post.alias(NEW)
    assert who(back["ATTENDEE"]) == [post.john, new]
    assert f'DELEGATED-TO="mailto:{new}"' in back["whole ATTENDEE"][0].replace("MAILTO", "mailto")
    assert f'DELEGATED-FROM="mailto:{post.john}"' in back["whole ATTENDEE"][1].replace(
        "MAILTO", "mailto"
    )
    answer = f"UID:{uid}\nORGANIZER:mailto:{dispatch}\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{NEW}"
    last = read(post.send(NEW, dispatch, program("REPLY", answer)))
    assert (last["UID"], who(last["ATTENDEE"])) == ([UID], [new])


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("own", ["abc@doe.example", f"{JOHN}/1", "abc@elsewhere.example"])
def test_the_buyer_asks_and_the_carrier_answers(post: Post, program, own: str) -> None:
    request = (
        f"UID:{own}\nORGANIZER;CN=John;EMAIL={JOHN}:mailto:{JOHN}\n"
        f"ATTENDEE;RSVP=TRUE:mailto:{post.desk}"
    )
    got = read(post.send(JOHN, post.desk, program("REQUEST", request)))
    assert JOHN not in str(got)
    assert (got["UID"] == [own]) is own.endswith("elsewhere.example")
    assert (who(got["ORGANIZER"]), who(got["ATTENDEE"])) == ([post.john], [DESK])
    answer = (
        f"UID:{got['UID'][0]}\nORGANIZER;CN=John:mailto:{post.john}\n"
        f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{DESK}"
    )
    back = read(post.send(DESK, post.john, program("REPLY", answer)))
    assert back["UID"] == [own]
    assert (who(back["ORGANIZER"]), who(back["ATTENDEE"])) == ([JOHN], [post.desk])


def test_many_identifiers_of_an_order_are_looked_up(post: Post) -> None:
    """Of more than fifty, none is read with the order."""
    for number in range(60):
        lines = (
            f"UID:{number}@carrier.example\nORGANIZER:mailto:{DESK}\nATTENDEE:mailto:{post.john}"
        )
        got = read(post.send(DESK, post.john, apple("REQUEST", lines)))
    uid = got["UID"][0]
    answer = f"UID:{uid}\nORGANIZER:mailto:{post.desk}\nATTENDEE:mailto:{JOHN}"
    assert read(post.send(JOHN, post.desk, apple("REPLY", answer)))["UID"] == ["59@carrier.example"]


def test_an_identifier_that_no_database_keeps_is_not_looked_up(post: Post) -> None:
    """Neither is the message refused for it: the server takes no NUL in a text."""
    for number in range(60):
        lines = f"UID:{number}@carrier.example\nORGANIZER:mailto:{DESK}"
        post.send(DESK, post.john, apple("REQUEST", lines))
    text = calendar("REQUEST", f"UID:a\0b@{post.shop.alias_domain}", "x")
    code = base64.encodebytes(text.encode()).decode()
    got = post.send(
        DESK,
        post.john,
        f"Content-Type: text/calendar; method=REQUEST\nContent-Transfer-Encoding: base64\n\n{code}",
    )
    assert DESK.encode() not in got


def test_what_is_recorded_names_nobody_and_erasing_takes_the_identifiers(post: Post) -> None:
    post.send(
        JOHN, post.desk, google("REQUEST", f"UID:{JOHN}-7\nORGANIZER:mailto:{JOHN}\nATTENDEE:x")
    )
    query = "SELECT count(*) FROM tracker.message_ids WHERE order_id = %s"
    order = post.shop.order()["id"]
    raw = post.shop.one("SELECT raw FROM tracker.messages WHERE order_id = %s", order)
    assert b"doe.example" not in bytes(raw)
    assert post.shop.one(query, order) == 1
    post.shop.one("SELECT tracker.erase(%s)", JOHN)
    assert post.shop.one(query, order) == 0
