"""The command with a configuration of its own, as a user runs it, and a message for it to show."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import aging
import psycopg
import warm
from psycopg.conninfo import make_conninfo

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.message import Message, parse
from conversation_tracker.database.repository import Database
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.transaction import Transaction

ROOT = Path(__file__).parents[2] / "milter"
JOHN = "john.doe@example.org"
ESCAPES = "\x1b[2Jü 中文 👍 \u202egnp"

TEXT = b"""From: John Doe <john.doe@example.org>\r
Subject: Hello\r
Content-Type: text/plain; charset=utf-8\r
\r
Where is <b>my</b> order? \xc3\xbc\r
"""


@dataclass(frozen=True)
class Result:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line on standard error."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("conversation-tracker: ")
        return lines[0].removeprefix("conversation-tracker: ")


class Tracker:
    """The command with a configuration of its own."""

    def __init__(self, directory: Path, database: str) -> None:
        self.database = database
        self.config = directory / "tracker.conf"
        self.socket = directory / "milter.sock"
        self.use(database)

    def use(self, database: str) -> None:
        """Configure another database, or the same one as another role."""
        lines = ["[tracker]", f"database = {database}", f"socket = unix:{self.socket}"]
        self.config.write_text("\n".join([*lines, "workers = 1", ""]))

    def become(self, role: str) -> None:
        """Connect as another role from now on."""
        self.use(make_conninfo(self.database, user=role))

    def command(self, *arguments: str | bytes | Path) -> list[str | bytes | Path]:
        """Return the whole command line."""
        return [sys.executable, "-m", "conversation_tracker", "-c", self.config, *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        """Return an environment in which nothing of ours is set."""
        here = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
        return here | {"TZ": "Europe/Berlin"} | more

    def __call__(
        self, *arguments: str | bytes | Path, stdin: bytes = b"", **environment: str
    ) -> Result:
        environ = self.environment(**environment)
        done = warm.run(self.command(*arguments), input=stdin, env=environ)
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Ask the database as its owner."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


def record(
    tracker: Tracker, *, subject: str = "Hello", states: tuple[str, ...] = ("accepted",)
) -> int:
    """Record a message of order 1 from its buyer, to as many partners as there are states."""
    partners = {f"partner{number}@partner.example": state for number, state in enumerate(states)}
    wanted = {JOHN: "buyer"} | dict.fromkeys(partners or ["partner@partner.example"], "partner")
    aliases = [
        str(tracker.sql("SELECT tracker.mask('shop', '1', %s, %s)", address, role)[0][0])
        for address, role in wanted.items()
    ]
    _taken(tracker, aliases[1:])
    tracker.sql(
        "UPDATE tracker.messages SET subject = %s, size = 1234,"
        " attachment_names = '{invoice.pdf}'", subject,
    )  # fmt: skip
    aging.move(tracker.database, "timestamptz '2026-01-31 23:30 UTC'")
    tracker.sql("DELETE FROM tracker.deliveries WHERE %s", not states)
    for address, state in partners.items():
        tracker.sql(
            "UPDATE tracker.deliveries SET state = %s, status = %s, reason = %s"
            " WHERE recipient_id IN"
            " (SELECT id FROM tracker.participants WHERE address = %s)",
            state, *(("5.1.1", "no such user") if state == "bounced" else ("", "")), address,
        )  # fmt: skip
    [(number,)] = tracker.sql("SELECT id FROM tracker.messages")
    assert isinstance(number, int)
    return number


def _taken(tracker: Tracker, recipients: list[str]) -> None:
    """Let the milter's rules take a message from the buyer."""
    headers, body = parse(TEXT)
    database = Database(tracker.database, size=1)
    database.open()
    try:
        directory = database.directory()
        filter = Filter(database, lambda: directory)
        transaction = Transaction()
        for recipient in recipients:
            assert filter.accept_recipient(transaction, f"<{recipient}>".encode()) is None
        sender, to = Address.parse(JOHN), tuple(transaction.recipients)
        outcome = filter.decide(transaction, Message(sender, to, headers, body))
        assert outcome.plan.reply is None
    finally:
        database.close()
