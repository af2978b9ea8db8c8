"""The command lines of these programs: their options, and how each failure ends."""

import argparse
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn

from installer.machine import Failed

FAILED = 1
MISUSED = 2
INTERRUPTED = 130


class Misused(Exception):
    """The command line is wrong; the message says how."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are raised as Misused.

    Args:
        name: the program's.
        usage: what follows its name.
        about: what it does.
        codes: its exit codes.
    """

    def __init__(self, name: str, usage: str, about: str, codes: str) -> None:
        super().__init__(
            prog=name,
            usage=f"{name} {usage}",
            description=about,
            epilog=codes,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise Misused(message)

    def add_options(
        self,
        lists: Iterable[tuple[str, str, str]],
        values: Iterable[tuple[str, str, str]],
        flags: Iterable[tuple[str, str]],
    ) -> None:
        """Add options that may be repeated, that have one value, and that have none.

        Args:
            lists: name, value and help of each that may be repeated.
            values: the same of those with one value.
            flags: name and help of each without a value.
        """
        for name, value, about in lists:
            self.add_argument(name, metavar=value, default=[], action="append", help=about)
        for name, value, about in values:
            self.add_argument(name, metavar=value, default="", help=about)
        for name, about in flags:
            self.add_argument(name, action="store_true", help=about)


def run_program(name: str, work: Callable[[], None]) -> int:
    """Run a program, and say on one line why it failed.

    Args:
        name: the program's.
        work: reads the command line, and does what it asks for.

    Returns:
        The exit code.
    """
    try:
        work()
        return 0
    except Misused as error:
        hint = "" if "--help" in str(error) else " (see --help)"
        print(f"{name}: {error}{hint}", file=sys.stderr)
        return MISUSED
    except Failed as error:
        print(f"{name}: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        print(f"{name}: {error.filename}: {error.strerror}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"{name}: interrupted; run it again to go on", file=sys.stderr)
        return INTERRUPTED
    except SystemExit as end:  # --help
        return int(end.code or 0)
