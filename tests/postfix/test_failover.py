"""The database moves to another server, and what was sent is what was delivered and recorded."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import pytest

from conversation_tracker.migrate import migrate
from private import processes
from private.mailhost import MailHost
from private.pgbouncer import PgBouncer
from private.postgres import Postgres
from private.replica import Replica

CARRIER = "desk@carrier.example"
ORDERS, MESSAGES, SENDERS = 6, 60, 6
MAIL = (
    "From: <{}>\r\nTo: <{}>\r\nSubject: parcel {}\r\nMessage-ID: <{}@carrier.example>\r\n\r\nHi\r\n"
)


class Pair:
    """A primary with a standby that every commit waits for, and what leads to both."""

    def __init__(self, way: str, stack: ExitStack) -> None:
        self.primary = stack.enter_context(Postgres(fsync=False))
        name = "mail"
        uri = self.primary.create_database(name)
        migrate(uri)
        self.aliases = _orders(uri)
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

    def recorded(self, server: Postgres) -> Counter[str]:
        """Return how often each subject stands in the timeline on one of the servers."""
        with psycopg.connect(server.uri("mail")) as connection:
            return Counter(
                row[0] for row in connection.execute("SELECT subject FROM tracker.timeline")
            )


def _orders(uri: str) -> list[str]:
    with psycopg.connect(uri) as connection:
        connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain, hourly_limit)"
            " VALUES ('shop', 'ct.example.com', 1000)"
        )
        query = "SELECT tracker.mask('shop', n::text, 'buyer' || n || '@doe.example')"
        rows = connection.execute(f"{query} FROM generate_series(1, {ORDERS}) AS n".encode())
        return [row[0] for row in rows]


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Pair, MailHost]]:
    """Two database servers, and a mail host led to them in the way that the parameter says."""
    with ExitStack() as stack:
        servers = Pair(request.param, stack)
        yield servers, stack.enter_context(MailHost(servers.uri))


class Load:
    """Clients that send until everything was taken, and count the answers."""

    def __init__(self, host: MailHost, aliases: list[str]) -> None:
        self._host, self._aliases = host, aliases
        self.taken: list[str] = []
        self.deferred: list[str] = []
        self.other: list[str] = []

    def __call__(self, number: int) -> None:
        """Send one message, and again while the answer is a temporary one."""
        alias = self._aliases[number % len(self._aliases)]
        data = MAIL.format(CARRIER, alias, number, number).encode()
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            final = self._host.send(CARRIER, alias, data).final
            if final.code == 250:
                self.taken.append(f"parcel {number}")
                return
            if not 400 <= final.code < 500:
                self.other.append(str(final))
                return
            self.deferred.append(str(final))
            time.sleep(0.1)
        self.other.append(f"parcel {number} was never taken")


def delivered(host: MailHost) -> Counter[str]:
    return Counter(mail.header("Subject")[0].decode() for mail in host.sink.messages)


@pytest.mark.parametrize("pair", ["two servers"], indirect=True)
def test_what_is_on_the_primary_alone_is_not_taken(pair: tuple[Pair, MailHost]) -> None:
    """While no standby confirms, mail waits; what was recorded stays the only record."""
    servers, host = pair
    load = Load(host, servers.aliases)
    load(0)
    servers.standby.stop()
    alias = servers.aliases[1]
    replies = host.send(CARRIER, alias, MAIL.format(CARRIER, alias, 1, 1).encode())
    assert str(replies.final).startswith("451 4.3.0")
    assert delivered(host) == Counter(["parcel 0"])
    waiting = threading.Thread(target=load, args=(1,))
    waiting.start()
    servers.standby.start()
    waiting.join(60)
    host.postfix.wait_until_queue_empty()
    expected = Counter(["parcel 0", "parcel 1"])
    assert load.other == []
    assert delivered(host) == servers.recorded(servers.primary) == expected
    assert processes.until(lambda: servers.recorded(servers.standby) == expected, 10.0)


@pytest.mark.parametrize("pair", ["two servers", "two poolers", "one pooler"], indirect=True)
def test_a_failover_under_load_loses_and_doubles_nothing(pair: tuple[Pair, MailHost]) -> None:
    """The primary dies at once, a while later the standby is promoted: mail waits, then flows."""
    servers, host = pair
    before = servers.recorded(servers.primary)
    host.sink.clear()
    numbers = range(100, 100 + MESSAGES)
    with ThreadPoolExecutor(SENDERS) as pool:
        load = Load(host, servers.aliases)
        jobs = [pool.submit(load, number) for number in numbers]
        assert processes.until(lambda: len(load.taken) >= MESSAGES // 3, 30.0)
        servers.primary.kill()
        assert processes.until(lambda: load.deferred, 30.0)
        servers.fail_over()
        for job in jobs:
            job.result()
    host.postfix.wait_until_queue_empty()
    assert load.other == []
    expected = Counter(f"parcel {number}" for number in numbers)
    assert Counter(load.taken) == expected
    assert delivered(host) == expected
    assert servers.recorded(servers.standby) == before + expected
    assert all(answer.startswith("451 4.3.0") for answer in load.deferred), set(load.deferred)
