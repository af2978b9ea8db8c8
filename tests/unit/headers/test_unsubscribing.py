"""The store's List-Unsubscribe: its addresses become aliases; one request, where it works."""

import pytest
from builders import BUYER, CARRIER, EVERYBODY, SHOP, A, B, mail, own
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.model.message import Message
from conversation_tracker.core.syntax.unsubscribing import find_addresses, find_pages

PAGE = "<https://shop.example/u/1>"
POST = "List-Unsubscribe-Post: List-Unsubscribe=One-Click"


def write_news(*fields: str, to: str = B) -> Message:
    """Return the copy of what the store writes."""
    text = "\n".join([f"From: {SHOP}", f"To: {to}", *fields, "", "News.", ""])
    return own(text, EVERYBODY, to=to).sent()


@pytest.mark.parametrize(
    ("offer", "addresses"),
    [
        ("<mailto:leave@shop.example>", ["leave@shop.example"]),
        ("<MAILTO:leave@shop.example?subject=x@y>", ["leave@shop.example"]),
        ("<mailto:leave%2B7%40shop.example>", ["leave+7@shop.example"]),
        ("<mailto:leave+a=b@shop.example>", ["leave+a=b@shop.example"]),
        ("<mailto:\n leave@\n shop.example>", ["leave@shop.example"]),
        ("<mailto:a@x.example,b@x.example?cc=c@x.example&TO=d@x.example&body=e@x.example>",
         ["a@x.example", "b@x.example", "c@x.example", "d@x.example"]),
        ("<https://shop.example/?e=a@b.example>, <mailto:leave@shop.example>",
         ["leave@shop.example"]),
        ("mailto:leave@shop.example", []),
        ("<mailto:>, <>, <", []),
    ],
)  # fmt: skip
def test_addresses_are_found(offer, addresses) -> None:
    assert list(find_addresses(offer.encode())) == addresses


@given(st.binary(max_size=200))
def test_nothing_raises(value) -> None:
    list(find_addresses(b"<mailto:" + value))
    list(find_pages(value))


@pytest.mark.parametrize(
    "address",
    ["leave@shop.example", "x+7@shop.example", "bounce@esp.example", "sales+u@shop.example"],
)
def test_the_address_becomes_an_alias(address) -> None:
    copy = write_news(f"List-Unsubscribe: <mailto:{address}?subject=u>")
    [value] = copy.values(b"list-unsubscribe")
    assert value.startswith(b"<mailto:")
    assert value.endswith(b"@ct.example.com?subject=u>")
    assert address.encode() not in value


def test_an_address_that_is_not_the_stores_word_goes() -> None:
    """A partner's mail tells nothing of how to leave; nor does who only claims to be the store."""
    for author in (CARRIER, SHOP):
        text = f"From: {author}\nTo: {B}\nList-Unsubscribe: <mailto:x@y.example>\n{POST}\n\nHi\n"
        letter = mail(text, EVERYBODY, to=B, sender=author)
        if author == CARRIER:
            assert letter.sent().first(b"list-unsubscribe") is None
        names = {p.address.key for p in letter.plan().records[0].joined if p.address is not None}
        assert "x@y.example" not in names


@pytest.mark.parametrize(
    ("offer", "stays"),
    [
        (PAGE, True),
        (f"<mailto:leave@shop.example>, {PAGE}", True),
        (f"<https://shop.example/u?e={BUYER}>", True),
        (f"<https://shop.example/u?e={CARRIER}>", False),
        (f"<https://shop.example/u?e={CARRIER}>, {PAGE}", True),
        ("<http://shop.example/u>", False),
        ("<mailto:leave@shop.example>", False),
    ],
)
def test_one_request_is_offered_where_a_page_stays(offer, stays) -> None:
    copy = write_news(f"List-Unsubscribe: {offer}", POST)
    assert (copy.first(b"list-unsubscribe-post") is not None) is stays
    assert (write_news(POST).first(b"list-unsubscribe-post")) is None
    assert write_news(f"List-Unsubscribe: {offer}").first(b"list-unsubscribe-post") is None


def test_everybody_sees_the_same_alias_of_it() -> None:
    field = "List-Unsubscribe: <mailto:sales@shop.example>"
    mine, others = write_news(field), write_news(field, to=A)
    assert mine.first(b"list-unsubscribe") == others.first(b"list-unsubscribe")
