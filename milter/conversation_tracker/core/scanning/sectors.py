"""Compound files, for the final scan: what lies in sectors all over a file, joined as it belongs.

Written apart from the masking code: every chain of sectors is followed from where none leads to it,
whatever the directory says. Chains that run in circles have no such place. Nothing here raises.
"""

import struct
from collections.abc import Callable, Iterator, Sequence

from conversation_tracker.core.base.octets import Octets

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_HEAD = 512
_TIMES = 2  # chains that share sectors may together be so many times as long as the file
_NONE = 0xFFFFFFFA  # from here on, numbers name no sector: end of a chain, free, and the like


def iter_chains(data: Octets) -> Iterator[bytes]:
    """Yield the chains of sectors of a compound file, and those of its short streams.

    Args:
        data: the file; one that is broken gives less.
    """
    head = data[:_HEAD]
    if len(head) < _HEAD:
        return
    shift, short = struct.unpack_from("<HH", head, 30)
    if not 7 <= shift <= 16 or not 4 <= short <= shift:
        return
    table = _read_table(data, head, shift)
    first_short, *_ = struct.unpack_from("<I", head, 60)
    [directory] = struct.unpack_from("<I", head, 48)
    root = _read_sector(data, directory, shift)[:128]
    [begin] = struct.unpack_from("<I", root, 116) if len(root) == 128 else (_NONE,)
    yield from _join_chains(table, lambda number: _read_sector(data, number, shift), len(data))
    small = b"".join(_read_sector(data, number, shift) for number in _follow_chain(table, begin))
    listed = b"".join(
        _read_sector(data, number, shift) for number in _follow_chain(table, first_short)
    )
    shorts = _read_words(listed)[: (len(small) >> short) + 1]
    size = 1 << short
    yield from _join_chains(
        shorts, lambda number: small[number << short : (number << short) + size], len(small)
    )


def _join_chains(table: Sequence[int], read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    """Yield each chain whole: of those that share their sectors, which no program makes, some."""
    left = _TIMES * size
    for first in _find_firsts(table):
        chain = b"".join(map(read, _follow_chain(table, first)))
        yield chain
        left -= len(chain)
        if left < 0:
            return


def _read_sector(data: Octets, number: int, shift: int) -> bytes:
    at = (number + 1) << shift
    return data[at : at + (1 << shift)]


def _read_words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])


def _read_table(data: Octets, head: bytes, shift: int) -> tuple[int, ...]:
    """Read the table of what follows each sector, from the sectors the header lists."""
    most = (len(data) >> shift) + 1
    listed = [*_read_words(head[76:])]
    [more] = struct.unpack_from("<I", head, 68)
    turns = 0
    while more < _NONE and turns <= most // 64:
        *numbers, more = _read_words(_read_sector(data, more, shift)) or (_NONE,)
        listed += numbers
        turns += 1
    wanted = dict.fromkeys(number for number in listed[:most] if number < most)
    found: list[int] = []
    for number in wanted:
        found += _read_words(_read_sector(data, number, shift))
    return tuple(found[:most])


def _find_firsts(table: Sequence[int]) -> Iterator[int]:
    """Go through the places that something follows, or that end a chain, and none leads to."""
    led = set(table)
    return (at for at, after in enumerate(table) if at not in led and after != 0xFFFFFFFF)


def _follow_chain(table: Sequence[int], first: int) -> Iterator[int]:
    """Go along a chain; what was gone through once is not again."""
    gone: set[int] = set()
    while first < len(table) and first not in gone:
        gone.add(first)
        yield first
        first = table[first]
