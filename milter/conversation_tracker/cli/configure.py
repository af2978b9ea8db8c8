"""The command `postfix/configure`: sets Postfix up for the tracker, the one place that changes it.

What must hold and what is set is in `postfix.requirements`; here are the options, the warnings and
the order: everything is judged as it will be before anything is written, and as it is afterwards.
Also to be run as `python3 -m conversation_tracker.cli.configure`. Only the standard library is
imported, since the installer asks this before it installs anything.
"""

import argparse
import fcntl
import os
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix import edit, requirements
from conversation_tracker.postfix.changes import Changes
from conversation_tracker.postfix.finding import Finding
from conversation_tracker.postfix.host import (
    CONFIGURE,
    DEFAULT_LISTENER,
    Earlier,
    Host,
    header_file,
    read_earlier,
    transport_file,
)
from conversation_tracker.postfix.milters import (
    SAFE_ACTIONS,
    read_milters,
    read_socket,
    write_address,
)
from conversation_tracker.postfix.names import is_word, read_domain
from conversation_tracker.postfix.settings import (
    Settings,
    Unreadable,
    find_tool,
    read_settings,
    run_tool,
)
from conversation_tracker.postfix.ways_past import UNSEEN

REFUSED = 1
MISUSED = 2

_ENDS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

_ABOUT = """\
Has Postfix ask Conversation Tracker about all mail, and send mail for the alias domains through the splitter.
Shows each change as `setting: old -> new`. Run again, it changes nothing. Reload Postfix afterwards."""  # noqa: E501
_CODES = """\
Exit codes: 0 done, 1 refused (mail would pass unmasked; nothing is changed), 2 usage."""


# Options with one value, and options that may be repeated: name, value, help.
_VALUES = (
    ("--socket", "SOCKET", "where the tracker listens: unix:/path or inet:PORT@HOST"),
    (
        "--signer", "MILTER",
        "the DKIM signer, after the tracker, in place of the one before; it must run. That of an"
        " earlier run stays, and goes with the name `none`",
    ),
    (
        "--authserv-id", "NAME",
        "remove Authentication-Results in this name from what clients send, before any milter"
        " sees it; that of an earlier run stays, and goes with the name `none`",
    ),
    (
        "--listener", "HOST:PORT",
        f"where the splitter hands mail back (default {DEFAULT_LISTENER})",
    ),
    ("--config-dir", "DIR", "Postfix's configuration directory (default: its own)"),
)  # fmt: skip
_LISTS = (
    (
        "--alias-domain", "DOMAIN",
        "a domain of aliases; may be repeated; those of an earlier run stay",
    ),
    (
        "--service", "NAME/TYPE",
        "a service of master.cf with smtpd_milters of its own: add the tracker there too",
    ),
    (
        "--exempt", "NAME",
        "a service (NAME/TYPE), smtpd_milter_maps or smtpd_proxy_filter whose mail need not"
        " pass the tracker: do not refuse it; those of an earlier run stay, and go with the name"
        " `none`",
    ),
)  # fmt: skip


class Misused(Exception):
    """The command line, or Postfix's configuration, is none that we can work on."""


class Refused(Exception):
    """It cannot be done like this; why has been said."""


class _ConfigureParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Misused(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: the command line without the program's name; None takes the process's.

    Returns:
        The exit code.
    """
    try:
        given = _make_parser().parse_args(arguments)
        _work(given)
        return 0
    except (Misused, Unreadable) as error:
        print(f"configure: {error} (see --help)", file=sys.stderr)
        return MISUSED
    except Refused:
        return REFUSED
    except SystemExit as end:  # --help
        return int(end.code or 0)


def _make_parser() -> argparse.ArgumentParser:
    parser = _ConfigureParser(
        prog="configure",
        usage="configure [OPTION]... --socket SOCKET --alias-domain DOMAIN",
        description=_ABOUT,
        epilog=_CODES,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, value, about in _VALUES:
        parser.add_argument(name, metavar=value, default="", help=about)
    for name, value, about in _LISTS:
        parser.add_argument(name, metavar=value, default=[], action="append", help=about)
    parser.add_argument("--remove", action="store_true", help="take all of it out again")
    parser.add_argument("--dry-run", action="store_true", help="only show the changes")
    return parser


def _work(given: argparse.Namespace) -> None:
    """Run what the command line asks for."""
    domains = [_read_domain(text) for text in given.alias_domain]
    directory = _find_directory(given.config_dir)
    with nullcontext() if given.dry_run else _hold(directory):
        _change(given, domains, {**os.environ, "MAIL_CONFIG": str(directory)})


@contextmanager
def _hold(directory: Path) -> Iterator[None]:
    """Wait for another run to end, and let no other begin in the block.

    What one works out, another would overwrite; and whoever fails takes everything back.
    """
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _change(given: argparse.Namespace, domains: list[str], environ: dict[str, str]) -> None:
    settings = read_settings(environ)
    host = _settle(given, settings, domains)
    if given.remove:
        changes = requirements.withdraw(host)
        _warn(
            "without the tracker nothing is masked: mail of the store goes out as it is, mail to"
            " aliases is refused"
        )
    else:
        _announce(host)
        changes = requirements.apply(host)
        with tempfile.TemporaryDirectory() as scratch:
            planned = changes.plan(environ, Path(scratch))
            if _judge(requirements.examine(replace(host, settings=planned)), aloud=True):
                print("configure: nothing was changed", file=sys.stderr)
                raise Refused
    for text in changes.shown:
        print(text)
    count = len(changes.shown)
    if count == 0:
        _say("nothing to change")
    elif given.dry_run:
        _say(f"dry run: {count} changes shown, none made")
    else:
        _make(host, changes, environ, verify=not given.remove)
        if given.remove and (kept := sorted(settings.named & requirements.HARMLESS)):
            _say(f"left as they are, since they harm nobody: {', '.join(kept)}")
        directory = settings.get_value("config_directory")
        _say(f"done: {count} changes; now run: postfix -c {directory} reload")


# What was asked for ----------------------------------------------------------------------------


def _read_domain(text: str) -> str:
    domain = read_domain(text)
    if domain is None:
        raise Misused(f"{text} is no domain name (write an international one in its xn-- form)")
    return domain


def _find_directory(given: str) -> Path:
    """Find Postfix's configuration directory."""
    text = given or run_tool([*find_tool("postconf", os.environ), "-h", "config_directory"]).stdout
    directory = Path(text.strip()).resolve()
    if not all(os.access(directory / name, os.R_OK) for name in ("main.cf", "master.cf")):
        raise Misused(f"no main.cf and master.cf in {directory}")
    return directory


def _settle(given: argparse.Namespace, settings: Settings, domains: list[str]) -> Host:
    """Translate what was asked for, now and by an earlier run, into Postfix's terms."""
    earlier = read_earlier(settings)
    domains += earlier.domains
    if not given.remove and not (given.socket or earlier.milter):
        raise Misused("--socket is missing")
    if not given.remove and not domains:
        raise Misused("--alias-domain is missing")
    for name in given.service:
        if settings.find(name) is None:
            raise Misused(f"--service {name}: master.cf has no such service")
    host = Host(
        settings=settings,
        socket=_read_socket(given.socket or earlier.milter, settings),
        domains=tuple(dict.fromkeys(domains)),
        listener=given.listener or DEFAULT_LISTENER,
        signer=_read_signer(given.signer or earlier.signer, settings),
        old_signer=_read_signer(earlier.signer, settings),
        authserv_id=_read_name(given.authserv_id, earlier),
        joined=tuple(given.service),
        exempt=_read_exempt(given.exempt, earlier, settings),
        old_listener=earlier.listener,
        old_milter=earlier.milter,
    )
    if host.signer == host.ours:
        raise Misused("the signer and the tracker have one socket")
    return host


def _read_socket(text: str, settings: Settings) -> Socket:
    socket = read_socket(text, settings) if text else Socket("unix")
    if socket is None:
        raise Misused(f"--socket {text}: write unix:/path or inet:PORT@HOST")
    return socket


def _read_signer(text: str, settings: Settings) -> str:
    address = write_address(text, settings) if text not in ("", "none") else ""
    if address is None:
        raise Misused(f"--signer {text}: write unix:/path, inet:PORT@HOST or inet:HOST:PORT")
    return address


def _read_exempt(given: list[str], earlier: Earlier, settings: Settings) -> tuple[str, ...]:
    """Join what is exempt now with what was before, as far as it is still there."""
    for name in given:
        if name not in ("none", *UNSEEN) and settings.find(name) is None:
            raise Misused(
                f"--exempt {name}: neither a service of master.cf nor {' nor '.join(UNSEEN)}"
            )
    kept = [name for name in earlier.exempt if name in UNSEEN or settings.find(name) is not None]
    wanted = given if "none" in given else [*kept, *given]
    return tuple(dict.fromkeys(name for name in wanted if name != "none"))


def _read_name(given: str, earlier: Earlier) -> str:
    name = given or earlier.authserv_id
    if not is_word(name):
        raise Misused(f"--authserv-id {name}: write one word, such as mx.example.com")
    return "" if name == "none" else name


# What is said ----------------------------------------------------------------------------------


def _say(text: str) -> None:
    print(f"configure: {text}", flush=True)


def _warn(text: str) -> None:
    print(f"configure: WARNING: {text}", file=sys.stderr)


def _refuse(text: str) -> None:
    print(f"configure: refused: {text}", file=sys.stderr)


def _announce(host: Host) -> None:
    """Print what an administrator would not expect."""
    settings = host.settings
    action = settings.get_value("milter_default_action")
    if action not in SAFE_ACTIONS:
        _warn(
            f"milter_default_action was {action} and becomes tempfail: mail now waits while any"
            f" milter is down. With {action}, mail left unmasked when the tracker failed. Another"
            f" milter may keep its own: {{ inet:..., default_action={action} }}"
        )
    if host.socket.kind == "inet":
        _warn(
            "over TCP every message stalls on small packets, and any local user may ask for"
            " addresses: a unix socket is better"
        )
    elif not Path(host.socket.path).is_socket():
        _warn(
            f"there is no socket at {host.socket.path} now: until the tracker runs, mail gets 451"
        )
    there = [
        write_address(m.address, settings)
        for m in read_milters(settings.get_value("smtpd_milters"))
    ]
    if there and not host.signer and host.ours not in there:
        _warn(
            "the milters already there run before the tracker: if one of them signs, name it with"
            " --signer"
        )


def _judge(findings: Iterable[Finding], *, aloud: bool) -> int:
    """Print what is refused, and if `aloud` what is doubtful; return how much is refused."""
    refusals = 0
    for finding in findings:
        if finding.heed == "refuse":
            refusals += 1
            # "Run configure" is no help to somebody who runs it.
            _refuse(finding.text if finding.mend == CONFIGURE else str(finding))
        elif finding.heed == "warn" and aloud:
            _warn(str(finding))
    return refusals


# What is done ----------------------------------------------------------------------------------


def _make(host: Host, changes: Changes, environ: dict[str, str], *, verify: bool) -> None:
    """Make the changes; if anything fails on the way or is refused afterwards, take all back."""
    directory = Path(host.settings.get_value("config_directory"))
    tables = (transport_file(host.settings), header_file(host.settings))
    # Taken back in this order: Postfix never sees a main.cf that names what is gone.
    paths = (directory / "main.cf", directory / "master.cf", *tables)
    copies = [edit.copy(path) for path in paths]
    with _catch_ends() as caught:
        try:
            edit.carry_out(changes, environ)
            if verify and _judge(
                requirements.examine(replace(host, settings=read_settings(environ))), aloud=False
            ):
                raise Refused
        except BaseException as error:
            for number in caught:
                signal.signal(number, signal.SIG_IGN)
            for copy in copies:
                copy.restore()
            if isinstance(error, edit.EditFailed | Unreadable):
                _refuse(str(error))
            print(f"configure: everything in {directory} is as it was before", file=sys.stderr)
            raise Refused from None


@contextmanager
def _catch_ends() -> Iterator[list[signal.Signals]]:
    """Have what would end the process raise in the block, but for what nohup has it ignore."""
    before = {number: signal.getsignal(number) for number in _ENDS}
    caught = [number for number, handler in before.items() if handler != signal.SIG_IGN]
    for number in caught:
        signal.signal(number, _stop)
    try:
        yield caught
    finally:
        for number in caught:
            signal.signal(number, before[number])


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
