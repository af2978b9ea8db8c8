"""Expiry takes every address away in time, once, whoever else is at work, and nothing else."""

import email
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aging
import psycopg
import pytest

from conversation_tracker.config.config import Config, load
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.alias import Hard, decode
from conversation_tracker.core.model.message import Arrival, Message, parse
from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.repository import Database
from conversation_tracker.maintenance import expire
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.transaction import Transaction
from private.ports import free_port
from private.postgres import binaries

DOMAIN = "ct.example.com"
SUMMARY = re.compile(
    r"(?:would expire|expired) (\d+) orders \((\d+) addresses\),"
    r" (?:delete|deleted) (\d+) messages and (\d+) orders"
    r"(?:, (?:delete|deleted) \d+ events that nobody published)?"
    r"(?:, (?:drop|dropped) the months [0-9 -]+)?(?:, (?:drop|dropped) the feed's months [0-9 -]+)?"
    r"(?:, (?:make|made) the months [0-9 -]+)?\n"
)
RUN = """
import io, sys
from pathlib import Path
from conversation_tracker.maintenance import expire
from conversation_tracker.config.config import load
expire._SIZES = (2,)
print("begun", flush=True)
sys.exit(expire.run(load(Path(sys.argv[1]), {}), dry_run=False, out=sys.stdout, err=sys.stderr))
"""


class Tracker:
    """One database with two stores, `hard` and `soft`, and what is done to it in these tests."""

    def __init__(self, uri: str, home: Path) -> None:
        """Write a configuration into `home`, and make the stores."""
        self.uri = uri
        self.path = home / "tracker.conf"
        self.path.write_text(f"[tracker]\ndatabase = {uri}\nsocket = unix:{home}/milter.sock\n")
        self.sql(
            "INSERT INTO tracker.stores (name, alias_domain, mask, sender_domains) VALUES"
            " ('hard', %(domain)s, 'hard', '{hard.example}'),"
            " ('soft', %(domain)s, 'soft', '{soft.example}')",
            domain=DOMAIN,
        )

    @property
    def config(self) -> Config:
        """The configuration."""
        return load(self.path, {})

    def sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, if it has any."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, **values: object) -> Any:
        """Return the one value of a statement."""
        [[value]] = self.sql(statement, **values)
        return value

    def mask(self, number: str, address: str, store: str = "hard") -> str:
        """Return an alias, as an integrator gets it."""
        alias = self.one(
            "SELECT tracker.mask(%(store)s, %(number)s, %(address)s)",
            store=store, number=number, address=address,
        )  # fmt: skip
        assert isinstance(alias, str)
        return alias

    def order(self, number: str, store: str = "hard") -> dict[str, Any]:
        """Return an order's row; empty if there is none."""
        row = self.sql(
            "SELECT to_jsonb(o) FROM tracker.orders AS o WHERE store = %(store)s"
            " AND number = %(number)s", store=store, number=number,
        )  # fmt: skip
        return dict(row[0][0]) if row else {}

    def addresses(self, number: str, store: str = "hard") -> list[str]:
        """Return the addresses that an order still has."""
        rows = self.sql(
            "SELECT p.address FROM tracker.participants AS p JOIN tracker.orders AS o"
            " ON o.id = p.order_id WHERE o.store = %(store)s AND o.number = %(number)s"
            " AND p.address IS NOT NULL ORDER BY p.id", store=store, number=number,
        )  # fmt: skip
        return [row[0] for row in rows]

    def age(self, number: str, by: str = "61 days", store: str = "hard") -> None:
        """Put an order, and its mail, back in time: it is then that much older."""
        self.sql(
            "UPDATE tracker.orders SET placed_at = placed_at - %(by)s::interval,"
            " expires_at = placed_at + interval '60 days' - %(by)s::interval"
            " WHERE store = %(store)s AND number = %(number)s",
            by=by, store=store, number=number,
        )  # fmt: skip
        own = "order_id IN (SELECT id FROM tracker.orders WHERE store = %(s)s AND number = %(n)s)"
        values = {"by": by, "s": store, "n": number}
        aging.move(self.uri, "at - %(by)s::interval", own, values)

    def status(self, alias: str) -> str:
        """Return what a recipient's look-up says of a hard alias: live, expired or unknown."""
        rows = self.sql(
            "SELECT status FROM tracker.conversation_of_hard(%(token)s::uuid, %(domain)s)",
            token=alias.partition("@")[0], domain=DOMAIN,
        )  # fmt: skip
        return rows[0][0] if rows else "unknown"

    def wake(self, number: str, store: str = "hard") -> None:
        """Open an order again, as the store's own mail about it does."""
        self.sql(
            "SELECT tracker.open_order(%(store)s, %(number)s, true)", store=store, number=number
        )

    def dump(self) -> str:
        """Return the whole database as text."""
        done = subprocess.run(
            [binaries() / "pg_dump", "--dbname", self.uri], check=True, capture_output=True
        )
        return done.stdout.decode()

    def expire(
        self, *, dry_run: bool = False, now: datetime | None = None
    ) -> tuple[int, int, int, int]:
        """Run expiry to its good end; return what its summary counts."""
        out, err = io.StringIO(), io.StringIO()
        assert expire.run(self.config, dry_run=dry_run, out=out, err=err, now=now) == 0
        assert err.getvalue() == ""
        said = SUMMARY.fullmatch(out.getvalue())
        assert said is not None
        assert out.getvalue().startswith("would" if dry_run else "expired")
        orders, addresses, messages, removed = map(int, said.groups())
        return orders, addresses, messages, removed


@pytest.fixture
def tracker(database: str, tmp_path: Path) -> Tracker:
    return Tracker(database, tmp_path)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch, change_timeouts: Callable[..., object]) -> None:
    """Small batches, and no pauses between passes."""
    monkeypatch.setattr(expire, "_SIZES", (2, 1))
    change_timeouts(expiry_pause_seconds=0.0)


@pytest.fixture
def milter(tracker: Tracker) -> Iterator[Database]:
    """The milter's own access to the database."""
    database = Database(tracker.uri)
    database.open()
    yield database
    database.close()


def send(milter: Database, sender: str, alias: str, text: str) -> str:
    """Hand a mail to the milter's rules, as Postfix would; return the reply, or "" if accepted."""
    directory = milter.directory()
    filter = Filter(milter, lambda: directory)
    transaction = Transaction()
    reply = filter.accept_recipient(transaction, f"<{alias}>".encode())
    if reply is not None:
        return str(reply)
    headers, body = parse(
        f"From: Jane <{sender}>\r\nTo: <{alias}>\r\nMessage-ID: <{uuid.uuid4()}.{sender}>\r\n"
        f"Subject: from {sender}\r\n\r\n{text}\r\n".encode()
    )
    arrival = Arrival("4ABC", trusted=False, split=False)
    message = Message(Address.parse(sender), tuple(transaction.recipients), headers, body, arrival)
    outcome = filter.decide(transaction, message)
    return str(outcome.plan.reply or "")


def spellings(address: str) -> list[str]:
    """Return how an address can stand in a dump: as it is, in hexadecimal, in base64 of a piece."""
    lower = address.lower()
    return [lower, lower.encode().hex(), lower.replace("@", "%40"), lower.replace("@", "=40")]


def raw_texts(tracker: Tracker) -> str:
    """Return all recorded messages, decoded, as one text."""
    parts = []
    for (raw,) in tracker.sql("SELECT raw FROM tracker.messages"):
        message = email.message_from_bytes(raw)
        leaves = [part.get_payload(decode=True) for part in message.walk()]
        parts += [raw, *(leaf for leaf in leaves if isinstance(leaf, bytes))]
    return b"\n".join(parts).decode("utf-8", "replace").lower()


def test_an_expired_order_loses_its_addresses_and_nothing_else_does(tracker: Tracker) -> None:
    for number in ("old", "new"):
        tracker.mask(number, f"buyer.{number}@example.org")
        tracker.mask(number, f"carrier.{number}@example.net")
    tracker.age("old")
    assert tracker.expire() == (1, 2, 0, 0)
    assert tracker.addresses("old") == []
    assert tracker.order("old")["emptied_at"] is not None
    assert tracker.addresses("new") == ["buyer.new@example.org", "carrier.new@example.net"]
    assert tracker.order("new")["emptied_at"] is None


def test_a_second_run_finds_nothing_to_do(tracker: Tracker) -> None:
    tracker.mask("old", "buyer@example.org")
    tracker.age("old")
    assert tracker.expire() == (1, 1, 0, 0)
    before = tracker.dump()
    assert tracker.expire() == (0, 0, 0, 0)
    assert without_restrictions(tracker.dump()) == without_restrictions(before)


def without_restrictions(dump: str) -> str:
    """Return a dump without the random key that newer versions of pg_dump put into it."""
    return re.sub(r"(?m)^\\(un)?restrict .*$", "", dump)


def test_an_empty_database_has_nothing_to_expire(tracker: Tracker) -> None:
    assert tracker.expire() == (0, 0, 0, 0)


@pytest.mark.parametrize("store", ["hard", "soft"])
def test_no_column_of_any_kind_holds_an_address_after_its_order_expired(
    tracker: Tracker, milter: Database, store: str
) -> None:
    """Not plain, not in bytes, not as a soft alias; the live order's address is still there."""
    people = {}
    for number in ("gone", "live"):
        aliases = {
            role: tracker.mask(number, f"{role}.{number}Z@{number}.example.org", store)
            for role in ("Jane", "Carrier")
        }
        carrier = f"Carrier.{number}Z@{number}.example.org"
        outsider = f"Outsider.{number}Z@{number}.example.org"
        said = f"Ask jane.{number}z@{number}.example.org or {aliases['Jane']}."
        assert send(milter, carrier, aliases["Jane"], said) == ""
        assert send(milter, outsider, aliases["Carrier"], said) == ""
        people[number] = tracker.addresses(number, store)
    assert len(people["gone"]) == len(people["live"]) >= 3
    before = tracker.dump().lower()
    assert tracker.one("SELECT count(*) FROM tracker.message_ids") == 4
    assert all(address.lower() in before for address in people["gone"])
    assert tracker.one("SELECT count(*) FROM tracker.messages") == 4

    tracker.age("gone", store=store)
    assert tracker.expire() == (1, len(people["gone"]), 0, 0)
    dump, texts = tracker.dump().lower(), raw_texts(tracker)
    for address in people["gone"]:
        for spelling in spellings(address):
            assert spelling not in dump
        assert address.lower() not in texts
    assert tracker.one("SELECT count(*) FROM tracker.message_ids") == 2
    ref = tracker.order("gone", store)["ref"]
    for needle in ("gone.example.org", f"{ref}b."):
        assert needle not in dump
        assert needle.encode().hex() not in dump
        assert needle not in texts
    assert tracker.addresses("live", store) == people["live"]
    assert all(address.lower() in dump for address in people["live"])


def test_two_runs_at_once_do_every_order_once(tracker: Tracker, hasty: None) -> None:
    for number in range(60):
        tracker.mask(str(number), f"buyer{number}@example.org")
        tracker.age(str(number))
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(tracker.expire) for _ in range(2)]
        done = [run.result(timeout=60) for run in runs]
    assert [sum(column) for column in zip(*done, strict=True)] == [60, 60, 0, 0]
    assert tracker.one("SELECT count(*) FROM tracker.participants WHERE address IS NOT NULL") == 0
    assert tracker.one("SELECT count(*) FROM tracker.orders WHERE emptied_at IS NULL") == 0


def test_a_run_that_is_killed_leaves_nothing_half_done_and_the_next_goes_on(
    tracker: Tracker,
) -> None:
    """The first batch is committed; the second, killed in its middle, never was."""
    for number in range(6):
        tracker.mask(str(number), f"buyer{number}@example.org")
        tracker.mask(str(number), f"carrier{number}@example.net")
        tracker.age(str(number), f"{70 - number} days")
    command = [sys.executable, "-c", RUN, str(tracker.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with psycopg.connect(tracker.uri) as other:
        other.execute(
            "SELECT FROM tracker.participants WHERE address = 'carrier3@example.net' FOR UPDATE"
        )
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as run:
            wait_until(lambda: waiting(tracker, "tracker.participants"))
            run.send_signal(signal.SIGKILL)
    wait_until(lambda: not waiting(tracker, "tracker.participants"))
    assert [len(tracker.addresses(str(number))) for number in range(6)] == [0, 0, 2, 2, 2, 2]
    done = [tracker.order(str(number))["emptied_at"] is not None for number in range(6)]
    assert done == [True, True, False, False, False, False]
    assert tracker.expire() == (4, 8, 0, 0)
    assert tracker.one("SELECT count(*) FROM tracker.participants WHERE address IS NOT NULL") == 0


def waiting(tracker: Tracker, name: str) -> bool:
    """Return whether a statement on a table waits for somebody's lock."""
    return bool(
        tracker.one(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND query LIKE '%%' || %(name)s || '%%' AND pid <> pg_backend_pid()",
            name=name,
        )
    )


def wait_until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something holds."""
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_a_lock_in_the_way_costs_only_what_it_covers(tracker: Tracker, hasty: None) -> None:
    """All else is done, the exit code is 75 with one line, and the next run does the rest."""
    for number in range(5):
        tracker.mask(str(number), f"buyer{number}@example.org")
        tracker.age(str(number))
    out, err = io.StringIO(), io.StringIO()
    with psycopg.connect(tracker.uri) as other:
        other.execute(
            "SELECT FROM tracker.participants WHERE address = 'buyer2@example.org' FOR UPDATE"
        )
        code = expire.run(tracker.config, dry_run=False, out=out, err=err)
    assert code == 75
    assert out.getvalue() == "expired 4 orders (4 addresses), deleted 0 messages and 0 orders\n"
    assert err.getvalue().startswith("conversation-tracker: others' locks were in the way")
    assert err.getvalue().count("\n") == 1
    assert tracker.addresses("2") == ["buyer2@example.org"]
    assert tracker.expire() == (1, 1, 0, 0)


def test_an_order_that_mail_has_locked_is_passed_over_and_mail_does_not_wait(
    tracker: Tracker,
) -> None:
    for number in ("busy", "idle"):
        tracker.mask(number, f"{number}@example.org")
        tracker.age(number)
    with psycopg.connect(tracker.uri) as mail:
        mail.execute("SELECT FROM tracker.orders WHERE number = 'busy' FOR NO KEY UPDATE")
        started = time.monotonic()
        assert tracker.expire() == (1, 1, 0, 0)
        assert time.monotonic() - started < 5.0
    assert tracker.addresses("busy") == ["busy@example.org"]
    assert tracker.expire() == (1, 1, 0, 0)


def test_mail_of_other_orders_is_recorded_while_a_batch_is_held_up(
    tracker: Tracker, milter: Database, hasty: None
) -> None:
    """And mail of the order itself gets its answer as soon as the batch ends: it has expired."""
    alias = tracker.mask("old", "buyer@example.org")
    other_alias = tracker.mask("live", "buyer@example.org")
    tracker.age("old")
    order = tracker.order("old")["id"]
    with psycopg.connect(tracker.uri) as blocker, ThreadPoolExecutor(2) as pool:
        blocker.execute("SELECT FROM tracker.participants WHERE order_id = %s FOR UPDATE", (order,))
        run = pool.submit(tracker.expire)
        wait_until(lambda: waiting(tracker, "tracker.participants"))
        assert send(milter, "a@example.net", other_alias, "hello") == ""
        assert send(milter, "a@example.net", alias, "hello").startswith("550 5.2.1")
        blocker.rollback()
        assert run.result(timeout=30) == (1, 1, 0, 0)
    assert tracker.one("SELECT count(*) FROM tracker.messages") == 1


def test_an_alias_stops_working_when_its_time_is_over_though_expiry_never_ran(
    tracker: Tracker, milter: Database
) -> None:
    alias = tracker.mask("1", "buyer@example.org")
    assert tracker.status(alias) == "live"
    tracker.sql("UPDATE tracker.orders SET expires_at = now()")
    assert tracker.status(alias) == "expired"
    assert send(milter, "a@example.net", alias, "hello").startswith("550 5.2.1")
    tracker.expire()
    assert tracker.status(alias) == "expired"
    assert send(milter, "a@example.net", alias, "hello").startswith("550 5.2.1")


def test_a_soft_alias_of_an_emptied_order_is_known_to_have_expired(
    tracker: Tracker, milter: Database
) -> None:
    alias = tracker.mask("1", "buyer@example.org", "soft")
    tracker.age("1", store="soft")
    tracker.expire()
    assert send(milter, "a@example.net", alias, "hello").startswith("550 5.2.1")


def test_closing_leaves_an_order_its_time_unless_the_store_says_otherwise(
    tracker: Tracker,
) -> None:
    alias = tracker.mask("1", "buyer@example.org")
    tracker.sql("SELECT tracker.close_order('hard', '1')")
    assert tracker.expire() == (0, 0, 0, 0)
    assert tracker.status(alias) == "live"


@pytest.mark.parametrize(("grace", "expired"), [("0", 1), ("7 days", 0)])
def test_closing_with_a_grace_ends_the_aliases_after_it(
    tracker: Tracker, grace: str, expired: int
) -> None:
    tracker.sql("UPDATE tracker.stores SET close_grace = %(grace)s::interval", grace=grace)
    alias = tracker.mask("1", "buyer@example.org")
    tracker.sql("SELECT tracker.close_order('hard', '1')")
    assert tracker.status(alias) == ("expired" if expired else "live")
    assert tracker.expire() == (expired, expired, 0, 0)
    later = datetime.now(UTC) + timedelta(days=8)
    assert tracker.expire(now=later) == (1 - expired, 1 - expired, 0, 0)


def test_an_order_woken_before_expiry_ran_has_its_aliases_back(tracker: Tracker) -> None:
    alias = tracker.mask("1", "buyer@example.org")
    tracker.age("1")
    assert tracker.status(alias) == "expired"
    tracker.wake("1")
    assert tracker.expire() == (0, 0, 0, 0)
    assert tracker.status(alias) == "live"
    assert tracker.mask("1", "buyer@example.org") == alias


def test_an_order_woken_after_expiry_has_new_aliases_and_the_old_stay_dead(
    tracker: Tracker,
) -> None:
    old = tracker.mask("1", "buyer@example.org")
    tracker.age("1")
    tracker.expire()
    tracker.wake("1")
    assert tracker.addresses("1") == []
    new = tracker.mask("1", "buyer@example.org")
    assert new != old
    assert tracker.status(new) == "live"
    assert tracker.status(old) == "expired"
    later = datetime.now(UTC) + timedelta(days=2)
    assert tracker.expire(now=later) == (1, 1, 0, 0)
    assert tracker.addresses("1") == []


def test_an_order_woken_while_a_batch_is_on_its_way_is_left_alone(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was found due, but was woken before its lock was had."""
    tracker.mask("1", "buyer@example.org")
    tracker.age("1")
    whole = expire._Run._run_batch

    def late(self: Any, step: Any, ids: Any) -> None:
        tracker.wake("1")
        whole(self, step, ids)

    monkeypatch.setattr(expire._Run, "_run_batch", late)
    assert tracker.expire() == (0, 0, 0, 0)
    assert tracker.addresses("1") == ["buyer@example.org"]
    assert tracker.order("1")["emptied_at"] is None


def test_an_address_that_joined_before_the_lock_was_had_is_taken_away(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail of the order's last moment is committed between the search and the lock."""
    tracker.mask("1", "buyer@example.org")
    tracker.age("1")
    whole = expire._Run._run_batch

    def late(self: Any, step: Any, ids: Any) -> None:
        tracker.sql(
            "INSERT INTO tracker.participants (order_id, token, role, address)"
            " SELECT id, gen_random_uuid(), 'partner', 'late@example.org' FROM tracker.orders"
        )
        whole(self, step, ids)

    monkeypatch.setattr(expire._Run, "_run_batch", late)
    assert tracker.expire() == (1, 2, 0, 0)
    assert tracker.addresses("1") == []


def test_an_order_that_comes_due_in_an_open_transaction_is_left_to_the_next_run(
    tracker: Tracker,
) -> None:
    """Nothing of it is seen before it is committed, and nothing waits for it."""
    tracker.mask("1", "buyer@example.org")
    with psycopg.connect(tracker.uri) as other:
        other.execute("SELECT tracker.mask('hard', '1', 'late@example.org')")
        other.execute("UPDATE tracker.orders SET expires_at = now()")
        assert tracker.expire() == (0, 0, 0, 0)
    assert tracker.expire() == (1, 2, 0, 0)


def test_messages_go_when_their_store_has_kept_them_long_enough(
    tracker: Tracker, milter: Database
) -> None:
    """Each store by its own retention; a live order's too."""
    tracker.sql("UPDATE tracker.stores SET message_retention = '10 days' WHERE name = 'soft'")
    for store in ("hard", "soft"):
        alias = tracker.mask("1", "buyer@example.org", store)
        assert send(milter, "a@example.net", alias, "hello") == ""
    now = datetime.now(UTC)
    assert tracker.expire(now=now + timedelta(days=9)) == (0, 0, 0, 0)
    assert tracker.expire(now=now + timedelta(days=11)) == (0, 0, 1, 0)
    left = "SELECT o.store FROM tracker.messages AS m JOIN tracker.orders AS o ON o.id = m.order_id"
    assert tracker.sql(left) == [("hard",)]
    assert tracker.one("SELECT count(*) FROM tracker.deliveries") == 1


def test_refusals_go_as_messages_do(tracker: Tracker) -> None:
    """By their store's retention, counted from the last attempt."""
    tracker.sql("UPDATE tracker.stores SET message_retention = '10 days' WHERE name = 'soft'")
    for store in ("hard", "soft"):
        tracker.mask("1", "buyer@example.org", store)
    tracker.sql(
        "INSERT INTO tracker.refusals (order_id, digest, at, subject, reply)"
        " SELECT id, days::text::bytea, now() - days * interval '1 day', 's', '550 5.7.1 no'"
        " FROM tracker.orders, unnest(ARRAY[9, 11, 12]) AS days"
    )
    tracker.expire(dry_run=True)
    assert tracker.one("SELECT count(*) FROM tracker.refusals") == 6
    tracker.expire()
    left = (
        "SELECT o.store, count(*) FROM tracker.refusals AS r JOIN tracker.orders AS o"
        " ON o.id = r.order_id GROUP BY 1 ORDER BY 1"
    )
    assert tracker.sql(left) == [("hard", 3), ("soft", 1)]


def test_an_order_goes_when_nothing_is_left_of_it_and_is_then_unknown(
    tracker: Tracker, milter: Database
) -> None:
    """Its store kept it for its retention after it expired; the alias domain stays in use."""
    tracker.sql("UPDATE tracker.stores SET message_retention = '1 year'")
    alias = tracker.mask("1", "buyer@example.org")
    assert send(milter, "a@example.net", alias, "hello") == ""
    tracker.age("1", "420 days")
    aging.move(tracker.uri, "now() - interval '364 days'")
    assert tracker.expire() == (1, 2, 0, 0)
    tracker.age("1", "10 days")
    tracker.sql("UPDATE tracker.orders SET expires_at = now() - interval '364 days'")
    assert tracker.expire() == (0, 0, 1, 0)
    assert send(milter, "a@example.net", alias, "hello").startswith("550 5.2.1")
    tracker.sql("UPDATE tracker.orders SET expires_at = now() - interval '13 months'")
    assert tracker.expire() == (0, 0, 0, 1)
    assert tracker.order("1") == {}
    assert tracker.one("SELECT count(*) FROM tracker.participants") == 0
    assert send(milter, "a@example.net", alias, "hello").startswith("550 5.1.1")


def test_one_run_takes_an_order_all_the_way(tracker: Tracker, milter: Database) -> None:
    alias = tracker.mask("1", "buyer@example.org")
    assert send(milter, "a@example.net", alias, "hello") == ""
    tracker.age("1", "5 years")
    assert tracker.expire() == (1, 2, 1, 1)
    assert "buyer@example.org" not in tracker.dump()


def test_an_order_that_still_has_a_message_stays(tracker: Tracker, milter: Database) -> None:
    alias = tracker.mask("1", "buyer@example.org")
    assert send(milter, "a@example.net", alias, "hello") == ""
    tracker.age("1", "5 years")
    aging.move(tracker.uri, "now()")
    assert tracker.expire() == (1, 2, 0, 0)
    assert tracker.order("1") != {}


def test_a_store_may_keep_its_messages_for_as_long_as_its_row_can_say(
    tracker: Tracker, milter: Database
) -> None:
    tracker.sql("UPDATE tracker.stores SET message_retention = '100 years'")
    assert send(milter, "a@example.net", tracker.mask("1", "buyer@example.org"), "hello") == ""
    tracker.age("1", "99 years")
    assert tracker.expire() == (1, 2, 0, 0)


def test_an_alias_domain_goes_with_the_last_order_that_used_it(tracker: Tracker) -> None:
    tracker.mask("1", "buyer@example.org")
    tracker.sql("UPDATE tracker.stores SET alias_domain = 'new.example.com'")
    tracker.expire()
    domains = "SELECT array_agg(name ORDER BY name) FROM tracker.alias_domains"
    assert tracker.one(domains) == [DOMAIN, "new.example.com"]
    tracker.age("1", "5 years")
    tracker.expire()
    assert tracker.one(domains) == ["new.example.com"]


@pytest.mark.parametrize("by", ["0 days", "61 days", "5 years"])
def test_a_dry_run_counts_what_a_run_does_and_changes_nothing(
    tracker: Tracker, milter: Database, by: str
) -> None:
    for store in ("hard", "soft"):
        for number in ("1", "2"):
            alias = tracker.mask(number, f"buyer{number}@example.org", store)
            assert send(milter, "a@example.net", alias, "hello") == ""
        tracker.age("1", by, store)
    before = without_restrictions(tracker.dump())
    counted = tracker.expire(dry_run=True)
    assert without_restrictions(tracker.dump()) == before
    assert counted == tracker.expire()


def test_the_log_has_one_line_without_an_address(
    tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    from conversation_tracker.telemetry import log_setup as logs

    stream = io.StringIO()
    logs.configure("json", stream)
    tracker.mask("1", "buyer@example.org")
    tracker.age("1")
    tracker.expire()
    tracker.expire(dry_run=True)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["event"] == second["event"] == "expire"
    assert (first["orders"], first["addresses"], first["dry_run"]) == (1, 1, False)
    assert second["dry_run"] is True
    assert "@" not in stream.getvalue()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


def test_on_a_terminal_one_line_shows_how_far_it_is(tracker: Tracker, hasty: None) -> None:
    for number in range(3):
        tracker.mask(str(number), f"buyer{number}@example.org")
        tracker.age(str(number))
    out, err = io.StringIO(), Terminal()
    assert expire.run(tracker.config, dry_run=False, out=out, err=err) == 0
    drawn = err.getvalue().split("\r\x1b[K")
    assert drawn[1:3] == [
        f"expire: {n} orders emptied, 0 messages and 0 orders deleted" for n in (2, 3)
    ]
    assert drawn[-1] == ""
    assert "\n" not in err.getvalue()


@pytest.mark.parametrize("dry_run", [False, True])
def test_without_a_database_it_says_so_on_one_line(tmp_path: Path, dry_run: bool) -> None:
    path = tmp_path / "tracker.conf"
    uri = f"postgresql://tracker:verysecret@127.0.0.1:{free_port()}/nowhere"
    path.write_text(f"[tracker]\ndatabase = {uri}\nsocket = unix:{tmp_path}/milter.sock\n")
    out, err = io.StringIO(), io.StringIO()
    assert expire.run(load(path, {}), dry_run=dry_run, out=out, err=err) == 75
    assert out.getvalue() == ""
    assert err.getvalue().startswith("conversation-tracker: ")
    assert err.getvalue().count("\n") == 1
    assert "verysecret" not in err.getvalue()


def test_a_database_without_the_schema_is_a_temporary_fault(tracker: Tracker) -> None:
    tracker.sql("DELETE FROM tracker.migrations")
    out, err = io.StringIO(), io.StringIO()
    assert expire.run(tracker.config, dry_run=False, out=out, err=err) == 75
    assert out.getvalue() == ""
    assert "run migrate" in err.getvalue()


def test_a_database_newer_than_the_program_is_refused(tracker: Tracker) -> None:
    tracker.sql(
        "INSERT INTO tracker.migrations (name, digest, program) VALUES ('9999-later', '0', '0')"
    )
    out, err = io.StringIO(), io.StringIO()
    assert expire.run(tracker.config, dry_run=False, out=out, err=err) == 2
    assert "9999-later" in err.getvalue()


def test_a_connection_that_breaks_in_the_middle_keeps_what_was_committed(
    tracker: Tracker, hasty: None
) -> None:
    for number in range(4):
        tracker.mask(str(number), f"buyer{number}@example.org")
        tracker.age(str(number))

    class Cutting(Terminal):
        def write(self, text: str) -> int:
            tracker.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <>"
                " pg_backend_pid() AND datname = current_database()"
            )
            return super().write(text)

    out = io.StringIO()
    assert expire.run(tracker.config, dry_run=False, out=out, err=Cutting()) == 75
    assert out.getvalue() == "expired 2 orders (2 addresses), deleted 0 messages and 0 orders\n"
    assert tracker.expire() == (2, 2, 0, 0)


def test_the_services_own_role_may_expire(tracker: Tracker, milter: Database) -> None:
    """Nothing needs more than what tracker_service is granted."""
    alias = tracker.mask("1", "buyer@example.org")
    assert send(milter, "a@example.net", alias, "hello") == ""
    tracker.age("1", "5 years")
    tracker.sql(
        "ALTER DATABASE " + tracker.one("SELECT current_database()") + " SET ROLE tracker_service"
    )
    assert tracker.expire(dry_run=True) == (1, 2, 1, 1)
    assert tracker.expire() == (1, 2, 1, 1)


def test_the_milters_view_of_a_hard_alias_agrees(tracker: Tracker, milter: Database) -> None:
    alias = decode(Address.parse(tracker.mask("1", "buyer@example.org")), {DOMAIN})
    assert isinstance(alias, Hard)
    tracker.age("1")
    tracker.expire()
    try:
        found = milter.find(alias)
    except DatabaseUnavailable:
        pytest.fail("the database did not answer")
    assert found is not None
    assert found.status == "expired"
    assert all(person.address is None for person in found.conversation.participants)


def test_suspects_are_forgotten_after_a_week(tracker: Tracker, milter: Database) -> None:
    milter.suspect([(bytes(32), "suspected"), (bytes([1] * 32), "condemned")])
    tracker.expire()
    assert tracker.one("SELECT count(*) FROM tracker.suspects") == 2
    tracker.sql("UPDATE tracker.suspects SET at = at - interval '8 days' WHERE condemned")
    tracker.expire(dry_run=True)
    assert tracker.one("SELECT count(*) FROM tracker.suspects") == 2
    tracker.expire()
    assert tracker.sql("SELECT condemned FROM tracker.suspects") == [(False,)]
