"""A journal on disk in systemd's own form, as systemd's JOURNAL_FILE_FORMAT tells it.

Written here, because entries of another boot or machine are written by no program of Debian's but
systemd-journal-remote, whose package takes all of systemd to its own version. No feature flags:
hashes are Jenkins' lookup3, and offsets have 64 bits. Objects are only added; the header, which
counts them, is written last.
"""

import itertools
import struct
import uuid
from collections.abc import Mapping
from pathlib import Path

_DATA, _FIELD, _ENTRY, _DATA_TABLE, _FIELD_TABLE, _ARRAY = 1, 2, 3, 4, 5, 6
_HEADER = struct.Struct("<8sIIB7x16s16s16s16s19Q")
_BUCKETS = 64
_ROOM = 250  # entries, of the whole file and of what any value stands in
_MASK = 0xFFFF_FFFF


class JournalFile:
    """One journal file, which journalctl may read at any time."""

    def __init__(self, path: Path, machine: str) -> None:
        """Make it, empty.

        Args:
            path: the file, which is not there yet.
            machine: whose journal it is, 32 hexadecimal digits.
        """
        self._path, self._machine, self._id = path, bytes.fromhex(machine), uuid.uuid4().bytes
        self._content = bytearray(_HEADER.size)
        self._data: dict[bytes, int] = {}
        self._fields: dict[bytes, int] = {}
        self._times: list[int] = []
        self._count, self._arrays, self._boot = 0, 0, bytes(16)
        self._data_table = self._add(_DATA_TABLE, bytes(16 * _BUCKETS))
        self._field_table = self._add(_FIELD_TABLE, bytes(16 * _BUCKETS))
        self._entries = self._add(_ARRAY, bytes(8 + 8 * _ROOM))
        self._write()

    def append(self, fields: Mapping[str, str], at: int, boot: str) -> None:
        """Add an entry.

        Args:
            fields: names and values.
            at: microseconds since 1970, more than those of the entry before.
            boot: in which boot it was said, 32 hexadecimal digits.
        """
        assert len(self._times) < _ROOM
        self._boot = bytes.fromhex(boot)
        values = [f"{name}={value}".encode() for name, value in fields.items()]
        places = [(self._value(value), _hash(value)) for value in values]
        combined = 0
        for _, number in places:
            combined ^= number
        number = len(self._times) + 1
        text = struct.pack("<QQQ16sQ", number, at, at, self._boot, combined)
        items = itertools.chain.from_iterable(sorted(places))
        entry = self._add(_ENTRY, text + struct.pack(f"<{2 * len(places)}Q", *items))
        self._put(self._entries + 24 + 8 * len(self._times), entry)
        for place, _ in places:
            self._mention(place, entry)
        self._times.append(at)
        self._write()

    def _value(self, value: bytes) -> int:
        """Return the place of a field's value, which stands in the file once."""
        if value in self._data:
            return self._data[value]
        name = value.partition(b"=")[0]
        place = self._add(_DATA, struct.pack("<6Q", _hash(value), 0, 0, 0, 0, 0) + value)
        self._chain(self._data_table, _hash(value), place)
        self._data[value] = place
        if name not in self._fields:
            field = self._add(_FIELD, struct.pack("<3Q", _hash(name), 0, 0) + name)
            self._chain(self._field_table, _hash(name), field)
            self._fields[name] = field
        head = self._fields[name] + 32
        self._put(place + 32, self._get(head))
        self._put(head, place)
        return place

    def _mention(self, place: int, entry: int) -> None:
        """Note at a value that an entry has it: the first in place, more in an array."""
        count = self._get(place + 56)
        if count == 0:
            self._put(place + 40, entry)
        else:
            if count == 1:
                self._put(place + 48, self._add(_ARRAY, bytes(8 + 8 * _ROOM)))
            self._put(self._get(place + 48) + 24 + 8 * (count - 1), entry)
        self._put(place + 56, count + 1)

    def _chain(self, table: int, number: int, place: int) -> None:
        """Hang an object in its bucket, behind the others there."""
        bucket = table + 16 + 16 * (number % _BUCKETS)
        last = self._get(bucket + 8)
        self._put(last + 24 if last else bucket, place)
        self._put(bucket + 8, place)

    def _add(self, kind: int, text: bytes) -> int:
        """Add an object, and give its place."""
        self._content += bytes(-len(self._content) % 8)
        place = self._last = len(self._content)
        self._content += struct.pack("<B7xQ", kind, 16 + len(text)) + text
        self._count += 1
        self._arrays += kind == _ARRAY
        return place

    def _get(self, place: int) -> int:
        return int.from_bytes(self._content[place : place + 8], "little")

    def _put(self, place: int, number: int) -> None:
        self._content[place : place + 8] = number.to_bytes(8, "little")

    def _write(self) -> None:
        self._content += bytes(-len(self._content) % 8)
        times = self._times or [0]
        _HEADER.pack_into(
            self._content, 0, b"LPKSHHRH", 0, 0, 0, self._id, self._machine, self._boot, self._id,
            _HEADER.size, len(self._content) - _HEADER.size,
            self._data_table + 16, 16 * _BUCKETS, self._field_table + 16, 16 * _BUCKETS,
            self._last, self._count, len(self._times), len(self._times), min(len(self._times), 1),
            self._entries, times[0], times[-1], times[-1],
            len(self._data), len(self._fields), 0, self._arrays,
        )  # fmt: skip
        with self._path.open("r+b" if self._path.exists() else "xb") as file:
            file.seek(_HEADER.size)
            file.write(self._content[_HEADER.size :])
            file.seek(0)
            file.write(self._content[: _HEADER.size])


def _hash(text: bytes) -> int:
    """Hash as lookup3's hashlittle2 does, with both seeds 0: 64 bits, the first word on top."""
    a = b = c = (0xDEAD_BEEF + len(text)) & _MASK
    if not text:
        return c << 32 | b
    while len(text) > 12:
        a, b, c = (
            (n + m) & _MASK for n, m in zip((a, b, c), struct.unpack("<3I", text[:12]), strict=True)
        )
        a, b, c = _mixed(a, b, c)
        text = text[12:]
    a, b, c = (
        (n + m) & _MASK
        for n, m in zip((a, b, c), struct.unpack("<3I", text.ljust(12, b"\0")), strict=True)
    )
    for turn in (14, 11, 25, 16, 4, 14, 24):
        # The word that is changed goes round: c, a, b, c ...
        a, b, c = b, ((c ^ b) - _turned(b, turn)) & _MASK, a
    return b << 32 | a


def _mixed(a: int, b: int, c: int) -> tuple[int, int, int]:
    for turn in (4, 6, 8, 16, 19, 4):
        a, b, c = b, (c + b) & _MASK, (((a - c) & _MASK) ^ _turned(c, turn)) & _MASK
    return a, b, c


def _turned(number: int, by: int) -> int:
    return (number << by | number >> (32 - by)) & _MASK
