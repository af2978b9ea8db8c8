"""The wire client speaks as Postfix does: seen from a milter that notes what arrives."""

from collections.abc import Iterator

import pytest

from actions import (
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    DeleteRecipient,
    InsertHeader,
    Quarantine,
    ReplaceBody,
)
from packets import ProtocolError, reply_of
from peer import Peer
from private import processes
from wire import Wire

MAIL = b"From: a@example.org\r\nSubject: one\r\n two\r\n\r\n\xff.body\r\n"


@pytest.fixture(scope="module")
def shared() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture
def peer(shared: Peer) -> Peer:
    shared.say()
    return shared


def test_a_message_arrives_as_it_was_sent(peer: Peer) -> None:
    """Every callback is called once, in order, with the very bytes."""
    with Wire(peer.address) as wire:
        assert wire.connect("client.example.org", "192.0.2.1", 1234).ok
        assert wire.helo("client.example.org").ok
        result = wire.send(
            "a@example.org", "b@example.com", MAIL, recipient_parameters=["NOTIFY=NEVER"]
        )
    assert result.reply.kind == "continue"
    assert result.stage == "eom"
    assert result.leaves.data == MAIL
    assert processes.until(lambda: peer.events()[-1] == ["close"], 5.0)
    assert peer.events() == [
        ["connect", "client.example.org", 2, ["192.0.2.1", 1234]],
        ["helo", "client.example.org"],
        ["mail", "<a@example.org>"],
        ["rcpt", "<b@example.com>", "NOTIFY=NEVER"],
        ["data"],
        ["header", "From", "a@example.org"],
        ["header", "Subject", "one\n two"],
        ["eoh"],
        ["body", "\xff.body\r\n"],
        ["eom"],
        ["close"],
    ]


def test_an_ipv6_client_is_announced(peer: Peer) -> None:
    with Wire(peer.address) as wire:
        wire.connect("client.example.org", "2001:db8::1", 1)
    assert processes.until(lambda: len(peer.events()) == 2, 5.0)
    assert peer.events()[0][3][0] in ("2001:db8::1", "IPv6:2001:db8::1")


def test_the_queue_id_is_known_from_the_second_recipient_on(peer: Peer) -> None:
    with Wire(peer.address) as wire:
        wire.send("a@example.org", ["b@example.com", "c@example.com"], MAIL)
    known = {(event[0], event[1]): event[-1].get("i") for event in peer.seen() if len(event) > 2}
    assert known["mail", "<a@example.org>"] is None
    assert known["rcpt", "<b@example.com>"] is None
    assert known["rcpt", "<c@example.com>"] == wire.queue_id
    assert peer.seen()[-1][-1]["i"] == wire.queue_id


def test_macros_come_with_their_stage(peer: Peer) -> None:
    macros = {"{auth_authen}": "shop", "{daemon_name}": "submission"}
    with Wire(peer.address, macros=macros) as wire:
        wire.connect()
        wire.helo()
        wire.send("a@example.org", "b@example.com", MAIL)
    stages = {event[0]: event[-1] for event in peer.seen()}
    assert stages["connect"]["{daemon_name}"] == "submission"
    assert "{auth_authen}" not in stages["helo"]
    assert stages["mail"]["{auth_authen}"] == "shop"
    assert stages["mail"]["{mail_addr}"] == "a@example.org"
    assert stages["rcpt"]["{rcpt_mailer}"] == "smtp"


def test_the_milters_own_list_of_macros_is_honoured() -> None:
    """A milter that asks for {auth_authen} at RCPT gets it there, not before, and no other."""
    with Peer(symlist={"2": "{mail_addr}", "3": "{auth_authen}"}) as peer:
        with Wire(peer.address, macros={"{auth_authen}": "shop"}) as wire:
            wire.mail("a@example.org")
            wire.rcpt("b@example.com")
        assert [event[-1] for event in peer.seen() if event[0] in ("mail", "rcpt")] == [
            {"{mail_addr}": "a@example.org"},
            {"{mail_addr}": "a@example.org", "{auth_authen}": "shop"},
        ]


def test_unwanted_and_unanswered_events_are_not_waited_for() -> None:
    """With protocol flags set, a message still goes through, and unwanted events are not sent."""
    unanswered = ["envfrom", "envrcpt", "header", "body"]
    with Peer(nocallback=["connect", "hello", "data", "eoh"], noreply=unanswered) as peer:
        with Wire(peer.address) as wire:
            assert wire.connect().kind == "unasked"
            result = wire.send("a@example.org", "b@example.com", MAIL)
            assert result.stage == "eom"
            assert result.reply.kind == "continue"
        names = [event[0] for event in peer.events()]
        assert names[:6] == ["mail", "rcpt", "header", "header", "body", "eom"]


def test_several_messages_share_a_connection(peer: Peer) -> None:
    with Wire(peer.address) as wire:
        results = [wire.send("a@example.org", f"{n}@example.com", MAIL) for n in range(3)]
    assert [result.message.recipients for result in results] == [
        (b"0@example.com",),
        (b"1@example.com",),
        (b"2@example.com",),
    ]
    assert [event[0] for event in peer.events()].count("eom") == 3


def test_abort_in_the_middle_ends_only_the_message(peer: Peer) -> None:
    with Wire(peer.address) as wire:
        wire.mail("a@example.org")
        wire.rcpt("b@example.com")
        wire.abort()
        assert wire.send("a@example.org", "c@example.com", MAIL).reply.kind == "continue"
    assert ["abort"] in peer.events()


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "header", "eoh", "body", "eom"])
def test_a_refusal_ends_the_message_where_it_is_given(peer: Peer, stage: str) -> None:
    peer.say(answers={stage: ["550", "5.7.1", "100% no"]})
    with Wire(peer.address) as wire:
        result = wire.send("a@example.org", "b@example.com", MAIL)
    assert result.stage == stage
    assert result.reply.kind == "reject"
    assert result.reply.code == "550 5.7.1"
    assert result.reply.text == "550 5.7.1 100% no"
    assert not result.reply.ok
    with pytest.raises(AssertionError):
        _ = result.leaves


def test_a_refused_recipient_is_no_part_of_the_message(peer: Peer) -> None:
    with Wire(peer.address) as wire:
        wire.mail("a@example.org")
        assert wire.rcpt("b@example.com").ok
        peer.say(answers={"rcpt": ["451", "4.3.0", "later"]})
        assert wire.rcpt("c@example.com").code == "451 4.3.0"
        assert wire.eom()[0].kind == "continue"
        result = wire.send("a@example.org", ["b@example.com", "c@example.com"], MAIL)
    assert set(result.refused) == {"b@example.com", "c@example.com"}
    assert result.message.recipients == ()
    assert result.stage == "rcpt"


def test_every_action_is_read(peer: Peer) -> None:
    peer.say(
        edits=[
            ["chgheader", "Subject", 1, "new"],
            ["chgheader", "From", 1, ""],
            ["addheader", "X-End", "e\n f"],
            ["addheader", "X-Top", "t", 0],
            ["chgfrom", "<s@example.net>", "ENVID=1 RET=HDRS"],
            ["addrcpt", "<n@example.net>", "NOTIFY=NEVER"],
            ["addrcpt", "<m@example.net>"],
            ["delrcpt", "<b@example.com>"],
            ["replacebody", "x" * 70000 + "\r\n"],
            ["quarantine", "why"],
        ]
    )
    with Wire(peer.address) as wire:
        result = wire.send("a@example.org", ["b@example.com", "c@example.com"], MAIL)
    chunks = [action for action in result.actions if isinstance(action, ReplaceBody)]
    assert [action for action in result.actions if not isinstance(action, ReplaceBody)] == [
        ChangeHeader(1, b"Subject", b"new"),
        ChangeHeader(1, b"From", b""),
        AddHeader(b"X-End", b"e\n f"),
        InsertHeader(0, b"X-Top", b"t"),
        ChangeFrom(b"<s@example.net>", b"ENVID=1 RET=HDRS"),
        AddRecipient(b"<n@example.net>", b"NOTIFY=NEVER"),
        AddRecipient(b"<m@example.net>"),
        DeleteRecipient(b"<b@example.com>"),
        Quarantine(b"why"),
    ]
    assert len(chunks) == 2
    left = result.leaves
    head = b"X-Top: t\r\nSubject: new\r\nX-End: e\r\n f\r\n\r\n"
    assert left.data == head + b"x" * 70000 + b"\r\n"
    assert left.sender == b"s@example.net"
    assert left.sender_parameters == b"ENVID=1 RET=HDRS"
    assert left.recipients == (b"c@example.com", b"n@example.net", b"m@example.net")
    assert left.recipient_parameters[0] == (b"n@example.net", b"NOTIFY=NEVER")


def test_a_milter_that_hangs_up_is_an_error(peer: Peer) -> None:
    with Peer() as doomed:
        wire = Wire(doomed.address)
    with wire, pytest.raises((EOFError, ConnectionError)):
        wire.connect()


def test_an_answer_no_milter_may_give_is_an_error() -> None:
    with pytest.raises(ProtocolError):
        reply_of(b"?", b"")
