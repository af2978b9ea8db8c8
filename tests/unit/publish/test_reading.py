"""What a person reads of a recorded message: its text, and its files."""

import pytest

from conversation_tracker.core.model.message import parse
from conversation_tracker.core.reading import flowed, text
from conversation_tracker.core.reading.files import AttachedFile, list_files
from conversation_tracker.core.syntax.mime import Part, read_structure


def structure(raw: bytes) -> tuple[Part, bytes]:
    headers, body = parse(raw.replace(b"\n", b"\r\n"))
    content = [(h.name, h.value) for h in headers if h.key.startswith(b"content-")]
    return read_structure(content, body), body


def body_of(raw: bytes) -> str:
    return text.read_text(*structure(raw)).body


def files_of(raw: bytes) -> list[AttachedFile]:
    return list_files(*structure(raw))


def parts(kind: str, *contents: str) -> str:
    """Return a multipart of parts that each begin with their header fields."""
    mark = f"b{len(''.join(contents))}"
    return (
        f'Content-Type: multipart/{kind}; boundary="{mark}"\n\n'
        + "".join(f"--{mark}\n{content}\n" for content in contents)
        + f"--{mark}--\n"
    )


PLAIN = "Content-Type: text/plain\n\nHello"
FOOTER = "Content-Type: text/plain\n\nSent from my phone"
PAGE = "Content-Type: text/html\n\n<p>Hello <b>there</b>"
PICTURE = "Content-Type: image/png\nContent-ID: <pic@x>\nContent-Transfer-Encoding: base64\n\niVBO"
PAPER = (
    'Content-Type: application/pdf; name="a.pdf"\nContent-Disposition: attachment\n'
    "Content-Transfer-Encoding: base64\n\nJVBERi0xLjQK"
)
INSIDE = "Content-Type: message/rfc822\n\nSubject: Inside\n\nNot yours"


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("Subject: x\n\nHello", "Hello"),
        (PAGE, "Hello there"),
        (parts("alternative", PLAIN, PAGE), "Hello"),
        (parts("alternative", PAGE, PLAIN), "Hello"),
        (parts("alternative", "Content-Type: text/plain\n\n \n", PAGE), "Hello there"),
        (parts("alternative", PLAIN, parts("related", PAGE, PICTURE)), "Hello"),
        (parts("related", parts("alternative", PLAIN, PAGE), PICTURE), "Hello"),
        (parts("mixed", PLAIN, PICTURE, FOOTER), "Hello\n\nSent from my phone"),
        (parts("mixed", PAGE, FOOTER), "Hello there\n\nSent from my phone"),
        (parts("mixed", PLAIN, PAPER), "Hello"),
        (parts("mixed", PLAIN, INSIDE), "Hello"),
        (parts("mixed", INSIDE), "Not yours"),
        (parts("signed", PLAIN, "Content-Type: application/pgp-signature\n\nx"), "Hello"),
        (parts("mixed", "Content-Type: text/plain; name=note.txt\n\nA note"), "A note"),
        (parts("mixed", PLAIN, "Content-Type: text/plain; name=note.txt\n\nA note"), "Hello"),
        (parts("mixed", "Content-Type: text/x-other\n\nOther"), "Other"),
        (
            "Content-Type: text/plain; charset=iso-8859-1\n"
            "Content-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe",
            "Gr\u00fc\u00dfe",
        ),
        ("Content-Type: text/plain; charset=no-such\n\nHello", "Hello"),
        ("Content-Type: text/plain; charset=utf-8\n\n\u200e\u202eHello\x07", "Hello"),
        ("Content-Type: text/plain; format=flowed\n\nA long \nline\n> of \n> two",
         "A long line\n> of two"),
        ("Content-Type: text/plain; format=flowed; delsp=yes\n\nlo \nng", "long"),
        ("\nbegin 644 a\n#86)C\n`\nend", "begin 644 a\n#86)C\n`\nend"),
        (parts("mixed", PAPER), ""),
    ],
)  # fmt: skip
def test_the_text_is_what_a_person_reads(raw: str, read: str) -> None:
    assert body_of(raw.encode()).strip() == read


def test_a_long_text_is_cut_and_says_so() -> None:
    found = text.read_text(*structure(b"Subject: x\n\n" + b"word " * 300_000))
    assert len(found.body) == text.MAX_TEXT
    assert found.cut
    assert not text.read_text(*structure(b"Subject: x\n\nword")).cut


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        ("a \nb", "a b"),
        ("a\nb", "a\nb"),
        (" a\n  b", "a\n b"),
        (">> a \n>> b\n> c", ">> a b\n> c"),
        ("a \n> b", "a \n> b"),
        ("a \n-- \nb", "a \n-- \nb"),
        (">\n> x", ">\n> x"),
        ("a ", "a "),
        ("", ""),
    ],
)
def test_soft_line_breaks_are_joined(lines: str, joined: str) -> None:
    assert flowed.join_lines(lines) == joined


def test_files_have_names_types_sizes_and_places() -> None:
    raw = parts("mixed", PLAIN, PAPER, PICTURE).encode()
    paper, picture = files_of(raw)
    assert (paper.number, paper.name, paper.type, paper.size) == (1, "a.pdf", "application/pdf", 9)
    assert (picture.number, picture.name, picture.content_id) == (2, "part-3", "pic@x")
    whole = raw.replace(b"\n", b"\r\n")
    at = len(whole) - paper.from_end
    assert whole[at : at + paper.length] == b"JVBERi0xLjQK"
    assert (paper.encoding, paper.content) == ("base64", None)


@pytest.mark.parametrize(
    ("encoding", "written", "kept", "content"),
    [
        ("base64", "aGVs\nbG8=", "base64", None),
        ("base64", "aGVs!bG8=", "", b"hello"),
        ("base64", "aGVsbG8", "", b"hello"),
        ("base64", "", "", b""),
        ("quoted-printable", "h=65llo", "", b"hello"),
        ("x-uuencode", "begin 644 a\n%:&5L;&\\\n`\nend", "", b"hello"),
        ("7bit", "hello", "", None),
        ("no-such", "hello", "", None),
    ],
)
def test_what_the_database_cannot_decode_is_given(
    encoding: str, written: str, kept: str, content: bytes | None
) -> None:
    head = "Content-Disposition: attachment; filename=a.bin\nContent-Transfer-Encoding: "
    [found] = files_of(parts("mixed", f"{head}{encoding}\n\n{written}").encode())
    assert (found.encoding, found.content) == (kept, content)
    assert found.size == (5 if written else 0)


@pytest.mark.parametrize(
    ("fields", "name", "kind"),
    [
        ('Content-Type: application/pdf; name="../../etc/passwd"', "passwd", "application/pdf"),
        ('Content-Type: application/pdf; name="a\\\\b\\\\c.exe"', "c.exe", "application/pdf"),
        ('Content-Type: application/pdf; name=".."', "part-1", "application/pdf"),
        ("Content-Type: <script>/x; name=a", "a", "application/octet-stream"),
        ("Content-Type: message/rfc822\nContent-Disposition: attachment", "message.eml",
         "message/rfc822"),
        ("Content-Type: application/pdf; name*=utf-8''%E2%80%AEgpj.exe", "gpj.exe",
         "application/pdf"),
    ],
)  # fmt: skip
def test_names_and_types_are_harmless(fields: str, name: str, kind: str) -> None:
    [found] = files_of(parts("mixed", f"{fields}\n\nx").encode())
    assert (found.name, found.type) == (name, kind)


def test_pages_are_found_where_html_is_shown() -> None:
    for raw in (PAGE, parts("alternative", PLAIN, PAGE), parts("mixed", PLAIN, PAGE, PAPER)):
        part, body = structure(raw.encode())
        [found] = text.find_pages(part)
        assert text.read_source(found, body).startswith("<p>Hello")
    assert text.find_pages(structure(PLAIN.encode())[0]) == []
