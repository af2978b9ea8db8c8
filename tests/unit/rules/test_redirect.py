"""Mail that its reader sends on (Resent-From) is theirs; all else with an alias in From is not."""

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
    A,
    B,
    S,
    hard,
    mail,
    order,
    person,
    soft,
)

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.alias import Hard, Soft
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.rules.authentication import find_verdict
from conversation_tracker.core.rules.classification import (
    ForeignMail,
    Kind,
    Lookups,
    OrderMail,
    Unacceptable,
    classify,
)
from conversation_tracker.core.rules.redirect import find_alias

RETURNED = (
    f"DKIM-Signature: v=1; a=rsa-sha256; d={DOMAIN}; s=t; h=From:From:To:Cc:Subject:\n"
    "  Content-Type : Reply-To:sender:Content-Transfer-Encoding; bh=eA==; b=eA==",
    f"Authentication-Results: mx; dkim=pass header.d={DOMAIN}",
    "X-Conversation-Hops: 1",
)
STORES = {"shop.example": OUR_STORE}
GUEST = replace(person(ANN, "partner", "c" * 32), introduced=False)
ORDER = replace(EVERYBODY, participants=(*EVERYBODY.participants, GUEST))


def make(*fields: str, to: str | list[str] = S, author: str = A, trusted: bool = False) -> Message:
    """Write mail with an alias in From."""
    text = "\n".join([f"From: {author}", *fields, "", f"Hello {BUYER}", ""])
    return mail(text, ORDER, to=to, sender=BUYER, trusted=trusted).message


def decide(message: Message, found: Conversation | None = ORDER, authserv_id: str = "") -> Kind:
    """Classify it, with the order that the alias in From is of."""
    to = {ORDER.order.id: ORDER} if any(each.token for each in message.recipients) else {}
    known = Lookups(to, {}, False, {DOMAIN}, STORES, found)
    return classify(message, known, authserv_id=authserv_id)


@pytest.mark.parametrize(
    ("author", "alias"),
    [
        (A, Hard("a" * 32, DOMAIN)),
        (f"Agent <{A.upper()}>", Hard("a" * 32, DOMAIN)),
        (f"{A}, {S}", None),
        (f"{A}\nFrom: {S}", None),
        (f"x@{DOMAIN}", None),
        (f"bounce-{'b' * 32}@{DOMAIN}", None),
        (CARRIER, None),
        ("", None),
    ],
)
def test_the_alias_in_from_is_looked_up(author, alias) -> None:
    message = make(f"Resent-From: {BUYER}", author=author)
    assert find_alias(message, {DOMAIN}, STORES) == alias


def test_a_soft_alias_is_looked_up_too() -> None:
    message = make(f"Resent-From: {BUYER}", author=soft(CARRIER))
    assert isinstance(find_alias(message, {DOMAIN}, STORES), Soft)


@pytest.mark.parametrize(
    "fields",
    [(), ("Resent-From: ",), (f"Resent-From: {B}",), (f"Resent-From: {BUYER}, {CARRIER}",)],
)
def test_nothing_is_looked_up_where_nobody_sends_it_on(fields) -> None:
    assert find_alias(make(*fields), {DOMAIN}, STORES) is None


@pytest.mark.parametrize("to", [CARRIER, f"postmaster@{DOMAIN}", "x@elsewhere.example"])
def test_nothing_is_looked_up_where_it_goes_to_others(to) -> None:
    for recipients in ([to], [S, to]):
        message = make(f"Resent-From: {BUYER}", to=recipients)
        assert find_alias(message, {DOMAIN}, STORES) is None


@pytest.mark.parametrize("hops", [(), ("X-Conversation-Hops: 1",), ("X-Conversation-Hops: 4",)])
@pytest.mark.parametrize("to", [S, A, [S, A], SHOP, "any@shop.example", [S, SHOP]])
def test_it_is_its_senders(to, hops) -> None:
    found = decide(make(f"Resent-From: John <{BUYER}>", *hops, to=to))
    assert isinstance(found, OrderMail)
    assert str(found.message.author) == BUYER
    assert found.message.first(b"from") == f"John <{BUYER}>".encode()
    assert [*found.conversations] == [ORDER.order.id]
    assert found.own is None


@pytest.mark.parametrize(
    "fields",
    [
        ("Resent-From: stranger@elsewhere.example",),
        (f"Resent-From: {ANN}",),  # a guest
        (f"Resent-From: {SHOP}",),  # whom no verifier knows
        (f"Resent-From: x@e.example\nResent-From: {BUYER}",),
        (f"Resent-From: {BUYER}", "X-Conversation-Hops: 5"),
    ],
)
def test_what_is_no_redirect_is_a_loop(fields) -> None:
    found = decide(make("X-Conversation-Hops: 1", *fields))
    assert isinstance(found, Unacceptable)
    assert found.reply == replies.LOOP


@pytest.mark.parametrize("to", [S, SHOP, SHOP.upper(), "sales+x@shop.example", [A, SHOP]])
def test_the_store_does_not_send_on_to_itself(to) -> None:
    """It would go round until the hop limit ends it."""
    found = decide(make(f"Resent-From: {SHOP}", to=to, author=B, trusted=True))
    assert isinstance(found, Unacceptable)
    assert found.reply == replies.FORGED_SENDER
    message = make(f"Resent-From: {SHOP}", to="boss@shop.example", author=B, trusted=True)
    assert isinstance(decide(message), OrderMail)


def test_nobody_sends_on_to_themselves_or_to_another_store() -> None:
    for to in (B, [S, B]):
        found = decide(make(f"Resent-From: {BUYER}", to=to))
        assert isinstance(found, Unacceptable)
        assert found.reply == replies.FORGED_SENDER
    other = order(BUYER, CARRIER, sender_domains=frozenset({"other.example"}))
    assert isinstance(decide(make(f"Resent-From: {BUYER}", to=SHOP), other), Unacceptable)


def test_the_store_sends_on_what_it_may() -> None:
    """From its own network, or with a verifier's word."""
    found = decide(make(f"Resent-From: {SHOP}", to=A, author=B, trusted=True))
    assert isinstance(found, OrderMail)
    assert found.own == OUR_STORE
    results = "Authentication-Results: mx; spf=pass smtp.mailfrom=shop.example"
    message = make(f"Resent-From: {SHOP}", results, to=A, author=B)
    assert isinstance(decide(message, authserv_id="mx"), OrderMail)
    assert isinstance(decide(message, authserv_id="other"), Unacceptable)


def test_who_may_not_hand_in_the_stores_mail_does_not_send_it_on_either() -> None:
    """The claim is in Resent-From, where a trusted client's alias in From is nobody's."""
    store = replace(OUR_STORE, submitters=frozenset({"erp"}))
    found = replace(ORDER, store=store)
    for user, expected in (("intern", Unacceptable), ("", Unacceptable), ("erp", OrderMail)):
        message = make(f"Resent-From: {SHOP}", to=A, author=B, trusted=True)
        message = replace(message, arrival=replace(message.arrival, user=user))
        known = Lookups({7: found}, {}, False, {DOMAIN}, {"shop.example": store}, found)
        assert type(classify(message, known)) is expected


def test_results_of_who_authenticated_are_not_believed() -> None:
    """No verifier need look at them: they would write the store's results themselves."""
    store = replace(OUR_STORE, submitters=frozenset({"erp"}), spoofed_senders="reject")
    found = replace(ORDER, store=store)
    results = "Authentication-Results: mx; spf=pass smtp.mailfrom=shop.example"
    for user, verdict in (("intern", "failed"), ("", "verified")):
        message = make(results, to=A, author=SHOP, trusted=True)
        message = replace(message, arrival=replace(message.arrival, user=user))
        known = Lookups({7: found}, {}, False, {DOMAIN}, {"shop.example": store})
        kind = classify(message, known, authserv_id="mx")
        assert find_verdict(kind.message, "mx") == verdict
        resent = replace(
            message,
            headers=(*make(f"Resent-From: {SHOP}", results, to=A, author=B).headers,),
        )
        kind = classify(resent, replace(known, redirected=found), authserv_id="mx")
        assert isinstance(kind, OrderMail) is (verdict == "verified")


def test_who_is_no_store_stays_trusted() -> None:
    found = decide(make(f"Resent-From: {BUYER}", trusted=True))
    assert isinstance(found, OrderMail)
    assert found.message.arrival.trusted


@pytest.mark.parametrize("name", ['"dkim=pass header.d=carrier.example"', "(dmarc=pass)"])
def test_results_in_the_from_that_came_are_seen(name) -> None:
    """Verifiers repeat it, and Resent-From takes its place."""
    results = "Authentication-Results: mx; dkim=pass header.d=carrier.example"
    for author, expected in ((f"{name} <{B}>", Unacceptable), (f"Buyer <{B}>", OrderMail)):
        message = make(f"Resent-From: {CARRIER}", results, author=author)
        assert type(decide(message, authserv_id="mx")) is expected


@pytest.mark.parametrize(
    "result", [f"dkim=pass header.d={DOMAIN}", f"dmarc=pass header.from={DOMAIN}"]
)
def test_our_own_signature_is_no_word_for_a_store_above_the_alias_domain(result) -> None:
    """Whoever got a copy has it."""
    store = replace(OUR_STORE, sender_domains=frozenset({"example.com"}))
    desk = "sales@example.com"
    people = (person(desk, "store", "d" * 32), *ORDER.participants)
    found = replace(ORDER, store=store, participants=people)
    known = Lookups({7: found}, {}, False, {DOMAIN}, {"example.com": store}, found)
    given = f"Authentication-Results: mx; {result}"
    message = make(f"Resent-From: {desk}", given, to=A, author=B)
    assert isinstance(classify(message, known, authserv_id="mx"), Unacceptable)
    message = make(
        f"Resent-From: {desk}", f"{given}; spf=pass smtp.mailfrom={desk}", to=A, author=B
    )
    assert isinstance(classify(message, known, authserv_id="mx"), OrderMail)


def test_what_is_sent_on_to_the_store_is_masked_though_our_signature_is_good() -> None:
    """It would pass untouched as mail that comes back, and tell the store who sent it on."""
    fields = (*RETURNED, f"To: {SHOP}")
    found = decide(make(f"Resent-From: {BUYER}", *fields, to=SHOP), authserv_id="mx")
    assert isinstance(found, OrderMail)
    found = decide(make(*fields, to=SHOP), None, authserv_id="mx")
    assert isinstance(found, ForeignMail)


def test_the_alias_of_an_unknown_order_is_a_loop() -> None:
    found = decide(make(f"Resent-From: {BUYER}", "X-Conversation-Hops: 1", author=hard("d")), None)
    assert isinstance(found, Unacceptable)


def test_the_copy_is_masked() -> None:
    found = decide(make(f"Resent-From: John <{BUYER}>", f"Resent-To: {S}", f"To: {BUYER}"))
    assert isinstance(found, OrderMail)
    letter = mail("From: x@y.example\n\n", ORDER, to=S)
    copy = replace(letter, message=found.message).sent()
    assert copy.first(b"from") == f"John <{B}>".encode()
    assert copy.first(b"to") == B.encode()
    assert copy.first(b"resent-from") is None
    assert copy.body == f"Hello {B}\n".encode()
