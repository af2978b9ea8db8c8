"""Zip files, documents and PDF files: unpacked to look, within limits."""

import base64
import random
import zipfile
import zlib
from collections.abc import Iterable

import bombs
import pytest
from containers import pdf, zipped
from cost import within
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.base.limits import Limits
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.container import budget, search
from conversation_tracker.core.masking.container.budget import Unpacking
from conversation_tracker.core.masking.container.document import pdf_fonts
from conversation_tracker.core.masking.container.document import pdf_page as pages
from conversation_tracker.core.masking.container.search import holds_address, is_container
from conversation_tracker.core.masking.part import message_body
from conversation_tracker.core.masking.part.message_body import REMOVED, People, UnmaskedPart

REAL = "john@doe.example"
RAW = REAL.encode()
MASK = Masker({REAL: "ff2e@ct.example.com"})
PEOPLE = People([REAL])
NOBODY = People(["anna@doe.example"])


DOCX = b"<?xml?><w:p><w:r><w:t>john@</w:t></w:r><w:t>doe.example</w:t></w:p><w:p>Hi</w:p>"

HOLDING = {
    "member": zipped({"a.txt": b"x" * 500 + b" john@doe.example " + b"y" * 500}),
    "stored": zipped({"a.txt": RAW}, zipfile.ZIP_STORED),
    "name": zipped({f"{REAL}.txt": b"x"}),
    "docx": zipped({"word/document.xml": DOCX * 5}),
    "docx, with a mark": zipped({"word/document.xml": b"\xef\xbb\xbf" + DOCX * 5}),
    "odt": zipped({"content.xml": b"<text:p>john@<text:span>doe.example</text:span></text:p>" * 9}),
    "xlsx": zipped({"xl/sharedStrings.xml": b"<sst><si><t>john@doe.example</t></si></sst>" * 9}),
    "references": zipped({"a.xml": b"<a>john&#64;doe.example</a>" * 9}),
    "utf-16": zipped({"a.txt": f" {REAL} ".encode("utf-16-le") * 9}),
    "zip in zip": zipped({"b.zip": zipped({"a.txt": b" john@doe.example " * 9})}),
    "pdf in zip": zipped({"b.pdf": pdf(zlib.compress(b"(john@doe.example) Tj"))}),
    "pdf": pdf(zlib.compress(b"BT (john@doe.example) Tj ET")),
    "pdf, link": b"%PDF-1.4\n<</URI (mailto:john@doe.example)>>",
    "pdf, kerned": pdf(zlib.compress(b"BT [(jo)-5(hn@d)3(oe.exam)(ple)]TJ (Hello) Tj ET")),
    "pdf, letters": pdf(zlib.compress(b"".join(b"(%c) Tj 5 0 Td " % c for c in RAW))),
    "pdf, octal": pdf(zlib.compress(b"(john\\100doe.example) Tj")),
    "pdf, hexadecimal": pdf(zlib.compress(b"<%s> Tj" % RAW.hex().encode())),
    "pdf, ascii85": pdf(
        base64.a85encode(zlib.compress(b"(john@doe.example) Tj")) + b"~>",
        filters=b"[/ASCII85Decode /FlateDecode]",
    ),
    "pdf, cut off": pdf(zlib.compress(b"(john@doe.example) Tj" + bytes(range(256))))[:-150],
}


@pytest.mark.parametrize("data", HOLDING.values(), ids=list(HOLDING))
def test_an_address_inside_is_found(data: bytes) -> None:
    assert is_container(data)
    assert holds_address(data, PEOPLE)
    assert not holds_address(data, NOBODY)


MIXED = [(b"Content-Type", b'multipart/mixed; boundary="b"')]
DOCUMENT = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def attached(data: bytes) -> bytes:
    header = b"Content-Type: %s\nContent-Transfer-Encoding: base64\n\n" % DOCUMENT
    return b"--b\n\nHello\n--b\n" + header + base64.encodebytes(data) + b"--b--\n"


def test_a_document_with_an_address_is_reported_and_stays() -> None:
    body = attached(HOLDING["docx"])
    part = message_body.read_structure(MIXED, body)
    assert message_body.find_unmasked_parts(part, body, PEOPLE) == (
        UnmaskedPart("2", DOCUMENT.decode(), "archive"),
    )
    assert message_body.mask_body(part, body, MASK, people=PEOPLE) is body


def test_a_document_with_an_address_is_removed_where_the_store_wants_it() -> None:
    body = attached(HOLDING["docx"])
    part = message_body.read_structure(MIXED, body)
    result = message_body.mask_body(part, body, MASK, people=PEOPLE, attachments="remove")
    note = f"Content-Type: text/plain; charset=us-ascii\n\n{REMOVED}\n--b--\n"
    assert result == b"--b\n\nHello\n--b\n" + note.encode()


def test_a_document_without_an_address_stays_in_any_case() -> None:
    body = attached(zipped({"word/document.xml": DOCX.replace(b"john", b"anna")}))
    part = message_body.read_structure(MIXED, body)
    assert message_body.find_unmasked_parts(part, body, PEOPLE) == ()
    assert message_body.mask_body(part, body, MASK, people=PEOPLE, attachments="remove") is body


def test_a_wrong_checksum_hides_nothing() -> None:
    data = bytearray(zipped({"a.txt": b" john@doe.example " * 99}))
    at = data.index(b"PK\x01\x02") + 16
    data[at] ^= 0xFF
    assert holds_address(bytes(data), PEOPLE)


@given(st.sampled_from(list(HOLDING.values())), st.integers(0, 2000), st.binary(max_size=8))
def test_broken_files_raise_nothing(data: bytes, at: int, patch: bytes) -> None:
    at %= len(data)
    holds_address(data[:at] + patch + data[at + len(patch) :], PEOPLE)
    holds_address(data[:at], PEOPLE)


@given(st.sampled_from([b"PK\x03\x04", b"PK\x05\x06", b"%PDF-"]), st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing(magic: bytes, data: bytes) -> None:
    holds_address(magic + data, PEOPLE)
    holds_address(pdf(data, zlib.compress(data)), PEOPLE)


def nested(depth: int) -> bytes:
    data = zipped({"a.txt": b" john@doe.example " * 9})
    for _ in range(depth):
        data = zipped({"a.zip": data})
    return data


def test_archives_are_opened_to_a_depth() -> None:
    assert holds_address(nested(budget.MAX_DEPTH - 1), PEOPLE)
    assert not holds_address(nested(budget.MAX_DEPTH + 1), PEOPLE)


@pytest.mark.parametrize("name", bombs.ARCHIVES)
def test_bombs_are_looked_at_within_bounded_time(name: str) -> None:
    data = bombs.ARCHIVES[name]()
    assert not within(10, lambda: holds_address(data, PEOPLE))


def test_pictures_and_fonts_in_a_pdf_file_are_not_searched_for_strings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Strings are looked for in pages and objects, not in what is no text."""
    read: list[bytes] = []
    monkeypatch.setattr(pages, "read_page", lambda content: read.append(content) or [])
    picture = bytes(range(256)) * 400
    assert not holds_address(pdf(zlib.compress(picture)), PEOPLE)
    assert read == []


def test_of_a_picture_in_a_pdf_file_the_beginning_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A small file of large pictures takes little memory; other streams are read whole."""
    seen: list[int] = []
    real = pdf_fonts.Pages.add

    def note(pages: pdf_fonts.Pages, content: bytes, *, is_page: bool) -> None:
        seen.append(len(content))
        real(pages, content, is_page=is_page)

    monkeypatch.setattr(pdf_fonts.Pages, "add", note)
    dots = zlib.compress(b"".join(bytes((n % 251,)) * 40 for n in range(100_000)))
    picture = pdf(dots, filters=b"/FlateDecode /Type /XObject /Subtype /Image")
    assert not holds_address(picture, PEOPLE)
    assert not holds_address(pdf(dots), PEOPLE)
    assert seen == [1024 * 1024, 4_000_000]


@pytest.mark.parametrize("before", [b"\xff\xfe\x80" * 40, b""])
def test_a_page_of_bytes_that_are_no_text_is_read_if_it_shows_strings(before: bytes) -> None:
    """A page may hold pictures beside its text."""
    page = before + b" BT (john@) Tj (doe.example) Tj ET " + before
    assert holds_address(pdf(page), PEOPLE)


def test_all_archives_of_a_message_share_what_may_be_unpacked() -> None:
    """Many bombs in one message cost no more than one."""
    bomb = base64.encodebytes(zipped({"a.txt": b"x" * 10_000_000}))
    each = b"--b\nContent-Type: application/zip\nContent-Transfer-Encoding: base64\n\n" + bomb
    body = each * 100 + b"--b--\n"
    unpacked = 0

    def store(pieces: Iterable[bytes]) -> bytes:
        nonlocal unpacked
        kept = b"".join(pieces)
        unpacked += len(kept)
        return kept

    limits = Limits(store=store)
    part = message_body.read_structure([(b"Content-Type", b"multipart/mixed; boundary=b")], body)
    assert message_body.find_unmasked_parts(part, body, PEOPLE, limits) == ()
    assert 0 < unpacked <= budget.MAX_TOTAL
    unpacked = 0
    assert message_body.mask_body(part, body, MASK, people=PEOPLE, limits=limits) is body
    assert 0 < unpacked <= budget.MAX_TOTAL


def test_no_more_octets_are_unpacked_than_may_be() -> None:
    data = zipped({"a.txt": random.randbytes(500_000), "b.txt": b" john@doe.example " * 9})
    assert not holds_address(data, PEOPLE, Unpacking(octets=400_000))
    assert holds_address(data, PEOPLE, Unpacking(octets=600_000))


def test_no_more_files_are_unpacked_than_may_be() -> None:
    members = {f"{number}.txt": b"x" for number in range(budget.MAX_MEMBERS - 1)}
    last = {"z.txt": b" john@doe.example " * 9}
    assert holds_address(zipped(members | last), PEOPLE)
    assert not holds_address(zipped(members | {"x.txt": b"x"} | last), PEOPLE)


def test_no_more_is_unpacked_of_a_file_than_its_size_allows() -> None:
    blown = b"x" * 30_000_000 + b" john@doe.example "
    data = zipped({"a.txt": blown})
    assert len(blown) > len(data) * budget.MAX_RATIO
    assert not holds_address(data, PEOPLE)


def test_a_file_that_lies_too_deep_is_opened_where_it_lies_higher() -> None:
    """Whichever is met first; and one met again is searched once."""
    inner = zipped({"a.txt": f" {REAL} ".encode() * 99})
    deep = zipped({"c.zip": zipped({"b.zip": inner})})
    assert not holds_address(zipped({"deep.zip": deep}), PEOPLE)
    assert holds_address(zipped({"deep.zip": deep, "inner.zip": inner}), PEOPLE)
    assert holds_address(zipped({"inner.zip": inner, "deep.zip": deep}), PEOPLE)


def test_the_same_file_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    real, searched = search._Search._search_document, list[bytes]()

    def count(self: search._Search, data: bytes) -> bool:
        searched.append(data[:])
        return real(self, data)

    monkeypatch.setattr(search._Search, "_search_document", count)
    page = b"<p>Hello, <b>you</b>!</p>"
    assert not holds_address(zipped({"a.xml": page, "b.xml": page, "c.xml": b""}), PEOPLE)
    assert searched.count(page) == 1
