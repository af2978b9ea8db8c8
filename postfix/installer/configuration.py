"""The program's configuration file, as far as the installer reads and writes it.

The program's own reader needs the database driver, which may not be there yet.
"""

import configparser
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from installer.machine import Failed, Machine
from installer.options import USER, Options

OWN_DATABASE = "postgresql:///conversation_tracker"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the file says, or will say.

    Attributes:
        file: where it is.
        there: it is there already, and stays as it is.
        text: what it holds or will hold.
        values: its options.
    """

    file: Path
    there: bool
    text: str
    values: Mapping[str, str]

    @property
    def socket(self) -> str:
        """Where the tracker listens, unix:/PATH or inet:PORT@HOST."""
        return self.values.get("socket", "")

    @property
    def makes_database(self) -> bool:
        """Return whether the database is the one that the installer makes."""
        return self.values.get("database") == OWN_DATABASE


def read_configuration(options: Options, shipped: Path) -> Configuration:
    """Read the file, or make up what it will be.

    Args:
        options: the installer's.
        shipped: the configuration that the program comes with.

    Raises:
        Failed: it cannot be read, or names another database than the options.
    """
    file = options.configuration
    there = file.exists()
    try:
        text = (file if there else shipped).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"{file} cannot be read: {error}") from None
    if not there and options.database:
        line = f"database = {options.database}"
        text = re.sub(r"(?m)^database[ \t]*=.*$", lambda _match: line, text, count=1)
    values = _read_values(file, text)
    if options.database and values.get("database") != options.database:
        raise Failed(
            f"the database given differs from what {file} says: change it there"
            if there
            else "the database's URI cannot be written into a configuration: write ; as %3B"
        )
    return Configuration(file, there, text, values)


def _read_values(file: Path, text: str) -> Mapping[str, str]:
    parser = configparser.ConfigParser(
        interpolation=None, delimiters=("=",), inline_comment_prefixes=(";",), strict=False
    )
    try:
        parser.read_string(text)
    except configparser.Error:
        raise Failed(f"{file} is no configuration: conversation-tracker check says why") from None
    return dict(parser["tracker"]) if parser.has_section("tracker") else {}


def write_configuration(machine: Machine, options: Options, configuration: Configuration) -> None:
    """Write the file if it is not there: readable for the program, and nobody else."""
    machine.step("Configuration")
    if configuration.there:
        machine.say(f"{configuration.file}: left as it is")
        return
    # All at once, whose it is too: a file that is there is left as it is by the next run.
    group = USER if options.root is None else ""
    machine.write(configuration.file, configuration.text, 0o640, group)
