"""Mail of ours that comes back for no alias passes untouched where our signature covers it."""

from dataclasses import replace

import pytest
from builders import ANN, BUYER, CARRIER, DOMAIN, EVERYBODY, OUR_STORE, SHOP, A, B, S, mail, person

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.rules.classification import (
    ForeignMail,
    Kind,
    Lookups,
    Unacceptable,
    classify,
)

TO = "boss@local.example"
HOPS = "X-Conversation-Hops: 1"
RESULTS = f"Authentication-Results: mx; dkim=pass header.d={DOMAIN}"
LISTED = "From:From:To:Cc:Subject:Content-Type:Content-Transfer-Encoding:Reply-To:Sender"
STORES = {"shop.example": OUR_STORE}
GUEST = replace(person(ANN, "partner", "c" * 32), introduced=False)
ORDER = replace(EVERYBODY, participants=(*EVERYBODY.participants, GUEST))


def sign(listed: str = LISTED, more: str = "", domain: str = DOMAIN) -> str:
    """Write a signature of some fields."""
    return f"DKIM-Signature: v=1; a=rsa-sha256; d={domain}; s=t; {more}h={listed}; bh=e; b=e"


SIGNED = (RESULTS, HOPS, sign())


def make(*fields: str, to: str | list[str] = TO, shown: str = BUYER, **arrival) -> Message:
    """Write a copy as its reader got it, with what was put before it."""
    text = "\n".join([*fields, f"From: {A}", f"To: {shown}", "Subject: Hello", "", "Hello", ""])
    made = mail(text, ORDER, to=to, sender=BUYER).message
    return replace(made, arrival=replace(made.arrival, **arrival))


def decide(message: Message) -> Kind:
    """Classify it; the order is known where it may have been sent on."""
    known = Lookups(
        {}, {}, False, {DOMAIN}, STORES, ORDER if message.first(b"resent-from") else None
    )
    return classify(message, known, authserv_id="mx")


def is_loop(message: Message) -> bool:
    """Whether it is refused as a loop."""
    found = decide(message)
    return isinstance(found, Unacceptable) and found.reply == replies.LOOP


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ("Date: today", "Message-ID: <1@mx>", "Received: x", "X-Sieve: 1", f"Delivered-To: {TO}"),
        ("Reply-To: x@elsewhere.example", f"Sender: {B}", f"Cc: {S}", "Content-Type: text/plain"),
        (sign("from", domain="elsewhere.example"),),
        (sign(LISTED.lower().replace(":", " :\n ")),),
    ],
)
def test_what_is_as_we_signed_it_passes(fields) -> None:
    assert isinstance(decide(make(*fields, *SIGNED)), ForeignMail)


@pytest.mark.parametrize(
    "field",
    [
        f"From: {B}",
        "From: ",
        "Subject: Pay here",
        f"To: {CARRIER}",
        "Cc: x@y.example\nCc: x@y.example",
        "Reply-To: x@y.example\nReply-To: x@y.example",
        "Content-Type: text/html\nContent-Type: text/plain",
    ],
)
def test_what_was_put_before_it_does_not(field) -> None:
    assert is_loop(make(field, *SIGNED))


@pytest.mark.parametrize(
    "field",
    [
        f"Cc: {B}",
        "Reply-To: x@y.example",
        f"Sender: {B}",
        "Content-Type: text/html",
        "Content-Transfer-Encoding: base64",
    ],
)
def test_what_the_signature_does_not_cover_does_not(field) -> None:
    assert isinstance(decide(make(RESULTS, HOPS, sign("From:To:Subject"))), ForeignMail)
    assert is_loop(make(field, RESULTS, HOPS, sign("From:To:Subject")))


@pytest.mark.parametrize(
    "signatures",
    [
        (),
        (sign(domain="elsewhere.example"),),
        (sign(more="l=0; "),),
        (sign(more="h=From; "),),
        (sign("From:To"),),
        (sign(), sign("From:To")),
        (sign("From:To", domain=f"=63t.example.com; d={DOMAIN}"), sign()),
    ],
)
def test_each_signature_in_our_name_must_cover_it(signatures) -> None:
    """Which of them is good, the results need not tell."""
    assert is_loop(make(RESULTS, HOPS, *signatures))


@pytest.mark.parametrize(
    ("arrival", "passes"),
    [
        ({}, True),
        ({"local": True}, True),
        ({"local": True, "trusted": True}, True),
        ({"trusted": True}, False),
        ({"trusted": True, "user": "intern"}, False),
        ({"trusted": True, "local": True, "user": "intern"}, False),
        ({"split": True}, False),
    ],
)
def test_results_that_the_client_may_have_written_do_not_count(arrival, passes) -> None:
    """No verifier need look at whom Postfix trusts, but `check` has it look at this host."""
    assert isinstance(decide(make(*SIGNED, **arrival)), ForeignMail) is passes
    assert is_loop(make(*SIGNED, **arrival)) is not passes


@pytest.mark.parametrize("to", [SHOP, "any@shop.example", [TO, SHOP]])
@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ((f"Resent-From: {ANN}",), BUYER),
        ((f"Resent-From: {BUYER}, {CARRIER}",), BUYER),
        ((f"Resent-From: {SHOP}",), SHOP),
        ((f"X-Forwarded-For: {BUYER}",), BUYER),
        ((), f"{BUYER}, {S}"),
        ((f"Cc: {SHOP}",), BUYER),
        ((), B),
        ((), ""),
    ],
)
def test_what_another_reader_sends_on_to_a_store_does_not(to, fields, shown) -> None:
    """It would reach the store untracked."""
    assert is_loop(make(*fields, *SIGNED, to=to, shown=shown))


@pytest.mark.parametrize("shown", [SHOP, f"{SHOP}, {B}", "other@shop.example"])
def test_a_stores_own_copy_comes_back_to_the_store(shown) -> None:
    assert isinstance(decide(make(*SIGNED, to="boss@shop.example", shown=shown)), ForeignMail)
