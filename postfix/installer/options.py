"""The installer's command line; what is wrong with it is said before anything else happens."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conversation_tracker.postfix.host import DEFAULT_LISTENER
from conversation_tracker.postfix.milters import write_address
from conversation_tracker.postfix.names import is_loopback, is_word, read_domain
from conversation_tracker.postfix.settings import Settings
from installer.command_line import Misused, Parser

USER = "conversation-tracker"
DATABASE_VARIABLE = "CONVERSATION_TRACKER_DATABASE"
_CONFIG_VARIABLE = "CONVERSATION_TRACKER_CONFIG"
_CONFIG = Path("/etc/conversation-tracker/conversation-tracker.conf")

# What a Postfix is asked for before there is one.
NO_POSTFIX = Settings({"queue_directory": "/var/spool/postfix"}, (), lambda _table, _key: None)

_ABOUT = """\
Installs Conversation Tracker and has Postfix use it. What it would stumble over is said before
anything is changed. Every step does nothing where all is done. Postfix is switched over last, once
the service answers, so that no mail is deferred for nothing and none passes unmasked."""
_CODES = """\
Exit codes: 0 done, 1 failed or refused (the reason is the last line), 2 usage, 130 interrupted."""

# Options with one value: name, value, help.
_VALUES = (
    (
        "--signer", "MILTER",
        "the DKIM signer, after the tracker (unix:/path, inet:PORT@HOST or inet:HOST:PORT), in"
        " place of the one before; it must run",
    ),
    (
        "--authserv-id", "NAME",
        "whose Authentication-Results Postfix removes from what clients send (default: those of the"
        " configuration's authserv_id; none: nobody's)",
    ),
    ("--listener", "HOST:PORT", "see postfix/configure --help"),
    (
        "--database", "URI",
        "use this database; without it one is made in PostgreSQL on this host. Other users of"
        " this host can see a command line: a URI with a password is better given in the"
        f" variable {DATABASE_VARIABLE}",
    ),
    ("--database-file", "FILE", "use the database whose URI is the first line of this file"),
    ("--prefix", "DIR", "where the program goes (default /opt/conversation-tracker)"),
    ("--config-dir", "DIR", "Postfix's configuration directory (default /etc/postfix)"),
    ("--root", "DIR", "only put the files into DIR, as for a package; this machine is left alone"),
)  # fmt: skip
_LISTS = (
    ("--alias-domain", "DOMAIN", "a domain of aliases; may be repeated"),
    ("--service", "NAME/TYPE", "see postfix/configure --help; may be repeated"),
    ("--exempt", "NAME", "see postfix/configure --help; may be repeated"),
)
_FLAGS = (
    (
        "--uninstall",
        "take it out of Postfix, put its settings back, and remove program, units and the socket's"
        " directory; the database, its contents, /etc/conversation-tracker and the user stay",
    ),
    (
        "--fast",
        "take the database's compiled driver from a Python index; Debian 12 has none of its own",
    ),
    ("--dry-run", "show every change, make none"),
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the installer was asked for.

    Attributes:
        domains: the alias domains.
        signer: the DKIM signer, or "".
        authserv_id: whose results Postfix removes, or "".
        passed_on: further options of `configure`.
        database: a URI, or "".
        prefix: where the program goes.
        postfix: Postfix's configuration directory.
        root: where the files go if nothing else is done.
        configuration: the program's configuration file.
        fast: take the compiled driver from an index.
        uninstall: take it out again.
        dry_run: only show it.
    """

    domains: tuple[str, ...]
    signer: str
    authserv_id: str
    passed_on: tuple[str, ...]
    database: str
    prefix: Path
    postfix: Path
    root: Path | None
    configuration: Path
    fast: bool
    uninstall: bool
    dry_run: bool


def read_options(arguments: Sequence[str] | None) -> Options:
    """Read the command line; None takes the process's.

    Raises:
        Misused: it is wrong.
    """
    given = _make_parser().parse_args(arguments)
    _check(given)
    # Commands are run in /: what is named from here must be named whole.
    root = Path(given.root).absolute() if given.root else None
    file = Path(os.environ.get(_CONFIG_VARIABLE) or _CONFIG).absolute()
    return Options(
        domains=tuple(read_domain(each) or each for each in given.alias_domain),
        signer=given.signer,
        authserv_id=given.authserv_id,
        passed_on=_pass_on(given),
        database=_find_database(given),
        prefix=Path(given.prefix or "/opt/conversation-tracker"),
        postfix=Path(given.config_dir or "/etc/postfix").absolute(),
        root=root,
        configuration=root / _CONFIG.relative_to("/") if root else file,
        fast=given.fast,
        uninstall=given.uninstall,
        dry_run=given.dry_run,
    )


def _make_parser() -> Parser:
    parser = Parser("install", "[OPTION]... --alias-domain DOMAIN", _ABOUT, _CODES)
    parser.add_options(_LISTS, _VALUES, _FLAGS)
    return parser


def _check(given: argparse.Namespace) -> None:
    for domain in given.alias_domain:
        if read_domain(domain) is None:
            raise Misused(
                f"{domain} is no domain name (write an international one in its xn-- form)"
            )
    if given.signer and given.signer != "none" and not write_address(given.signer, NO_POSTFIX):
        raise Misused(
            f"--signer {given.signer}: write unix:/path, inet:PORT@HOST or inet:HOST:PORT"
        )
    if not is_word(given.authserv_id):
        raise Misused(f"--authserv-id {given.authserv_id}: write one word, such as mx.example.com")
    if not is_loopback(given.listener or DEFAULT_LISTENER):
        raise Misused(f"--listener {given.listener}: write 127.0.0.1:PORT")
    if given.prefix and not Path(given.prefix).is_absolute():
        raise Misused("--prefix must be an absolute path")
    there = Path(given.config_dir or "/etc/postfix") / "tracker_transport"
    if not (given.root or given.uninstall or given.alias_domain or there.exists()):
        raise Misused("--alias-domain is missing")


def _find_database(given: argparse.Namespace) -> str:
    if given.database and given.database_file:
        raise Misused("--database and --database-file: give one of them")
    text: str = given.database or os.environ.get(DATABASE_VARIABLE, "")
    if given.database_file:
        try:
            text = Path(given.database_file).read_text("utf-8").partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Misused(f"--database-file {given.database_file}: {error}") from None
        if not text:
            raise Misused(f"--database-file {given.database_file}: its first line is empty")
    if not text.isprintable() or " ;" in text or text.startswith(";"):
        raise Misused("the database's URI holds what a configuration cannot: write ; as %3B")
    return text


def _pass_on(given: argparse.Namespace) -> tuple[str, ...]:
    found: list[str] = []
    for name, values in (
        ("--alias-domain", given.alias_domain),
        ("--signer", [given.signer]),
        ("--listener", [given.listener]),
        ("--service", given.service),
        ("--exempt", given.exempt),
    ):
        for value in filter(None, values):
            found += [name, value]
    return tuple(found)
