"""What is found in the long words of a large text alone is found as in all of it."""

import base64
import re
from unittest.mock import patch

import pytest
from cost import linear
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversation_tracker.core.base.octets import LARGE
from conversation_tracker.core.masking.address.encoded_needles import Needles
from conversation_tracker.core.masking.container import readings
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning import documents
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.scanning.text import tokens

WORD = "home.example"
CODES = [
    *(base64.b64encode(b"x" * before + WORD.encode() + b"yz").decode() for before in range(3)),
    WORD.encode().hex(),
    WORD.encode().hex().upper(),
]
PIECES = [
    *CODES,
    *(code[1:-3] for code in CODES),
    *(code.replace("+", "-") for code in CODES),
    *(" ", "\n", "=", "%", "\u00e9", "\u4e00", "\ud800", "\0", "a" * 9, "a" * 30, "_-", "+/", "."),
    "words of a text " * 40,
]
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
ORDINARY = "Some words of a line, and short ones.\n" * 400


@given(text=TEXTS, front=st.booleans())
@example(text=CODES[2], front=True)
@settings(max_examples=150, deadline=None)
def test_words_in_base64_and_digits_are_told_in_a_large_text(text: str, front: bool) -> None:
    needles, found = Needles([WORD]), tokens.Tokens((WORD,))
    large = text + "\n" + ORDINARY if front else ORDINARY + text
    data = large.encode("utf-8", "surrogatepass")
    assert needles.stand_in(large) == any(each in text for each in needles._all)
    shown, octets = list(found.decode(large)), list(found.decode_in_bytes(data))
    with patch.object(tokens, "_take_words", lambda data, _size: data):
        assert list(found.decode(large)) == shown
        assert list(found.decode_in_bytes(data)) == octets


def test_short_words_are_looked_for_in_all_of_a_text() -> None:
    needles = Needles(["a.io"])
    assert all(needles.stand_in(ORDINARY + each) for each in needles._all)


@pytest.mark.parametrize(
    "piece", ["a" * 14 + " ", "a" * 15 + " ", "a", "a ", "\u00e9", "a" * 9 + "="]
)
def test_long_words_are_taken_out_in_proportion(piece: str) -> None:
    needles, found = Needles([WORD]), tokens.Tokens((WORD,))

    def look(size: int) -> None:
        text = piece * (size // len(piece))
        needles.stand_in(text)
        list(found.decode(text))

    linear(look, 1_000_000)


OLD_BORDER = re.compile(rb"</?(?:\w+:)?(?:p|h|si|row|c|v|is|t[dr]|li|div|br|tab)\b")
OLD_PARAGRAPH = re.compile(
    rb"</(?:\w+:)?(?:p|h|si|row|c|v|is|td|tr|li|div)>|<(?:\w+:)?(?:br|tab)\b"
)
TAGS = [
    b"<w:p>",
    b"</w:p",
    b">",
    b"<",
    b"/",
    b"<br",
    b"<tab/>",
    b"</td>",
    b"<b>",
    b" x",
    b"<<p>",
    b"w:",
]


@given(st.lists(st.sampled_from(TAGS), max_size=12).map(b"".join))
@settings(max_examples=300, deadline=None)
def test_paragraphs_of_a_document_are_parted_as_before(text: bytes) -> None:
    shown = documents._BORDER.sub(b"\n<", text)
    assert shown == OLD_BORDER.sub(rb"\n\g<0>", text)
    assert readings._PARAGRAPH.sub(b"\n<", text) == OLD_PARAGRAPH.sub(rb"\n\g<0>", text)


def body(first: bytes, second: bytes) -> bytes:
    """Return a body with a short text, and a large one."""
    return b"--b\n\nshort %b\n--b\nContent-Type: text/plain\n\n%b\n--b--\n" % (first, second)


def test_large_content_is_known_again_only_where_it_is_the_same() -> None:
    headers = [Header(b"Content-Type", b"multipart/mixed; boundary=b")]
    scanner = Scanner({f"john@{WORD}": "t"})
    clean = b"nobody in this line at all.\n" * (LARGE // 20)
    assert scanner.scan(headers, body(b"one", clean)) == []
    assert scanner.scan(headers, body(b"another", clean)) == []
    place = len(clean) // 2
    named = f"john@{WORD}\n".encode()
    other = clean[:place] + b"\n" + named + clean[place + len(named) + 1 :]
    assert len(other) == len(clean)
    [hit] = scanner.scan(headers, body(b"another", other))
    assert hit.token == "t"


@pytest.mark.parametrize("kind", ["application/mbox", "text/x-log"])
def test_what_lies_in_two_windows_is_counted_once(kind: str) -> None:
    """Else a copy, whose lines are longer, has more or less of them than what came."""
    lines = 3 * LARGE // 40
    text = f"a line about <john@{WORD}>\r\n".encode() * lines
    headers = [Header(b"Content-Type", kind.encode())]
    found = Scanner({f"john@{WORD}": "t"}).look(headers, text, "t")
    assert found.hits == ()
    assert sum(found.unread.values()) == lines
    counted = Scanner({f"john@{WORD}": "t"}).look(headers, text, "t", counts=True)
    assert counted == found


def test_what_is_only_counted_leaves_nothing_known() -> None:
    """What shows somebody in a rare spelling alone is found by whoever looks next."""
    scanner = Scanner({f"john@{WORD}": "t", f"mary@{WORD}": "u"})
    headers = [
        Header(b"Content-Type", b"text/plain"),
        Header(b"Subject", b"mary (at) home.example"),
    ]
    for size in (1, LARGE // 10):
        text = f"mary (at) {WORD}\n".encode() + b"words of a line\n" * size
        assert scanner.look(headers, text, "t", counts=True).hits == ()
        channels = {
            hit.channel for hit in scanner.look(headers, text, "t").hits if hit.token == "u"
        }
        assert channels == {"header Subject", "part 1 text/plain"}
