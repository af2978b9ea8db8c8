"""The command line: what may be asked, and with which exit code it ends.

The arguments and the errors are here; what each command does is in `commands`. Exit codes:

    0    done
    1    the answer is no: unknown store, order or alias, or expired; for `explain`, the mail would
         be refused; for `check`, something is wrong: mail is not safe
    2    usage or configuration, or the database is newer than the program
    75   temporary: the database is down or not migrated, or the output cannot be written; or a
         fault of the program itself
    130  interrupted; 141 where whoever reads the output went away

Errors are one line on standard error (one for each fault of a configuration), never a traceback for
anything a user can do.
"""

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from conversation_tracker import __version__
from conversation_tracker.base.failure import TEMPORARY, USAGE, Failure, hide_addresses, one_line
from conversation_tracker.cli import commands
from conversation_tracker.config.config import Config, ConfigError, load
from conversation_tracker.telemetry.journal import choose_prefix

PROGRAM = "conversation-tracker"

if TYPE_CHECKING:
    _Command = Callable[[argparse.Namespace, Config], int]
    _Subparsers = argparse._SubParsersAction["_Parser"]

_MASKED_ROLES = ("buyer", "store", "partner")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the command line without the program's name; None takes the process's.

    Returns:
        The exit code.
    """
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except Failure as failure:
        _say(str(failure))
        return failure.code
    except ConfigError as error:
        for fault in error.faults:
            _say(fault)
        return USAGE
    except KeyboardInterrupt:
        _discard_output()
        return 128 + signal.SIGINT
    except BrokenPipeError:
        _discard_output()
        return 128 + signal.SIGPIPE
    except OSError as error:
        _discard_output()
        _say(f"cannot write the output: {error.strerror or error}")
        return TEMPORARY
    except Exception as error:
        # A traceback would end with the exception's text, and that may quote an address.
        _discard_output()
        _say(f"a fault of the program, please report it: {_describe_fault(error)}")
        return TEMPORARY


def _run(arguments: Sequence[str] | None) -> int:
    if sys.stdout is None:  # closed by whoever started us: >&-
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        given = _make_parser().parse_args(arguments)
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)
    try:
        config = _load_config(given)
    except ConfigError as error:
        commands.refuse_config(given, error)
        raise
    return int(given.run(given, config))


def _describe_fault(error: Exception) -> str:
    """Return an exception's type and where it came from, never its text."""
    from conversation_tracker.telemetry.formatting import describe

    known = describe(error)
    return " at ".join([known["error"], *known["frames"][-1:]])


def _load_config(given: argparse.Namespace) -> Config:
    isatty = sys.stderr is not None and sys.stderr.isatty()
    return load(given.config, os.environ, isatty=isatty)


def _say(line: str) -> None:
    if sys.stderr is not None:
        prefix = choose_prefix("error", sys.stderr, os.environ)
        with suppress(OSError):
            print(f"{prefix}{PROGRAM}: {one_line(line)}", file=sys.stderr, flush=True)


def _discard_output() -> None:
    """Redirect the interpreter's last flush to nowhere; it would fail."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())


# The arguments -------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, as all others are."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise Failure(USAGE, f"{hide_addresses(message)} (see {self.prog} --help)")


def _read_text(value: str) -> str:
    """Take an argument that is text; what the database could not hold is refused at once."""
    if not value.strip():
        raise argparse.ArgumentTypeError("is empty")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise argparse.ArgumentTypeError("is not UTF-8")
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in value):
        raise argparse.ArgumentTypeError("holds a control character; give one line of text")
    return value


def _read_sender(value: str) -> str:
    """Take an envelope sender; an empty one is the null sender."""
    return _read_text(value) if value.strip() else ""


def _read_number(value: str) -> int:
    """Take the id of a row."""
    if not (value.isascii() and value.isdecimal() and 0 < len(value) < 19):
        raise argparse.ArgumentTypeError("is no number")
    return int(value)


def _read_file_name(value: str) -> Path:
    """Take a file's name."""
    if not value or "\0" in value:
        raise argparse.ArgumentTypeError("is no file's name")
    return Path(value)


def _make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        description="A Postfix milter that gives partners an alias instead of a mail address.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-c", "--config", metavar="FILE", type=_read_file_name, help="the configuration"
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_service_commands(subparsers)
    _add_order_commands(subparsers)
    _add_reading_commands(subparsers)
    return parser


def _add(subparsers: "_Subparsers", name: str, run: "_Command", about: str) -> _Parser:
    """Add a command without arguments."""
    parser = subparsers.add_parser(name, help=about, description=about, allow_abbrev=False)
    parser.set_defaults(run=run)
    return parser


def _add_service_commands(subparsers: "_Subparsers") -> None:
    _add(subparsers, "serve", commands.serve, "answer Postfix until told to stop")
    _add(subparsers, "migrate", commands.migrate, "bring the database to this program's schema")
    expire = _add(subparsers, "expire", commands.expire, "empty what has expired")
    expire.add_argument("--dry-run", action="store_true", help="only tell what would be done")
    follow = _add(
        subparsers, "follow", commands.follow, "mark deliveries with what Postfix's log tells"
    )
    source = follow.add_mutually_exclusive_group()
    source.add_argument(
        "--log", metavar="FILE", type=_read_file_name,
        help="Postfix's log; if not given, its maillog_file, /var/log/mail.log or the journal",
    )  # fmt: skip
    source.add_argument("--journal", action="store_true", help="systemd's journal, and no file")
    follow.add_argument(
        "--state", metavar="FILE", type=_read_file_name,
        help="where it notes how far it has read; if not given, follow in the state directory",
    )  # fmt: skip
    _add(
        subparsers, "publish", commands.publish, "give what happened to programs until told to stop"
    )
    _add(subparsers, "web", commands.web, "show orders in a browser until told to stop")
    _add_webhooks(subparsers)
    about = "look at everything that mail needs, and say what is wrong"
    check = _add(subparsers, "check", commands.check, about)
    check.add_argument(
        "--config", action="store_true", dest="only_config",
        help="look at the configuration alone: no database, no Postfix",
    )  # fmt: skip
    check.add_argument(
        "--dns", action="store_true",
        help="also ask the name system about each alias domain: MX, SPF, DKIM, DMARC",
    )  # fmt: skip
    check.add_argument(
        "--live", action="store_true",
        help="also send mail of a test order through Postfix, out and back, and remove all of it",
    )  # fmt: skip
    check.add_argument(
        "--json", action="store_true",
        help="an array of objects with subject, level (ok, note or wrong), text and advice",
    )  # fmt: skip


def _add_webhooks(subparsers: "_Subparsers") -> None:
    webhooks = _add(
        subparsers, "webhooks", commands.webhooks,
        "list: tell how each webhook is doing; retry: send again what was given up",
    )  # fmt: skip
    webhooks.add_argument("action", metavar="ACTION", choices=("list", "retry"), help="which")
    webhooks.add_argument(
        "webhook", metavar="ID", type=_read_number, nargs="?", help="of this webhook alone"
    )
    webhooks.add_argument("--json", action="store_true", help="list as an array of objects")


def _add_order_commands(subparsers: "_Subparsers") -> None:
    mask = _add(subparsers, "mask", commands.mask, "print the alias of an address in an order")
    _add_order(mask)
    mask.add_argument("address", metavar="ADDRESS", type=_read_text, help="the real address")
    mask.add_argument(
        "--role", choices=_MASKED_ROLES, default="buyer", help="whose it is; buyer if not given"
    )
    unmask = _add(
        subparsers, "unmask", commands.unmask, "print the address behind an alias; it is noted"
    )
    unmask.add_argument("alias", metavar="ALIAS", type=_read_text)
    unmask.add_argument(
        "--reason", metavar="TEXT", type=_read_text, required=True, help="why, without the address"
    )
    _add_order(
        _add(subparsers, "close", commands.close, "close an order; tells when its aliases end")
    )
    erase = _add(subparsers, "erase", commands.erase, "take an address out of every order")
    erase.add_argument(
        "address", metavar="ADDRESS", type=_read_text, nargs="?", help="the real address"
    )
    erase.add_argument(
        "--messages", action="store_true", help="delete what the person wrote or got, too"
    )
    erase.add_argument(
        "--list", metavar="FILE", type=_read_file_name,
        help="write what was erased as digests, for the day a backup is restored; - is stdout",
    )  # fmt: skip
    erase.add_argument(
        "--again", metavar="FILE", type=_read_file_name,
        help="after a restore, erase what such a list names",
    )  # fmt: skip


def _add_reading_commands(subparsers: "_Subparsers") -> None:
    export = _add(
        subparsers, "export", commands.export,
        "write all conversations of one person into an archive; it is noted",
    )  # fmt: skip
    export.add_argument("address", metavar="ADDRESS", type=_read_text, help="the real address")
    export.add_argument("file", metavar="FILE.zip", type=_read_file_name, help="the archive")
    timeline = _add(subparsers, "timeline", commands.timeline, "print the messages of an order")
    _add_order(timeline)
    form = timeline.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="an array of objects")
    form.add_argument(
        "--html", metavar="FILE", type=_read_file_name, help="a page to print; - is stdout"
    )
    explain = _add(subparsers, "explain", commands.explain, "tell what would happen to a message")
    explain.add_argument(
        "--rcpt", metavar="ALIAS", type=_read_text, action="append", required=True,
        help="the recipient; may be given more than once",
    )  # fmt: skip
    explain.add_argument(
        "--from", metavar="ADDRESS", type=_read_sender, dest="sender",
        help="the envelope sender, <> for none; if not given, the address in From",
    )  # fmt: skip
    explain.add_argument("--trusted", action="store_true", help="as if from a trusted client")
    explain.add_argument(
        "--user", default="", metavar="NAME", help="as if from a client authenticated as NAME"
    )
    explain.add_argument(
        "file", metavar="MESSAGE.eml", type=_read_file_name, help="- is standard input"
    )


def _add_order(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", metavar="STORE", type=_read_text, help="the store's name")
    parser.add_argument("number", metavar="ORDER", type=_read_text, help="the order's number")
