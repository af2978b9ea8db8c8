"""What the final scan finds in files, and how often it reads what is in them."""

import gzip
import random
import struct
import zlib

import pytest
from builders import CARRIER

from conversation_tracker.core.base.limits import UNLIMITED
from conversation_tracker.core.model.message import parse
from conversation_tracker.core.scanning.carving import Carver
from conversation_tracker.core.scanning.scan import scan


def find(data: bytes) -> list[bytes]:
    return [bytes(each[:]) for each in Carver(UNLIMITED).iter_contents(data)]


def pdf(*streams: bytes) -> bytes:
    return b"%PDF-1.4\n" + b"".join(
        b"1 0 obj\n<<>>\nstream\n" + each + b"\nendstream\nendobj\n" for each in streams
    )


def test_a_file_behind_one_in_which_another_stands_farther_behind() -> None:
    letters = bytes(random.Random(3).choices(b"abcdefghij \n", k=50_000))
    first = gzip.compress(letters + gzip.compress(b"nothing") + b" ")
    assert b"sought" in find(b"\0\1" + first + bytes(9) + gzip.compress(b"sought"))


def test_a_stream_behind_one_that_is_not_packed() -> None:
    assert b"q sought Q" in find(pdf(b"q 1 0 0 1 0 0 cm Q", zlib.compress(b"q sought Q")))


def test_each_stream_comes_out_once() -> None:
    pages = [b"BT /F%d Tf ET" % n for n in range(20)]
    found = find(pdf(*map(zlib.compress, pages)))
    assert [found.count(page) for page in pages] == [1] * 20


def test_what_stands_between_streams_is_found() -> None:
    packed = zlib.compress(b"q Q")
    data = pdf(packed) + b"2 0 obj\n<</URI (mailto:sought)>>\nendobj\n" + pdf(packed)
    assert any(b"mailto:sought" in each and packed not in each for each in find(data))


def test_chains_that_share_their_sectors_are_not_read_for_each() -> None:
    """No program makes them, and as many as there are sectors may lead to as many others."""
    end, free = 0xFFFFFFFE, 0xFFFFFFFF
    count = 800  # sectors of 128 octets
    after = [*range(1, count // 2), end, *[0] * (count // 2)]
    table = struct.pack(f"<{count}I", *after)
    sectors = [*range(count, count + len(table) // 128)]
    head = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504))
    struct.pack_into("<HH", head, 30, 7, 6)
    for at in (48, 60, 68):
        struct.pack_into("<I", head, at, end)
    struct.pack_into("<109I", head, 76, *sectors, *[free] * (109 - len(sectors)))
    data = bytes(head) + bytes((count - 3) * 128) + table
    assert sum(map(len, find(data))) < 12 * len(data)


def test_references_of_any_length_are_read() -> None:
    page = b"<p>&#%s;john&#%s64;doe.example" % (b"9" * 5000, b"0" * 5000)
    assert any(b"john@doe.example" in each for each in find(page))


@pytest.mark.parametrize("tail", [b"", b"\0\1\2" * 9, b"\0\xff" * 900], ids=["text", "few", "many"])
def test_what_a_page_says_is_read_whatever_else_is_on_it(tail: bytes) -> None:
    said = CARRIER.replace("@", " (at) ").encode()
    page = b"BT (write to %s now) Tj ET\n" % said + b" " * 1024 + tail
    headers, body = parse(b"Content-Type: application/pdf\n\n" + pdf(zlib.compress(page)))
    assert scan(headers, body, {CARRIER: "a"})


@pytest.mark.parametrize("size", [0, 100, 70_000, 300_000])
def test_all_that_stands_before_a_break_is_seen(size: int) -> None:
    """The steps are large where nothing is broken, and end right where something is."""
    text = random.Random(size).randbytes(size // 2).hex().encode() + b" john@doe.example and 64 "
    text += b"octets behind it, since nothing is given of a first step that fails; the last octet"
    maker = zlib.compressobj(wbits=-15)
    packed = maker.compress(text) + maker.flush(zlib.Z_FULL_FLUSH)
    file = b"\x1f\x8b\x08\0" + bytes(6) + packed + b"\xff" * 9 + bytes(20_000)
    assert text[:-1] in [each[: len(text) - 1] for each in find(file)]
