"""What pages of PDF files show: words that are parted in many ways, by masking and by the scan."""

import base64
import tracemalloc
import zlib
from collections.abc import Callable

import bombs
import pytest
from both_sides import RAW, masking, scanning
from containers import lzw, numbered_pdf, pdf, run_lengths
from cost import within

from conversation_tracker.core.masking.container.document import pdf_page
from conversation_tracker.core.scanning.pdf import pages

SIDES = pytest.mark.parametrize("finds", [masking, scanning])
SHOWN = {
    "blanks that are moves": b"[(to)-333(jo)28(hn@do)28.5(e.exam)-5(ple)-333(now)]TJ",
    "a wide blank": b"[(to) -1200.5 (john@doe.ex)28(ample)-2500(now)]TJ",
    "a word before it, above": b"(Invoice for) Tj 0 -12 Td (john@doe.ex) Tj (ample) Tj T* (now) Tj",
    "a word before it, placed": b"(for) Tj 1 0 0 1 9 9 Tm (john@) Tj /F1 9 Tf (doe.example) Tj",
    "a next line": b"(for) Tj (john@doe.ex) ' (ample) Tj ET BT (now) Tj",
    "each letter placed": b"".join(b"1 0 0 1 9 9 Tm (%c) Tj " % each for each in RAW),
    "marked content": b"(john@) Tj EMC /Span <</MCID 3>> BDC (doe.example) Tj",
    "digits": b"<66 6f72> Tj 0 -1 TD [<6a6f686e40> 3 <646f65> 3 (.ex) -9 <616D706C65>] TJ",
    "octal": b"(for) Tj T* (jo\\150n\\100doe) Tj (\\056exa\\\nmple) Tj",
    "brackets before it": b"(write \\(to) Tj (\\)) Tj 0 -1 Td (john@) Tj (doe.example \\)) Tj",
    "in brackets": b"(write (to john@) Tj (doe.example) here) Tj",
    "two octets a letter": b"(\\000f) Tj T* (%s) Tj <%s> Tj" % (
        "john@".encode("utf-16-be"), "doe.example".encode("utf-16-be").hex().encode()),
    "two octets a letter, blanks that are moves": b"[(%s)-333<%s>3(%s)-333(\0x)]TJ" % (
        "to".encode("utf-16-be"), "john".encode("utf-16-be").hex().encode(),
        "@doe.example".encode("utf-16-be")),
}  # fmt: skip


@SIDES
@pytest.mark.parametrize("shown", SHOWN.values(), ids=list(SHOWN))
def test_words_are_read_as_they_stand_on_the_page(
    finds: Callable[[bytes], bool], shown: bytes
) -> None:
    assert finds(pdf(zlib.compress(b"BT /F1 9 Tf 9 700 Td " + shown + b" ET")))


@SIDES
def test_what_stands_apart_is_no_word(finds: Callable[[bytes], bool]) -> None:
    page = b"BT [(to)-9(john@doe.ex)9(ample)]TJ 0 -9 Td (john@) Tj [(doe)-333(.example)]TJ ET"
    assert not finds(pdf(zlib.compress(page + b"(x) Tj")))


@SIDES
def test_moves_are_blanks_in_fonts_that_number_their_letters(
    finds: Callable[[bytes], bool],
) -> None:
    """As LuaTeX and XeTeX write them."""
    whole = numbered_pdf(b"tojohn@doe.example")
    assert not finds(whole)
    at = whole.index(b"stream\n") + 7
    page = zlib.decompress(whole[at : whole.index(b"\nendstream")])
    head, _, digits = page.partition(b"Tm [<")
    digits = digits.partition(b"]")[0].replace(b"> -3 <", b"")
    moved = head + b"Tm [<" + digits[:8] + b">-333<" + digits[8:] + b"] TJ ET"
    assert finds(whole.replace(zlib.compress(page), zlib.compress(moved)))


@pytest.mark.slow
@SIDES
@pytest.mark.parametrize("name", [name for name in bombs.ARCHIVES if "pdf of" in name])
def test_pages_of_short_strings_cost_little(finds: Callable[[bytes], bool], name: str) -> None:
    assert not within(5, lambda: finds(bombs.ARCHIVES[name]()))


@SIDES
@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("way", ["characters", "ranges", "lists"])
def test_letters_are_what_the_table_of_their_font_says(
    finds: Callable[[bytes], bool], way: str, width: int
) -> None:
    assert finds(numbered_pdf(b"to john@doe.example now", width=width, way=way))


@SIDES
def test_a_range_has_all_its_letters_and_may_begin_with_several(
    finds: Callable[[bytes], bool],
) -> None:
    """Also in a second section of the table, and for pairs of letters of which the last counts."""
    table = (
        b"begincmap\n1 beginbfrange\n<01> <20> <0020>\nendbfrange\n"
        b"2 beginbfrange\n<21> <59> <0040>\n<70> <71> <006B006E>\nendbfrange\nendcmap"
    )
    shown = bytes((0x71, *(each - 0x1F for each in b"hn@doe.example")))  # `ko` is 71
    page = b"BT /F1 9 Tf [<%s>] TJ ET" % shown.hex().encode()
    assert not finds(pdf(zlib.compress(page), zlib.compress(table)))
    table = table.replace(b"<006B006E>", b"<006A006E>")
    assert finds(pdf(zlib.compress(page), zlib.compress(table)))
    table = table.replace(b"<59>", b"<58>")  # which ends before `x`
    assert not finds(pdf(zlib.compress(page), zlib.compress(table)))


@pytest.mark.parametrize("finds", [masking, scanning])
@pytest.mark.parametrize(
    ("filters", "write"),
    [
        (b"/ASCII85Decode", lambda page: base64.a85encode(page) + b"~>"),
        (b"[/A85/FlateDecode]", lambda page: base64.a85encode(zlib.compress(page)) + b"~>"),
        (b"/LZWDecode", lambda page: lzw(page, unix=False)),
        (b"/RunLengthDecode", run_lengths),
        (b" null", lambda page: page),
    ],
    ids=["letters", "packed letters", "LZW", "runs", "none"],
)
def test_streams_that_look_compressed_as_well_are_read_by_their_filter(
    finds: Callable[[bytes], bool], filters: bytes, write: Callable[[bytes], bytes]
) -> None:
    """As one in fifty does: some octets come out of it as of Deflate."""
    for number in range(200):
        first = b"%c" % number if number % 3 else (b"8O", b"XG", b"hC", b"(S", b"x^")[number % 5]
        written = write(b"%s%d 0 0 1 k BT (john@) Tj (doe.example) Tj ET" % (first, number**2))
        data = b"%%PDF-1.4\n1 0 obj\n<</Filter%s>>\nstream\n%s\nendstream\n" % (filters, written)
        assert finds(data), number


@pytest.mark.parametrize("finds", [masking, scanning])
@pytest.mark.parametrize(
    ("name", "filters", "write"),
    [
        (b"/F#69lter", b"/ASCII#38#35Decode", lambda page: base64.a85encode(page) + b"~>"),
        (
            b"/Filter",
            b"[/#41#38#35/Fl#61teDecode]",
            lambda page: base64.a85encode(zlib.compress(page)) + b"~>",
        ),
        (b"/#46#69#6c#74#65#72", b"/LZ#57Decode", lambda page: lzw(page, unix=False)),
        (b"/Filter", b"/RunLengthD#65code/A#", run_lengths),
    ],
    ids=["letters", "packed letters", "LZW", "runs"],
)
def test_names_may_be_escaped(
    finds: Callable[[bytes], bool], name: bytes, filters: bytes, write: Callable[[bytes], bytes]
) -> None:
    """Any character but the number sign, as ISO 32000-1 section 7.3.5 says."""
    written = write(b"8O 0 0 1 k BT (john@) Tj (doe.example) Tj ET")
    data = b"%%PDF-1.4\n1 0 obj\n<<%s%s>>\nstream\n%s\nendstream\n" % (name, filters, written)
    assert finds(data)


@pytest.mark.parametrize("finds", [masking, scanning])
@pytest.mark.parametrize("end", [b"\r", b" \r\n", b"  \n", b"\t\r"])
def test_a_stream_begins_behind_any_line_end_that_readers_bear(
    finds: Callable[[bytes], bool], end: bytes
) -> None:
    data = pdf(zlib.compress(b"BT (john@) Tj (doe.example) Tj ET"))
    assert finds(data.replace(b"stream\n", b"stream" + end, 1))


@pytest.mark.parametrize("finds", [masking, scanning])
def test_a_large_page_is_read_to_its_end(finds: Callable[[bytes], bool]) -> None:
    """In pieces: wherever an address stands, it is in one of them."""
    shown = b"( john@) Tj (doe.) Tj (example) Tj ( ) Tj "
    for filling in (b"(a) Tj ", b"<6162> Tj ", b"0 0 1 k "):
        for size in (*range(199_950, 200_010, 13), *range(262_090, 262_150, 13), 900_000):
            page = (filling * (size // len(filling) + 1))[-size:] + shown + filling * 99
            assert finds(pdf(page, filters=b"null")), (filling, size)


@pytest.mark.parametrize(
    "read", [lambda page: [*pdf_page.read_page(page)], pages.read_page], ids=["masking", "scan"]
)
@pytest.mark.parametrize("filling", [b"(a)", b"<41>", b"(\\1) "])
def test_a_page_of_short_strings_takes_little_room(
    read: Callable[[bytes], object], filling: bytes
) -> None:
    page = filling * (3 * 1024 * 1024 // len(filling))
    tracemalloc.start()
    try:
        read(page)
        assert tracemalloc.get_traced_memory()[1] < 12 * len(page)
    finally:
        tracemalloc.stop()


WRITERS: dict[str, Callable[[bytes], bytes]] = {
    "A85": lambda data: base64.a85encode(data) + b"~>",
    "ASCII85Decode": lambda data: base64.a85encode(data, wrapcol=60, adobe=True),
    "AHx": lambda data: data.hex().encode() + b">",
    "ASCIIHexDecode": lambda data: data.hex(" ", 20).upper().encode() + b">",
    "LZW": lambda data: lzw(data, unix=False),
    "RL": run_lengths,
    "Fl": zlib.compress,
    "FlateDecode": lambda data: zlib.compress(data, 9),
}


@SIDES
@pytest.mark.parametrize("second", WRITERS)
@pytest.mark.parametrize("first", WRITERS)
def test_filters_are_undone_in_the_order_they_are_named(
    finds: Callable[[bytes], bool], first: str, second: str
) -> None:
    """Whichever two, and the usual ones behind them; of nulls ASCII85 writes a `z`."""
    page = b"BT (john@) Tj (doe.example) Tj ET" + bytes(40)
    for third in ("Fl", "A85", ""):
        written = WRITERS[third](page) if third else page
        written = WRITERS[first](WRITERS[second](written))
        names = b" ".join(b"/" + each.encode() for each in (first, second, third) if each)
        assert finds(pdf(written, filters=b"[ " + names + b" ]")), names


@SIDES
def test_a_filter_is_no_name_that_stands_elsewhere(finds: Callable[[bytes], bool]) -> None:
    """Of text that another filter might have written, too."""
    data = pdf(b"BT (john@) Tj (doe.example) Tj ET", filters=b"null /Other /A85 /More [/RL /LZW]")
    assert finds(data)
