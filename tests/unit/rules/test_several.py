"""Mail for several recipients, and for several orders: what is queued, and what is recorded."""

from dataclasses import replace

import pytest
from builders import (
    ANN,
    BUYER,
    CARRIER,
    DOMAIN,
    EVERYBODY,
    SHOP,
    TWO,
    B,
    Mail,
    S,
    edits,
    envelope,
    fresh,
    hard,
    mail,
    order,
    own,
    person,
    soft,
    written,
)

from conversation_tracker.core.model import first_pass, replies
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.first_pass import FirstPass, Verdict
from conversation_tracker.core.model.plan import Plan

TO_BUYER = [f"delete recipient <{B}>", f"add recipient <{BUYER}>"]
ANN_JOINS = [f"delete recipient <{ANN}>", f"add recipient <{hard(fresh(1))}>"]
TO_SHOP = [f"delete recipient <{S}>", f"add recipient <{SHOP}>"]

# Several recipients


def passed(row: Mail, verdict: Verdict) -> str:
    """Show the header that the first pass adds."""
    value = first_pass.sign(FirstPass(row.message.digest, verdict), b"")
    return f"add header X-Conversation-Pass: {value.decode()}"


@pytest.mark.parametrize(
    ("to", "changes"),
    [
        ([B, S], []),
        ([B, ANN], [*ANN_JOINS]),
        ([BUYER, ANN], [f"delete recipient <{BUYER}>", f"add recipient <{B}>", *ANN_JOINS]),
        ([B, BUYER], [*TO_BUYER[:1], f"delete recipient <{BUYER}>", f"add recipient <{B}>"]),
        (
            [B, soft(BUYER)],
            [*TO_BUYER[:1], f"delete recipient <{soft(BUYER)}>", f"add recipient <{B}>"],
        ),
        ([ANN, ANN.upper()], [ANN_JOINS[0], f"delete recipient <{ANN.upper()}>", ANN_JOINS[1]]),
    ],
)
def test_several_recipients_keep_aliases_only(to: list[str], changes: list[str]) -> None:
    """Outsiders become aliases in the envelope, headers stay for the second pass."""
    row = own(written(SHOP, f"To: {BUYER}, {ANN}"), EVERYBODY, to=to)
    plan = row.plan()
    assert plan.split
    assert plan.bounces_to is None
    assert edits(plan) == [passed(row, "trusted"), *changes]


@pytest.mark.parametrize(
    "to",
    [
        [B, S],
        [B, BUYER],
        [BUYER, B],
        [B, B],
        [B, B.upper()],
        [B.upper(), B],
        [soft(BUYER), B],
        [B, soft(BUYER)],
        [BUYER, BUYER.upper(), B, soft(BUYER)],
        [BUYER, BUYER],
        [ANN, B, ANN],
        [soft(SHOP), SHOP],
        [SHOP, soft(SHOP)],
        [SHOP, S, B],
    ],
)
def test_everybody_gets_one_copy_and_nobody_none(to: list[str]) -> None:
    """However often they are named: a deletion takes every recipient of that text."""
    row = own(written(SHOP), order(BUYER, SHOP, CARRIER), to=to)
    [record] = row.plan().records
    wanted = {token for token, _ in record.recipients}
    known = {each.token: each for each in (*row.conversations[0], *record.joined)}
    gathered = replace(row.conversations[0], participants=tuple(known.values()))
    got = []
    for address in envelope(row.sent()):
        again = mail("\n", gathered, to=address).message.recipients[0]
        assert again.token is not None, "only aliases may stay"
        got.append(again.token)
    assert sorted(got) == sorted(wanted)


def test_mail_for_several_loses_blind_copies_and_forged_headers() -> None:
    forged = ["Bcc: x@y.example", "X-Conversation-Pass: 0", "X-Conversation-Hops: 2"]
    row = mail(written(CARRIER, *forged), EVERYBODY, to=[B, S])
    assert edits(row.plan()) == [
        "delete header X-Conversation-Pass 1",
        "delete header Bcc 1",
        passed(row, "unverified"),
    ]


def test_the_second_pass_finds_the_first_ones_record_and_verdict() -> None:
    """Each copy is rewritten like mail for one, and what the first pass said goes."""
    first = own(written(SHOP, f"To: {B}, {S}"), EVERYBODY, to=[B, S])
    queued = first.sent()
    [before] = first.plan().records
    for alias, edit in ((B, TO_BUYER), (S, TO_SHOP)):
        second = mail("\n", EVERYBODY, to=alias, sender=SHOP, split=True)
        message = replace(second.message, headers=queued.headers, body=queued.body)
        plan = replace(second, message=message).plan()
        [record] = plan.records
        assert record.digest == before.digest
        assert plan.bounces_to == record.recipients[0][0]
        assert "delete header X-Conversation-Pass 1" in edits(plan)
        assert edits(plan)[-2:] == edit


def test_a_copy_of_what_was_recorded_is_not_masked_for_the_record_again() -> None:
    text = (
        f"To: {B}\nSubject: Hello\nMessage-ID: <1@{CARRIER.partition('@')[2]}>\n\nI am {CARRIER}.\n"
    )
    row = mail(f"From: Carl <{CARRIER}>\n{text}", EVERYBODY, to=B, split=True)
    whole, again = row.plan(), row.plan(again=True)
    assert again == replace(whole, records=again.records)
    [record], [repeat] = whole.records, again.records
    assert (repeat.subject, repeat.first_words, repeat.sender_name, repeat.raw) == ("", "", "", b"")
    assert record.identifiers
    assert repeat.identifiers == ()
    assert record == replace(
        repeat,
        sender_name=record.sender_name,
        message_id=record.message_id,
        subject="Hello",
        first_words=record.first_words,
        raw=record.raw,
        identifiers=record.identifiers,
        again=False,
    )


def test_two_recipients_on_the_splitter_would_go_round_for_ever() -> None:
    plan = mail(written(CARRIER), EVERYBODY, to=[B, S], split=True).plan()
    assert plan == Plan(reply=replies.TRY_LATER)


def test_an_outsider_that_is_no_address_cannot_be_masked() -> None:
    plan = mail(written(SHOP), EVERYBODY, to=[B, "postmaster"]).plan()
    assert plan == Plan(reply=replies.CANNOT_MASK)


# Two orders in one mail


def second_order(domain: str) -> Conversation:
    return order(
        person("ann@friends.example", "buyer", "c" * 32),
        person(SHOP, "store", "d" * 32),
        id=8,
        number="1002",
        ref="9" * 12,
        domain=domain,
    )


@pytest.mark.parametrize("domain", [DOMAIN, TWO])
def test_each_alias_speaks_for_its_own_order(domain: str) -> None:
    other = second_order(domain)
    plan = own(written(SHOP), EVERYBODY, other, to=[B, hard("c", domain)]).plan()
    assert [record.order for record in plan.records] == [7, 8]
    assert [record.sender for record in plan.records] == ["5" * 32, "d" * 32]
    assert [[token for token, _ in record.recipients] for record in plan.records] == [
        ["b" * 32],
        ["c" * 32],
    ]


@pytest.mark.parametrize("domain", [DOMAIN, TWO])
def test_two_forms_of_one_alias_are_one_recipient_in_the_second_order_too(domain: str) -> None:
    other = second_order(domain)
    twice = [hard("c", domain), soft(ANN, "9" * 12, domain)]
    row = own(written(SHOP), EVERYBODY, other, to=[B, *twice])
    assert sorted(envelope(row.sent())) == sorted([B, hard("c", domain)])


@pytest.mark.parametrize("domain", [DOMAIN, TWO])
def test_an_alias_of_one_order_joins_no_other(domain: str) -> None:
    """It is no person; masked again it would lead in a circle."""
    theirs = hard("c", domain)
    row = own(written(SHOP, f"To: {B}, {theirs}"), EVERYBODY, second_order(domain), to=[B, theirs])
    joined = [each for record in row.plan().records for each in record.joined]
    assert joined == []


@pytest.mark.parametrize("domain", [DOMAIN, TWO])
def test_no_record_holds_another_orders_soft_alias(domain: str) -> None:
    """It carries an address that nobody reads in this order's timeline."""
    theirs = soft(ANN, "9" * 12, domain)
    text = written(SHOP, f"To: {B}, Ann <{theirs}>", f"Subject: {theirs}", body=f"{theirs}\n")
    row = own(text, EVERYBODY, second_order(domain), to=[B, theirs])
    for record in row.plan().records:
        assert ANN.encode() not in record.raw
        assert ANN not in record.subject + record.first_words
