"""Choices made from bytes: the same bytes give the same choices, on every machine.

A fuzzer mutates the bytes, hypothesis draws and shrinks them; when they run out, every further
choice is the first one, so that builders put their simplest case first.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """What is chosen, one choice after the other.

    Attributes:
        strangers_only: nobody of the order may be named.
        people: the addresses of who takes part, in lower case; none for the usual ones.
        own: what stands for the reader: their aliases, in any form, and their address.
        files: attachments that were made and cannot be masked, with the address in each.
    """

    def __init__(self, data: bytes) -> None:
        self.strangers_only = False
        self.people: tuple[str, ...] = ()
        self.own: tuple[str, ...] = ()
        self.files: list[tuple[bytes, str]] = []
        self._data = data
        self._at = 0

    @property
    def over(self) -> bool:
        """Return whether the bytes have run out."""
        return self._at >= len(self._data)

    def number(self, most: int) -> int:
        """Choose a number from 0 to `most`, which is 65,535 at most."""
        width = 1 if most < 256 else 2
        piece = self._data[self._at : self._at + width]
        self._at += width
        return int.from_bytes(piece, "big") % (most + 1)

    def chance(self, one_in: int) -> bool:
        """Say yes once in so many times."""
        return self.number(255) % one_in == one_in - 1

    def of(self, choices: Sequence[T]) -> T:
        """Choose one."""
        return choices[self.number(len(choices) - 1)]

    def some(self, make: Callable[[], T], most: int) -> list[T]:
        """Make up to so many, none after the bytes have run out."""
        return [make() for _ in range(self.number(most)) if not self.over]

    def bytes(self, most: int) -> bytes:
        """Take up to so many of the bytes as they are."""
        size = self.number(most)
        piece = self._data[self._at : self._at + size]
        self._at += size
        return piece
