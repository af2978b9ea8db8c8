"""Time and room for one message: what is over its budget gets a reply, and nobody waits for it."""

import time
from dataclasses import replace

import pytest
from builders import BUYER, EVERYBODY, SHOP, S, mail, own, written

from conversation_tracker.budget import budget
from conversation_tracker.core import replies
from conversation_tracker.core.means import Means, Overdue
from conversation_tracker.core.plan import Plan


def spin(seconds: float) -> None:
    """Use up processor time."""
    begun = time.thread_time()
    while time.thread_time() - begun < seconds:
        pass


def test_time_that_is_not_over_raises_nothing() -> None:
    check = budget(seconds=10, wait=10)
    spin(0.01)
    check()


def test_processor_time_that_is_over_makes_a_message_hopeless() -> None:
    check = budget(seconds=0.01, wait=10)
    spin(0.02)
    with pytest.raises(Overdue) as raised:
        check()
    assert raised.value.hopeless


def test_time_by_the_clock_is_over_only_for_now() -> None:
    check = budget(seconds=10, wait=0.01)
    time.sleep(0.02)
    with pytest.raises(Overdue) as raised:
        check()
    assert not raised.value.hopeless


def test_waiting_is_no_work() -> None:
    check = budget(seconds=0.01, wait=10)
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
    done = replace(sent, message=replace(sent.message, means=Means(check))).plan()
    assert done == Plan(reply=reply)


def test_the_store_itself_has_no_more_time() -> None:
    def check() -> None:
        raise Overdue(hopeless=True)

    sent = own(written(SHOP, f"To: {BUYER}", "X-Order-Id: 1001"))
    done = replace(sent, message=replace(sent.message, means=Means(check))).plan()
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
        replace(sent, message=replace(sent.message, means=Means(check))).plan()
        return count

    few = asked(1)
    assert few > (500 if body.startswith("--") else 10)
    assert body.startswith("--") or asked(1_000) > few + 900
