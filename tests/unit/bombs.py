"""Files that cost whoever reads them more than they are large: packed, endless, or round and round.

Made by the tests that need them: together they take seconds.
"""

import bz2
import gzip
import lzma
import random
import struct
import zlib
from collections.abc import Callable
from functools import cache

import containers
import zstandard
from containers import compound, compressed_rtf, pdf, seven_zip, tarred, zipped

ZEROS = bytes(60_000_000)


def nested_bombs() -> bytes:
    """Make a file of many compressed files of nothing, twice."""
    bomb = gzip.compress(ZEROS)
    for _ in range(2):
        bomb = gzip.compress(tarred({str(n): bomb for n in range(50)}))
    return bomb


def circle() -> bytes:
    """Make a compound file whose table leads round and round."""
    data = bytearray(containers.word(b"x"))
    [at] = struct.unpack_from("<I", data, 76)
    for n in range(128):
        struct.pack_into("<I", data, (at + 1) * 512 + 4 * n, (n + 1) % 8)
    return bytes(data)


def endless_table() -> bytes:
    """Make a compound file whose list of table sectors names itself as what follows."""
    data = bytearray(containers.word(b"x") + bytes(200_000))
    struct.pack_into("<II", data, 68, 3, 0xFFFFFFF0)
    data[4 * 512 : 5 * 512] = struct.pack("<128I", *range(127), 3)
    return bytes(data)


def many_streams() -> bytes:
    """Make a compound file of many streams that are all the same sectors."""
    data = bytearray(compound({str(n): bytes(64) for n in range(500)} | {"a": bytes(900_000)}))
    [first] = struct.unpack_from("<I", data, 48)
    at = (first + 1) * 512
    for n in range(1, 501):
        struct.pack_into("<IQ", data, at + 128 * n + 116, 0, 900_000)
    return bytes(data)


def window(octets: int, data: bytes = bytes(4000)) -> bytes:
    """Make a Zstandard frame that wants a window of so many octets."""
    parameters = zstandard.ZstdCompressionParameters(
        window_log=octets.bit_length() - 1, enable_ldm=True
    )
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packer.compress(data) + packer.flush()


def lz4_block(block: bytes) -> bytes:
    return b"\x04\x22\x4d\x18\x60\x40\0" + struct.pack("<I", len(block)) + block


def chunks(chunk: bytes, times: int) -> bytes:
    return (b"\0" + len(chunk).to_bytes(3, "little") + chunk) * times


FILES: dict[str, Callable[[], bytes]] = {
    "gz": lambda: gzip.compress(ZEROS),
    "gz of nothing": lambda: gzip.compress(b"") * 5_000,
    "bz2": lambda: bz2.compress(ZEROS),
    "bz2 of nothing": lambda: bz2.compress(b"") * 20_000,
    "xz": lambda: lzma.compress(ZEROS),
    "xz of nothing": lambda: lzma.compress(b"") * 5_000,
    "zst": lambda: containers.zstd(ZEROS),
    "zst of nothing": lambda: containers.zstd(b"") * 20_000,
    "zst, a wide window": lambda: window(1 << 27),
    "lz4": lambda: lz4_block(b"\x1fa\1\0" + b"\xff" * 1_000_000),
    "lz4 of short steps": lambda: lz4_block(b"\x10a\1\0" * 2_000_000),
    "lz4 of nothing": lambda: b"\x02\x21\x4c\x18" * 500_000,
    "snappy of short steps": lambda: chunks(b"\x08\0a\1\1" * 20_000, 50),
    "snappy of nothing": lambda: chunks(b"\0", 400_000),
    "values": lambda: b"MZ\0" + b"x\x9c" * 1_000_000,
    "empty values": lambda: b"MZ\0" + zlib.compress(b"a") * 100_000,
    "large values": lambda: b"MZ\0" + zlib.compress(ZEROS[: 1 << 24]) * 40,
    "Z": lambda: containers.lzw(bytes(3_000_000), most=60_000),
    "Z of noise": lambda: b"\x1f\x9d\x90" + random.Random(4).randbytes(3_000_000),
    "Z of nothing": lambda: b"\x1f\x9d\x90" + b"\0\1" * 1_000_000,
    "pdf, LZW": lambda: containers.pdf(
        *[containers.lzw(bytes(3_000_000), unix=False)] * 30, filters=b"/LZWDecode"),
    "pdf, LZW of noise": lambda: containers.pdf(
        *[b"\x80\0" + random.Random(4).randbytes(1_000_000)] * 9, filters=b"/LZWDecode"),
    "pdf, run lengths": lambda: containers.pdf(*[b"\x81a" * 500_000] * 9, filters=b"/RL"),
    "tar of bombs of bombs": nested_bombs,
    "tar of nothing": lambda: tarred({str(n): b"" for n in range(3_000)}),
    "ar of nothing": lambda: containers.ar({str(n): b"" for n in range(9_000)}),
    "7z": lambda: seven_zip({"a": ZEROS}),
    "7z of nothing": lambda: seven_zip({str(n): b"x" for n in range(5_000)}),
    "circle of sectors": circle,
    "endless table": endless_table,
    "many streams of the same sectors": many_streams,
    "compressed RTF": lambda: compressed_rtf(b"")[:4] + b"\xff\xff\xff\x7fLZFu" + bytes(4)
    + b"\xfe{\\rtf" + b"\x00\x0f" * 700_000,
    "RTF": lambda: zipped({"a.rtf": b"{\\rtf1" + b"\\'4" * 1_000_000}),
    "sheet": lambda: b"\x09\x08\x10\0" + bytes(3_000_000),
    "mailbox": lambda: b"From: a@b\nTo: c\n\n" + b"From x 00:00\n" * 200_000,
}  # fmt: skip


@cache
def zeros() -> bytes:
    """Make a small file of a large one."""
    return zipped({"zeros": bytes(100 * 1024 * 1024)})


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "one file": zeros,
    "many files": lambda: zipped({f"{i}.zip": zeros() for i in range(50)}),
    "many members": lambda: zipped({str(i): b"x" for i in range(5_000)}),
    "text": lambda: zipped({"a.xml": b"<a>" * 15_000_000}),
    "pdf": lambda: pdf(*[zlib.compress(bytes(20 * 1024 * 1024))] * 20),
    "pdf of strings": lambda: pdf(zlib.compress(b"(a) Tj " * 3_000_000)),
    "pdf of streams": lambda: b"%PDF-" + b"stream\nx\x9c" * 200_000,
    "pdf of ends": lambda: b"%PDF-" + b"stream\nendstream" * 100_000,
    "pdf of parentheses": lambda: pdf(zlib.compress(b"T(" * 2_000_000)),
    "pdf of tables": lambda: pdf(
        *[zlib.compress(b"begincmap beginbfrange <0000> <FFFF> <0000> endbf")] * 500,
        *[zlib.compress(b"(@) Tj " * 10_000)] * 500,
    ),
    "pdf of ranges": lambda: pdf(
        zlib.compress(b"begincmap" + b"beginbfrange <0000> <FFFF> <0000> " * 90_000),
        zlib.compress(b"<0040> Tj " * 400_000),
    ),
    "pdf of lists": lambda: pdf(zlib.compress(b"begincmap beginbfrange" + b"<1><2>[" * 500_000)),
    "pdf of brackets": lambda: pdf(zlib.compress(b"T(<<" * 1_000_000)),
}
