"""Files of every format are looked into, within limits, and however broken they are."""

import base64
import bz2
import gzip
import itertools
import lzma
import random
import re
import struct
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable, Iterable

import bombs
import containers
import pytest
from containers import INNER, WRAPS, seven_zip, tarred, wrapped, zipped
from cost import within
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.base.limits import Limits
from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.container import budget, outlook
from conversation_tracker.core.masking.container.budget import Unpacking
from conversation_tracker.core.masking.container.lempel_ziv import lzw
from conversation_tracker.core.masking.container.search import (
    holds_address,
    is_container,
    is_no_text,
)
from conversation_tracker.core.model.message import parse
from conversation_tracker.core.scanning import back_references
from conversation_tracker.core.scanning.scan import scan

REAL = "john@doe.example"
RAW = REAL.encode()
TEXT = b"".join(b"You may write to john@doe.example on day %d. " % day for day in range(3))
MIXED = bytes(random.Random(1).choices(b"abcdefghijklmnop \n", k=4000)) + TEXT
"""Text of which Zstandard, too, writes no letter as it is."""
PEOPLE = People([REAL])
NOBODY = People(["anna@doe.example"])


@pytest.mark.parametrize("name", WRAPS)
def test_an_address_inside_is_found(name: str) -> None:
    data = WRAPS[name](TEXT)
    assert holds_address(data, PEOPLE)
    assert not holds_address(data, NOBODY)
    sure = not name.startswith(("zlib", "picture", "pgp")) and " in a " not in name
    assert is_container(data) is sure
    assert is_no_text(data)


@pytest.mark.parametrize("place", [0, 157, 265, 297, 345])
@pytest.mark.parametrize("wrap", [bytes, gzip.compress, bz2.compress])
def test_names_in_a_header_of_tar_are_parted_from_other_fields(
    place: int, wrap: Callable[[bytes], bytes]
) -> None:
    """Octets beside them are digits of numbers, or letters of other names."""
    head = bytearray(tarred({"a.txt": b"x"}, tarfile.USTAR_FORMAT)[:512])
    head[place - 1 if place else 0 : place] = b"2" if place else b""
    head[place : place + len(RAW)] = RAW
    head[148:156] = b"%06o\0 " % (sum(head[:148]) + 8 * 32 + sum(head[156:]))
    data = wrap(bytes(head) + bytes(1024))
    assert holds_address(data, PEOPLE)
    assert not holds_address(data, NOBODY)
    raw = b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(data)
    headers, body = parse(b"Content-Type: application/x-tar\n" + raw)
    assert scan(headers, body, {REAL: "b"})


@pytest.mark.parametrize("before", [b"\x1e\x20", b"\x41\x20", b"\xff\xff"])
def test_a_length_before_an_address_in_utf_16_is_no_letter_of_it(before: bytes) -> None:
    """As in the names of keys in PKCS #12."""
    data = b"\0\1" + before + REAL.encode("utf-16-be") + b"\x30\x31\2"
    assert holds_address(data, PEOPLE)
    raw = b"Content-Type: application/x-pkcs12\nContent-Transfer-Encoding: base64\n\n"
    assert scan(*parse(raw + base64.encodebytes(data)), {REAL: "b"})


def test_the_name_of_a_file_in_openpgp_is_parted_from_its_date() -> None:
    data = containers.packet(11, b"b" + bytes((len(RAW),)) + RAW + b"i\2\3\4" + b"x")
    assert holds_address(data, PEOPLE)
    assert not holds_address(data, NOBODY)


@pytest.mark.parametrize(
    "name",
    ["gz", "bz2", "xz", "lzma", "zst", "lz4", "pages", "tzst", "zlib", "7z", "tgz", "doc", "xls"],
)
def test_it_does_not_stand_there_in_clear(name: str) -> None:
    """Else the tests of these formats would try nothing."""
    data = WRAPS[name](MIXED if name not in ("doc", "xls") else RAW)
    assert not PEOPLE.in_bytes(data)
    assert holds_address(data, PEOPLE)


@pytest.mark.parametrize("outer", INNER)
@pytest.mark.parametrize("inner", ["zip", "tgz", "xz", "doc", "msg, rtf", "pdf", "7z"])
def test_files_inside_files_are_looked_into(inner: str, outer: str) -> None:
    data = wrapped(TEXT, (inner, outer))
    assert holds_address(data, PEOPLE)
    assert not holds_address(data, NOBODY)


def test_what_is_only_compressed_does_not_count_as_an_archive_inside_another() -> None:
    assert holds_address(wrapped(TEXT, ("zip", "tgz", "zip", "xz", "gz")), PEOPLE)
    assert not holds_address(wrapped(TEXT, ("7z", "zip", "zip", "zip")), PEOPLE)
    assert not holds_address(wrapped(TEXT, ["gz"] * (budget.MAX_LAYERS + 1)), PEOPLE)


NAMED = {
    "gzip's own name": containers.named_gzip(b"x", f"{REAL}.txt"),
    "gzip's comment": containers.named_gzip(b"x", "a", f"by {REAL}"),
    "zip's comment": zipped({"a": b"x"}, comment=RAW),
    "zip's name": zipped({f"{REAL}.txt": b"x"}),
    "tar's name": tarred({f"{REAL}.txt": b"x"}),
    "tar's name, packed": gzip.compress(tarred({f"{REAL}.txt": b"x"})),
    "tar's pax header": lzma.compress(tarred({"a": b"x"}, comment=f"of {REAL}")),
    "ar's name": containers.ar({REAL: b"x"}),
    "7z's name": seven_zip({f"{REAL}.txt": b"x"}),
    "behind gzip": gzip.compress(b"x") + bz2.compress(TEXT),
    "behind bzip2": bz2.compress(b"x") + zipped({"a": TEXT}),
    "behind xz": lzma.compress(b"x") + b" mailto:john@doe.example\n",
    "name of an encrypted file": containers.encrypted_zip(b"x").replace(b"a.txt", b"a@b.x") + RAW,
    "zip of a message": zipped({"a.eml": b"From: a@b.example\nContent-Transfer-Encoding: base64\n"
                                b"Subject: x\n\n" + b"am9obkBkb2UuZXhhbXBsZSwgam9obg==\n"}),
    "tar of a mailbox": gzip.compress(tarred({"m": b"".join(
        b"From x Thu Jan  1 00:00:00 2026\nFrom: a@b.example\nSubject: x\n"
        b"Content-Transfer-Encoding: quoted-printable\n\n%s\n\n" % each
        for each in (b"nothing", b"john=40doe.=\nexample"))})),
    "zip of a page": zipped({"a.html": b"<p>john<b>@</b>doe.example</p>" * 9}),
    "zip of escapes": zipped({"a.json": b'{"a": "john\\u0040doe.example"}' * 9}),
    "zip of a link": zipped({"a.txt": b"https://t.example/?u=john%40doe.example " * 9}),
    "zip of RTF": zipped({"a.rtf": b"{\\rtf1 {\\b john\\'40}{\\i d}oe.exam\\u112?le} " * 9}),
    "zip of a calendar": zipped({"a": b"BEGIN:VCALENDAR\r\nATTENDEE:mailto:john@d\r\n oe.example"
                                 b"\r\nEND:VCALENDAR\r\n" * 9}),
    "gzip of an old card": gzip.compress(
        b"BEGIN:VCARD\r\nEMAIL;QUOTED-PRINTABLE:john=40doe.ex=\r\nample\r\n" * 9),
    "zip of a page in UTF-16": zipped(
        {"a.xml": "\ufeff<a>john@<b/>doe.example</a>".encode("utf-16-be")}),
    "gzip of UTF-16 without a mark": gzip.compress(
        "<a>john&#64;doe.example</a>".encode("utf-16-le")),
    "zip of a picture": zipped(
        {"a.png": containers.png(b"zTXt", b"A\0\0" + zlib.compress(MIXED))}),
    "sheet in a zip": zipped({"a.xls": containers.excel(RAW)}),
    "short value of a database": containers.rows(REAL),
    "value beside others in a database": containers.rows("Anna", REAL, "Rome"),
    "value of a database in UTF-16": containers.rows("A", REAL, "R", encoding="UTF-16le"),
    "stored in a cabinet": containers.cabinet(TEXT, packed=False),
    "long value of a database": containers.sqlite("x" * 455 + f" {REAL} " + "y" * 700),
}  # fmt: skip


@pytest.mark.parametrize("data", NAMED.values(), ids=list(NAMED))
def test_what_stands_around_and_is_spelled_in_other_ways_is_found(data: bytes) -> None:
    assert holds_address(data, PEOPLE)
    assert not holds_address(data, NOBODY)


def patched(data: bytes, *places: tuple[bytes, int]) -> bytes:
    """Write another octet at some places, so far behind a mark each."""
    new = bytearray(data)
    for mark, ahead in places:
        new[new.index(mark) + ahead] = 0x62
    return bytes(new)


CLOSED = {
    "encrypted zip": containers.encrypted_zip(TEXT),
    "unknown method": patched(zipped({"a": TEXT}), (b"PK\3\4", 8), (b"PK\1\2", 10)),
    "encrypted 7z": seven_zip({"a": TEXT}, packed_header=False).replace(
        b"\x21\x21\x01\x08", b"\x24\x06\xf1\x07"),
    "rar": b"Rar!\x1a\x07\x01\0" + random.Random(1).randbytes(500),
}  # fmt: skip


@pytest.mark.parametrize("data", CLOSED.values(), ids=list(CLOSED))
def test_what_nobody_can_open_shows_nothing(data: bytes) -> None:
    assert not holds_address(data, PEOPLE)


def test_outlook_s_compression_is_undone() -> None:
    """The example of MS-OXRTFCP section 4.1.1, with references into the text known before."""
    packed = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af3"
        "2068656c090020627705b06c647d0a800fa0"
    )
    [text] = outlook.open_compressed_rtf(packed, Unpacking())
    assert text == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"


def test_text_that_only_speaks_of_files_is_text() -> None:
    wide = "7-Zip \u8b1f\u3008 \u4e00".encode("utf-16-le")  # as gzip begins
    for text in (
        *(b"BZh is how bzip2 begins", b"x^2 + y^2", b"see %PDF-1.4", b"Hello\n", b"PK", b"", wide),
        *(b"bzip2 files begin with BZh91AY&SY", b"\xa3 1.50", b"\xc8b\n", b"\xcbabc", b"\x1b(B PK"),
        *(b"x^2 is \xe9gal \x1b[1m to x.\x1b[0m " * 9, b"x\x9c\x01"),
    ):
        assert not is_no_text(text)
        assert not is_container(text)


@given(st.sampled_from(sorted(WRAPS)), st.integers(0, 20_000), st.binary(max_size=8))
def test_broken_files_raise_nothing(name: str, at: int, patch: bytes) -> None:
    data = WRAPS[name](TEXT)
    at %= len(data)
    holds_address(data[:at] + patch + data[at + len(patch) :], PEOPLE)
    holds_address(data[:at], PEOPLE)
    holds_address(data[at:], PEOPLE)


MAGICS = (
    *(b"\x1f\x8b\x08\x1f", b"BZh91AY&SY", b"\xfd7zXZ\0\0\4", b"\x28\xb5\x2f\xfd", b"!<arch>\n"),
    *(b"\x5d\0\0\1\0" + b"\xff" * 8 + b"\0", b"7z\xbc\xaf\x27\x1c\0\4", b"\x09\x08\x10\0"),
    b"SQLite format 3\0\2\0".ljust(100, b"\0") + b"\r\0\0\0\x20\0\x10\0",
    b"MSCF\0\0\0\0".ljust(26, b"\0") + b"\1\0\1\0\0\0" + bytes(4) + b"\x2c\0\0\0\2\0\1\0",
    b"7z\xbc\xaf\x27\x1c\0\4" + bytes(12) + b"\x99" + bytes(11) + b"\x01\x04\x06",
    *(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"SQLite format 3\0\2\0", b"{\\rtf1", b"%PDF-endobj"),
    *(bytes(8) + b"LZFu" + bytes(4), b"\xff\xff\xff\x7f" * 2 + b"LZFu" + bytes(4), b"PK\3\4"),
)


@given(st.sampled_from(MAGICS), st.binary(max_size=600))
def test_arbitrary_bytes_raise_nothing(magic: bytes, data: bytes) -> None:
    holds_address(magic + data, PEOPLE)


@pytest.mark.parametrize("name", bombs.FILES)
def test_bombs_are_looked_at_within_bounded_time(name: str) -> None:
    data, unpacked = bombs.FILES[name](), 0

    def store(pieces: Iterable[bytes]) -> bytes:
        nonlocal unpacked
        kept = b"".join(pieces)
        unpacked += len(kept)
        return kept

    unpacking = Unpacking(Limits(store=store))
    assert not within(10, lambda: holds_address(data, PEOPLE, unpacking))
    # What lies in a file as it is was handed in, and is kept once more for each file around it.
    assert unpacked <= budget.MAX_TOTAL * (1 + budget.MAX_DEPTH)


def test_a_wide_window_is_no_memory() -> None:
    """Of LZMA it is cut to what may come out; of Zstandard and xz, more is not begun with."""
    wide = bytearray(lzma.compress(TEXT, lzma.FORMAT_ALONE))
    wide[1:5] = b"\xff" * 4
    assert holds_address(bytes(wide), PEOPLE)
    assert holds_address(bombs.window(1 << 26, MIXED), PEOPLE)
    assert not holds_address(bombs.window(1 << 27, MIXED), PEOPLE)


def test_what_came_out_before_a_wrong_sum_counts() -> None:
    """As zcat and 7z show it before they complain."""
    for packed, back in (
        (gzip.compress(TEXT), 6),
        (zlib.compress(TEXT), 2),
        (lzma.compress(TEXT), 40),
        (containers.zstd(TEXT), 1),
        (bz2.compress(TEXT), 2),
    ):
        assert holds_address(containers.wrong_sum(packed, back), PEOPLE)


def test_what_came_out_before_broken_octets_counts() -> None:
    packed = zlib.compressobj(wbits=-15)
    good = packed.compress(TEXT) + packed.flush(zlib.Z_SYNC_FLUSH)
    head = gzip.compress(b"")[:10]
    assert holds_address(head + good + b"\xff" * 50, PEOPLE)


@pytest.mark.parametrize("cut", [0, 1, 300, 5_000, 70_000, 110_000])
def test_numbers_of_lzw_get_wider_and_are_begun_anew(cut: int) -> None:
    text = (random.Random(9).randbytes(70_000) + MIXED * 9)[:cut]
    for most in (300, 3_000, 60_000):
        unix = containers.lzw(text, most=most)
        assert back_references.unpack_compress(unix, lambda: None) == text
        assert b"".join(each[:] for each in lzw.open_compress(unix, Unpacking())) == text
    for most, late in itertools.product((300, 3_800), (True, False)):
        packed = containers.lzw(text, unix=False, late=late, most=most)
        assert back_references.unpack_lzw(packed, lambda: None, late=late) == text
        kind = lzw.Numbering(early=0 if late else 1)
        assert lzw.unpack(packed, kind, 10**6, lambda: None) == text


def filtered(filter_: bytes, written: bytes) -> bytes:
    """Make a PDF file of one stream that is written in letters and digits."""
    return b"%PDF-1.4\n<</Filter/" + filter_ + b">>\nstream\n" + written + b"\nendstream\nendobj\n"


def folders(count: int) -> bytes:
    """Make a 7z file whose header tells of so many folders, in two octets each."""
    many = b"\xff" + count.to_bytes(8, "little")
    told = b"\1\4\6\0\1\t\1\0\7\x0b" + many + b"\0" + b"\1\0" * count
    told += b"\x0c" + b"\1" * count + b"\0\0\0"
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<IQQI", 0, 0, len(told), 0) + told


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        filtered(b"ASCII85Decode", b"z" * 1_000_000 + b"~>"),
        filtered(b"A85", b"abcde" * 200_000 + b"~>"),
        filtered(b"ASCIIHexDecode", b"4" * 1_000_000 + b">"),
        folders(300_000),
    ],
    ids=["nulls", "digits", "hexadecimal", "folders"],
)
def test_what_is_written_in_few_octets_takes_little_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        assert not holds_address(data, PEOPLE)
        assert tracemalloc.get_traced_memory()[1] < 24_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("before", [0, 65_530, 65_533, 65_534, 65_535, 65_536, 200_000])
def test_a_stream_in_letters_is_read_wherever_it_is_cut(before: int) -> None:
    page = b" " * before + b"BT (write to john@doe.example) Tj ET"
    for written in (page, zlib.compress(random.Random(before).randbytes(before) + page)):
        in_lines = re.sub(rb".{1,76}", rb"\g<0>\n", base64.a85encode(written), flags=re.DOTALL)
        assert holds_address(filtered(b"ASCII85Decode", in_lines + b"~>"), PEOPLE)
        assert holds_address(filtered(b"ASCII85Decode", b"<~" + in_lines + b"~>"), PEOPLE)
        assert holds_address(filtered(b"ASCIIHexDecode", written.hex(" ", 3).encode()), PEOPLE)


@pytest.mark.parametrize(
    "data",
    [
        b"\x78\x9f\x3e\x22" + bytes(300_000),
        tarred({"a": b"x"}) + b"y" * 300_000,
        b"PK\3\4" + bytes(100) + (b"PK\1\2" + bytes(42)) * 20_000
        + b"PK\5\6" + bytes(8) + struct.pack("<IIH", 46 * 20_000, 104, 0),
    ],
    ids=["TNEF", "tar", "zip"],
)  # fmt: skip
def test_a_list_of_nothing_is_gone_through_while_there_is_time(data: bytes) -> None:
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1

    assert not holds_address(data, PEOPLE, Unpacking(Limits(check=check)))
    assert asked > 60
