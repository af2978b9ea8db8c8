"""What is hard to read and can be masked all the same: nothing of it is refused.

Each row is a body with an address in it; of all of them the copy and the record hold none in any
reading, and the rest is still there.
"""

import base64
import binascii
import email
import html
import re
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from urllib.parse import quote

import pytest
from builders import CARRIER, SHOP, A, applied, mail, order, person

from conversation_tracker.core.model.message import parse, render
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.scanning.scan import Scanner

JOHN, INTERNATIONAL = "john.doe@home.example", "jo@xn--bcher-kva.example"
KEYS = {JOHN: "b" * 32, INTERNATIONAL: "c" * 32}
PEOPLE = order(
    person(JOHN, "buyer", "b" * 32), person(INTERNATIONAL, "partner", "c" * 32), SHOP, CARRIER
)
PICTURE = b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(1, 255)) * 2


def wrapped(data: bytes) -> str:
    """Write data in base64, in lines."""
    return "\n".join(re.findall(".{1,76}", base64.b64encode(data).decode()))


def folded(data: bytes) -> str:
    """Write data in base64, in the lines of a calendar."""
    return wrapped(data).replace("\n", "\n ")


def picture(before: bytes, behind: bytes) -> bytes:
    """Make octets with an address among them, and these right beside it."""
    return PICTURE + before + JOHN.encode() + behind + PICTURE


def calendar(lines: str) -> str:
    """Put lines into an event."""
    return f"BEGIN:VCALENDAR\nBEGIN:VEVENT\n{lines}\nSUMMARY:Hello\nEND:VEVENT\nEND:VCALENDAR\n"


def typed(type: str, body: str | bytes) -> bytes:
    """Make a message."""
    raw = body.encode() if isinstance(body, str) else body
    code = "base64" if isinstance(body, bytes) else "8bit"
    data = base64.encodebytes(raw) if isinstance(body, bytes) else raw
    head = f"From: {JOHN}\nContent-Type: {type}\nContent-Transfer-Encoding: {code}\n\n"
    return head.encode() + data


BESIDE = [
    (b"\xe9", b"9"),
    (b" ", b"Z"),
    (b"\xc3\xa9", b"\1"),
    (b"\x81\x15", b"z"),
    (b"\x16\x15", b"\xe9"),
    (b"\xd7", b"\xd7"),
]
LINES: dict[str, Callable[[bytes], str]] = {
    "a block": lambda data: f"Hello\n{wrapped(data)}\nBye\n",
    "a token": lambda data: f"Hello {base64.b64encode(data).decode()} Bye\n",
    "a picture": lambda data: (
        f'Hello <img src="data:image/png;base64,{base64.b64encode(data).decode()}"> Bye\n'
    ),
    "digits": lambda data: f"Hello {data.hex()} Bye\n",
}
WORDS = [
    "=?utf-8?q?jo=40b=C3=BCcher.example?=",
    "=?utf-8?b?am9AYsO8Y2hlci5leGFtcGxl?=",
    "=?iso-8859-1?q?jo=40b=FCcher=2Eexample?=",
    "=?utf-8?q?jo=40b=C3?=\n =?utf-8?q?=BCcher.example?=",
    "jo=?utf-8?q?=40b=C3=BCcher.example?=",
    "=?utf-16?b?//5qAG8AQABiAPwAYwBoAGUAcgAuAGUAeABhAG0AcABsAGUA?=",
    "=?utf-8?q?john=2Edoe_=28at=29_home=2Eexample?=",
    "=?utf-7?q?john=2Edoe+AEA-home.example?=",
]
FOLDED = [
    "DESCRIPTION:write to john.doe@=\n home.example now",
    "DESCRIPTION:write to john.doe@=\nhome.example now",
    "DESCRIPTION:write to john.d=\n oe@home.\n example now",
    'X-NOTE;X-A="john.doe@=\n home.example":now',
]


def packet(tag: int, data: bytes) -> bytes:
    """Write a packet of OpenPGP (RFC 9580 section 4.2)."""
    return bytes((0xC0 | tag, 0xFF)) + len(data).to_bytes(4, "big") + data


def packed(method: int, data: bytes) -> str:
    """Write text as OpenPGP does that only packs it."""
    literal = packet(11, b"t\0\0\0\0\0" + data)
    code = {1: zlib.compress(literal)[2:-4], 2: zlib.compress(literal)}[method]
    armour = wrapped(packet(8, bytes((method,)) + code))
    return f"-----BEGIN PGP MESSAGE-----\n\n{armour}\n=abcd\n-----END PGP MESSAGE-----\n"


PACKED = {
    "packed": packed(1, f"Write to {JOHN}, please, by day and by night, at any time".encode()),
    "packed with zlib": packed(2, f"Write to {JOHN} or to {SHOP} at any time of the day".encode()),
}


def uuencoded(data: bytes, name: str = "page.txt") -> str:
    """Write data as uuencode does."""
    lines = (binascii.b2a_uu(data[at : at + 45]).decode() for at in range(0, len(data), 45))
    return f"begin 644 {name}\n{''.join(lines)}`\nend\n"


def quoted(text: str, marks: str = "> ") -> str:
    """Put marks before each line."""
    return "".join(f"{marks}{line}\n" for line in text.splitlines())


def zipped(text: str) -> bytes:
    """Make an archive with a text."""
    data = BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", text)
    return data.getvalue()


def defended(link: str) -> str:
    """Write a link as version 2 of URL Defense does."""
    code = quote(link, safe="").replace("_", "%5F").replace("%2F", "_").replace("-", "-2D")
    return f"https://urldefense.proofpoint.com/v2/url?u={code.replace('%', '-')}&d=x"


LINK = "https://c.example/t?e=john.doe%40home.example&x=1"
PAGE = f"Hello, please write to {JOHN} by day or by night.\n" * 2
BASED = f"begin-base64 644 page.txt\n{wrapped(PAGE.encode())}\n====\n"
FILES = {
    "uuencoded": uuencoded(PAGE.encode()),
    "uuencoded, quoted": quoted(uuencoded(PAGE.encode())),
    "uuencoded, quoted twice": quoted(quoted(uuencoded(PAGE.encode()))),
    "uuencoded, with other marks": quoted(uuencoded(PAGE.encode()), "| "),
    "uuencoded, two": uuencoded(b"Hello") + "and\n" + uuencoded(PAGE.encode()),
    "uuencoded, without an end": uuencoded(PAGE.encode()).removesuffix("`\nend\n"),
    "uuencoded, without blanks": "\n".join(
        line.rstrip() for line in uuencoded(PAGE.encode() + b"\0\0").splitlines()
    ),
    "uuencoded, UTF-16": uuencoded(PAGE.encode("utf-16")),
    "uuencoded, escaped": uuencoded(b"Hello john.doe&#64;home.example and Bye"),
    "uuencoded, zip": uuencoded(zipped(PAGE * 9), "a.zip"),
    "uuencoded, binary": uuencoded(picture(b"\0", b"\0"), "a.jpg"),
    "base64 with its name": BASED,
    "base64 with its name, quoted": quoted(BASED),
}
LETTER = (
    "From: x@y.example\nSubject: =?utf-8?b?am9obi5kb2VAaG9tZS5leGFtcGxl?=\n\n"
    "Hello, please write to john.doe&#64;home.example\n"
)
PASTED = (
    "From: a@b.example\nSubject: Hello\nContent-Type: message/rfc822\n"
    f"Content-Transfer-Encoding: base64\n\n{wrapped(LETTER.encode())}\n"
)
RARE = {
    "Korean": ("application/octet-stream", f"안녕 Hello {JOHN}".encode("iso2022_kr")),
    "a name without its end": ("text/html", "Hello john.doe&commathome.example"),
    "encapsulated": ("text/plain", "Hello IMCEASMTP-john+2Edoe+40home+2Eexample@x.example"),
    "a gateway in a gateway": ("text/plain", f"Hello {defended(defended(LINK))}"),
    "lines joined": ("text/plain; delsp=yes", "Hello jo \nhn.doe@home.exa \nmple"),
    "broken and escaped": ("text/plain", "Hello john.doe=\n=40home.example"),
    "broken in quoted text": ("text/plain", "Hello\n> john.doe=40home.exam=\n> ple"),
    "broken, with blanks": ("text/calendar", calendar("DESCRIPTION:john.doe@=  \nhome.example")),
    "conditional": ("text/html", "Hello john.doe<![if !x]>@<![endif]>home.example"),
    "not shown": ("text/html", 'Hello john.doe<b style="display: none">x</b>@home.example'),
    "words in lines": (
        "text/plain",
        "Hello\n> =?utf-8?B?am9obi5kb2VA?=\n>  =?utf-8?B?aG9tZS5leGFtcGxl?=",
    ),
    "a letter in base64": ("application/mbox", PASTED),
    "UTF-16 in base64": (
        "text/rfc822-headers",
        f"Subject: Hello\n\n{wrapped(PAGE.encode('utf-16'))}\n",
    ),
    "base64 in a report": ("message/http", PASTED),
}
MESSAGES = {
    **{name: typed(type, body) for name, (type, body) in RARE.items()},
    **{
        f"{name}, {before!r} and {behind!r}": typed(type, write(picture(before, behind)))
        for name, write in LINES.items()
        for before, behind in BESIDE
        for type in ("text/plain; charset=utf-8", "text/html; charset=utf-8")
        if type.startswith("text/html") == (name == "a picture")
    },
    **{
        f"{word} in {type}": typed(f"{type}; charset=utf-8", f"Hello\n> From: {word}\nBye\n")
        for word in WORDS
        for type in ("text/plain", "text/html", "message/delivery-status", "text/x-log")
    },
    **{
        f"{name} in {type}": typed(type, f"Hello\n{block}\nBye\n")
        for name, block in {**PACKED, **FILES}.items()
        for type in ("text/plain", "text/html", "text/x-log")
    },
    **{
        f"{lines} in {type}": typed(type, calendar(lines))
        for lines in FOLDED
        for type in ("text/calendar; method=REQUEST", "text/vcard", "application/octet-stream")
    },
    **{
        f"{head} of {len(data)} in {type}": typed(type, calendar(f"{head}\n {folded(data)}"))
        for head in (
            "ATTACH;FMTTYPE=image/jpeg;ENCODING=BASE64;VALUE=BINARY:",
            "ATTACH;VALUE=URI:data:image/jpeg;base64,",
            "PHOTO;ENCODING=b:",
            "KEY;TYPE=PGP;ENCODING=BASE64:",
        )
        for data in (picture(b"\0", b"\0"), f"Hello {JOHN}".encode())
        for type in ("text/calendar; method=REQUEST", "text/vcard", "text/plain")
    },
}


def decided(raw: bytes) -> tuple[Plan, bytes]:
    """Plan a message to the carrier; return the plan and the copy."""
    row = mail(raw, PEOPLE, to=A, sender=JOHN)
    done = row.plan()
    assert done.reply is None, done.reply
    copy = applied(row.message, done)
    return done, render(copy.headers, copy.body)[:]


def seen(raw: bytes) -> str:
    """Return what a body says, without folds and soft breaks."""
    headers, body = parse(raw)
    coded = any(each.value == b"base64" for each in headers)
    data = base64.b64decode(bytes(body)) if coded else bytes(body)
    return re.sub(r"=?\r?\n[ \t]?", "", data.decode("utf-8", "replace"))


@pytest.mark.parametrize("name", MESSAGES)
def test_it_is_masked_in_the_copy_and_in_the_record(name: str) -> None:
    """Nobody reads the address any more, and what is around it stays."""
    done, copy = decided(MESSAGES[name])
    for written in (copy, done.records[0].raw):
        assert not Scanner(KEYS).scan(*parse(written[:]))
        text = seen(written[:]).lower()
        assert "home.example" not in text
        assert "cher.example" not in text
        assert "hello" in text


@pytest.mark.parametrize("name", MESSAGES)
def test_the_scan_sees_it_in_the_message_as_it_came(name: str) -> None:
    """The scan is written apart."""
    headers, body = parse(MESSAGES[name])
    assert Scanner(KEYS).scan([each for each in headers if each.key != b"from"], body)


EVENT = calendar(
    "METHOD:REQUEST\nORGANIZER:mailto:org@big.example\n"
    f"ATTENDEE:mailto:ann@fri\n ends.example\nATTENDEE:mailto:{A}"
)
WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")
TYPES = (
    "text/calendar; charset=utf-8",
    "text/calendar; method=REQUEST",
    "application/octet-stream; name=invite.ics",
    "application/octet-stream",
    "text/plain",
)


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("codec", WIDE)
def test_an_invitation_in_wide_characters_brings_people_in(codec: str, type: str) -> None:
    """Whatever is declared; they are masked in it, and its reader finds themselves."""
    done, copy = decided(typed(type, EVENT.encode(codec)))
    assert [str(each.address) for each in done.records[0].joined] == [
        "org@big.example",
        "ann@friends.example",
    ]
    content = email.message_from_bytes(copy).get_payload(decode=True)
    assert isinstance(content, bytes)
    text = content.decode(codec).replace("\n ", "").replace("\r", "")
    assert "big.example" not in text
    assert "friends.example" not in text
    assert f"ATTENDEE:mailto:{CARRIER}" in text


def test_of_an_invitation_only_the_file_goes() -> None:
    """Its people, its other properties and files stay, and the timeline tells."""
    other = f"ATTACH;ENCODING=BASE64;VALUE=BINARY:{base64.b64encode(PICTURE).decode()}"
    lines = (
        f"METHOD:REQUEST\nATTENDEE:mailto:{A}\n{other}\n"
        f"ATTACH;ENCODING=BASE64;VALUE=BINARY:\n {folded(picture(b'', b''))}"
    )
    done, copy = decided(typed("text/calendar", calendar(lines)))
    text = seen(copy)
    assert done.records[0].notes == ("1 text/calendar property",)
    assert f"ATTENDEE:mailto:{CARRIER}" in text
    assert other.partition(":")[2].rstrip("=") in text
    assert text.count("ATTACH") == 1


def test_of_an_invitation_a_packed_file_goes_as_well() -> None:
    """It is looked into as an attachment is."""
    value = folded(zipped(PAGE * 9))
    _, copy = decided(typed("text/calendar", calendar(f"ATTACH;ENCODING=BASE64:\n {value}")))
    assert "ATTACH" not in seen(copy)
    assert "SUMMARY:Hello" in seen(copy)


HEADERS = [
    b"Subject: \xdbjohn.doe@home.example=?8?q?a?=",
    b"Subject: \xaajohn.doe@home.example,john.doe@home.example=?john.doe@home.example",
    b"Subject: \xf9{\xcc\xc0john.doe@home.example?john.doe@home.example<s@h",
    b"Subject: x&#xb;john.doe@home.example",
    b'To: "\xdbjohn.doe@home.example=?8?q?a?=" <x@y.example>',
    b"To: x@y.example (&#xbjohn.doe@home.example)",
    b"Content-Disposition: a; filename*0*=utf-8''joh; filename*1*=n.doe%EF%BC%A0home.example",
    b"Comments: 1d01\xe1\xb4\x80 \xc2\xaa john.doe@home.example",
]


@pytest.mark.parametrize("field", HEADERS)
def test_hostile_header_fields_are_masked(field: bytes) -> None:
    """Octets that are no UTF-8, words that touch, references to what is no character."""
    done, copy = decided(f"From: {JOHN}\n".encode() + field + b"\n\nHello\n")
    for written in (copy, done.records[0].raw):
        assert not Scanner(KEYS).scan(*parse(written[:]))


@pytest.mark.parametrize("letter", ["\u00aa", "\u0138", "\u1d00", "\u2d63", "\u1401", "\U00010400"])
def test_a_letter_before_an_address_makes_it_another_to_both(letter: str) -> None:
    """Of the masking code and the scan, neither takes it for a space."""
    raw = typed("text/plain; charset=utf-8", f"Hello {letter}john.doe@home.example\n")
    _, copy = decided(raw)
    assert f"{letter}john.doe@home.example".encode() in copy


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_in_a_text_says_is_masked_and_the_text_around_it_stays(name: str) -> None:
    """Read as an own decoder reads it; in a part with several, and as HTML shows it, too."""
    code = FILES[name]
    for raw in (
        typed("text/plain", f"Before\n{code}Behind\n"),
        typed("text/html", f"<pre>Before\n{html.escape(code, quote=False)}Behind\n</pre>\n"),
        typed("application/octet-stream", f"Before\n{code}Behind\n"),
        typed("text/plain", f"Before\n{uuencoded(b'Hello')}{code}Behind\n").replace(
            b"8bit", b"x-uuencode"
        ),
    ):
        done, copy = decided(raw)
        for written in (copy, done.records[0].raw):
            text = html.unescape(bytes(written[:]).decode())
            assert "Before" in text
            assert "Behind" in text
            for line in text.splitlines():
                octets = line.lstrip("> |").encode()
                try:
                    shown = binascii.a2b_uu(octets)
                except binascii.Error:
                    shown = b""
                with suppress(binascii.Error):
                    shown += base64.b64decode(octets)
                assert b"john.doe" not in shown.replace(b"\0", b"")


def test_a_file_in_a_text_that_names_nobody_stays() -> None:
    """Byte for byte, whatever it is."""
    for data in (b"Hello, nobody", PICTURE, zipped("nobody")):
        raw = typed("text/plain", f"Hello\nbegin 644 files of {SHOP}\n{uuencoded(data)}Bye\n")
        assert uuencoded(data).encode() in decided(raw)[1]


def test_a_participant_of_an_invitation_joins_as_an_attendee_does() -> None:
    """RFC 9073; the reader finds themselves there."""
    lines = (
        "METHOD:REQUEST\nBEGIN:PARTICIPANT\nCALENDAR-ADDRESS:mailto:ann@friends.example\n"
        f"END:PARTICIPANT\nBEGIN:PARTICIPANT\nCALENDAR-ADDRESS:mailto:{A}\nEND:PARTICIPANT"
    )
    done, copy = decided(typed("text/calendar; charset=utf-8", calendar(lines)))
    assert [str(each.address) for each in done.records[0].joined] == ["ann@friends.example"]
    assert "friends.example" not in seen(copy)
    assert f"CALENDAR-ADDRESS:mailto:{CARRIER}" in seen(copy)


COLOURED = '<span style="font-size:11.0pt;font-family:Calibri,sans-serif;color:#1f497d">{}</span>'
PARTED_WIDELY = {
    "each letter coloured": "".join(COLOURED.format(each) for each in JOHN),
    "elements in each other": "<span>" * 200 + "john.doe" + "</span>" * 200 + "@home.example",
    "many tags": "john.doe" + "<b></b>" * 300 + "@home.example",
    "many tags at each letter": "".join(each + "<i></i>" * 20 for each in JOHN),
}


@pytest.mark.parametrize("type_", ["text/html", "text/plain", "text/x-unknown"])
@pytest.mark.parametrize("name", PARTED_WIDELY)
def test_what_only_the_scan_sees_is_looked_for_again_at_length(name: str, type_: str) -> None:
    """Masking looks no further than most need; where that was wrong, nothing is refused."""
    sent = mail(typed(type_, f"Hello {PARTED_WIDELY[name]} and bye\n"), PEOPLE, to=A, sender=JOHN)
    done = sent.plan()
    assert done.reply is None
    for left in (bytes(sent.sent(done).body), done.records[0].raw):
        assert b"b" * 32 in left
        assert b"Hello" in left
        assert "johndoe" not in re.sub(r"<[^<>]*>|\.|\s", "", left.decode())
