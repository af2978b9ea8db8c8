"""Messages recorded in one transaction: what becomes of one is no matter of the others'."""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from busy_order import Order, newcomer

from conversation_tracker.core.model.conversation import MappedId
from conversation_tracker.core.model.plan import Record
from conversation_tracker.database import prepared
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.recording import (
    Written,
    can_be_together,
    write_record,
    write_together,
)
from conversation_tracker.database.repository import Database
from conversation_tracker.database.turns.group_commit import GroupCommit
from private import processes

if TYPE_CHECKING:
    from tests.database.conftest import Shop

Outcome = tuple[str, dict[str, str]]


@pytest.fixture
def orders(shop: "Shop", opened: Database) -> list[Order]:
    return [Order(shop, opened, str(number)) for number in range(3)]


@pytest.fixture
def connection(shop: "Shop") -> Iterator[Connection]:
    with Connection.connect(shop.uri) as found:
        yield found


@pytest.fixture
def send(
    opened: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Sequence[Record]], list[Future[Outcome]]]]:
    """Record messages in a thread each, all in one transaction but the first."""
    turns = opened._batches._turns
    write = turns._write
    begun, may = threading.Event(), threading.Event()

    def wait_and_write(
        records: Sequence[Record],
    ) -> Sequence[Written | DatabaseUnavailable] | None:
        begun.set()
        assert may.wait(60)
        return write(records)

    gathered = GroupCommit[Record, Written | DatabaseUnavailable](
        wait_and_write, leaders=1, most=16, kind=turns._kind, alike=turns._alike, patience=60
    )
    monkeypatch.setattr(opened._batches, "_turns", gathered)
    with ThreadPoolExecutor(10) as threads:

        def start(records: Sequence[Record]) -> list[Future[Outcome]]:
            jobs = [threads.submit(opened.record, [records[0]])]
            assert begun.wait(60)
            for count, record in enumerate(records[1:], 1):
                jobs.append(threads.submit(opened.record, [record]))
                waiting = gathered._waiting
                assert processes.until(lambda: len(waiting) == count, 60.0)  # noqa: B023
            may.set()
            return jobs

        yield start


def transactions(shop: "Shop") -> list[int]:
    query = "SELECT count(*) FROM tracker.messages AS m JOIN tracker.orders AS o"
    query += " ON o.id = m.order_id WHERE o.store = %s GROUP BY m.xmin ORDER BY 1"
    return [count for (count,) in shop.rows(query, shop.name)]


def answer(record: Record) -> Outcome:
    return "done", dict(record.recipients)


def test_who_waits_is_recorded_in_one_transaction(
    orders: list[Order], send: Callable[[Sequence[Record]], list[Future[Outcome]]]
) -> None:
    records = [orders[n % 3].message() for n in range(6)]
    assert [job.result(60) for job in send(records)] == [answer(each) for each in records]
    assert transactions(orders[0].shop) == [1, 5]
    query = "SELECT count(*), count(DISTINCT q.message_id) FROM tracker.event_queue AS q"
    query += " JOIN tracker.orders AS o ON o.id = q.order_id WHERE o.store = %s"
    query += " AND q.event = 'recorded'"
    assert orders[0].shop.rows(query, orders[0].shop.name) == [(6, 6)]


def test_of_one_order_few_are_recorded_in_one_transaction(
    orders: list[Order], send: Callable[[Sequence[Record]], list[Future[Outcome]]]
) -> None:
    """None counts what others write just then: an hour would have many more than it may have."""
    records = [orders[1 if n in (2, 5) else 0].message() for n in range(8)]
    assert [job.result(60) for job in send(records)] == [answer(each) for each in records]
    assert transactions(orders[0].shop) == [1, 1, 2, 4]


def test_the_same_message_twice_in_one_transaction_is_one(
    orders: list[Order], connection: Connection
) -> None:
    one, other = orders[0].message(), orders[1].message()
    again = replace(one, recipients=((orders[0].bob, uuid.uuid4().hex),))
    found = write_together(connection, [one, other, again])
    # The second is led to the bounce address that the first one made.
    assert [each[:2] for each in found] == [answer(one), answer(other), answer(one)]
    assert (orders[0].count(), orders[1].count()) == (1, 1)


def erased(order: Order) -> None:
    order.shop.one("SELECT tracker.erase('bob@doe.example')")


def expired(order: Order) -> None:
    order.shop.expire(order.number)


def limited(order: Order) -> None:
    order.shop.set(hourly_limit=4)
    assert [order.beside(), order.beside()] == ["done", "done"]


WHY: dict[str, Callable[[Order], object]] = {
    "expired": expired,
    "alone": limited,  # it is near: to be counted again without others beside it
}


@pytest.mark.parametrize("outcome", WHY)
def test_what_is_not_recorded_keeps_none_of_the_others(
    orders: list[Order], connection: Connection, outcome: str
) -> None:
    WHY[outcome](orders[1])
    before = orders[1].count()
    found = write_together(connection, [each.message() for each in orders])
    assert [each[0] for each in found] == ["done", outcome, "done"]
    assert [each.count() for each in orders] == [1, before, 1]


def test_whose_recipient_is_gone_keeps_none_of_the_others(
    orders: list[Order], connection: Connection
) -> None:
    erased(orders[0])
    to_john = {"recipients": ((orders[0].john, uuid.uuid4().hex),)}
    records = [orders[0].message(), orders[0].message(**to_john)]
    assert [each[0] for each in write_together(connection, records)] == ["stale", "done"]


def test_whose_order_is_held_keeps_none_of_the_others(
    orders: list[Order], connection: Connection
) -> None:
    with psycopg.connect(orders[1].shop.uri) as integrator:
        integrator.execute("SELECT tracker.hold_order(%s)", (orders[1].id,))
        found = write_together(connection, [each.message() for each in orders])
    assert [each[0] for each in found] == ["done", "locked", "done"]
    same = orders[2].message()
    with Connection.connect(orders[2].shop.uri) as other, other.transaction():
        assert write_record(other, same, wait=False, alone=False)[0] == "done"
        found = write_together(connection, [orders[0].message(), same])
    assert [each[0] for each in found] == ["done", "alone"]


def test_mail_for_an_order_that_is_held_holds_up_no_other_mail(
    orders: list[Order], send: Callable[[Sequence[Record]], list[Future[Outcome]]]
) -> None:
    with psycopg.connect(orders[1].shop.uri) as integrator:
        integrator.execute("SELECT tracker.hold_order(%s)", (orders[1].id,))
        first, held, other, beside = send([orders[n].message() for n in (0, 1, 2, 0)])
        assert [each.result(60)[0] for each in (first, other, beside)] == ["done"] * 3
        assert not held.done()
    assert held.result(60)[0] == "done"


def test_mail_that_meets_a_lock_goes_by_itself(
    orders: list[Order], send: Callable[[Sequence[Record]], list[Future[Outcome]]]
) -> None:
    """Two messages at once answer the same one: the later waits until the first is committed."""
    same = {"identifiers": (MappedId("<1@ct>", "<1@doe.example>", orders[1].ann),)}
    with orders[1].under_way(**same):
        first, held, other = send(
            [orders[0].message(), orders[1].message(**same), orders[2].message()]
        )
        assert [first.result(60)[0], other.result(60)[0]] == ["done", "done"]
        assert not held.done()
    assert held.result(60)[0] == "done"
    assert [each.count() for each in orders] == [1, 2, 1]


BAD: dict[str, dict[str, Any]] = {
    "the server refuses it": {"sender": uuid.uuid4().hex},
    "it cannot be written": {"subject": "\ud800"},
    "it is no text for PostgreSQL": {"subject": "\0"},
}


@pytest.mark.parametrize("what", BAD)
def test_a_message_with_a_fault_fails_none_of_the_others(
    orders: list[Order],
    send: Callable[[Sequence[Record]], list[Future[Outcome]]],
    what: str,
) -> None:
    good = [each.message() for each in orders]
    bad = orders[1].message(**BAD[what])
    jobs = send([good[0], bad, good[1], good[2]])
    assert isinstance(jobs.pop(1).exception(60), (psycopg.Error, ValueError))
    assert [job.result(60) for job in jobs] == [answer(each) for each in good]
    assert [each.count() for each in orders] == [1, 1, 1]


@pytest.mark.parametrize("committed", [True, False])
def test_a_connection_lost_while_it_is_committed_records_each_once(
    orders: list[Order],
    send: Callable[[Sequence[Record]], list[Future[Outcome]]],
    monkeypatch: pytest.MonkeyPatch,
    *,
    committed: bool,
) -> None:
    run, lost = prepared.Statement.rows_of_each, list[int]()

    def lose(self: prepared.Statement, line: Connection, values: Any, limits: Any) -> Any:
        if lost:
            return run(self, line, values, limits)
        lost.append(len(values))
        if committed:
            run(self, line, values, limits)
        line.close()
        raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(prepared.Statement, "rows_of_each", lose)
    records = [orders[n % 3].message() for n in range(4)]
    assert [job.result(60) for job in send(records)] == [answer(each) for each in records]
    assert lost == [3]
    assert [each.count() for each in orders] == [2, 1, 1]


def test_a_server_that_ends_the_session_records_each_once(
    orders: list[Order],
    send: Callable[[Sequence[Record]], list[Future[Outcome]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, ended = prepared.Statement.rows_of_each, list[int]()

    def end(self: prepared.Statement, line: Connection, values: Any, limits: Any) -> Any:
        if not ended:
            ended.append(line.info.backend_pid)
            orders[0].shop.one("SELECT pg_terminate_backend(%s, 10000)", *ended)
        return run(self, line, values, limits)

    monkeypatch.setattr(prepared.Statement, "rows_of_each", end)
    records = [orders[n % 3].message() for n in range(4)]
    assert [job.result(60) for job in send(records)] == [answer(each) for each in records]
    assert [each.count() for each in orders] == [2, 1, 1]


def test_only_what_takes_no_time_and_changes_nobody_is_recorded_together(order: Order) -> None:
    assert can_be_together(order.message())
    assert can_be_together(order.message(raw=bytes(64 * 1024)))
    for changes in (
        {"raw": bytes(64 * 1024 + 1)},
        {"joined": (newcomer(),)},
        {"shown": (order.ann,)},
    ):
        assert not can_be_together(order.message(**changes))


@pytest.fixture
def order(orders: list[Order]) -> Order:
    return orders[0]
