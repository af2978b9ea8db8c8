"""The demonstration: two orders, played through a private mail host and shown as it happens.

Run by `postfix/demo`. Everything runs on loopback ports and in temporary directories, and is gone
at the end, however that comes. Exit codes: 0 played, or with --keep told to stop; 1 something did
not start or did not arrive, with the servers' logs on standard error; 130 interrupted.
"""

import argparse
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg

from conversation_tracker.database.migrate import migrate
from private.display import Display, arrived, style
from private.mailhost import MailHost
from private.postgres import Postgres
from private.scenes import CARRIER, DOMAIN, ORDER, STORES, Scenes, mask
from private.web import Web

_SUPPORT = "CREATE ROLE support LOGIN IN ROLE tracker_reader"
_GRANT = "SELECT tracker.grant_store('support', '*')"
_WIDTH = 120  # columns of the timeline where there is no terminal
_DAY = 86_400.0  # seconds


def main() -> int:
    """Play one order hard and one soft."""
    parser = argparse.ArgumentParser(prog="postfix/demo", description=main.__doc__)
    parser.add_argument("--keep", action="store_true", help="then go on running until Ctrl-C")
    keep = parser.parse_args().keep
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["COLUMNS"] = str(shutil.get_terminal_size((_WIDTH, 24)).columns)
    display = Display(sys.stdout, style(sys.stdout, os.environ))
    try:
        perform(display, keep=keep)
    except KeyboardInterrupt:
        say("interrupted; everything is stopped and removed")
        return 130
    except (RuntimeError, OSError, psycopg.Error) as error:
        print(f"postfix/demo: {error}", file=sys.stderr)
        return 1
    say("everything is stopped and removed")
    return 0


def say(line: str) -> None:
    """Print what is being done."""
    print(f"==> {line}", flush=True)


def perform(display: Display, *, keep: bool) -> None:
    """Start the servers, play, and if told so keep them until interrupted."""
    say("starting a PostgreSQL of our own")
    with Postgres() as postgres:
        database = prepared(postgres)
        say("starting Postfix, the tracker, and a host that takes all mail for everybody")
        with MailHost(database, [DOMAIN]) as host:
            say(f"they run: Postfix on port {host.postfix.port}, PostgreSQL on {postgres.port}")
            display.line()
            try:
                for store in ("hardshop", "softshop"):
                    Scenes(host, database, store, display).play()
            except (RuntimeError, TimeoutError) as error:
                first = str(error).partition("\n")[0]
                raise RuntimeError(f"{first}\n{logs(host)}") from None
            if keep:
                say("starting what reads the messages, and the web page that shows them")
                host.tracker.run_beside("publish")
                with Web(postgres.uri("conversation_tracker", "support")) as web:
                    stay(host, postgres, web, display)


def prepared(postgres: Postgres) -> str:
    """Make the database with its tables, two stores, and a role for support; give its URI."""
    database = postgres.create_database("conversation_tracker")
    applied = migrate(database)
    say(f"tables made, by {applied} migrations")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(STORES, {"domain": DOMAIN})
        connection.execute(_SUPPORT)
        connection.execute(_GRANT)
    return database


def logs(host: MailHost) -> str:
    """Return what the servers wrote to their logs."""
    tracker, postfix = host.tracker.log_text(), host.postfix.log_text()
    return f"--- the tracker's log\n{tracker}--- Postfix's log\n{postfix}"


def stay(host: MailHost, postgres: Postgres, web: Web, display: Display) -> None:
    """Print how to go on by hand, and all mail that leaves, until interrupted."""
    display.title("Your turn: everything goes on running until Ctrl-C")
    for line in advice(host, postgres, web):
        display.line(line)
    display.line()
    shown = len(host.sink.messages)
    try:
        while True:
            host.sink.wait_for(shown + 1, _DAY)
            for mail in host.sink.messages[shown:]:
                shown += 1
                lines = arrived(mail)
                display.received(", ".join(mail.addresses), lines, lines)
    except TimeoutError:
        say("nothing came for a whole day")
    except KeyboardInterrupt:
        display.line()


def advice(host: MailHost, postgres: Postgres, web: Web) -> Iterator[str]:
    """Yield the lines that tell how to go on by hand."""
    alias = mask(postgres.uri("conversation_tracker"), "hardshop", "mine", "me@buyer.example")
    yield "See the orders in a browser on this machine, as support does:"
    yield ""
    yield f"    {web.address}"
    yield f"    {web.address}orders/hardshop/{ORDER}"
    yield ""
    yield "Write to the alias of me@buyer.example in a new order, mine; what leaves is shown here:"
    yield ""
    yield (
        f"    swaks --server 127.0.0.1 --port {host.postfix.port} --from {CARRIER}"
        f" --to {alias} --header 'Subject: Hello'"
    )
    yield ""
    yield "See what was recorded, in a terminal:"
    yield ""
    yield f"    {command()} -c {host.tracker.config} timeline hardshop mine"
    yield ""
    yield "Look into the database, as a role that may not see addresses, and as one that may:"
    yield ""
    for user, query in (
        ("support", "SELECT at, sender_alias, subject, state FROM tracker.timeline"),
        ("postgres", "SELECT role, token, address FROM tracker.participants"),
    ):
        yield f"    psql '{postgres.uri('conversation_tracker', user)}' -c '{query}'"


def command() -> str:
    """Return the tracker's command as a shell takes it."""
    program = Path(sys.executable).with_name("conversation-tracker")
    if program.exists():
        return shlex.quote(str(program))
    return f"{shlex.quote(sys.executable)} -m conversation_tracker"


if __name__ == "__main__":
    sys.exit(main())
