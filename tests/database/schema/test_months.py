"""Messages lie in months that are made ahead and dropped whole; mail does without them."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aging
import psycopg
import pytest
from records import make_record

from conversation_tracker.config.config import Config, load
from conversation_tracker.core.model.plan import Record
from conversation_tracker.database import partitions
from conversation_tracker.database.migrate import migrate
from conversation_tracker.database.repository import Database
from conversation_tracker.maintenance import expire

WHERE = "SELECT tableoid::regclass::text FROM {}"
UNIQUE = "SELECT count(*) FROM tracker.messages"


class Kept:
    """A database with one order of each of two stores, `brief` and `long`."""

    def __init__(self, uri: str, home: Path) -> None:
        """Make the stores and their orders."""
        self.uri = uri
        self.path = home / "tracker.conf"
        self.path.write_text(f"[tracker]\ndatabase = {uri}\nsocket = unix:{home}/milter.sock\n")
        self.people: dict[str, tuple[int, str]] = {}
        for store, retention in (("brief", "40 days"), ("long", "1 year")):
            self.sql(
                "INSERT INTO tracker.stores (name, alias_domain, message_retention)"
                " VALUES (%s, 'ct.example.com', %s::interval)", store, retention,
            )  # fmt: skip
            [(alias,)] = self.sql("SELECT tracker.mask(%s, '1', 'john@doe.example')", store)
            [(order,)] = self.sql("SELECT id FROM tracker.orders WHERE store = %s", store)
            self.people[store] = (order, str(alias).partition("@")[0])
        self.database = Database(uri, size=1)
        self.database.open()

    @property
    def config(self) -> Config:
        """The configuration."""
        return load(self.path, {})

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, if it has any."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def record(self, store: str, digest: bytes = b"1", at: str = "at") -> str:
        """Record a message to the store's buyer, as of another time; return the outcome."""
        order, token = self.people[store]
        outcome, bounces = self.database.record([record(order, token, digest)])
        own = "order_id = %(order)s AND digest = tracker.keyed(%(digest)s)"
        if at != "at":
            aging.move(self.uri, at, own, {"order": order, "digest": digest.ljust(32)})
        return f"{outcome} {len(bounces)}"

    def expire(self, *, dry_run: bool = False, now: datetime | None = None) -> str:
        """Run expiry and return what it says."""
        out, err = io.StringIO(), io.StringIO()
        code = expire.run(self.config, dry_run=dry_run, out=out, err=err, now=now)
        assert (code, err.getvalue()) == (0, "")
        return out.getvalue().strip()

    def months(self) -> list[str]:
        """Return the months that there are, each with all of its tables."""
        query = "SELECT relid::text FROM pg_partition_tree(%s::regclass) WHERE isleaf ORDER BY 1"
        names = [
            [row[0].removeprefix(f"{table}_") for row in self.sql(query, table)]
            for table in ("tracker.messages", "tracker.deliveries", "tracker.texts")
        ]
        assert names[0] == names[1] == names[2]
        return [name.replace("_", "-") for name in names[0] if name != "default"]

    def where(self) -> set[str]:
        """Return the partitions that hold something."""
        return {
            row[0]
            for table in ("tracker.messages", "tracker.deliveries")
            for row in self.sql(WHERE.format(table))
        }

    def drop(self, *names: str) -> None:
        """Take months away."""
        for name in names:
            month = name.replace("-", "_")
            names = (f"tracker.{each}_{month}" for each in ("texts", "deliveries", "messages"))
            self.sql(f"DROP TABLE {', '.join(names)}")


def record(order: int, token: str, digest: bytes = b"1") -> Record:
    return make_record(
        order, token, (token,), digest=digest.ljust(32), direction="internal", raw=b"x"
    )


def ahead(number: int, since: datetime | None = None) -> list[str]:
    """Return the names of this month and those after it."""
    now = since or datetime.now(UTC)
    first = now.year * 12 + now.month - 1
    return [f"{each // 12}-{each % 12 + 1:02d}" for each in range(first, first + number)]


@pytest.fixture
def kept(database: str, tmp_path: Path) -> Iterator[Kept]:
    found = Kept(database, tmp_path)
    yield found
    found.database.close()


def test_this_month_and_four_more_are_made_by_migrate(kept: Kept) -> None:
    assert kept.months() == ahead(5)
    migrate(kept.uri)
    assert kept.months() == ahead(5)


def test_expire_makes_them_ahead_and_a_dry_run_tells_which(kept: Kept) -> None:
    kept.sql("UPDATE tracker.stores SET message_retention = '1 year'")
    later = datetime.now(UTC) + timedelta(days=62)
    wanted = [name for name in ahead(5, later) if name not in ahead(5)]
    assert wanted
    assert kept.expire(dry_run=True, now=later).endswith(f", make the months {' '.join(wanted)}")
    assert kept.months() == ahead(5)
    assert kept.expire(now=later).endswith(f", made the months {' '.join(wanted)}")
    assert kept.months() == ahead(5) + wanted


def test_months_are_those_of_utc_wherever_the_session_is(kept: Kept) -> None:
    [month, *_] = kept.months()
    kept.drop(month)
    with psycopg.connect(kept.uri, autocommit=True) as connection:
        connection.execute("SET timezone = 'Pacific/Kiritimati'")
        connection.execute("SELECT tracker.make_month(%s)", (f"{month}-01",))
        connection.execute("SET timezone = 'UTC'")
        query = "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = %s::regclass"
        table = f"tracker.messages_{month.replace('-', '_')}"
        row = connection.execute(query, (table,)).fetchone()
    assert row is not None
    assert f"FROM ('{month}-01 00:00:00+00')" in row[0]


def test_a_message_and_its_deliveries_lie_in_its_month(kept: Kept) -> None:
    assert kept.record("brief") == "done 1"
    month = ahead(1)[0].replace("-", "_")
    assert kept.where() == {f"tracker.messages_{month}", f"tracker.deliveries_{month}"}


def test_without_a_month_mail_is_recorded_all_the_same_and_once(kept: Kept) -> None:
    kept.drop(*kept.months())
    assert kept.record("brief") == kept.record("brief") == "done 1"
    assert kept.sql(UNIQUE) == [(1,)]
    assert kept.where() == {"tracker.messages_default", "tracker.deliveries_default"}


def test_a_month_that_began_without_its_tables_stays_in_the_default_pair(kept: Kept) -> None:
    """Nothing is moved under mail's feet; the months after it are made."""
    kept.drop(*kept.months())
    kept.record("long")
    assert kept.expire().endswith(f", made the months {' '.join(ahead(5)[1:])}")
    assert kept.record("long", b"2") == kept.record("long") == "done 1"
    assert kept.where() == {"tracker.messages_default", "tracker.deliveries_default"}
    later = datetime.now(UTC) + timedelta(days=500)
    assert " 2 messages " in kept.expire(now=later)
    assert kept.where() == set()


def test_a_retry_is_known_across_the_turn_of_a_month(kept: Kept) -> None:
    """Recorded in the month before, tried again in this one: one message, one delivery."""
    kept.drop(*kept.months())
    for table in ("messages", "deliveries"):
        kept.sql(
            f"DO $$ BEGIN EXECUTE format('CREATE TABLE tracker.{table}_before PARTITION OF"
            f" tracker.{table} FOR VALUES FROM (%%L) TO (%%L)', now() - interval '30 days',"
            " now() - interval '1 day'); END $$"
        )
    assert kept.record("long", at="now() - interval '6 days 23 hours'") == "done 1"
    assert kept.where() == {"tracker.messages_before", "tracker.deliveries_before"}
    assert kept.record("long") == "done 1"
    assert kept.sql("SELECT passes FROM tracker.messages") == [(2,)]
    assert kept.sql("SELECT count(*) FROM tracker.deliveries") == [(1,)]


def old(kept: Kept, *days: int) -> None:
    """Make the months of so many days ago."""
    for each in days:
        kept.sql("SELECT tracker.make_month((now() - %s * interval '1 day')::date)", each)


def test_a_month_is_dropped_when_every_store_has_kept_it_long_enough(kept: Kept) -> None:
    old(kept, 400, 100)
    for store in ("brief", "long"):
        kept.record(store, b"1", "now() - interval '400 days'")
    gone = ahead(1, datetime.now(UTC) - timedelta(days=400))[0]
    counted = kept.expire(dry_run=True)
    assert " 2 messages " in counted
    assert f", drop the months {gone} " in f"{counted} "
    said = kept.expire()
    assert " 2 messages " in said
    assert gone in said.partition("dropped the months")[2].split()
    assert kept.sql(UNIQUE) == kept.sql("SELECT count(*) FROM tracker.deliveries") == [(0,)]
    assert kept.months() == ahead(5)


def test_a_month_stays_as_long_as_one_store_keeps_a_message_of_it(kept: Kept) -> None:
    """The others' messages go row by row; once none is left, it is dropped."""
    old(kept, 100)
    for store in ("brief", "long"):
        kept.record(store, b"1", "now() - interval '100 days'")
    assert "drop" not in kept.expire(dry_run=True)
    said = kept.expire()
    assert " 1 messages " in said
    assert "dropped" not in said
    left = "SELECT o.store FROM tracker.messages AS m JOIN tracker.orders AS o ON o.id = m.order_id"
    assert kept.sql(left) == [("long",)]
    kept.sql("UPDATE tracker.stores SET message_retention = '50 days' WHERE name = 'long'")
    kept.sql("UPDATE tracker.stores SET message_retention = '100 years' WHERE name = 'brief'")
    month = ahead(1, datetime.now(UTC) - timedelta(days=100))[0]
    assert f"drop the months {month}" in kept.expire(dry_run=True)
    assert f" 1 messages and 0 orders, dropped the months {month}" in kept.expire()


def test_a_month_that_is_not_over_is_not_dropped_by_anybody(kept: Kept) -> None:
    kept.record("long")
    [(answer,)] = kept.sql("SELECT tracker.drop_month(date_trunc('month', now())::date, now())")
    assert answer is None
    [(answer,)] = kept.sql("SELECT tracker.drop_month('1999-01-01', now())")
    assert answer is None
    assert kept.sql(UNIQUE) == [(1,)]


def test_a_reader_in_the_way_holds_mail_up_for_half_a_second_at_most(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The month waits for the next run, which says so."""
    monkeypatch.setattr(expire, "_SIZES", (1,))
    kept.drop(ahead(5)[4])
    out, err = io.StringIO(), io.StringIO()
    with psycopg.connect(kept.uri) as reader:
        reader.execute("SELECT count(*) FROM tracker.messages")
        code = expire.run(kept.config, dry_run=False, out=out, err=err)
        assert kept.record("long") == "done 1"
    assert code == 75
    assert "others' locks" in err.getvalue()
    assert kept.expire().endswith(f", made the months {ahead(5)[4]}")


def test_a_month_that_mail_went_on_without_meanwhile_is_left_to_the_default_pair(
    kept: Kept,
) -> None:
    """It was found to lack; then a message came, and lies where it lies."""
    kept.drop(*kept.months()[:1])
    with psycopg.connect(kept.uri, autocommit=True) as connection:

        def rows(statement: str, values: dict[str, object]) -> list[Any]:
            found = connection.execute(statement.encode(), values).fetchall()
            if "lacking" in statement:
                kept.record("long")
            return found

        assert partitions.make(rows, partitions.MESSAGES) == ([], True)
    assert kept.where() == {"tracker.messages_default", "tracker.deliveries_default"}


def test_a_delivery_belongs_to_a_message_of_its_month(kept: Kept) -> None:
    """By a foreign key of each pair: neither stays without the other."""
    old(kept, 100)
    kept.record("long", b"1", "now() - interval '100 days'")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        kept.sql("UPDATE tracker.deliveries SET message_id = message_id + 1")
    kept.sql("DELETE FROM tracker.messages")
    assert kept.sql("SELECT count(*) FROM tracker.deliveries") == [(0,)]
    pairs = kept.sql(
        "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
        " WHERE conname = 'deliveries_message_is_there'"
    )
    assert len(pairs) == len(kept.months()) + 1
    assert all(one.replace("deliveries", "messages") == other for one, other in pairs)
