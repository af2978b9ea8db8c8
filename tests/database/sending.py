"""Webhooks as tests add them, and what sends them, in a thread of this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from publisher import publish

from conversation_tracker.config import config
from conversation_tracker.publish.webhooks import dispatcher
from private import processes

if TYPE_CHECKING:
    from tests.database.conftest import Shop


def add_webhook(shop: "Shop", url: str, *events: str) -> int:
    """Add a webhook of a store and return its id."""
    query = "INSERT INTO tracker.webhooks (store, url, events) VALUES (%s, %s, %s) RETURNING id"
    return int(shop.one(query, shop.name, url, list(events)))


def happen(shop: "Shop", *tags: str, number: str = "1") -> None:
    """Have an order closed once for each of these tags, and publish it."""
    shop.mask("a@x.example", number)
    for tag in tags:
        shop.rows(
            "SELECT tracker.note_event('closed', %s,"
            " detail => jsonb_build_object('tag', %s::text))",
            shop.order(number)["id"], tag,
        )  # fmt: skip
    publish(shop.uri)


def state(shop: "Shop", webhook: int) -> dict[str, Any]:
    """Return how a webhook is doing."""
    return shop.row("SELECT * FROM tracker.webhook_states WHERE webhook_id = %s", webhook)


def deliveries(shop: "Shop", webhook: int) -> list[tuple[Any, ...]]:
    """Return what waits or is dead: tries, answer, whether it is dead."""
    query = (
        "SELECT attempts, said, dead_at IS NOT NULL FROM tracker.webhook_deliveries"
        " WHERE webhook_id = %s ORDER BY position"
    )
    return shop.rows(query, webhook)


def pass_time(shop: "Shop", webhook: int, interval: str) -> None:
    """Have so much time pass for a webhook."""
    shop.rows(
        "WITH s AS (UPDATE tracker.webhook_states SET held_until = held_until - %(by)s::interval,"
        " failing_since = failing_since - %(by)s::interval WHERE webhook_id = %(hook)s)"
        " UPDATE tracker.webhook_deliveries SET next_at = next_at - %(by)s::interval,"
        " queued_at = queued_at - %(by)s::interval WHERE webhook_id = %(hook)s RETURNING 1"
        .replace("%(by)s", f"'{interval}'").replace("%(hook)s", str(webhook))
    )  # fmt: skip


@contextmanager
def sending(uri: str, home: Path, *, allow_private: bool = True) -> Iterator[None]:
    """Send webhooks during the block."""
    file = home / "tracker.conf"
    switch = "yes" if allow_private else "no"
    file.write_text(
        f"[tracker]\ndatabase = {uri}\nsocket = unix:{home}/milter.sock\n"
        f"[publish]\nallow_private = {switch}\n"
    )
    stopped = threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(config.load(file, {}), stopped))
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(30)
        assert not thread.is_alive()


def until(done: Any) -> None:
    """Wait for something."""
    assert processes.until(done, 30)
