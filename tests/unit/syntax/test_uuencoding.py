"""Uuencoded parts are decoded and encoded; what stands around their lines stays."""

import base64
import binascii
import html

import pytest
from builders import EVERYBODY, A, B, S, mail
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.scan import scan
from conversation_tracker.core.syntax import uuencoding
from conversation_tracker.core.syntax.transfer import decode, encode


def written(data: bytes, line_end: bytes = b"\n", backtick: bool = True) -> bytes:
    """Write a file as uuencode does."""
    lines = (
        binascii.b2a_uu(data[at : at + 45], backtick=backtick).rstrip(b"\n") + line_end
        for at in range(0, len(data), 45)
    )
    return b"begin 644 file" + line_end + b"".join(lines) + b"`" + line_end + b"end" + line_end


@given(st.binary(max_size=400), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_what_uuencode_writes_is_read(data: bytes, line_end: bytes, backtick: bool) -> None:
    assert decode(written(data, line_end, backtick), "x-uuencode") == data


@given(st.binary(max_size=200), st.binary(max_size=400), st.sampled_from([b"\n", b"\r\n"]))
def test_what_is_encoded_is_decoded_again(old: bytes, new: bytes, line_end: bytes) -> None:
    raw = b"before\n" + written(old, line_end) + b"after\n"
    again = encode(raw, old, new, "uuencode")
    assert decode(again, "uuencode") == new
    assert again.startswith(b"before\nbegin 644 file")
    assert again.endswith(b"end" + line_end + b"after\n")


@given(st.binary(max_size=300))
def test_any_bytes_are_taken(raw: bytes) -> None:
    """Without a block, they are the content themselves."""
    assert uuencoding.encode(raw, uuencoding.decode(raw)) is not None


@pytest.mark.parametrize("name", sorted(uuencoding.NAMES))
def test_addresses_in_it_and_beside_it_are_masked(name: str) -> None:
    content = b"Mine is john@doe.example\n"
    raw = (
        f"From: john@doe.example\nContent-Transfer-Encoding: {name}\n\njohn@doe.example\n".encode()
    )
    body = mail(raw + written(content), EVERYBODY, to=S).sent().body
    assert body.startswith(B.encode())
    assert decode(body, name) == content.replace(b"john@doe.example", B.encode())
    assert A.encode() not in body


def test_a_short_line_is_padded_as_some_encoders_do() -> None:
    assert decode(b"begin 644 x\n#0V%TABC\n`\nend\n", "x-uue") == b"Cat"


_TOKEN = base64.b64encode(b"john@doe.example").decode()
BESIDE = [
    f"see https://x.example/u/{_TOKEN} now",
    "https://x.example/u?e=%6Aohn%40doe.example",
    f"id {_TOKEN}",
    b"john@doe.example".hex(),
    "john&#64;doe.example",
    "john (at) doe.example",
]


# Digits before base64 are base64 as well.
@pytest.mark.parametrize(
    ("beside", "first"), [*((each, False) for each in BESIDE), (BESIDE[0], True), (BESIDE[5], True)]
)
@pytest.mark.parametrize(
    ("kind", "encoding"),
    [("text/plain", "x-uuencode"), ("text/plain", "base64"), ("message/rfc822", "base64")],
)
def test_hidden_addresses_beside_encoded_text_are_masked(
    kind: str, encoding: str, beside: str, first: bool
) -> None:
    """Some programs show what stands there, and readers follow its links."""
    content = b"Subject: x\n\nHello there, people" * 3 + b"!"  # base64 ends in padding
    raw = written(content) if encoding == "x-uuencode" else base64.encodebytes(content)
    text = f"{beside}\n".encode()
    head = (
        f"From: john@doe.example\nContent-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n"
    )
    body = text + raw if first else raw + b"\n" + text
    known = {"john@doe.example": "a"}
    declared = [Header(b"Content-Type", kind.encode())]
    declared.append(Header(b"Content-Transfer-Encoding", encoding.encode()))
    assert scan(declared, body, known)
    sent = mail(head.encode() + body, EVERYBODY, to=S).sent()
    assert text.strip() not in sent.body
    assert raw.splitlines()[1] in sent.body
    assert not scan(declared, sent.body, known)


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(45)), b"hello" * 7])
def test_lines_of_it_are_told_from_text(data: bytes) -> None:
    for line in written(data).splitlines()[1:-1]:
        assert uuencoding.is_line(line)
        assert uuencoding.is_line(line.rstrip()) or line.isspace()
    for text in (
        b"begin 644 file",
        b"end",
        b"Hello, people",
        b"HELLO, PEOPLE OF THE WORLD",
        b"\xff",
    ):
        assert not uuencoding.is_line(text)


@pytest.mark.parametrize("lines_kept", [2, 3, 5])
def test_a_file_in_text_that_goes_on_elsewhere_gets_no_end(lines_kept: int) -> None:
    """A window of a large text ends in the midst of a file: the next one has what follows."""
    content = b"Mine is john@doe.example, and this fills the lines.\n" * 6
    whole = written(content).splitlines(keepends=True)
    raw = b"From: john@doe.example\n\nfile:\n\n" + b"".join(whole[: 1 + lines_kept])
    body = mail(raw, EVERYBODY, to=S).sent().body
    masked = body[body.index(b"begin ") :]
    assert b"`" not in masked.splitlines()
    assert B.encode() in decode(masked + b"`\nend\n", "uuencode")


INSIDE = {
    "another": written(b"To john@doe.example\n"),
    "one in another": written(written(b"To john@doe.example\n")),
    "a calendar": b"BEGIN:VCALENDAR\r\nATTENDEE:mailto:john@do\r\n e.example\r\nEND:VCALENDAR\r\n",
    "a card": b"BEGIN:VCARD\r\nEMAIL:jo\r\n hn@doe.example\r\nEND:VCARD\r\n",
    "base64": base64.encodebytes(
        b"You may write to john@doe.example at any time, or so it says.\n"
    ),
    "quoted-printable": b"To john=40doe.exam=\nple\n",
    "a page": b"<p>john<b>&#64;</b>doe.example</p>",
    "rich text": b"{\\rtf1 \\uc2 john\\u64??doe.example }",
}


@pytest.mark.parametrize("type_", ["text/plain", "application/octet-stream"])
@pytest.mark.parametrize("name", INSIDE)
def test_what_is_in_a_file_is_masked_as_what_it_is(name: str, type_: str) -> None:
    """It was refused, as a fold or another file hid the address from masking, or it passed."""
    raw = f"From: john@doe.example\nContent-Type: {type_}\n\nHello\n".encode()
    whole = raw + written(INSIDE[name]) + b"Bye\n"
    row = mail(whole, EVERYBODY, to=S)
    done = row.plan()
    for left in (row.sent(done).body, done.records[0].raw):
        assert b"Hello" in left
        assert b"Bye" in left
        assert INSIDE[name][-30:] not in decode(left, "x-uuencode")
        assert not scan([], left.partition(b"\r\n\r\n")[2], {"john@doe.example": "b"})
    assert scan([], whole.partition(b"\n\n")[2], {"john@doe.example": "b"})


@pytest.mark.parametrize("mode", ["644", "0644", "0100644"])
@pytest.mark.parametrize("backtick", [True, False])
@pytest.mark.parametrize("tag", ["<pre>", "<div class=x><pre>", "<pre>\n", "<p>Hi</p>\n<pre> "])
@pytest.mark.parametrize("ending", ["end</pre>", "</pre>", "`\nend\n</pre>"])
def test_a_file_in_html_begins_behind_a_tag(
    tag: str, mode: str, backtick: bool, ending: str
) -> None:
    data = b"\0" * 3 + b"<&>" * 60 + b" write to john@doe.example " + b'<&"' * 50
    for content in (data, data[3:]):
        code = (
            written(content, backtick=backtick).decode().partition("\n")[2].removesuffix("`\nend\n")
        )
        page = f"{tag}begin {mode} a.bin\n{html.escape(code, quote=False)}{ending}\n"
        given = mail(f"From: john@doe.example\nContent-Type: text/html\n\n{page}", EVERYBODY, to=S)
        done = given.plan()
        assert done.reply is None
        for body in (given.sent(done).body[:], done.records[0].raw[:]):
            assert not scan((), body, {"john@doe.example": "b"})
            assert b"<pre>" in body
