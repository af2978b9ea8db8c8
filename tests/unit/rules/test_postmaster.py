"""The postmaster of an alias domain: who is one, and what becomes of mail for them."""

from dataclasses import replace

import pytest
from builders import B, applied, envelope, mail

from conversation_tracker.checks import postmaster as check_postmaster
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.message import Arrival, Message, Recipient
from conversation_tracker.core.model.plan import ChangeHeader
from conversation_tracker.core.model.replies import TRY_LATER
from conversation_tracker.core.rules import postmaster

DOMAINS = {"ct.example.com", "ct.example.net"}
LETTER = "From: v@elsewhere.example\nX-Conversation-Pass: x\nSubject: Spam\n\nText.\n"


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("postmaster@ct.example.com", True),
        ("ABUSE@CT.example.net", True),
        ('"PostMaster"@ct.example.com', True),
        ("postmaster@x.example-123456789012b.ct.example.com", False),
        ("abuse@www.ct.example.com", False),
        ("postmaster@example.com", False),
        ("postmaster+x@ct.example.com", False),
        ("webmaster@ct.example.com", False),
    ],
)
def test_who_is_a_postmaster(address: str, is_one: bool) -> None:
    assert postmaster.is_postmaster(Address.parse(address), DOMAINS) is is_one


def letter(*names: str) -> Message:
    to = tuple(
        Recipient(f"<{name}>".encode(), Address.parse(name), postmaster=True) for name in names
    )
    message = mail(LETTER, to=B).message
    return Message(message.sender, to, message.headers, message.body)


def test_it_goes_on_as_it_came_but_for_what_only_we_may_write() -> None:
    message = letter("Abuse@ct.example.com")
    plan = postmaster.plan(message, "admin@host.example")
    assert (plan.reply, plan.records, plan.bounces_to, plan.split) == (None, (), None, False)
    gone = [edit for edit in plan.edits if isinstance(edit, ChangeHeader)]
    assert gone == [ChangeHeader(b"X-Conversation-Pass", 1, None)]
    left = applied(message, plan)
    assert [header.name for header in left.headers] == [b"From", b"Subject"]
    assert envelope(left) == ["admin@host.example"]


def test_of_several_the_splitter_makes_one_each_and_what_does_not_split_waits() -> None:
    message = letter("abuse@ct.example.com", "postmaster@ct.example.com")
    plan = postmaster.plan(message, "admin@host.example")
    assert (plan.reply, len(plan.edits)) == (None, 1)
    assert envelope(applied(message, plan)) == ["abuse@ct.example.com", "postmaster@ct.example.com"]
    copy = replace(message, arrival=Arrival(split=True))
    assert postmaster.plan(copy, "admin@host.example").reply == TRY_LATER


def test_a_postmaster_is_no_outsider_who_would_join() -> None:
    assert not letter("abuse@ct.example.com").recipients[0].is_outsider


def test_only_mail_to_nobody_else_is_theirs_alone() -> None:
    both = letter("abuse@ct.example.com", "postmaster@ct.example.com").recipients
    assert postmaster.goes_to_postmasters(both)
    assert not postmaster.goes_to_postmasters((*both, Recipient(b"<a@x.example>", None)))
    assert not postmaster.goes_to_postmasters(())


@pytest.mark.parametrize(
    ("address", "verdict"),
    [
        ("", "ok"),
        ("admin@host.example", "ok"),
        ("admin@ct.example.com", "WRONG"),
        ("admin@x.ct.example.net", "WRONG"),
    ],
)
def test_check_looks_whether_somebody_can_get_it(address: str, verdict: str) -> None:
    [fact] = check_postmaster.check(address, DOMAINS)
    assert fact.verdict == verdict
    assert "@" not in str(fact)
