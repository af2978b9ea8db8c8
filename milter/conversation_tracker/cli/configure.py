"""The command `postfix/configure`: sets Postfix up for the tracker, the one place that changes it.

What must hold and what is set is in `postfix.requirements`, the options are in `configure_options`;
here are the warnings and the order: everything is judged as it will be before anything is written,
and as it is afterwards. `python3 -m conversation_tracker.cli.configure` runs it, too. Only the
standard library is imported, since the installer asks this before it installs anything.
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

from conversation_tracker.cli.configure_options import (
    Misused,
    find_directory,
    make_parser,
    read_domain,
    settle,
)
from conversation_tracker.postfix import edit, intake, requirements
from conversation_tracker.postfix.changes import Changes
from conversation_tracker.postfix.finding import Finding
from conversation_tracker.postfix.host import (
    CONFIGURE,
    Host,
    header_file,
    transport_file,
)
from conversation_tracker.postfix.milters import (
    SAFE_ACTIONS,
    read_milters,
    write_address,
)
from conversation_tracker.postfix.settings import (
    Unreadable,
    read_settings,
)

REFUSED = 1
MISUSED = 2

_ENDS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Refused(Exception):
    """It cannot be done like this; why has been said."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: the command line without the program's name; None takes the process's.

    Returns:
        The exit code.
    """
    try:
        given = make_parser().parse_args(arguments)
        _work(given)
        return 0
    except (Misused, Unreadable) as error:
        print(f"configure: {error} (see --help)", file=sys.stderr)
        return MISUSED
    except Refused:
        return REFUSED
    except SystemExit as end:  # --help
        return int(end.code or 0)


def _work(given: argparse.Namespace) -> None:
    """Run what the command line asks for."""
    domains = [read_domain(text) for text in given.alias_domain]
    directory = find_directory(given.config_dir)
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
    host = settle(given, settings, domains)
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
            found = requirements.examine(replace(host, settings=planned))
            if _judge([*found, *intake.find_silent(host)], aloud=True):
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
        restored = {each.name for each in host.changed}
        kept = sorted((settings.named & requirements.HARMLESS) - restored)
        if given.remove and kept:
            _say(f"left as they are, since they harm nobody: {', '.join(kept)}")
        directory = settings.get_value("config_directory")
        _say(f"done: {count} changes; now run: postfix -c {directory} reload")


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
    for finding in dict.fromkeys(findings):  # a table is asked about each domain
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
