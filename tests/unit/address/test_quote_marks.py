"""Quotation marks inside an address: in every place, in lists of addresses, and for the scan.

`"john".doe@` is an obsolete local part (RFC 5322 section 4.4) of john.doe; other marks are read
over by an eye. What only has marks beside it is as it was, and so is a name with an apostrophe.
"""

import base64
import json
import quopri
import re
from dataclasses import replace
from random import Random
from urllib.parse import unquote_to_bytes

import pytest
from builders import CARRIER, SHOP, A, hard, mail, order, person
from cost import linear
from hypothesis import given
from hypothesis import strategies as st
from message_places import shown
from spellings import ALIAS, BODIES, FIELDS, JOHN, PEOPLE

from conversation_tracker.core.base.limits import Limits
from conversation_tracker.core.model.message import parse, render
from conversation_tracker.core.scanning.scan import Scanner

SPELLINGS = [
    '"john".doe@home.example',
    'john."doe"@home.example',
    '"john"."doe"@home.example',
    "'john'.doe@home.example",
    "john.'doe'@home.example",
    'john.doe@"home".example',
    'john.doe@home."example"',
    'john.doe@"home.example"',
    '"john.doe"@home.example',
    '"john.doe"@"home"."example"',
    '\\"john.doe\\"@home.example',
    '\\"john\\".doe@home.example',
    '{"a": "\\"john\\".doe@home.example"}',
    '"john.d\\oe"@home.example',
    '"jo\\hn".doe@home.example',
    '"\\j\\o\\h\\n.\\d\\o\\e"@home.example',
    "\u201cjohn\u201d.doe@home.example",
    "john.\u2018doe\u2019@home.example",
    "\u00abjohn\u00bb.doe@home.example",
    "\u201ejohn\u201c.doe@home.example",
    "\u2039john\u203a.doe@home.example",
    "\u300cjohn\u300d.doe@home.example",
    "\uff02john\uff02.doe@home.example",
    "\u2033john\u2033.doe@home.example",
    "john.doe@\u201chome\u201d.example",
    "john.`doe`@home.example",
    "``john``.doe@home.example",
    'j"ohn.doe@home.example',
    'jo"h"n.doe@home.example',
    'jo""hn.doe@home.example',
    'john"".doe@home.example',
    '"j""ohn"."doe"@home.example',
    '"j""o""h""n"."d""o""e"@home.example',
    'x "john."doe"@home.example" y',
    'john"."doe@home.example',
    'john.doe"@"home.example',
    'say"john".doe@home.example',
    'john.doe@"home".example"x',
    'john.doe@"home.example"x',
    "&quot;john&quot;.doe@home.example",
    "jo&quot;hn.doe@home.example",
    "john.&#39;doe&#39;@home.example",
    "john.doe@&quot;home&quot;.example",
    "mailto:%22john%22.doe@home.example",
    "%22john%22.doe%40home.example",
    "\\u0022john\\u0022.doe@home.example",
    '"JOHN".Doe@HOME.example',
    '"john".doe+x@home.example',
    '"john".doe@home.example,"john".doe@home.example',
]  # fmt: skip
FIELDS = {
    **FIELDS,
    "an encoded word": lambda text: (
        f"From: {JOHN}\nSubject: =?utf-8?B?{base64.b64encode(text.encode()).decode()}?=\n\nHello\n"
    ).encode(),
    "a name of RFC 2231": lambda text: (
        f"From: {JOHN}\nContent-Type: text/plain; name*=utf-8''"
        f"{''.join(f'%{each:02X}' for each in text.encode())}\n\nHello\n"
    ).encode(),
    "an attribute": lambda text: (
        f"From: {JOHN}\nContent-Type: text/html; charset=utf-8\n\n"
        f'<p title="{text.replace("&", "&amp;").replace(chr(34), "&quot;")}">Hello</p>\n'
    ).encode(),
}
IN_QUOTES = ("a name", "the author's name", "a file name")
SEVEN_BITS = ("cp50220", "iso-2022-jp", "iso-2022-jp-ms", "headers")
CASES = [
    (text, place)
    for text in SPELLINGS
    for place in (*BODIES, *FIELDS)
    if not (place in IN_QUOTES and re.search(r'["\\]', text))
    if not (place == "a comment" and "\\" in text)
    if not (place == "an attribute" and "&" in text)
    # There the charset and what ends it touch the first mark: `utf-8''"j""ohn"`.
    if not (place == "a name of RFC 2231" and text.startswith('"j""'))
    if text.isascii() or place not in SEVEN_BITS
]


@pytest.mark.parametrize(("text", "place"), CASES)
def test_an_address_with_marks_inside_is_masked_and_seen_by_the_scan(text: str, place: str) -> None:
    """In the copy, in the record, and in what a timeline shows of this."""
    raw = {**BODIES, **FIELDS}[place](text)
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    done = sent.plan()
    assert done.reply is None, done.reply
    copy = sent.sent(done)
    [record] = done.records
    words = (record.sender_name, record.subject, record.first_words, *record.attachment_names)
    assert "johndoe" not in re.sub(r"[^a-z]", "", " ".join(words).lower())
    for left in (render(copy.headers, copy.body), record.raw):
        for read in (left, unquote_to_bytes(left)):  # as parameters of RFC 2231 are
            assert "johndoe" not in shown(read)
            assert b"b" * 32 in left or "b" * 32 in shown(read)
    headers, body = parse(raw)
    if place != "the author's name":
        assert Scanner({JOHN: "b"}).scan([each for each in headers if each.key != b"from"], body)


@pytest.mark.parametrize("field", ["To", "Cc", "Reply-To", "Resent-To"])
@pytest.mark.parametrize(
    "written",
    [
        '"john".doe@home.example',
        'John <"john".doe@home.example>',
        'john."doe"@home.example, x@y.example',
        'x@y.example, "J" <john."doe"@home.example>, z@y.example',
        '"john.d\\oe"@home.example',
        '<"john"."d\\oe"@home.example>',
        'group: "john".doe@home.example, x@y.example;',
        'John "john".doe@home.example <x@y.example>',
        '"\\"john\\".doe@home.example" <x@y.example>',
        '(c "john".doe@home.example) x@y.example',
        "=?utf-8?q?=22john=22=2Edoe=40home=2Eexample?= <x@y.example>",
        'x <john.doe@"home.example">, z@y.example',
        "john.'doe'@home.example, z@y.example",
        "'john'.doe@home.example",
        "\u201cjohn\u201d.doe@home.example <x@y.example>",
    ],
)
def test_a_list_of_addresses_has_the_alias_instead(written: str, field: str) -> None:
    raw = f"From: {JOHN}\n{field}: {written}\n\nHello\n".encode()
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    done = sent.plan()
    assert done.reply is None, done.reply
    copy = sent.sent(done)
    for left in (render(copy.headers, copy.body), done.records[0].raw):
        assert "johndoe" not in shown(left)
    headers, body = parse(raw)
    assert Scanner({JOHN: "b"}).scan([each for each in headers if each.key != b"from"], body)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('to "john".doe@home.example, please', f"to {ALIAS}, please"),
        ('to john.doe@home."example", please', f"to {ALIAS}, please"),
        ("to \u201cjohn\u201d.doe@home.example", f"to {ALIAS}"),
        ('x "john."doe"@home.example" y', f'x "{ALIAS}" y'),
        ('{"a": "\\"john\\".doe@home.example"}', f'{{"a": "{ALIAS}"}}'),
        ('{"a": "john\\".doe@home.example"}', f'{{"a": "{ALIAS}"}}'),
        ('say"john".doe@home.example', f"say{ALIAS}"),
    ],
)
def test_the_mark_beside_an_address_goes_with_its_other_one(text: str, left: str) -> None:
    """Else one would be left over, which opens a string that nothing ends."""
    row = mail(f"From: {CARRIER}\n\n{text}\n".encode(), PEOPLE, to=hard("5"), sender=CARRIER)
    assert bytes(row.sent().body).decode().strip() == left


STAYS = {
    JOHN: [
        '"john" doe@home.example',
        "\u201cjohn\u201d doe@home.example",
        'say "john".doe@other.example',
        '"john","doe@home.example"',
        '["john","doe","home.example"]',
        '{"john":"doe@home.example"}',
        '"john"; "doe@home.example"',
        '"john.doe" "home.example"',
        '"john.doe","home.example"',
        'from "john.doe" to "home.example"',
        'He said "john." doe@home.example',
        "'john' + 'doe@home.example'",
        '<a href="john" title=".doe@home.example">x</a>',
        '"mary"."john".doe@home.example',
        'john.doe@"home".example.org',
        '"john"-doe@home.example',
    ],
    "obrien@home.example": [
        "o'brien@home.example",
        "o\u2019brien@home.example",
        '"o\'brien"@home.example',
    ],
    "info@hotel.example": [
        '"info":"hotel.example"',
        'info="hotel.example"',
        'user="info" host="hotel.example"',
        "`info` `hotel.example`",
        "info'hotel.example'",
        "don't ask 'info' at 'hotel'",
    ],
    "john@home.example": ["'john'+'doe@home.example'", 'x="john"+"doe@home.example"'],
    "john@gmail.com": ['"john":"gmail.com"', '"johnny"@gmail.com', '"mary.john"@gmail.com'],
}  # fmt: skip


@pytest.mark.parametrize("type_", ["text/plain", "text/html", "application/json"])
@pytest.mark.parametrize(
    ("address", "text"), [(who, each) for who, texts in STAYS.items() for each in texts]
)
def test_what_has_marks_beside_words_is_nobody(address: str, text: str, type_: str) -> None:
    """Two words, two columns, a name and a value: read without marks they are no address."""
    people = order(person(address, "buyer", "b" * 32), SHOP, CARRIER)
    head = f"From: {address}\nContent-Type: {type_}; charset=utf-8\n\n"
    row = mail(f"{head}Hello {text} there\n".encode(), people, to=A, sender=address)
    assert row.plan().reply is None
    assert bytes(row.sent().body) == bytes(row.message.body)
    assert not Scanner({address: "b"}).scan([], row.message.body)


def test_two_whose_names_differ_by_an_apostrophe_write_to_each_other() -> None:
    people = order(
        person("o'brien@home.example", "buyer", "b" * 32),
        person("obrien@home.example", "partner", "c" * 32),
        CARRIER,
    )
    text = "Hello o'brien@home.example and obrien@home.example\n"
    row = mail(f"From: {CARRIER}\n\n{text}".encode(), people, to=hard("b"), sender=CARRIER)
    assert row.plan().reply is None
    left = bytes(row.sent().body).decode()
    assert "obrien@" not in left
    assert hard("c") in left


def test_dots_in_marks_count_nothing_at_gmail() -> None:
    people = order(person("johndoe@gmail.com", "buyer", "b" * 32), SHOP, CARRIER)
    raw = b'From: johndoe@gmail.com\n\nI am "j"."ohn.d"oe@gmail.com\n'
    row = mail(raw, people, to=A, sender="johndoe@gmail.com")
    assert bytes(row.sent().body).strip() == f"I am {ALIAS}".encode()
    assert Scanner({"johndoe@gmail.com": "b"}).scan([], row.message.body)


MARKS = [*"\"'`\"'", '\\"', "\u201c", "\u201d", "\u2018", "\u00ab", "\u00bb", "&quot;", "''", '""']
MARKS += ["\\'", "\"'", "\\"]
SIGNS = ["@", " @ ", "(at)", " at ", "@ ", "[at]", "&#64;", "=40", "%40", "@@"]
DOTS = [".", " . ", ". ", " dot ", "(dot)", "&#46;"]
NOISE = [*" \nx,;()=-{}:/<>", "<b>", "</b>", "\n> ", "say", "\u200b", "<br>"]


def write_text(draw: Random) -> str:
    """Write an address with marks anywhere, and with whatever else may be amid it."""
    pieces = ["john", draw.choice(DOTS) if draw.random() < 0.3 else ".", "doe"]
    pieces += draw.choice(SIGNS) if draw.random() < 0.5 else "@", "home"
    pieces += draw.choice(DOTS) if draw.random() < 0.2 else ".", "example"
    for _ in range(draw.randint(1, 5)):
        pieces.insert(draw.randint(0, len(pieces)), draw.choice(MARKS))
    if draw.random() < 0.3:
        at = draw.randrange(len(pieces))
        cut = draw.randint(0, len(pieces[at]))
        pieces[at] = pieces[at][:cut] + draw.choice(MARKS) + pieces[at][cut:]
    for _ in range(draw.choice([0, 0, 0, 1, 2])):
        pieces.insert(draw.randint(0, len(pieces)), draw.choice(NOISE))
    return "".join(pieces)


def write_message(text: str, kind: int) -> bytes:
    """Put a text into a message, in one place of several."""
    line = text.replace("\n", " ")
    head = f"From: {CARRIER}\nMIME-Version: 1.0\n"
    of = "Content-Type: text/{}; charset=utf-8\n{}\n".format
    quoted = quopri.encodestring(text.encode()).decode()
    return (
        head
        + (
            lambda: f"{of('plain', '')}{text}\n",
            lambda: f"{of('html', '')}<p>{text}</p>\n",
            lambda: f"Subject: {line}\n\nhi\n",
            lambda: f"To: {line} <x@stranger.example>, {line}\n\nhi\n",
            lambda: of("plain", "Content-Transfer-Encoding: quoted-printable\n") + quoted + "\n",
            lambda: f"Content-Type: application/json\n\n{json.dumps({'a': text})}\n",
            lambda: f"{of('html', '')}<a title='{line}'>x</a>\n",
        )[kind]()
    ).encode()


@given(st.integers(0, 1 << 32))
def test_whatever_the_scan_sees_of_marks_masking_has_masked(number: int) -> None:
    """Nothing is refused, and no more is seen in what leaves."""
    draw = Random(number)
    text = f"Hello {write_text(draw)}{draw.choice(['', f' and {write_text(draw)}'])} bye"
    row = mail(write_message(text, draw.randrange(7)), PEOPLE, to=hard("5"), sender=CARRIER)
    done = row.plan()
    assert done.reply is None, text
    copy, [record] = row.sent(done), done.records
    scanner = Scanner({JOHN: "b"})
    assert not scanner.scan(copy.headers, copy.body), text
    assert not scanner.scan(*parse(record.raw)), text


@given(st.integers(0, 1 << 32))
def test_texts_with_marks_that_name_nobody_stay(number: int) -> None:
    """Somebody else at the same domain, in the same texts."""
    draw = Random(number)
    people = order(person("jack.doe@home.example", "buyer", "b" * 32), SHOP, CARRIER)
    raw = write_message(f"Hello {write_text(draw)} bye", draw.choice([0, 1, 4, 5, 6]))
    row = mail(raw, people, to=hard("5"), sender=CARRIER)
    assert row.plan().reply is None
    assert bytes(row.sent().body) == bytes(row.message.body)


NEAR = [
    *('"', '"a', 'john"', '@"', '"@', "'", "john'.", '\\"', "\\", "\u201c", "\u201djohn@", '"."'),
    *('j"o"h"n.d"o"e@h"ome ', '"john".doe@home ', "john.'doe'@home.exampl ", '"home" doe '),
    *('\\\\\\\\"home ', '@a"b', "\"'`" * 9 + "@home", '"info@home.example" ', "x@home.example,"),
    *('"' + "a" * 120 + '"@home ', '<td width="10" class="home">doe</td>\n', '"\\a\\b'),
    *("don't go home, it's John's doe\n", '{"doe":"x@home.example"},', '"' + "." * 120 + '"@home'),
    *('"x".y@home.example ', "john.doe@home.example\"x"),
]  # fmt: skip


@pytest.mark.parametrize("type_", ["text/plain", "text/html"])
@pytest.mark.parametrize("near", NEAR)
def test_marks_cost_about_linear_time(near: str, type_: str) -> None:
    def plan(size: int) -> None:
        head = f"From: {JOHN}\nContent-Type: {type_}; charset=utf-8\n\n"
        row = mail((head + near * (size // len(near))).encode(), PEOPLE, to=A, sender=JOHN)
        assert row.plan().reply is None

    linear(plan, 60_000)


def test_what_is_found_asks_for_the_time() -> None:
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1

    text = f"From: {CARRIER}\n\n" + '"john".doe@home.example ' * 2_000 + "\n"
    row = mail(text.encode(), PEOPLE, to=hard("5"), sender=CARRIER)
    replace(row, message=replace(row.message, limits=Limits(check))).plan()
    assert asked > 40
