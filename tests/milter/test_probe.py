"""What `check` asks the running tracker: whether forged results would be believed."""

from collections.abc import Iterator
from time import time
from typing import TYPE_CHECKING

import pytest

from conversation_tracker.core.model import replies
from conversation_tracker.core.rules import probe
from private.tracker import Tracker
from world import BUYER, CARRIER, DOMAIN, LOCAL, OUTSIDE, World, mail, seeded

if TYPE_CHECKING:
    from private.postgres import Postgres

ID = "mx.example.com"
FORGED = f"Authentication-Results: {ID}; dkim=pass header.d=carrier.example"
OWN_ADDRESS = {"{client_addr}": "192.0.2.9", "{daemon_addr}": "192.0.2.9"}


@pytest.fixture(scope="module")
def running(postgres: "Postgres", migrated: str) -> Iterator[World]:
    uri = seeded(postgres, migrated, "probe")
    with Tracker(uri, options={"workers": "1", "authserv_id": ID}) as tracker:
        yield World(tracker, uri)
        assert "Traceback" not in tracker.log_text()
    postgres.drop_database("probe")


@pytest.fixture
def world(running: World) -> World:
    return running


def asked(world: World, ago: float = 0.0, domain: str = DOMAIN, secret: bytes = b"") -> str:
    """Make a probe's address."""
    key = secret or bytes(world.sql("SELECT key FROM tracker.secrets"))
    return probe.make_address(domain, time() - ago, key)


@pytest.mark.parametrize("macros", [LOCAL, {"{client_addr}": "::1"}, OWN_ADDRESS])
def test_a_probe_hears_what_would_be_believed_of_a_stranger(
    world: World, macros: dict[str, str]
) -> None:
    """A client on this host is trusted as a rule; what it asks is about somebody outside."""
    result = world.send("", asked(world), mail(CARRIER, FORGED), macros)
    assert result.reply.text == str(replies.PROBE_BELIEVED)
    result = world.send("", asked(world), mail(CARRIER), macros)
    assert result.reply.text == str(replies.PROBE_FAILED)


def test_a_probe_goes_nowhere_whoever_else_it_is_for(world: World) -> None:
    order = world.order()
    buyer = world.alias(BUYER, order, "buyer")
    result = world.send("", [buyer, asked(world)], mail(CARRIER, FORGED), LOCAL)
    assert result.reply.text == str(replies.PROBE_BELIEVED)
    assert (result.actions, world.messages(order)) == ((), 0)


@pytest.mark.parametrize("macros", [OUTSIDE, {"{client_addr}": ""}])
def test_nobody_on_another_host_may_ask(world: World, macros: dict[str, str]) -> None:
    to = asked(world)
    result = world.send("", to, mail(CARRIER, FORGED), macros)
    assert result.refused[to].text == str(replies.UNKNOWN_ALIAS)


def test_on_the_splitters_listener_nobody_may_ask(world: World) -> None:
    to = asked(world)
    macros = LOCAL | {"{daemon_name}": "tracker-split"}
    result = world.send("", to, mail(CARRIER, FORGED), macros)
    assert result.refused[to].text == str(replies.UNKNOWN_ALIAS)


def test_who_has_not_the_secret_or_asks_late_asks_nobody(world: World) -> None:
    right = asked(world)
    for to in (
        asked(world, secret=bytes(32)),
        asked(world, ago=700),
        asked(world, ago=-700),
        asked(world, domain="busy.example.net").replace("busy.example.net", DOMAIN),
        right.replace("-", ""),
        f"probe-{right.split('-')[1]}@{DOMAIN}",
    ):
        result = world.send("", to, mail(CARRIER, FORGED), LOCAL)
        assert result.refused[to].text == str(replies.UNKNOWN_ALIAS)


def test_the_next_message_of_a_connection_is_no_probe(world: World) -> None:
    order = world.order()
    buyer = world.alias(BUYER, order, "buyer")
    with world.wire(**LOCAL) as wire:
        wire.connect()
        wire.helo()
        assert not wire.send("", asked(world), mail(CARRIER, FORGED)).reply.ok
        assert wire.send(CARRIER, buyer, mail(CARRIER)).reply.ok
    assert world.messages(order) == 1


@pytest.mark.parametrize(
    ("names", "reply"),
    [
        (["out.carrier.example"], replies.PROBE_BELIEVED),
        ([], replies.PROBE_BELIEVED),
        ([f"x; dkim=pass header.d={DOMAIN}"], replies.PROBE_FAILED),
        (["out.carrier.example", "x;y"], replies.PROBE_FAILED),
        (["x;y", "out.carrier.example"], replies.PROBE_BELIEVED),
        (["h\u00e9"], replies.PROBE_FAILED),
    ],
)
def test_the_last_name_a_client_gave_itself_counts(
    world: World, names: list[str], reply: replies.Reply
) -> None:
    """It is the one that verifiers write into their results; it holds for each message."""
    with world.wire(**LOCAL) as wire:
        wire.connect()
        for name in names:
            wire.helo(name)
        for _ in range(2):
            result = wire.send("", asked(world), mail(CARRIER, FORGED))
            assert result.reply.text == str(reply)
