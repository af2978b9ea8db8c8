"""Files of many formats made around octets: archives, compressed files, old Office, Outlook.

Written by the formats' descriptions, apart from the code that reads them.
"""

import base64
import binascii
import bz2
import gzip
import io
import lzma
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing

import zstandard
from locked_pdf import Locked, lock

Wrap = Callable[[bytes], bytes]

_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_SECTOR, _SMALL, _LEAST = 512, 64, 4096
_BEFORE = b"x" * 40
_ESCAPED = dict(zip(b"\b\t\n\f\r()\\", (rb"\b \t \n \f \r \( \) \\").split(), strict=True))


def zipped(
    members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b""
) -> bytes:
    """Make a zip file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archived:
        archived.comment = comment
        for name, data in members.items():
            archived.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


def streamed_zip(name: str, data: bytes) -> bytes:
    """Make a zip file whose sizes stand behind the octets, and which lost its directory."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush()
    head = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 8, 8, 0, 0, 0, 0, 0, len(name), 0)
    tail = struct.pack("<4s3I", b"PK\7\10", zlib.crc32(data), len(packed), len(data))
    return head + name.encode() + packed + tail


def encrypted_zip(data: bytes) -> bytes:
    """Make a zip file that says its one member is encrypted."""
    whole = bytearray(zipped({"a.txt": data}))
    for magic, ahead in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        whole[whole.index(magic) + ahead] |= 1
    return bytes(whole)


def tarred(members: Mapping[str, bytes], format: int = tarfile.PAX_FORMAT, **pax: str) -> bytes:
    """Make a tar file; `pax` are headers of its own for each file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as archived:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = pax
            archived.addfile(info, io.BytesIO(data))
    return file.getvalue()


def named_gzip(data: bytes, name: str, comment: str = "") -> bytes:
    """Make a gzip file that tells the name of what is in it, and a comment."""
    flags = 8 | (16 if comment else 0)
    head = b"\x1f\x8b\x08" + bytes((flags,)) + bytes(6) + name.encode() + b"\0"
    head += comment.encode() + b"\0" if comment else b""
    packer = zlib.compressobj(wbits=-15)
    tail = struct.pack("<II", zlib.crc32(data), len(data))
    return head + packer.compress(data) + packer.flush() + tail


def ar(members: Mapping[str, bytes]) -> bytes:
    """Make a Unix archive."""
    out = b"!<arch>\n"
    for name, data in members.items():
        head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
        out += head.encode() + data + b"\n" * (len(data) % 2)
    return out


def _number(value: int) -> bytes:
    """Write a number as 7z does."""
    for size in range(9):
        if value < 1 << (7 * size + 7) or size == 8:
            first = 0xFF00 >> size & 0xFF
            low = value & (1 << 8 * size) - 1
            high = value >> 8 * size if size < 8 else 0
            return bytes((first | high,)) + low.to_bytes(size, "little")
    raise AssertionError(value)


_LZMA1 = {"id": lzma.FILTER_LZMA1, "dict_size": 65536}
_LZMA2 = {"id": lzma.FILTER_LZMA2, "dict_size": 65536}
_METHODS: dict[str, tuple[bytes, Wrap]] = {
    "copy": (b"\x01\x00", lambda data: data),
    "lzma": (
        b"\x23\x03\x01\x01\x05\x5d" + struct.pack("<I", 65536),
        lambda data: lzma.compress(data, lzma.FORMAT_RAW, filters=[_LZMA1]),
    ),
    "lzma2": (
        b"\x21\x21\x01\x08",
        lambda data: lzma.compress(data, lzma.FORMAT_RAW, filters=[_LZMA2]),
    ),
    "delta": (
        b"\x21\x03\x01\x03\x21\x21\x01\x08\x01\x00",
        lambda data: lzma.compress(
            data, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_DELTA, "dist": 4}, _LZMA2]
        ),
    ),
    "deflate": (b"\x03\x04\x01\x08", lambda data: zlib.compress(data)[2:-4]),
    "bzip2": (b"\x03\x04\x02\x02", bz2.compress),
}


def _folders(method: str, at: int, packed: int, unpacked: int) -> bytes:
    several = method == "delta"
    coder = (b"\x02" if several else b"\x01") + _METHODS[method][0]
    sizes = _number(unpacked) * (2 if several else 1)
    return (
        b"\x06" + _number(at) + _number(1) + b"\x09" + _number(packed) + b"\x00"
        b"\x07\x0b\x01\x00" + coder + b"\x0c" + sizes + b"\x00"
    )  # fmt: skip


def seven_zip(
    members: Mapping[str, bytes], method: str = "lzma2", *, packed_header: bool = True
) -> bytes:
    """Make a 7z file of one folder."""
    whole = b"".join(members.values())
    packed = _METHODS[method][1](whole)
    sizes = [len(data) for data in members.values()]
    header = b"\x01\x04" + _folders(method, 0, len(packed), len(whole))
    header += b"\x08\x0d" + _number(len(sizes))
    if len(sizes) > 1:
        header += b"\x09" + b"".join(map(_number, sizes[:-1]))
    header += b"\x00\x00"
    names = b"\x00" + b"".join(f"{name}\0".encode("utf-16-le") for name in members)
    header += b"\x05" + _number(len(members)) + b"\x11" + _number(len(names)) + names + b"\x00\x00"
    if packed_header:
        inner = _METHODS["lzma"][1](header)
        told = b"\x17" + _folders("lzma", len(packed), len(inner), len(header)) + b"\x00"
        packed, header = packed + inner, told
    start = struct.pack("<QQI", len(packed), len(header), zlib.crc32(header))
    return (
        b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + packed + header
    )


def compound(streams: Mapping[str, bytes], *, scattered: bool = True) -> bytes:
    """Make a compound file; its streams' sectors stand in turns, so that none is in one piece."""
    sectors: list[bytes] = []
    table: list[int] = []
    small = b"".join(
        data.ljust(-(-len(data) // _SMALL) * _SMALL, b"\0")
        for data in streams.values()
        if len(data) < _LEAST
    )
    small_table: list[int] = []
    starts: dict[str, int] = {}
    for name, data in streams.items():
        if len(data) < _LEAST:
            count = -(-len(data) // _SMALL)
            starts[name] = len(small_table) if count else _END
            small_table += [len(small_table) + n + 1 for n in range(count - 1)]
            small_table += [_END] * bool(count)
    pieces = {name: _cut(data) for name, data in streams.items() if len(data) >= _LEAST}
    pieces["Root Entry"] = _cut(small)
    before: dict[str, int] = {}
    order = [
        (name, piece)
        for turn in range(max(map(len, pieces.values()), default=0))
        for name, cut in pieces.items()
        for piece in cut[turn : turn + 1]
    ]
    if not scattered:
        order = [(name, piece) for name, cut in pieces.items() for piece in cut]
    for name, piece in order:
        number = len(sectors)
        sectors.append(piece.ljust(_SECTOR, b"\0"))
        table.append(_END)
        if name in before:
            table[before[name]] = number
        else:
            starts[name] = number
        before[name] = number
    entries = [_entry("Root Entry", 5, starts.get("Root Entry", _END), len(small), child=1)]
    entries += [
        _entry(name, 2, starts[name], len(data), after=n + 1 if n < len(streams) else _FREE)
        for n, (name, data) in enumerate(streams.items(), 1)
    ]
    first = _add(sectors, table, b"".join(entries))
    first_small = _add(sectors, table, b"".join(struct.pack("<I", n) for n in small_table))
    count = -(-(len(table) + 2) // (_SECTOR // 4)) + 1
    at = len(sectors)
    table += [_FAT] * count
    whole = b"".join(struct.pack("<I", n) for n in table)
    sectors += [piece.ljust(_SECTOR, b"\xff") for piece in _cut(whole)]
    sectors += [b"\xff" * _SECTOR] * (at + count - len(sectors))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    head += struct.pack("<5H6xII", 0x3E, 3, 0xFFFE, 9, 6, 0, count)
    head += struct.pack("<4I", first, 0, _LEAST, first_small)
    head += struct.pack("<3I", -(-len(small_table) * 4 // _SECTOR), _END, 0)
    named = [at + n for n in range(count)][:109]
    return head + struct.pack("<109I", *named, *[_FREE] * (109 - len(named))) + b"".join(sectors)


def _cut(data: bytes) -> list[bytes]:
    return [data[at : at + _SECTOR] for at in range(0, len(data), _SECTOR)]


def _add(sectors: list[bytes], table: list[int], data: bytes) -> int:
    """Write a stream in one piece; gives its first sector."""
    cut = _cut(data)
    first = len(sectors)
    sectors += [piece.ljust(_SECTOR, b"\0") for piece in cut]
    table += [first + n + 1 for n in range(len(cut) - 1)] + [_END] * bool(cut)
    return first if cut else _END


def _entry(
    name: str, kind: int, start: int, size: int, *, after: int = _FREE, child: int = _FREE
) -> bytes:
    written = name.encode("utf-16-le")[:62] + b"\0\0"
    numbers = struct.pack("<HBB3I", len(written), kind, 1, _FREE, after, child)
    entry = written.ljust(64, b"\0") + numbers
    return entry.ljust(116, b"\0") + struct.pack("<IQ", start, size)


def word(text: bytes) -> bytes:
    """Make what an old Word document is: text across sectors, another stream between them."""
    # An address stands half in one sector, half in another.
    shift = (_SECTOR - len(text) // 2) % _SECTOR
    return compound(
        {
            "WordDocument": (b"\xec\xa5\xc1\0".ljust(shift, b"\0") + text).ljust(5000, b"\0"),
            "1Table": bytes(range(256)) * 20,
        }
    )


def excel(text: bytes) -> bytes:
    """Make what an old Excel sheet is: a shared string that goes on in the next record."""
    half = len(text) // 2
    first = b"\0" * 8 + text[:half]
    book = struct.pack("<HH", 0x0809, 16) + b"\0\6\5\0" + bytes(12)
    book += struct.pack("<HH", 0xFC, len(first)) + first
    book += struct.pack("<HH", 0x3C, len(text) - half + 1) + b"\0" + text[half:]
    return compound({"Workbook": book + struct.pack("<HH", 0x0A, 0) + bytes(4096)})


def compressed_rtf(text: bytes) -> bytes:
    """Make compressed RTF of nothing but literals."""
    data = b"".join(b"\0" + text[at : at + 8] for at in range(0, len(text), 8))
    return struct.pack("<II4sI", len(data) + 12, len(text), b"LZFu", 0) + data


def outlook(streams: Mapping[str, bytes]) -> bytes:
    """Make a message as Outlook saves it: streams by the tags of their properties."""
    return compound({f"__substg1.0_{tag}": data for tag, data in streams.items()})


def sqlite(text: str) -> bytes:
    """Make an SQLite database with a long value."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("PRAGMA page_size = 512")
        database.execute("CREATE TABLE notes (text)")
        database.execute("INSERT INTO notes VALUES (?)", (text,))
        database.commit()
        return database.serialize()


def rows(*values: str, encoding: str = "UTF-8") -> bytes:
    """Make an SQLite database with a row of these values, and an index over them."""
    names = [f"c{number}" for number in range(len(values))]
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(f"PRAGMA encoding = '{encoding}'")
        database.execute(f"CREATE TABLE people ({', '.join(names)})")
        database.execute(f"INSERT INTO people VALUES ({', '.join('?' * len(values))})", values)
        database.execute(f"CREATE INDEX known ON people ({', '.join(names[::-1])})")
        database.commit()
        return database.serialize()


def cabinet(data: bytes, *, packed: bool = True) -> bytes:
    """Make a cabinet file of one file, in blocks that repeat what is in those before."""
    blocks, before = [], b""
    for at in range(0, len(data), 32768):
        plain = data[at : at + 32768]
        made = plain
        if packed:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, before)
            made = b"CK" + packer.compress(plain) + packer.flush()
        blocks.append(struct.pack("<IHH", 0, len(made), len(plain)) + made)
        before = plain
    name = b"a.txt\0"
    start = 36 + 8 + 16 + len(name)
    size = start + sum(map(len, blocks))
    head = struct.pack("<4s5I2B5H", b"MSCF", 0, size, 0, 44, 0, 3, 1, 1, 1, 0, 1, 0)
    folder = struct.pack("<IHH", start, len(blocks), int(packed))
    file = struct.pack("<IIHHHH", len(data), 0, 0, 0, 0, 32) + name
    return head + folder + file + b"".join(blocks)


def pdf(*streams: bytes, filters: bytes = b"/FlateDecode") -> bytes:
    """Make what a PDF file's streams stand in."""
    objects = b"".join(
        b"1 0 obj\n<</Filter %s>>\nstream\n%s\nendstream\nendobj\n" % (filters, stream)
        for stream in streams
    )
    return b"%PDF-1.7\n" + objects + b"trailer\n%%EOF"


def _iter_repeats(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield words of data as they are, and how far back stood what follows them, and its size."""
    seen: dict[bytes, int] = {}
    at = begin = 0
    while at < len(data):
        known = seen.get(data[at : at + 4], -1)
        for place in range(max(0, at - 3), at + 1):
            seen[data[place : place + 4]] = place
        if known < 0 or at + 12 > len(data) or at - known > 60_000:
            at += 1
            continue
        size = 4
        while size < 60 and at + size + 6 < len(data) and data[known + size] == data[at + size]:
            size += 1
        yield data[begin:at], at - known, size
        at = begin = at + size
    yield data[begin:], 0, 0


def _cut_up(data: bytes) -> bytes:
    """Put each piece of a text before it, so that no longer one is written as it is again."""
    if max(data) > 127:  # a file, which begins as such files do
        return data
    return b"".join(data[at : at + 5] + b"\n" for at in range(0, len(data), 4)) + data


def lz4(data: bytes, *, old: bool = False, sums: bool = False) -> bytes:
    """Make an LZ4 file of linked blocks, today's kind or the old one; sums are not right."""
    whole = _cut_up(data)
    blocks = [whole] if old else [whole, b"\n"]
    out = (
        b"\x02\x21\x4c\x18"
        if old
        else b"\x04\x22\x4d\x18" + bytes((0x54 if sums else 0x40, 0x40, 0))
    )
    for block in blocks:
        packed = b""
        for words, back, size in _iter_repeats(block):
            told = [min(15, len(words)), min(15, max(0, size - 4))]
            packed += bytes((told[0] << 4 | told[1],)) + _more(len(words)) + words
            packed += back.to_bytes(2, "little") + _more(size - 4) if size else b""
        out += struct.pack("<I", len(packed)) + packed + (b"sums" if sums else b"")
        if not old:  # one as it is
            out += struct.pack("<I", 1 << 31 | 1) + b"\n" + (b"sums" if sums else b"")
    return out if old else out + bytes(4) + (b"sums" if sums else b"")


def lzw(data: bytes, *, unix: bool = True, late: bool = False, most: int = 4_000) -> bytes:
    """Make a `.Z` file, as `compress` does, or else a stream of a PDF file.

    Args:
        data: any octets.
        unix: for `compress`.
        late: in PDF, whether numbers get wider only when they need it.
        most: words that are numbered before all is begun anew.
    """
    first, soon = (257, 0) if unix else (258, 0 if late else 1)
    letters = {bytes((n,)): n for n in range(256)}
    known = dict(letters)
    runs: list[list[int]] = [[9] if unix else [9, 256]]  # each how wide, and the numbers
    at = 0
    while at < len(data):
        size = 1
        while at + size < len(data) and data[at : at + size + 1] in known:
            size += 1
        runs[-1].append(known[data[at : at + size]])
        # Whoever reads knows one word less than whoever writes.
        free = len(known) - 256 + first
        known[data[at : at + size + 1]] = free
        at += size
        if free + soon >= 1 << runs[-1][0]:
            runs.append([runs[-1][0] + 1])
        if len(known) - 256 >= most:
            runs[-1].append(256)
            runs.append([9])
            known = dict(letters)
    if unix:
        packed = b"".join(_pack_groups(width, run) for width, *run in runs[:-1])
        width, *run = runs[-1]
        return b"\x1f\x9d\x90" + packed + _pack_groups(width, run)[: -(-len(run) * width // 8)]
    runs[-1].append(257)
    bits = "".join(f"{number:0{width}b}" for width, *run in runs for number in run)
    return int(bits + "0" * (-len(bits) % 8), 2).to_bytes(-(-len(bits) // 8), "big")


def _pack_groups(width: int, numbers: list[int]) -> bytes:
    """Pack numbers of one width, the lowest bits first, into groups of eight."""
    out = b""
    for at in range(0, len(numbers), 8):
        group = sum(number << width * n for n, number in enumerate(numbers[at : at + 8]))
        out += group.to_bytes(width, "little")
    return out


def run_lengths(data: bytes) -> bytes:
    """Write octets as they are, in short runs, and what comes thrice as one."""
    cut = (data[at : at + 7] for at in range(0, len(data), 7))
    return b"".join(bytes((len(each) - 1,)) + each for each in cut) + b"\xfe \x80"


def _more(size: int) -> bytes:
    """Write what is left of a length that is told in four bits."""
    if size < 15:
        return b""
    return b"\xff" * ((size - 15) // 255) + bytes(((size - 15) % 255,))


def apple(data: bytes) -> bytes:
    """Make a file as in Apple's documents: chunks of Snappy, in a zip file that stores it."""
    whole = _cut_up(data)
    out = b""
    for at in range(0, len(whole), 40_000):
        chunk = whole[at : at + 40_000]
        packed = bytes((len(chunk) & 127 | 128, len(chunk) >> 7 & 127 | 128, len(chunk) >> 14))
        for words, back, size in _iter_repeats(chunk):
            for place in range(0, len(words), 300):
                piece = words[place : place + 300]
                packed += b"\xf4" + struct.pack("<H", len(piece) - 1) + piece
            if 4 <= size < 12 and back < 2048:
                packed += bytes((1 | size - 4 << 2 | back >> 8 << 5, back & 255))
            elif size:
                packed += bytes((2 | size - 1 << 2,)) + struct.pack("<H", back)
        out += b"\0" + len(packed).to_bytes(3, "little") + packed
    return zipped({"Index/Document.iwa": out, "Data/a.jpg": b"\xff\xd8\xff"}, zipfile.ZIP_STORED)


def numbered_pdf(data: bytes, *, width: int = 2, way: str = "characters") -> bytes:
    """Make a PDF file in a font that numbers its letters by itself, as most programs write them.

    Args:
        data: the text, in ASCII.
        width: octets of a number.
        way: how the table of the letters is written: characters, ranges or lists.
    """
    letters = bytes(sorted(set(data)))
    codes = {letter: number.to_bytes(width, "big") for number, letter in enumerate(letters, 9)}
    shown = b"".join(codes[letter] for letter in data)
    escaped = b"".join(_ESCAPED.get(each, bytes((each,))) for each in shown)
    half = len(codes[letters[0]]) * (len(data) // 2)
    page = b"BT /F0 9 Tf (To:) Tj /F1 9 Tf 1 0 0 1 20 70 Tm (%s) Tj" % escaped
    halves = shown[:half].hex().encode(), shown[half:].hex().encode()
    page += b" 1 0 0 1 20 90 Tm [<%s> -3 <%s>] TJ ET" % halves
    table = b"begincmap\n1 begincodespacerange <%s> <%s> endcodespacerange\n" % (
        b"00" * width,
        b"FF" * width,
    )
    if way == "lists":
        table += b"1 beginbfrange\n<%s> <%s> [%s]\nendbfrange\n" % (
            codes[letters[0]].hex().encode(),
            codes[letters[-1]].hex().encode(),
            b" ".join(b"<%04X>" % each for each in letters),
        )
    for letter, code in codes.items() if way != "lists" else ():
        digits = code.hex().upper().encode()
        if way == "characters":
            table += b"1 beginbfchar\n<%s> <%04X>\nendbfchar\n" % (digits, letter)
        else:
            table += b"1 beginbfrange\n<%s> <%s> <%04x>\nendbfrange\n" % (digits, digits, letter)
    return pdf(zlib.compress(page), zlib.compress(table + b"endcmap"))


def _written_by(name: bytes) -> bytes:
    return b"%PDF-1.4\n1 0 obj\n<</Title(A)/Author" + name + b"/Subject(B)>>\nendobj\n%%EOF"


def lzip(data: bytes) -> bytes:
    """Make an lzip file."""
    filter_ = {"id": lzma.FILTER_LZMA1, "dict_size": 65536, "lc": 3, "lp": 0, "pb": 2}
    packed = lzma.compress(data, lzma.FORMAT_RAW, filters=[filter_])
    tail = struct.pack("<IQQ", zlib.crc32(data), len(data), len(packed) + 26)
    return b"LZIP\x01\x10" + packed + tail


def png(kind: bytes, text: bytes) -> bytes:
    """Make a picture of one dot, with a chunk of text or a profile."""

    def chunk(name: bytes, content: bytes) -> bytes:
        whole = name + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    first = chunk(b"IHDR", struct.pack(">II5B", 1, 1, 8, 0, 0, 0, 0))
    last = chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + first + chunk(kind, text) + last


def packet(tag: int, data: bytes, *, piece: int = 0) -> bytes:
    """Make a packet of OpenPGP, its content in pieces of so many octets, a power of two."""
    if not piece:
        return bytes((0xC0 | tag, 0xFF)) + struct.pack(">I", len(data)) + data
    cut = [data[at : at + piece] for at in range(0, len(data), piece)]
    last = cut.pop() if len(cut[-1]) < piece else b""
    told = bytes((0xE0 | piece.bit_length() - 1,))
    pieces = b"".join(told + each for each in cut)
    return bytes((0xC0 | tag,)) + pieces + b"\xff" + struct.pack(">I", len(last)) + last


def signed(data: bytes, method: int, *, piece: int = 0) -> bytes:
    """Make what OpenPGP signs and compresses; method 0 compresses nothing."""
    literal = packet(11, b"b\0" + bytes(4) + data, piece=piece)
    whole = packet(4, b"\3" + bytes(12)) + literal + packet(2, b"\4" + bytes(20))
    if not method:
        return whole
    packers: dict[int, Wrap] = {
        1: lambda data: zlib.compress(data)[2:-4], 2: zlib.compress, 3: bz2.compress
    }  # fmt: skip
    return packet(8, bytes((method,)) + packers[method](whole), piece=piece)


def wrong_sum(packed: bytes, back: int) -> bytes:
    """Damage an octet, counted from the end."""
    damaged = bytearray(packed)
    damaged[-back] ^= 0xFF
    return bytes(damaged)


def zstd(data: bytes) -> bytes:
    """Make a Zstandard file."""
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def uuencoded(data: bytes) -> bytes:
    """Make a text with a uuencoded file in it."""
    lines = (binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    return b"See:\nbegin 644 a.txt\n" + b"".join(lines) + b"`\nend\n"


WRAPS: dict[str, Wrap] = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "gz, named": lambda data: named_gzip(data, "a.txt", "made here"),
    "gz, two members": lambda data: gzip.compress(data[:20]) + gzip.compress(data[20:]),
    "gz, wrong sum": lambda data: wrong_sum(gzip.compress(data), 6),
    "gz, cut off": lambda data: gzip.compress(data)[:-6],
    "bz2": bz2.compress,
    "bz2, two streams": lambda data: bz2.compress(data[:20]) + bz2.compress(data[20:]),
    "xz": lzma.compress,
    "xz, best": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "xz, padded": lambda data: lzma.compress(data[:20]) + bytes(8) + lzma.compress(data[20:]),
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zst": zstd,
    "zst, skipped first": lambda data: b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + zstd(data),
    "zst, two frames": lambda data: zstd(data[:20]) + zstd(data[20:]),
    "lz4": lz4,
    "lz4, with sums": lambda data: lz4(data, sums=True),
    "lz4, old": lambda data: lz4(data, old=True),
    "tar, lz4": lambda data: lz4(tarred({"a.txt": data})),
    "pages": apple,
    "Z": lambda data: lzw(_cut_up(data)),
    "tar, Z": lambda data: lzw(tarred({"a.txt": data})),
    "lzip": lzip,
    "lzip, two members": lambda data: lzip(data[:20]) + lzip(data[20:]),
    "zlib": zlib.compress,
    "gz, uuencoded": lambda data: gzip.compress(uuencoded(b"x") + uuencoded(uuencoded(data))),
    "tar": lambda data: tarred({"a.txt": data}),
    "tar, old": lambda data: tarred({"a.txt": data}, tarfile.USTAR_FORMAT),
    "tar, gnu": lambda data: tarred({"a" * 120: b"x", "b": data}, tarfile.GNU_FORMAT),
    "tgz": lambda data: gzip.compress(tarred({"a.txt": data})),
    "tbz": lambda data: bz2.compress(tarred({"a.txt": data})),
    "txz": lambda data: lzma.compress(tarred({"a.txt": data})),
    "tzst": lambda data: zstd(tarred({"a.txt": data})),
    "ar": lambda data: ar({"control": b"x", "data": data}),
    "deb": lambda data: ar({"debian-binary": b"2.0\n", "data.tar.xz": lzma.compress(
        tarred({"a": data}))}),
    "zip": lambda data: zipped({"a.txt": data}),
    "zip, stored": lambda data: zipped({"a.txt": data}, zipfile.ZIP_STORED),
    "zip, bzip2": lambda data: zipped({"a.txt": data}, zipfile.ZIP_BZIP2),
    "zip, lzma": lambda data: zipped({"a.txt": data}, zipfile.ZIP_LZMA),
    "zip, streamed": lambda data: streamed_zip("a.txt", data),
    "zip behind a program": lambda data: b"MZ\0" + bytes(99) + zipped({"a.txt": data}),
    "zip behind a picture": lambda data: b"GIF89a" + bytes(99) + zipped({"a.txt": data}),
    "7z": lambda data: seven_zip({"a.txt": data}),
    "7z, several": lambda data: seven_zip({"a.txt": b"x" * 9, "b.txt": data, "c": b"y"}),
    "7z, plain header": lambda data: seven_zip({"a": data}, packed_header=False),
    "7z, lzma": lambda data: seven_zip({"a.txt": data}, "lzma"),
    "7z, copy": lambda data: seven_zip({"a.txt": data}, "copy"),
    "7z, deflate": lambda data: seven_zip({"a.txt": data}, "deflate"),
    "7z, bzip2": lambda data: seven_zip({"a.txt": data}, "bzip2"),
    "7z, delta": lambda data: seven_zip({"a.txt": data}, "delta"),
    "7z in a program": lambda data: b"MZ\0" + bytes(99) + seven_zip({"a.txt": data}),
    "gz in a program": lambda data: b"MZ\0" + bytes(99) + gzip.compress(data) + bytes(99),
    "bz2 in a script": lambda data: b"#!/bin/sh\ntail -n +3 $0 | bzcat\n" + bz2.compress(data),
    "xz in a package": lambda data: b"\xed\xab\xee\xdb" + bytes(99) + lzma.compress(data),
    "zst in a package": lambda data: b"\xed\xab\xee\xdb" + bytes(99) + zstd(data),
    "zst in a disk": lambda data: b"\xed\xab\xee\xdb" + bytes(99) + zstd(data) + b"!" * 99,
    "values in a program": lambda data: b"MZ\0x\x9c\0x\xda" + bytes(99) + b"".join(
        zlib.compress(each, 9) + b"\0\2" for each in (b"x", data, b"y")),
    "flash in a program": lambda data: b"CWS\x0a" + bytes(4) + zlib.compress(data),
    "picture, zTXt": lambda data: png(b"zTXt", b"Author\0\0" + zlib.compress(data)),
    "picture, iTXt": lambda data: png(b"iTXt", b"XML:com.adobe.xmp\0\1\0de\0x\0"
                                      + zlib.compress(b"<x>" + data + b"</x>")),
    "picture, iCCP": lambda data: png(b"iCCP", b"a\0\0" + zlib.compress(data)),
    "pgp, deflate": lambda data: signed(data, 1),
    "pgp, zlib": lambda data: signed(data, 2),
    "pgp, bzip2": lambda data: signed(data, 3),
    "pgp, pieces": lambda data: signed(data * 20, 2, piece=512),
    "pgp, pieces, not compressed": lambda data: signed(data * 20, 0, piece=512),
    "doc": word,
    "doc, utf-16": lambda data: word(data.decode("latin-1").encode("utf-16-le")),
    "xls": excel,
    "msg": lambda data: outlook({"1000001E": data, "0E1D001F": "Hi".encode("utf-16-le")}),
    "msg, utf-16": lambda data: outlook({"1000001F": data.decode("latin-1").encode("utf-16-le")}),
    "msg, rtf": lambda data: outlook({"10090102": compressed_rtf(b"{\\rtf1 " + data + b"}")}),
    "msg, html": lambda data: outlook({"10130102": b"<p>" + data + b"</p>"}),
    "cab": cabinet,
    "cab, blocks": lambda data: cabinet(_BEFORE * 900 + data),
    "sqlite": lambda data: sqlite((_BEFORE + data).decode("latin-1")),
    "pdf, hexadecimal": lambda data: pdf(
        zlib.compress(b"BT (" + data + b") Tj ET").hex().encode() + b">",
        filters=b"[/ASCIIHexDecode /FlateDecode]",
    ),
    "pdf, who wrote it": lambda data: _written_by(b"<FEFF%s>" % data.decode("latin-1").encode(
        "utf-16-be").hex().upper().encode()),
    "pdf, who wrote it, in octal": lambda data: _written_by(b"(\\376\\377%s)" % b"".join(
        b"\\000%c" % each for each in data)),
    "pdf, who wrote it, behind": lambda data: pdf(zlib.compress(b"x")) + _written_by(
        b"<feff%s>" % data.decode("latin-1").encode("utf-16-be").hex().encode()),
    "pdf, numbered letters": numbered_pdf,
    "pdf, numbered ranges": lambda data: numbered_pdf(data, way="ranges"),
    "pdf, numbered lists": lambda data: numbered_pdf(data, way="lists"),
    "pdf, numbered in one octet": lambda data: numbered_pdf(data, width=1),
    "pdf behind a line": lambda data: b"\r\n \r\n" + pdf(
        base64.a85encode(zlib.compress(b"BT (" + data + b") Tj ET")) + b"~>",
        filters=b"[/ASCII85Decode /FlateDecode]"),
    "pdf, LZW": lambda data: pdf(
        lzw(b"BT (" + data + b") Tj ET", unix=False), filters=b"/LZWDecode"),
    "pdf, LZW in letters": lambda data: pdf(
        base64.a85encode(lzw(b"BT (" + data + b") Tj ET", unix=False, late=True)) + b"~>",
        filters=b"[/A85 /LZW] /DecodeParms [null << /EarlyChange 0 >>]"),
    "pdf, run lengths": lambda data: pdf(
        run_lengths(b"BT (" + data + b") Tj ET"), filters=b"/RunLengthDecode"),
    "pdf, locked with RC4": lambda data: lock(b"BT (" + data + b") Tj ET", Locked(3)),
    "pdf, locked with AES": lambda data: lock(b"BT (" + data + b") Tj ET", Locked(6)),
    "pdf": lambda data: pdf(zlib.compress(b"BT (" + data + b") Tj ET")),
}  # fmt: skip
"""What each format makes of a short text in ASCII without brackets."""

INNER = tuple(
    name for name in WRAPS if name not in ("doc", "doc, utf-16", "xls", "msg, utf-16", "sqlite")
    and not name.startswith(("pdf", "msg", "picture", "cab, "))
)  # fmt: skip
"""Those that take octets of any kind."""


def wrapped(data: bytes, names: Sequence[str]) -> bytes:
    """Put octets into files one inside the other, the last name's outermost."""
    for name in names:
        data = WRAPS[name](data)
    return data
