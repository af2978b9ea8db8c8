"""Captures everything that the program says anywhere while tests run.

Captured are: what every process of ours writes to its log, output or error, the replies of SMTP and
of the milter protocol, notifications, the server log of the private databases, every text that the
databases keep, and what tests print. Not captured: Postfix's own log, and the answer of `unmask`
and `explain`, which is an address because somebody asked for it.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
import warm

import packets
import wire
from leak_audit import Gathered, Leak, named_of
from private import client
from private.postgres import Postgres

_SERVER_LOG = "database logs"
_ANSWERING = {"unmask", "explain"}
_PROGRAMS = {"demo", "install", "configure", "conversation-tracker"}
# The demonstration shows the mail of people it invented, as its sender or its receiver has it, and
# how to send more of it.
_MAIL = re.compile(r"^  (?:[-+|](?: .*)?|(?:Sent|Received) by .*|  swaks .*)$", re.MULTILINE)
# What a test wrote into a statement of its own; ours have parameters, and their own name.
_STATEMENT = re.compile(
    r"^\S+ \S+ \S+ \[\d+\] (?!conversation-tracker ).*STATEMENT:  .*\n(?:\t.*\n)*", re.MULTILINE
)
_MOST_ROWS = 2000
_MOST_OCTETS = 300_000

_TABLES = """
SELECT c.relname, EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'order_id')
  FROM pg_class AS c WHERE c.relnamespace = 'tracker'::regnamespace AND c.relkind IN ('r', 'p')
   AND NOT c.relispartition AND c.relname <> 'secrets'
"""
_SECRET = {"participants": "address", "message_ids": "original"}


class OutputCapture:
    """A plugin of pytest; what was said is in `gathered`."""

    def __init__(self) -> None:
        self.gathered = Gathered()
        self.kept: list[Leak] = []
        self._test = "before the first test"
        self._listeners: dict[tuple[int, str], psycopg.Connection] = {}
        self._undo: list[Callable[[], None]] = []

    def join(self, gathered: Gathered, kept: list[Leak]) -> None:
        """Add what the capture of another process holds."""
        self.gathered.join(gathered)
        self.kept += kept

    def leaks(self) -> list[Leak]:
        """Return what was said or kept and names an address."""
        return self.gathered.leaks() + self.kept

    # What is captured ------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to capture."""
        self._processes()
        self._smtp()
        self._milter()
        self._databases()

    def stop(self) -> None:
        """Leave everything as it was."""
        while self._undo:
            self._undo.pop()()

    def _around(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        former = getattr(owner, name)
        setattr(owner, name, wrap(former))
        self._undo.append(lambda: setattr(owner, name, former))

    def _say(self, kind: str, text: str | bytes, *allowed: str) -> None:
        self.gathered.say(kind, self._test, text, allowed)

    def _processes(self) -> None:
        """Capture what processes write to pipes that are read to the end, and to files."""

        def started(former: Any) -> Any:
            def init(process: Any, args: Any, *more: Any, **named: Any) -> None:
                former(process, args, *more, **named)
                argv = [str(each) for each in ([args] if isinstance(args, str | Path) else args)]
                process._argv = argv
                files = {
                    getattr(named.get(each), "name", None)
                    for each in ("stdout", "stderr")
                    if _speaker(argv)
                }
                # A device has no end.
                process._files = [
                    each for each in files if isinstance(each, str) and Path(each).is_file()
                ]

            return init

        def ended(former: Any) -> Any:
            def end(process: Any, *more: Any, **named: Any) -> Any:
                result = former(process, *more, **named)
                if process.returncode is not None:
                    files, process._files = getattr(process, "_files", []), []
                    for each in files:
                        with suppress(OSError):
                            self._process(process._argv, Path(each).read_bytes())
                return result

            return end

        def communicated(former: Any) -> Any:
            def communicate(process: Any, input: Any = None, timeout: Any = None) -> Any:
                out, err = former(process, input, timeout)
                given = [_text(input)] if input else []
                answers = _ANSWERING & set(process._argv)
                self._process(process._argv, b"" if answers else out, *given)
                self._process(process._argv, err, *given)
                return out, err

            return communicate

        def forked(former: Any) -> Any:
            def run(command: Any, **named: Any) -> Any:
                done = former(command, **named)
                argv = [_text(each) if isinstance(each, bytes) else str(each) for each in command]
                given = [_text(named["input"])] if named.get("input") else []
                self._process(argv, b"" if _ANSWERING & set(argv) else done.stdout, *given)
                self._process(argv, done.stderr, *given)
                return done

            return run

        self._around(warm, "run", forked)
        self._around(subprocess.Popen, "__init__", started)
        self._around(subprocess.Popen, "wait", ended)
        self._around(subprocess.Popen, "poll", ended)
        self._around(subprocess.Popen, "communicate", communicated)

    def _process(self, argv: list[str], said: Any, *given: str) -> None:
        kind = _speaker(argv)
        # Who writes a page may say nothing else.
        for option, path in pairwise(argv) if kind else ():
            if option == "--html" and Path(path).is_file():
                self._say(kind, Path(path).read_bytes(), *given, *argv)
        if not kind or not said:
            return
        if Path(argv[0]).name == "demo":
            said = _MAIL.sub("", _text(said))
        elif kind == _SERVER_LOG:
            said = _STATEMENT.sub("", _text(said))
        self._say(kind, said, *given, *argv)

    def _smtp(self) -> None:
        """Capture replies; Postfix's name what the client itself just sent."""

        def read(former: Any) -> Any:
            def reply(self_: Any, command: str) -> Any:
                answer = former(self_, command)
                sent = self_.__dict__.setdefault("_sent", [])
                sent.append(command)
                if command.upper().startswith(("MAIL", "RCPT")):
                    self.gathered.use(command.partition("<")[2].rpartition(">")[0])
                self._say("SMTP replies", answer.text, *sent)
                return answer

            return reply

        self._around(client.Client, "_read", read)

    def _milter(self) -> None:
        """Capture the milter's own replies, which name nobody at all."""

        def reply_of(former: Any) -> Any:
            def reply(*given: Any) -> Any:
                answer = former(*given)
                self._say("milter replies", answer.text)
                return answer

            return reply

        def noted(former: Any) -> Any:
            def said(self_: Any, address: Any, *more: Any) -> Any:
                self.gathered.use(_text(address))
                return former(self_, address, *more)

            return said

        self._around(packets, "reply_of", reply_of)
        self._around(wire, "reply_of", reply_of)
        self._around(wire.Wire, "mail", noted)
        self._around(wire.Wire, "rcpt", noted)

    def _databases(self) -> None:
        """Capture notifications, read databases before they go, and note what is asked of them."""

        def execute(former: Any) -> Any:
            def executed(cursor: Any, query: Any, params: Any = None, **named: Any) -> Any:
                if isinstance(params, tuple | list):
                    for each in params:
                        if isinstance(each, str):
                            self.gathered.use(each)
                return former(cursor, query, params, **named)

            return executed

        def created(former: Any) -> Any:
            def create(server: Any, name: str, template: str | None = None) -> str:
                uri: str = former(server, name, template)
                if template is not None:
                    self._listen(server, name, uri)
                return uri

            return create

        def dropped(former: Any) -> Any:
            def drop(server: Any, name: str) -> None:
                self._take(server)
                self._leave(server, name)
                former(server, name)

            return drop

        def closed(former: Any) -> Any:
            def close(server: Any) -> None:
                for key, name in list(self._listeners):
                    if key == id(server):
                        self._leave(server, name)
                former(server)

            return close

        self._around(psycopg.Cursor, "execute", execute)
        self._around(Postgres, "create_database", created)
        self._around(Postgres, "drop_database", dropped)
        self._around(Postgres, "close", closed)

    def _listen(self, server: Postgres, name: str, uri: str) -> None:
        connection = psycopg.connect(uri, autocommit=True)
        connection.add_notify_handler(lambda notice: self._say("notifications", notice.payload))
        connection.execute("LISTEN tracker_messages")
        self._listeners[id(server), name] = connection

    def _take(self, server: Postgres) -> None:
        """Take what was notified in all databases of a server.

        A session whose notifications nobody takes waits for room once its socket is full, and DROP
        DATABASE, of whatever database, waits for that session.
        """
        for (key, _), connection in self._listeners.items():
            if key == id(server):
                with suppress(psycopg.OperationalError):
                    connection.execute("SELECT 1")

    def _leave(self, server: Postgres, name: str) -> None:
        """Take the last notifications of a database, and read it."""
        connection = self._listeners.pop((id(server), name), None)
        if connection is None:
            return
        # A test may have killed the server, or taken the schema away.
        with suppress(psycopg.OperationalError), connection:
            connection.execute("SELECT 1")
        with (
            suppress(psycopg.OperationalError, psycopg.ProgrammingError),
            psycopg.connect(server.uri(name), autocommit=True) as fresh,
        ):
            self._read(fresh)

    def _read(self, connection: psycopg.Connection) -> None:
        """Search all that is kept, each order's texts for its own people's addresses."""
        people = connection.execute(
            "SELECT order_id, address FROM tracker.participants WHERE address IS NOT NULL LIMIT %s",
            (_MOST_ROWS,),
        ).fetchall()
        for (domain,) in connection.execute("SELECT name FROM tracker.alias_domains"):
            self.gathered.domains.add(domain)
        of_order: dict[int, set[str]] = {}
        for order, address in people:
            self.gathered.use(address)
            of_order.setdefault(order, set()).add(address.lower())
        everybody = set().union(*of_order.values())
        for table, has_order in connection.execute(_TABLES).fetchall():
            for order, row in _rows(connection, table, has_order):
                here = of_order.get(order, set()) if has_order else everybody
                self.gathered.sources["rows"] = self.gathered.sources.get("rows", 0) + 1
                for text in _texts(row):
                    self.kept += [
                        Leak(address, f"{table} ({self._test})", _around(text, address))
                        for address in named_of(text, here)
                    ]

    # pytest -----------------------------------------------------------------------------------

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note which test is running."""
        self._test = nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Capture what a test printed, the program's own log in its process among it."""
        if report.passed and report.when == "teardown":
            for title, text in report.sections:
                # pytest's own log handler sees records as other libraries made them.
                if not title.startswith("Captured log"):
                    self._say("output of tests", text)


def _speaker(argv: list[str]) -> str:
    """Name the program of ours that a command line runs; "" where it is none."""
    names = [Path(each).name for each in argv]
    if names[0] == "postgres":
        return _SERVER_LOG
    if "conversation_tracker" in names or _PROGRAMS & set(names[:2]):
        return "programs"
    if any("import" in each and "conversation_tracker" in each for each in argv):
        return "programs"
    return ""


def _rows(
    connection: psycopg.Connection, table: str, has_order: bool
) -> Iterator[tuple[int, dict[str, Any]]]:
    order = psycopg.sql.SQL("t.order_id" if has_order else "0")
    query = psycopg.sql.SQL("SELECT {}, to_jsonb(t) - %s FROM {} AS t LIMIT %s").format(
        order, psycopg.sql.Identifier("tracker", table)
    )
    yield from connection.execute(query, (_SECRET.get(table, ""), _MOST_ROWS)).fetchall()


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a row; octets as the text they are."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value[:_MOST_OCTETS]
        with suppress(ValueError):
            octets = bytes.fromhex(value[2 : 2 * _MOST_OCTETS]) if value[:2] == "\\x" else b""
            yield octets.decode("utf-8", "replace")


def _around(text: str, address: str) -> str:
    at = max(0, text.lower().find(address.lower()))
    return text[max(0, at - 60) : at + len(address) + 60]


def _text(given: str | bytes) -> str:
    return given.decode("utf-8", "replace") if isinstance(given, bytes) else given
