"""Masking of bodies, and what a timeline shows of them."""

import base64
import email
import email.message
import quopri
from collections.abc import Callable
from dataclasses import dataclass
from email import policy

import pytest
from cost import within
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.address.mask import FunctionMask, Masker
from conversation_tracker.core.masking.part import message_body
from conversation_tracker.core.syntax.controls import clean_text

REAL = "john@doe.example"
ALIAS = "ff2e@ct.example.com"
MASK = Masker({REAL: ALIAS})
MIXED = b'multipart/mixed; boundary="b"'

Headers = list[tuple[bytes, bytes]]


def headers(content_type: bytes, encoding: bytes = b"") -> Headers:
    found = [(b"Content-Type", content_type)]
    return [*found, (b"Content-Transfer-Encoding", encoding)] if encoding else found


def masked(found: Headers, body: bytes, mask: Callable[[str], str] = MASK) -> bytes:
    return message_body.mask_body(message_body.read_structure(found, body), body, mask)


def b64(text: str, charset: str = "utf-8") -> bytes:
    return base64.encodebytes(text.encode(charset))


CASES: dict[str, tuple[Headers, bytes, bytes]] = {
    "plain": ([], b"I am john@doe.example.\r\n", b"I am ff2e@ct.example.com.\r\n"),
    "quoted line": (
        headers(b"text/plain; format=flowed; delsp=yes"),
        b"On Monday \r\n> > JOHN@doe.example \r\n> > wrote\r\n",
        b"On Monday \r\n> > ff2e@ct.example.com \r\n> > wrote\r\n",
    ),
    "latin-1 around it": (
        headers(b"text/plain; charset=iso-8859-1", b"8bit"),
        b"caf\xe9 john@doe.example caf\xe9",
        b"caf\xe9 ff2e@ct.example.com caf\xe9",
    ),
    "unknown charset and encoding": (
        headers(b"text/plain; charset=nonsense", b"nonsense"),
        b"\xff john@doe.example",
        b"\xff ff2e@ct.example.com",
    ),
    "utf-7": (
        headers(b"text/plain; charset=utf-7"),
        b"john+AEA-doe.example",
        b"ff2e@ct.example.com",
    ),
    "quoted-printable, only its line": (
        headers(b"text/plain", b"quoted-printable"),
        b"=E9=\r\n=e9 \r\n<john=\r\n=40doe.exam=\r\nple>\r\n=41 ==\r\n",
        b"=E9=\r\n=e9 \r\n<ff2e@ct.example.com>\r\n=41 ==\r\n",
    ),
    "folded in its midst, in a part's header": (
        headers(MIXED),
        b"--b\nX-To: john@doe.exam\n ple\nX-Other: kept\n  as it is\n\nHello\n--b--\n",
        b"--b\nX-To: ff2e@ct.example.com\nX-Other: kept\n  as it is\n\nHello\n--b--\n",
    ),
    "quoted-printable not declared": ([], b"john=40doe.example", b"ff2e=40ct.example.com"),
    "quoted-printable hides that the domain goes on": (
        headers(b"text/plain", b"quoted-printable"),
        b"john@doe.example=\n.org john@doe.example=2Eorg",
        b"john@doe.example=\n.org john@doe.example=2Eorg",
    ),
    "base64": (
        headers(b"text/plain", b"base64"),
        b"PGpvaG5AZG9lLmV4\r\nYW1wbGU+\r\n",
        b"PGZmMmVAY3QuZXhhbXBsZS5jb20+\r\n",
    ),
    "in clear after base64": (
        headers(b"text/plain", b"base64"),
        b"YWJj\n--\njohn@doe.example\n",
        b"YWJj\n--\nff2e@ct.example.com\n",
    ),
    "html": (
        headers(b"text/html"),
        b'<a href="mailto:john@doe.example?x=1&amp;y">john&#64;doe.example</a>&nbsp;'
        b"<!-- john&#x40;doe&period;example --><i title='john&commat;doe.example'>&lt;john@doe"
        b".example&gt; caf&eacute;",
        b'<a href="mailto:ff2e@ct.example.com?x=1&amp;y">ff2e@ct.example.com</a>&nbsp;'
        b"<!-- ff2e@ct.example.com --><i title='ff2e@ct.example.com'>&lt;ff2e@ct.example.com"
        b"&gt; caf&eacute;",
    ),
    "html, url-encoded": (
        headers(b"text/html"),
        b'<a href="https://a.example/?u=john%40doe.example&amp;v">',
        b'<a href="https://a.example/?u=ff2e%40ct.example.com&amp;v">',
    ),
    "html hides that the name or the domain goes on": (
        headers(b"text/html"),
        b"john@doe.example&#46;org &#120;john@doe.example &amp;",
        b"john@doe.example&#46;org &#120;john@doe.example &amp;",
    ),
    "html, two in one word": (
        headers(b"text/html"),
        b"john&#64;doe.example&amp;john@doe.example&lt;x",
        b"ff2e@ct.example.com&amp;ff2e@ct.example.com&lt;x",
    ),
    "attachments that are no text": (
        headers(b"application/octet-stream"),
        b"john@doe.example",
        b"john@doe.example",
    ),
    "part headers": (
        headers(MIXED),
        b'--b\r\nContent-Type: image/png;\r\n name*0="john@d";\r\n name*1="oe.example.png"\r\n'
        b"Content-Description: =?utf-8?q?john=40doe.example?=\r\n<john@doe.example>\r\n"
        b"X-Y: z\r\n\r\n"
        b"john@doe.example\r\n--b--\r\n",
        b'--b\r\nContent-Type: image/png;\r\n name="ff2e@ct.example.com.png"\r\n'
        b"Content-Description: =?utf-8?q?ff2e=40ct=2Eexample=2Ecom?=\r\n<ff2e@ct.example.com>\r\n"
        b"X-Y: z\r\n\r\njohn@doe.example\r\n--b--\r\n",
    ),
    "preamble and epilogue": (
        headers(MIXED),
        b"john@doe.example\n--b\n\nx\n--b--\njohn@doe.example",
        b"ff2e@ct.example.com\n--b\n\nx\n--b--\nff2e@ct.example.com",
    ),
    "multipart without parts": (headers(MIXED), b"john@doe.example", b"ff2e@ct.example.com"),
    "message inside": (
        headers(b"message/rfc822"),
        b"From: John <john@doe.example>\nContent-Transfer-Encoding: base64\n\n" + b64(REAL),
        b"From: John <ff2e@ct.example.com>\nContent-Transfer-Encoding: base64\n\n" + b64(ALIAS),
    ),
    "encoded message inside": (
        headers(b"message/rfc822", b"base64"),
        b64("From: <john@doe.example>\n\njohn@doe.example\n"),
        b64("From: <ff2e@ct.example.com>\n\nff2e@ct.example.com\n"),
    ),
    "headers of a message": (
        headers(b"text/rfc822-headers"),
        b"To: =?utf-8?b?am9obkBkb2UuZXhhbXBsZQ==?=\n",
        b"To: =?utf-8?q?ff2e=40ct=2Eexample=2Ecom?=\n",
    ),
    "delivery status": (
        headers(b"message/delivery-status"),
        b"Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822;john@doe.example\n",
        b"Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822;ff2e@ct.example.com\n",
    ),
    "utf-16 under no name": (
        headers(b"text/plain"),
        "<john@doe.example>".encode("utf-16-le"),
        "<ff2e@ct.example.com>".encode("utf-16-le"),
    ),
    "other people": (
        headers(b"text/plain"),
        b"xjohn@doe.example, john@doe.example.org, anna.john@doe.example",
        b"xjohn@doe.example, john@doe.example.org, anna.john@doe.example",
    ),
}


@pytest.mark.parametrize(("found", "body", "expected"), CASES.values(), ids=list(CASES))
def test_an_address_is_replaced_and_every_other_byte_stays(
    found: Headers, body: bytes, expected: bytes
) -> None:
    result = masked(found, body)
    assert result == expected
    assert (result is body) == (expected == body)


@pytest.mark.parametrize(("found", "body", "expected"), CASES.values(), ids=list(CASES))
def test_a_mask_that_cannot_be_asked_beforehand_gives_the_same(
    found: Headers, body: bytes, expected: bytes
) -> None:
    assert masked(found, body, FunctionMask(MASK)) == expected


@pytest.mark.parametrize(("found", "body", "_expected"), CASES.values(), ids=list(CASES))
def test_a_mask_that_finds_nothing_gives_the_same_object(
    found: Headers, body: bytes, _expected: bytes
) -> None:
    assert masked(found, body, FunctionMask(lambda text: text)) is body


def test_a_charset_that_lacks_the_replacement_is_declared_anew() -> None:
    body = b"--b\nContent-Type: text/plain; charset=iso-8859-1; x=y\n\ncaf\xe9 %s\n--b--"
    result = masked(headers(MIXED), body % REAL.encode(), Masker({REAL: "ё@doe.example"}))
    expected = 'text/plain; charset="utf-8"; x=y\n\ncafé ё@doe.example\n'
    assert expected.encode() in result


@pytest.mark.parametrize("header", [b"", b"Content-Type: text/plain;\n", b"X: y\n"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_charset_is_declared_where_there_was_none(header: bytes, line_end: bytes) -> None:
    lines = b"--b\n" + header + b"\n" + REAL.encode() + b"\n--b--"
    body = lines.replace(b"\n", line_end)
    result = masked(headers(MIXED), body, Masker({REAL: "ё@doe.example"}))
    part = message_body.read_structure(headers(MIXED), result).children[0]
    assert (part.type, part.charset) == ("text/plain", "utf-8")
    assert result[slice(*part.content)] == "ё@doe.example".encode()
    assert header.rstrip(b";\n") in result
    assert result.count(line_end) == result.count(b"\n")


def test_html_writes_as_references_what_its_charset_lacks() -> None:
    result = masked(
        headers(b"text/html; charset=iso-8859-1"), REAL.encode(), Masker({REAL: "ё@d.example"})
    )
    assert result == b"&#1105;@d.example"


def test_the_charset_of_the_outermost_part_stays() -> None:
    mask = Masker({REAL: "ё@d.example"})
    latin = headers(b"text/plain; charset=iso-8859-1")
    assert masked(latin, b"caf\xe9 " + REAL.encode(), mask) == b"caf\xe9 ?@d.example"
    ascii_only = headers(b"text/plain; charset=us-ascii")
    assert masked(ascii_only, REAL.encode(), mask) == "ё@d.example".encode()


def test_another_kind_of_content_is_masked_by_adding_it_to_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def card(data: bytes, label: str, mask: message_body.Mask) -> tuple[bytes, str]:
        return data.replace(b"john", b"mary"), label

    monkeypatch.setitem(message_body.LEAVES, "application/x-card", card)
    assert masked(headers(b"application/x-card", b"base64"), b64("john")) == b64("mary")


# Generated messages: trees of parts in every encoding, with an address planted in some of them.


@dataclass
class Node:
    """One generated part."""

    raw: bytes
    planted: bool


CHARSETS = ["utf-8", "iso-8859-1", "iso-2022-jp", "utf-16", "koi8-r", "windows-1252", "utf-7"]
ENCODINGS = ["7bit", "8bit", "quoted-printable", "base64"]
FILLER = st.text(st.sampled_from("abc éя日=-.\t\n ><&;"), max_size=60)


def transferred(data: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        return base64.encodebytes(data)
    return quopri.encodestring(data) if encoding == "quoted-printable" else data


@st.composite
def leaf(draw: st.DrawFn) -> Node:
    charset, encoding = draw(st.sampled_from(CHARSETS)), draw(st.sampled_from(ENCODINGS))
    if charset == "utf-16" and encoding in ("7bit", "8bit"):
        encoding = "base64"
    planted = draw(st.booleans())
    before, after = (t.encode(charset, "ignore").decode(charset) for t in draw(PAIRS))
    text = f"{before} <{REAL if planted else 'anna@doe.example'}> {after}"
    data = transferred(text.encode(charset), encoding)
    header = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n"
    return Node(header.encode() + b"\n" + data, planted)


@st.composite
def attachment(draw: st.DrawFn) -> Node:
    data = draw(st.binary(max_size=50)) + REAL.encode()
    header = b"Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n"
    return Node(header + base64.encodebytes(data), planted=False)


def container(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.builds(multipart, st.lists(children, min_size=1, max_size=3), st.uuids())


def multipart(parts: list[Node], boundary: object) -> Node:
    delimiter = f"--{boundary}\n".encode()
    raw = b"".join(delimiter + part.raw + b"\n" for part in parts)
    header = f'Content-Type: multipart/mixed; boundary="{boundary}"\n\n'.encode()
    closing = f"--{boundary}--\n".encode()
    return Node(header + raw + closing, any(part.planted for part in parts))


def forwarded(node: Node) -> Node:
    return Node(b"Content-Type: message/rfc822\n\nSubject: x\n" + node.raw, node.planted)


PAIRS = st.tuples(FILLER, FILLER)
TREES = st.recursive(
    leaf() | attachment(), lambda inner: container(inner) | inner.map(forwarded), max_leaves=6
).filter(lambda node: b"multipart" in node.raw)


def split(raw: bytes) -> tuple[Headers, bytes]:
    """Cut a generated part into its Content-Type and the rest."""
    header, _, body = raw.partition(b"\n\n")
    value = header.split(b"\n")[0].removeprefix(b"Content-Type: ")
    if body.startswith(b"Subject: x\n"):
        return [(b"Content-Type", value)], body
    return [(b"Content-Type", value)], body


def stdlib_leaves(raw: bytes) -> list[tuple[str, bytes, str]]:
    """Decode all leaves with the standard library: media type, bytes as they stand, text."""
    found = []
    message: email.message.Message = email.message_from_bytes(raw, policy=policy.compat32)
    for part in message.walk():
        if part.is_multipart():
            continue
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        text = data.decode(part.get_content_charset("latin-1"))
        found.append((part.get_content_type(), part.get_payload().encode("utf-8", "replace"), text))
    return found


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None)
@given(TREES, st.booleans())
def test_leaves_of_any_message_hold_the_alias_and_the_others_stay(node: Node, crlf: bool) -> None:
    """The standard library decodes, independently, what we masked."""
    found, body = split(node.raw)
    if crlf and b"utf-16" not in body:
        body = body.replace(b"\n", b"\r\n")
    result = masked(found, body)
    assert (result is not body) == node.planted
    head = b"Content-Type: " + found[0][1] + b"\n\n"
    old, new = stdlib_leaves(head + body), stdlib_leaves(head + result)
    assert len(old) == len(new)
    for (kind, raw, text), (_, raw_now, text_now) in zip(old, new, strict=True):
        if kind == "text/plain" and REAL in text:
            assert text_now.splitlines() == text.replace(REAL, ALIAS).splitlines()
        else:
            assert raw_now == raw


@given(TREES)
def test_masking_a_masked_message_changes_nothing(node: Node) -> None:
    found, body = split(node.raw)
    once = masked(found, body)
    assert masked(found, once) is once


WORDS = st.sampled_from(
    [
        *(
            b"--b",
            b"--b--",
            b"\n",
            b"\r\n",
            b"\n\n",
            b" ",
            b";",
            b'"',
            b"=?utf-8?q?=40?=",
            b"&#64;",
        ),
        *(b"Content-Type: ", b"multipart/mixed; boundary=b", b"message/rfc822", b"text/html"),
        *(b"; charset=utf-7", b"; charset=utf-16", b"; name*0*=x", b"<p", b"<!--", b"<![", b"]>"),
        *(b"Content-Transfer-Encoding: ", b"base64", b"quoted-printable", b"=\n", b"am9o"),
        *(b"Content-Disposition: attachment", b"; filename=x", b"\0", b"\xff", b"john@doe.example"),
        *(b"+2AA-", b"\xd8\x00", b"<script>", b"&", b"&#xd800;"),
    ]
)
JUNK = st.lists(WORDS, max_size=40).map(b"".join) | st.binary(max_size=100)
NAMES = st.sampled_from(
    [b"Content-Type", b"content-transfer-encoding", b"Content-Disposition", b"X"]
)
ANY_HEADERS = st.lists(st.tuples(NAMES, JUNK), max_size=4)


@given(ANY_HEADERS, JUNK)
def test_arbitrary_bytes_stay_the_same_object_and_raise_nothing(
    found: Headers, body: bytes
) -> None:
    part = message_body.read_structure(found, body)
    assert message_body.mask_body(part, body, FunctionMask(lambda text: text)) is body
    shown = clean_text(message_body.find_text(part, body)[1]) + "".join(
        message_body.find_attachment_names(part, part)
    )
    shown.encode()
    assert not any(ord(c) < 32 and c != "\n" and c != "\t" for c in shown)


@given(ANY_HEADERS, JUNK)
def test_arbitrary_bytes_are_masked_without_raising(found: Headers, body: bytes) -> None:
    result = masked(found, body)
    if found == []:
        assert b" john@doe.example " not in b" " + result + b" "


TEXTS = [
    ([], b"Hello\r\nworld\r\n", "Hello\nworld\n"),
    (headers(b"text/plain; charset=koi8-r", b"base64"), b64("тест", "koi8-r"), "тест"),
    ([], b"a\0b\x07c\td", "abc\td"),
    ([], "a\u202eb".encode(), "ab"),
    (
        headers(b'multipart/alternative; boundary="b"'),
        b"--b\nContent-Type: text/html\n\n<p>rich\n--b\nContent-Type: text/plain\n\nplain\n--b--",
        "plain",
    ),
    (
        headers(MIXED),
        b"--b\nContent-Disposition: attachment\n\nattached\n--b\n\nshown\n--b--",
        "shown",
    ),
    (headers(MIXED), b"--b\nContent-Type: text/plain; name=x\n\nn\n--b\n\nshown\n--b--", "shown"),
    (headers(MIXED), b"--b\n\n \n--b\nContent-Type: text/html\n\n<b>rich</b>\n--b--", "rich"),
    (headers(MIXED), b"--b\nContent-Type: message/rfc822\n\nA: b\n\ninside\n--b--", "inside"),
    (
        headers(MIXED),
        b"--b\nContent-Type: message/rfc822\n\nA: b\n\ninside\n--b\n\noutside\n--b--",
        "outside",
    ),
    (headers(b"application/pdf"), b"%PDF", ""),
    (
        headers(b"text/html"),
        b"<html><head><title>t</title><style>p{}</style><script>if (a<b) x()</script></head>"
        b"<body><h1>One</h1><p>two&nbsp;&amp; <b>th</b>ree<br>four</p><!-- no --><ul><li>five",
        "One\n\ntwo & three\nfour\n\nfive",
    ),
    (headers(b"text/html"), b"a <![foo bar]> b", "a b"),
    (headers(b"text/html"), b"<style>never closed", ""),
]


@pytest.mark.parametrize(("found", "body", "expected"), TEXTS)
def test_readable_text_is_the_first_plain_text_else_html(
    found: Headers, body: bytes, expected: str
) -> None:
    _, shown = message_body.find_text(message_body.read_structure(found, body), body)
    assert clean_text(shown) == expected


def part(*lines: str) -> bytes:
    return "\n".join(["--b", *lines, "", "x", ""]).encode()


NAMED = [
    (part("Content-Type: text/plain"), ()),
    (part("Content-Type: image/png; name=a.png"), ("a.png",)),
    (part("Content-Disposition: attachment; filename=a.txt"), ("a.txt",)),
    (part('Content-Disposition: inline; filename="=?utf-8?q?caf=C3=A9?="'), ("café",)),
    (part("Content-Disposition: attachment; filename*0*=utf-8''a%20; filename*1=b"), ("a b",)),
    (part("Content-Disposition: attachment; filename=a", "Content-Type: x/y; name=b"), ("a",)),
    (part("Content-Disposition: attachment"), ("part-1",)),
    (part("") + part("Content-Disposition: attachment"), ("part-2",)),
    (part('Content-Type: x/y; name="../../etc/passwd"'), ("passwd",)),
    (part('Content-Type: x/y; name="C:\\tmp\\a.txt"'), ("a.txt",)),
    (part('Content-Disposition: attachment; filename=".."'), ("part-1",)),
    (part("Content-Type: x/y; name*=utf-8''a%00%0a%e2%80%aeb"), ("a b",)),
    (
        part("Content-Type: message/rfc822", "Content-Disposition: attachment", "", "A: b"),
        ("message.eml",),
    ),
    (
        part("Content-Type: message/rfc822", "", "Content-Type: x/y; name=inside"),
        ("inside",),
    ),
    (part("Content-Type: message/rfc822; name=a.eml", "", "Content-Type: x/y; name=b"), ("a.eml",)),
]


@pytest.mark.parametrize(("body", "expected"), NAMED)
def test_attachments_are_named(body: bytes, expected: tuple[str, ...]) -> None:
    body += b"--b--\n"
    part = message_body.read_structure(headers(MIXED), body)
    assert message_body.find_attachment_names(part, part) == expected


def test_a_large_attachment_passes_quickly() -> None:
    data = base64.encodebytes(bytes(18_000_000))
    body = b"--b\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    body += data + b"\r\n--b--\r\n"
    assert within(1, lambda: masked(headers(MIXED), body)) is body


HOSTILE_HTML = ["<", "<!--", "<a ", "</", "&", "<![", '<a href="', "<script ", "<p x='", "&#", "<?"]


@pytest.mark.parametrize("piece", HOSTILE_HTML)
def test_broken_markup_is_read_and_masked_in_bounded_time(piece: str) -> None:
    body = (piece * (300_000 // len(piece)) + " john&#64;doe.example").encode()
    found = headers(b"text/html")
    within(3, lambda: message_body.find_text(message_body.read_structure(found, body), body))
    assert ALIAS.encode() in within(3, lambda: masked(found, body))


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
@pytest.mark.parametrize("hidden", ["", "\u00ad", "&shy;", "&#173;"])
def test_wide_text_with_a_line_end_of_one_octet_is_masked(
    charset: str, kind: str, hidden: str
) -> None:
    """What transports put at its end is no whole character, and no reason to read none of it."""
    text = f"<p>john{hidden}@doe.example</p>".encode(charset)
    body = "".join(f"={each:02X}" for each in text).encode() + b"\n"
    found = headers(f"{kind}; charset={charset}".encode(), b"quoted-printable")
    people = People([REAL])
    part = message_body.read_structure(found, body)
    new = message_body.mask_body(part, body, MASK, people=people, attachments="refuse")
    shown = quopri.decodestring(new)
    assert shown.endswith(b"\n")
    assert shown[:-1].decode(charset) == f"<p>{ALIAS}</p>"
