"""The follower marks what Postfix's log tells, once, through rotation, crashes and restarts."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from conversation_tracker.checks import follow as check_follow
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.alias import Bounce
from conversation_tracker.core.model.message import Arrival, Message, parse
from conversation_tracker.core.reports.maillog import LogLine
from conversation_tracker.database.migrate import migrate
from conversation_tracker.database.recording import name_queue_id
from conversation_tracker.database.repository import Database
from conversation_tracker.delivery_log import follow
from conversation_tracker.delivery_log.follow import Deliveries
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.transaction import Transaction
from conversation_tracker.telemetry import follow_state
from private import processes
from private.postgres import Postgres

if TYPE_CHECKING:
    from tests.database.conftest import Shop

BUYER = "john@doe.example"
CARRIER = "desk@carrier.example"
_numbers = itertools.count(1)


class Mail:
    """Recorded mail of one store, and its deliveries by queue id."""

    def __init__(self, uri: str, store: str, domain: str) -> None:
        """Make the store."""
        self.uri, self.store, self.domain = uri, store, domain
        self.sql(
            "INSERT INTO tracker.stores (name, alias_domain, hourly_limit) VALUES (%s, %s, 1000)"
            " ON CONFLICT (name) DO UPDATE SET hourly_limit = 1000",
            store, domain,
        )  # fmt: skip
        [(self.alias,)] = self.sql("SELECT tracker.mask(%s, '1', %s)", store, BUYER)

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, if it has any."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def recorded(self, *queue_ids: str, null: bool = False) -> None:
        """Have the milter record a mail of the carrier's to the buyer for each queue id."""
        database = Database(self.uri)
        database.open()
        try:
            directory = database.directory()
            rules = Filter(database, lambda: directory)
            for queue_id in queue_ids:
                self._record(rules, queue_id, null=null)
        finally:
            database.close()

    def _record(self, rules: Filter, queue_id: str, *, null: bool) -> None:
        transaction = Transaction(null=null)
        assert rules.accept_recipient(transaction, f"<{self.alias}>".encode()) is None
        headers, body = parse(
            f"From: <{CARRIER}>\r\nMessage-ID: <{uuid.uuid4()}@x.example>\r\n\r\nHi\r\n".encode()
        )
        sender, to = None if null else Address.parse(CARRIER), tuple(transaction.recipients)
        message = Message(sender, to, headers, body, Arrival(queue_id), null)
        assert rules.decide(transaction, message).plan.reply is None

    def known(self, queue_id: str) -> tuple[str, str, str]:
        """Return state, status and reason of the delivery with this queue id."""
        [row] = self.sql(
            "SELECT state, status, reason FROM tracker.deliveries WHERE queue_id = %s",
            name_queue_id(queue_id),
        )
        return row[0], row[1], row[2]

    def changes(self) -> list[tuple[Any, ...]]:
        """Return all that is known of all deliveries, with its times."""
        return self.sql(
            "SELECT bounce, state, status, reason, changed_at FROM tracker.deliveries ORDER BY 1"
        )


class Follower:
    """`conversation-tracker follow` on a log of its own."""

    def __init__(self, home: Path, uri: str) -> None:
        """Write its configuration into `home`."""
        self.home, self.log, self.state = home, home / "mail.log", home / "state"
        self.said = home / "said"
        self._config = home / "tracker.conf"
        self._config.write_text(f"[tracker]\ndatabase = {uri}\nsocket = unix:{home}/milter.sock\n")
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, *options: str | Path) -> list[str]:
        """Return the command with these options."""
        program = [sys.executable, "-m", "conversation_tracker", "-c", self._config, "follow"]
        return [str(word) for word in (*program, "--state", self.state, *options)]

    def start(self, *options: str | Path, ready: bool = True, path: str | None = None) -> None:
        """Start it; unless told otherwise wait until it reads the log."""
        known = len(self.events("following"))
        environment = os.environ | ({"PATH": f"{path}:{os.environ['PATH']}"} if path else {})
        command = self.command(*(options or ("--log", self.log)))
        with self.said.open("ab") as said:
            self._process = subprocess.Popen(command, stderr=said, env=environment)
        if ready:
            self.until(lambda: len(self.events("following")) > known)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal and return its exit code."""
        assert self._process is not None
        process, self._process = self._process, None
        process.send_signal(number)
        return process.wait(20)

    def close(self) -> None:
        """End it if it runs."""
        if self._process is not None:
            self.end(signal.SIGKILL)

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of its own log with this event."""
        text = self.said.read_text() if self.said.exists() else ""
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def until(self, condition: Any) -> None:
        """Wait for something to come true."""
        said = self.said
        assert processes.until(condition, 20.0), said.read_text() if said.exists() else "nothing"

    def write(self, *lines: str) -> None:
        """Append lines to the log."""
        with self.log.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)


def line(queue_id: str, status: str = "sent (250 2.0.0 kept)", dsn: str = "2.0.0") -> str:
    """Return a line of the log about a delivery to the buyer."""
    return (
        f"Nov 23 16:45:52 host postfix/smtp[123]: {queue_id}: to=<{BUYER}>,"
        " relay=mx.doe.example[192.0.2.1]:25, delay=0.1, delays=0.05/0.01/0.02/0.02,"
        f" dsn={dsn}, status={status}"
    )


def fresh(count: int = 1) -> list[str]:
    """Return queue ids that no test used before."""
    return [f"{next(_numbers):010X}" for _ in range(count)]


@pytest.fixture
def mail(shop: "Shop") -> Mail:
    return Mail(shop.uri, shop.name, shop.alias_domain)


@pytest.fixture
def follower(mail: Mail, tmp_path: Path) -> Iterator[Follower]:
    found = Follower(tmp_path, mail.uri)
    yield found
    found.close()


def marked(mail: Mail, queue_ids: Sequence[str], state: str = "sent") -> bool:
    """Return whether all of these deliveries are in one state."""
    return all(mail.known(queue_id)[0] == state for queue_id in queue_ids)


def test_a_line_marks_its_delivery_and_names_nobody(mail: Mail, follower: Follower) -> None:
    one, other = fresh(2)
    mail.recorded(one, other)
    follower.write("old")
    follower.start()
    follower.write(line(one, f"deferred (host mx.doe.example said: 450 <{BUYER}> later)", "4.2.0"))
    follower.until(lambda: marked(mail, [one], "delayed"))
    assert mail.known(one) == ("delayed", "4.2.0", f"host [host] said: 450 <{mail.alias}> later")
    follower.write(line(one))
    follower.until(lambda: marked(mail, [one]))
    assert mail.known(one) == ("sent", "2.0.0", "250 2.0.0 kept")
    assert mail.known(other) == ("accepted", "", "")
    assert follower.end() == 0
    told = follower.said.read_text() + follower.state.read_text()
    assert "doe.example" not in told
    assert [event["state"] for event in follower.events("delivery")] == ["delayed", "sent"]


def test_what_was_there_before_the_first_start_is_not_read(mail: Mail, follower: Follower) -> None:
    """A queue id in an old line may be another mail's."""
    old, new = fresh(2)
    mail.recorded(old, new)
    follower.write(line(old))
    follower.start()
    follower.write(line(new))
    follower.until(lambda: marked(mail, [new]))
    assert mail.known(old) == ("accepted", "", "")


def test_a_log_that_comes_later_is_read_from_its_first_line(mail: Mail, follower: Follower) -> None:
    ids = fresh(2)
    mail.recorded(*ids)
    follower.start()
    assert len(follower.events("log-unreadable")) == 1
    assert follower.end() == 0
    follower.write(line(ids[0]))
    follower.start()
    follower.until(lambda: marked(mail, ids[:1]))
    follower.write(line(ids[1]))
    follower.until(lambda: marked(mail, ids))


def test_rotation_by_renaming_loses_no_line(mail: Mail, follower: Follower) -> None:
    """Not one that is written to the old file while the new one is there already."""
    ids = fresh(4)
    mail.recorded(*ids)
    follower.write("old")
    follower.start()
    follower.write(line(ids[0]))
    with follower.log.open("a") as before:
        follower.log.rename(f"{follower.log}.1")
        before.write(line(ids[1]) + "\n")
        before.flush()
        follower.write(line(ids[2]))
        follower.until(lambda: marked(mail, ids[:2]))
        before.write(line(ids[3]) + "\n")
    follower.until(lambda: marked(mail, ids))
    assert follower.events("log-gap") == []


def test_rotation_by_copying_loses_no_line(mail: Mail, follower: Follower) -> None:
    """What was not read yet when the log was cut short is read from the copy."""
    ids = fresh(4)
    mail.recorded(*ids)
    follower.write("old")
    follower.start()
    follower.write(line(ids[0]))
    follower.until(lambda: marked(mail, ids[:1]))
    assert follower.end() == 0
    follower.write(line(ids[1]))
    copy = Path(f"{follower.log}.1")
    copy.write_bytes(follower.log.read_bytes())
    os.truncate(follower.log, 0)
    follower.write(line(ids[2]))
    follower.start()
    follower.until(lambda: marked(mail, ids[:3]))
    os.truncate(follower.log, 0)
    follower.write(line(ids[3]))
    follower.until(lambda: marked(mail, ids))


def test_rotation_while_it_did_not_run_loses_no_line(mail: Mail, follower: Follower) -> None:
    """Even after two rotations; a packed file is passed over."""
    ids = fresh(3)
    mail.recorded(*ids)
    follower.write("old")
    follower.start()
    assert follower.end() == 0
    follower.write(line(ids[0]))
    Path(f"{follower.log}.3.gz").write_bytes(b"packed")
    follower.log.rename(f"{follower.log}.2")
    follower.log.write_text(line(ids[1]) + "\n")
    follower.log.rename(f"{follower.log}.1")
    follower.log.write_text(line(ids[2]) + "\n")
    for age, name in ((30, "mail.log.2"), (20, "mail.log.1")):
        path = follower.home / name
        at = path.stat().st_mtime - age
        os.utime(path, (at, at))
    follower.start()
    follower.until(lambda: marked(mail, ids))


def test_a_log_that_is_gone_is_said_and_the_new_one_is_read(mail: Mail, follower: Follower) -> None:
    [queue_id] = fresh()
    mail.recorded(queue_id)
    follower.write("old")
    follower.start()
    assert follower.end() == 0
    follower.log.unlink()
    # Longer than what was read: only what it begins with tells it from the former one.
    follower.write("new " * 2000, line(queue_id))
    follower.start()
    follower.until(lambda: marked(mail, [queue_id]))
    assert len(follower.events("log-gap")) == 1


def test_killed_again_and_again_it_marks_all_and_none_twice(mail: Mail, follower: Follower) -> None:
    ids = fresh(60)
    mail.recorded(*ids)
    follower.write("old")
    follower.start()
    for start in range(0, 60, 15):
        follower.write(*(line(queue_id) for queue_id in ids[start : start + 15]))
        follower.until(lambda start=start: mail.known(ids[start])[0] == "sent")
        follower.end(signal.SIGKILL)
        follower.start()
    follower.until(lambda: marked(mail, ids))
    follower.end(signal.SIGKILL)
    before = mail.changes()
    # As if nothing had been noted since: all lines are read again.
    follower.state.write_text(
        json.dumps({"log": str(follower.log), "file": "", "offset": 0, "head": ""})
    )
    follower.start()
    [last] = fresh()
    mail.recorded(last)
    follower.write(line(last))
    follower.until(lambda: marked(mail, [last]))
    assert [row for row in mail.changes() if row in before] == before
    told = [event["queue_id"] for event in follower.events("delivery")]
    assert len(told) == len(set(told))


def test_a_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """It is said once that it is away, and once that it is back; nothing is lost."""
    with Postgres(fsync=False) as server:
        uri = server.create_database("away")
        migrate(uri)
        mail = Mail(uri, "shop", "ct.example.com")
        ids = fresh(4)
        mail.recorded(*ids)
        follower = Follower(tmp_path, uri)
        try:
            follower.write("old")
            server.stop()
            follower.start(ready=False)
            follower.until(lambda: follower.events("database-unreachable"))
            follower.write(line(ids[0]))
            server.start()
            follower.until(lambda: marked(mail, ids[:1]))
            server.stop("immediate")
            follower.write(line(ids[1]))
            follower.until(lambda: len(follower.events("database-unreachable")) == 2)
            follower.log.rename(f"{follower.log}.1")
            follower.write(line(ids[2]))
            server.start()
            follower.until(lambda: marked(mail, ids[:3]))
            server.restart("immediate")
            follower.write(line(ids[3]))
            follower.until(lambda: marked(mail, ids))
            assert follower.end() == 0
            back = follower.events("database-back")
            assert len(back) == len(follower.events("database-unreachable"))
            # The first time it was not there yet, and what the driver said about that is logged.
            assert len(follower.events("library")) == 1
            server.stop()
            follower.start(ready=False)
            follower.until(lambda: len(follower.events("database-unreachable")) > len(back))
            assert follower.end() == 0
        finally:
            follower.close()


def test_only_one_recent_delivery_is_meant(mail: Mail) -> None:
    """Not one of several with the same queue id, and not one that was done with a week ago."""
    one, twice, old, reused = fresh(4)
    mail.recorded(one, twice, twice, old, reused)
    mail.sql(
        "UPDATE tracker.deliveries SET changed_at = now() - interval '8 days'"
        " WHERE queue_id IN (%s, %s)", name_queue_id(old), name_queue_id(reused)
    )  # fmt: skip
    mail.recorded(reused)
    database = Deliveries(mail.uri)
    database.open()
    try:
        found = database.look_up([one, twice, old, reused, reused, "NONE"])
        assert sorted(found) == sorted([one, reused])
        database.tell(
            [LogLine(each, "postfix/smtp", "sent", "2.0.0", "") for each in (one, reused)]
        )
    finally:
        database.close()
    query = "SELECT state FROM tracker.deliveries WHERE queue_id = %s ORDER BY 1"
    states = mail.sql(query, name_queue_id(reused))
    assert states == [("accepted",), ("sent",)]


def test_the_same_queue_id_of_another_host_is_another_mail(mail: Mail) -> None:
    """Queue ids are each Postfix's own; several hosts may share one database."""
    one, both = fresh(2)
    mail.recorded(one, both)
    mail.sql("UPDATE tracker.deliveries SET queue_id = 'mx2/' || split_part(queue_id, '/', 2)")
    mail.recorded(both)
    database = Deliveries(mail.uri)
    database.open()
    try:
        assert list(database.look_up([one, both])) == [both]
    finally:
        database.close()


def test_a_bounce_without_a_report_is_marked(mail: Mail) -> None:
    """With the null sender none comes; with any other the report does the marking."""
    null, other, late = fresh(3)
    mail.recorded(null, late, null=True)
    mail.recorded(other)
    told = [
        LogLine(null, "postfix/smtp", "bounced", "5.1.1", f"<{BUYER}> unknown"),
        LogLine(other, "postfix/smtp", "bounced", "5.1.1", "unknown"),
        LogLine(late, "postfix/smtp", "sent", "2.0.0", "ok"),
        LogLine(late, "postfix/smtp", "delayed", "4.0.0", "later"),
    ]
    database = Deliveries(mail.uri)
    database.open()
    try:
        database.tell(told)
    finally:
        database.close()
    assert mail.known(null)[0] == "bounced"
    assert BUYER not in mail.known(null)[2]
    assert mail.known(other) == ("accepted", "", "")
    assert mail.known(late) == ("sent", "2.0.0", "ok")


def test_a_line_that_the_database_refuses_holds_up_none_behind_it(mail: Mail) -> None:
    """Zeros stand in a log after a crash; PostgreSQL takes none in a text."""
    spoilt, null = fresh(2)
    mail.recorded(null, null=True)
    told = [LogLine(each, "postfix/smtp", "sent", "2.0.0", "ok") for each in (spoilt, null)]
    database = Deliveries(mail.uri)
    database.open()
    try:
        database.tell(told, {spoilt: Bounce("0" * 32, "ct\0.example.com")})
    finally:
        database.close()
    assert mail.known(null)[0] == "sent"


JOURNALCTL = """\
#!{python}
import json, os, pathlib, sys, time
parent = os.getppid()
entries = pathlib.Path({entries!r})
after = [word.partition("=")[2] for word in sys.argv if word.startswith("--after-cursor=")]
assert "--output=json" in sys.argv and "SYSLOG_FACILITY=2" in sys.argv, sys.argv
if (entries.parent / "shut").exists() and "--follow" in sys.argv:
    print("Failed to get boot id: No such file or directory", file=sys.stderr)
    sys.exit(1)
known = entries.read_text().splitlines()
if "--lines=1" in sys.argv:
    print("\\n".join(known[-1:]))
    sys.exit()
assert "--follow" in sys.argv and "--no-tail" in sys.argv, sys.argv
done = 1 + max([n for n, line in enumerate(known) if json.loads(line)["__CURSOR"] in after] or [-1])
while os.getppid() == parent:
    known = entries.read_text().splitlines()
    for line in known[done:]:
        print(line, flush=True)
        if "DIE" in line:
            sys.exit(1)
    done = max(done, len(known))
    time.sleep(0.05)
"""


def journalctl(home: Path) -> tuple[str, Path]:
    """Make a journalctl; return the directory it lies in, and the file it reads entries from."""
    folder, entries = home / "bin", home / "entries"
    folder.mkdir()
    program = folder / "journalctl"
    program.write_text(JOURNALCTL.format(python=sys.executable, entries=str(entries)))
    program.chmod(0o755)
    return str(folder), entries


def test_the_journal_is_followed_by_its_cursor(mail: Mail, follower: Follower) -> None:
    """Through the end of journalctl and of the follower; octets and oddities are no trouble."""
    folder, entries = journalctl(follower.home)
    ids = fresh(5)
    mail.recorded(*ids)
    cursors = itertools.count(1)

    def entry(queue_id: str, *, octets: bool = False, tail: str = "") -> None:
        identifier, _, message = line(queue_id).partition("host ")[2].partition("[123]: ")
        told: object = list((message + tail).encode()) if octets else message + tail
        fields = {"__CURSOR": f"c{next(cursors)}", "MESSAGE": told, "SYSLOG_IDENTIFIER": identifier}
        with entries.open("a") as file:
            file.write(json.dumps(fields) + "\n")

    entry(ids[0])
    follower.start("--journal", path=folder)
    entry(ids[1])
    follower.until(lambda: marked(mail, ids[1:2]))
    assert mail.known(ids[0]) == ("accepted", "", "")
    with entries.open("a") as file:
        file.write('{"__CURSOR": "odd", "MESSAGE": null}\n')
    entry(ids[2], octets=True)
    follower.until(lambda: marked(mail, ids[1:3]))
    entry("0000000000", tail="DIE")
    entry(ids[3])
    follower.until(lambda: marked(mail, ids[1:4]))
    assert len(follower.events("log-unreadable")) == 1
    assert follower.end() == 0
    entry(ids[4])
    follower.start("--journal", path=folder)
    follower.until(lambda: marked(mail, ids[1:]))


def test_check_is_wrong_while_the_log_cannot_be_read(mail: Mail, follower: Follower) -> None:
    """Also once all is quiet; what journalctl says is logged, and that it is over, too."""
    folder, entries = journalctl(follower.home)
    entries.touch()
    shut = follower.home / "shut"
    shut.touch()
    [queue_id] = fresh()
    mail.recorded(queue_id)

    def found() -> str:
        return "".join(map(str, check_follow.check(follower.state, time.time())))

    follower.start("--journal", path=folder)
    why = "journalctl ended with code 1: Failed to get boot id: No such file or directory"
    follower.until(lambda: follower.events("log-unreadable"))
    assert follower.events("log-unreadable")[0]["reason"] == why
    follower.until(lambda: found().startswith("WRONG"))
    assert f"the log follower cannot read journal ({why}): " in found()
    assert follower.end() == 0
    assert found().startswith("note    the log follower was stopped")
    follower.start("--journal", path=folder)
    follower.until(lambda: found().startswith("WRONG"))
    shut.unlink()
    follower.until(lambda: found() == "ok      the log follower reads journal")
    assert len(follower.events("log-unreadable")) == 2
    fields = {"__CURSOR": "c1", "MESSAGE": line(queue_id).partition("[123]: ")[2]}
    entries.write_text(json.dumps(fields | {"SYSLOG_IDENTIFIER": "postfix/smtp"}) + "\n")
    follower.until(lambda: marked(mail, [queue_id]))


def test_check_is_wrong_where_the_log_must_not_be_read(follower: Follower) -> None:
    """The follower ends at once, and has said why."""
    follower.log.mkdir()
    follower.start(ready=False)
    assert follower.end(0) == 2
    [fact] = check_follow.check(follower.state, time.time())
    assert str(fact).startswith(f"WRONG   the log follower cannot read {follower.log} (not a regu")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--log", "/tmp"], "cannot read /tmp: not a regular file"),
        (["--log", "x", "--state", "/nonexistent/follow"], "cannot write /nonexistent/follow: "),
        (["--log", "x", "--journal"], "not allowed with argument --log"),
    ],
)
def test_what_can_never_work_is_one_line_and_exit_code_2(
    follower: Follower, options: list[str], said: str
) -> None:
    done = subprocess.run(follower.command(*options), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    complaints = [each for each in done.stderr.splitlines() if not each.startswith("{")]
    assert len(complaints) == 1


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"log": "?"}', '{"offset": -1}', "\0"])
def test_a_broken_state_file_is_as_good_as_none(mail: Mail, follower: Follower, text: str) -> None:
    [queue_id] = fresh()
    mail.recorded(queue_id)
    follower.write("old")
    follower.state.write_text(text)
    follower.start()
    follower.write(line(queue_id))
    follower.until(lambda: marked(mail, [queue_id]))


def test_the_state_lies_where_systemd_says() -> None:
    made = {"STATE_DIRECTORY": "/var/lib/private/x:/var/lib/y"}
    assert follow_state.find_place(made) == Path("/var/lib/private/x/follow")
    assert follow_state.find_place({}) == Path("/var/lib/conversation-tracker/follow")


@pytest.mark.parametrize(
    ("maillog_file", "there", "expected"),
    [
        ("/var/log/postfix.log", True, Path("/var/log/postfix.log")),
        ("/dev/stdout", False, None),
        ("", False, None),
        ("", True, "mail.log"),
    ],
)
def test_the_log_is_the_one_that_postfix_writes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    maillog_file: str,
    there: bool,
    expected: Path | str | None,
) -> None:
    (tmp_path / "main.cf").write_text(f"compatibility_level = 3.6\nmaillog_file = {maillog_file}\n")
    (tmp_path / "master.cf").write_text("")
    mail_log = tmp_path / "mail.log"
    monkeypatch.setattr(follow, "MAIL_LOG", mail_log)
    if there:
        mail_log.touch()
    found = follow.default_source({"MAIL_CONFIG": str(tmp_path), "PATH": os.environ["PATH"]})
    assert found == (mail_log if expected == "mail.log" else expected)
