"""Addresses and the mailboxes of a header value."""

import base64
import re

import pytest
from cost import within
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversation_tracker.core.model.address import (
    _ONE,
    Address,
    AddressError,
    Mailbox,
    _parse_tokens,
    find_mailboxes,
    read_one,
)
from conversation_tracker.core.syntax.splicing import splice
from conversation_tracker.core.syntax.tokens import split_tokens

LOCALS = st.one_of(
    st.from_regex(r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,12}(\.[a-z0-9]{1,5}){0,2}", fullmatch=True),
    st.text(
        st.characters(codec="utf-8", exclude_categories=["C", "Z"], include_characters=' "\\@'),
        max_size=12,
    ),
)
DOMAINS = st.sampled_from(
    [
        "example.com",
        "x",
        "a_b.example",
        "xn--bcher-kva.example",
        "[192.0.2.1]",
        "[ipv6:2001:db8::1]",
    ]
)
ADDRESSES = st.builds(lambda local, domain: _made(local, domain), LOCALS, DOMAINS)
NOISE = st.lists(
    st.sampled_from(
        [
            b"john@x.example",
            b"<",
            b">",
            b'"',
            b"(",
            b")",
            b",",
            b";",
            b":",
            b"@",
            b".",
            b"\\",
            b" ",
            b"\n ",
            b"[",
            b"]",
            b"=?utf-8?q?=40?=",
            b"\xff",
            "ä".encode(),
            b"\0",
            b"a",
            b"\r",
        ]
    ),
    max_size=30,
).map(b"".join)
VALUES = st.one_of(st.binary(max_size=200), NOISE)


def _made(local: str, domain: str) -> Address:
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    return Address.parse(f'"{escaped}"@{domain}')


def found(value: bytes) -> list[tuple[bytes, str | None, str]]:
    return [
        (value[box.start : box.end], str(box.address) if box.address else None, box.name)
        for box in find_mailboxes(value)
    ]


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("john@doe.example", "john", "doe.example"),
        ("John@Doe.Example", "John", "doe.example"),
        ("john@doe.example.", "john", "doe.example"),
        ("root@localhost", "root", "localhost"),
        ('"john"@x.example', "john", "x.example"),
        ('"john doe"@x.example', "john doe", "x.example"),
        ('"a@b"@x.example', "a@b", "x.example"),
        (r'"a\"b\\c"@x.example', 'a"b\\c', "x.example"),
        ('"john".doe@x.example', "john.doe", "x.example"),
        ('""@x.example', "", "x.example"),
        ("john..doe@x.example", "john..doe", "x.example"),
        ("john.@x.example", "john.", "x.example"),
        ("john%doe.com@x.example", "john%doe.com", "x.example"),
        ("doe.com!john@x.example", "doe.com!john", "x.example"),
        ("jo\u0308rg@x.example", "jörg", "x.example"),
        (b"j\xc3\xb6rg@x.example", "jörg", "x.example"),
        ("a@bücher.example", "a", "xn--bcher-kva.example"),
        ("a@BÜCHER.Example.", "a", "xn--bcher-kva.example"),
        ("a@bücher。example", "a", "xn--bcher-kva.example"),
        ("a@xn--bcher-kva.example", "a", "xn--bcher-kva.example"),
        ("a@faß.example", "a", "xn--fa-hia.example"),
        ("a@XN--Not-Valid--.example", "a", "xn--not-valid--.example"),
        ("a@i❤.example", "a", "xn--i-7iq.example"),
        ("a@_dmarc.x_y.example", "a", "_dmarc.x_y.example"),
        ("a@[192.0.2.1]", "a", "[192.0.2.1]"),
        ("a@[IPv6:2001:DB8::1]", "a", "[ipv6:2001:db8::1]"),
        ("a" * 64 + "@x.example", "a" * 64, "x.example"),
        ("ä" * 32 + "@x.example", "ä" * 32, "x.example"),
        ("a@" + "b" * 63 + ".example", "a", "b" * 63 + ".example"),
        ("a@" + "b." * 126 + "c", "a", "b." * 126 + "c"),
    ],
)
def test_parse_reads(text: str | bytes, local: str, domain: str) -> None:
    """A valid address has its parts as they are meant."""
    assert Address(local, domain) == Address.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "john",
        "@x.example",
        "john@",
        "a@b@c",
        "john doe@x.example",
        " john@x.example",
        "<john@x.example>",
        "john@x.example (John)",
        'jo"hn"@x.example',
        '"john@x.example',
        r"jo\hn@x.example",
        "john@x..example",
        "john@.example",
        "john@x.example..",
        "john@x y.example",
        "john@x/y.example",
        "john@x℀y.example",
        "john@[]",
        "john@[192.0.2.1",
        "john@[a b]",
        "a@xn--ä.example",
        "a@\u0308x.example",
        "john\r@x.example",
        "john\n@x.example",
        "john@x.example\n",
        "jo\0hn@x.example",
        '"jo\thn"@x.example',
        "jo\x85hn@x.example",
        "jo\u2028hn@x.example",
        "jo\udcffhn@x.example",
        "john@\ud800.example",
        b"jo\xffhn@x.example",
        "a" * 65 + "@x.example",
        "ä" * 33 + "@x.example",
        "a@" + "b" * 64 + ".example",
        "a@" + "ü" * 63 + ".example",
        "a@" + "b." * 127 + "c",
        '"' + '\\"' * 64 + '"@' + "b." * 120 + "c",
        "a@" + "b" * 100_000,
    ],
)
def test_parse_refuses(text: str | bytes) -> None:
    """What is no address, holds controls or is too long is an AddressError that quotes nothing."""
    with pytest.raises(AddressError) as caught:
        Address.parse(text)
    assert "x.example" not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("John@Example.COM", '"john"@example.com.'),
        ("a@Bücher.example", "A@XN--BCHER-KVA.EXAMPLE"),
        ("JO\u0308RG@x.example", "jörg@x.example"),
        ("a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]"),
    ],
)
def test_forms_of_one_address_have_one_key(one: str, other: str) -> None:
    assert Address.parse(one).key == Address.parse(other).key


@pytest.mark.parametrize("other", ["john+tag@x.example", "jo.hn@x.example", "john@y.x.example"])
def test_other_addresses_have_other_keys(other: str) -> None:
    assert Address.parse("john@x.example").key != Address.parse(other).key


@given(ADDRESSES)
@example(Address("a..b", "x.example"))
@example(Address('a"\\ @', "x.example"))
def test_an_address_written_out_reads_back_as_itself(address: Address) -> None:
    assert Address.parse(str(address)) == address
    assert Address.parse(str(address).encode()) == address


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60), NOISE))
@example('"' + "\\" * 501)
@example("." * 999 + '"')
def test_parse_raises_nothing_but_address_error(text: str | bytes) -> None:
    try:
        address = Address.parse(text)
    except AddressError:
        return
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", []),
        (b"john@doe.example", [(b"john@doe.example", "john@doe.example", "")]),
        (b"John Q. Doe <j@x>", [(b"j@x", "j@x", "John Q. Doe")]),
        (b'"Doe, John" <j@x>, b@x', [(b"j@x", "j@x", "Doe, John"), (b"b@x", "b@x", "")]),
        (b"Doe, John <j@x>", [(b"j@x", "j@x", "John")]),
        (b"=?utf-8?q?J=C3=B6rg?=\n <j@x>", [(b"j@x", "j@x", "Jörg")]),
        ("Jörg <jörg@bücher.example>".encode(), [
            ("jörg@bücher.example".encode(), "jörg@xn--bcher-kva.example", "Jörg")
        ]),
        (b"friends: a@x, B <b@y>;", [(b"a@x", "a@x", ""), (b"b@y", "b@y", "B")]),
        (b"undisclosed-recipients:;", []),
        (b"undisclosed-recipients: ;, a@x", [(b"a@x", "a@x", "")]),
        (b"a@x; b@y;", [(b"a@x", "a@x", ""), (b"b@y", "b@y", "")]),
        (b"<@a,@b:john@doe.example>", [(b"@a,@b:john@doe.example", "john@doe.example", "")]),
        (b"john@x (John (nested) Doe)", [(b"john@x", "john@x", "John (nested) Doe")]),
        (b"(John) john@x", [(b"john@x", "john@x", "John")]),
        (b"<john@x> (John), (c)", [(b"john@x", "john@x", "John")]),
        (b"J <john@x> (John)", [(b"john@x", "john@x", "J")]),
        (b"john @ doe . example", [(b"john @ doe . example", "john@doe.example", "")]),
        (b"<john(c)@(d)doe.example(e)>", [(b"john(c)@(d)doe.example", "john@doe.example", "")]),
        (b'"john\n doe"@x', [(b'"john\n doe"@x', '"john doe"@x', "")]),
        (b"john@[IPv6:2001:db8::1]", [(b"john@[IPv6:2001:db8::1]", "john@[ipv6:2001:db8::1]", "")]),
        (b"john@ [192.0.2.1]", [(b"john@ [192.0.2.1]", "john@[192.0.2.1]", "")]),
        (b'"a@b" <c@d>', [(b"c@d", "c@d", "a@b")]),
        (b"john@x <john@x>", [(b"john@x", "john@x", "john@x")]),
        (b"john%doe.com@x", [(b"john%doe.com@x", "john%doe.com@x", "")]),
        (b"a@x, <>", [(b"a@x", "a@x", "")]),
        (b"<>", []),
        (b"MAILER-DAEMON <>", []),
        # Broken ones: every candidate, or one without an address.
        (b"a@x b@y\n c@z", [(b"a@x", "a@x", ""), (b"b@y", "b@y", ""), (b"c@z", "c@z", "")]),
        (b"A <a@x> B <b@y>", [(b"a@x", "a@x", "A"), (b"b@y", "b@y", "B")]),
        (b"<a@b> <c@d>", [(b"a@b", "a@b", ""), (b"c@d", "c@d", "")]),
        (b"<a@b> c@d", [(b"a@b", "a@b", ""), (b"c@d", "c@d", "")]),
        (b"a@b <>", [(b"a@b", "a@b", "")]),
        (b"John Doe john@x", [(b"john@x", "john@x", "John Doe")]),
        (b"John <john@x, jane@y", [(b"john@x", "john@x", "John"), (b"jane@y", "jane@y", "")]),
        (b"<<john@x>>", [(b"john@x", "john@x", "")]),
        (b"<mailto:john@x>", [(b"john@x", "john@x", "")]),
        (b"[john@x]", [(b"john@x", "john@x", "")]),
        (b'"John <john@x>', [(b"john@x", "john@x", '"John')]),
        (b"(John john@x", [(b"john@x", "john@x", "(John")]),
        (b"john@x)", [(b"john@x", "john@x", "")]),
        (b"a@b@c", [(b"a@b@c", None, "")]),
        (b"X <a@b@c>", [(b"a@b@c", None, "X")]),
        (b"<john doe@x>", [(b"john doe@x", None, "")]),
        (b'"John"john@x', [(b'"John"john@x', None, "")]),
        (b"jo[hn@x", [(b"jo[hn@x", None, "")]),
        (b"Hello Mr. john@x", [(b"Mr. john@x", None, "Hello")]),
        (b"a@x, john@", [(b"a@x", "a@x", ""), (b"john@", None, "")]),
        (b"a@x, doe.com!john", [(b"a@x", "a@x", ""), (b"doe.com!john", None, "")]),
        (b"a@x, john%doe.com", [(b"a@x", "a@x", ""), (b"john%doe.com", None, "")]),
        (b"J <root>", [(b"root", None, "J")]),
        (b"root", [(b"root", None, "")]),
        (b"root, a@x", [(b"a@x", "a@x", "")]),
        (b" \xff\xfe@x , a@x", [(b"\xff\xfe@x", None, ""), (b"a@x", "a@x", "")]),
        (b"=?utf-8?b?PGFAYj4=?=", [(b"=?utf-8?b?PGFAYj4=?=", None, "")]),
    ],
)  # fmt: skip
def test_mailboxes(value: bytes, expected: list[tuple[bytes, str | None, str]]) -> None:
    """Each mailbox has the exact span, the address a reply would go to, and its name."""
    assert found(value) == expected


@given(st.from_regex(_ONE, fullmatch=True))
@example(b'"a  b." <john@x.example>')
@example(b"John_Doe x-1 <john+tag@x.example>")
@example(b"john..doe@x.example")
@example(b"<john@x..example>")
def test_one_address_is_read_as_token_by_token(value: bytes) -> None:
    """What a plain value is, with or without a plain name, does not depend on how it is read."""
    only = read_one(value)
    assert only is None or [only] == _parse_tokens(value)


@given(VALUES)
@example(b"(" * 40 + b'"a@b')
@example(b"<@a, b@c: d@e>")
def test_spans_are_ascending_disjoint_and_within_the_value(value: bytes) -> None:
    position = 0
    for box in find_mailboxes(value):
        assert position <= box.start < box.end <= len(value)
        position = box.end


@given(VALUES)
def test_replacing_each_span_by_itself_changes_nothing(value: bytes) -> None:
    boxes = find_mailboxes(value)
    assert splice(value, [(b.start, b.end, value[b.start : b.end]) for b in boxes]) == value


@given(VALUES, st.binary(max_size=5))
def test_replacing_spans_leaves_every_other_byte(value: bytes, new: bytes) -> None:
    boxes = find_mailboxes(value)
    result = splice(value, [(box.start, box.end, new) for box in boxes])
    edges = [0, *(edge for box in boxes for edge in (box.start, box.end)), len(value)]
    outside = [value[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]
    assert result == new.join(outside)


def test_no_edits_give_the_same_object() -> None:
    value = b"some value"
    assert splice(value, []) is value


@given(VALUES)
def test_tokens_leave_out_nothing_but_blanks(value: bytes) -> None:
    rest = splice(value, [(start, end, b"") for _, start, end in split_tokens(value)])
    assert not rest.strip(b" \t\r\n")


NAMES = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x17F, exclude_categories=["C", "Z"]),
    min_size=1,
    max_size=10,
)
SPACE = st.sampled_from([b" ", b"\n ", b"\r\n\t", b"  "])
COMMENTS = st.sampled_from([b"", b"(c)", b"(a (b) \\) x@y, <z@w>)", b'("a@b)'])


def _quoted(name: str) -> bytes:
    return b'"' + re.sub(r'(["\\])', r"\\\1", name).encode() + b'"'


def _encoded(name: str) -> bytes:
    return b"=?utf-8?B?" + base64.b64encode(name.encode()) + b"?="


@st.composite
def rendered(draw: st.DrawFn) -> tuple[Address, str, bytes]:
    """One mailbox in one of the ways people write it."""
    address = draw(ADDRESSES)
    spec = str(address).encode()
    name = draw(NAMES)
    phrase = draw(st.sampled_from([_quoted, _encoded]))(name)
    space, comment = draw(SPACE), draw(COMMENTS)
    form = draw(st.sampled_from(["bare", "angle", "named", "routed", "grouped"]))
    match form:
        case "bare":
            return address, "", spec + space + comment
        case "angle":
            return address, "", b"<" + spec + b">" + comment
        case "routed":
            return address, name, phrase + space + b"<@a.example,@b:" + spec + b">"
        case "grouped":
            return address, name, b"Group" + comment + b":" + phrase + b"<" + spec + b">" + b";"
    return address, name, comment + phrase + space + comment + b"<" + spec + space + b">"


@given(st.lists(st.tuples(rendered(), SPACE), max_size=8))
def test_a_written_list_gives_exactly_its_addresses(
    parts: list[tuple[tuple[Address, str, bytes], bytes]],
) -> None:
    value = b",".join(space + text for (_, _, text), space in parts)
    boxes = find_mailboxes(value)
    assert [part[0] for part, _ in parts] == [box.address for box in boxes]
    for (_, name, _), box in zip((part for part, _ in parts), boxes, strict=True):
        assert box.name == name or not name


@given(
    st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='"\\'), max_size=9),
    VALUES.filter(lambda value: b'"' not in value and b"\\" not in value),
)
def test_a_quoted_display_name_is_never_an_address(name: str, inner: bytes) -> None:
    value = b'"' + name.encode() + inner + b'" <john@doe.example>'
    assert [box.address for box in find_mailboxes(value)] == [Address("john", "doe.example")]


def test_comments_nest_to_any_depth() -> None:
    value = b"(" * 5000 + b"x" + b")" * 5000 + b"john@x"
    assert [(len(value) - 6, len(value))] == [(b.start, b.end) for b in find_mailboxes(value)]


def test_five_thousand_addresses_are_read_fast() -> None:
    value = b",\n ".join(b"P%d Q <p%d@m%d.example>" % (i, i, i) for i in range(5000))
    assert len(within(1, lambda: find_mailboxes(value))) == 5000


@pytest.mark.parametrize(
    "piece",
    [
        b"(",
        b")",
        b'"',
        b"<",
        b">",
        b"[",
        b"@[",
        b"\\",
        b"a@",
        b"a.",
        b"(\\",
        b" ",
        b"=?a?q?x",
        b"<@a,",
        b",",
        b"(a)",
        b'"(',
        b'("',
        b"<(",
        b":",
        b"=?utf-8?q?=e4?= ",
        b"\n ",
        b"\xff",
    ],
)
def test_hostile_values_take_linear_time(piece: bytes) -> None:
    """60 kB is what Postfix lets through; a quadratic reader would need minutes."""
    within(1, lambda: find_mailboxes(piece * (60_000 // len(piece))))


@settings(max_examples=20)
@given(ADDRESSES)
def test_a_mailbox_is_a_value(address: Address) -> None:
    assert Mailbox(0, 1, address, "") == Mailbox(0, 1, address, "")
    assert len({address, Address(address.local, address.domain)}) == 1
