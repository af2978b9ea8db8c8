"""Addresses that are struck over, signs by their numbers, escapes in two languages, packed tokens.

Each stands in each place, is masked in copy and record, and is seen by the scan.
"""

import base64
import gzip
import zlib
from urllib.parse import quote

import pytest
from builders import A, mail
from spellings import BODIES, FIELDS, JOHN, PEOPLE

from conversation_tracker.core.model.message import parse, render
from conversation_tracker.core.scanning.scan import Scanner

WIDE = "".join(chr(ord(each) + 0xFEE0) for each in JOHN)
UNSEEN = "john\u200b.doe@ho\u200bme.example"
JSON = b'{"to":"%s","id":"12345678"}' % JOHN.encode()
LINK = "https://x.example/?t="


def based(data: bytes) -> str:
    return base64.b64encode(data).decode()


def b32(data: bytes) -> str:
    return base64.b32encode(data).decode()


STRUCK = {
    "bold": "".join(f"{each}\b{each}" for each in JOHN),
    "bolder": "".join(f"{each}\b{each}\b{each}" for each in JOHN),
    "underlined": "".join(f"_\b{each}" for each in JOHN),
    "underlined behind": "".join(f"{each}\b_" for each in JOHN),
    "bold and underlined": "".join(f"_\b{each}\b{each}" for each in JOHN),
    "bold local part": "j\bjo\boh\bhn\bn.doe@home.example",
    "bold sign": "john.doe@\b@home.example",
    "underlined domain": "john.doe@" + "".join(f"_\b{each}" for each in "home.example"),
}
SIGNS = {
    "underline": "john.doe_40home.example",
    "underlines": "john_2Edoe_40home_2Eexample",
    "number": "john.doeU+0040home.example",
    "number, blanks": "john.doe U+0040 home.example",
    "number in brackets": "john.doe (u+0040) home.example",
}
TWO = {
    name: f"john.doe{name}home.example"
    for name in [
        *("%5Cu0040", "&#37;40", "\\x26#64;", "%26%2364%3B", "%5Cx40", "&#92;u0040", "\\u0026#64;"),
        *("\\x2540", "\\u002540", "&#38;#64;", "=26#64;", "=2540", "=5Cu0040", "=5Cx40", "%3D40"),
        *("&#61;40", "%26commat%3B", "%5C100", "%2526%252364%253B", "%5C%7840", "=26commat;"),
    ]
}
STYLES = {
    "style in JSON": '{"s":"content:\'john.doe\\\\40 home.example\'"}',
    "style in JSON, six": '{"s":"content:\'john.doe\\\\000040home\\\\2e example\'"}',
    "all in JSON": '{"s":"' + "".join(f"\\\\{ord(each):x} " for each in JOHN) + '"}',
}
TOKENS = {
    "wide": LINK + based(WIDE.encode()),
    "unseen": LINK + based(UNSEEN.encode()),
    "base32": LINK + b32(JOHN.encode()),
    "base32 in a path": "https://x.example/u/" + b32(JOHN.encode()).rstrip("="),
    "base32 in lower case": LINK + b32(JOHN.encode()).rstrip("=").lower(),
    "base32 of more": LINK + b32(b"id=7&e=" + JOHN.encode() + b"&x=1"),
    "UTF-16, alone": f"token {based(JOHN.encode('utf-16-le'))} x",
    "UTF-16BE, alone": f"token {based(JOHN.encode('utf-16-be'))} x",
    "UTF-16 with a mark": f"token {based(JOHN.encode('utf-16'))} x",
    "zlib, alone": f"token {based(zlib.compress(JSON))} x",
    "gzip, alone": f"token {based(gzip.compress(JSON, mtime=0))} x",
    "zlib of more": f"token={quote(based(zlib.compress(JSON * 3)), safe='')}",
}
TEXTS = {**STRUCK, **SIGNS, **TWO, **STYLES, **TOKENS}
WHERE = {
    name: {**BODIES, **FIELDS}[name]
    for name in ("plain", "plain, base64", "html", "json", "untyped", "Subject", "a description")
}


@pytest.mark.parametrize("place", WHERE)
@pytest.mark.parametrize("name", TEXTS)
def test_it_is_masked_and_seen(name: str, place: str) -> None:
    text = TEXTS[name]
    raw = WHERE[place](text)
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    done = sent.plan()
    assert done.reply is None, done.reply
    copy = sent.sent(done)
    scanner = Scanner({JOHN: "b" * 32})
    headers, body = parse(raw)
    assert scanner.scan([each for each in headers if each.key != b"from"], body)
    for left in (render(copy.headers, copy.body)[:], done.records[0].raw[:]):
        assert text.encode() not in left
        assert base64.b64encode(text.encode())[4:-4] not in left.replace(b"\n", b"")
        assert not Scanner({JOHN: "b" * 32}).scan(*parse(left))


@pytest.mark.parametrize(
    "text",
    [
        "see img_4032.jpg of john.doe and home.example",
        "a\b_b\bc john.doe and home.example",
        "U+0041 john.doe U+00E4 home.example",
        f"{LINK}{b32(b'id=7&e=ann@home.example&x=1')}",
        f"token {based(zlib.compress(b'ann@home.example' * 9))} x",
        f"token {based('ann@home.example'.encode('utf-16-le'))} x",
        "JBSWY3DPEBLW64TMMQQHO2LUNAQGY33OM4 EJECTEDBYALL H4sIAAAA eJyAAAA",
    ],
)
@pytest.mark.parametrize("place", WHERE)
def test_what_is_nobodys_stays(text: str, place: str) -> None:
    raw = WHERE[place](text)
    _, body = parse(raw)
    copy = mail(raw, PEOPLE, to=A, sender=JOHN).sent()
    assert bytes(copy.body[:]) == bytes(body[:])


@pytest.mark.parametrize("packed", [zlib.compress(JSON), gzip.compress(JSON, mtime=0)])
def test_a_packed_token_is_packed_again(packed: bytes) -> None:
    copy = mail(WHERE["plain"](f"token {based(packed)} x"), PEOPLE, to=A, sender=JOHN).sent()
    token = bytes(copy.body[:]).split(b"token ")[1].split(b" x")[0]
    assert b"b" * 32 in zlib.decompress(base64.b64decode(token), 47)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("so a.nnlee (at) gmail (dot) com wrote", True),
        ("annlee at gmail dot com", True),
        ("an.nle.e [at] gmail.com", True),
        ("an.nlee(at)googlemail.com", True),
        ("a.nnlee+shop (at) gmail.com", True),
        ("xannlee (at) gmail.com", False),
        ("an.nlee (at) home.example", False),
        ("bob (at) gmail.com", False),
    ],
)
def test_dots_do_not_count_at_gmail_in_words_either(text: str, told: bool) -> None:
    scanner = Scanner({"ann.lee@gmail.com": "b" * 32, "ann.lee@home.example": "c" * 32})
    assert bool(scanner.scan([], text.encode())) is told
