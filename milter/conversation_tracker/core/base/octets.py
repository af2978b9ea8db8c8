"""Octets in memory or in a file: what bytes and a mapped file have in common."""

from collections.abc import Iterable
from typing import Protocol, SupportsIndex

LARGE = 1024 * 1024
"""Octets of a body, or of one part, from which on it is not held in memory as a whole."""


class Slices(Protocol):
    """Octets that are only gone through; a slice is a copy."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: slice, /) -> bytes: ...


class Octets(Slices, Protocol):
    """What bytes and a file that is mapped into memory have in common."""

    def __buffer__(self, flags: int, /) -> memoryview: ...
    def find(self, sub: bytes, start: int = ..., end: int = ..., /) -> int:
        """Find octets, from the left."""

    def rfind(self, sub: bytes, start: int = ..., end: int = ..., /) -> int:
        """Find octets, from the right."""

    def startswith(
        self,
        prefix: bytes | tuple[bytes, ...],
        start: SupportsIndex | None = ...,
        end: SupportsIndex | None = ...,
        /,
    ) -> bool:
        """Return whether octets begin here."""

    def endswith(
        self,
        suffix: bytes | tuple[bytes, ...],
        start: SupportsIndex | None = ...,
        end: SupportsIndex | None = ...,
        /,
    ) -> bool:
        """Return whether octets end here."""


def iter_windows(data: Slices, start: int, end: int, size: int = LARGE) -> Iterable[bytes]:
    """Go through a span of octets in pieces of at most `size`."""
    return (data[at : min(at + size, end)] for at in range(start, end, size))


def count(data: Octets, sub: bytes) -> int:
    """Count how often octets stand in others, without overlapping."""
    number, at = 0, data.find(sub)
    while at >= 0:
        number, at = number + 1, data.find(sub, at + len(sub))
    return number
