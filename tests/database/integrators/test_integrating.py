"""The programs of docs/integrating.md run as they stand there, against a server set up as it says.

Of what the page names, only the host is another, and the network that pg_hba.conf lets in.
"""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from certificates import certify
from records import make_record

from conversation_tracker.database.connection import Connection
from conversation_tracker.database.migrate import migrate
from conversation_tracker.database.repository import Database
from conversation_tracker.publish.texts import Texts
from conversation_tracker.publish.webhooks.signing import sign
from private.pgbouncer import PgBouncer
from private.postgres import Postgres

from ...pages.blocks import ROOT, blocks

PAGE = list(blocks(ROOT / "docs/integrating.md"))
FILES = {each.about: each.text for each in PAGE if each.kind == "file"}
OWN = "tests/database/integrators/test_integrating.py"
NAME = "conversation_tracker"
ADDRESS = "john.roe@customer.example"
PROGRAMS = {".php": "php", ".js": "node", ".py": sys.executable, ".sh": "sh"}
# Debian's node finds the modules of Debian's packages by itself; another one is told where.
MODULES = os.pathsep.join(["/usr/share/nodejs", str(ROOT / ".tox/node/usr/share/nodejs")])
MASK = [name for name in FILES if name.startswith("mask.")]
RETRYING = [name for name in MASK if name != "mask.sh"]
FOLLOW = [name for name in FILES if name.startswith("follow.")]
VERIFY = [name for name in FILES if name.startswith("verify.")]
HBA = "local all postgres trust\nhost all postgres 127.0.0.1/32 trust\n"


class Site:
    """The tracker's database, as the page sets it up, and a shop's host."""

    def __init__(self, server: Postgres, home: Path) -> None:
        self.server, self.home = server, home
        authority = certify(server, home)
        allowed = FILES["pg_hba.conf"].replace("192.0.2.0/24", "127.0.0.1/32")
        assert allowed.count("127.0.0.1") == 1
        (server.directory / "data/pg_hba.conf").write_text(HBA + allowed)
        server.start()
        self.uri = server.create_database(NAME)
        migrate(self.uri)
        self.sql("INSERT INTO tracker.stores (name, alias_domain) VALUES ('mystore', 'ct.example')")
        for block in PAGE:
            if block.kind == "sql" and block.about == OWN:
                for statement, _role, _error in block.statements():
                    self.sql(statement)
        password = home / "pgpass"
        password.write_text("*:*:*:shop:...\n")
        password.chmod(0o600)
        self.environment = dict(line.split("=") for line in FILES["environment"].splitlines())
        assert self.environment["PGSSLMODE"] == "verify-full"
        assert (self.environment["PGDATABASE"], self.environment["PGUSER"]) == (NAME, "shop")
        self.environment |= {
            "PGHOST": "localhost",
            "PGPORT": str(server.port),
            "PGPASSFILE": str(password),
            "PGSSLROOTCERT": str(authority),
        }
        for name, text in FILES.items():
            (home / name).write_text(text)

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Run a statement as the owner."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def run(
        self, name: str, *arguments: str, stdin: bytes = b"", **environment: str
    ) -> tuple[int, str, str]:
        """Run a program of the page; return exit code, output and complaints."""
        done = subprocess.run(
            [PROGRAMS[Path(name).suffix], name, *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            cwd=self.home,
            timeout=120,
            env={"PATH": os.environ["PATH"], "NODE_PATH": MODULES, "TZ": "UTC"}
            # Node 18 tries one address of a host; the server here has none of IPv6.
            | {"NODE_OPTIONS": "--dns-result-order=ipv4first"}
            | self.environment
            | environment,
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Set all up as the page says."""
    with closing(Postgres(fsync=False, settings={"ssl": "on"})) as server:
        yield Site(server, tmp_path_factory.mktemp("integrating"))


@pytest.fixture(scope="module")
def bouncer(site: Site) -> Iterator[PgBouncer]:
    """Return a pooler before the server, with its certificate."""
    data = site.server.directory / "data"
    settings = {
        "client_tls_sslmode": "require",
        "client_tls_key_file": str(data / "server.key"),
        "client_tls_cert_file": str(data / "server.crt"),
        "default_pool_size": "1",
    }
    with PgBouncer(site.server.port, settings=settings) as found:
        yield found


def test_every_program_of_the_page_is_run_here() -> None:
    programs = {name for name in FILES if Path(name).suffix in PROGRAMS}
    known = {*MASK, *VERIFY, *FOLLOW, "mask_many.js", "waiting.py"} | {
        "conversation.php",
        "attachments.py",
    }
    assert programs == known
    assert len(MASK) == 4
    assert len(VERIFY) == len(FOLLOW) == 3


def test_the_servers_time_outs_are_those_of_the_page(site: Site) -> None:
    query = "SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_roles AS r ON r.oid = setrole"
    settings = dict(str(row[0]).split("=") for row in site.sql(f"{query} WHERE rolname = 'shop'"))
    assert settings == {
        "statement_timeout": "10s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "30s",
    }


# Masking ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MASK)
def test_an_order_is_masked_and_again_with_the_same_alias(site: Site, name: str) -> None:
    first, again = site.run(name, name, ADDRESS), site.run(name, name, ADDRESS.upper())
    assert first == again
    assert first[0] == 0
    assert first[1].endswith("@ct.example\n")
    query = "SELECT tracker.mask('mystore', %s, %s)"
    assert site.sql(query, name, ADDRESS) == [(first[1].strip(),)]


@pytest.mark.parametrize("name", RETRYING)
def test_a_role_may_be_given(site: Site, name: str) -> None:
    assert site.run(name, f"role {name}", "desk@carrier.example", "partner")[0] == 0
    query = (
        "SELECT p.role FROM tracker.participants AS p JOIN tracker.orders AS o ON o.id = p.order_id"
        " WHERE o.number = %s"
    )
    assert site.sql(query, f"role {name}") == [("partner",)]


@pytest.mark.parametrize("name", MASK)
@pytest.mark.parametrize(
    ("order", "address", "state"),
    [("1", "john.roe", "22023"), ("", ADDRESS, "22023"), ("'; --", "'$(id)\"\\", "22023")],
)
def test_what_is_refused_is_told_by_its_sqlstate(
    site: Site, name: str, order: str, address: str, state: str
) -> None:
    code, out, complaint = site.run(name, order, address)
    assert code != 0
    assert out == ""
    assert state in complaint
    assert address not in complaint


@pytest.mark.parametrize("name", MASK)
def test_a_missing_grant_is_told(site: Site, name: str) -> None:
    site.sql("SELECT tracker.revoke_store('shop', 'mystore')")
    try:
        code, out, complaint = site.run(name, "1", ADDRESS)
    finally:
        site.sql("SELECT tracker.grant_store('shop', 'mystore')")
    assert (code != 0, out) == (True, "")
    assert "42501" in complaint
    assert ADDRESS not in complaint


@pytest.mark.parametrize("name", MASK)
@pytest.mark.parametrize("flaw", ["away", "another's certificate", "no TLS"])
def test_a_server_that_is_away_or_not_the_one_is_told(site: Site, name: str, flaw: str) -> None:
    """Nothing hangs, and without a verified server no address goes anywhere."""
    changes = {
        "away": {"PGPORT": "1"},
        "another's certificate": {"PGHOST": "127.0.0.1"},
        "no TLS": {"PGSSLMODE": "disable"},
    }[flaw]
    if name == "mask.js" and flaw == "no TLS":
        changes = {"PGSSLROOTCERT": "/dev/null"}  # it asks for TLS itself
    begun = time.monotonic()
    code, out, complaint = site.run(name, f"{flaw} {name}", ADDRESS, **changes)
    assert (code != 0, out) == (True, "")
    assert complaint
    assert ADDRESS not in complaint
    assert time.monotonic() - begun < 60
    assert site.sql("SELECT FROM tracker.orders WHERE number = %s", f"{flaw} {name}") == []


@pytest.mark.parametrize("name", RETRYING)
def test_who_meets_a_lock_tries_again(site: Site, name: str) -> None:
    site.sql("ALTER ROLE shop SET lock_timeout = '300ms'")
    try:
        with psycopg.connect(site.uri) as other:
            query = "SELECT tracker.mask('mystore', %s, 'jane@customer.example')"
            other.execute(query, (f"lock {name}",))
            code, _out, complaint = site.run(name, f"lock {name}", ADDRESS)
            assert code == 1
            assert "55P03" in complaint
            other.commit()
    finally:
        site.sql("ALTER ROLE shop SET lock_timeout = '5s'")
    assert site.server.log_text().count("canceling statement due to lock timeout") >= 3
    assert site.run(name, f"lock {name}", ADDRESS)[0] == 0


@pytest.mark.parametrize("name", MASK)
def test_it_works_behind_a_pooler(site: Site, bouncer: PgBouncer, name: str) -> None:
    """Which has one connection to the server for all of them: nothing is left in it."""
    alias = site.run(name, f"pool {name}", ADDRESS)
    for _ in range(3):
        assert alias == site.run(name, f"pool {name}", ADDRESS, PGPORT=str(bouncer.port))
    assert alias[0] == 0


def test_no_address_got_into_the_servers_log(site: Site) -> None:
    """Programs pass it as a parameter; psql cannot, and says so on the page."""
    for name in RETRYING:
        site.run(name, "1", "hidden@customer..example")
    assert "22023" not in site.server.log_text()
    assert "hidden@" not in site.server.log_text()


def test_many_are_masked_at_once(site: Site) -> None:
    wanted = [
        {"order_number": f"many {number}", "address": f"b{number}@customer.example"}
        for number in range(1500)
    ]
    wanted.append({"order_number": "many 0", "address": "desk@carrier.example", "role": "partner"})
    code, out, complaint = site.run("mask_many.js", stdin=json.dumps(wanted).encode())
    assert (code, complaint) == (0, "")
    lines = out.splitlines()
    assert [line.rsplit(" ", 2)[0] for line in lines] == [each["order_number"] for each in wanted]
    assert [line.split(" ")[-2] for line in lines] == ["buyer"] * 1500 + ["partner"]
    wanted[1] = {"order_number": "many 0", "address": "b@customer"}
    code, out, complaint = site.run("mask_many.js", stdin=json.dumps(wanted).encode())
    assert (code, out) == (1, "")
    assert complaint == (
        "22023: object 2: not a valid mail address: its domain is a single label\n"
    )


MESSAGE = """From: x\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/plain; charset=utf-8\r
\r
H\u00e9llo\r
--b\r
Content-Type: text/csv\r
Content-Disposition: attachment; filename=a.csv\r
\r
1;2\r
--b--\r
""".encode()

# Reading ------------------------------------------------------------------------------------------


def test_the_conversation_and_who_waits_are_read(site: Site) -> None:
    for address, role in ((ADDRESS, "buyer"), ("info@shop.example", "store")):
        site.sql("SELECT tracker.mask('mystore', 'read', %s, %s)", address, role)
    [(order,)] = site.sql("SELECT id FROM tracker.orders WHERE number = 'read'")
    query = (
        "SELECT replace(token::text, '-', '') FROM tracker.participants"
        " WHERE order_id = %s ORDER BY role"
    )
    buyer, store = (str(row[0]) for row in site.sql(query, order))
    with closing(Database(site.uri)) as database:
        database.open()
        for digest, sender, to, direction, subject in (
            (1, store, buyer, "outbound", "Your order"),
            (2, buyer, store, "inbound", "Where is it? \u00fc"),
        ):
            record = make_record(
                int(str(order)),
                sender,
                [to],
                digest=bytes([digest]) * 32,
                direction=direction,
                subject=subject,
                raw=MESSAGE,
            )
            assert database.record([record])[0] == "done"
    with Connection.connect(site.uri) as connection, closing(Texts()) as step:
        while step.take_out(connection):
            pass
    code, out, complaint = site.run("conversation.php", "read")
    assert (code, complaint) == (0, "")
    lines = [line.partition(" ")[2] for line in out.splitlines() if "accepted" in line]
    assert lines == ["store: Your order (accepted)", "buyer: Where is it? \u00fc (accepted)"]
    assert out.count("H\u00e9llo") == 2
    assert "customer.example" not in out
    code, out, complaint = site.run("attachments.py", "read", "files", PYTHONIOENCODING="utf-8")
    assert (code, complaint) == (0, "")
    saved = [line.split("\t") for line in out.splitlines()]
    assert [(kind, name) for _path, kind, name in saved] == [("text/csv", "a.csv")] * 2
    for path, _kind, _name in saved:
        assert (site.home / "files" / path).read_bytes().strip() == b"1;2"
    code, out, complaint = site.run("waiting.py", PYTHONIOENCODING="utf-8")
    assert (code, complaint) == (0, "")
    [(number, _since, subject)] = (line.split("\t") for line in out.splitlines())
    assert (number, subject) == ("read", "Where is it? \u00fc")


@pytest.mark.parametrize("name", FOLLOW)
def test_the_feed_is_followed_from_where_one_was(site: Site, name: str) -> None:
    """Over several pages, each event once; of what comes afterwards, nothing but that."""
    publish = "SELECT published FROM tracker.publish_events(0, 10000)"
    number = f"feed {name}"
    site.sql(
        "SELECT count(*) FROM tracker.mask('mystore', (SELECT jsonb_agg(jsonb_build_object("
        "'order_number', %s || n, 'address', 'b@customer.example'))"
        " FROM generate_series(1, 600) AS n))",
        number,
    )
    site.sql(publish)
    query = "SELECT f.position FROM tracker.feed AS f WHERE f.position > %s ORDER BY f.position"
    expected = [str(row[0]) for row in site.sql(query, 0)]
    assert len(expected) > 1000
    code, out, complaint = site.run(name, f"cursor {name}")
    assert (code, complaint) == (0, "")
    lines = [line.split(" ") for line in out.splitlines()]
    assert [line[0] for line in lines] == expected
    assert site.run(name, f"cursor {name}") == (0, "", "")
    site.sql("SELECT tracker.close_order('mystore', %s)", f"{number}1")
    site.sql(publish)
    code, out, complaint = site.run(name, f"cursor {name}")
    assert (code, complaint) == (0, "")
    assert out.split(" ", 1)[1].rstrip() == f"closed {number}1"
    (site.home / f"cursor {name}").write_text("999999999")
    code, out, complaint = site.run(name, f"cursor {name}")
    assert (code != 0, out) == (True, "")
    assert "22023" in complaint or "there is no position 999999999 yet" in complaint


# Webhooks -----------------------------------------------------------------------------------------

SECRETS = [f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in (1, 2)]
BODY = '{"type":"recorded","data":{"store":"mystore \u00fc"}}'.encode()


def is_taken(
    site: Site,
    name: str,
    *,
    secrets: Sequence[str] = SECRETS[:1],
    age: int = 0,
    body: bytes = BODY,
    **changes: str,
) -> bool:
    """Run a program on what is signed as the publisher does; changes are made on the way."""
    now = int(time.time()) - age
    values = {"id": "msg_1", "timestamp": str(now), "signature": sign(secrets, "msg_1", now, BODY)}
    values |= changes
    code, out, complaint = site.run(name, *values.values(), stdin=body, WEBHOOK_SECRET=SECRETS[0])
    assert (out, complaint) == ("", "")
    assert code in (0, 1)
    return code == 0


@pytest.mark.parametrize("name", VERIFY)
def test_what_is_genuine_is_taken(site: Site, name: str) -> None:
    """While a secret is changed, too, wherever one's own signature stands."""
    assert is_taken(site, name)
    assert is_taken(site, name, secrets=SECRETS)
    assert is_taken(site, name, secrets=SECRETS[::-1])
    assert is_taken(site, name, age=250)
    assert is_taken(site, name, age=-250)


@pytest.mark.parametrize("name", VERIFY)
def test_what_is_not_is_refused(site: Site, name: str) -> None:
    assert not is_taken(site, name, body=BODY + b"\n")
    assert not is_taken(site, name, body=b"")
    assert not is_taken(site, name, secrets=SECRETS[1:])
    assert not is_taken(site, name, age=400)
    assert not is_taken(site, name, age=-400)
    assert not is_taken(site, name, id="msg_2")
    for timestamp in ("", "x", "-1", "1e9", str(int(time.time()) - 1)):
        assert not is_taken(site, name, timestamp=timestamp)
    for signature in ("", "v1,", "v1", "v2,x", "v1,AAAA v1,\u00fc", " ".join(["v1,x"] * 1000)):
        assert not is_taken(site, name, signature=signature)
