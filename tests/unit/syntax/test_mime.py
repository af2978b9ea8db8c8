"""The MIME structure of a message: what is a part, where it stands, and what is too much."""

import base64
from contextlib import suppress
from itertools import pairwise

import pytest
from cost import proportionate, within
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.scanning import parts
from conversation_tracker.core.syntax import delimiters, mime, parameters
from conversation_tracker.core.syntax.mime import (
    MAX_DEPTH,
    MAX_PARTS,
    Part,
    TooComplex,
    read_structure,
)


def structure(content_type: bytes, body: bytes) -> Part:
    return read_structure([(b"Content-Type", content_type)], body)


def outline(part: Part, body: bytes) -> object:
    """Return the type and the content of each leaf, nested as the parts are."""
    if part.children:
        return [outline(child, body) for child in part.children]
    return part.type, body[slice(*part.content)]


MIXED = b'multipart/mixed; boundary="b"'
PLAIN = "text/plain"

BODIES = [
    ("lf", MIXED, b"--b\n\none\n--b\n\ntwo\n--b--\n", [(PLAIN, b"one"), (PLAIN, b"two")]),
    ("crlf", MIXED, b"--b\r\n\r\none\r\n--b--\r\n", [(PLAIN, b"one")]),
    ("preamble and epilogue", MIXED, b"pre\n--b\n\none\n--b--\npost\n--b\n", [(PLAIN, b"one")]),
    ("never closed", MIXED, b"--b\n\none\n--b\n\ntwo\n", [(PLAIN, b"one"), (PLAIN, b"two\n")]),
    ("blanks after", MIXED, b"--b \t\r\n\r\none\r\n--b-- \r\n", [(PLAIN, b"one")]),
    ("longer line", MIXED, b"--b\n\none\n--bc\nx --b\n--b--", [(PLAIN, b"one\n--bc\nx --b")]),
    ("empty part", MIXED, b"--b\n--b\n\n--b--", [(PLAIN, b""), (PLAIN, b"")]),
    ("header alone", MIXED, b"--b\nContent-Type: text/html\n--b--", [("text/html", b"")]),
    ("no empty line", MIXED, b"--b\nContent-Type: text/html\n<p>\n--b--", [("text/html", b"<p>")]),
    (
        "stray line between fields",
        MIXED,
        b"--b\nContent-Type: text/html;\ncharset=x\nX-A: b\n\n<p>\n--b--",
        [("text/html", b"<p>")],
    ),
    ("boundary lost", b"multipart/mixed", b"\n--b\n\none\n--b--\n", [(PLAIN, b"one")]),
    ("boundary empty", b'multipart/mixed; boundary=""', b"--b\n\none\n--b--\n", [(PLAIN, b"one")]),
    ("boundary wrong", b"multipart/mixed; boundary=c", b"--b\n\none\n--b--\n", [(PLAIN, b"one")]),
    ("boundary unquoted", b"multipart/mixed; boundary=b (x)", b"--b\n\none\n", [(PLAIN, b"one\n")]),
    ("no semicolon", b"multipart/mixed boundary=b", b"--b\n\none\n", [(PLAIN, b"one\n")]),
    ("boundary cut up", b"multipart/x; boundary*0=b; boundary*1=c", b"--bc\n\n1", [(PLAIN, b"1")]),
    ("digest", b"multipart/digest; boundary=b", b"--b\n\nA: b\n\none\n--b--", [[(PLAIN, b"one")]]),
    (
        "prefix boundary inside",
        MIXED,
        b"--b\nContent-Type: multipart/x; boundary=bb\n\n--bb\n\none\n--bb--\n--b\n\ntwo\n--b--",
        [[(PLAIN, b"one")], (PLAIN, b"two")],
    ),
    (
        "inner never closed",
        MIXED,
        b"--b\nContent-Type: multipart/x; boundary=c\n\n--c\n\none\n--b\n\ntwo\n--b--",
        [[(PLAIN, b"one")], (PLAIN, b"two")],
    ),
    (
        "message",
        b"message/rfc822",
        b"From: a@b.example\nContent-Type: text/html\n\n<p>",
        [("text/html", b"<p>")],
    ),
    ("message with an mbox line", b"message/rfc822", b"From x y\nA: b\n\none", [(PLAIN, b"one")]),
    ("no type", b"nonsense", b"one", (PLAIN, b"one")),
    ("only text", b"", b"--b\n\none", (PLAIN, b"--b\n\none")),
]


@pytest.mark.parametrize(
    ("content_type", "body", "expected"), [b[1:] for b in BODIES], ids=[b[0] for b in BODIES]
)
def test_parts_are_found_as_mail_programs_find_them(
    content_type: bytes, body: bytes, expected: object
) -> None:
    assert outline(structure(content_type, body), body) == expected


def test_a_part_says_what_its_header_declares() -> None:
    body = (
        b'--b\nCONTENT-TYPE: Text/HTML; Charset="UTF-8"; name=x\n'
        b"content-transfer-encoding: Quoted-Printable (c)\n"
        b"Content-Disposition: ATTACHMENT; filename*=utf-8''caf%C3%A9.html\n\nx\n--b--"
    )
    part = structure(MIXED, body).children[0]
    assert (part.type, part.charset, part.encoding) == ("text/html", "utf-8", "quoted-printable")
    assert (part.disposition, part.name) == ("attachment", "café.html")
    assert body[slice(*part.header)].endswith(b".html\n\n")


def test_the_first_of_several_fields_counts() -> None:
    found = [(b"content-type", b"text/html"), (b"Content-Type", b"text/plain")]
    assert read_structure(found, b"x").type == "text/html"


def test_a_message_in_a_transfer_encoding_is_read_in_decoded_form() -> None:
    body = b"Q29udGVudC1UeXBlOiB0ZXh0L2h0bWwKCjxwPg=="
    found = [(b"Content-Type", b"message/rfc822"), (b"Content-Transfer-Encoding", b"base64")]
    part = read_structure(found, body)
    assert part.children == ()
    assert part.embedded is not None
    data, inside = part.embedded
    assert outline(inside, data) == ("text/html", b"<p>")


@pytest.mark.parametrize(
    ("value", "main", "expected"),
    [
        (b"text/plain; charset=utf-8", "text/plain", [("charset", "utf-8")]),
        (b' Text / Plain ;\n charset="a\\"b\\\\c"', "text/plain", [("charset", 'a"b\\c')]),
        (b'attachment; filename="C:\\tmp\\x.txt"', "attachment", [("filename", "C:\\tmp\\x.txt")]),
        (b"attachment; filename=my file.txt ; x=y", "attachment", [("filename", "my file.txt")]),
        (b'a/b; name="=?utf-8?q?caf=C3=A9?="', "a/b", [("name", "café")]),
        (b'a/b; name="caf\xc3\xa9"', "a/b", [("name", "café")]),
        (b"a/b; name*=iso-8859-1'en'caf%E9", "a/b", [("name", "café")]),
        (b"a/b; name*1*=%A9.txt; name*0*=utf-8''caf%C3", "a/b", [("name", "café.txt")]),
        (b'a/b; name*0="one"; name*1="two"', "a/b", [("name", "onetwo")]),
        (b"a/b; name=plain; name*=utf-8''better", "a/b", [("name", "better")]),
        (b"a/b; (c) charset=x (d); name=y", "a/b", [("charset", "x"), ("name", "y")]),
        (b'a/b; name="never closed', "a/b", [("name", "never closed")]),
        (b"a/b; =; ;; junk; name=y", "a/b", [("name", "y")]),
        (b"", "", []),
    ],
)
def test_parameters_are_read_however_they_are_written(
    value: bytes, main: str, expected: list[tuple[str, str]]
) -> None:
    found, read_parameters = parameters.parse(value)
    assert found == main
    for name, text in expected:
        assert parameters.get_value(read_parameters, name) == text


@pytest.mark.parametrize("piece", [b";", b";(a)", b"; (a;b)", b";(", b";*", b";a*1=x", b";a*0*=%"])
def test_parameters_cost_their_length(piece: bytes) -> None:
    def work(size: int) -> object:
        return parameters.mask_parameters(
            b"text/plain" + piece * (size // len(piece)), lambda each: each + "y"
        )

    assert not proportionate(work, 64_000)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'a; name="john.txt"; x=y', b'a; name="mary.txt"; x=y'),
        (b'a; name*0="jo"; name*1="hn.txt"; x=y', b'a; name="mary.txt"; x=y'),
        (b"a; x=y; name*0*=utf-8''%6Ao;\n name*1*=h%6E", b'a; x=y; name="mary"'),
        (b"a; name*=utf-8''john%C3%A9", b"a; name*=utf-8''mary%C3%A9"),
        (b"a; name==?utf-8?b?am9obg==?=", b'a; name="mary"'),
        (b"a; name=jo\\hn", b"a; name=jo\\hn"),
    ],
)
def test_parameters_are_masked_in_decoded_form(value: bytes, expected: bytes) -> None:
    assert parameters.mask_parameters(value, lambda text: text.replace("john", "mary")) == expected


@given(st.binary(max_size=200))
def test_parameters_stay_when_nothing_is_masked(value: bytes) -> None:
    assert parameters.mask_parameters(value, lambda text: text) is value


def nested(depth: int) -> bytes:
    return b"".join(
        b"--%d\nContent-Type: multipart/mixed; boundary=%d\n\n" % (n, n + 1) for n in range(depth)
    )


def test_the_depth_is_limited() -> None:
    read_structure([(b"Content-Type", b"multipart/mixed; boundary=0")], nested(MAX_DEPTH - 1))
    with pytest.raises(TooComplex, match="nested deeper than 20"):
        read_structure([(b"Content-Type", b"multipart/mixed; boundary=0")], nested(MAX_DEPTH))


def test_messages_count_as_depth_too() -> None:
    inside = b"Content-Type: message/rfc822\n\n"
    structure(b"message/rfc822", inside * (MAX_DEPTH - 1))
    with pytest.raises(TooComplex, match="nested deeper than 20"):
        structure(b"message/rfc822", inside * MAX_DEPTH)


def test_encoded_messages_count_as_depth_too() -> None:
    inside = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n"
    body = b""
    for _ in range(MAX_DEPTH + 1):
        body = inside + body.replace(b"=", b"=3D")
    with pytest.raises(TooComplex, match="nested deeper than 20"):
        structure(b"message/rfc822", body)


def test_the_number_of_parts_is_limited() -> None:
    structure(MIXED, b"--b\n\n" * (MAX_PARTS - 1))
    with pytest.raises(TooComplex, match="more than 1000 MIME parts"):
        structure(MIXED, b"--b\n\n" * MAX_PARTS + b"--b--")


def test_the_size_of_headers_is_limited() -> None:
    with pytest.raises(TooComplex, match="header over 65536 octets"):
        structure(MIXED, b"--b\nX: " + b"x" * 70_000 + b"\n\n")
    with pytest.raises(TooComplex, match="Content-Type over 16384 octets"):
        structure(b"text/plain; x=" + b"y" * 17_000, b"")
    with pytest.raises(TooComplex, match="Content-Type over 16384 octets"):
        structure(MIXED, b"--b\nContent-Type: text/plain; x=" + b"y" * 17_000 + b"\n\n")


HOSTILE = {
    "500 nested multiparts": nested(500),
    "200,000 empty parts": b"--0\n\n" * 200_000,
    "500 nested messages": b"--0\n" + b"Content-Type: message/rfc822\n\n" * 500,
    "delimiters without lines": b"--0" * 1_000_000,
    "lines that are nearly delimiters": b"--0x\n" * 500_000,
    "one long line": b"--0\nX" + b"x" * 3_000_000,
    "stray lines": b"--0\nA: b\n" + b"x\n" * 1_000_000,
    "parameters": b"--0\nContent-Type: a/b" + b"; x" * 5_000 + b"\n\n",
    "open quotes": b"--0\nContent-Type: a/b; " + b'x="\\' * 4_000 + b"\n\n",
    "open comments": b"--0\nContent-Type: a/b; " + b"(" * 16_000 + b"\n\n",
    "lost boundary": b"--0\nContent-Type: multipart/mixed\n\n" + b"--" + b" x" * 1_000_000,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_structures_take_no_time(body: bytes) -> None:

    def work() -> None:
        with suppress(TooComplex):
            structure(b"multipart/mixed; boundary=0", body)

    within(1, work)


WORDS = st.sampled_from(
    [
        *(b"--b", b"--b--", b"--bb", b"--", b"\n", b"\r\n", b"\n\n", b" ", b";", b'"', b"=?", b"x"),
        *(b"Content-Type: ", b"multipart/mixed", b"multipart/digest", b"message/rfc822"),
        *(b"; boundary=b", b"; boundary*0*=b", b"; boundary=bb", b"text/html", b"; charset=utf-7"),
        *(b"Content-Transfer-Encoding: ", b"base64", b"quoted-printable", b"=\n", b"am9o"),
        *(b"Content-Disposition: attachment", b"; filename=x", b"\0", b"\xff"),
    ]
)
JUNK = st.lists(WORDS, max_size=40).map(b"".join) | st.binary(max_size=100)


@given(st.lists(st.tuples(st.just(b"Content-Type") | st.binary(max_size=9), JUNK)), JUNK)
def test_spans_lie_inside_each_other_in_order(
    found: list[tuple[bytes, bytes]], body: bytes
) -> None:
    root = read_structure(found, body)
    assert root.content == (0, len(body))
    for part in root.walk():
        at = part.content[0]
        for child in part.children:
            assert at <= child.header[0] <= child.header[1] == child.content[0] <= child.content[1]
            at = child.content[1]
        assert at <= part.content[1]


LINES = st.sampled_from(
    [
        *(b"--b", b"--b--", b"--b \t\r", b"--b --", b"--b-- \r\r", b"--bb", b"--b x", b"x--b\n"),
        *(b"\n", b"\r\n", b" " * 30, b"--"),
    ]
)


@given(st.lists(LINES, max_size=60).map(b"".join), st.integers(1, 40))
def test_large_bodies_are_parted_as_small_ones_are(body: bytes, size: int) -> None:
    small = structure(MIXED, body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimiters, "LARGE", size)
        assert structure(MIXED, body) == small


@pytest.mark.parametrize(
    ("line", "closing"),
    [
        (b"--b", False),
        (b"--b \t", False),
        (b"--b--", True),
        (b"--b-- \t", True),
        (b"--b --", None),
        (b"--b \t\r--", None),
        (b"--b- -", None),
        (b"--b---", None),
        (b"--b--b", None),
    ],
)
@pytest.mark.parametrize("large", [False, True])
def test_a_closing_delimiter_has_its_hyphens_at_the_boundary(
    line: bytes, closing: bool | None, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 2046 section 5.1.1: blanks may follow the boundary or its hyphens, nothing else.

    What is `None` here is content. The final scan reads all of them so, too.
    """
    if large:
        monkeypatch.setattr(delimiters, "LARGE", 5)
    body = b"--b\n\none\n" + line + b"\n\ntwo\n"
    contents = [
        body[slice(*part.content)]
        for part in read_structure([(b"Content-Type", MIXED)], body).children
    ]
    lines = parts.find_delimiters(parts.Entity(body, 0, len(body)), b"b", 0)
    if closing is None:
        assert contents == [b"one\n" + line + b"\n\ntwo\n"]
        assert lines == [(0, 4, False)]
    else:
        assert contents == ([b"one"] if closing else [b"one", b"two\n"])
        assert [end for _, _, end in lines] == [False, closing]


@given(st.lists(LINES, max_size=60).map(b"".join))
def test_the_scan_takes_the_same_lines_for_delimiters(body: bytes) -> None:
    body = b"--b\n" + body + b"\n--b--\n"
    lines = parts.find_delimiters(parts.Entity(body, 0, len(body)), b"b", 0)
    spans = [
        (end, parts.strip_line_end(body, end, following[0]))
        for (_, end, _), following in pairwise(lines)
    ]
    assert [(p.header[0], p.content[1]) for p in structure(MIXED, body).children] == spans


@pytest.mark.parametrize("line", [b"--b x\n", b"--b", b"x --b\n", b"--b" + b" " * 1000 + b"x\n"])
def test_lines_that_are_nearly_delimiters_cost_little(line: bytes) -> None:
    body = line * (12_000_000 // len(line))

    def work() -> None:
        structure(MIXED, body + b"\n--b\n")
        with suppress(TooComplex):  # a boundary is guessed
            structure(MIXED, body)

    within(1.5, work)


def test_messages_inside_are_decoded_within_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them may be so large, but not all together."""
    monkeypatch.setattr(mime, "MAX_DECODED", 1_000)
    head = b"--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
    inside = head + base64.encodebytes(b"A: b\n\n" + b"x" * 394)
    structure(MIXED, inside * 2 + b"--b--")
    with pytest.raises(TooComplex, match="messages inside of more than 1000 octets"):
        structure(MIXED, inside * 3 + b"--b--")


FILE = b"Content-Type: application/octet-stream; name=mail.log\n"
LOG = b"From: a@shop.example\nTo: b@shop.example\nSubject: An order\n" * 2_000


@pytest.mark.parametrize(
    "text",
    [
        LOG,
        LOG[:58] + b"Content-Type: multipart/mixed; boundary=c\n\n" + b"--c\n\n" * 1_200,
        LOG[:58] + b"Content-Type: text/plain; x=" + b"y" * 20_000 + b"\n\nHello\n",
    ],
    ids=["fields", "parts", "type"],
)
def test_a_file_is_text_where_it_goes_on_as_no_message(text: bytes) -> None:
    part = structure(MIXED, b"--b\n" + FILE + b"\n" + text + b"\n--b\n\nHello\n--b--\n")
    assert [(each.embedded, each.children) for each in part.children] == [(None, ())] * 2
    with pytest.raises(TooComplex):  # files may be in it, and nobody knows which
        structure(MIXED, b"--b\n" + FILE + b"\n" + text + b"X: base64\n\n--b--\n")
