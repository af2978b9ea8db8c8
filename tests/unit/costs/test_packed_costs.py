"""What hostile files cost that are read step by step: time and room are bounded in both passes."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import bombs
import containers
import pytest
from cost import within

from conversation_tracker.core.base.limits import UNLIMITED, Overdue
from conversation_tracker.core.masking.container import message_file
from conversation_tracker.core.masking.container.budget import Unpacking
from conversation_tracker.core.masking.container.document import pdf_fonts
from conversation_tracker.core.masking.container.lempel_ziv import lz_blocks
from conversation_tracker.core.masking.part import binary_values
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning import back_references, carving, documents
from conversation_tracker.core.scanning.pdf import page_fonts
from conversation_tracker.core.scanning.scan import scan

MEGABYTE = 1024 * 1024


def far_steps(plain: int, steps: int) -> bytes:
    """Make Snappy that writes many octets, and then one of them again and again, from far back."""
    chunk = b"\x80\x80\x01\xfc" + (plain - 1).to_bytes(4, "little") + b"a" * plain
    chunk += (b"\x03" + plain.to_bytes(4, "little")) * steps
    first = b"\x04\x0cabcd"
    return b"".join(b"\0" + len(each).to_bytes(3, "little") + each for each in (first, chunk))


def test_steps_from_far_back_cost_what_comes_out() -> None:
    data = far_steps(MEGABYTE, 200_000)
    assert len(within(3, lambda: back_references.unpack_chunks(data, lambda: None))) > MEGABYTE
    assert within(3, lambda: [*lz_blocks.open_snappy(data, Unpacking(UNLIMITED))])


@pytest.mark.parametrize("times", [1, 5, 17, 300])
def test_what_comes_again_may_overlap_with_itself(times: int) -> None:
    """Of LZ4, a match from one octet back; of Snappy, one of two."""
    more, left = divmod(times, 255)
    block = b"\x1fa\1\0" + b"\xff" * more + bytes((left,))
    lz4 = bombs.lz4_block(block)
    snappy = bombs.chunks(b"\x42\x04ab" + b"\xfe\2\0" * times, 1)
    for data, unpack, open_, shown in (
        (lz4, back_references.unpack_lz4, lz_blocks.open_lz4, b"a" * (1 + 15 + times + 4)),
        (snappy, back_references.unpack_chunks, lz_blocks.open_snappy, b"ab" * (1 + 32 * times)),
    ):
        assert unpack(data, lambda: None) == shown
        assert b"".join(each[:] for each in open_(data, Unpacking(UNLIMITED))) == shown


@pytest.mark.parametrize("name", [*bombs.FILES, *bombs.ARCHIVES])
def test_the_scan_looks_at_bombs_within_bounded_time(name: str) -> None:
    make = (bombs.FILES | bombs.ARCHIVES)[name]
    data, field = make(), Header(b"Content-Type", b"application/octet-stream")
    assert within(10, lambda: scan([field], data, {"john@home.example": "a" * 32})) == []


def overdue() -> None:
    raise Overdue(hopeless=False)


@pytest.mark.parametrize(
    "unpack",
    [
        lambda: back_references.unpack_chunks(far_steps(9, 9), overdue),
        lambda: back_references.unpack_lz4(containers.lz4(b"some words"), overdue),
    ],
)
def test_the_time_is_asked_for_while_a_file_is_unpacked(unpack: Callable[[], bytes]) -> None:
    with pytest.raises(Overdue):
        unpack()


def test_what_comes_out_counts_among_all_that_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of thousands of small ones takes no more than one that is large."""
    monkeypatch.setattr(carving, "_MOST", MEGABYTE)
    data = far_steps(MEGABYTE, 0)
    found = carving.Carver(UNLIMITED)
    sizes = [sum(map(len, found.iter_contents(data))) for _ in range(2)]
    assert sizes[0] > MEGABYTE
    assert sizes[1] == 0


@pytest.mark.parametrize(
    "note",
    [
        lambda table: pdf_fonts.Pages().add(table, is_page=False),
        lambda table: page_fonts.PageFonts().note(table, is_page=False),
    ],
)
def test_numbers_of_letters_take_little_room_however_many_digits_they_have(
    note: Callable[[bytes], None],
) -> None:
    digits = b"0" * 2_000
    section = b"beginbfrange <1%s> <1%sFFFF> <0040> endbfrange" % (digits, digits[4:])
    tracemalloc.start()
    try:
        note(b"begincmap " + section)
        assert tracemalloc.get_traced_memory()[1] < 40 * MEGABYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [b"char", b"range"])
def test_sections_of_letters_that_end_together_are_read_once(kind: bytes) -> None:
    table = b"begincmap " + b"beginbf%s " % kind * 20_000 + b"<01> <02> <0040> endbf"
    within(2, lambda: page_fonts.PageFonts().note(table, is_page=False))
    within(2, lambda: pdf_fonts.Pages().add(table, is_page=False))


@pytest.mark.parametrize(
    ("made", "add", "kept"),
    [
        (pdf_fonts.Pages, "add", lambda made: made.pages),
        (page_fonts.PageFonts, "note", lambda made: made._pages),
    ],
)
def test_pages_of_a_file_are_kept_as_far_as_they_are_read(
    made: Callable[[], Any], add: str, kept: Callable[[Any], list[bytes]]
) -> None:
    pages = made()
    for _ in range(64):
        getattr(pages, add)(bytes(MEGABYTE), is_page=True)
    assert 0 < sum(map(len, kept(pages))) <= 16 * MEGABYTE


def test_a_page_of_such_a_table_is_read_all_the_same() -> None:
    pages = pdf_fonts.Pages()
    pages.add(b"beginbfchar <%s> <0041> <0009> <0040> endbf" % (b"1" * 99), is_page=False)
    pages.add(b"(\0\x09) Tj", is_page=True)
    assert b"@" in b"".join(pages.iter_texts(Unpacking(UNLIMITED)))


@pytest.mark.parametrize(
    "letter",
    [
        b"From: a\nTo: b\n" + b"X: base64\n" * 60_000,
        b"From: a\nTo: b\n\nFrom " + b"11:11 " * 100_000,
        b"From: a\nTo: b\n\nFrom " + b"11:11 " * 100_000 + b"\r",
    ],
    ids=["fields without content", "times of day", "times of day, no line"],
)
def test_a_letter_in_a_file_costs_what_its_length_is(letter: bytes) -> None:
    within(3, lambda: [*message_file.open_letter(letter, Unpacking(UNLIMITED))])
    within(3, lambda: [*documents.iter_texts(letter)])


def test_values_on_one_line_of_a_card_cost_what_its_length_is() -> None:
    card = b"BEGIN:VCARD\r\nX" + b":data:;base64,!" * 150_000
    assert len(within(3, lambda: [*binary_values.decode_values(card)])) == 150_000
