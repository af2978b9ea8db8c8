"""What each command of the command line does, once its arguments are read.

Every function takes the arguments and the configuration, prints what it found, and returns the exit
code or raises `Failure`. The modules that do the work are imported when their command runs: each
starts fast, and only `serve` needs libmilter.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from conversation_tracker.base.failure import NO, TEMPORARY, USAGE, Failure
from conversation_tracker.config.config import Config, ConfigError, load

_MESSAGE_LIMIT = 200_000_000  # octets
_NO_TERMINAL = (100, 24)  # columns and lines
_DASH = Path("-")
_GRANTED = (
    "it could read all of them before, and from now on a role reads what it is granted;"
    " narrow it with tracker.grant_store and tracker.revoke_store (docs/upgrading.md)"
)


def serve(_given: argparse.Namespace, config: Config) -> int:
    """Answer Postfix until told to stop."""
    from conversation_tracker.checks.configuration import list_faults
    from conversation_tracker.serve import startup

    isatty = sys.stderr is not None and sys.stderr.isatty()
    return startup.serve(config, lambda: load(config.path, os.environ, isatty=isatty), list_faults)


def migrate(_given: argparse.Namespace, config: Config) -> int:
    """Migrate the database to the program's schema; print what was applied."""
    from conversation_tracker.database.faults import raise_failures
    from conversation_tracker.database.migrate import (
        Busy,
        Dependents,
        Differences,
        NewerDatabase,
        migrate,
    )

    try:
        with raise_failures(config.database):
            applied = migrate(
                config.database,
                lambda name: print(f"applied {name}", flush=True),
                lambda role: print(f"NOTE: granted every store to {role}: {_GRANTED}", flush=True),
            )
    except Differences as error:
        for line in error.lines:
            print(line, flush=True)
        raise Failure(USAGE, str(error)) from None
    except (Dependents, NewerDatabase) as error:
        raise Failure(USAGE, str(error)) from None
    except Busy as error:
        raise Failure(TEMPORARY, str(error)) from None
    if not applied:
        print("nothing to apply")
    return 0


def expire(given: argparse.Namespace, config: Config) -> int:
    """Empty what has expired."""
    from conversation_tracker.maintenance import expire
    from conversation_tracker.telemetry.log_setup import configure

    configure(config.log_format)
    return expire.run(config, dry_run=given.dry_run, out=sys.stdout, err=sys.stderr)


def follow(given: argparse.Namespace, config: Config) -> int:
    """Mark deliveries with what Postfix's log tells of them, until told to stop."""
    from conversation_tracker.delivery_log import follow
    from conversation_tracker.telemetry import follow_state

    source = None if given.journal else given.log or follow.default_source(os.environ)
    return follow.run(config, source, given.state or follow_state.find_place(os.environ))


def publish(_given: argparse.Namespace, config: Config) -> int:
    """Publish events until told to stop."""
    from conversation_tracker.publish import run as publisher

    return publisher.run(config)


def web(_given: argparse.Namespace, config: Config) -> int:
    """Show orders in a browser until told to stop."""
    from conversation_tracker.web import run as page

    isatty = sys.stderr is not None and sys.stderr.isatty()
    return page.run(config, lambda: load(config.path, os.environ, isatty=isatty))


def webhooks(given: argparse.Namespace, config: Config) -> int:
    """Print how webhooks are doing, or have sent again what was given up."""
    from conversation_tracker.database.publishing.webhooks import read_webhooks, retry_webhooks
    from conversation_tracker.support.webhooks import write_json, write_table

    if given.action == "retry":
        if given.json:
            raise Failure(USAGE, "--json is for list")
        count = retry_webhooks(config.database, given.webhook)
        print(f"{count} event{'' if count == 1 else 's'} will be sent again")
        return 0
    states = [
        state for state in read_webhooks(config.database) if given.webhook in (None, state.webhook)
    ]
    if given.webhook is not None and not states:
        raise Failure(NO, f"no such webhook: {given.webhook}")
    if given.json:
        print(write_json(states))
        return 0
    cells = shutil.get_terminal_size(_NO_TERMINAL).columns
    for line in write_table(states, cells) if states else ["no webhooks"]:
        print(line)
    return 0


def check(given: argparse.Namespace, config: Config) -> int:
    """Look at everything that mail needs."""
    from conversation_tracker.checks import run as check

    if given.only_config and (given.dns or given.live):
        raise Failure(USAGE, "--config looks at the configuration alone: without --dns and --live")
    wanted = check.Wanted(config=given.only_config, dns=given.dns, live=given.live, json=given.json)
    return check.run(config, sys.stdout, os.environ, wanted)


def refuse_config(given: argparse.Namespace, error: ConfigError) -> None:
    """Show a program that asks `check` what is wrong with the configuration, as it wants it."""
    if given.run is check and given.json:
        from conversation_tracker.checks import run as checks

        checks.refuse(error, sys.stdout)


def mask(given: argparse.Namespace, config: Config) -> int:
    """Print the alias of an address in an order, and nothing else."""
    from conversation_tracker.support import order_commands

    print(
        order_commands.mask(config.database, given.store, given.number, given.address, given.role)
    )
    return 0


def unmask(given: argparse.Namespace, config: Config) -> int:
    """Print the address behind an alias, and nothing else."""
    from conversation_tracker.support import order_commands

    actor = order_commands.find_actor(os.environ)
    print(order_commands.unmask(config.database, given.alias, given.reason, actor))
    return 0


def close(given: argparse.Namespace, config: Config) -> int:
    """Close an order, and print when its aliases end."""
    from conversation_tracker.support import order_commands

    ends = order_commands.close(config.database, given.store, given.number)
    print(f"its aliases stop working at {ends.isoformat(' ', 'seconds')}")
    return 0


def erase(given: argparse.Namespace, config: Config) -> int:
    """Take an address out of every order, and print what was done and what stays."""
    from conversation_tracker.database.person import erasing
    from conversation_tracker.support import erasure, order_commands

    wanted = [given.address, given.list, given.again]
    if sum(each is not None for each in wanted) != 1 or (given.messages and not given.address):
        raise Failure(USAGE, "give ADDRESS (with --messages or without), --list or --again alone")
    actor = order_commands.find_actor(os.environ)
    if given.list is not None:
        key = erasing.read_key(config.database)
        _write(given.list, erasure.write_list(key, erasing.iter_erasures(config.database)))
    elif given.again is not None:
        text = _read_message(given.again).decode("ascii", "replace")
        items = erasure.read_list(text, erasing.read_key(config.database))
        count = erasing.erase_again(config.database, items, actor)
        print(f"erased again: {count} address{'' if count == 1 else 'es'} that had come back")
    else:
        address = str(order_commands.read_address(given.address))
        done = erasing.erase(config.database, address, actor, messages=given.messages)
        for line in erasure.describe_erasure(done, messages=given.messages):
            print(line)
    return 0


def export(given: argparse.Namespace, config: Config) -> int:
    """Write all conversations of an address into an archive, and print how much that is."""
    from conversation_tracker.support import order_commands
    from conversation_tracker.support.export.run import export

    if given.file == _DASH:
        raise Failure(USAGE, "an archive needs a file: - is none")
    address = str(order_commands.read_address(given.address))
    actor = order_commands.find_actor(os.environ)
    done = export(config.database, address, given.file, actor)
    orders = f"{done.orders} order{'' if done.orders == 1 else 's'}"
    print(f"wrote {orders} with {done.messages} message{'' if done.messages == 1 else 's'}")
    if done.tagged:
        print(f"not in it: {done.tagged} like this address with a +tag; each is one of its own")
    return 0


def timeline(given: argparse.Namespace, config: Config) -> int:
    """Print the messages of an order as a table or as JSON, or write them as a page."""
    from conversation_tracker.database import orders
    from conversation_tracker.support import timeline

    with orders.connect(config.database) as connection:
        if given.json:
            sys.stdout.writelines(timeline.as_json(connection, given.store, given.number))
            return 0
        if given.html is not None:
            _write(given.html, timeline.as_page(connection, given.store, given.number))
            return 0
        entries = timeline.read_timeline(connection, given.store, given.number)
    # Into a pipe as wide as COLUMNS says, or else 100: the whole text is in the other two forms.
    cells = shutil.get_terminal_size(_NO_TERMINAL).columns
    for line in timeline.as_table(entries, cells) if entries else ["no messages"]:
        print(line)
    return 0


def explain(given: argparse.Namespace, config: Config) -> int:
    """Print what would happen to a message."""
    from conversation_tracker.support.explain import Envelope, explain

    envelope = Envelope(tuple(given.rcpt), given.sender, given.trusted, given.user)
    explanation = explain(
        config.database, _read_message(given.file), envelope, config.authserv_id, config.postmaster
    )
    for line in explanation.lines:
        print(line)
    return 0 if explanation.taken else NO


def _read_message(path: Path) -> bytes:
    """Read a message from a file or standard input."""
    if path == _DASH and sys.stdin is None:
        raise Failure(USAGE, "standard input is closed")
    try:
        if path == _DASH:
            raw = sys.stdin.buffer.read(_MESSAGE_LIMIT + 1)
        else:
            with path.open("rb") as file:
                raw = file.read(_MESSAGE_LIMIT + 1)
    except OSError as error:
        raise Failure(USAGE, f"{path}: {error.strerror}") from None
    if len(raw) > _MESSAGE_LIMIT:
        raise Failure(USAGE, f"{path}: more than {_MESSAGE_LIMIT} octets are no message")
    if not raw.strip():
        raise Failure(USAGE, f"{path}: empty")
    return raw


def _write(path: Path, pieces: Iterable[str]) -> None:
    """Write a page to a file, or to standard output."""
    if path == _DASH:
        sys.stdout.writelines(pieces)
        return
    from conversation_tracker.support.file import write_file

    try:
        write_file(path, pieces)
    except OSError as error:
        raise Failure(USAGE, f"{path}: {error.strerror or error}") from None
