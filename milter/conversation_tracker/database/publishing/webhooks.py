"""Webhooks: what is to be sent and what came of it, and how each is doing.

Deciding is not done here. No statement leaves a transaction open while a receiver is waited for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg.errors import DeadlockDetected, LockNotAvailable

from conversation_tracker.database.connection import Connection
from conversation_tracker.database.deadline import Watchdog
from conversation_tracker.database.orders import connect

_LOOK = """
    SELECT w.id, s.position < (SELECT h.position FROM tracker.feed_head AS h),
           s.held_until > now() IS TRUE,
           EXISTS (SELECT FROM tracker.webhook_deliveries AS d
                        WHERE d.webhook_id = w.id AND d.dead_at IS NULL AND d.next_at <= now())
      FROM tracker.webhooks AS w JOIN tracker.webhook_states AS s ON s.webhook_id = w.id
     WHERE w.active
     ORDER BY w.id"""
_QUEUE = "SELECT tracker.queue_webhook(%s, %s)"
_HOOK = """
    SELECT w.id, w.url, array_remove(ARRAY[w.secret, w.former_secret], NULL), s.failures,
           s.failing_since
      FROM tracker.webhooks AS w JOIN tracker.webhook_states AS s ON s.webhook_id = w.id
     WHERE w.id = %s AND w.active"""
# Of a receiver that fails, one is tried that was tried least: what it cannot take must not stand
# for what it can.
_DUE = """
    SELECT d.attempts, f.position, f.at, f.published_at, f.store, f.order_number, f.event::text,
           f.alias, f.detail
      FROM (SELECT n.position, n.published_at, n.attempts FROM tracker.webhook_deliveries AS n
             WHERE n.webhook_id = %(hook)s AND n.dead_at IS NULL AND n.next_at <= now()
             ORDER BY CASE WHEN %(failing)s THEN n.attempts END, n.position
             LIMIT %(most)s) AS d
      JOIN tracker.feed AS f ON f.position = d.position AND f.published_at = d.published_at
     ORDER BY CASE WHEN %(failing)s THEN d.attempts END, d.position"""
# The feed has these no more.
_FORGET = """
    WITH hook AS (SELECT %s::bigint AS id),
    gone AS (
        DELETE FROM tracker.webhook_deliveries AS d
         WHERE d.webhook_id = (SELECT id FROM hook)
           AND NOT EXISTS (SELECT FROM tracker.feed AS f
                            WHERE f.position = d.position AND f.published_at = d.published_at)
        RETURNING 1),
    told AS (
        UPDATE tracker.webhook_states SET lost_at = now()
         WHERE webhook_id = (SELECT id FROM hook) AND EXISTS (SELECT FROM gone))
    SELECT count(*) FROM gone"""
_SETTLE = "SELECT tracker.settle_webhook(%s, %s, %s, %s, %s, %s)"
_FORWARD = """
    WITH forward AS (
        UPDATE tracker.webhook_deliveries SET next_at = now()
         WHERE webhook_id = %s AND dead_at IS NULL AND next_at > now()
        RETURNING 1)
    SELECT count(*) FROM forward"""
_END = "SELECT tracker.end_webhook(%s, %s)::integer"
_RETRY = "SELECT tracker.retry_webhooks(%s)"
_STATES = """
    SELECT w.id, w.store, w.url, w.events, w.active, s.gone_at, s.lost_at, s.delivered_at,
           s.failing_since, waiting.number, waiting.since, dead.number,
           coalesce(waiting.said, dead.said),
           least(waiting.since,
                 CASE WHEN s.position < h.position
                      THEN (SELECT f.published_at FROM tracker.feed AS f
                             WHERE f.store = w.store AND f.position > s.position
                             ORDER BY f.position LIMIT 1) END)
      FROM tracker.webhooks AS w
      JOIN tracker.webhook_states AS s ON s.webhook_id = w.id
      CROSS JOIN tracker.feed_head AS h
      CROSS JOIN LATERAL (
           SELECT count(*) AS number, min(d.published_at) AS since,
                  (array_agg(d.said ORDER BY d.next_at DESC) FILTER (WHERE d.said IS NOT NULL))[1]
                      AS said
             FROM tracker.webhook_deliveries AS d
            WHERE d.webhook_id = w.id AND d.dead_at IS NULL) AS waiting
      CROSS JOIN LATERAL (
           SELECT count(*) AS number,
                  (array_agg(d.said ORDER BY d.dead_at DESC))[1] AS said
             FROM tracker.webhook_deliveries AS d
            WHERE d.webhook_id = w.id AND d.dead_at IS NOT NULL) AS dead
     ORDER BY w.store, w.id"""


@dataclass(frozen=True, slots=True)
class Work:
    """A webhook, as one look finds it.

    Attributes:
        webhook: its id.
        behind: the feed has what it has not looked at.
        held: its receiver is left alone for now.
        due: something is to be sent now.
    """

    webhook: int
    behind: bool
    held: bool
    due: bool


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook to send to.

    Attributes:
        webhook: its id.
        url: where to.
        secrets: what to sign with.
        failures: events that failed at its receiver since the last that did not.
        failing_since: when the first of them was.
    """

    webhook: int
    url: str = field(repr=False)
    secrets: Sequence[str] = field(repr=False)
    failures: int
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class WebhookState:
    """How a webhook is doing.

    Attributes:
        webhook: its id.
        store: whose events.
        url: where they go.
        events: which; empty for all.
        active: whether anything is sent.
        gone_at: when its receiver said that it wants no more.
        lost_at: when events last left the feed before they were sent.
        delivered_at: when its receiver last took one.
        failing_since: since when it took none, though it was tried.
        waiting: how many events were queued and wait.
        waiting_since: when the first of them was published.
        dead: how many were given up.
        said: what came of the last try of what waits, else of what is dead.
        behind_since: when the first event was published that it does not have.
    """

    webhook: int
    store: str
    url: str = field(repr=False)
    events: Sequence[str]
    active: bool
    gone_at: datetime | None
    lost_at: datetime | None
    delivered_at: datetime | None
    failing_since: datetime | None
    waiting: int
    waiting_since: datetime | None
    dead: int
    said: str | None
    behind_since: datetime | None

    @property
    def host(self) -> str:
        """What may be shown of the URL: its path may hold a secret of the receiver's."""
        return self.url.split("/")[2]

    @property
    def condition(self) -> Literal["active", "failing", "gone", "off"]:
        """Its state in a word; gone: its receiver answered 410."""
        if not self.active:
            return "off" if self.gone_at is None else "gone"
        return "active" if self.failing_since is None else "failing"


class WebhookQueue:
    """What the publisher asks, on a connection of its own; every method may raise psycopg.Error."""

    def __init__(self, connection: Connection, watchdog: Watchdog) -> None:
        """Take a connection in autocommit, and what ends a question that takes too long."""
        self._connection = connection
        self._watchdog = watchdog

    def look(self) -> list[Work]:
        """Return every active webhook."""
        return [Work(*row) for row in self._fetch(_LOOK)]

    def queue(self, webhook: int, most: int) -> bool:
        """Queue the next events it wants; return whether there are more to look at at once."""
        [(more,)] = self._fetch(_QUEUE, webhook, most)
        return bool(more)

    def read_hook(self, webhook: int) -> Hook | None:
        """Return where and how to send, None if it is not active any more."""
        return next((Hook(*row) for row in self._fetch(_HOOK, webhook)), None)

    def read_due(self, webhook: int, most: int, *, failing: bool) -> list[tuple[int, Any]]:
        """Return what is to be sent now.

        Args:
            webhook: its id.
            most: how many at most.
            failing: its receiver fails: what was tried least comes first, and not what is oldest.

        Returns:
            For each delivery how often it was tried, and the event's columns.
        """
        with self._watchdog.watching(self._connection), self._connection.apply_limits():
            rows = self._connection.execute(
                _DUE, {"hook": webhook, "failing": failing, "most": most}
            ).fetchall()
        return [(attempts, columns) for attempts, *columns in rows]

    def forget(self, webhook: int) -> int | None:
        """Drop the deliveries whose events left the feed.

        Returns:
            How many there were; None if somebody keeps the webhook locked.
        """
        return self._try(_FORGET, webhook)

    def settle(
        self,
        webhook: int,
        position: int,
        said: str,
        pause: float | None,
        hold: float | None,
        failures: int,
    ) -> int | None:
        """Note what came of one delivery.

        Args:
            webhook: its id.
            position: the event's.
            said: the answer.
            pause: seconds until the next try, None if the receiver has it.
            hold: seconds for which the receiver is left alone, None if the fault is the event's.
            failures: events that have failed at the receiver by now, one after another.

        Returns:
            How many deliveries are given up now; None if somebody keeps the webhook locked.
        """
        return self._try(_SETTLE, webhook, position, said, pause, hold, failures)

    def bring_forward(self, webhook: int) -> int | None:
        """Have all that waits for its next try sent at once: the receiver is back.

        Returns:
            How many; None if somebody keeps the webhook locked.
        """
        return self._try(_FORWARD, webhook)

    def end(self, webhook: int, url: str) -> int | None:
        """Make a webhook inactive whose receiver is gone.

        Returns:
            1, 0 if it was changed meanwhile; None if somebody keeps it locked.
        """
        return self._try(_END, webhook, url)

    def _try(self, statement: Any, *values: object) -> int | None:
        try:
            [(number,)] = self._fetch(statement, *values)
        except (LockNotAvailable, DeadlockDetected):
            return None
        return int(number)

    def _fetch(self, statement: Any, *values: object) -> list[Any]:
        with self._watchdog.watching(self._connection), self._connection.apply_limits():
            return self._connection.execute(statement, values).fetchall()


def read_webhooks(conninfo: str) -> list[WebhookState]:
    """Return how each webhook is doing.

    Args:
        conninfo: a libpq URI or connection string.

    Raises:
        Failure: the database does not answer, or refuses.
    """
    with connect(conninfo) as connection:
        return read_states(connection)


def read_states(connection: psycopg.Connection[Any]) -> list[WebhookState]:
    """Return how each webhook is doing.

    Raises:
        psycopg.Error: as the driver does.
    """
    return [WebhookState(*row) for row in connection.execute(_STATES).fetchall()]


def retry_webhooks(conninfo: str, webhook: int | None) -> int:
    """Have dead deliveries sent again; return how many.

    Args:
        conninfo: a libpq URI or connection string.
        webhook: of this one only.

    Raises:
        Failure: there is no such webhook; the database does not answer, or refuses.
    """
    with connect(conninfo) as connection:
        [(again,)] = connection.execute(_RETRY, (webhook,)).fetchall()
    return int(again)
