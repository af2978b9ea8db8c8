"""Masking of calendar objects and vCards."""

import base64

import pytest
from cost import within
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.part import (
    binary_values,
    calendar,
    content_lines,
    message_body,
)
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.scan import Scanner

REAL = "john@doe.example"
ALIAS = "ff2e6348a53a4d449af92be2a1011328@ct.example.com"
MASK = Masker({REAL: ALIAS})
BACK = Masker({ALIAS: REAL})


def masked(text: str, mask: Masker = MASK) -> str:
    data = text.encode()
    result, label = calendar.mask_calendar(data, "utf-8", mask)
    assert label == "utf-8"
    assert (result is data) == (result == data)
    return result.decode()


def unfolded(text: str) -> str:
    return text.replace("\r\n ", "").replace("\r\n\t", "")


LINES = [
    (f"ORGANIZER:mailto:{REAL}", f"ORGANIZER:mailto:{ALIAS}"),
    (f"ORGANIZER:MAILTO:{REAL.upper()}", f"ORGANIZER:MAILTO:{ALIAS}"),
    (f'ATTENDEE;CN="{REAL}";RSVP=TRUE:mailto:x@y.example', f'CN="{ALIAS}";RSVP=TRUE'),
    (f'ATTENDEE;SENT-BY="mailto:{REAL}":mailto:a@b.example', f'SENT-BY="mailto:{ALIAS}"'),
    (f"EMAIL;TYPE=work:{REAL}", f"EMAIL;TYPE=work:{ALIAS}"),
    (f"X-OWNER:{REAL}", f"X-OWNER:{ALIAS}"),
    (f"DESCRIPTION:Ask\\n{REAL}\\, please", f"DESCRIPTION:Ask\\n{ALIAS}\\, please"),
    ("ATTENDEE:mailto:john%40doe.example", "ATTENDEE:mailto:ff2e6348a53a4d449af92be2a1011328%40ct"),
    ("ATTENDEE:mailto:jo\r\n hn@doe.e\r\n\txample", f"ATTENDEE:mailto:{ALIAS}"),
    ("EMAIL;ENCODING=QUOTED-PRINTABLE:john=40doe.exam=\r\nple", f"QUOTED-PRINTABLE:{ALIAS}"),
    ("NOTE;QUOTED-PRINTABLE;CHARSET=latin1:caf=E9 =6Aohn@doe.example", f"=E9 {ALIAS}"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_an_address_is_masked_wherever_it_stands_in_a_line(line: str, expected: str) -> None:
    result = masked(f"BEGIN:VCARD\r\n{line}\r\nEND:VCARD\r\n")
    assert expected in unfolded(result)
    assert result.startswith("BEGIN:VCARD\r\n")
    assert result.endswith("\r\nEND:VCARD\r\n")
    assert REAL not in unfolded(result).lower()


def test_only_lines_that_change_are_folded_again() -> None:
    odd = "SUMMARY:a\r\n b\r\n\tc" + "x" * 200
    line = f"ATTENDEE;PARTSTAT=NEEDS-ACTION;CN=John:mailto:{REAL}"
    result = masked(f"{odd}\r\n{line}\nEND:VEVENT")
    assert result.startswith(odd + "\r\n")
    changed = result.removeprefix(odd + "\r\n").removesuffix("END:VEVENT")
    assert changed.count("\n ") == 1
    assert "\r" not in changed
    assert all(len(each.encode()) <= 75 for each in changed.split("\n"))


def test_a_fold_keeps_characters_whole() -> None:
    result = masked(f"SUMMARY:{'é' * 60}{'日' * 40} {REAL}\r\n")
    assert all(len(each.encode()) <= 75 for each in result.split("\r\n"))
    assert unfolded(result) == f"SUMMARY:{'é' * 60}{'日' * 40} {ALIAS}\r\n"


def test_an_invitation_can_be_answered() -> None:
    """The recipient's own alias is their address again, also where it was folded."""
    invitation = f"BEGIN:VCALENDAR\r\nATTENDEE;RSVP=TRUE;CN=John Doe:mailto:{REAL}\r\nX:y\r\n"
    sent = masked(invitation)
    assert sent != invitation
    assert masked(sent, BACK) == invitation


SHOWN = [
    "john&#64\\;doe.example",
    "joh&#x6e\\;@doe.example",
    "john&amp\\;#64\\;doe.example",
    "john &#40\\;at&#41\\; doe.example",
    "john (at) doe.example\\, please\\; or call",
    "".join(f"&#{ord(each)}\\;" for each in REAL),
    "https://urldefense.com/v3/__https://c.example/t?e=john*doe.example__\\;QA!!Ab!x$",
    "john\x1b[0\\;31m@doe.example",
]


@pytest.mark.parametrize("fold", [75, 11])
@pytest.mark.parametrize("name", ["X-ALT-DESC;FMTTYPE=text/html", "DESCRIPTION", "ADR:\\;;;x;y"])
@pytest.mark.parametrize("written", SHOWN)
def test_a_semicolon_and_a_comma_are_what_programs_show(written: str, name: str, fold: int) -> None:
    """RFC 5545 section 3.3.11: a reference to a character ends in a semicolon that is escaped."""
    line = f"{name}:Hello \\; {written}\\, Bye"
    folded = "\r\n ".join(line[at : at + fold] for at in range(0, len(line), fold))
    text = f"BEGIN:VCALENDAR\r\n{folded}\r\nEND:VCALENDAR\r\n"
    result = unfolded(masked(text))
    assert written not in result
    assert ALIAS.partition("@")[0] in result
    assert f"\r\n{name}:Hello \\; " in result
    assert "\\, Bye\r\n" in result
    headers = [Header(b"Content-Type", b"text/calendar")]
    assert Scanner({REAL: "a"}).scan(headers, text.encode())
    assert not Scanner({REAL: "a"}).scan(headers, masked(text).encode())


@pytest.mark.parametrize("fold", [75, 11])
@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (f"Doe^n{REAL}", f"Doe^n{ALIAS}"),
        (f"^'Doe^'^N{REAL}^'", f"^'Doe^'^N{ALIAS}^'"),
        ("x^na^^b@doe.example", f"x^n{ALIAS}"),
        ("a^^b@doe.example", ALIAS),
    ],
)
@pytest.mark.parametrize("kind", ["VCALENDAR", "VCARD"])
def test_a_parameter_is_read_without_its_carets(
    written: str, shown: str, kind: str, fold: int
) -> None:
    """RFC 6868: a line end in a name, a quotation mark and a caret are written with one."""
    line = f"ATTENDEE;CN={written}:urn:x:1"
    folded = "\r\n ".join(line[at : at + fold] for at in range(0, len(line), fold))
    text = f"BEGIN:{kind}\r\n{folded}\r\nSUMMARY:a^nb\r\nEND:{kind}\r\n"
    result = masked(text, Masker({REAL: ALIAS, "a^b@doe.example": ALIAS}))
    assert f"ATTENDEE;CN={shown}:urn:x:1" in unfolded(result)
    assert "\r\nSUMMARY:a^nb\r\n" in result
    headers = [Header(b"Content-Type", b"text/calendar")]
    scanner = Scanner({REAL: "a", "a^b@doe.example": "b"})
    assert scanner.scan(headers, text.encode())
    assert not scanner.scan(headers, result.encode())


@given(st.text(alphabet="\\;,n:a\ufdd0\ufdd1 "))
def test_a_line_that_nothing_changes_is_the_same_object(line: str) -> None:
    assert content_lines.change_shown(line, lambda text: text) is line
    assert content_lines.change_shown(line, lambda text: f"{text}a") in (line, f"{line}a")


@pytest.mark.parametrize("media", sorted(calendar.TYPES))
def test_the_types_are_in_the_table(media: str) -> None:
    data = base64.encodebytes(b"EMAIL:jo\r\n hn@doe.example\r\n")
    headers = [(b"Content-Type", media.encode()), (b"Content-Transfer-Encoding", b"base64")]
    result = message_body.mask_body(message_body.read_structure(headers, data), data, MASK)
    assert unfolded(base64.b64decode(result).decode()) == f"EMAIL:{ALIAS}\r\n"


def test_a_card_without_a_type_of_its_own_is_recognised() -> None:
    data = b"BEGIN:VCARD\r\nEMAIL:jo\r\n hn@doe.example\r\n"
    part = message_body.read_structure([(b"Content-Type", b"application/octet-stream")], data)
    result = message_body.mask_body(part, data, MASK, people=message_body.People([REAL]))
    assert ALIAS.encode() in result
    assert message_body.mask_body(part, data, MASK) is data


def test_values_in_base64_are_given_decoded() -> None:
    key = base64.b64encode(b"key of john").decode()
    card = (
        f"BEGIN:VCARD\r\nKEY;ENCODING=b;TYPE=pgp:{key[:8]}\r\n {key[8:]}\r\n"
        f"PHOTO;VALUE=URI:data:image/png;base64,{key}\r\nSOUND;BASE64:\r\n  {key}\r\n\r\nEND:VCARD"
    )
    assert list(binary_values.decode_values(card.encode())) == [b"key of john"] * 3


@given(st.text(st.sampled_from('ab:;= \t\r\n"é@.,-'), max_size=200), st.integers(0, 15))
def test_any_text_keeps_its_other_lines(text: str, at: int) -> None:
    line = f"X:mailto:{REAL[:at]}\r\n {REAL[at:]}"
    before = text.encode() + b"\r\n"
    result, _ = calendar.mask_calendar(before + line.encode() + b"\r\nEND:X\r\n", "utf-8", MASK)
    assert result.endswith(b"\r\nEND:X\r\n")
    if not text.endswith("="):
        assert result.startswith(before)
        assert ALIAS in unfolded(result.decode())


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing(data: bytes) -> None:
    assert calendar.mask_calendar(data, "", Masker({}))[0] is data
    list(binary_values.decode_values(b"KEY;ENCODING=b:" + data))
    calendar.mask_calendar(data + REAL.encode(), "", MASK)


@pytest.mark.parametrize(
    "data",
    [
        b"X:" + b"a" * 1_000_000 + b" john@doe.example\r\n",
        b"X;QUOTED-PRINTABLE:" + b"=\r\n" * 300_000 + b"john@doe.example",
        b"X:john@doe.example" + b"\r\n " * 300_000,
        b";" * 1_000_000 + b"john@doe.example",
        b"A;ENCODING=b:" * 80_000 + b"john@doe.example",
        b"\n;" * 400_000 + b"john@doe.example",
        "é".encode() * 500_000 + b" john@doe.example",
    ],
)
def test_long_lines_take_bounded_time(data: bytes) -> None:
    result, _ = within(5, lambda: calendar.mask_calendar(data, "", MASK))
    within(5, lambda: list(binary_values.decode_values(data)))
    assert ALIAS.encode() in result.replace(b"\r\n ", b"")
