"""One row of the table: what stands beside the tracker, and how it is tried."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from beside.program import Program


class _Bench(Protocol):
    """What a row is given."""


@dataclass(frozen=True)
class Row:
    """A set-up; `tried` returns what happens, or raises where that is not what must.

    `beside` is its name in the table, `programs` are those it needs, `commands` too, which end by
    themselves: a name, or the path of a file.
    """

    beside: str
    tried: Callable[..., str]
    programs: tuple[type[Program], ...] = ()
    commands: tuple[str, ...] = ()

    @property
    def lacking(self) -> list[str]:
        """The commands it needs that are not installed here."""
        lacking = [each.name for each in self.programs if not each.found()]
        lacking += [each for each in self.commands if not _is_found(each)]
        return lacking


def _is_found(command: str) -> bool:
    return Path(command).exists() if "/" in command else shutil.which(command) is not None
