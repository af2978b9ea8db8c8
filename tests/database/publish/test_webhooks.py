"""Webhooks from the feed to the receiver: in order, at least once, whatever the receiver does."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import psycopg
import pytest
from receiver import Handler, Receiver, receiving, say, take
from sending import add_webhook, deliveries, happen, pass_time, sending, state, until

from conversation_tracker.base import timeouts
from conversation_tracker.checks import webhooks as checks
from conversation_tracker.cli import main as cli
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.deadline import Watchdog
from conversation_tracker.database.health import read_state
from conversation_tracker.database.publishing.webhooks import WebhookQueue
from conversation_tracker.publish.webhooks import dispatcher
from conversation_tracker.publish.webhooks.signing import sign
from conversation_tracker.telemetry.events import Event
from private.pgbouncer import PgBouncer

if TYPE_CHECKING:
    from tests.database.conftest import Shop

    from private.postgres import Postgres


@pytest.fixture(autouse=True)
def quick(change_timeouts: Callable[..., object]) -> None:
    change_timeouts(webhook_poll_seconds=0.05, webhook_retry_seconds=0.2)


@pytest.fixture(autouse=True)
def alone(shop: "Shop") -> Iterator[None]:
    """Leave no webhook behind: the database is shared, and others' would be sent as well."""
    yield
    shop.rows("DELETE FROM tracker.webhooks RETURNING 1")


def tags(receiver: Receiver) -> list[str]:
    """Return the tags of what was received, in order."""
    told = (json.loads(each.body) for each in receiver.got)
    return [each["data"]["detail"]["tag"] for each in told if each["type"] == "closed"]


def identifiers(receiver: Receiver) -> list[str]:
    return [each.headers["webhook-id"] for each in receiver.got]


def test_an_event_arrives_signed_and_names_nobody(shop: "Shop", tmp_path: Path) -> None:
    with receiving(take) as receiver, sending(shop.uri, tmp_path):
        hook = add_webhook(shop, receiver.url)
        secret = shop.one("SELECT secret FROM tracker.webhooks WHERE id = %s", hook)
        happen(shop, "a")
        until(lambda: tags(receiver) == ["a"])
        until(lambda: deliveries(shop, hook) == [])
    received = next(each for each in receiver.got if b"closed" in each.body)
    told = json.loads(received.body)
    position = shop.one(
        "SELECT max(position) FROM tracker.feed WHERE store = %s AND event = 'closed'", shop.name
    )
    assert told["data"] == {
        "store": shop.name,
        "order_number": "1",
        "position": position,
        "alias": None,
        "detail": {"tag": "a"},
    }
    happened = datetime.fromisoformat(told["timestamp"])
    assert abs(datetime.now(UTC) - happened) < timedelta(minutes=5)
    headers = received.headers
    expected = sign(
        [secret], headers["webhook-id"], int(headers["webhook-timestamp"]), received.body
    )
    assert headers["webhook-signature"] == expected
    assert b"x.example" not in b"".join(each.body for each in receiver.got)
    assert state(shop, hook)["delivered_at"] is not None


def test_only_the_events_of_the_store_that_are_wanted_and_since_the_webhook_is_there(
    shop: "Shop", tmp_path: Path
) -> None:
    happen(shop, "before")
    other = f"{shop.name}x"
    shop.rows(
        "INSERT INTO tracker.stores (name, alias_domain) VALUES (%s, %s) RETURNING 1",
        other, f"x{shop.alias_domain}",
    )  # fmt: skip
    with receiving(take) as receiver, sending(shop.uri, tmp_path):
        add_webhook(shop, receiver.url, "closed")
        shop.one("SELECT tracker.mask(%s, '9', 'b@x.example')", other)
        happen(shop, "a", "b", number="2")
        happen(shop, "c")
        until(lambda: tags(receiver) == ["a", "b", "c"])
    told = [json.loads(each.body) for each in receiver.got]
    assert {(each["type"], each["data"]["store"]) for each in told} == {("closed", shop.name)}


def test_events_come_in_order_and_each_once(shop: "Shop", tmp_path: Path) -> None:
    wanted = [f"{number:03}" for number in range(230)]
    with receiving(take) as receiver, sending(shop.uri, tmp_path):
        hook = add_webhook(shop, receiver.url, "closed")
        happen(shop, *wanted)
        until(lambda: tags(receiver) == wanted)
        until(lambda: deliveries(shop, hook) == [])
    assert len(set(identifiers(receiver))) == len(wanted)


def test_a_slow_receiver_delays_no_other(shop: "Shop", tmp_path: Path) -> None:
    free = threading.Event()

    def wait(handler: Handler) -> None:
        free.wait(20)
        handler.answer(200)

    with receiving(wait) as slow, receiving(take) as quick:
        first = add_webhook(shop, slow.url, "closed")
        add_webhook(shop, quick.url, "closed")
        with sending(shop.uri, tmp_path):
            happen(shop, "a", "b", "c")
            until(lambda: tags(quick) == ["a", "b", "c"])
            happen(shop, "d")
            until(lambda: tags(quick) == ["a", "b", "c", "d"])
            assert tags(slow) == ["a"]
            free.set()
            until(lambda: tags(slow) == ["a", "b", "c", "d"])
            until(lambda: deliveries(shop, first) == [])


def test_slow_receivers_never_have_all_threads(
    shop: "Shop",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change_timeouts: Callable[..., object],
) -> None:
    """Not once they are known to be slow: who is quick finds a thread free."""
    monkeypatch.setattr(dispatcher, "_THREADS", 4)
    monkeypatch.setattr(dispatcher, "_SLOW_THREADS", 2)
    change_timeouts(webhook_slow_seconds=0.1, webhook_turn_seconds=0.1)
    lock, now, most = threading.Lock(), [0], [0]

    def dawdle(handler: Handler) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        handler.server.over.wait(0.3)
        with lock:
            now[0] -= 1
        handler.answer(200)

    with ExitStack() as stack:
        slow = [stack.enter_context(receiving(dawdle)) for _ in range(4)]
        quick = stack.enter_context(receiving(take))
        for each in slow:
            add_webhook(shop, each.url, "closed")
        happen(shop, "a")
        stack.enter_context(sending(shop.uri, tmp_path))
        until(lambda: all(tags(each) == ["a"] for each in slow))
        until(lambda: now[0] == 0)
        most[0] = 0
        add_webhook(shop, quick.url, "closed")
        happen(shop, *"bcd")
        until(lambda: tags(quick) == list("bcd"))
        until(lambda: all(tags(each) == list("abcd") for each in slow))
        assert most[0] == 2


def cut(handler: Handler) -> None:
    handler.close_connection = True
    handler.connection.close()


@pytest.mark.parametrize(
    ("behave", "said"), [(say(500), "500"), (say(503), "503"), (say(302), "302"), (cut, "cut")]
)
def test_a_receiver_that_fails_is_left_alone_and_then_has_everything_in_order(
    shop: "Shop", tmp_path: Path, behave: Callable[[Handler], None], said: str
) -> None:
    """Away for hours: no try comes too soon, no event is missed, repeats have the same ids."""
    with receiving(behave) as receiver, sending(shop.uri, tmp_path):
        hook = add_webhook(shop, receiver.url, "closed")
        happen(shop, *"abcde")
        until(lambda: state(shop, hook)["failures"] == (1 if said == "503" else 2))

        def tries() -> int:
            return sum(attempts for attempts, _, _ in deliveries(shop, hook))

        for _ in range(6):
            before = tries()
            pass_time(shop, hook, "1 hour")
            until(lambda before=before: tries() == before + 1)
            assert state(shop, hook)["held_until"] > datetime.now(UTC) + timedelta(seconds=3)
        assert len(receiver.got) == tries()
        assert {each for _, each, _ in deliveries(shop, hook)} - {None} == {said}
        assert not any(dead for _, _, dead in deliveries(shop, hook))
        failed = len(receiver.got)
        receiver.behave = take
        pass_time(shop, hook, "15 minutes")
        until(lambda: deliveries(shop, hook) == [])
    taken = tags(receiver)[failed:]
    assert sorted(taken) == list("abcde")
    assert taken[1:] == sorted(taken[1:])  # the first was the trial
    by_tag = {(tag, each) for tag, each in zip(tags(receiver), identifiers(receiver), strict=True)}
    assert len(by_tag) == 5
    assert state(shop, hook)["failing_since"] is None


def test_what_failed_for_a_day_is_dead_until_it_is_asked_for(shop: "Shop", tmp_path: Path) -> None:
    with receiving(say(500)) as receiver, sending(shop.uri, tmp_path):
        hook = add_webhook(shop, receiver.url, "closed")
        happen(shop, *"abc")
        until(lambda: state(shop, hook)["failures"] == 2)
        pass_time(shop, hook, "23 hours")
        until(lambda: state(shop, hook)["failures"] == 3)
        assert not any(dead for _, _, dead in deliveries(shop, hook))
        pass_time(shop, hook, "2 hours")
        until(lambda: all(dead for _, _, dead in deliveries(shop, hook)))
        assert [said for _, said, _ in deliveries(shop, hook)] == ["500"] * 3
        tried = len(receiver.got)
        receiver.behave = take
        happen(shop, "d")
        pass_time(shop, hook, "1 hour")
        until(lambda: tags(receiver)[tried:] == ["d"])
        until(lambda: len(deliveries(shop, hook)) == 3)
        assert shop.one("SELECT tracker.retry_webhooks(%s)", hook) == 3
        until(lambda: deliveries(shop, hook) == [])
        assert tags(receiver)[tried:] == ["d", "a", "b", "c"]
        assert shop.one("SELECT tracker.retry_webhooks(NULL)") == 0


@pytest.mark.parametrize("status", [400, 401, 404, 413, 422])
def test_an_event_that_is_refused_keeps_back_no_other(
    shop: "Shop", tmp_path: Path, status: int
) -> None:
    def behave(handler: Handler) -> None:
        poison = b'"tag":"b"' in handler.server.got[-1].body
        handler.answer(status if poison else 200)

    with receiving(behave) as receiver, sending(shop.uri, tmp_path):
        hook = add_webhook(shop, receiver.url, "closed")
        happen(shop, *"abcd")
        until(lambda: len(tags(receiver)) == 4)
        until(lambda: deliveries(shop, hook) == [(1, str(status), False)])
        assert tags(receiver) == list("abcd")
        assert state(shop, hook)["failures"] == 0
        for tries in range(2, 5):
            pass_time(shop, hook, "1 hour")
            until(lambda tries=tries: deliveries(shop, hook) == [(tries, str(status), False)])
        pass_time(shop, hook, "1 day")
        until(lambda: deliveries(shop, hook) == [(5, str(status), True)])


def test_an_event_that_breaks_the_receiver_keeps_back_no_other(
    shop: "Shop", tmp_path: Path
) -> None:
    def behave(handler: Handler) -> None:
        poison = b'"tag":"b"' in handler.server.got[-1].body
        handler.answer(500 if poison else 200)

    with receiving(behave) as receiver, sending(shop.uri, tmp_path):
        hook = add_webhook(shop, receiver.url, "closed")
        happen(shop, *"abcd")
        until(lambda: tags(receiver) == list("abcd"))
        until(lambda: deliveries(shop, hook) == [(1, "500", False)])
        for number in range(2, 6):
            pass_time(shop, hook, "1 hour")
            until(lambda number=number: deliveries(shop, hook) == [(number, "500", False)])
            held = state(shop, hook)["held_until"]
            assert held is None or held <= datetime.now(UTC)
        happen(shop, "e")
        until(lambda: tags(receiver)[-1] == "e")
        until(lambda: state(shop, hook)["failures"] == 0)


def test_who_asks_us_to_wait_is_left_alone_for_as_long(shop: "Shop", tmp_path: Path) -> None:
    with receiving(say(429, Retry_After="900")) as receiver, sending(shop.uri, tmp_path):
        hook = add_webhook(shop, receiver.url, "closed")
        happen(shop, *"ab")
        until(lambda: state(shop, hook)["failures"] == 1)
        held = state(shop, hook)["held_until"] - datetime.now(UTC)
        assert timedelta(minutes=14) < held < timedelta(minutes=15, seconds=5)
        happen(shop, "c")
        pass_time(shop, hook, "14 minutes")
        assert tags(receiver) == ["a"]
        receiver.behave = take
        pass_time(shop, hook, "1 minute")
        until(lambda: deliveries(shop, hook) == [])
        assert sorted(tags(receiver)) == ["a", "a", "b", "c"]


def test_a_receiver_that_is_gone_ends_its_webhook_until_it_is_made_active_again(
    shop: "Shop", tmp_path: Path
) -> None:
    with receiving(say(410)) as receiver, sending(shop.uri, tmp_path):
        hook = add_webhook(shop, receiver.url, "closed")
        happen(shop, *"ab")
        until(lambda: state(shop, hook)["gone_at"])
        assert not shop.one("SELECT active FROM tracker.webhooks WHERE id = %s", hook)
        assert tags(receiver) == ["a"]
        receiver.behave = take
        happen(shop, "c")
        pass_time(shop, hook, "2 days")
        shop.rows("UPDATE tracker.webhooks SET active = true WHERE id = %s RETURNING 1", hook)
        until(lambda: tags(receiver) == ["a", "a", "b", "c"])
        until(lambda: deliveries(shop, hook) == [])
        assert state(shop, hook)["gone_at"] is None


def test_a_url_that_was_changed_meanwhile_is_not_ended(shop: "Shop") -> None:
    hook = add_webhook(shop, "https://a.example/")
    assert not shop.one("SELECT tracker.end_webhook(%s, 'https://b.example/')", hook)
    assert shop.one("SELECT tracker.end_webhook(%s, 'https://a.example/')", hook)


def test_a_webhook_that_is_not_active_misses_nothing(shop: "Shop", tmp_path: Path) -> None:
    with receiving(take) as receiver, sending(shop.uri, tmp_path):
        hook = add_webhook(shop, receiver.url, "closed")
        shop.rows("UPDATE tracker.webhooks SET active = false WHERE id = %s RETURNING 1", hook)
        happen(shop, *"ab")
        assert receiver.got == []
        shop.rows("UPDATE tracker.webhooks SET active = true WHERE id = %s RETURNING 1", hook)
        until(lambda: tags(receiver) == ["a", "b"])


def test_nothing_goes_inside_unless_the_configuration_allows_it(
    shop: "Shop", tmp_path: Path
) -> None:
    with receiving(take) as receiver, sending(shop.uri, tmp_path, allow_private=False):
        hook = add_webhook(shop, receiver.url, "closed")
        happen(shop, "a")
        until(lambda: deliveries(shop, hook) == [(1, "private-address", False)])
    assert receiver.got == []


def test_a_redirect_inward_is_not_followed(shop: "Shop", tmp_path: Path) -> None:
    with (
        receiving(take) as inner,
        receiving(say(308, Location=inner.url)) as outer,
        sending(shop.uri, tmp_path),
    ):
        hook = add_webhook(shop, outer.url, "closed")
        happen(shop, "a")
        until(lambda: deliveries(shop, hook) == [(1, "308", False)])
    assert inner.got == []


def test_while_a_secret_is_changed_both_sign(shop: "Shop", tmp_path: Path) -> None:
    with receiving(take) as receiver, sending(shop.uri, tmp_path):
        hook = add_webhook(shop, receiver.url, "closed")
        old = shop.one("SELECT secret FROM tracker.webhooks WHERE id = %s", hook)
        shop.rows(
            "UPDATE tracker.webhooks SET former_secret = secret, secret = DEFAULT WHERE id = %s"
            " RETURNING 1",
            hook,
        )
        new = shop.one("SELECT secret FROM tracker.webhooks WHERE id = %s", hook)
        happen(shop, "a")
        [received] = receiver.wait_for(1)
    headers = received.headers
    timestamp = int(headers["webhook-timestamp"])
    assert new != old
    assert headers["webhook-signature"] == sign(
        [new, old], headers["webhook-id"], timestamp, received.body
    )


def test_who_keeps_a_webhook_locked_delays_only_that_one(shop: "Shop", tmp_path: Path) -> None:
    with receiving(take) as first, receiving(take) as second, sending(shop.uri, tmp_path):
        locked = add_webhook(shop, first.url, "closed")
        add_webhook(shop, second.url, "closed")
        happen(shop, "a")
        until(lambda: tags(first) == tags(second) == ["a"])
        with psycopg.connect(shop.uri) as other:
            other.execute("UPDATE tracker.webhooks SET url = url || '&x' WHERE id = %s", (locked,))
            happen(shop, *"bcd")
            until(lambda: tags(second) == list("abcd"))
            other.commit()
        until(lambda: tags(first) == list("abcd"))
        until(lambda: deliveries(shop, locked) == [])


def test_much_that_waits_is_queued_a_part_at_a_time(shop: "Shop") -> None:
    hook = add_webhook(shop, "https://a.example/", "closed")
    shop.mask("a@x.example")
    shop.rows(
        "WITH head AS (UPDATE tracker.feed_head SET position = position + 5000 RETURNING position)"
        " INSERT INTO tracker.feed (position, at, published_at, store, order_id, order_number,"
        " event) SELECT position - 5000 + n, now(), now(), %s, 1, '1',"
        " CASE WHEN n %% 2 = 0 THEN 'closed' ELSE 'opened' END"
        " FROM head, generate_series(1, 5000) AS n RETURNING 1",
        shop.name,
    )
    counts = []
    for _ in range(12):
        more = shop.one("SELECT tracker.queue_webhook(%s, 1000)", hook)
        counts.append((shop.one("SELECT count(*) FROM tracker.webhook_deliveries"), more))
        shop.rows(
            "DELETE FROM tracker.webhook_deliveries WHERE position IN (SELECT position"
            " FROM tracker.webhook_deliveries ORDER BY position LIMIT 700) RETURNING 1"
        )
    assert all(waiting <= 1000 for waiting, _ in counts)
    head = shop.one("SELECT position FROM tracker.feed_head")
    assert counts[-1] == (0, False)
    assert state(shop, hook)["position"] == head


def test_a_webhook_that_wants_little_looks_at_a_bounded_part_at_a_time(shop: "Shop") -> None:
    hook = add_webhook(shop, "https://a.example/", "bounced")
    start = state(shop, hook)["position"]
    shop.rows(
        "WITH head AS (UPDATE tracker.feed_head SET position = position + 5000 RETURNING position)"
        " INSERT INTO tracker.feed (position, at, published_at, store, order_id, order_number,"
        " event) SELECT position - 5000 + n, now(), now(), %s, 1, '1', 'opened'"
        " FROM head, generate_series(1, 5000) AS n RETURNING 1",
        shop.name,
    )
    assert shop.one("SELECT tracker.queue_webhook(%s, 1000)", hook)
    assert state(shop, hook)["position"] == start + 2000
    assert shop.one("SELECT tracker.queue_webhook(%s, 1000)", hook)
    assert not shop.one("SELECT tracker.queue_webhook(%s, 1000)", hook)
    assert state(shop, hook)["position"] == shop.one("SELECT position FROM tracker.feed_head")


def test_what_left_the_feed_before_it_was_sent_is_told(shop: "Shop") -> None:
    hook = add_webhook(shop, "https://a.example/")
    happen(shop, "a", "b")
    shop.one("SELECT tracker.queue_webhook(%s, 1000)", hook)
    head = shop.one("SELECT position FROM tracker.feed_head")
    shop.rows("INSERT INTO tracker.feed_gone VALUES (%s, %s) RETURNING 1", shop.name, head - 1)
    shop.rows("DELETE FROM tracker.feed WHERE position < %s RETURNING 1", head)
    shop.one("SELECT tracker.queue_webhook(%s, 1000)", hook)
    assert len(deliveries(shop, hook)) == 1
    assert state(shop, hook)["lost_at"] is not None


def test_what_the_feed_has_no_more_keeps_back_nothing(shop: "Shop", tmp_path: Path) -> None:
    with receiving(say(500)) as receiver, sending(shop.uri, tmp_path):
        hook = add_webhook(shop, receiver.url, "closed")
        happen(shop, "lost")
        until(lambda: state(shop, hook)["failures"] == 1)
        shop.rows("DELETE FROM tracker.feed WHERE store = %s RETURNING 1", shop.name)
        receiver.behave = take
        pass_time(shop, hook, "1 hour")
        until(lambda: state(shop, hook)["lost_at"])
        assert deliveries(shop, hook) == []
        happen(shop, "a")
        until(lambda: tags(receiver)[1:] == ["a"])


def test_a_database_that_fails_is_asked_again(shop: "Shop", tmp_path: Path) -> None:
    with receiving(take) as receiver, sending(shop.uri, tmp_path):
        add_webhook(shop, receiver.url, "closed")
        happen(shop, "a")
        until(lambda: tags(receiver) == ["a"])
        shop.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        happen(shop, "b")
        until(lambda: tags(receiver)[-1] == "b")


def test_a_fault_of_the_database_is_told_each_time_anew(shop: "Shop", tmp_path: Path) -> None:
    """Not while it goes on, but again once it had been mended; and not that sending began anew."""
    told: list[Event] = []
    begun = mock.Mock()
    broken = "ALTER TABLE tracker.webhook_states RENAME TO elsewhere"
    mended = "ALTER TABLE tracker.elsewhere RENAME TO webhook_states"
    with (
        mock.patch.object(dispatcher.log, "error", lambda event, _error: told.append(event)),
        mock.patch.object(dispatcher.log, "webhooks", begun),
        receiving(take) as receiver,
        sending(shop.uri, tmp_path),
    ):
        add_webhook(shop, receiver.url, "closed")
        for number, tag in enumerate("abcd", 1):
            for each in (tag, tag * 2):  # at the second, what came of the first was noted
                happen(shop, each)
                until(lambda each=each: tags(receiver)[-1:] == [each])
            shop.connection.execute(broken.encode())
            try:
                until(lambda number=number: len(told) >= number)
                time.sleep(1)  # some tries more
            finally:
                shop.connection.execute(mended.encode())
            assert told == [Event.WEBHOOKS] * number
    begun.assert_called_once_with()


def test_where_no_thread_can_be_started_all_comes_later(
    shop: "Shop", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, full, refused = threading.Thread.start, threading.Event(), threading.Event()

    def refuse(thread: threading.Thread) -> None:
        if full.is_set() and thread.name.startswith("webhook-"):
            refused.set()
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    full.set()
    with receiving(take) as receiver, sending(shop.uri, tmp_path):
        add_webhook(shop, receiver.url, "closed")
        happen(shop, *"ab")
        assert refused.wait(30)
        full.clear()
        until(lambda: tags(receiver) == ["a", "b"])


def test_what_the_feed_has_no_more_is_not_waited_for(shop: "Shop", tmp_path: Path) -> None:
    """Somebody may keep it locked: then it has its turn later."""
    with receiving(say(500)) as receiver, sending(shop.uri, tmp_path):
        hook = add_webhook(shop, receiver.url, "closed")
        happen(shop, "a")
        until(lambda: state(shop, hook)["failures"] == 1)
    shop.rows("DELETE FROM tracker.feed WHERE store = %s RETURNING 1", shop.name)
    watchdog = Watchdog(10.0)
    limits = timeouts.get().webhooks
    with (
        Connection.connect(shop.uri, limits=limits) as connection,
        psycopg.connect(shop.uri) as other,
    ):
        deliveries = WebhookQueue(connection, watchdog)
        other.execute(
            "SELECT FROM tracker.webhook_states WHERE webhook_id = %s FOR UPDATE", (hook,)
        )
        assert deliveries.forget(hook) is None
        other.rollback()
        assert deliveries.forget(hook) == 1
        assert state(shop, hook)["lost_at"]


def test_the_command_lists_and_has_what_was_given_up_sent_again(
    shop: "Shop", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with receiving(say(500)) as receiver, sending(shop.uri, tmp_path):
        hook = add_webhook(shop, receiver.url, "closed")
        happen(shop, "a")
        until(lambda: state(shop, hook)["failures"] == 1)
        pass_time(shop, hook, "2 days")
        until(lambda: [dead for _, _, dead in deliveries(shop, hook)] == [True])

        def ask(*words: str) -> tuple[int, str]:
            code = cli.main(["-c", str(tmp_path / "tracker.conf"), "webhooks", *words])
            shown = capsys.readouterr()
            return code, shown.out + shown.err

        code, table = ask("list")
        assert code == 0
        assert str(hook) in table
        assert "127.0.0.1" in table
        assert "hidden" not in table
        code, text = ask("list", str(hook), "--json")
        [told] = json.loads(text)
        assert (told["dead"], told["waiting"], told["lastAnswer"]) == (1, 0, "500")
        assert told["store"] == shop.name
        receiver.behave = take
        assert ask("retry", str(hook)) == (0, "1 event will be sent again\n")
        until(lambda: deliveries(shop, hook) == [])
        assert ask("retry") == (0, "0 events will be sent again\n")
        code, text = ask("retry", "999999")
        assert (code, text) == (1, "conversation-tracker: no such webhook: 999999\n")
        shop.rows("UPDATE tracker.webhooks SET active = false WHERE id = %s RETURNING 1", hook)
        code, text = ask("retry", str(hook))
        assert (code, text) == (1, f"conversation-tracker: webhook {hook} is not active\n")
        assert ask("retry")[0] == 0
        code, text = ask("list", "999999")
        assert (code, text) == (1, "conversation-tracker: no such webhook: 999999\n")


def test_the_metrics_tell_what_is_behind_and_what_was_given_up(shop: "Shop") -> None:
    def lag() -> tuple[float, int]:
        [(behind, dead)] = shop.rows("SELECT behind, dead FROM tracker.webhook_lag()")
        return round(behind), dead

    assert lag() == (0, 0)
    hook = add_webhook(shop, "https://a.example/", "closed")
    assert lag() == (0, 0)
    happen(shop, "a", "b")
    shop.rows(
        "UPDATE tracker.feed SET published_at = published_at - interval '1 hour'"
        " WHERE store = %s RETURNING 1",
        shop.name,
    )
    assert lag() == (pytest.approx(3600, abs=60), 0)
    shop.one("SELECT tracker.queue_webhook(%s, 10)", hook)
    assert lag() == (pytest.approx(3600, abs=60), 0)
    shop.rows("UPDATE tracker.webhook_deliveries SET dead_at = now() RETURNING 1")
    assert lag() == (0, 2)
    shop.rows("UPDATE tracker.webhooks SET active = false RETURNING 1")
    assert lag() == (0, 0)


def test_check_sees_what_was_given_up_and_what_is_behind(shop: "Shop") -> None:
    hook = add_webhook(shop, "https://a.example/secret-path", "closed")
    happen(shop, "a", "b")
    shop.rows(
        "UPDATE tracker.feed SET published_at = published_at - interval '2 hours'"
        " WHERE store = %s RETURNING 1",
        shop.name,
    )
    webhooks = {each.webhook: each for each in read_state(shop.uri).webhooks}
    [line] = checks.check([webhooks[hook]], datetime.now(UTC))
    assert "has not got what happened 2 h ago" in str(line) or "120 min" in str(line)
    shop.one("SELECT tracker.queue_webhook(%s, 10)", hook)
    shop.rows("UPDATE tracker.webhook_deliveries SET dead_at = now(), said = '500' RETURNING 1")
    webhooks = {each.webhook: each for each in read_state(shop.uri).webhooks}
    [line] = checks.check([webhooks[hook]], datetime.now(UTC))
    assert "2 events were given up after a day (last answer: 500)" in str(line)


def test_behind_a_pooler_all_is_as_without_it(
    shop: "Shop", postgres: "Postgres", tmp_path: Path
) -> None:
    settings = {"default_pool_size": "2", "ignore_startup_parameters": ""}
    with (
        PgBouncer(postgres.port, settings=settings) as bouncer,
        receiving(take) as first,
        receiving(say(500)) as second,
        sending(bouncer.uri(shop.connection.info.dbname), tmp_path),
    ):
        hooks = [add_webhook(shop, each.url, "closed") for each in (first, second)]
        happen(shop, *"abc")
        until(lambda: tags(first) == list("abc"))
        until(lambda: deliveries(shop, hooks[0]) == [])
        until(lambda: state(shop, hooks[1])["failures"] == 2)
        with psycopg.connect(shop.uri) as other:
            other.execute("UPDATE tracker.webhooks SET active = true WHERE id = %s", (hooks[1],))
            happen(shop, "d")
            until(lambda: tags(first) == list("abcd"))
        second.behave = say(410)
        pass_time(shop, hooks[1], "1 hour")
        until(lambda: state(shop, hooks[1])["gone_at"])
