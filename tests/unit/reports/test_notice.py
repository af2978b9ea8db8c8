"""Our own delivery status notification: well-formed, 7-bit, and nothing but what it was given."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.headerregistry import Address as Shown
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.message import Message, render
from conversation_tracker.core.reports.notice import Notice, write_notice
from conversation_tracker.core.reports.report import Report, read_report

ALIAS = "ff2e6348a53a4d449af92be2a1011328@ct.example.com"
TOKEN = "0123456789abcdef0123456789abcdef"
GIVEN: dict[str, Any] = {
    "alias": ALIAS,
    "to": "orders@example.org",
    "reporter": "mx.example.com",
    "domain": "ct.example.com",
    "status": "5.1.1",
    "diagnostic": f"550 5.1.1 <{ALIAS}>: User unknown",
    "subject": "Your order 42",
    "message_id": "<42@example.org>",
    "arrived": datetime(2024, 2, 29, 23, 59, 1, tzinfo=UTC),
    "now": datetime(2024, 3, 1, 0, 0, 2, tzinfo=UTC),
    "token": TOKEN,
}


def written(**changes: Any) -> Notice:
    return write_notice(**(GIVEN | changes))


def parsed(notice: Notice) -> EmailMessage:
    """Read a notice with another parser than ours."""
    raw = render(notice.headers, notice.body)
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def parts(notice: Notice) -> list[Any]:
    return list(parsed(notice).iter_parts())


def blocks(notice: Notice) -> list[Any]:
    """Return the blocks of fields of the delivery-status part."""
    payload = parts(notice)[1].get_payload()
    assert isinstance(payload, list)
    return payload


def test_the_header_fields() -> None:
    """Who writes, to whom, about what, and that no person wrote it."""
    message = parsed(written())
    assert {name: str(value) for name, value in message.items()} == {
        "From": "Mail Delivery System <mailer-daemon@ct.example.com>",
        "To": "orders@example.org",
        "Subject": "Undelivered Mail Returned to Sender",
        "Date": "Fri, 01 Mar 2024 00:00:02 +0000",
        "Message-ID": f"<{TOKEN}@ct.example.com>",
        "Auto-Submitted": "auto-replied",
        "In-Reply-To": "<42@example.org>",
        "References": "<42@example.org>",
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/report; report-type="delivery-status"; boundary="=_{TOKEN}"',
    }
    assert message.defects == []


def test_the_parts_are_those_of_a_report() -> None:
    """RFC 6522 section 3: for people, for programs, and the header of the message."""
    found = parts(written())
    types = ["text/plain", "message/delivery-status", "text/rfc822-headers"]
    assert [part.get_content_type() for part in found] == types
    assert [part.defects for part in found] == [[], [], []]


def test_the_delivery_status() -> None:
    """RFC 3464: the fields about the message, then those about the one recipient."""
    message, recipient, *rest = blocks(written())
    assert message.items() == [
        ("Reporting-MTA", "dns; mx.example.com"),
        ("Arrival-Date", "Thu, 29 Feb 2024 23:59:01 +0000"),
    ]
    assert recipient.items() == [
        ("Original-Recipient", f"rfc822; {ALIAS}"),
        ("Final-Recipient", f"rfc822; {ALIAS}"),
        ("Action", "failed"),
        ("Status", "5.1.1"),
        ("Diagnostic-Code", f"smtp; 550 5.1.1 <{ALIAS}>: User unknown"),
    ]
    assert [block.items() for block in rest] in ([], [[]])


def test_the_text() -> None:
    """In plain English: the alias, the subject, and what the remote said."""
    assert parts(written())[0].get_content().splitlines() == [
        "Your message could not be delivered to this recipient:",
        "",
        f"    {ALIAS}",
        "",
        "Its subject was:",
        "",
        "    Your order 42",
        "",
        "The recipient's mail system said:",
        "",
        f"    550 5.1.1 <{ALIAS}>: User",
        "    unknown",
        "",
        "It will not be tried again. The message itself is not attached.",
    ]


def test_the_returned_header() -> None:
    """Message-ID and subject, and nothing else of the message."""
    lines = ["Message-ID: <42@example.org>", "Subject: Your order 42"]
    assert parts(written())[2].get_content().strip().splitlines() == lines


@pytest.mark.parametrize(
    ("name", "value", "gone"),
    [
        ("message_id", "", ("Message-ID: <42", "In-Reply-To", "References")),
        ("message_id", "<42@example.org> <43@example.org>", ("43@", "In-Reply-To", "References")),
        ("diagnostic", "", ("Diagnostic-Code", "mail system said")),
        ("subject", "", ("Its subject was",)),
    ],
)
def test_what_is_unknown_is_left_out(name: str, value: str, gone: tuple[str, ...]) -> None:
    """Rather than told as empty."""
    notice = written(**{name: value})
    raw = render(notice.headers, notice.body).decode("ascii")
    assert [text for text in gone if text in raw] == []
    assert len(parts(notice)) == 3


@pytest.mark.parametrize("status", ["", "2.0.0", "5.1", "5.1.1\r\nAction: delivered", "x"])
def test_a_status_that_is_no_failure_is_unknown(status: str) -> None:
    """RFC 3464 section 2.3.4 wants one."""
    assert blocks(written(status=status))[1]["Status"] == "5.0.0"


@pytest.mark.parametrize(
    "subject",
    [
        "Größe 42",
        "注文" * 100,
        "=?utf-8?q?not_encoded?=",
        "long " * 150 + "end",
        "x" * 1000,
        "dot\u2028dot",
    ],
)
def test_any_subject_is_told(subject: str) -> None:
    """RFC 2047 in the header, its own charset in the text."""
    notice = written(subject=subject)
    text, _, header = parts(notice)
    told = message_from_bytes(header.get_payload(decode=True), policy=policy.default)["Subject"]
    wanted = "".join(subject.split())
    assert "".join(str(told).split()) == wanted
    assert wanted in "".join(text.get_content().split())


def test_other_characters_of_a_diagnostic_are_told() -> None:
    """As they are to people, by their numbers to programs (RFC 6533 section 3)."""
    notice = written(diagnostic="550 für niemand")
    assert "550 für niemand" in parts(notice)[0].get_content()
    assert blocks(notice)[1]["Diagnostic-Code"] == r"smtp; 550 f\x{FC}r niemand"


def test_an_international_return_path_is_named_in_seven_bits() -> None:
    """An empty group bears it as its name (RFC 6857 section 3.1.8)."""
    to = parsed(written(to="josé@example.org"))["To"]
    assert (to.groups[0].display_name, to.groups[0].addresses) == ("josé@example.org", ())


def test_a_quoted_return_path_is_named() -> None:
    """With its quotes."""
    to = parsed(written(to='"john doe"@example.org'))["To"]
    assert to.addresses == (Shown(username="john doe", domain="example.org"),)


def test_it_is_the_same_for_the_same_arguments() -> None:
    """Nothing in it comes from a clock or from chance."""
    assert written() == written()


def test_we_read_our_own_notice() -> None:
    """As the failure it tells of."""
    notice = written()
    message = Message(None, (), notice.headers, notice.body, null=True)
    expected = Report("failed", "5.1.1", GIVEN["diagnostic"], (Address.parse(ALIAS),))
    assert read_report(message) == expected


NASTY = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="\r\n\0\x0b\x85\u2028 \t:-=_?<>@ab\u00fc\ud800", max_size=60),
    st.sampled_from(
        [
            f"\r\n--=_{TOKEN}\r\n\r\nx",
            f"--=_{TOKEN}--",
            "\nBcc: x@example.net",
            "x\r\n\r\nx",
            "a" * 5000,
            "\u00fc" * 5000,
            "a@" * 900,
        ]
    ),
)
TEXTS = st.fixed_dictionaries({name: NASTY for name in GIVEN if name not in ("arrived", "now")})
TIMES = st.datetimes(timezones=st.just(UTC))


@given(TEXTS, TIMES, TIMES)
def test_no_argument_breaks_out(texts: dict[str, str], arrived: datetime, now: datetime) -> None:
    """Whatever the arguments: the same fields, three parts, 7 bits, short lines, no stray end."""
    notice = write_notice(**texts, arrived=arrived, now=now)
    raw = render(notice.headers, notice.body)
    assert re.fullmatch(rb"(?:[\x20-\x7e\t]{0,998}\r\n)*", raw)
    wanted = {b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted"} | {
        *(b"In-Reply-To", b"References", b"MIME-Version", b"Content-Type"),
    }
    names = [header.name for header in notice.headers]
    assert len(set(names)) == len(names)
    assert set(names) <= wanted
    for header in notice.headers:
        assert re.fullmatch(rb"[ -~]*(?:\n [ -~]*[!-~][ -~]*)*", header.value)
    delimiter = re.search(rb'boundary="(.*?)"', notice.headers[-1].value)
    assert delimiter is not None
    lines = notice.body.split(b"\r\n")
    assert [line for line in lines if line.startswith(b"--" + delimiter[1])] == [
        *([b"--" + delimiter[1]] * 3),
        b"--" + delimiter[1] + b"--",
    ]


@given(TEXTS)
def test_fields_of_the_parts_stay_ours(texts: dict[str, str]) -> None:
    """No argument adds a field to the delivery status, or to the returned header."""
    notice = write_notice(**texts, arrived=GIVEN["arrived"], now=GIVEN["now"])
    _, status, header = re.split(rb"(?m)^--=_[0-9A-Za-z]*\r\n", notice.body)[1:]
    known = rb"Content-Description|Content-Type|Reporting-MTA|Arrival-Date|Original-Recipient"
    known += rb"|Final-Recipient|Action|Status|Diagnostic-Code|Message-ID|Subject"
    for line in (status + header.partition(b"\r\n--=_")[0]).split(b"\r\n"):
        assert not line or line.startswith(b" ") or re.match(rb"(?:" + known + rb"):", line)
    assert status.count(b"\r\nAction: failed\r\n") == status.count(b"\nAction:") == 1
    assert header.count(b"\nSubject:") == 1
