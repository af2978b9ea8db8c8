"""What a message is, and what a recipient is: for each kind, which one leads to it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest
from builders import (
    ANN,
    BUYER,
    CARRIER,
    DOMAIN,
    EVERYBODY,
    OUR_STORE,
    SHOP,
    TOKENS,
    A,
    B,
    S,
    mail,
    order,
    person,
    recipient,
    written,
)

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.first_pass import FirstPass
from conversation_tracker.core.model.first_pass import sign as sign
from conversation_tracker.core.model.message import Message, Recipient
from conversation_tracker.core.reports import report
from conversation_tracker.core.reports.bounce import Delivery
from conversation_tracker.core.rules.classification import (
    BounceReport,
    Complaint,
    ForeignMail,
    Kind,
    Lookups,
    MisdirectedReport,
    OrderMail,
    OwnMail,
    PostmasterMail,
    Probe,
    RedirectReport,
    SharedReport,
    Unacceptable,
    classify,
)
from conversation_tracker.core.rules.recipient import (
    AliasAddress,
    BounceAddress,
    ProbeAddress,
    Rcpt,
    RecipientKind,
    classify_recipient,
    must_come_alone,
    refuse_status,
)

SECRET = bytes(range(32))
ELSEWHERE = "ann@elsewhere.example"
POSTMASTER = f"postmaster@{DOMAIN}"
BOUNCE = f"bounce-{'e' * 32}@{DOMAIN}"
OTHER_BOUNCE = f"bounce-{'f' * 32}@{DOMAIN}"
SUBMITTED = replace(OUR_STORE, submitters=frozenset({"erp"}))

LETTER = written(CARRIER)
REPORT = """\
From: MAILER-DAEMON@mx.example
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

It failed.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; john@doe.example
Action: failed
Status: 5.1.1
--b--
"""
COMPLAINT = """\
From: abuse@isp.example
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b

Complaint
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
--b--
"""
AWAY = written(BUYER, "Auto-Submitted: auto-replied", "Subject: Re: Your order")
FORGED = written(B)
ROUND = written(B, "X-Conversation-Hops: 1")
OWN = written(SHOP)


def message(
    text: str,
    *to: str,
    sender: str | None = CARRIER,
    trusted: bool = False,
    split: bool = False,
    user: str = "",
    cut: bool = False,
) -> Message:
    """Make a message as RCPT left it: aliases and bounce addresses are marked as such."""
    made = mail(text, EVERYBODY, to=list(to), sender=sender, trusted=trusted, split=split).message
    recipients = []
    for each in made.recipients:
        address = str(each.address)
        bounce = address[7:39] if address.startswith("bounce-") else None
        marked = replace(each, bounce=bounce, postmaster=address == POSTMASTER)
        recipients.append(marked)
    arrival = replace(made.arrival, user=user)
    return replace(made, recipients=tuple(recipients), arrival=arrival, cut=cut)


def delivery(bounce: str = "e" * 32, conversation: Conversation = EVERYBODY) -> Delivery:
    """Make a delivery of the store's mail to the buyer."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Delivery(bounce, conversation, TOKENS[BUYER], TOKENS[SHOP], None, at, "", "", "accepted")


def known(message: Message, *, probe: bool = False, stores: dict | None = None) -> Lookups:
    """Return what the recipients of a message led to."""
    conversations = {7: EVERYBODY} if any(each.token for each in message.recipients) else {}
    deliveries = {each.bounce: delivery(each.bounce) for each in message.recipients if each.bounce}
    found = {"shop.example": OUR_STORE} if stores is None else stores
    return Lookups(conversations, deliveries, probe, frozenset({DOMAIN}), found)


MESSAGES: list[tuple[Message, type]] = [
    # Must not pass, whoever it is for.
    (message(FORGED, B), Unacceptable),
    (message(ROUND, ELSEWHERE), Unacceptable),
    (message(written(CARRIER, "X-Conversation-Hops: 5"), POSTMASTER), Unacceptable),
    (message(LETTER, B, cut=True), Unacceptable),
    (message(LETTER, POSTMASTER, cut=True), Unacceptable),
    (message(LETTER, SHOP, cut=True), Unacceptable),
    (message(LETTER, ELSEWHERE, trusted=True, cut=True), Unacceptable),
    # To a postmaster.
    (message(LETTER, POSTMASTER), PostmasterMail),
    (message(REPORT, POSTMASTER, sender=None), PostmasterMail),
    (message(OWN, POSTMASTER, trusted=True), PostmasterMail),
    # To a bounce address.
    (message(REPORT, BOUNCE, sender=None), BounceReport),
    (message(COMPLAINT, BOUNCE, sender=None), Complaint),
    (message(AWAY, BOUNCE, sender=None), OrderMail),
    (message(LETTER, BOUNCE, sender=None), OrderMail),
    # A report, and to an alias.
    (message(REPORT, S, sender=None), MisdirectedReport),
    (message(REPORT, S), MisdirectedReport),
    (message(REPORT.replace(BUYER, A), BOUNCE, sender=None), RedirectReport),
    (message(REPORT, A, S, sender=None), SharedReport),
    (message(REPORT, BOUNCE, OTHER_BOUNCE, sender=None), SharedReport),
    (message(REPORT, BOUNCE, POSTMASTER, sender=None), SharedReport),
    (message(COMPLAINT, B), Complaint),
    (message(COMPLAINT, A, S), Complaint),
    # The store's own.
    (message(OWN, BUYER, trusted=True), OwnMail),
    (message(OWN, BUYER, CARRIER, trusted=True), OwnMail),
    (message(REPORT.replace("MAILER-DAEMON@mx.example", SHOP), BUYER, trusted=True), OwnMail),
    (message(OWN, B, trusted=True), OrderMail),
    (message(COMPLAINT.replace("abuse@isp.example", SHOP), B, trusted=True), MisdirectedReport),
    # An order's.
    (message(LETTER, B), OrderMail),
    (message(LETTER, B, S), OrderMail),
    (message(LETTER, B, ELSEWHERE), OrderMail),
    (message(LETTER, B, POSTMASTER), OrderMail),
    (message(REPORT, B, ELSEWHERE, sender=None), OrderMail),
    (message(AWAY, S, sender=None), OrderMail),
    (message(written(BUYER, body="> Final-Recipient: rfc822; x@y.example\n"), S), OrderMail),
    # None of our business.
    (message(LETTER, ELSEWHERE), ForeignMail),
    (message(LETTER, SHOP), ForeignMail),
    (message(LETTER, ELSEWHERE, trusted=True), ForeignMail),
    (message(LETTER, ELSEWHERE, cut=True), ForeignMail),
    (message(OWN, BUYER), ForeignMail),
    (message(OWN, BUYER, trusted=True, split=True), ForeignMail),
    (message(REPORT, ELSEWHERE, sender=None), ForeignMail),
    (message(COMPLAINT, ELSEWHERE), ForeignMail),
]


@pytest.mark.parametrize(("given", "expected"), MESSAGES)
def test_what_a_message_is(given: Message, expected: type) -> None:
    assert type(classify(given, known(given))) is expected


@pytest.mark.parametrize("given", [given for given, _ in MESSAGES])
def test_a_probe_is_a_probe_whatever_else_it_is(given: Message) -> None:
    assert classify(given, known(given, probe=True)) == Probe(given)


def test_the_table_leads_to_every_kind() -> None:
    assert {expected for _, expected in MESSAGES} | {Probe} == set(get_args(Kind))


def test_a_message_is_read_once_and_only_where_it_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail of others is not looked into, and no report is read twice."""
    read, seen = report.read_report, []
    monkeypatch.setattr(report, "read_report", lambda given: seen.append(given) or read(given))
    for given, expected in MESSAGES:
        seen.clear()
        classify(given, known(given))
        assert len(seen) <= 1
        if expected in (ForeignMail, OwnMail, PostmasterMail, Unacceptable):
            assert seen == []


# What a kind brings along


@pytest.mark.parametrize(
    ("given", "reply", "told"),
    [
        (message(FORGED, B), replies.FORGED_SENDER, [7]),
        (message(FORGED, ELSEWHERE), replies.FORGED_SENDER, []),
        (message(ROUND, B), replies.LOOP, [7]),
        (message(LETTER, B, cut=True), replies.TOO_MANY_FIELDS, []),
    ],
)
def test_what_must_not_pass_says_why_and_whom_to_tell(
    given: Message, reply: replies.Reply, told: list[int]
) -> None:
    found = classify(given, known(given))
    assert isinstance(found, Unacceptable)
    assert (found.reply, list(found.conversations)) == (reply, told)


@pytest.mark.parametrize(
    ("text", "expected"), [(COMPLAINT, Complaint), (AWAY, OrderMail), (LETTER, OrderMail)]
)
def test_mail_to_a_bounce_address_is_for_the_author_of_what_was_delivered(
    text: str, expected: type
) -> None:
    given = message(text, BOUNCE, sender=None)
    found = classify(given, known(given))
    assert isinstance(found, Complaint | OrderMail)
    back = replace(EVERYBODY, came_back=("e" * 32, TOKENS[SHOP]))
    assert (type(found), dict(found.conversations)) == (expected, {7: back})
    [to] = found.message.recipients
    assert (to.raw, to.order, to.token) == (f"<{BOUNCE}>".encode(), 7, TOKENS[SHOP])


@pytest.mark.parametrize(
    ("text", "expected"), [(COMPLAINT, Unacceptable), (AWAY, OrderMail), (LETTER, Unacceptable)]
)
def test_with_a_sender_only_automatic_answers_come_to_a_bounce_address(
    text: str, expected: type
) -> None:
    given = message(text, BOUNCE)
    found = classify(given, known(given))
    assert isinstance(found, expected)
    assert not isinstance(found, Unacceptable) or found.reply == replies.NOT_A_REPORT


@pytest.mark.parametrize("text", [COMPLAINT, AWAY])
@pytest.mark.parametrize("people", [(BUYER,), (BUYER, person(None, "store", TOKENS[SHOP]))])
def test_an_author_who_is_gone_gets_no_answer(text: str, people: tuple) -> None:
    given = message(text, BOUNCE, sender=None)
    gone = {"e" * 32: delivery(conversation=order(*people))}
    found = classify(given, replace(known(given), deliveries=gone))
    assert found == Unacceptable(given, replies.EXPIRED_ALIAS, {})


def test_who_may_not_hand_in_a_stores_mail_is_not_trusted_with_it() -> None:
    stores = {"shop.example": SUBMITTED}
    given = message(OWN, B, trusted=True, user="other")
    found = classify(given, known(given, stores=stores))
    assert isinstance(found, OrderMail)
    assert (found.own, found.message.arrival.trusted) == (None, False)
    given = message(OWN, B, trusted=True, user="erp")
    found = classify(given, known(given, stores=stores))
    assert isinstance(found, OrderMail)
    assert (found.own, found.message.arrival.trusted) == (SUBMITTED, True)


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("secret", [SECRET, b"", bytes(32)])
def test_only_the_splitters_copies_bring_what_the_first_pass_found(
    split: bool, secret: bytes
) -> None:
    first_pass = FirstPass(b"d" * 32, "verified")
    field = f"X-Conversation-Pass: {sign(first_pass, SECRET).decode()}"
    given = message(written(CARRIER, field), B, split=split)
    found = classify(given, known(given), secret)
    believed = split and secret == SECRET
    assert found.message.arrival.first_pass == (first_pass if believed else None)


# Recipients

TRY_LATER, UNKNOWN = replies.TRY_LATER, replies.UNKNOWN_ALIAS
PROBE = f"probe@{DOMAIN}"


def asked(text: str, reader: str = "postmaster", **more: bool) -> RecipientKind:
    """Classify a recipient."""
    rcpt = Rcpt(f"<{text}>".encode("utf-8", "surrogateescape"), **more)
    return classify_recipient(rcpt, {DOMAIN}, reader, lambda each: str(each) == PROBE)


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        (ELSEWHERE, {}, recipient(ELSEWHERE)),
        (ELSEWHERE, {"original": True}, replace(recipient(ELSEWHERE), original=True)),
        (ELSEWHERE, {"split": True}, TRY_LATER),
        (f"@relay.example:{ELSEWHERE}", {}, recipient(ELSEWHERE)),
        (ANN, {"null": True}, recipient(ANN)),
        ("no address", {}, Recipient(b"<no address>", None)),
        (f"no address@{DOMAIN.upper()}.", {}, UNKNOWN),
        (f"somebody@{DOMAIN}", {}, UNKNOWN),
        (f"somebody@www.{DOMAIN}", {}, UNKNOWN),
        (POSTMASTER, {}, replace(recipient(POSTMASTER), postmaster=True)),
        (POSTMASTER, {"reader": f"x@{DOMAIN}"}, TRY_LATER),
        (PROBE, {}, ProbeAddress()),
    ],
)
def test_what_a_recipient_is(text: str, more: dict, expected: RecipientKind) -> None:
    assert asked(text, **more) == expected


@pytest.mark.parametrize(
    ("text", "before", "alone"),
    [
        (BOUNCE, {}, False),
        (BOUNCE, {"others": True}, True),
        (BOUNCE, {"others": True, "bounces": True}, True),
        (BOUNCE, {"others": True, "null": True}, False),
        (B, {"others": True}, False),
        (B, {"others": True, "bounces": True}, True),
        (ELSEWHERE, {"others": True, "bounces": True}, True),
        (B, {"others": True, "bounces": True, "null": True}, False),
        (f"nobody@{DOMAIN}", {"others": True, "bounces": True}, False),
    ],
)
def test_what_has_a_sender_comes_to_a_bounce_address_alone(
    text: str, before: dict, alone: bool
) -> None:
    rcpt = Rcpt(f"<{text}>".encode(), **before)
    found = classify_recipient(rcpt, {DOMAIN}, "postmaster", lambda _each: False)
    assert must_come_alone(found, rcpt) is alone


@pytest.mark.parametrize(
    ("text", "token"),
    [(B, "b" * 32), (f"@relay.example:{B.upper()}", "b" * 32), (BOUNCE, "e" * 32)],
)
def test_what_is_to_be_looked_up(text: str, token: str) -> None:
    found = asked(text, null=True)
    assert isinstance(found, AliasAddress | BounceAddress)
    alias = found.alias if isinstance(found, AliasAddress) else found.bounce
    assert (getattr(alias, "token", None), alias.domain) == (token, DOMAIN)
    assert found.recipient.address == Address.parse(text.rpartition(":")[2])
    assert found.recipient.raw == f"<{text.rpartition(':')[2]}>".encode()


def test_the_recipients_lead_to_every_kind() -> None:
    found = {type(asked(text, null=True)) for text in (ELSEWHERE, "x@" + DOMAIN, PROBE, B, BOUNCE)}
    assert found == set(get_args(RecipientKind))


@pytest.mark.parametrize(
    ("status", "reply"),
    [("live", None), ("expired", replies.EXPIRED_ALIAS), ("inactive", TRY_LATER)],
)
def test_mail_for_an_order_that_is_not_live(status: str, reply: replies.Reply | None) -> None:
    assert refuse_status(status) == reply
