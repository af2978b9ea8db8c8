"""`check` finds a whole installation right, and in each part of it what is wrong."""

import io
import json
import os
import pwd
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import aging
import psycopg
import pytest
from publisher import publish
from records import make_record

from conversation_tracker.checks import database as check_database
from conversation_tracker.checks import run as check
from conversation_tracker.checks import systemd as check_systemd
from conversation_tracker.checks.database import AUDITOR, ROLES
from conversation_tracker.checks.dns import names
from conversation_tracker.config.config import Config, load
from conversation_tracker.database.checks import identity
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.health import DatabaseState, StoreRow
from conversation_tracker.database.migrate import migrate
from conversation_tracker.database.repository import Database
from conversation_tracker.publish.texts import Texts
from conversation_tracker.telemetry import follow_state
from conversation_tracker.telemetry.follow_state import StateFile
from private.nameserver import NameServer
from private.ports import free_port

DOMAIN = "ct.example.com"
CONFIGURE = Path(__file__).parents[3] / "postfix" / "configure"
SHIPPED = next(  # of Debian 12 and 13
    filter(
        Path.exists,
        map(Path, ("/usr/share/postfix/master.cf.dist", "/etc/postfix/master.cf.proto")),
    ),
    Path(),
)
OWNER = "postfix" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
LINE = re.compile(r"(ok     |WRONG  |note   ) \S.*")
ANSWER = struct.pack("!IcIII", 13, b"O", 6, 0x3F, 0x7F)
MAIN_CF = """\
compatibility_level = 3.6
myhostname = mail.example.com
mydestination = $myhostname, localhost
queue_directory = {queue}
mail_owner = {owner}
"""


class Installation:
    """A database with one store, a Postfix configured for it, and the tracker's configuration."""

    def __init__(self, uri: str, home: Path) -> None:
        """Take a database and a directory that has a Postfix; add the store."""
        self.uri, self.home, self.postfix = uri, home, home / "postfix"
        self.socket = home / "spool" / "conversation-tracker" / "milter.sock"
        self.sql(
            "INSERT INTO tracker.stores (name, alias_domain, sender_domains)"
            f" VALUES ('shop', '{DOMAIN}', '{{shop.example}}')"
        )

    def set(self, *settings: str) -> None:
        """Change Postfix's settings, `name=value`, or a service's, `name/type/parameter=value`."""
        for setting in settings:
            mode = "-P" if "/" in setting.partition("=")[0] else "-e"
            subprocess.run(["postconf", "-c", self.postfix, mode, setting], check=True)
        aged(self.postfix)

    def sql(self, statement: str) -> list[tuple[str, ...]]:
        """Run one statement; return its rows."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def config(self, database: str = "") -> Config:
        """Return the tracker's configuration."""
        path = self.home / "tracker.conf"
        path.write_text(
            f"[tracker]\ndatabase = {database or self.uri}\nsocket = unix:{self.socket}\n"
        )
        return load(path, {})

    def check(
        self, config: Config | None = None, environ: Mapping[str, str] | None = None
    ) -> tuple[int, list[str]]:
        """Run check; return its exit code and its lines, each of which has its form."""
        out = io.StringIO()
        environment = {
            "PATH": os.environ["PATH"],
            "MAIL_CONFIG": str(self.postfix),
            "STATE_DIRECTORY": str(self.home / "state"),
        }
        given = environment if environ is None else environ
        code = check.run(config or self.config(), out, given)
        lines = out.getvalue().splitlines()
        assert all(LINE.fullmatch(line) for line in lines)
        return code, lines


def wrongs(lines: list[str]) -> list[str]:
    """Return the lines that say what is wrong."""
    return [line for line in lines if line.startswith("WRONG")]


def aged(directory: Path) -> None:
    """Make files look old: Postfix's programs wait a second for one that was just written."""
    for path in directory.iterdir():
        os.utime(path, (path.stat().st_mtime - 60,) * 2)


@pytest.fixture(scope="module")
def homes() -> Iterator[Path]:
    """A directory that Postfix's user may enter, with Postfix as shipped and as configured."""
    home = Path(tempfile.mkdtemp())
    home.chmod(0o755)
    try:
        spool = home / "spool" / "conversation-tracker"
        spool.mkdir(parents=True)
        shipped, configured = home / "shipped", home / "postfix"
        shipped.mkdir()
        main = MAIN_CF.format(queue=home / "spool", owner=OWNER)
        (shipped / "main.cf").write_text(main)
        (shipped / "master.cf").write_bytes(SHIPPED.read_bytes())
        aged(shipped)
        shutil.copytree(shipped, configured)
        subprocess.run(
            [CONFIGURE, "--config-dir", configured, "--socket", f"unix:{spool}/milter.sock",
             "--alias-domain", DOMAIN], check=True, capture_output=True,
        )  # fmt: skip
        aged(configured)
        configured.rename(home / "configured")
        yield home
    finally:
        shutil.rmtree(home)


def installed(uri: str, home: Path, postfix: str, patch: pytest.MonkeyPatch) -> Installation:
    """Install on a host without systemd."""
    patch.setattr(check_systemd, "_BOOTED", home / "no-systemd")
    shutil.rmtree(home / "postfix", ignore_errors=True)
    shutil.copytree(home / postfix, home / "postfix")
    return Installation(uri, home)


@pytest.fixture
def bare(database: str, homes: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A database and a Postfix that know nothing of each other; nobody is on the socket."""
    return installed(database, homes, "shipped", monkeypatch)


@pytest.fixture
def running(database: str, homes: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """A whole installation, with something on the socket that negotiates as a milter."""
    installation = installed(database, homes, "configured", monkeypatch)
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(installation.socket))
        installation.socket.chmod(0o660)
        if os.geteuid() == 0:
            shutil.chown(installation.socket, group=OWNER)
        server.listen()
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        yield installation
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    installation.socket.unlink()


def serve(server: socket.socket) -> None:
    """Answer every negotiation until the server is shut down."""
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.recv(17, socket.MSG_WAITALL)
            connection.sendall(ANSWER)
            connection.recv(5, socket.MSG_WAITALL)


def test_a_whole_installation_has_nothing_wrong(running: Installation) -> None:
    """What postfix/configure sets is what check looks for; only the signer is still to come."""
    migrate(running.uri)
    code, lines = running.check()
    assert wrongs(lines) == []
    assert code == 0
    assert [line for line in lines if line.startswith("note")] == [
        "note    no milter is behind the tracker: what it rewrites leaves unsigned",
        "note    the log follower has not run here: no delivery becomes more than accepted",
    ]
    assert lines[0] == f"ok      the configuration {running.home}/tracker.conf is read"


def test_a_feed_that_is_behind_is_wrong_until_somebody_publishes(running: Installation) -> None:
    """Also where no publisher was ever started."""
    migrate(running.uri)
    with psycopg.connect(running.uri, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain) VALUES ('s', 'ct.example.com')"
        )
        connection.execute("SELECT tracker.mask('s', '1', 'john@doe.example')")
        assert running.check()[0] == 0
        connection.execute("UPDATE tracker.event_queue SET at = at - interval '3 hours'")
    code, lines = running.check()
    assert code == 1
    [line] = wrongs(lines)
    assert line.startswith("WRONG   the publisher is behind: an event of 3 hours ago is not in the")
    assert "systemctl enable --now conversation-tracker-publish" in line
    publish(running.uri)
    code, lines = running.check()
    assert code == 0
    assert "ok      the feed has what happened until a minute ago" in lines


def test_mail_that_nobody_reads_is_wrong_until_somebody_does(running: Installation) -> None:
    migrate(running.uri)
    connection = Connection.connect(running.uri)
    with closing(connection), closing(Database(running.uri, size=1)) as database:
        database.open()
        buyer, carrier = (
            connection.execute("SELECT tracker.mask('shop', '1', %s, %s)", who).fetchall()[0][0]
            for who in (("john@doe.example", "buyer"), ("desk@carrier.example", "partner"))
        )
        [(order,)] = connection.execute("SELECT id FROM tracker.orders").fetchall()
        sender, recipient = buyer.partition("@")[0], carrier.partition("@")[0]
        database.record([make_record(order, sender, (recipient,), direction="inbound")])
        aging.move(running.uri, "at - interval '3 hours'")
        publish(running.uri)
        assert running.check()[0] == 0  # it came before there were texts
        connection.execute("UPDATE tracker.migrations SET applied_at = applied_at - interval '1 d'")
        code, lines = running.check()
        assert code == 1
        [line] = wrongs(lines)
        assert line.startswith(
            "WRONG   the publisher is behind: a message of 3 hours ago has not been read"
        )
        assert "systemctl enable --now conversation-tracker-publish" in line
        with closing(Texts()) as step:
            while step.take_out(connection):
                pass
    code, lines = running.check()
    assert code == 0
    assert "ok      what came until a minute ago has been read" in lines


def test_a_feed_without_months_to_come_is_wrong(running: Installation) -> None:
    migrate(running.uri)
    with psycopg.connect(running.uri, autocommit=True) as connection:
        for (name,) in connection.execute(
            "SELECT c.oid::regclass::text FROM pg_class AS c"
            " WHERE c.relnamespace = 'tracker'::regnamespace AND c.relkind = 'r'"
            " AND c.relname ~ '^feed_[0-9]'"
            " ORDER BY 1 OFFSET 2"
        ).fetchall():
            connection.execute(f"DROP TABLE {name}".encode())
    code, lines = running.check()
    assert code == 1
    [line] = wrongs(lines)
    assert line.startswith("WRONG   the feed has tables of its own for 1 months to come, the timer")


def test_a_follower_that_cannot_read_its_log_is_wrong(
    running: Installation, tmp_path: Path
) -> None:
    migrate(running.uri)
    file = StateFile(tmp_path / "follow")
    environment = {
        "PATH": os.environ["PATH"],
        "MAIL_CONFIG": str(running.postfix),
        "STATE_DIRECTORY": str(tmp_path),
    }
    for state, code in (
        (follow_state.FollowState("journal"), 0),
        (follow_state.FollowState("x", {}, "no"), 1),
    ):
        file.save(state)
        found, lines = running.check(environ=environment)
        assert (found, len(wrongs(lines))) == (code, code)


def test_a_postmaster_in_an_alias_domain_is_wrong(running: Installation) -> None:
    migrate(running.uri)
    config = running.config()
    code, lines = running.check(replace(config, postmaster=f"admin@x.{DOMAIN}"))
    assert (code, len(wrongs(lines))) == (1, 1)
    assert "postmaster names an address in an alias domain" in wrongs(lines)[0]
    for postmaster in ("", "admin@host.example"):
        code, lines = running.check(replace(config, postmaster=postmaster))
        assert code == 0
        assert any("mail to postmaster and abuse of alias domains goes to" in x for x in lines)


def test_a_server_whose_log_quotes_rows_is_worth_knowing(running: Installation) -> None:
    """`migrate` turns that off where it may; for this database it was never asked."""
    _, lines = running.check()
    assert any(line.startswith("note") and "log_error_verbosity TO terse" in line for line in lines)


def test_condemned_messages_are_worth_knowing(running: Installation) -> None:
    running.sql(
        "INSERT INTO tracker.suspects (digest, condemned, host, at) VALUES"
        " (decode(repeat('00', 32), 'hex'), true, 'a', now()),"
        " (decode(repeat('01', 32), 'hex'), false, 'a', now()),"
        " (decode(repeat('02', 32), 'hex'), true, 'a', now() - interval '2 days')"
    )
    _, lines = running.check()
    [line] = [line for line in lines if "condemned" in line]
    assert line.startswith("note    1 messages of the last day ended a process")


def test_a_postfix_that_was_never_configured_is_wrong_in_every_way(
    bare: Installation,
) -> None:
    code, lines = bare.check()
    assert code == 1
    text = "\n".join(wrongs(lines))
    for says in (
        "there is no socket",
        "smtpd_milters does not name",
        "master.cf has 0 listeners",
        "master.cf has no transport tracker-split",
        "relay_domains does not hold",
        "transport_maps has nothing",
        "header_checks leave the sending host",
    ):
        assert says in text


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("milter_default_action=accept", "a milter that dies would let mail out unmasked"),
        ("smtp/inet/smtpd_milters=", "smtpd_milters is its own, without the tracker"),
        ("transport_maps=hash:/nowhere/at/all", "Postfix cannot ask hash:/nowhere/at/all"),
        (f"mydestination={DOMAIN}", "mydestination holds the alias domain"),
        ("header_checks=static:{REPLACE Received: from client.example}", "leave the sending host"),
    ],
)
def test_one_setting_that_is_wrong_is_found(running: Installation, setting: str, says: str) -> None:
    running.set(setting)
    code, lines = running.check()
    assert code == 1
    assert any(says in line for line in wrongs(lines))


def test_without_a_database_the_rest_is_still_looked_at(running: Installation) -> None:
    """Exit code 75; the password is not shown."""
    uri = f"postgresql://tracker:verysecret@127.0.0.1:{free_port()}/nowhere"
    config = running.config(uri)
    config.path.chmod(0o600)
    code, lines = running.check(config)
    assert code == 75
    assert "cannot be reached" in wrongs(lines)[0]
    assert len(wrongs(lines)) == 1
    assert any("a milter answers" in line for line in lines)
    assert any("milter_default_action is " in line for line in lines)
    assert "verysecret" not in "".join(lines)


def test_without_postfix_the_rest_is_still_looked_at(
    running: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversation_tracker.postfix.settings._SYSTEM", "/nowhere")
    code, lines = running.check(environ={"PATH": "/nowhere"})
    assert code == 1
    assert any("no postconf" in line for line in wrongs(lines))
    assert any("a milter answers" in line for line in lines)


def test_a_broken_main_cf_is_told(running: Installation) -> None:
    (running.postfix / "main.cf").unlink()
    code, lines = running.check()
    assert code == 1
    assert any("Postfix cannot be looked at" in line for line in wrongs(lines))


def test_a_database_that_is_not_migrated_is_wrong(running: Installation) -> None:
    running.sql("DELETE FROM tracker.migrations")
    code, lines = running.check()
    assert code == 1
    assert any("not migrated" in line and "run migrate" in line for line in wrongs(lines))


def test_an_empty_database_is_not_migrated(running: Installation) -> None:
    running.sql("DROP SCHEMA tracker CASCADE")
    code, lines = running.check()
    assert code == 1
    assert any("not migrated" in line for line in wrongs(lines))


def test_a_newer_database_is_wrong(running: Installation) -> None:
    running.sql(
        "INSERT INTO tracker.migrations (name, digest, program) VALUES ('9999-later', '0', '0')"
    )
    code, lines = running.check()
    assert code == 2
    assert any("9999-later" in line and "install the newer" in line for line in wrongs(lines))


def test_a_role_that_may_nothing_is_wrong(running: Installation) -> None:
    with psycopg.connect(running.uri) as connection:
        name = connection.info.dbname
    running.sql(f"ALTER DATABASE {name} SET ROLE pg_monitor")
    code, lines = running.check()
    assert code == 1
    assert any("the database's role may not work" in line for line in wrongs(lines))


def test_the_name_system_is_asked_if_told_and_no_answer_is_temporary(
    running: Installation,
    monkeypatch: pytest.MonkeyPatch,
    change_timeouts: Callable[..., object],
) -> None:
    migrate(running.uri)
    out = io.StringIO()
    environ = {"PATH": os.environ["PATH"], "MAIL_CONFIG": str(running.postfix)}
    wanted = check.Wanted(dns=True, json=True)
    with NameServer() as server:
        monkeypatch.setattr(
            names, "NameSystem", partial(names.NameSystem, [server.address], server.port)
        )
        assert check.run(running.config(), out, environ, wanted) == 1
        found = [row for row in json.loads(out.getvalue()) if row["subject"] == "dns"]
        assert f"publish {DOMAIN}. IN MX 10 mail.example.com." in [row["advice"] for row in found]
        host = "mail.example.com."
        server.publish(f"{DOMAIN}. MX 1 {host}", f"*.{DOMAIN}. MX 1 {host}", f"{host} A 9.9.9.9")
        assert check.run(running.config(), io.StringIO(), environ, wanted) == 0
        server.stop()
        change_timeouts(check_dns_seconds=0.2)
        out = io.StringIO()
        assert check.run(running.config(), out, environ, wanted) == os.EX_TEMPFAIL
    assert "gives no answer now" in out.getvalue()


def test_no_store_yet_is_noted_with_the_statement_that_adds_one(running: Installation) -> None:
    running.sql("DELETE FROM tracker.stores")
    code, lines = running.check()
    assert code == 0
    assert any("INSERT INTO tracker.stores" in line for line in lines if line.startswith("note"))


def test_orders_that_nobody_empties_are_wrong(running: Installation) -> None:
    running.sql("SELECT tracker.mask('shop', '1', 'buyer@example.org')")
    running.sql("UPDATE tracker.orders SET expires_at = now() - interval '47 hours'")
    assert running.check()[0] == 0
    running.sql("UPDATE tracker.orders SET expires_at = now() - interval '49 hours'")
    code, lines = running.check()
    assert code == 1
    [line] = wrongs(lines)
    assert "1 orders expired more than 2 days ago" in line
    assert "buyer" not in "".join(lines)


def test_months_that_run_out_are_wrong(running: Installation) -> None:
    running.sql(
        "DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT relid"
        " FROM pg_partition_tree('tracker.texts') WHERE isleaf AND relid::text !~ 'default'"
        " UNION ALL SELECT relid"
        " FROM pg_partition_tree('tracker.deliveries') WHERE isleaf AND relid::text !~ 'default'"
        " UNION ALL SELECT relid FROM pg_partition_tree('tracker.texts')"
        " WHERE isleaf AND relid::text !~ 'default'"
        " UNION ALL SELECT relid FROM pg_partition_tree('tracker.messages')"
        " WHERE isleaf AND relid::text !~ 'default' LOOP EXECUTE 'DROP TABLE ' || t;"
        " END LOOP; END $$"
    )
    code, lines = running.check()
    assert code == 1
    [line] = wrongs(lines)
    assert "tables of their own for 0 months to come" in line
    assert any("lie in the default tables" in line for line in lines if line.startswith("note"))
    migrate(running.uri)
    assert wrongs(running.check()[1]) == []


MONTH = "to_char(now() AT TIME ZONE 'UTC' + '%s months', 'YYYY_MM')"


@pytest.mark.parametrize("lost", ["messages", "deliveries"])
@pytest.mark.parametrize("how", ["DROP TABLE tracker.%I CASCADE", "DETACH"])
def test_a_lost_table_of_a_month_is_wrong(running: Installation, lost: str, how: str) -> None:
    if how == "DETACH":
        how = f"ALTER TABLE tracker.{lost} DETACH PARTITION tracker.%I"
    month = MONTH % 1
    running.sql(f"DO $$ BEGIN EXECUTE format('{how}', '{lost}_' || {month}); END $$")
    code, lines = running.check()
    assert code == 1
    [name] = running.sql(f"SELECT '{lost}_' || {month}")[0]
    assert any(f"the table tracker.{name} is lost" in line for line in wrongs(lines))


def test_a_lost_default_table_is_wrong(running: Installation) -> None:
    running.sql("DROP TABLE tracker.deliveries_default")
    [line] = wrongs(running.check()[1])
    assert "tracker.deliveries_default is lost" in line


def test_a_lost_month_is_told(running: Installation) -> None:
    """Unless expiry may have dropped it."""
    running.sql(
        "SELECT tracker.make_month((now() AT TIME ZONE 'UTC' - '4 months'::interval)::date)"
    )
    running.sql(
        "SELECT tracker.make_month((now() AT TIME ZONE 'UTC' - '2 months'::interval)::date)"
    )
    [(gone, other)] = running.sql(
        "SELECT to_char(now() AT TIME ZONE 'UTC' - '3 months'::interval, 'YYYY-MM'),"
        " to_char(now() AT TIME ZONE 'UTC' - '1 month'::interval, 'YYYY-MM')"
    )
    notes = [line for line in running.check()[1] if line.startswith("note")]
    assert any(f"no tables for the messages of {gone}, {other}: " in line for line in notes)
    running.sql("UPDATE tracker.stores SET message_retention = '1 hour'")
    notes = [line for line in running.check()[1] if line.startswith("note")]
    assert not any(gone in line for line in notes)


STATE = DatabaseState(
    150004,
    standby=False,
    read_only=False,
    ahead=0.1,
    roles=frozenset({*ROLES, AUDITOR}),
    stores=(StoreRow("shop", DOMAIN, active=True, silent=False),),
    months=4,
)


@pytest.mark.parametrize(
    ("state", "verdict", "says"),
    [
        (replace(STATE, version=140017), "WRONG", "PostgreSQL 14.17, too old: move it to 15"),
        (replace(STATE, encoding="SQL_ASCII"), "WRONG", "ENCODING 'UTF8'"),
        (replace(STATE, standby=True, read_only=True), "WRONG", "standby"),
        (replace(STATE, read_only=True), "WRONG", "takes no writes"),
        (replace(STATE, ahead=6.0), "WRONG", "6 s ahead of"),
        (replace(STATE, ahead=-90.0), "WRONG", "90 s behind"),
        (
            replace(STATE, roles=frozenset({*ROLES[:2], AUDITOR})),
            "WRONG",
            "CREATE ROLE tracker_integrator",
        ),
        (replace(STATE, roles=frozenset(ROLES)), "note", f"CREATE ROLE {AUDITOR} NOLOGIN"),
        (replace(STATE, hosts=2, waits=True), "WRONG", "target_session_attrs=read-write"),
        (replace(STATE, hosts=2, picky=True), "note", "no commit waits for a standby"),
        (replace(STATE, standbys=1), "note", "no commit waits for a standby"),
        (replace(STATE, standbys=1, waits=True, synchronous="local"), "note", "no commit waits"),
        (replace(STATE, synchronous="off"), "WRONG", "synchronous_commit is off"),
        (replace(STATE, overdue=7), "WRONG", "7 orders expired"),
        (replace(STATE, months=1), "WRONG", "for 1 months to come"),
        (replace(STATE, month=False), "note", "lie in the default tables"),
        (replace(STATE, ungranted=("ann", "bob")), "note", "ann, bob may read, and no store"),
        (replace(STATE, dead_grants=("ann",)), "note", "grants of ann count for nobody"),
        (replace(STATE, stores=()), "note", "there is no store yet"),
        (replace(STATE, stores=(StoreRow("x", DOMAIN, False, False),)), "note", "x is not active"),
        (
            replace(STATE, stores=(StoreRow("x", DOMAIN, True, True),)),
            "note",
            "x has no sender_dom",
        ),
    ],
)
def test_each_fault_of_a_database_is_told(state: DatabaseState, verdict: str, says: str) -> None:
    found = [fact for fact in check_database.check(state) if fact.verdict != "ok"]
    assert [(fact.verdict, says in fact.text) for fact in found] == [(verdict, True)]


@pytest.mark.parametrize(
    "state",
    [
        STATE,
        replace(STATE, pooled=True),
        replace(STATE, hosts=2, picky=True, standbys=1, waits=True),
    ],
)
def test_a_good_database_has_nothing_wrong(state: DatabaseState) -> None:
    assert {fact.verdict for fact in check_database.check(state)} == {"ok"}


def test_root_asks_as_the_services_user_where_the_database_knows_no_root(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever connects by a local socket is known by their user (peer)."""
    whom = [0]
    monkeypatch.setattr(os, "geteuid", lambda: whom[-1])
    monkeypatch.setattr(os, "seteuid", whom.append)
    monkeypatch.setattr(identity, "_find_user", lambda: 123)

    def ask() -> int:
        if whom[-1] == 0:
            raise psycopg.OperationalError('role "root" does not exist')
        return whom[-1]

    assert identity.ask_as_service(ask) == 123
    assert whom == [0, 123, 0]
    monkeypatch.setattr(identity, "_find_user", lambda: None)
    with pytest.raises(psycopg.OperationalError):
        identity.ask_as_service(ask)
    whom.append(77)
    monkeypatch.setattr(identity, "_find_user", lambda: 123)
    assert identity.ask_as_service(ask) == 77
