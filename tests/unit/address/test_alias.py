"""Aliases: what is written can be read again, and nothing else is an alias."""

import pytest
from builders import DOMAIN, REF, hard
from builders import soft as written
from hypothesis import assume, example, given
from hypothesis import strategies as st

from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.core.model.alias import (
    Bounce,
    Hard,
    NotAnAlias,
    Soft,
    decode,
    encode_soft,
    find_domain,
)

OTHER = "alias.example.net"
DOMAINS = (DOMAIN, OTHER)

ATOMS = st.from_regex(r"[A-Za-z0-9#$&'*+/=?^_`{|}~-]{1,20}", fullmatch=True)
LOCALS = st.lists(ATOMS, min_size=1, max_size=4).map(".".join).filter(lambda s: len(s) <= 64)
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
TOPS = st.sampled_from(["example", "test", "com", "e", "t" * 49])
NAMES = st.tuples(st.lists(LABELS, max_size=3), TOPS).map(
    lambda parts: ".".join([*parts[0], parts[1]])
)
REFS = st.from_regex(r"[0-9]{12}", fullmatch=True)
TOKENS = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
ALIAS_DOMAINS = st.sampled_from(DOMAINS)


def recased(text: str, upper: list[bool]) -> str:
    """Write some letters large, as other programs do with addresses."""
    flags = upper or [False]
    return "".join(c.upper() if flags[n % len(flags)] else c for n, c in enumerate(text))


CASES = st.lists(st.booleans(), max_size=7)


@given(TOKENS, ALIAS_DOMAINS, CASES)
def test_a_hard_alias_is_read_in_any_case(token: str, domain: str, upper: list[bool]) -> None:
    alias = Hard(token, domain)
    assert decode(Address.parse(recased(str(alias), upper)), DOMAINS) == alias


@given(TOKENS, ALIAS_DOMAINS, CASES)
def test_a_bounce_address_is_read_in_any_case(token: str, domain: str, upper: list[bool]) -> None:
    bounce = Bounce(token, domain)
    assert decode(Address.parse(recased(str(bounce), upper)), DOMAINS) == bounce


@given(LOCALS, NAMES, REFS, ALIAS_DOMAINS, CASES)
def test_a_soft_alias_gives_the_address_back(
    local: str, name: str, ref: str, domain: str, upper: list[bool]
) -> None:
    """Whatever the letter case, the same person, order and domain are read."""
    address = Address.parse(f"{local}@{name}")
    alias = encode_soft(address, ref, domain)
    assume(alias is not None)
    found = decode(Address.parse(recased(str(alias), upper)), DOMAINS)
    assert found == alias == Soft(address.key, ref, domain)


@given(LOCALS, NAMES, REFS, ALIAS_DOMAINS)
def test_a_soft_alias_is_a_valid_address(local: str, name: str, ref: str, domain: str) -> None:
    """It has the form the design promises, and keeps every limit of RFC 5321 and RFC 1035."""
    address = Address.parse(f"{local}@{name}")
    alias = encode_soft(address, ref, domain)
    assume(alias is not None)
    assert str(alias) == f"{local}@{name}-{ref}b.{domain}".lower()
    assert len(str(alias)) <= 254
    assert all(0 < len(label) <= 63 for label in str(alias).rpartition("@")[2].split("."))


@given(st.text(max_size=40), st.sampled_from(["", f".{DOMAIN}", f"-{REF}b.{DOMAIN}", f"@{DOMAIN}"]))
@example("@doe.example", f"-{REF}b.{DOMAIN}")
@example("İ@doe.example", f"-{REF}b.{DOMAIN}")
@example('"john"@doe.example', f"-{REF}b.{DOMAIN}")
@example("john@-", f"-{REF}b.{DOMAIN}")
@example("john@[192.0.2.1]", f"-{REF}b.{DOMAIN}")
def test_an_arbitrary_address_is_an_alias_or_none(text: str, end: str) -> None:
    """Nothing but NotAnAlias is raised, and what is read is written the same."""
    try:
        address = Address.parse(text + end)
    except AddressError:
        return
    try:
        found = decode(address, DOMAINS)
    except NotAnAlias:
        return
    assert str(found) == address.key


@pytest.mark.parametrize(
    "address",
    [
        "johndoe@vtex.com.br",
        "JohnDoe@VTEX.com.br",
        "o'neil@doe.example",
        "a+b=c@doe.example",
        "john@bücher.example",
        "john@xn--bcher-kva.example",
        "john@localhost",
        "john@" + "t" * 49,  # 49 + 14 are 63
        "john@" + "l" * 63 + ".example",
        "l" * 64 + "@doe.example",
        "john@doe-123456789012b.example",
    ],
)
def test_an_ordinary_address_is_carried(address: str) -> None:
    alias = encode_soft(Address.parse(address), REF, DOMAIN)
    assert alias is not None
    assert decode(Address.parse(str(alias)), DOMAINS) == alias


def test_the_form_of_a_soft_alias_is_the_documented_one() -> None:
    alias = encode_soft(Address.parse("johndoe@vtex.com.br"), "207700027841", "ct.example.com")
    assert str(alias) == "johndoe@vtex.com.br-207700027841b.ct.example.com"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ('"john doe"@doe.example', "quoted"),
        ('"john..doe"@doe.example', "quoted"),
        ("john..doe@doe.example", "surplus dots: written with quotes"),
        ("jörg@doe.example", "UTF-8 local part"),
        ("john%doe@doe.example", "routing character"),
        ("doe.example!john@gate.example", "routing character"),
        ("john@[192.0.2.1]", "domain literal"),
        ("john@doe.xn--p1ai", "ACE top level domain"),
        ("john@doe.рф", "ACE top level domain"),
        ("john@xn--p1ai", "ACE top level domain"),
        ("john@" + "t" * 50, "label over 63"),
        ("john@doe." + "t" * 50, "label over 63"),
    ],
)
def test_an_address_that_cannot_be_carried_has_no_soft_form(address: str, why: str) -> None:
    assert encode_soft(Address.parse(address), REF, DOMAIN) is None, why


@pytest.mark.parametrize(
    ("local", "length", "carried"),
    [("j", 254, True), ("j", 255, False), ("l" * 64, 254, True), ("l" * 64, 255, False)],
)
def test_an_alias_has_at_most_254_octets(local: str, length: int, carried: bool) -> None:
    """RFC 5321 section 4.5.3.1.3; the domain is then within its own limit of 253 as well."""
    room = length - len(written(f"{local}@"))
    name = ".".join(["d" * 48] * 5)[-room:].lstrip(".").rjust(room, "e")
    address = Address.parse(f"{local}@{name}")
    assert len(written(str(address))) == length
    assert (encode_soft(address, REF, DOMAIN) is not None) is carried


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        (hard("b"), DOMAIN),
        (hard("b", OTHER), OTHER),
        (f"bounce-{'b' * 32}@{OTHER}", OTHER),
        (written("john@doe.example", domain=OTHER), OTHER),
        (hard("b") + ".", DOMAIN),
    ],
)
def test_each_alias_domain_has_aliases(text: str, domain: str) -> None:
    """A final dot of the domain changes nothing."""
    assert decode(Address.parse(text), DOMAINS).domain == domain


@pytest.mark.parametrize(
    "text",
    [
        "john@doe.example",
        hard("b", "ct.example.org"),
        hard("b", "example.com"),
        hard("b", f"x.{DOMAIN}"),
        hard("b", f"x{DOMAIN}"),
        hard("b", f"{DOMAIN}.example"),
        "b" * 31 + f"@{DOMAIN}",
        "b" * 33 + f"@{DOMAIN}",
        "b" * 31 + f"g@{DOMAIN}",
        "b" * 31 + f"-@{DOMAIN}",
        "b" * 31 + f"\uff42@{DOMAIN}",
        "1" * 31 + f"\u0661@{DOMAIN}",
        f"postmaster@{DOMAIN}",
        f"bounce@{DOMAIN}",
        f"bounce-{'b' * 31}@{DOMAIN}",
        f"bounce+{'b' * 32}@{DOMAIN}",
        f"xbounce-{'b' * 32}@{DOMAIN}",
        f"bounce-{'b' * 32}@doe.example-{REF}b.{DOMAIN}x",
        f"john@{REF}b.{DOMAIN}",
        f"john@-{REF}b.{DOMAIN}",
        f"john@doe.example-{REF}.{DOMAIN}",
        f"john@doe.example-{REF}c.{DOMAIN}",
        f"john@doe.example-{REF}bb.{DOMAIN}",
        f"john@doe.example-{REF[:-1]}b.{DOMAIN}",
        f"john@doe.example{REF}b.{DOMAIN}",
        f"john@doe.example-{REF}b.x.{DOMAIN}",
        f"john@doe.example-{REF[:-1]}xb.{DOMAIN}",
        f'"john doe"@doe.example-{REF}b.{DOMAIN}',
        f"john%x@doe.example-{REF}b.{DOMAIN}",
        f"jörg@doe.example-{REF}b.{DOMAIN}",
        f"john@doe.xn--p1ai-{REF}b.{DOMAIN}",
    ],
)
def test_what_only_resembles_an_alias_is_none(text: str) -> None:
    with pytest.raises(NotAnAlias) as caught:
        decode(Address.parse(text), DOMAINS)
    assert text not in str(caught.value)


def test_a_reference_inside_the_address_is_the_addresss_own() -> None:
    """The last reference counts: an alias of an alias carries the inner one."""
    inner = written("john@doe.example", "111111111111", "elsewhere.example")
    found = decode(Address.parse(written(inner)), DOMAINS)
    assert found == Soft(inner, REF, DOMAIN)


def test_a_quoted_token_is_the_same_alias() -> None:
    """Quotes that are not needed change no identity (RFC 5321 section 4.1.2)."""
    assert decode(Address.parse(f'"{"b" * 32}"@{DOMAIN}'), DOMAINS) == Hard("b" * 32, DOMAIN)


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("ct.example.com", "ct.example.com"),
        ("x.y.ct.example.com", "ct.example.com"),
        ("alias.example.net", "alias.example.net"),
        ("example.com", None),
        ("xct.example.com", None),
        ("ct.example.com.example", None),
        ("[192.0.2.1]", None),
        ("", None),
    ],
)
def test_a_domain_is_in_an_alias_domain_or_below_it(name: str, domain: str | None) -> None:
    assert find_domain(name, DOMAINS) == domain


def test_without_alias_domains_there_are_no_aliases() -> None:
    with pytest.raises(NotAnAlias):
        decode(Address.parse(hard("b")), ())
