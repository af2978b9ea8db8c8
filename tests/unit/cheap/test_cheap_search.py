"""Cheap tests of the final scan before its costly readings, held to these: no text is passed over.

Each test here has one of them, or all that stand before one reading, let everything pass, and finds
nobody more. What was passed over once is among the examples.
"""

import base64
import binascii
import bz2
import gzip
import lzma
import random
import re
import unicodedata
import zlib
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from said_addresses import escaped, texts

from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning import content_scan, scan_pass
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.scanning.text import (
    address_matcher,
    characters,
    decodings,
    deep_scan,
    rare_spellings,
    text_search,
    tokens,
    uuencoded,
)
from conversation_tracker.core.scanning.text.address_matcher import AddressMatcher
from conversation_tracker.core.scanning.text.text_search import TextSearch

JOHN = "john.doe@home.example"
PEOPLE = [
    [JOHN, "o_k@web.example", "a+b@web.example"],
    ["john@home.example", "jan@ma\u0142pa.example", "j.d@gmail.com"],
    ["bob@a.b", "o@x.yz", "john@home.example.org"],
]
MANY = settings(max_examples=300, deadline=None, derandomize=True)
SOME = settings(max_examples=100, deadline=None, derandomize=True)


class _Full(str):
    """A text that is said to hold whatever sign is asked for."""

    def __contains__(self, _sign: object) -> bool:
        return True


def search(people: list[str]) -> TextSearch:
    """Return a new search for some people."""
    return TextSearch(Scanner({key: key for key in people}), None)


def read_all(text: str, people: list[str], *, markup: bool) -> set[str]:
    """Return whose address a text shows, in each of its readings, with its tags and without."""
    looking, matcher = search(people), AddressMatcher({key: key for key in people})
    readings = list(decodings.iter_readings(text))
    last = readings[-1]
    shown = decodings._INLINE.sub("", last) if markup else last
    found = {token for each in (*readings, shown) for token in matcher.find(each)}
    unescape = rare_spellings._unescape_twice
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rare_spellings, "_unescape_twice", lambda low: unescape(_Full(low)))
        found |= set(
            deep_scan.find_owners(
                text, readings[0], (shown, last), matcher, lambda: None, markup=markup
            )
        )
    return found | set(looking.find_in_tokens(Scanner({e: e for e in people}).tokens.decode(text)))


def check_text(text: str, people: list[str], *, markup: bool) -> None:
    """Compare whom a text shows to be searched quickly with whom it shows in each reading."""
    found = set(search(people).find(text, markup=markup))
    assert read_all(text, people, markup=markup) <= found


FOUND = [
    ('<a href="http://x/?e=john.doe%u0040home.example">x</a>', True),
    ('<a href="http://x/?e=john.doe+aea-home.example">x</a>', True),
    ('<b title="imceasmtp-john+2edoe+40home+2eexample@x">', True),
    ("o&amp;lowbar;k@web.example", False),
    ("a&amp;plus;b@web.example", True),
    ("john.doe&amp;tab;@home.example", False),
    ("jo<x-y>hn.doe (at) home.example", False),
    ("john.doe@ho<!-- a -->me.example", False),
    ("john.doe\x0f@home.example", False),
    ("john\\9 .doe@home.example", True),
]


@pytest.mark.parametrize(("text", "markup"), FOUND)
def test_what_a_text_was_not_searched_for_is_found(text: str, markup: bool) -> None:
    assert read_all(text, PEOPLE[0], markup=markup)
    check_text(text, PEOPLE[0], markup=markup)


@MANY
@given(st.data(), st.sampled_from(PEOPLE), st.booleans())
def test_a_text_is_searched_for_what_it_may_show(
    data: st.DataObject, people: list[str], markup: bool
) -> None:
    check_text(data.draw(escaped(people) | texts(people)), people, markup=markup)


@MANY
@given(escaped(PEOPLE[0]))
@example("john\\uff20home")
@example("a\\9 b")
@example("x<!-- a -->y")
@example("a\x0eb")
def test_what_may_be_escaped_is_told_by_the_readings_of_it(text: str) -> None:
    low = text.lower()
    if rare_spellings._ESCAPED_HEX.search(low) is None:
        assert (
            rare_spellings._IN_SCRIPT.sub("", low) == rare_spellings._IN_STYLE.sub("", low) == low
        )
    if rare_spellings._TOUCHED.search(low) is None:
        touching = re.compile(rf"(?<=[\w@.;]){rare_spellings._MARKUP.pattern}")
        assert touching.search(low) is None
    if low.isascii() and not decodings.may_be_escaped(low):
        assert list(decodings.iter_readings(low)) == [low]
        if not rare_spellings.may_be_escaped(low):
            assert set(rare_spellings.iter_readings(low, low, low)) <= {low}


@MANY
@given(escaped(PEOPLE[0]) | texts(PEOPLE[0]), st.booleans(), st.booleans())
@example("john=2edoe=40home=3d2eexample \\x6f &#8238;<b", True, False)
def test_what_a_text_is_read_as_again_leaves_nothing_out(
    text: str, quoted: bool, markup: bool
) -> None:
    low, *_, last = [text.lower(), *decodings.iter_readings(text)]
    read = partial(rare_spellings.iter_readings, text, low, markup=markup, quoted=quoted)
    first, second = (set(read(each)) for each in (decodings.drop_tags(last), last))
    more = set(read(last, again=True))
    assert first | second == first | more


@pytest.mark.parametrize("character", [chr(each) for each in range(0x80)])
def test_each_character_that_hides_something_is_told(character: str) -> None:
    low = f"john{character}@home.example".lower()
    if not (decodings.may_be_escaped(low) or rare_spellings.may_be_escaped(low)):
        assert rare_spellings._unescape_twice(low) == low


def decode_each(holder: tokens.Tokens, text: str) -> Iterator[str]:
    """Yield what stands around each place of a needle, whatever was decoded before."""
    for needle, first in holder._needles:
        for found in re.finditer(f"(?={re.escape(needle)})", text):
            yield tokens._decode_around(text, found.start(), first)[0]
    low = text.lower()
    for needle in holder._hex:
        for found in re.finditer(f"(?={needle})", low):
            yield tokens._decode_hexadecimal(low, found.start())[0]


def check_tokens(text: str, people: list[str]) -> None:
    """Compare whom tokens show with whom they show read around each place."""
    looking, holder = search(people), Scanner({key: key for key in people}).tokens
    every = set(looking.find_in_tokens(decode_each(holder, text)))
    assert every <= set(looking.find_in_tokens(holder.decode(text)))
    assert every <= set(looking.find_in_tokens(holder.decode_in_bytes(text.encode())))


def test_a_token_right_behind_another_one_is_decoded() -> None:
    first, second = (base64.b64encode(each).decode() for each in (b"x@home.example", b" " * 3))
    for gap in range(8):
        code = base64.b64encode(b" " + JOHN.encode() + b" ").decode()
        check_tokens(f"{first}{'A' * gap}{code}{second}", PEOPLE[0])
        digits = f"{b'x@home.example'.hex()}{'0' * gap}{JOHN.encode().hex()}"
        check_tokens(digits, PEOPLE[0])


def test_a_short_token_in_a_large_text_is_decoded() -> None:
    text = "lorem ipsum " * 900 + base64.b64encode(JOHN.encode()).decode()
    assert set(search(PEOPLE[0]).find(text)) == {JOHN}
    check_tokens(text, PEOPLE[0])


@SOME
@given(st.integers(0, 2**32), st.sampled_from(PEOPLE))
def test_tokens_are_decoded_around_each_word(seed: int, people: list[str]) -> None:
    choose, text = random.Random(seed), ""
    for _ in range(choose.randint(1, 4)):
        inside = "".join(
            choose.choice([*people, "x", "@", '{"e":"', people[0].replace("@", "%40")])
            for _ in range(choose.randint(1, 4))
        ).encode()
        inside = choose.randbytes(choose.choice([0, 0, 1, 2, 3, 800])) + inside
        code = base64.b64encode(inside).decode()
        text += choose.choice([code, code.rstrip("="), inside.hex(), inside.hex().upper()])
        text += choose.choice(["", "", "=", ".", " ", "\n", "a", "ab", "/", "-", "0"])
    check_tokens("lorem ipsum " * choose.choice([0, 0, 900]) + text, people)


def check_octets(data: bytes, people: list[str]) -> None:
    """Compare whom octets show with whom they show in each form they may have."""
    looking = search(people)
    matcher, shown = looking._matcher.for_binary, decodings.read_octets(data)
    low = (data.decode("latin-1") if shown is None else shown).lower()
    found = {*matcher.find(low)}
    if shown is not None:
        found |= {*matcher.find(low.replace("%40", "@").replace("\\u0040", "@"))}
    assert found <= set(looking.find_in_octets(data))
    wide = [data[start:].decode(f"utf-16-{end}e", "replace") for start in (0, 1) for end in "lb"]
    wide += [data[start::4].decode("ascii", "replace") for start in range(4)]
    wide.append(data.translate(address_matcher._ASCII_ONLY).decode("ascii"))
    assert {t for each in wide for t in matcher.find(each.lower())} <= set(
        matcher.find_in_bytes(data)
    )


CODECS = ["utf-8", "latin-1", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]


@MANY
@given(
    st.lists(st.sampled_from([each for group in PEOPLE for each in group]), min_size=1, max_size=3),
    st.sampled_from(["{}", "x {} y", "{} ", "<{}>"]),
    st.sampled_from(["@", "%40", "\\u0040"]),
    st.sampled_from(CODECS),
    st.binary(max_size=5),
)
@example(["jan@ma\u0142pa.example"], "{} ", "@", "utf-16-le", b"\xff")
@example(["john@home.example"], "john@home.example j.d@gmail.com {}", "%40", "utf-8", b"")
def test_octets_are_read_in_all_their_forms(
    keys: list[str], form: str, sign: str, codec: str, around: bytes
) -> None:
    text = " ".join(form.format(key.replace("@", sign, number)) for number, key in enumerate(keys))
    data = text.encode(codec, "replace")
    for people in PEOPLE:
        check_octets(data, people)
        check_octets(around + data + around[::-1], people)
        check_octets(around + data.upper(), people)


def test_a_sign_that_is_escaped_beside_an_address_in_clear_is_read() -> None:
    data = b"ok=o_k@web.example&e=john.doe%40home.example"
    assert set(search(PEOPLE[0]).find_in_octets(data)) == {"o_k@web.example", JOHN}


ROUTES = [*("{1}!{0} x", "{1}={0}@x.example", "{0}%{1}@x.example", "{0}={1}@x", "x {0}@{1}.")]


@pytest.mark.parametrize("form", ROUTES)
def test_short_domains_and_many_are_found_however_they_stand(form: str) -> None:
    for key in ("j@b", "john@home.example"):
        check_domains(form.format(*key.split("@")))


@MANY
@given(st.data())
def test_short_domains_and_many_are_found_as_few_long_ones_are(data: st.DataObject) -> None:
    words = [word for key in DOMAINS for word in (key, *key.split("@"))]
    low = data.draw(st.lists(st.sampled_from([*words, *'@%=!.<>-", x+;']), min_size=2, max_size=9))
    check_domains("".join(low))


DOMAINS = ["john@home.example", "bob@home.example.org", "j@b", "x.y@c.de"]


def check_domains(low: str) -> None:
    """Compare who is found at domains that are long, and few, with who is found at others."""
    found = []
    for name, value in (("_LONG", 4), ("_LONG", 0), ("_SEVERAL", 0)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(address_matcher, name, value)
            found.append(set(AddressMatcher({key: key for key in DOMAINS}).find(low)))
    assert found[0] == found[1] == found[2]


def check_fields(fields: list[tuple[bytes, str]], people: list[str], own: str | None) -> None:
    """Compare whom header fields show at one look with whom they show one by one."""
    headers = [Header(name, b" " + value.encode("utf-8", "replace")) for name, value in fields]
    known = {key: key for key in people}
    at_once = Scanner(known).look(headers, b"", own)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_pass.Scan, "_shows_only_own", lambda *_a: False)
        single = Scanner(known).look(headers, b"", own)
    assert {hit.token for hit in single.hits} <= {hit.token for hit in at_once.hits}
    assert single.unread == at_once.unread


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("\\bin900 x", "o\\u64 \\'3fx.yz"),
        ("\\uc3 a", "bob\\u64?a.b"),
        ("{\\*x", "bob\\u64 \\'3fa.b"),
        ("=?utf-8?b?", "a?=?utf-8?q?bob=40a=2Eb?="),
    ],
)
def test_one_field_hides_nothing_in_the_next(first: str, second: str) -> None:
    for names in ((b"X-One", b"X-Two"), (b"Subject", b"Comments")):
        fields = [(names[0], first), (names[1], second)]
        known = {key: key for key in PEOPLE[2]}
        headers = [Header(name, b" " + value.encode()) for name, value in fields]
        assert Scanner(known).scan(headers[1:], b"")
        check_fields(fields, PEOPLE[2], None)
        check_fields(fields, PEOPLE[2], PEOPLE[2][0])


@MANY
@given(st.data(), st.sampled_from(PEOPLE), st.booleans())
def test_fields_are_looked_at_together_as_one_by_one(
    data: st.DataObject, people: list[str], own: bool
) -> None:
    names = st.sampled_from([b"Subject", b"To", b"X-Foo", b"Received", b"Message-ID", b"X-URL"])
    value = escaped(people).map(lambda text: re.sub(r"\r?\n(?![ \t])|\0", "", text))
    fields = data.draw(st.lists(st.tuples(names, value), min_size=1, max_size=3))
    check_fields(fields, people, people[0] if own else None)


@SOME
@given(st.data())
def test_uuencoded_files_are_looked_for_wherever_they_are(data: st.DataObject) -> None:
    words = st.sampled_from([JOHN.encode(), b"x" * 30, b" "])
    octets = b"".join(data.draw(st.lists(words, min_size=1, max_size=5)))
    lines = [binascii.b2a_uu(octets[at : at + 45]) for at in range(0, len(octets), 45)]
    begin = [b"", b"begin 644 x\n", b"> begin 644 x\n", b"begin-base64 644 x\n"]
    text = data.draw(st.sampled_from([b"", b"hi\n", b"<p>\n", b"a<br>", b"&gt; "]))
    text += data.draw(st.sampled_from(begin)) + b"".join(lines)
    text = text.replace(b"\n", data.draw(st.sampled_from([b"\n", b"\r\n", b"<br>\n"])))
    for markup in (False, True):
        found = list(uuencoded.decode_files(text, markup=markup))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(uuencoded, "_may_hold_file", lambda *_a, **_k: True)
            assert list(uuencoded.decode_files(text, markup=markup)) == found


PAGE = "<a>john.doe&#64;home.example</a>"
PACKED = [
    gzip.compress(JOHN.encode()),
    bz2.compress(JOHN.encode()),
    lzma.compress(JOHN.encode()),
    zlib.compress(JOHN.encode(), wbits=9),
    zlib.compress(JOHN.encode()),
    f"\ufeff{PAGE}".encode("utf-16-le"),
    f"\ufeff{PAGE}".encode("utf-16-be"),
    f"{PAGE}\0".encode(),
    b"%PDF-1.4\nstream\n" + zlib.compress(JOHN.encode()) + b"\nendstream",
    b"{\\rtf1 john.doe\\'40home.example}\0",
    b"PK\3\4\x14\0\0\0\x08\0" + bytes(20) + zlib.compress(JOHN.encode())[2:-4],
]


@pytest.mark.parametrize("before", [b"", b"\0\1\2", b"%!PS\n", b"hello\n"])
@pytest.mark.parametrize("number", range(len(PACKED)))
def test_files_are_carved_wherever_something_may_come_out(number: int, before: bytes) -> None:
    headers = [Header(b"Content-Transfer-Encoding", b" base64")]
    headers.append(Header(b"Content-Type", b" application/octet-stream"))
    for behind in (b"", b"\0", bytes(70_000)):
        body = base64.encodebytes(before + PACKED[number] + behind)
        found = Scanner({JOHN: JOHN}).scan(headers, body)
        assert found or before
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(content_scan.beginnings, "may_hold_more", lambda _data: True)
            assert Scanner({JOHN: JOHN}).scan(headers, body) == found


@pytest.mark.parametrize("type", ["text/plain", "application/octet-stream", "application/x-y"])
@pytest.mark.parametrize("size", range(16, 42))
def test_base64_in_lines_is_decoded_in_parts_of_any_type(type: str, size: int) -> None:
    code = base64.b64encode(b" " * size + JOHN.encode() + b" hello" * 40)
    lines = b"\n".join(code[at : at + 64] for at in range(0, len(code), 64))
    headers = [Header(b"Content-Type", f" {type}".encode())]
    assert Scanner({JOHN: JOHN}).scan(headers, b"before\n" + lines + b"\n")


@MANY
@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("a.\u3002\u200b\u0301")))
def test_what_is_not_seen_is_dropped_quickly_or_not(text: str) -> None:
    low = text.lower()
    plain = unicodedata.normalize("NFKC", characters._UNSEEN.sub("", low)).lower()
    assert characters.drop_invisible(low) == plain.replace("\u3002", ".")


def test_the_sign_of_a_token_is_the_one_that_is_asked_for() -> None:
    assert text_search._SIGN.sub("@", "a%2540b\\u0040c") == "a@b@c"
