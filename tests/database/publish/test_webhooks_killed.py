"""The whole publisher, killed again and again: no webhook misses an event, repeats can be told."""

import base64
import hashlib
import hmac
import json
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from receiver import Handler, Received, make_authority, receiving, take
from sending import add_webhook, deliveries, until

from private import processes
from private.publisher import Publisher

if TYPE_CHECKING:
    from tests.database.conftest import Shop

EVENTS = 400


@pytest.fixture
def publisher(tmp_path: Path, shop: "Shop") -> Iterator[Publisher]:
    """Return a publisher that may send inside, and was not started."""
    found = Publisher(tmp_path, shop.uri)
    with (tmp_path / "tracker.conf").open("a") as file:
        file.write("[publish]\nallow_private = yes\n")
    yield found
    found.close()


def queue_events(shop: "Shop", first: int, last: int) -> None:
    """Queue events that are told by their numbers, each in a transaction of its own."""
    order = shop.order()["id"]
    for number in range(first, last):
        shop.rows(
            "SELECT tracker.note_event('closed', %s,"
            " detail => jsonb_build_object('number', %s::integer))",
            order, number,
        )  # fmt: skip


def number_of(received: Received) -> int:
    return int(json.loads(received.body)["data"]["detail"]["number"])


def test_killed_at_any_moment_it_misses_nothing_and_repeats_have_the_same_id(
    shop: "Shop", publisher: Publisher
) -> None:
    """One receiver is quick, the other fails now and then; the publisher dies eight times."""
    chance = random.Random(23)

    def waver(handler: Handler) -> None:
        handler.answer(200 if chance.random() < 0.9 else 422)

    shop.mask("a@x.example")
    with receiving(take) as good, receiving(waver) as bad:
        hooks = [add_webhook(shop, each.url, "closed") for each in (good, bad)]
        for number in range(8):
            publisher.start("publishing")
            queue_events(shop, number * EVENTS // 8, (number + 1) * EVENTS // 8)
            time.sleep(chance.random())
            publisher.end(signal.SIGKILL)
        publisher.start("publishing")
        until(lambda: {number_of(each) for each in good.got} == set(range(EVENTS)))
        until(lambda: {number_of(each) for each in bad.got} == set(range(EVENTS)))

        def press() -> bool:
            shop.rows("UPDATE tracker.webhook_deliveries SET next_at = now() RETURNING 1")
            return not any(deliveries(shop, hook) for hook in hooks)

        assert processes.until(press, 60)
        assert publisher.end() == 0
        for receiver in (good, bad):
            pairs = {(number_of(each), each.headers["webhook-id"]) for each in receiver.got}
            assert len(pairs) == EVENTS
            assert len({identifier for _, identifier in pairs}) == EVENTS
        first = list(dict.fromkeys(map(number_of, good.got)))
        assert first == sorted(first)
        # What is sent twice is what was under way when it died.
        assert len(good.got) - EVENTS <= 8
    assert {each.headers["webhook-id"] for each in good.got} == {
        each.headers["webhook-id"] for each in bad.got
    }


def test_it_sends_over_tls_to_whom_the_systems_authorities_know(
    shop: "Shop", publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = make_authority()
    shop.mask("a@x.example")
    with receiving(take, authority.serve("localhost")) as receiver:
        url = f"https://localhost:{receiver.port}/hook"
        hook = add_webhook(shop, url, "closed")
        secret = shop.one("SELECT secret FROM tracker.webhooks WHERE id = %s", hook)
        publisher.start("webhooks")
        queue_events(shop, 0, 1)
        until(lambda: deliveries(shop, hook) == [(1, "certificate", False)])
        assert receiver.got == []
        publisher.end()
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.folder / "ca.pem"))
        publisher.start("webhooks")
        shop.rows("UPDATE tracker.webhook_deliveries SET next_at = now() RETURNING 1")
        [received] = receiver.wait_for(1)
    headers = received.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + received.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{made}"
    said = (tmp_path / "said").read_text()
    assert "/hook" not in said
    assert secret not in said
