"""A PostgreSQL of somebody else's: no superuser, TLS that is verified, roles made by hand.

The statements are those of docs/hosts.md, run as a role such as providers give their customers.
"""

import select
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from certificates import certify

from private.postgres import Postgres
from private.tracker import Tracker
from world import BUYER, CARRIER, World, mail

from ...pages.blocks import ROOT, blocks

PASSWORDS = {"admin": "ask", "tracker": "...", "shop": "..."}
HBA = "local all postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"


class Managed:
    """A server that lets nobody in but by TLS and password; no customer is a superuser."""

    def __init__(self, server: Postgres, home: Path) -> None:
        self.server, self.home = server, home
        certify(server, home)
        (server.directory / "data/pg_hba.conf").write_text(HBA)
        server.start()
        with psycopg.connect(server.uri(), autocommit=True) as connection:
            connection.execute("CREATE ROLE admin LOGIN CREATEROLE CREATEDB PASSWORD 'ask'")
        for name, password in PASSWORDS.items():
            file = home / f"pass-{name}"
            file.write_text(f"*:*:*:{name}:{password}\n")
            file.chmod(0o600)

    def uri(self, user: str, database: str, *, host: str = "localhost") -> str:
        """Return a URI as an administrator writes it: verified, and without a password."""
        more = (
            f"sslmode=verify-full&sslrootcert={self.home}/ca.pem&passfile={self.home}/pass-{user}"
        )
        return f"postgresql://{user}@{host}:{self.server.port}/{database}?{more}"


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    settings = {"ssl": "on", "log_error_verbosity": "terse"}
    with closing(Postgres(fsync=False, settings=settings)) as server:
        yield Managed(server, tmp_path_factory.mktemp("managed"))


def statements() -> Iterator[str]:
    """Yield what docs/hosts.md has a provider's customer run."""
    for block in blocks(ROOT / "docs" / "hosts.md"):
        if block.kind == "sql" and block.about == "tests/database/server/test_managed.py":
            yield from (statement for statement, _, _ in block.statements())


def test_all_works_without_a_superuser(managed: Managed) -> None:
    with psycopg.connect(managed.uri("admin", "postgres"), autocommit=True) as connection:
        done = [connection.execute(each.encode()) for each in statements()]
        connection.execute("CREATE ROLE shop LOGIN PASSWORD '...' IN ROLE tracker_integrator")
    assert len(done) > 3
    uri = managed.uri("tracker", "conversation_tracker")
    with closing(Tracker(uri, options={"workers": "1"})) as tracker:
        assert tracker.run("migrate").returncode == 0
        assert tracker.run("migrate").stdout == "nothing to apply\n"
        found = tracker.run("check").stdout
        about = [line for line in found.splitlines() if "database" in line or "role" in line]
        assert [line for line in about if line.startswith("WRONG")] == []
        world = World(tracker, uri)
        world.sql(
            "INSERT INTO tracker.stores (name, alias_domain, sender_domains)"
            " VALUES ('shop', 'ct.example.com', '{shop.example}')"
        )
        tracker.start()
        order = world.order()
        with psycopg.connect(uri, autocommit=True) as listener:
            listener.execute("LISTEN tracker_messages")
            assert world.send(CARRIER, world.alias(BUYER, order, "buyer"), mail()).reply.ok
            assert select.select([listener.fileno()], [], [], 20.0)[0]
        assert world.messages(order) == 1
        assert tracker.run("expire").returncode == 0
        world.sql("SELECT tracker.grant_store('shop', 'shop')")
    with psycopg.connect(managed.uri("shop", "conversation_tracker")) as connection:
        assert connection.execute("SELECT tracker.mask('shop', '1', 'x@y.example')").fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT address FROM tracker.participants")


def test_a_server_whose_certificate_is_for_another_name_is_refused(managed: Managed) -> None:
    """Nor does anything go there in clear: no password, no address."""
    uri = managed.uri("tracker", "conversation_tracker", host="127.0.0.1")
    with closing(Tracker(uri)) as tracker:
        done = tracker.run("mask", "shop", "1", "john@customer.example")
    assert done.returncode == 75
    assert "certificate" in done.stderr
