"""Time and room for one message: what is over its budget gets a reply, and nobody waits for it."""

import time
from dataclasses import replace

import pytest
from builders import BUYER, EVERYBODY, SHOP, S, mail, own, written

from conversation_tracker.core.base.limits import EVERY, Limits, Overdue, find_seconds
from conversation_tracker.core.masking.header.headers import (
    mask_mailboxes,
    mask_text,
    remove_people,
)
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.address import find_mailboxes, split_elements
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.syntax import fields, parameters
from conversation_tracker.core.syntax.encoded_words import decode_words
from conversation_tracker.core.syntax.tokens import split_tokens
from conversation_tracker.milter.time_limit import begin_time


def spin(seconds: float) -> None:
    """Use up processor time."""
    begun = time.thread_time()
    while time.thread_time() - begun < seconds:
        pass


def test_time_that_is_not_over_raises_nothing() -> None:
    check = begin_time(seconds=10, wait=10)
    spin(0.01)
    check()


def test_processor_time_that_is_over_makes_a_message_hopeless() -> None:
    check = begin_time(seconds=0.01, wait=10)
    spin(0.02)
    with pytest.raises(Overdue) as raised:
        check()
    assert raised.value.hopeless


def test_time_by_the_clock_is_over_only_for_now() -> None:
    check = begin_time(seconds=10, wait=0.01)
    time.sleep(0.02)
    with pytest.raises(Overdue) as raised:
        check()
    assert not raised.value.hopeless


@pytest.mark.parametrize(
    ("octets", "seconds"),
    [(0, 10.0), (2**21, 11.0), (25 * 2**20, 22.5), (30 * 2**20, 25.0), (2**40, 25.0)],
)
def test_a_large_message_may_use_more_but_the_largest_no_more(octets: int, seconds: float) -> None:
    assert find_seconds(octets) == seconds


def test_waiting_is_no_work() -> None:
    check = begin_time(seconds=0.01, wait=10)
    time.sleep(0.02)
    check()


@pytest.mark.parametrize(
    ("hopeless", "reply"), [(True, replies.TOO_SLOW), (False, replies.TRY_LATER)]
)
@pytest.mark.parametrize("looks", range(12))
def test_a_message_whose_time_is_over_is_refused_wherever_it_is(
    hopeless: bool, reply: replies.Reply, looks: int
) -> None:
    """The time may be over at any of the places where it is looked at."""
    left = looks

    def check() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Overdue(hopeless=hopeless)

    text = written(BUYER, f"To: {SHOP}", "Subject: one", body=f"I am {BUYER}\n")
    sent = mail(text, EVERYBODY, to=S, sender=BUYER)
    done = replace(sent, message=replace(sent.message, limits=Limits(check))).plan()
    assert done == Plan(reply=reply)


def test_the_store_itself_has_no_more_time() -> None:
    def check() -> None:
        raise Overdue(hopeless=True)

    sent = own(written(SHOP, f"To: {BUYER}", "X-Order-Id: 1001"))
    done = replace(sent, message=replace(sent.message, limits=Limits(check))).plan()
    assert done == Plan(reply=replies.TOO_SLOW)


@pytest.mark.parametrize(
    ("field", "piece", "body"),
    [
        ("References", "<a@b.example> ", "Hello\n"),
        ("Content-Disposition", "; a=%40", "Hello\n"),
        ('Content-Type: multipart/mixed; boundary="b"\nX', "x", "--b\n\nx\n" * 500),
    ],
)
def test_the_time_is_asked_for_within_one_field_and_one_body(
    field: str, piece: str, body: str
) -> None:
    """However much stands in there, it is noticed soon that the time is over."""

    def asked(pieces: int) -> int:
        count = 0

        def check() -> None:
            nonlocal count
            count += 1

        text = written(BUYER, f"To: {SHOP}", f"{field}: x{piece * pieces}", body=body)
        sent = mail(text, EVERYBODY, to=S, sender=BUYER)
        replace(sent, message=replace(sent.message, limits=Limits(check))).plan()
        return count

    few = asked(1)
    assert few > (500 if body.startswith("--") else 10)
    assert body.startswith("--") or asked(1_000) > few + 900


FIELD_LOOPS = {
    "tokens": (lambda v, c: split_tokens(v, c), b"<"),
    "comments": (lambda v, c: split_tokens(v, c), b"()"),
    "atoms": (lambda v, c: find_mailboxes(v, c), b"a "),
    "addresses": (lambda v, c: find_mailboxes(v, c), b"a@b.c,"),
    "things never closed": (lambda v, c: find_mailboxes(v, c), b"<a"),
    "elements": (lambda v, c: list(split_elements(v, c)), b","),
    "encoded words": (lambda v, c: decode_words(v, c), b"=?utf-8?q?=C3?= "),
    "words of other charsets": (lambda v, c: decode_words(v, c), b"=?x?q?=C3?= "),
    "raw octets": (lambda v, c: decode_words(v, c), b"\xff "),
    "folds": (lambda v, c: decode_words(v, c), b"\n "),
    "parameters": (lambda v, c: parameters.parse(v, c), b";a=b"),
    "continued parameters": (lambda v, c: parameters.parse(v, c), b";a*1*=%"),
    "fields": (lambda v, c: list(fields.iter_fields(v, c)), b"a:\n"),
    "folded fields": (lambda v, c: list(fields.iter_fields(v, c)), b"a:\n b\n"),
    "lines": (lambda v, c: list(fields.iter_field_spans(v, c)), b"\n"),
    "a text": (lambda v, c: mask_text(v, str, c), b"\xff "),
    "a list": (lambda v, c: mask_mailboxes(v, lambda _: None, str, c), b"a@b.c,"),
    "who goes": (lambda v, c: remove_people(v, lambda _: True, c), b"a@b.c,"),
}


@pytest.mark.parametrize("loop", FIELD_LOOPS)
def test_each_loop_over_a_field_ends_with_the_time(loop: str) -> None:
    """The third question says no: what would go on for all of the field ends there."""
    work, piece = FIELD_LOOPS[loop]
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise Overdue(hopeless=True)

    with pytest.raises(Overdue):
        work(piece * 5_000, check)
    assert asked == 3


@pytest.mark.parametrize(
    ("field", "piece"),
    [
        ("References", "<a@b.example> "),
        ("To", "<a"),
        ("To", "a@b.example, "),
        ("Subject", "=?utf-8?q?=C3?= "),
        ("Content-Disposition", ";a=%40"),
        ("Content-Type", ";a*1*=%40"),
    ],
)
def test_a_plan_asks_often_within_each_kind_of_field(field: str, piece: str) -> None:
    def asked(pieces: int) -> int:
        count = 0

        def check() -> None:
            nonlocal count
            count += 1

        text = written(BUYER, f"To: {SHOP}", f"{field}: x{piece * pieces}")
        sent = mail(text, EVERYBODY, to=S, sender=BUYER)
        replace(sent, message=replace(sent.message, limits=Limits(check))).plan()
        return count

    assert asked(1_000) >= asked(1) + 1_000 // EVERY
