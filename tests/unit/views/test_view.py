"""Views: one participant sees themselves and nobody else, the record sees everybody hard."""

import pytest
from builders import (
    ANN,
    BUYER,
    CARRIER,
    DOMAIN,
    EVERYBODY,
    REF,
    SHOP,
    TOKENS,
    A,
    B,
    S,
    hard,
    mail,
    order,
    person,
    soft,
)
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.part.message_body import TooComplex
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.views.view import View

SOFTLY = order(BUYER, SHOP, CARRIER, mask="soft")
ALL = [BUYER, SHOP, CARRIER]


def seen(by: str | None, conversation: Conversation = EVERYBODY) -> View:
    """Return what one person sees; nobody stands for the record."""
    to = conversation.find_exact(Address.parse(by)) if by is not None else None
    assert by is None or to is not None
    return View(conversation, to)


@pytest.mark.parametrize(
    ("by", "conversation", "text", "shown"),
    [
        (BUYER, EVERYBODY, f"{BUYER} {SHOP} {CARRIER}", f"{BUYER} {soft(SHOP)} {A}"),
        (BUYER, EVERYBODY, f"{B} {S} {A}", f"{BUYER} {S} {A}"),
        (BUYER, EVERYBODY, f"{soft(BUYER)} {soft(SHOP)}", f"{BUYER} {soft(SHOP)}"),
        (SHOP, EVERYBODY, f"{BUYER} {SHOP} {CARRIER}", f"{B} {SHOP} {A}"),
        (SHOP, EVERYBODY, f"{B} {S} {soft(SHOP)}", f"{B} {SHOP} {SHOP}"),
        (CARRIER, SOFTLY, f"{BUYER} {SHOP} {A}", f"{soft(BUYER)} {soft(SHOP)} {CARRIER}"),
        (None, EVERYBODY, f"{BUYER} {SHOP} {CARRIER}", f"{B} {S} {A}"),
        (None, EVERYBODY, f"{B} {soft(SHOP)} {soft(CARRIER)}", f"{B} {S} {A}"),
        (None, SOFTLY, f"{soft(BUYER)} {soft(SHOP)}", f"{B} {S}"),
        (None, EVERYBODY, soft(BUYER).upper(), B),
        (BUYER, EVERYBODY, CARRIER.upper(), A),
        (BUYER, EVERYBODY, f"{ANN} x{CARRIER} {CARRIER}.example", None),
        (None, EVERYBODY, f"{ANN} x{CARRIER} {CARRIER}.example", None),
        (BUYER, EVERYBODY, soft(BUYER, "9" * 12), None),
        (BUYER, EVERYBODY, hard("c"), None),
    ],
)
def test_a_text_shows_the_reader_and_masks_the_others(
    by: str | None, conversation: Conversation, text: str, shown: str | None
) -> None:
    """What holds nothing to change comes back as the same object."""
    result = seen(by, conversation).text(text)
    if shown is None:
        assert result is text
    else:
        assert result == shown


@pytest.mark.parametrize("text", [soft(ANN, "9" * 12), soft(ANN, "9" * 12).upper()])
def test_a_record_holds_no_soft_alias_of_another_order(text: str) -> None:
    """It names the other order by its reference, nobody by their address."""
    shown = seen(None).text(f"see {text}, please")
    assert "friends" not in shown.lower()
    assert "9" * 12 in shown


@pytest.mark.parametrize("by", [*ALL, None])
@pytest.mark.parametrize("address", ALL)
def test_an_address_header_and_a_text_show_the_same(by: str | None, address: str) -> None:
    view, conversation = seen(by), EVERYBODY
    of = conversation.find_exact(Address.parse(address))
    assert of is not None
    for text in (address, conversation.hard(of), conversation.soft(of)):
        assert text is not None
        found = view.address(Address.parse(text))
        assert (found or text) == view.text(text)


@given(
    st.sampled_from([*ALL, None]),
    st.lists(st.sampled_from([*ALL, B, S, A, soft(BUYER), soft(SHOP), soft(CARRIER)]), max_size=6),
    st.sampled_from([", ", " ", "; ", "\n", "> <", "=", "/"]),
    st.sampled_from(["hard", "soft"]),
)
def test_a_text_is_the_same_seen_twice(
    by: str | None, people: list[str], between: str, kind: str
) -> None:
    """Masking what is masked changes nothing: the splitter's pass sees what the first one saw."""
    view = seen(by, order(BUYER, SHOP, CARRIER, mask=kind, issuer_mask=kind))
    once = view.text(between.join(people))
    assert view.text(once) == once


@given(st.text(max_size=60), st.sampled_from([*ALL, None]))
def test_any_text_without_an_address_stays(text: str, by: str | None) -> None:
    if "@" not in text and "%" not in text and "=" not in text:
        assert seen(by).text(text) is text


def test_whoever_has_no_address_any_more_keeps_their_alias() -> None:
    emptied = order(person(None, "buyer", "b" * 32), SHOP)
    assert View(emptied, None).text(f"{B} {SHOP}") == f"{B} {S}"
    assert seen(SHOP, emptied).text(f"{B} {S}") == f"{B} {SHOP}"


@pytest.mark.parametrize("by", [*ALL, None])
def test_one_value_for_each_header_field_of_whatever_kind(by: str | None) -> None:
    text = f"From: {SHOP}\nFrom: x\nTo: {BUYER}\nBcc: {ANN}\nX-A: 1\nx-a: {CARRIER}\n\n"
    message = mail(text, EVERYBODY, to=B).message
    for protected in (True, False):
        values = seen(by).headers(message, protected=protected)
        assert len(values) == len(message.headers)
        assert values[1] is None
        assert values[3] is None


@pytest.mark.parametrize("by", [*ALL, None])
def test_a_field_without_a_hit_is_the_same_object(by: str | None) -> None:
    text = (
        b"Subject: =?utf-8?q?H=C3=A4llo?=\n =?x?b?!?=  \n"
        b'To: "A\\ B" <ann@y.example> (c),\n\td@x.example\n'
        b"Date: \xff\n\n"
    )
    message = mail(text, EVERYBODY, to=B).message
    values = seen(by).headers(message, protected=True)
    for header, value in zip(message.headers, values, strict=True):
        assert value is header.value


@pytest.mark.parametrize("by", [*ALL, None])
def test_a_body_without_a_hit_is_the_same_object(by: str | None) -> None:
    body = f"Hello {ANN}, 8 bit: \xe4\n".encode("latin-1")
    message = mail(b"Content-Type: text/plain; charset=latin-1\n\n" + body, EVERYBODY, to=B).message
    assert seen(by).body(message) is message.body


def test_the_buyers_copy_has_no_order_header_and_the_stores_has_one() -> None:
    message = mail(f"From: {CARRIER}\n\n", EVERYBODY, to=B).message
    assert [h.name for h in seen(BUYER).make_headers(message)] == [b"X-Conversation-Hops"]
    assert [h.name for h in seen(SHOP).make_headers(message)] == [
        b"X-Conversation-Hops",
        b"X-Order-Id",
    ]


def test_a_structure_over_the_limits_is_told() -> None:
    text = f"From: {CARRIER}\nContent-Type: multipart/mixed; boundary=x\n\n" + "--x\n\n" * 9000
    message = mail(text, EVERYBODY, to=B).message
    with pytest.raises(TooComplex):
        seen(BUYER).body(message)


def test_the_usual_aliases_are_those_of_this_order() -> None:
    assert {hard(token) for token in TOKENS.values()} == {B, S, A}
    assert soft(BUYER).endswith(f"-{REF}b.{DOMAIN}")


def test_a_reader_sees_variants_of_their_own_address_in_text_and_files() -> None:
    """Somebody else with a tag has the same mailbox; their exact address is masked all the same."""
    tagged = person("john+shop@doe.example", "partner", "c" * 32)
    both = order(BUYER, SHOP, tagged)
    mine, theirs = seen(BUYER, both), seen("john+shop@doe.example", both)
    text = "john@doe.example john+x@doe.example john+shop@doe.example"
    assert mine.text(text) == f"john@doe.example john+x@doe.example {hard('c')}"
    assert theirs.text(text) == f"{B} {B} john+shop@doe.example"
    data = b"\x30\x10john+x@doe.example\0"
    assert not mine.others.in_bytes(data)
    assert theirs.others.in_bytes(data)
    assert seen(SHOP, both).text(text) == f"{B} {B} {hard('c')}"


@pytest.mark.parametrize("by", [BUYER, "john+shop@doe.example"])
def test_a_readers_own_address_is_no_reason_to_refuse(by: str) -> None:
    both = order(BUYER, SHOP, person("john+shop@doe.example", "partner", "c" * 32))
    reader = both.find_exact(Address.parse(by))
    assert reader is not None
    body = "john@doe.example john+x@doe.example john+shop@doe.example"
    text = f"From: {SHOP}\nTo: {both.alias(reader)}\nSubject: {body}\n\n{body}\n"
    sent = mail(text, both, to=both.alias(reader)).sent()
    assert by.encode() in sent.body


LINK = "https://far.example/"


@pytest.mark.parametrize("where", ["Subject: Hello {0}\n\n", "\n{0}\n"])
@pytest.mark.parametrize("spelled", ["john<b></b>@doe.example", "john&#38;#64;doe.example"])
def test_what_a_sender_wrote_of_the_reader_leaves_the_copy_as_it_is(
    where: str, spelled: str
) -> None:
    """However rarely it is spelled: no more of it stands in a link than in what came."""
    text = f"From: {SHOP}\nTo: {B}\n{where.format(LINK + spelled)}Dear {B}\n"
    sent = mail(text, EVERYBODY, to=B).sent()
    assert f"Dear {BUYER}".encode() in bytes(sent.body[:])
    shown = b"\n".join([*(each.value for each in sent.headers), bytes(sent.body[:])])
    assert (LINK + spelled).encode() in shown
