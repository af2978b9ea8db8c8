"""Conversations: who is who, by address and by alias, and who may join."""

from dataclasses import replace

import pytest
from builders import (
    BUYER,
    CARRIER,
    DOMAIN,
    REF,
    SHOP,
    TOKENS,
    counter,
    fresh,
    hard,
    order,
    person,
    soft,
)
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.alias import Bounce, Hard, Soft
from conversation_tracker.core.model.conversation import (
    Conversation,
    Participant,
    Role,
    TooManyParticipants,
)

RETURN = "bounces@mailer.example"
ADDRESSES = st.sampled_from(
    [BUYER, BUYER.upper(), SHOP, CARRIER, RETURN, "ann@doe.example", "bob@shop.example"]
).map(Address.parse)
ROLES: st.SearchStrategy[Role] = st.sampled_from(["buyer", "store", "partner"])


def roles(conversation: Conversation) -> dict[str, Role]:
    """Show who has which role."""
    return {str(each.address): each.role for each in conversation}


# Who is who


@pytest.mark.parametrize("text", [BUYER, "John@DOE.example", '"john"@doe.example', BUYER + "."])
def test_an_address_is_known_in_every_spelling(text: str) -> None:
    found = order(BUYER, SHOP).find_exact(Address.parse(text))
    assert found == person(BUYER)


@pytest.mark.parametrize("text", ["xjohn@doe.example", "john@doe.example.org", hard("b"), "j@x"])
def test_another_address_is_nobody(text: str) -> None:
    assert order(BUYER, SHOP).find_exact(Address.parse(text)) is None


def test_an_international_domain_is_the_same_in_both_forms() -> None:
    conversation = order(person("ida@bücher.example", "buyer", "c" * 32))
    assert conversation.find_exact(Address.parse("IDA@xn--bcher-kva.example")) is not None


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_both_forms_of_an_alias_resolve_whatever_the_setting(kind: str) -> None:
    conversation = order(BUYER, SHOP, mask=kind, issuer_mask=kind)
    for address, token in ((BUYER, "b"), (SHOP, "5")):
        for alias in (Hard(token * 32, DOMAIN), Soft(address, REF, DOMAIN)):
            assert conversation.find_by_alias(alias) == person(address)


@pytest.mark.parametrize(
    "alias",
    [
        Hard("c" * 32, DOMAIN),
        Hard("b" * 32, "alias.example.net"),
        Soft(BUYER, REF, "alias.example.net"),
        Soft(BUYER, "999999999999", DOMAIN),
        Soft("ann@doe.example", REF, DOMAIN),
        Bounce("b" * 32, DOMAIN),
    ],
)
def test_an_alias_of_another_order_or_domain_names_nobody(alias: Hard | Soft | Bounce) -> None:
    """Nor does a bounce address, though its token be a participant's."""
    assert order(BUYER, SHOP).find_by_alias(alias) is None


def test_an_emptied_address_is_known_by_token_only() -> None:
    conversation = order(person(None, "buyer", "b" * 32), SHOP)
    assert conversation.find_exact(Address.parse(BUYER)) is None
    assert conversation.find_by_alias(Soft(BUYER, REF, DOMAIN)) is None
    assert conversation.find_by_alias(Hard("b" * 32, DOMAIN)) == person(None, "buyer", "b" * 32)
    assert not conversation.has_role("buyer")
    assert conversation.has_role("store")


# Aliases


@pytest.mark.parametrize(
    ("mask", "issuer_mask", "buyer", "shop", "carrier"),
    [
        ("hard", "soft", hard("b"), soft(SHOP), hard("a")),
        ("hard", "hard", hard("b"), hard("5"), hard("a")),
        ("soft", "soft", soft(BUYER), soft(SHOP), soft(CARRIER)),
        ("soft", "hard", soft(BUYER), hard("5"), soft(CARRIER)),
    ],
)
def test_the_form_of_an_alias_is_the_stores_choice(
    mask: str, issuer_mask: str, buyer: str, shop: str, carrier: str
) -> None:
    """The store's own addresses have a setting of their own; by default they alone are soft."""
    conversation = order(BUYER, SHOP, CARRIER, mask=mask, issuer_mask=issuer_mask)
    assert [conversation.alias(each) for each in conversation] == [buyer, shop, carrier]
    assert [conversation.hard(each) for each in conversation] == [hard("b"), hard("5"), hard("a")]


def test_by_default_only_the_stores_own_address_is_soft() -> None:
    conversation = order(BUYER, SHOP)
    assert [conversation.alias(each) for each in conversation] == [hard("b"), soft(SHOP)]


@pytest.mark.parametrize(
    "address", ['"john doe"@doe.example', "jörg@doe.example", "j%x@doe.example", "j@doe.рф", None]
)
def test_what_cannot_be_carried_softly_is_hard(address: str | None) -> None:
    conversation = order(person(address, "buyer", "c" * 32), mask="soft")
    [buyer] = conversation
    assert conversation.soft(buyer) is None
    assert conversation.alias(buyer) == hard("c")


def test_a_bounce_address_lies_in_the_orders_own_domain() -> None:
    conversation = order(domain="alias.example.net")
    assert conversation.bounce("d" * 32) == f"bounce-{'d' * 32}@alias.example.net"


# Joining


def test_who_joins_gets_a_fresh_token_and_is_not_recorded_yet() -> None:
    before = order(BUYER)
    after = before.join(Address.parse(CARRIER), "partner", counter())
    carrier = after.find_exact(Address.parse(CARRIER))
    assert carrier is not None
    assert (carrier.token, carrier.role) == (fresh(1), "partner")
    assert after.new_participants == (carrier,)
    assert after.participants == (*before.participants, carrier)
    assert before.new_participants == ()  # a value


def test_who_is_known_keeps_role_and_token() -> None:
    conversation = order(BUYER, SHOP)
    again = conversation.join(Address.parse(BUYER.upper()), "partner", counter())
    assert again == conversation


def test_nobody_is_counted_twice_in_whatever_spelling() -> None:
    conversation = order()
    for text in (BUYER, BUYER.upper(), '"john"@doe.example'):
        conversation = conversation.join(Address.parse(text), "partner", counter())
    assert conversation.size == 1


@pytest.mark.parametrize("role", ["buyer", "partner", "store"])
def test_an_address_in_the_stores_own_domains_joins_as_store(role: Role) -> None:
    conversation = order().join(Address.parse("new@SHOP.example"), role, counter())
    assert roles(conversation) == {"new@shop.example": "store"}


def test_a_domain_below_the_stores_own_is_not_its_own() -> None:
    conversation = order().join(Address.parse("new@mail.shop.example"), "partner", counter())
    assert roles(conversation) == {"new@mail.shop.example": "partner"}


@pytest.mark.parametrize("address", [RETURN, "bounces@shop.example"])
def test_a_return_address_takes_part_and_does_not_count(address: str) -> None:
    conversation = order(BUYER, SHOP, participant_limit=2, guest_limit=1)
    conversation = conversation.add_return_address(Address.parse(address), person(BUYER), counter())
    assert roles(conversation)[address] == "return"
    assert conversation.size == 2
    assert not conversation.is_full
    assert not conversation.has_role("partner")
    found = conversation.find_exact(Address.parse(address))
    assert found is not None
    assert conversation.role(found) == "buyer"
    assert conversation.soft(found) is None


def test_who_takes_part_is_not_made_a_return_address() -> None:
    conversation = order(BUYER)
    assert (
        conversation.add_return_address(Address.parse(BUYER), person(BUYER), counter())
        == conversation
    )


def test_a_return_address_that_is_known_takes_part_with_the_alias_it_has() -> None:
    spare = Participant("c" * 32, "return", Address.parse(RETURN), True, False, False, "b" * 32)
    conversation = order(BUYER).add_people([spare, person(BUYER)])
    assert roles(conversation) == {BUYER: "buyer"}
    assert conversation.find_by_token("c" * 32) == spare
    after = conversation.add_return_address(Address.parse(RETURN), person(BUYER), counter())
    assert (after.find_exact(Address.parse(RETURN)), after.apart, after.new_participants) == (
        spare,
        (),
        (),
    )
    promoted = conversation.join(Address.parse(RETURN), "partner", counter(), introduced=False)
    [joined] = promoted.new_participants
    assert (joined.token, joined.role, joined.introduced) == ("c" * 32, "partner", False)
    assert promoted.apart == ()


@pytest.mark.parametrize(
    ("address", "role", "becomes"),
    [
        (RETURN, "partner", "partner"),
        (RETURN, "buyer", "buyer"),
        ("bounces@shop.example", "partner", "store"),
    ],
)
def test_an_envelope_sender_who_writes_is_promoted(address: str, role: Role, becomes: Role) -> None:
    """The alias stays what it was, and the place among the others too."""
    conversation = order(person(address, "return", "c" * 32), BUYER)
    after = conversation.join(Address.parse(address), role, counter())
    assert [(each.token, each.role) for each in after] == [("c" * 32, becomes), ("b" * 32, "buyer")]
    assert [each.token for each in after.new_participants] == ["c" * 32]
    assert after.size == 2


def test_the_limit_is_the_last_that_may_join() -> None:
    conversation = order(BUYER, SHOP, participant_limit=3)
    full = conversation.join(Address.parse(CARRIER), "partner", counter())
    with pytest.raises(TooManyParticipants) as caught:
        full.join(Address.parse("ann@doe.example"), "partner", counter())
    assert str(caught.value) == ""
    assert full.join(Address.parse(CARRIER), "partner", counter()) == full


def test_a_promotion_counts_against_the_limit() -> None:
    conversation = order(BUYER, SHOP, person(RETURN, "return", "c" * 32), participant_limit=2)
    with pytest.raises(TooManyParticipants):
        conversation.join(Address.parse(RETURN), "partner", counter())


@given(st.lists(st.tuples(ADDRESSES, ROLES), max_size=12), st.integers(2, 6))
def test_whatever_joins_the_conversation_stays_sound(
    joining: list[tuple[Address, Role]], limit: int
) -> None:
    """One participant for each address, no token twice, the limit kept, nobody ever lost."""
    conversation, make_token = order(BUYER, SHOP, participant_limit=limit), counter()
    for address, role in joining:
        before = {each.token for each in conversation}
        try:
            conversation = conversation.join(address, role, make_token)
        except TooManyParticipants:
            assert conversation.size >= limit
            continue
        assert before <= {each.token for each in conversation}
        assert conversation.find_exact(address) is not None
    tokens = [each.token for each in conversation]
    keys = [each.address.key for each in conversation if each.address is not None]
    assert len(set(tokens)) == len(tokens)
    assert len(set(keys)) == len(keys)
    assert conversation.size <= limit
    for each in conversation:
        assert conversation.find_by_alias(Hard(each.token, DOMAIN)) is each
        assert (
            each.role == "store"
            or each.address is None
            or (each.address.domain != "shop.example" or each.role == "return")
        )


@given(st.lists(st.tuples(ADDRESSES, ROLES), max_size=8))
def test_both_aliases_of_everybody_lead_back_to_them(joining: list[tuple[Address, Role]]) -> None:
    conversation, make_token = order(SHOP, mask="soft"), counter()
    for address, role in joining:
        conversation = conversation.join(address, role, make_token)
    for each in conversation:
        assert each.address is not None
        assert conversation.find_by_token(each.token) is each
        named = conversation.find_by_alias(Soft(each.address.key, REF, DOMAIN))
        assert named is (each if each.handed_out else None)
    out = replace(
        conversation, participants=tuple(replace(p, handed_out=True) for p in conversation)
    )
    for each in out:
        assert each.address is not None
        assert out.find_by_alias(Soft(each.address.key, REF, DOMAIN)) is each


def test_the_usual_people_are_distinct() -> None:
    assert len(set(TOKENS.values())) == len(order(BUYER, SHOP, CARRIER).participants)
