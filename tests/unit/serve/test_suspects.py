"""What a host knows of messages that ended a process, and how it tells one at each of its tries."""

import os
from dataclasses import replace

import pytest

from conversation_tracker.core.model.message import Arrival, Header, Message, Recipient
from conversation_tracker.milter.suspects import MOST, Suspects, Suspicion, fingerprint

A, B = bytes([1] * 32), bytes([2] * 32)


def message(*headers: tuple[bytes, bytes], body: bytes = b"Hello", queue_id: str = "") -> Message:
    fields = tuple(Header(*each) for each in headers)
    return Message(None, (), fields, body, Arrival(queue_id))


def test_what_the_parent_finds_is_known_in_a_process_that_runs_already() -> None:
    suspects = Suspects()
    suspects.set(A, Suspicion.SUSPECTED)
    (go, begin), (told, tell) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        before = (suspects.state(A), suspects.state(B))
        os.read(go, 1)
        os.write(tell, bytes((*before, suspects.state(A), suspects.state(B))))
        os._exit(0)
    suspects.set(A, Suspicion.CLEARED)
    suspects.set(B, Suspicion.CONDEMNED)
    os.write(begin, b"x")
    _a, _b, *after = os.read(told, 4)
    os.waitpid(pid, 0)
    assert after == [Suspicion.CLEARED, Suspicion.CONDEMNED]
    for each in (go, begin, told, tell):
        os.close(each)


def test_who_is_condemned_stays_so() -> None:
    suspects = Suspects()
    for state in (Suspicion.CONDEMNED, Suspicion.SUSPECTED, Suspicion.CLEARED):
        suspects.set(A, state)
    assert suspects.state(A) == Suspicion.CONDEMNED
    assert suspects.state(B) == Suspicion.UNKNOWN


def test_of_many_the_oldest_is_forgotten_and_the_condemned_last() -> None:
    suspects = Suspects()
    suspects.set(A, Suspicion.CONDEMNED)
    many = [number.to_bytes(32, "big") for number in range(1, MOST + 3)]
    for each in many:
        suspects.set(each, Suspicion.SUSPECTED)
    assert suspects.state(A) == Suspicion.CONDEMNED
    assert [each for each in many if suspects.state(each) == Suspicion.UNKNOWN] == many[:3]
    for each in many:
        suspects.set(each, Suspicion.CONDEMNED)
    assert suspects.state(many[-1]) == Suspicion.CONDEMNED
    assert suspects.state(A) == Suspicion.UNKNOWN


@pytest.mark.parametrize(
    "again",
    [
        message((b"From", b"a@b.example"), (b"Message-ID", b"<2.Q2@mx>"), queue_id="Q2"),
        message((b"Date", b"today"), (b"From", b"a@b.example"), (b"Received", b"by x")),
        message((b"FROM", b"a@b.example")),
    ],
)
def test_a_message_is_known_again_at_its_next_try(again: Message) -> None:
    first = message((b"From", b"a@b.example"), (b"Message-ID", b"<1.Q1@mx>"), queue_id="Q1")
    assert fingerprint(first) == fingerprint(again)


def test_messages_are_told_apart() -> None:
    plain = message((b"From", b"a@b.example"), (b"Message-ID", b"<1@x>"))
    split = replace(plain, arrival=Arrival(split=True))
    to = [(Recipient(b"<a@ct.example>", None),), (Recipient(b"<b@ct.example>", None),)]
    different = [
        plain,
        message((b"From", b"a@b.example"), (b"Message-ID", b"<2@x>")),
        message((b"From", b"a@b.example"), (b"Message-ID", b"<1@x>"), body=b"Hallo"),
        message((b"From", b"a@b.example"), (b"Message-ID", b"<1@x>"), (b"Subject", b"x")),
        replace(split, recipients=to[0]),
        replace(split, recipients=to[1]),
    ]
    assert len({fingerprint(each) for each in different}) == len(different)
    assert fingerprint(replace(plain, recipients=to[0])) == fingerprint(plain)
