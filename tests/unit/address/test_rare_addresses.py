"""Addresses that few people have, and texts in encodings that few programs write."""

import base64

import pytest
from builders import (
    ANN,
    BUYER,
    CARRIER,
    EVERYBODY,
    SHOP,
    A,
    B,
    hard,
    mail,
    order,
    own,
    person,
    written,
)

from conversation_tracker.core.masking.part.message_body import REMOVED
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.message import parse, render
from conversation_tracker.core.scanning.scan import Scanner

ODD = ("ann..lee@friends.example", ".ann@friends.example", "ann.@friends.example")
DECOMPOSED = {
    "ann@bu\u0308cher.example": "ann@b\u00fccher.example",
    "jo\u0308rg@home.example": "j\u00f6rg@home.example",
    "ga\u0300@\u110b\u1161.example": "g\u00e0@\uc544.example",
}
PATTERNS = (
    "Write to {}, or not.",
    "<{}>",
    "mailto:{}",
    "https://c.example/?e={}&x=1",
    "{} ({})",
    '"{}"',
)


def sent(address: str, raw: str, *, key: str = "") -> tuple[bytes, bytes]:
    """Send a message of somebody's to the carrier; give its copy and its record."""
    people = order(person(key or address, "buyer", "b" * 32), SHOP, CARRIER)
    row = mail(raw.encode(), people, to=A, sender="x@y.example")
    done = row.plan()
    assert done.reply is None, done.reply
    copy = row.sent(done)
    return render(copy.headers, copy.body), done.records[0].raw


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("type", ["text/plain", "text/html", "text/x-other", "application/json"])
@pytest.mark.parametrize("address", ODD)
def test_surplus_dots_hide_nobody(address: str, type: str, pattern: str) -> None:
    """In text, Subject, addresses and identifiers, plain and escaped, and seen by the scan."""
    for spelled in (address, address.upper(), address.replace("@", "%40")):
        text = pattern.format(spelled, address.replace("@", " (at) "))
        raw = (
            f"From: Ann <{address}>\nTo: Ann <{address}>, {A}\nSubject: {text}\n"
            f"Message-ID: <from-{address}@neutral.example>\nReferences: <{address}>\n"
            f"Content-Type: {type}\n\nHello {text}\n"
        )
        for left in sent(address, raw):
            assert b"friends.example" not in left.lower()
            assert b"Hello" in left
        key = Address.parse(address).key
        for each in (f"X: {text}\n\nHello\n", f"Content-Type: {type}\n\n{text}\n"):
            assert Scanner({key: "x"}).scan(*parse(each.encode()))


@pytest.mark.parametrize("address", ODD)
def test_surplus_dots_make_somebody_else(address: str) -> None:
    """Who has none of them is another person."""
    plain = address.replace("..", ".").replace(".@", "@").lstrip(".")
    other = person(plain, "partner", "c" * 32)
    people = order(person(address, "buyer", "b" * 32), other, SHOP, CARRIER)
    row = mail(f"From: {address}\n\nI am {address} and not {plain}\n", people, to=A, sender=BUYER)
    assert row.sent().body.decode() == f"I am {hard('b')} and not {hard('c')}\n"


@pytest.mark.parametrize(("spelled", "address"), DECOMPOSED.items())
@pytest.mark.parametrize("type", ["text/plain; charset=utf-8", "text/html; charset=utf-8"])
def test_letters_in_pieces_hide_nobody(spelled: str, address: str, type: str) -> None:
    """As Apple's programs write them."""
    raw = (
        f"From: {spelled}\nTo: Ann <{spelled}>, {A}\nSubject: {spelled}\nContent-Type: {type}\n"
        f"Content-Transfer-Encoding: 8bit\n\nHallo {spelled}, cafe\u0301\n"
    )
    for left in sent(spelled, raw, key=address):
        assert spelled.encode() not in left
        assert f"Hallo {hard('b')}, cafe\u0301".encode() in left
    found = Scanner({Address.parse(address).key: "x"}).scan(*parse(raw.encode()))
    assert {hit.channel for hit in found} >= {"header Subject", f"part 1 {type.split(';')[0]}"}


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("type", ["application/octet-stream", "text/plain", "application/x-any"])
def test_wide_text_is_masked_whatever_its_type(codec: str, type: str) -> None:
    """With a mark or without; spelled as well."""
    text = f"I am {BUYER}, john (at) doe [dot] example\r\n\u00fcber\r\n"
    head = f"From: {BUYER}\nContent-Type: {type}\nContent-Transfer-Encoding: base64\n\n"
    raw = head.encode() + base64.encodebytes(text.encode(codec))
    row = mail(raw, EVERYBODY, to=A, sender=BUYER)
    done = row.plan()
    assert done.reply is None, done.reply
    for body in (row.sent(done).body, parse(done.records[0].raw)[1]):
        assert base64.b64decode(body).decode(codec) == f"I am {B}, {B}\r\n\u00fcber\r\n"


def test_octets_that_are_no_text_stay_none() -> None:
    """Many null octets make no text: what they hold is no text to mask, but an attachment."""
    data = b"\0\1\0\2\0\3" * 40 + BUYER.encode("utf-16-le") + b"\0\1\0\xff" * 9
    head = f"From: {BUYER}\nContent-Type: application/x-any\nContent-Transfer-Encoding: base64\n\n"
    row = mail(head.encode() + base64.encodebytes(data), EVERYBODY, to=A, sender=BUYER)
    done = row.plan()
    assert done.reply is None
    assert row.sent(done).body == row.message.body  # an attachment, which the store flags
    assert REMOVED.encode() in parse(done.records[0].raw)[1]


IDENTIFIERS = (
    f"<NBBBLJKP.{SHOP}>",
    f"<cover.128.git.{SHOP}>",
    f"<{SHOP}>",
    f"<0489.{SHOP}>",
    f"<ABCD-{SHOP}>",
)


@pytest.mark.parametrize("identifier", IDENTIFIERS)
@pytest.mark.parametrize("name", ["Message-ID", "References", "In-Reply-To"])
def test_an_identifier_with_the_stores_address_is_replaced(identifier: str, name: str) -> None:
    """Whatever stands before it, where the store is masked hard; and mapped back."""
    text = written(SHOP, f"To: {BUYER}", "X-Order-Id: 1", f"{name}: {identifier}")
    people = order(BUYER, SHOP, issuer_mask="hard")
    row = own(text, people)
    done = row.plan()
    assert done.reply is None, done.reply
    shown = row.sent(done).first(name.lower().encode())
    assert shown is not None
    assert shown.startswith(b"<m-")
    assert SHOP.encode() not in done.records[0].raw
    [mapped] = done.records[0].identifiers
    assert (mapped.ours.encode(), mapped.original, mapped.token) == (shown, identifier, "5" * 32)


@pytest.mark.parametrize("identifier", [f"<x{SHOP}>", "<1.ab@shop.example>", f"<1.{ANN}>"])
def test_an_identifier_of_the_stores_domain_stays(identifier: str) -> None:
    """It is no secret, and another address under it is none of the order's."""
    text = written(SHOP, f"To: {BUYER}", "X-Order-Id: 1", f"Message-ID: {identifier}")
    row = own(text, order(BUYER, SHOP, issuer_mask="hard"))
    assert row.sent().first(b"message-id") == identifier.encode()


def test_a_store_that_is_masked_softly_keeps_its_identifiers() -> None:
    """Its address is no secret."""
    text = written(SHOP, f"To: {BUYER}", "X-Order-Id: 1", f"Message-ID: <NBBB.{SHOP}>")
    assert own(text, order(BUYER, SHOP)).sent().first(b"message-id") == f"<NBBB.{SHOP}>".encode()
