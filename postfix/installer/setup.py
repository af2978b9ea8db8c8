"""The command `conversation-tracker-setup`: what the Debian package leaves to do.

The package has put user, program, units, configuration and manuals in place, and touched neither
the database nor Postfix. Here are the other steps of the installer, in its order.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from installer import postfix
from installer.command import say_what_next
from installer.command_line import Parser, run_program
from installer.configuration import Configuration, read_configuration
from installer.database import look_ahead, look_at_database, make_database, migrate
from installer.machine import Failed, Machine
from installer.options import Options, read_options
from installer.service import (
    check_socket_directory,
    make_socket_directory,
    start_service,
    wait_for_service,
)

PROGRAM = "conversation-tracker-setup"
NOTED_DOMAIN = Path("/etc/conversation-tracker/alias-domain")

_PREFIX = "/usr"
_UNITS = Path("/etc/systemd/system")
_UNIT = "conversation-tracker.service"

_ABOUT = f"""\
Sets Conversation Tracker up once its package is installed: the database of the configuration file, its tables, the
service, and Postfix last, once the service answers. Every step does nothing where all is done, so it may be run again.
The alias domain named when the package was installed is in {NOTED_DOMAIN}."""  # noqa: E501
_CODES = """\
Exit codes: 0 done, 1 failed or refused (the reason is the last line), 2 usage."""

# Options with one value, that may be repeated, and without one: name, value, help.
_VALUES = (
    ("--signer", "MILTER", "the DKIM signer, after the tracker; it must run; `none` takes it out"),
    (
        "--authserv-id", "NAME",
        "whose Authentication-Results Postfix removes from what clients send (default: those of the"
        " configuration's authserv_id; `none`: nobody's)",
    ),
    ("--listener", "HOST:PORT", "where the splitter hands mail back"),
    ("--config-dir", "DIR", "Postfix's configuration directory (default /etc/postfix)"),
)  # fmt: skip
_LISTS = (
    (
        "--alias-domain", "DOMAIN",
        "a domain of aliases; may be repeated (default: the one noted; earlier ones stay)",
    ),
    ("--service", "NAME/TYPE", "see conversation-tracker-configure --help; may be repeated"),
    ("--exempt", "NAME", "see conversation-tracker-configure --help; may be repeated"),
)  # fmt: skip
_FLAGS = (
    ("--remove", "take the tracker out of Postfix; all else stays"),
    ("--dry-run", "show every change, make none"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: the command line without the program's name; None takes the process's.

    Returns:
        The exit code.
    """
    return run_program(PROGRAM, lambda: _set_up(_translate(arguments)))


def make_parser() -> Parser:
    """Make the parser of the command line, for the manual page and the completion too."""
    parser = Parser(PROGRAM, "[OPTION]... [--alias-domain DOMAIN]", _ABOUT, _CODES)
    parser.add_options(_LISTS, _VALUES, _FLAGS)
    return parser


def _translate(arguments: Sequence[str] | None) -> Options:
    """Return the installer's options for these arguments."""
    given = vars(make_parser().parse_args(arguments))
    told = ["--prefix", _PREFIX]
    for name, _, _ in _VALUES:
        if value := given[_name_field(name)]:
            told += [name, value]
    domains = given["alias_domain"] or given["remove"] or _read_noted()
    told += ["--alias-domain", domains] if isinstance(domains, str) and domains else []
    for name, _, _ in _LISTS:
        for value in given[_name_field(name)]:
            told += [name, value]
    told += ["--uninstall"] * given["remove"] + ["--dry-run"] * given["dry_run"]
    return read_options(told)


def _name_field(option: str) -> str:
    return option.strip("-").replace("-", "_")


def _read_noted() -> str:
    """Return the domain named when the package was installed, or ""."""
    try:
        return NOTED_DOMAIN.read_text("utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _set_up(options: Options) -> None:
    machine = Machine(options.dry_run)
    if os.geteuid() != 0 and not options.dry_run:
        raise Failed("must be run by root")
    _refuse_other_units()
    file = options.configuration
    if not file.exists():
        raise Failed(
            f"{file} is missing: apt -o Dpkg::Options::=--force-confmiss reinstall"
            " conversation-tracker"
        )
    configuration = read_configuration(options, file)
    if options.uninstall:
        postfix.switch_postfix(machine, options, configuration)
        return
    _refuse_what_lacks(options, configuration)
    check_socket_directory(configuration)
    postfix.look_at_postfix(machine, options, configuration)
    if not look_ahead(machine, configuration):
        look_at_database(machine, configuration)
    make_socket_directory(machine, options, configuration)
    make_database(machine, configuration)
    migrate(machine, options, configuration)
    start_service(machine, options)
    wait_for_service(machine, configuration)
    postfix.switch_postfix(machine, options, configuration)
    say_what_next(machine, options, configuration)


def _refuse_other_units() -> None:
    """Refuse to run beside what `postfix/install` put here: its units hide those of the package."""
    if (_UNITS / _UNIT).exists():
        raise Failed(
            f"{_UNITS / _UNIT} is there, put in place without the package: take that out first"
            " by its own postfix/install --uninstall"
        )


def _refuse_what_lacks(options: Options, configuration: Configuration) -> None:
    """Say which packages this configuration needs besides, before anything is changed."""
    lacking = [] if postfix.is_there(options) else ["postfix"]
    if configuration.makes_database and not shutil.which("pg_lsclusters", path="/usr/bin"):
        lacking.append("postgresql")
    if lacking:
        raise Failed(f"install first what lacks here: apt install {' '.join(lacking)}")
