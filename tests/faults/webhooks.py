"""A receiver of webhooks held against the feed: it has every event, and can tell repeats."""

import json
import sys
from pathlib import Path

import psycopg

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit"))
from receiver import Received, Receiver, receiving, take

__all__ = ["Receiver", "add", "faults", "receiving", "take", "waiting"]

_ADD = "INSERT INTO tracker.webhooks (store, url) VALUES ('shop', %s)"
# A busy machine may answer too late: nobody waits for minutes here.
_PRESS = """
    WITH d AS (UPDATE tracker.webhook_deliveries SET next_at = now() WHERE attempts > 0)
    UPDATE tracker.webhook_states SET held_until = NULL WHERE held_until IS NOT NULL"""
_WAITING = """
    SELECT (SELECT count(*) FROM tracker.webhook_deliveries)
           + (SELECT count(*) FROM tracker.webhook_states AS s, tracker.feed_head AS h
               WHERE s.position < h.position)"""
_FEED = """
    SELECT position, replace(event::text, ' ', '_'), order_number
      FROM tracker.feed WHERE position > %s"""


def add(uri: str, receiver: Receiver) -> None:
    """Have all events of the store sent to a receiver."""
    with psycopg.connect(uri) as connection:
        connection.execute(_ADD, (receiver.url,))


def waiting(uri: str) -> int:
    """Return how much is still to be sent, and have it sent at once."""
    with psycopg.connect(uri) as connection:
        connection.execute(_PRESS.encode())
        [(count,)] = connection.execute(_WAITING).fetchall()
    return int(count)


def faults(uri: str, since: int, got: list[Received]) -> list[str]:
    """Return what a receiver lacks of the feed behind a position, or has beyond it."""
    with psycopg.connect(uri) as connection:
        rows = connection.execute(_FEED, (since,)).fetchall()
    told: dict[int, set[tuple[str, str, str]]] = {}
    for received in got:
        body = json.loads(received.body)
        known = (received.headers["webhook-id"], body["type"], body["data"]["order_number"])
        told.setdefault(body["data"]["position"], set()).add(known)
    found = [f"webhook: {position} never came" for position, *_ in rows if position not in told]
    found += [
        f"webhook: {position} came in several forms" for position in told if len(told[position]) > 1
    ]
    for position, event, number in rows:
        if any(each[1:] != (event, number) for each in told.get(position, ())):
            found.append(f"webhook: {position} came as another event")
    beyond = {each for each in told if each > since} - {position for position, *_ in rows}
    identifiers = {each[0] for forms in told.values() for each in forms}
    if len(identifiers) != len(told):
        found.append("webhook: two events have the same identifier")
    return found + [f"webhook: {position} is not in the feed" for position in sorted(beyond)]
