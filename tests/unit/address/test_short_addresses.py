"""Addresses so short that they occur by chance: no search for one is endless, noise has none."""

import base64
import random
from dataclasses import replace
from itertools import product

import pytest
from builders import BUYER, CARRIER, EVERYBODY, SHOP, B, S, applied, mail, order, person, written
from cost import least, proportionate, within

from conversation_tracker.core.masking.address import short_addresses
from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.address.encoded_needles import Needles
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.text import encoded, links, obfuscated
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.scan import scan
from conversation_tracker.core.scanning.text.tokens import Tokens
from conversation_tracker.core.views.message_ids import find_person

TINY = [f"a@{x}{y}" for x, y in product("bcdefghijk", repeat=2)][:97]
LETTERS = [f"abcdef@{x}" for x in "abcdefghijklmnopqrstuvwxyz0123456789"]
# What chance writes once in so many megabytes is put in, so that it is there.
WRITTEN = b"".join(b"\1\xff" + each.encode() + b"\2\xfe" for each in TINY)
NOISE = random.Random(7).randbytes(1_500_000) + WRITTEN + random.Random(8).randbytes(90_000)
OCTETS = (Header(b"Content-Type", b"application/octet-stream"),)


def beside(addresses: list[str]) -> Conversation:
    """Let these take part as well."""
    people = [person(each, "partner", f"{n:032x}") for n, each in enumerate(addresses)]
    return order(BUYER, SHOP, CARRIER, *people, participant_limit=200)


@pytest.mark.parametrize(
    ("author", "fields"),
    [
        ("x@y", ()),
        (BUYER, ("Cc: x@y",)),
        (BUYER, ("Reply-To: x@y",)),
        (BUYER, (f"To: {S}, x@y",)),
        (BUYER, ("Sender: x@[1]",)),
        (BUYER, ("Cc: x@\u6f22.\u00e9, y@xn--a, z@-",)),
    ],
)
@pytest.mark.parametrize("sender", [BUYER, "a@b", "abcdefgh@i"])
def test_a_domain_of_one_octet_costs_what_any_costs(
    author: str, fields: tuple[str, ...], sender: str
) -> None:
    text = written(author, *fields, "Subject: Tiny", "Message-ID: <tiny@neutral.example>")
    sent = mail(text, EVERYBODY, to=B if author == BUYER else S, sender=sender)
    done = within(0.05, sent.plan)
    assert done.reply is None
    leaves = applied(sent.message, done)
    assert all(b"x@y" not in header.value for header in leaves.headers)


def test_no_needle_is_empty_whatever_is_looked_for() -> None:
    words = ["", "y", "\u6f22", "-", "b.", "bc", "abc"]
    assert Needles(words).find_base64("- -") == []
    assert Needles(words).find_digits("- -") == []
    assert list(Tokens(tuple(words)).decode("- -")) == []


def test_noise_holds_nobody_however_many_have_short_addresses() -> None:
    """What the octets of a picture say is no address, and a picture that is changed is broken."""
    for addresses in (TINY, LETTERS):
        people = People(addresses)
        assert not people.in_bytes(NOISE)
        assert people.overwrite(NOISE) is NOISE
        assert scan(OCTETS, NOISE, {each: each for each in addresses}) == []


@pytest.mark.parametrize("kind", ["application/octet-stream", "image/png", "application/zip"])
@pytest.mark.parametrize("addresses", [TINY, LETTERS], ids=["two letters", "one letter"])
def test_an_honest_attachment_passes_as_it_is(kind: str, addresses: list[str]) -> None:
    fields = f"Content-Type: {kind}", "Content-Transfer-Encoding: base64"
    text = written(BUYER, *fields, body=base64.encodebytes(NOISE).decode())
    sent = mail(text, beside(addresses), to=S, sender=BUYER)
    done = sent.plan()
    assert done.reply is None
    assert applied(sent.message, done).body == sent.message.body


def test_base64_in_a_text_stays_as_it_is() -> None:
    """Somebody shows the source of a message with a picture."""
    shown = base64.encodebytes(NOISE).decode() + base64.b64encode(NOISE[-400_000:]).decode()
    sent = mail(written(BUYER, body=shown), beside(TINY), to=S, sender=BUYER)
    assert sent.sent().body == sent.message.body


def test_short_names_make_an_attachment_cost_little_more() -> None:
    fields = "Content-Type: application/octet-stream", "Content-Transfer-Encoding: base64"
    text = written(BUYER, *fields, body=base64.encodebytes(NOISE).decode())
    usual = least(mail(text, EVERYBODY, to=S, sender=BUYER).plan, 3)
    for addresses in (TINY, LETTERS):
        # One by one, one hundred names cost as much as they do; what is decoded for each, more.
        assert least(mail(text, beside(addresses), to=S, sender=BUYER).plan, 3) < 25 * usual


def coded(text: str) -> list[str]:
    """Write a text as tokens: base64 behind nothing, one and two octets, and hexadecimal."""
    based = [base64.b64encode((before + text).encode()).decode() for before in ("", "-", "--")]
    return [*based, text.encode().hex()]


@pytest.mark.parametrize(
    "address", ["john@doe.example", "joe@ab.de", "joe@q.io", "j@q.io", "johnny@com", "joe@q.c"]
)
def test_what_can_be_told_from_chance_is_found_in_tokens(address: str) -> None:
    mask = Masker({address: B})
    for token in coded(address):
        assert address not in links.mask_links(f"see https://t.example/{token}", mask)
        assert encoded.mask_encodings(f"id {token} of it", mask) != f"id {token} of it"
        assert scan([], f"id {token} of it".encode(), {address: "b"})
    assert People([address]).in_bytes(b"\0\1\xff <" + address.encode() + b">\0")
    assert scan(OCTETS, b"\0\1\xff <" + address.encode() + b">\0", {address: "b"})


@pytest.mark.parametrize("address", ["x@y", "ab@cd", "a@b.c"])
def test_what_cannot_is_masked_in_clear_all_the_same(address: str) -> None:
    mask = Masker({address: B})
    assert mask(f"I am <{address}>, or {address}.") == f"I am <{B}>, or {B}."
    assert mask.amid(f"I am {address}") == f"I am {address}"
    assert scan([], f"I am {address}.".encode(), {address: "b"})
    for token in coded(address):
        assert encoded.mask_encodings(f"id {token} of it", mask) == f"id {token} of it"


@pytest.mark.parametrize("address", ["x@y", "ab@cd", "a@b.c", "y@y.y"])
def test_a_link_has_no_token_with_an_address_however_short(address: str) -> None:
    """A token that is text from end to end says so on purpose."""
    mask = Masker({address: B})
    for text in (address, f'{{"to":"{address}"}}'):
        based, digits = base64.b64encode(text.encode()).decode(), text.encode().hex()
        for token in (based, based.rstrip("="), digits, digits.upper(), f"u/{based}/go"):
            for link in ("https://t.example/?t={}", "https://t.example/{}", "x://y/\\u0026t={}&z"):
                source = link.format(token)
                assert scan([], source.encode(), {address: "b"})
                assert scan([Header(b"X-Y", source.encode())], b"", {address: "b"})
                written = obfuscated.mask_obfuscations(source, mask)
                assert token not in written
                assert not scan([], written.encode(), {address: "b"})
    # What is no text may hold it by chance.
    data = base64.b64encode(b"\xff\xfe <" + address.encode() + b"> \1").decode()
    for noise in (f"https://t.example/{data}", f"https://t.example/{data.encode().hex()}"):
        assert obfuscated.mask_obfuscations(noise, mask) == noise
        assert not scan([], noise.encode(), {address: "b"})
    assert not scan(OCTETS, f"https://t.example/{base64.b64encode(address.encode()).decode()}"
                    .encode(), {address: "b"})  # fmt: skip


def test_links_lose_the_token_of_a_short_address_in_every_kind_of_text() -> None:
    token = base64.b64encode(b'{"to":"y@y.y"}').decode().rstrip("=")
    link = f"https://x.example/?u=1&t={token}"
    people = beside(["y@y.y"])
    for kind, body in (
        ("text/plain", f"See {link} there\n"),
        ("text/html", f"<p>See <a href='{link}'>{link}</a><!-- {link} --></p>\n"),
        ("text/calendar", f"BEGIN:VEVENT\r\nURL:{link}\r\nEND:VEVENT\r\n"),
        ("application/json", f'{{"a": "{link}"}}\n'),
        ("message/rfc822", f"X-Link: {link}\n\n{link}\n"),
    ):
        text = written("y@y.y", f"Content-Type: {kind}", f"Comments: {link}", body=body)
        sent = mail(text, people, to=B, sender="y@y.y").sent()
        assert token not in str(sent.body)
        assert all(token.encode() not in header.value for header in sent.headers)


def test_the_shortest_names_are_found_in_every_spelling_of_a_text() -> None:
    mask = Masker({"x@y": B, "me@bc": S})
    local, domain = B.split("@")
    assert mask("x%40y, X+tag@Y; <me@bc>") == f"{local}%40{domain}, {B}; <{S}>"
    assert mask("b+x=y@e.example y=x@e.example y!x") == (
        f"b+{local}={domain}@e.example {domain}={local}@e.example {domain}!{local}"
    )
    for stays in ("x@yz x@y.z zx@y x@y-z 40y x@ybc", "me@b me@bcd", "y x bc me"):
        assert mask(stays) == stays
        assert not scan([], stays.encode(), {"x@y": "b", "me@bc": "s"})


def test_thousands_of_names_are_found_as_few_are() -> None:
    names = [f"john{n}@mail{n}.doe.example" for n in range(3_000)]
    many = Masker({each: f"{n:032x}@ct.example.com" for n, each in enumerate(names)})
    text = "write to John7@mail7.doe.example, bounce+john9=mail9.doe.example@x.example\n"
    few = Masker({names[n]: f"{n:032x}@ct.example.com" for n in (7, 9)})
    assert many(text) == few(text) != text
    forbidden = {each: each for each in names}
    assert {each.token for each in scan([], text.encode(), forbidden)} == {names[7], names[9]}


def test_a_domain_of_one_label_owns_no_identifiers() -> None:
    """A guest from "com" would else be whom every identifier under it tells of."""
    conversation = order(BUYER, SHOP, person("x@com", "partner", "c" * 32))
    assert find_person(b"<1.2@mail.shop.com>", conversation) is None
    assert find_person(b"<ax@company.example>", conversation) is None
    found = find_person(b"<n1.x@com>", conversation)
    assert found is not None
    assert found.address == Address("x", "com")


def test_what_is_looked_for_is_as_long_as_is_said() -> None:
    assert short_addresses.is_long_enough("a@b.de")
    assert not short_addresses.is_long_enough("a@b.c")
    assert list(short_addresses.find_base64_needles("q.example", ["joe"])) == ["q.example"]
    assert list(short_addresses.find_base64_needles("q.io", ["joe"])) == ["@q.io"]
    assert list(short_addresses.find_base64_needles("com", ["j", "joe"])) == ["joe@com"]
    assert list(short_addresses.find_plain_needles("q.io", ["joe"])) == [("q.io", 0)]
    assert list(short_addresses.find_plain_needles("com", ["j", "joe"])) == [("joe@com", 4)]


def test_another_alias_domain_of_one_letter_does_no_harm() -> None:
    conversation = replace(EVERYBODY, order=replace(EVERYBODY.order, alias_domain="y"))
    text = written(BUYER, body="x@y-207700027841b.y and x@y\n")
    assert (
        within(0.05, mail(text, conversation, to=f"{'5' * 32}@y", sender=BUYER).plan).reply is None
    )


def test_thousands_of_return_paths_cost_their_number() -> None:
    text = written(BUYER, f"To: {S}", body=f"I am {BUYER}\n")

    def work(number: int) -> object:
        addresses = [f"bounce-{n}@mail{n}.doe.example" for n in range(number)]
        people = [person(each, "return", f"{n:032x}") for n, each in enumerate(addresses)]
        done = mail(text, order(BUYER, SHOP, *people), to=S, sender=BUYER).plan()
        assert done.reply is None
        return done

    assert not proportionate(work, 4_096)
