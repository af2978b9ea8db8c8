"""The database moves to another server, and what was sent is what was delivered and recorded."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from conversation_tracker.database.migrate import migrate
from private import processes
from private.mailhost import MailHost
from private.pgbouncer import PgBouncer
from private.postgres import Postgres
from private.replica import Replica

from .senders import CARRIER, Load, delivered, letter, orders, parcels, recorded

ORDERS, MESSAGES = 6, 60


class Pair:
    """A primary with a standby that every commit waits for, and what leads to both."""

    def __init__(self, way: str, stack: ExitStack) -> None:
        self.primary = stack.enter_context(Postgres(fsync=False))
        name = "mail"
        uri = self.primary.create_database(name)
        migrate(uri)
        self.aliases = orders(uri, ORDERS)
        self.standby = stack.enter_context(Replica(self.primary))
        self.primary.set("synchronous_standby_names", self.standby.name)
        assert processes.until(self._waits, 10.0)
        ports = [self.primary.port, self.standby.port]
        self.pooler: PgBouncer | None = None
        if way == "one pooler":
            self.pooler = stack.enter_context(PgBouncer(self.primary.port))
            ports = [self.pooler.port]
        elif way == "two poolers":
            ports = [stack.enter_context(PgBouncer(port)).port for port in ports]
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.uri = f"postgresql://postgres@{hosts}/{name}?target_session_attrs=read-write"

    def _waits(self) -> bool:
        with psycopg.connect(self.primary.uri()) as connection:
            query = "SELECT FROM pg_stat_replication WHERE sync_state = 'sync'"
            return connection.execute(query).fetchone() is not None

    def fail_over(self) -> None:
        """Promote the standby, and tell the pooler if there is but one."""
        self.standby.promote()
        if self.pooler is not None:
            self.pooler.lead_to(self.standby.port)


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Pair, MailHost]]:
    """Two database servers, and a mail host led to them in the way that the parameter says."""
    with ExitStack() as stack:
        servers = Pair(request.param, stack)
        yield servers, stack.enter_context(MailHost(servers.uri))


@pytest.mark.parametrize("pair", ["two servers"], indirect=True)
def test_what_is_on_the_primary_alone_is_not_taken(pair: tuple[Pair, MailHost]) -> None:
    """While no standby confirms, mail waits; what was recorded stays the only record."""
    servers, host = pair
    load = Load(servers.aliases, host)
    load(0)
    servers.standby.stop()
    alias = servers.aliases[1]
    replies = host.send(CARRIER, alias, letter(1, alias))
    assert str(replies.final).startswith("451 4.3.0")
    assert delivered(host) == parcels([0])
    waiting = threading.Thread(target=load, args=(1,))
    waiting.start()
    servers.standby.start()
    waiting.join(60)
    host.postfix.wait_until_queue_empty()
    assert load.other == []
    expected = parcels([0, 1])
    assert delivered(host) == recorded(servers.primary.uri("mail")) == expected
    assert processes.until(lambda: recorded(servers.standby.uri("mail")) == expected, 10.0)


@pytest.mark.parametrize("pair", ["two servers", "two poolers", "one pooler"], indirect=True)
def test_a_failover_under_load_loses_and_doubles_nothing(pair: tuple[Pair, MailHost]) -> None:
    """The primary dies at once, a while later the standby is promoted: mail waits, then flows."""
    servers, host = pair
    before = recorded(servers.primary.uri("mail"))
    host.sink.clear()
    numbers = range(100, 100 + MESSAGES)
    load = Load(servers.aliases, host)
    with load.sending(numbers):
        assert processes.until(lambda: len(load.taken) >= MESSAGES // 3, 30.0)
        servers.primary.kill()
        assert processes.until(lambda: load.deferred, 30.0)
        servers.fail_over()
    host.postfix.wait_until_queue_empty()
    assert load.other == []
    assert sorted(load.taken) == sorted(parcels(numbers))
    assert delivered(host) == parcels(numbers)
    assert recorded(servers.standby.uri("mail")) == before + parcels(numbers)
    assert all(answer.startswith("451 4.3.0") for answer in load.deferred), set(load.deferred)
