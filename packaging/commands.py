"""The commands of the package, as their parsers know them.

What manuals and completion are made of.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "milter"), str(ROOT / "postfix")]

from conversation_tracker.cli import configure_options, main  # noqa: E402
from installer import setup, signer  # noqa: E402

PROGRAM = "conversation-tracker"


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: as it is called.
        parser: what reads its arguments.
        section: of the manual.
        subcommands: those it has, by name.
    """

    name: str
    parser: argparse.ArgumentParser
    section: int
    subcommands: dict[str, "Command"] = field(default_factory=dict)

    @property
    def options(self) -> list[argparse.Action]:
        """Return the options, in their order."""
        return [action for action in self.parser._actions if action.option_strings]

    @property
    def operands(self) -> list[argparse.Action]:
        """Return the arguments that are no options."""
        return [
            action
            for action in self.parser._actions
            if not action.option_strings and not isinstance(action, argparse._SubParsersAction)
        ]


def list_commands() -> Iterator[Command]:
    """Yield each command on the path."""
    parser = main._make_parser()
    inside = {
        name: Command(f"{PROGRAM}-{name}", each, 1)
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, each in action.choices.items()
    }
    yield Command(PROGRAM, parser, 1, inside)
    yield Command(f"{PROGRAM}-configure", configure_options.make_parser(), 8)
    yield Command(f"{PROGRAM}-setup", setup.make_parser(), 8)
    yield Command(f"{PROGRAM}-signer", signer.make_parser(), 8)


def list_helps(command: Command) -> dict[str, str]:
    """Return what each subcommand is for, by its name."""
    return {
        choice.dest: choice.help or ""
        for action in command.parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for choice in action._choices_actions
    }


def takes_value(action: argparse.Action) -> bool:
    """Whether an option has a value."""
    return action.nargs != 0


def names_file(action: argparse.Action) -> bool:
    """Whether a value is a file's name or a directory's."""
    return action.metavar in ("FILE", "DIR", "MESSAGE.eml", "FILE.zip")
