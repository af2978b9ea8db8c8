"""One row of the table: what stands beside the tracker, and how it is tried."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from beside.program import Program


class _Bench(Protocol):
    """What a row is given."""


@dataclass(frozen=True)
class Row:
    """A set-up; `tried` returns what happens, or raises where that is not what must.

    `beside` is its name in the table, `programs` are those it needs.
    """

    beside: str
    tried: Callable[..., str]
    programs: tuple[type[Program], ...] = ()

    @property
    def lacking(self) -> list[str]:
        """The commands it needs that are not installed here."""
        return [each.name for each in self.programs if not each.found()]
