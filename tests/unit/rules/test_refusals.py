"""Mail that is refused, mail that is none of our business, and whose own mail it is."""

from dataclasses import replace

import pytest
from builders import (
    ANN,
    BUYER,
    CARRIER,
    DOMAIN,
    EVERYBODY,
    OUR_STORE,
    SHOP,
    TWO,
    A,
    B,
    Mail,
    S,
    mail,
    order,
    own,
    person,
    soft,
    written,
)

from conversation_tracker.core.base.limits import Limits, Overdue
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.rules.authentication import find_verdict
from conversation_tracker.core.rules.loop import find_refusal
from conversation_tracker.core.rules.own_mail import (
    UnusableNumber,
    drop_false_trust,
    find_own_store,
    read_order_number,
)
from conversation_tracker.core.rules.planning import pass_through
from conversation_tracker.core.rules.recording import make_refusal

# Refusals


@pytest.mark.parametrize(
    ("row", "reply"),
    [
        (mail("\nHello\n", EVERYBODY, to=B, sender=None), replies.NO_SENDER),
        (mail("From: MAILER-DAEMON\n\n", EVERYBODY, to=B, sender=None), replies.NO_SENDER),
        (
            mail(written(ANN), order(BUYER, SHOP, unknown_senders="reject"), to=B),
            replies.SENDER_REFUSED,
        ),
        (
            mail(
                written(ANN),
                order(BUYER, person(ANN, "return", "c" * 32), unknown_senders="reject"),
                to=B,
            ),
            replies.SENDER_REFUSED,
        ),
        (
            own(written(SHOP, f"Cc: {ANN}"), order(BUYER, SHOP, participant_limit=2), to=B),
            replies.TOO_MANY_PARTICIPANTS,
        ),
        (
            own(written(SHOP), order(BUYER, SHOP, participant_limit=2), to=[B, ANN]),
            replies.TOO_MANY_PARTICIPANTS,
        ),
        (
            mail(
                written(
                    CARRIER, "Content-Type: multipart/mixed; boundary=x", body="--x\n\n" * 9000
                ),
                EVERYBODY,
                to=B,
            ),
            replies.CANNOT_MASK,
        ),
    ],
)
def test_a_refused_message_leaves_nothing_behind(row: Mail, reply: replies.Reply) -> None:
    """With a reply there are no edits and nobody joins."""
    plan = row.plan()
    assert plan.reply == reply
    assert plan.edits == ()
    assert not plan.records


@pytest.mark.parametrize("author", [BUYER, CARRIER])
def test_known_senders_pass_where_others_do_not(author: str) -> None:
    known = order(BUYER, SHOP, CARRIER, unknown_senders="reject")
    to = A if author == BUYER else B
    assert mail(written(author), known, to=to).plan().reply is None


@pytest.mark.parametrize("author", [SHOP, "new@shop.example"])
def test_the_stores_own_mail_passes_where_others_do_not(author: str) -> None:
    known = order(BUYER, SHOP, CARRIER, unknown_senders="reject")
    assert own(written(author), known, to=B).plan().reply is None


def test_whoever_has_lost_their_address_gets_nothing() -> None:
    """An erased participant has no address that a copy could go to."""
    erased = order(person(None, "buyer", "b" * 32), SHOP)
    row = mail(written(SHOP), erased, to=B)
    plan = row.plan()
    assert plan.reply is not None
    assert plan.edits == ()


def test_the_null_sender_stays_null() -> None:
    plan = mail(written(CARRIER), EVERYBODY, to=B, sender=None).plan()
    assert plan.reply is None
    assert plan.bounces_to is None
    assert plan.records[0].return_path is None
    assert plan.records[0].automatic


def test_the_envelope_sender_is_one_of_ours_for_each_delivery() -> None:
    plan = mail(written(CARRIER), EVERYBODY, to=B).plan()
    assert plan.bounces_to == "b" * 32
    [(token, bounce)] = plan.records[0].recipients
    assert token == "b" * 32
    assert len(bounce) == 32


def test_without_a_conversation_mail_passes_untouched() -> None:
    assert mail(written(CARRIER, f"To: {BUYER}"), to=BUYER).plan() == Plan()


# Before the conversations are known

OURS = frozenset({DOMAIN, TWO})


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        (written(CARRIER), None),
        (written(CARRIER, "X-Conversation-Hops: 4"), None),
        (written(CARRIER, "X-Conversation-Hops: 5"), replies.LOOP),
        (written(CARRIER, "X-Conversation-Hops: many"), replies.LOOP),
        (written(B), replies.FORGED_SENDER),
        (written(f"Shop <{soft(SHOP)}>"), replies.FORGED_SENDER),
        (written(f"x@{DOMAIN}"), replies.FORGED_SENDER),
        (written(f"x@sub.{TWO}"), replies.FORGED_SENDER),
        (written(f"X@{DOMAIN.upper()}."), replies.FORGED_SENDER),
        (written(f"{CARRIER}, {B}"), replies.FORGED_SENDER),
        (written(CARRIER, f"From: {B}"), replies.FORGED_SENDER),
        (written(f'"x y"@{DOMAIN}'), replies.FORGED_SENDER),
        (written(f"<x@{DOMAIN}"), replies.FORGED_SENDER),
        (written(f"x y@{DOMAIN} z"), replies.FORGED_SENDER),
        (f"Sender: {B}\n\n", replies.FORGED_SENDER),
        (written(B, "X-Conversation-Hops: 1"), replies.LOOP),
        (written(f'"{B}" <{CARRIER}>'), None),
        (written(f"x@{DOMAIN}.example"), None),
        (written(f"x@not{DOMAIN}"), None),
        (written(CARRIER, f"Reply-To: {B}"), None),
    ],
)
def test_from_in_an_alias_domain_is_forged_or_comes_round(
    text: str, reply: replies.Reply | None
) -> None:
    assert find_refusal(mail(text, to=B).message, OURS) == reply


def test_an_envelope_sender_in_an_alias_domain_is_the_author_only_without_from() -> None:
    assert find_refusal(mail("\nx", to=B, sender=S).message, OURS) == replies.FORGED_SENDER
    assert find_refusal(mail(written(CARRIER), to=B, sender=S).message, OURS) is None


STORES = {"shop.example": OUR_STORE}


@pytest.mark.parametrize(
    ("message", "store"),
    [
        (mail(written(SHOP), to=BUYER, trusted=True), OUR_STORE),
        (mail(written(SHOP.upper()), to=BUYER, trusted=True), OUR_STORE),
        (mail(written(SHOP), to=BUYER), None),
        (mail(written(SHOP), to=BUYER, trusted=True, split=True), None),
        (mail(written(CARRIER), to=BUYER, trusted=True, sender=SHOP), None),
        (mail("\n", to=BUYER, trusted=True, sender=SHOP), OUR_STORE),
        (mail("\n", to=BUYER, trusted=True, sender=None), None),
        (mail(written("x@mail.shop.example"), to=BUYER, trusted=True), None),
    ],
)
def test_a_stores_own_mail_comes_from_a_trusted_client(message: Mail, store: Store | None) -> None:
    assert find_own_store(message.message, STORES) == store


SUBMITTED = replace(OUR_STORE, submitters=frozenset({"shop", "Erp@shop.example"}))


@pytest.mark.parametrize(
    ("author", "user", "believed"),
    [
        (SHOP, "shop", True),
        (SHOP, "Erp@shop.example", True),
        (SHOP, "", False),
        (SHOP, "Shop", False),
        (SHOP, "erp@shop.example", False),
        (SHOP, "other", False),
        (f"{CARRIER}, {SHOP}", "other", False),
        (f"{CARRIER}, {SHOP}", "shop", True),
        (CARRIER, "", True),
    ],
)
def test_only_a_submitter_of_the_store_hands_in_its_mail(
    author: str, user: str, believed: bool
) -> None:
    """Who is trusted, and writes as the store all the same, claims it as any stranger does."""
    stores = {"shop.example": SUBMITTED}
    given = mail(written(author), to=BUYER, trusted=True).message
    message = replace(given, arrival=replace(given.arrival, user=user))
    kept = drop_false_trust(message, stores)
    assert kept.arrival.trusted is believed
    assert (kept is message) is believed
    assert find_verdict(kept, "mx.example.com") == ("trusted" if believed else "failed")
    mine = message.author is not None and message.author.domain == "shop.example"
    for each in (message, kept):
        assert find_own_store(each, stores) == (SUBMITTED if mine and believed else None)


def test_nobody_gets_trust_that_they_did_not_have() -> None:
    message = mail(written(SHOP), to=BUYER).message
    message = replace(message, arrival=replace(message.arrival, user="shop"))
    assert drop_false_trust(message, {"shop.example": SUBMITTED}) is message
    assert find_own_store(message, {"shop.example": SUBMITTED}) is None


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("1001", "1001"),
        ("  1001 ", "1001"),
        ("=?utf-8?q?N=C2=BA_7?=", "Nº 7"),
        ("n" * 200, "n" * 200),
    ],
)
def test_the_order_header_names_the_order(value: str, number: str) -> None:
    message = mail(written(SHOP, f"x-order-ID: {value}"), to=BUYER).message
    assert read_order_number(message, OUR_STORE) == number


@pytest.mark.parametrize("value", ["n" * 201, "", " ", "=?utf-8?q?_?="])
def test_an_order_header_that_names_nothing_lets_no_mail_out(value: str) -> None:
    """What was meant to be masked must not leave as it is."""
    message = mail(written(SHOP, f"x-order-ID: {value}"), to=BUYER).message
    with pytest.raises(UnusableNumber):
        read_order_number(message, OUR_STORE)


def test_mail_without_the_order_header_names_no_order() -> None:
    assert read_order_number(mail(written(SHOP), to=BUYER).message, OUR_STORE) is None


@pytest.mark.parametrize(
    "value", [b"a\tb", b"a\n b", b"a\x01b", b"a\xc2\x85b", b"=?utf-8?q?a=00b?="]
)
def test_an_orders_number_is_one_that_the_database_takes(value: bytes) -> None:
    """Printable characters: anything else would be a fault of ours that never ends."""
    message: Message = mail(b"X-Order-Id: " + value + b"\n\n", to=BUYER).message
    number = read_order_number(message, OUR_STORE)
    assert number is None or (number.isprintable() and number == number.strip())


def test_without_the_header_no_order_is_named() -> None:
    assert read_order_number(mail(written(SHOP), to=BUYER).message, OUR_STORE) is None


# Mail that is none of our business


@pytest.mark.parametrize(
    ("to", "trusted", "expected"),
    [
        (SHOP, False, ["delete header X-Order-Id 1"]),
        (SHOP, True, []),
        ("somebody@elsewhere.example", False, []),
    ],
)
def test_a_stranger_names_no_order_to_the_store(
    to: str, trusted: bool, expected: list[str]
) -> None:
    """The store's systems sort by the order header; everybody else's mail keeps what it has."""
    row = mail(written(CARRIER, "X-Order-Id: 1001"), to=to, trusted=trusted)
    assert [str(edit) for edit in pass_through(row.message, STORES).edits] == expected


def test_only_the_first_pass_may_say_what_it_found() -> None:
    row = mail(written(CARRIER, "X-Conversation-Pass: x"), to=SHOP, trusted=True)
    assert [str(edit) for edit in pass_through(row.message).edits] == [
        "delete header X-Conversation-Pass 1"
    ]


# What the timeline says of them


def over() -> None:
    raise Overdue


@pytest.mark.parametrize(
    ("author", "field", "token"),
    [
        (CARRIER, "Authentication-Results: mx.example; dkim=pass header.d=carrier.example", "a"),
        (CARRIER, "Authentication-Results: mx.example; dkim=fail", ""),
        (SHOP, "Authentication-Results: mx.example; none", ""),
        (f"{CARRIER}, x@shop.example", "X-Other: x", ""),
        (ANN, "X-Other: x", ""),
    ],
)
def test_who_only_claims_to_be_somebody_is_not_told_to_be_they(
    author: str, field: str, token: str
) -> None:
    """Nor does it take time that the message no longer has."""
    row = mail(written(author, field), EVERYBODY, to=B)
    late = replace(row.message, limits=Limits(check=over))
    for message in (row.message, late):
        found = make_refusal(message, EVERYBODY, "b" * 32, replies.TRY_LATER, "mx.example")
        assert found.author == (token * 32 or None)
