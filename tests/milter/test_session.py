"""`serve` on the wire: what Postfix asks and is answered, message by message."""

import fcntl
import json
import re
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from actions import AddHeader, AddRecipient, ChangeFrom, ChangeHeader, DeleteRecipient, ReplaceBody
from conversation_tracker.core.model import replies
from packets import EVENTS, Packets
from private import processes
from private.postgres import Postgres
from private.tracker import Tracker
from wire import Result, Wire
from world import (
    BUYER,
    CARRIER,
    DOMAIN,
    LOCAL,
    OUTSIDE,
    QUEUE_ID,
    SHOP,
    STRANGER,
    World,
    mail,
    seeded,
    workers,
)


@pytest.fixture(scope="module")
def running(postgres: Postgres, migrated: str) -> Iterator[World]:
    """Share one tracker among the tests; at the end, its log must hold none of the addresses."""
    uri = seeded(postgres, migrated, "session")
    with Tracker(uri, options={"workers": "2"}) as tracker:
        world = World(tracker, uri)
        yield world
        log = tracker.log_text().lower()
        assert [each for each in world.used if "@" in each and each.lower() in log] == []
        assert tracker.events("worker-died") == []
        assert "Traceback" not in tracker.log_text()
    postgres.drop_database("session")


@pytest.fixture
def world(running: World) -> World:
    return running


def bounce_of(result: Result) -> ChangeFrom:
    """Return the envelope sender that was set."""
    [change] = [each for each in result.actions if isinstance(each, ChangeFrom)]
    return change


# What is asked of Postfix


def test_only_what_is_needed_is_asked_for(world: World) -> None:
    """Each round trip costs: connect, DATA and end of headers are not even sent."""
    packets = Packets(world.tracker.socket, 10.0)
    packets.close()
    unsent = {name for name, (_, bit, _, _) in EVENTS.items() if packets.steps & bit}
    unanswered = {name for name, (_, _, bit, _) in EVENTS.items() if packets.steps & bit}
    assert unsent == {"connect", "data", "eoh", "unknown"}
    assert unanswered >= {"helo", "mail", "header", "body"}
    assert not unanswered & {"rcpt", "eom"}


def test_macros_are_asked_for_by_name(world: World) -> None:
    packets = Packets(world.tracker.socket, 10.0)
    packets.close()
    asked = {"{auth_authen}", "{client_addr}", "{daemon_addr}", "{daemon_name}"}
    assert set(packets._lists[2].split()) == asked
    # An empty list is none for Postfix: it would send its own.
    assert [packets._lists[stage].split() for stage in (0, 1, 3, 5)] == [["i"]] * 4


def test_mail_that_a_reader_sends_on_to_the_store_itself_is_masked(world: World) -> None:
    """Of mail to no alias nothing is looked at, but for this: its body must be known by then."""
    order = world.order()
    alias = world.alias(CARRIER, order)
    world.alias(BUYER, order, "buyer")
    fields = (f"Resent-From: {BUYER}", "X-Conversation-Hops: 1")
    for body in ("Hello\r\n", f"Sent to {BUYER}.\r\n"):
        sent = mail(alias, *fields, f"Subject: {len(body)}", body=body)
        result = world.send(BUYER, SHOP, sent)
        assert result.leaves.recipients == (SHOP.encode(),)
        assert result.leaves.sender.startswith(b"bounce-")
        assert BUYER.encode() not in result.leaves.data
        assert result.leaves.data.endswith(b".\r\n" if "Sent" in body else b"Hello\r\n")
    assert world.messages(order) == 2
    stranger = mail(alias, f"Resent-From: {STRANGER}", "X-Conversation-Hops: 1")
    assert world.send(STRANGER, SHOP, stranger).reply.text == str(replies.LOOP)


# RCPT


@pytest.fixture(scope="module")
def cases(running: World) -> dict[str, str]:
    """Return an alias of each kind by what it is."""
    expired, order = running.order(), running.order()
    found = {
        "live": running.alias(BUYER, order, "buyer"),
        "store": running.alias(SHOP, order),
        "expired": running.alias(BUYER, expired, "buyer"),
        "expired soft": running.alias(SHOP, expired),
        "inactive": running.alias(BUYER, running.order(), "buyer", "closed"),
    }
    found["soft of nobody"] = found["store"].replace("sales@", "ann@")
    found["expired soft of nobody"] = found["expired soft"].replace("sales@", "ann@")
    running.sql("UPDATE tracker.orders SET expires_at = now() WHERE number = %s", expired)
    running.sql("UPDATE tracker.stores SET active = false WHERE name = 'closed'")
    return found


@pytest.mark.parametrize(
    ("recipient", "reply"),
    [
        ("live", None),
        ("store", None),
        ("expired", replies.EXPIRED_ALIAS),
        ("expired soft", replies.EXPIRED_ALIAS),
        ("expired soft of nobody", replies.EXPIRED_ALIAS),
        ("soft of nobody", replies.UNKNOWN_ALIAS),
        ("inactive", replies.TRY_LATER),
        (f"{'0' * 32}@{DOMAIN}", replies.UNKNOWN_ALIAS),
        (f"john@doe.example-123456789012b.{DOMAIN}", replies.UNKNOWN_ALIAS),
        (f"webmaster@{DOMAIN}", replies.UNKNOWN_ALIAS),
        (f"Postmaster@{DOMAIN}", None),
        (f"john@x.{DOMAIN}", replies.UNKNOWN_ALIAS),
        (f"a b@{DOMAIN}", replies.UNKNOWN_ALIAS),
        (f"{'l' * 300}@{DOMAIN}", replies.UNKNOWN_ALIAS),
        (f"{'0' * 32}@{DOMAIN.upper()}.", replies.UNKNOWN_ALIAS),
        (f"bounce-{'0' * 32}@{DOMAIN}", replies.UNKNOWN_ALIAS),
        (STRANGER, None),
        ("postmaster", None),
        (f"john@not{DOMAIN}", None),
        (f"{'l' * 300}@elsewhere.example", None),
    ],
)
def test_a_recipient_is_accepted_or_refused(
    world: World, cases: dict[str, str], recipient: str, reply: replies.Reply | None
) -> None:
    address = cases.get(recipient, recipient)
    world.used.add(address)
    with world.wire() as wire:
        wire.mail(CARRIER)
        for spelled in (address, address.upper()):
            answer = wire.rcpt(spelled)
            assert answer.text == ("" if reply is None else str(reply))
            assert answer.kind == (
                "continue" if reply is None else "tempfail" if reply.is_temporary else "reject"
            )


def test_a_source_route_is_ignored(world: World, cases: dict[str, str]) -> None:
    """RFC 5321 section 4.1.1.3."""
    with world.wire() as wire:
        wire.mail(CARRIER)
        assert wire.rcpt(f"<@relay.example:{cases['live']}>").ok
        assert not wire.rcpt(f"<@relay.example:{'0' * 32}@{DOMAIN}>").ok


def test_a_bounce_address_takes_reports_for_deliveries_only(world: World) -> None:
    with world.wire() as wire:
        wire.mail("<>")
        reply = wire.rcpt(f"bounce-{'0' * 32}@{DOMAIN}")
        assert reply.text == str(replies.UNKNOWN_ALIAS)


# Whole messages


def test_a_message_to_one_leaves_as_their_own_copy(world: World) -> None:
    order = world.order()
    buyer = world.alias(BUYER, order, "buyer")
    carrier = world.alias(CARRIER, order)
    data = mail(CARRIER, f"To: John <{buyer}>", "Received: from x", body=f"I am {CARRIER}\r\n")
    result = world.send("return@carrier.example", buyer, data)
    assert result.actions[0] == bounce_of(result)
    assert re.fullmatch(rb"<bounce-[0-9a-f]{32}@ct\.example\.com>", bounce_of(result).address)
    assert bounce_of(result).parameters == f"RET=HDRS ENVID={QUEUE_ID}".encode()
    assert result.actions[1:] == (
        ChangeHeader(1, b"Received", b""),
        ChangeHeader(1, b"To", f"John <{BUYER}>".encode()),
        ChangeHeader(1, b"From", carrier.encode()),
        AddHeader(b"X-Conversation-Hops", b"1"),
        ReplaceBody(f"I am {carrier}\r\n".encode()),
        DeleteRecipient(f"<{buyer}>".encode()),
        AddRecipient(f"<{BUYER}>".encode()),
    )
    assert result.leaves.recipients == (BUYER.encode(),)
    assert result.leaves.data == mail(
        carrier, f"To: John <{BUYER}>", "X-Conversation-Hops: 1", body=f"I am {carrier}\r\n"
    )
    assert world.messages(order) == 1


def test_the_null_sender_stays_null(world: World) -> None:
    for null in ("<>", ""):
        buyer = world.alias(BUYER, world.order(), "buyer")
        with world.wire() as wire:
            wire.mail(null.encode() or b"<>")
            wire.rcpt(buyer)
            wire.header(b"From", CARRIER.encode())
            reply, actions = wire.eom()
        assert reply.kind == "continue"
        assert not [each for each in actions if isinstance(each, ChangeFrom)]
        assert [each for each in actions if isinstance(each, AddRecipient)]


def test_several_recipients_are_left_to_the_splitter(world: World) -> None:
    order = world.order()
    aliases = [world.alias(BUYER, order, "buyer"), world.alias(SHOP, order)]
    result = world.send(CARRIER, aliases, mail(CARRIER, "Bcc: x@y.example"))
    assert [type(each).__name__ for each in result.actions] == ["ChangeHeader", "AddHeader"]
    assert result.leaves.recipients == tuple(each.encode() for each in aliases)
    queued = result.leaves.data
    for alias, real in zip(aliases, (BUYER, SHOP), strict=True):
        macros = LOCAL | {"{daemon_name}": "tracker-split"}
        copy = world.send(CARRIER, alias, queued, macros)
        assert copy.leaves.recipients == (real.encode(),)
        assert b"X-Conversation-Pass" not in copy.leaves.data
        assert CARRIER.encode() not in copy.leaves.data
    assert world.messages(order) == 1
    deliveries = world.sql(
        "SELECT count(*) FROM tracker.deliveries AS d JOIN tracker.messages AS m"
        " ON m.id = d.message_id JOIN tracker.orders AS o ON o.id = m.order_id"
        " WHERE o.number = %s",
        order,
    )
    assert deliveries == 2


def test_a_copy_whose_message_is_gone_is_recorded_whole(world: World) -> None:
    """The first pass was longer ago than what counts as the same, or its record was deleted."""
    order = world.order()
    aliases = [world.alias(BUYER, order, "buyer"), world.alias(SHOP, order)]
    queued = world.send(CARRIER, aliases, mail(CARRIER, "Subject: Hello")).leaves.data
    recorded = (
        "FROM tracker.messages AS m JOIN tracker.orders AS o ON o.id = m.order_id"
        " WHERE o.number = %s"
    )
    whole = world.sql(f"SELECT m.subject || encode(m.raw, 'escape') {recorded}", order)
    assert whole.startswith("Hello")
    world.sql(
        "WITH gone AS (DELETE FROM tracker.messages WHERE order_id ="
        " (SELECT id FROM tracker.orders WHERE number = %s) RETURNING 1)"
        " SELECT count(*) FROM gone",
        order,
    )
    copy = world.send(CARRIER, aliases[0], queued, LOCAL | {"{daemon_name}": "tracker-split"})
    assert copy.leaves.recipients == (BUYER.encode(),)
    assert world.sql(f"SELECT m.subject || encode(m.raw, 'escape') {recorded}", order) == whole


def test_a_message_that_is_sent_again_is_recorded_once(world: World) -> None:
    order = world.order()
    buyer = world.alias(BUYER, order, "buyer")
    first, again = (world.send(CARRIER, buyer, mail()) for _ in range(2))
    assert world.messages(order) == 1
    assert bounce_of(first).address == bounce_of(again).address


def test_mail_that_is_none_of_our_business_passes_untouched(world: World) -> None:
    data = mail(STRANGER, f"To: {STRANGER}", "X-Order-Id: 5", "DKIM-Signature: x")
    result = world.send(STRANGER, "else@elsewhere.example", data)
    assert result.reply.kind in ("continue", "accept")
    assert result.actions == ()


@pytest.mark.parametrize(
    ("data", "sender", "reply"),
    [
        (mail(f"x@{DOMAIN}"), CARRIER, replies.FORGED_SENDER),
        (mail(f"x@{DOMAIN}", "X-Conversation-Hops: 1"), CARRIER, replies.LOOP),
        (mail(CARRIER, "X-Conversation-Hops: 5"), CARRIER, replies.LOOP),
        (b"", "<>", replies.NO_SENDER),
        (
            mail(CARRIER, "Content-Type: multipart/mixed; boundary=x", body="--x\r\n\r\n" * 9000),
            CARRIER,
            replies.CANNOT_MASK,
        ),
    ],
)
def test_a_message_is_refused_at_its_end(
    world: World, data: bytes, sender: str, reply: replies.Reply
) -> None:
    order = world.order()
    result = world.send(sender, world.alias(BUYER, order, "buyer"), data)
    assert result.stage == "eom"
    assert result.reply.text == str(reply)
    assert result.actions == ()
    assert world.messages(order) == 0


def test_more_than_the_hourly_limit_is_deferred(world: World) -> None:
    buyer = world.alias(BUYER, world.order(), "buyer", "busy")
    results = [world.send(CARRIER, buyer, mail(CARRIER, f"Subject: {n}")) for n in range(3)]
    assert [result.reply.text for result in results] == ["", "", str(replies.HOURLY_LIMIT)]
    assert results[2].actions == ()
    again = world.send(CARRIER, buyer, mail(CARRIER, "Subject: 1"))
    assert again.reply.text == str(replies.HOURLY_LIMIT)  # it is delivered again, so it counts


# State


def test_nothing_is_carried_over_to_the_next_message(world: World) -> None:
    one, other = world.order(), world.order()
    buyer, shop = world.alias(BUYER, one, "buyer"), world.alias(SHOP, other)
    with world.wire() as wire:
        wire.connect()
        wire.helo()
        first = wire.send("<>", [buyer, STRANGER], mail(CARRIER, "X-One: 1", body="one\r\n"))
        second = wire.send(STRANGER, shop, mail(STRANGER, "Subject: two", body="two\r\n"))
        third = wire.send(STRANGER, "x@elsewhere.example", mail(STRANGER))
    assert first.reply.kind == second.reply.kind == "continue"
    assert second.leaves.recipients == (SHOP.encode(),)
    assert bounce_of(second)
    assert b"one" not in second.leaves.data.lower()
    assert third.actions == ()
    assert (world.messages(one), world.messages(other)) == (1, 1)


def test_trust_is_not_carried_over_either(world: World) -> None:
    with world.wire(**LOCAL) as wire:
        order = world.order()
        data = mail(SHOP, f"X-Order-Id: {order}")
        assert wire.send(SHOP, BUYER, data).actions != ()
        wire.macros |= OUTSIDE
        assert wire.send(SHOP, BUYER, data).actions == ()
    assert world.messages(order) == 1


def test_an_aborted_message_leaves_nothing(world: World) -> None:
    order, other = world.order(), world.order()
    buyer, shop = world.alias(BUYER, order, "buyer"), world.alias(SHOP, other)
    with world.wire() as wire:
        wire.mail(CARRIER)
        wire.rcpt(buyer)
        wire.header(b"From", CARRIER.encode())
        wire.body(b"half a mess")
        wire.abort()
        result = wire.send(STRANGER, shop, mail(STRANGER))
    assert result.leaves.recipients == (SHOP.encode(),)
    assert b"half" not in result.leaves.data
    assert (world.messages(order), world.messages(other)) == (0, 1)


def test_a_connection_that_is_cut_leaves_nothing(world: World) -> None:
    order = world.order()
    with world.wire() as wire:
        wire.mail(CARRIER)
        wire.rcpt(world.alias(BUYER, order, "buyer"))
        wire.body(b"half")
        wire.abandon()
    assert world.send(CARRIER, world.alias(SHOP, order), mail()).reply.kind == "continue"
    assert world.messages(order) == 1


def test_a_second_mail_begins_anew(world: World) -> None:
    order, other = world.order(), world.order()
    buyer, shop = world.alias(BUYER, order, "buyer"), world.alias(SHOP, other)
    with world.wire() as wire:
        wire.mail("<>")
        wire.rcpt(buyer)
        wire.header(b"From", STRANGER.encode())
        wire.mail(CARRIER)
        wire.rcpt(shop)
        wire.header(b"From", CARRIER.encode())
        reply, actions = wire.eom()
    assert reply.kind == "continue"
    assert [each for each in actions if isinstance(each, ChangeFrom)]
    assert AddRecipient(f"<{SHOP}>".encode()) in actions
    assert AddRecipient(f"<{BUYER}>".encode()) not in actions
    assert (world.messages(order), world.messages(other)) == (0, 1)


@pytest.mark.parametrize("step", ["rcpt", "header", "body", "eom"])
def test_what_comes_out_of_order_harms_nobody(world: World, step: str) -> None:
    """Libmilter passes over what comes without MAIL: there is no answer, and no harm."""
    buyer = world.alias(BUYER, world.order(), "buyer")
    with Wire(world.tracker.socket, macros=LOCAL, timeout=0.2) as wire:
        if step == "header":
            wire.header(b"From", CARRIER.encode())
        elif step == "body":
            wire.body(b"Hello")
        with pytest.raises(TimeoutError):
            wire.rcpt(buyer) if step == "rcpt" else wire.eom()
    assert world.send(CARRIER, buyer, mail()).reply.kind == "continue"


def test_many_connections_do_not_mix(world: World) -> None:
    orders = [world.order() for _ in range(12)]
    people = [f"person{n}@doe.example" for n in range(12)]
    aliases = [world.alias(p, o, "buyer") for p, o in zip(people, orders, strict=True)]
    results: dict[int, Result] = {}

    def one(number: int) -> None:
        data = mail(CARRIER, body=f"number {number} for {people[number]}\r\n")
        results[number] = world.send(CARRIER, aliases[number], data)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, result in results.items():
        assert result.leaves.recipients == (people[number].encode(),)
        assert f"number {number} for {people[number]}".encode() in result.leaves.data
    assert len(results) == 12
    assert [world.messages(order) for order in orders] == [1] * 12


# Odd content


def test_a_message_of_nothing_passes(world: World) -> None:
    buyer = world.alias(BUYER, world.order(), "buyer")
    result = world.send(CARRIER, buyer, b"")
    assert result.reply.kind == "continue"
    [author] = result.leaves.header("From")
    assert author.endswith(b"@" + DOMAIN.encode())
    assert result.leaves.body == b""


def test_exactly_one_from_leaves(world: World) -> None:
    order = world.order()
    buyer, carrier = world.alias(BUYER, order, "buyer"), world.alias(CARRIER, order)
    for data in (b"Subject: x\r\n\r\nHi\r\n", mail(CARRIER, f"From: {STRANGER}", "fROM: x")):
        assert world.send(CARRIER, buyer, data).leaves.header("from") == [carrier.encode()]


def test_raw_8_bit_headers_survive(world: World) -> None:
    """Those that stay keep their bytes; a name beside an address that changes is encoded."""
    order = world.order()
    buyer, carrier = world.alias(BUYER, order, "buyer"), world.alias(CARRIER, order)
    head = f"From: J\xf6rg <{CARRIER}>\r\nSubject: \xe4\xf6\xfc\r\n".encode("latin-1")
    utf8 = f"Comments: \u00e4\r\nTo: J\u00f6rg <{buyer}>\r\n".encode()
    result = world.send(CARRIER, buyer, head + utf8 + b"\r\n\xff\r\n")
    assert result.leaves.header("Subject") == [b"\xe4\xf6\xfc"]
    assert result.leaves.header("From") == [f"=?utf-8?b?SsO2cmc=?= <{carrier}>".encode()]
    assert result.leaves.header("To") == [f"=?utf-8?b?SsO2cmc=?= <{BUYER}>".encode()]
    assert result.leaves.body == b"\xff\r\n"


@pytest.mark.parametrize(
    "text",
    [
        b"<%s\r\nRCPT TO:<x@y.example>>",
        b"<x@y.example>\r\nDATA",
        b"<x\0y@elsewhere.example>",
        b"\0",
        b"<>",
        b"",
        b"<" + b"\xff" * 300 + b"@elsewhere.example>",
        b"<" + b"x" * 40_000 + b"@elsewhere.example>",
    ],
)
def test_odd_addresses_get_an_ordinary_answer(world: World, text: bytes) -> None:
    """As sender or recipient; nothing odd is ever asked for in return."""
    buyer = world.alias(BUYER, world.order(), "buyer")
    text = text.replace(b"%s", buyer.encode())
    for sender, to in ((text, [buyer]), (CARRIER.encode(), [text, buyer.encode()])):
        with world.wire() as wire:
            result = wire.send(sender, to, mail())
        for action in result.actions:
            if isinstance(action, ChangeFrom | AddRecipient):
                assert not re.search(rb"[\0-\x20\x7f]", action.address)
        assert result.reply.kind in ("continue", "reject")


@pytest.mark.parametrize("name", [b"To", b"From", b"Subject", b"X-Order-Id", b"Message-ID"])
@pytest.mark.parametrize(
    "value", [b"a\rb", b"a\r\nX-Evil: 1", b"a\n\n b", b"=?utf-8?q?=0D=0AX-Evil:_1?=", b"x" * 60_000]
)
def test_odd_header_values_make_no_other_headers(world: World, name: bytes, value: bytes) -> None:
    buyer = world.alias(BUYER, world.order(), "buyer")
    with world.wire() as wire:
        wire.mail(CARRIER)
        wire.rcpt(buyer)
        wire.header(name, value + f" {BUYER} <{CARRIER}>".encode())
        wire.header(b"From", CARRIER.encode())
        reply, actions = wire.eom()
    assert reply.kind in ("continue", "reject"), reply
    for action in actions:
        if isinstance(action, ChangeHeader | AddHeader):
            assert not re.search(rb"[\r\0]|\n(?![ \t])", action.value)


def test_300_characters_of_address_in_headers_pass(world: World) -> None:
    order = world.order()
    long = "l" * 60 + "@" + ".".join(["d" * 59] * 4)
    buyer = world.alias(BUYER, order, "buyer")
    result = world.send(CARRIER, buyer, mail(CARRIER, f"Cc: {long}", f"To: {'t' * 300}@x.example"))
    assert result.reply.kind in ("continue", "reject")
    assert long.encode() not in result.leaves.data


def memory(pid: int) -> int:
    """Return the most memory that a process ever had, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024  # type: ignore[index]


def test_a_message_of_30_mb_is_answered_in_seconds(world: World) -> None:
    """The worker's memory stays a small multiple of the message."""
    buyer = world.alias(BUYER, world.order(), "buyer")
    line = f"lorem ipsum dolor sit amet {'x' * 40}\r\n"
    data = mail(CARRIER, body=line * (30_000_000 // len(line)) + f"{CARRIER}\r\n")
    started = time.monotonic()
    result = world.send(CARRIER, buyer, data)
    took = time.monotonic() - started
    peak = max(map(memory, workers(world.tracker)))
    assert result.reply.kind in ("continue", "reject")
    assert took < 30
    assert peak < 700
    if result.reply.kind == "continue":
        assert CARRIER.encode() not in result.leaves.data


# Trust


@pytest.mark.parametrize(
    ("macros", "masked"),
    [
        (LOCAL, True),
        ({"{client_addr}": "127.9.9.9"}, True),
        ({"{client_addr}": "::1"}, True),
        ({"{client_addr}": "::ffff:127.0.0.1"}, True),
        (OUTSIDE | {"{auth_authen}": "shop"}, True),
        (OUTSIDE, False),
        ({"{client_addr}": ""}, False),
        ({"{client_addr}": "unknown"}, False),
    ],
)
def test_only_a_trusted_client_names_orders(
    world: World, macros: dict[str, str], masked: bool
) -> None:
    order = world.order()
    result = world.send(SHOP, BUYER, mail(SHOP, f"X-Order-Id: {order}"), macros)
    assert result.reply.kind == "continue"
    assert (result.actions != ()) is masked
    assert world.messages(order) == int(masked)
    if masked:
        assert result.leaves.recipients == (BUYER.encode(),)
        assert result.leaves.header("X-Order-Id") == []


def begin_mail(wire: Wire, author: str, order: str) -> None:
    """Send a message of an order up to where its body begins."""
    wire.connect()
    wire.helo()
    wire.mail(author)
    wire.rcpt(BUYER)
    wire.header(b"From", author.encode())
    wire.header(b"X-Order-Id", order.encode())


def test_a_stores_order_is_found_while_its_mail_still_comes(world: World) -> None:
    """So the end of the message waits for the database once only."""
    order = world.order()
    query = "SELECT count(*) FROM tracker.orders WHERE number = %s"
    with world.wire(**LOCAL) as wire:
        begin_mail(wire, SHOP, order)
        assert world.sql(query, order) == 0
        wire.body(b"Hello\r\n")
        assert processes.until(lambda: world.sql(query, order) == 1, 5.0)
        assert wire.eom()[0].kind == "continue"
    assert world.messages(order) == 1


def test_a_large_body_is_kept_only_where_somebody_will_read_it(world: World) -> None:
    """A trusted client's mail is a store's own, or nobody looks at its body."""
    for author, kept in ((STRANGER, False), (SHOP, True)):
        with world.wire(**LOCAL) as wire:
            begin_mail(wire, author, world.order())
            for _ in range(20):
                wire.body(b"Not a word of this is for us.\r\n" * 2000)
            wait_until_read(wire)
            assert bool(spooled(world)) == kept
            assert wire.eom()[0].kind == "continue"
    assert not spooled(world)


def wait_until_read(wire: Wire) -> None:
    """Wait until the milter has read all that was sent: it has dealt with all but the last then."""
    left = bytearray(4)

    def is_read() -> bool:
        fcntl.ioctl(wire._packets._socket, termios.TIOCOUTQ, left)
        return not any(left)

    assert processes.until(is_read, 20.0)


def spooled(world: World) -> list[Path]:
    """Return the files without a name that workers keep bodies in."""
    found = []
    for pid in workers(world.tracker):
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if "(deleted)" in str(each.readlink()) and each.stat().st_size > 100_000:
                    found.append(each)
    return found


def test_who_becomes_a_store_while_their_mail_comes_must_send_it_again(world: World) -> None:
    """Its body was not kept, since nobody was to read it: it can neither be masked nor pass."""
    author, order = "sales@late.example", world.order()
    world.used.add(author)
    insert = "INSERT INTO tracker.stores (name, alias_domain, sender_domains) VALUES (%s, %s, %s)"
    data = mail(author, f"X-Order-Id: {order}", body=f"Write to {author}\r\n")
    with world.wire(**LOCAL) as wire, world.wire(**LOCAL) as other:
        begin_mail(wire, author, order)
        wire.body(f"Write to {author}\r\n".encode())
        wire.body(b"Yours\r\n")
        wait_until_read(wire)
        world.sql(insert, "late", "late.example.org", ["late.example"])
        time.sleep(1.0)
        assert other.send(author, BUYER, data).actions != ()
        reply, actions = wire.eom()
        assert (reply.text, actions) == (str(replies.TRY_LATER), ())
        wire.abort()
        again = wire.send(author, BUYER, data)
        assert again.reply.kind == "continue"
        assert f"Write to {author}\r\n".encode() not in again.leaves.data


@pytest.mark.parametrize("name", [{}, {"{auth_authen}": "shop"}])
def test_on_the_splitters_listener_nobody_is_trusted(world: World, name: dict[str, str]) -> None:
    """The listener decides before the client's address does, and takes aliases only."""
    order, other = world.order(), world.order()
    buyer = world.alias(BUYER, order, "buyer")
    macros = LOCAL | {"{daemon_name}": "tracker-split"} | name
    result = world.send(SHOP, [BUYER, buyer], mail(SHOP, f"X-Order-Id: {other}"), macros)
    assert {each: reply.text for each, reply in result.refused.items()} == {
        BUYER: str(replies.TRY_LATER)
    }
    assert result.leaves.recipients == (BUYER.encode(),)
    assert (world.messages(order), world.messages(other)) == (1, 0)


@pytest.mark.parametrize("value", ["\x01", "a\tb", "=?utf-8?q?a=0Ab?=", "n" * 201, "\xe4", "x\xa0"])
def test_an_order_header_is_no_way_to_break_us(world: World, value: str) -> None:
    """Whatever it says, mail passes or is refused for good: it must not come again for ever."""
    result = world.send(SHOP, BUYER, mail(SHOP, f"X-Order-Id: {value}"), LOCAL)
    assert result.reply.kind in ("continue", "reject"), result.reply


def test_mail_of_a_store_that_is_inactive_waits(world: World, cases: dict[str, str]) -> None:
    assert cases["inactive"]
    author = "sales@closed.example"
    result = world.send(author, BUYER, mail(author, "X-Order-Id: 77"), LOCAL)
    assert result.reply.text == str(replies.TRY_LATER)


def test_a_change_to_a_store_works_within_a_second(world: World) -> None:
    fresh = f"{'0' * 32}@fresh.example.org"
    author = "sales@fresh.example"
    world.used |= {fresh, author}
    insert = "INSERT INTO tracker.stores (name, alias_domain, sender_domains) VALUES (%s, %s, %s)"
    with world.wire(**LOCAL) as wire:
        wire.mail(CARRIER)
        assert wire.rcpt(fresh).ok
        wire.abort()
        world.sql(insert, "fresh", "fresh.example.org", ["fresh.example"])
        time.sleep(1.0)
        wire.mail(CARRIER)
        assert wire.rcpt(fresh).text == str(replies.UNKNOWN_ALIAS)
        wire.abort()
        assert wire.send(author, BUYER, mail(author, "X-Order-Id: 1")).actions != ()
        world.sql("UPDATE tracker.stores SET active = false WHERE name = 'fresh'")
        time.sleep(1.0)
        result = wire.send(author, BUYER, mail(author, "X-Order-Id: 2"))
        assert result.reply.text == str(replies.TRY_LATER)
        world.sql("UPDATE tracker.stores SET active = true WHERE name = 'fresh'")
        time.sleep(1.0)
        assert wire.send(author, BUYER, mail(author, "X-Order-Id: 2")).reply.kind == "continue"


# The log


def lines_of(world: World, queue_id: str) -> list[dict[str, Any]]:
    """Return the log lines that name a queue id."""
    lines = [line for line in world.tracker.log_text().splitlines() if queue_id in line]
    return [json.loads(line) for line in lines]


def test_each_message_has_one_line_in_the_log(world: World) -> None:
    order = world.order()
    buyer = world.alias(BUYER, order, "buyer")
    sent: list[tuple[str, Callable[[Wire], Result], dict[str, object]]] = [
        (
            "4ZLOG0forward",
            lambda wire: wire.send(CARRIER, buyer, mail(body=f"{BUYER}\r\n")),
            {"outcome": "forwarded", "orders": [order], "recipients": 1, "direction": "outbound"},
        ),
        (
            "4ZLOG0refused",
            lambda wire: wire.send(CARRIER, buyer, mail(f"x@{DOMAIN}")),
            {"outcome": "refused", "reply": str(replies.FORGED_SENDER), "recipients": 1},
        ),
        (
            "4ZLOG0pass",
            lambda wire: wire.send(STRANGER, "x@elsewhere.example", mail(STRANGER)),
            {
                "outcome": "untouched",
                "orders": [],
                "size": len(mail(STRANGER)),
            },
        ),
    ]
    with world.wire() as wire:
        for queue_id, send, _ in sent:
            wire.queue_id = queue_id
            send(wire)
    for queue_id, _, expected in sent:
        [line] = lines_of(world, queue_id)
        assert line["event"] == "message"
        assert {key: line[key] for key in expected} == expected
        assert line["size"] > 0
        assert line["ms"] >= 0


def test_a_refused_recipient_has_a_line_without_the_address(world: World) -> None:
    before = len(world.tracker.events("refused-recipient"))
    with world.wire() as wire:
        wire.mail(CARRIER)
        wire.rcpt(f"{'f' * 32}@{DOMAIN}")
    [line] = world.tracker.events("refused-recipient")[before:]
    assert line["reply"] == str(replies.UNKNOWN_ALIAS)
    assert "f" * 32 not in json.dumps(line)


def test_no_line_of_the_log_holds_an_at_sign(world: World) -> None:
    """Every address that any test used has one, real or alias."""
    world.send(CARRIER, world.alias(BUYER, world.order(), "buyer"), mail())
    assert world.tracker.events("message")
    assert "@" not in world.tracker.log_text().replace(str(world.tracker.directory), "")


@pytest.mark.parametrize("fields", [1_100, 10])
def test_too_many_header_fields_are_refused(world: World, fields: int) -> None:
    """A thousand fields, or ten that are together longer than half a megabyte."""
    order = world.order()
    length = 10 if fields > 1_000 else 60_000
    many = b"".join(b"X-%d: %s\r\n" % (n, b"y" * length) for n in range(fields))
    result = world.send(CARRIER, world.alias(BUYER, order, "buyer"), many + mail())
    assert str(replies.TOO_MANY_FIELDS) in str(result.reply)
    assert world.messages(order) == 0


def test_too_many_header_fields_are_none_of_our_business_elsewhere(world: World) -> None:
    many = b"".join(b"X-%d: y\r\n" % n for n in range(1_100))
    assert world.send(CARRIER, STRANGER, many + mail()).reply.kind == "continue"


def test_no_order_header_hides_behind_others(world: World) -> None:
    """From outside to the store: what is not kept could not be removed either."""
    many = b"".join(b"X-%d: y\r\n" % n for n in range(1_100))
    result = world.send(CARRIER, SHOP, many + b"X-Order-Id: 1\r\n" + mail())
    assert str(replies.TOO_MANY_FIELDS) in str(result.reply)
