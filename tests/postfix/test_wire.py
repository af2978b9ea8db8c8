"""The wire client's idea of a milter's edits is Postfix's own: the same edits to both."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peer import Peer
from private.client import Client
from private.postfix import Postfix
from private.sink import Mail, Sink
from wire import Result, Wire

MAIL = (
    b"From: a@example.org\r\nX-A: 1\r\nX-B : 2\r\nx-a:3\r\n\tfolded\r\nTo: b@example.com\r\n"
    b"X-A:  4 \r\n\r\nbody\r\n.\r\n\xff\r\n"
)
NAMES = st.sampled_from(["X-A", "X-B", "x-a", "X-New", "To"])
VALUES = st.sampled_from(["", "v", "v\n w", " v", "v\t", "=?utf-8?q?v?="])
EDITS = st.one_of(
    st.tuples(st.just("chgheader"), NAMES, st.integers(1, 5), VALUES),
    st.tuples(st.just("addheader"), NAMES, VALUES.filter(bool), st.integers(-1, 12)),
)


class Both:
    """A Postfix and a wire client with the same milter."""

    def __init__(self, peer: Peer, postfix: Postfix, sink: Sink) -> None:
        self.peer, self.postfix, self.sink = peer, postfix, sink

    def run(self, edits: list[Any]) -> tuple[Mail, Result]:
        """Send one message both ways; return what the sink got and what the wire client says."""
        self.peer.say(edits=edits)
        self.sink.clear()
        with Client(self.postfix.port) as client:
            assert client.send("a@example.org", "b@example.com", MAIL).ok
        mail = self.sink.wait_for(1)[0]
        with Wire(self.peer.address) as wire:
            return mail, wire.send("a@example.org", "b@example.com", MAIL)


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    with Peer() as peer, Sink() as sink:
        # Nothing of Postfix's own in the headers, such as a Message-Id, but for Received.
        wanted = {"smtpd_milters": peer.address, "local_header_rewrite_clients": ""}
        with Postfix(sink.port, relay_domains="example.com", settings=wanted) as postfix:
            yield Both(peer, postfix, sink)


def without_own_received(mail: Mail) -> bytes:
    """Drop the Received header of the private Postfix, wherever an insertion has moved it."""
    start = mail.data.index(b"Received: from client.example.org (")
    end = start
    while mail.data[end : end + 1] in b"R\t":
        end = mail.data.index(b"\r\n", end) + 2
    return mail.data[:start] + mail.data[end:]


@settings(max_examples=40, deadline=None)
@given(edits=st.lists(EDITS, max_size=5))
def test_headers_leave_postfix_as_the_wire_client_says(both: Both, edits: list[Any]) -> None:
    mail, result = both.run(edits)
    assert without_own_received(mail) == result.leaves.data


def test_envelope_and_body_leave_postfix_as_the_wire_client_says(both: Both) -> None:
    mail, result = both.run(
        [
            ["chgfrom", "<s@example.net>", "ENVID=id RET=HDRS"],
            ["delrcpt", "<b@example.com>"],
            ["addrcpt", "<c@example.com>", "NOTIFY=FAILURE"],
            ["replacebody", "new\r\n"],
            ["replacebody", "body\r\n"],
        ]
    )
    left = result.leaves
    assert without_own_received(mail) == left.data
    assert mail.sender.address.encode() == left.sender
    assert mail.sender.parameters["ENVID"] == "id"
    assert tuple(address.encode() for address in mail.addresses) == left.recipients


def comparable(events: list[list[Any]]) -> list[list[Any]]:
    """Return events with one queue id for all, without the end of the connection."""
    return [
        [*values, macros | ({"i": "id"} if "i" in macros else {})]
        for *values, macros in events
        if values != ["close"]
    ]


def test_a_milter_sees_the_same_from_both(both: Both) -> None:
    """Same events, values and macros, but for the client's port, the times and the queue id."""
    with Client(both.postfix.port, helo="client.example.org") as client:
        client.xclient(addr="192.0.2.1", name="client.example.org", port="1234")
        both.peer.say()
        client.send("a@example.org", ["b@example.com", "c@example.com"], MAIL)
    real = both.peer.seen()
    both.peer.say()
    with Wire(both.peer.address) as wire:
        wire.connect("client.example.org", "192.0.2.1", 1234)
        wire.helo("client.example.org")
        both.peer.say()
        wire.send("a@example.org", ["b@example.com", "c@example.com"], MAIL)
    ours = both.peer.seen()
    assert comparable(real) == comparable(ours)
