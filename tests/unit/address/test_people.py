"""Looking for people in octets: how often that asks what is costly, and that nobody is missed."""

import random
from collections.abc import Callable

import pytest

from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.scanning.text import munged, munged_places
from conversation_tracker.core.scanning.text.address_matcher import AddressMatcher

KEY = "ann.lee@carrier.example"
DOMAIN = "carrier.example"
FILLED = {
    "domains": f"{DOMAIN} ",
    "at signs": f"@{DOMAIN}",
    "equals signs": f"={DOMAIN}",
    "before equals signs": f"{DOMAIN}=",
    "a list of others": f"bob@{DOMAIN}, ",
}


@pytest.mark.parametrize("codec", ["ascii", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", FILLED)
def test_octets_full_of_a_domain_are_not_masked_at_each_place(name: str, codec: str) -> None:
    people = People([KEY])
    asked: list[str] = []
    mask = people.mask
    people.__dict__["mask"] = lambda text: asked.append(text) or mask(text)
    people.__dict__["_words"] = [each.encode() for each in mask.endings]
    data = (FILLED[name] * 2000).encode(codec)
    assert not people.in_bytes(data)
    assert len(asked) <= 2
    assert people.in_bytes(data + f" {KEY} ".encode(codec))


def test_a_text_full_of_a_domain_is_not_gone_through_at_each_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simplified: list[str] = []

    class Words:
        def findall(self, text: str) -> list[str]:
            simplified.append(text)
            return []

    watch = AddressMatcher({KEY: "a"})
    assert watch.endings
    monkeypatch.setattr(munged_places, "WORDS", Words())
    assert not list(munged.find_owners(f"{DOMAIN} " * 2000, watch))
    assert not simplified


SPELLINGS: dict[str, Callable[[str], bytes]] = {
    "as it is": lambda key: key.encode(),
    "in capitals": lambda key: key.upper().encode(),
    "a soft hyphen": lambda key: key.replace("lee", "l\u00adee").encode(),
    "a soft hyphen in latin-1": lambda key: key.replace("lee", "l\u00adee").encode("latin-1"),
    "a space without width": lambda key: key.replace("@", "\u200b@\u200b").encode(),
    "a fullwidth sign": lambda key: key.replace("@", "\uff20").encode(),
    "percent": lambda key: key.replace("@", "%40").encode(),
    "with a tag": lambda key: key.replace("@", "+more@").encode(),
    "SRS": lambda key: f"srs0=ab=cd={DOMAIN}=ann.lee@other.example".encode(),
    "UUCP": lambda key: f"{DOMAIN}!ann.lee {DOMAIN}".encode(),
    "route": lambda key: f"ann.lee={DOMAIN}@other.example".encode(),
    "UTF-16": lambda key: key.encode("utf-16-le"),
    "UTF-16 without width": lambda key: key.replace("lee", "l\u200bee").encode("utf-16-be"),
    "a byte that counts it": lambda key: b"x" + bytes((len(key),)) + key.encode() + b"\0",
}


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("before", ["bob@carrier.example ", "\u00e9 ", ""])
def test_nobody_is_missed(name: str, before: str) -> None:
    data = SPELLINGS[name](KEY)
    codec = {"UTF-16": "utf-16-le", "UTF-16 without width": "utf-16-be"}.get(name, "utf-8")
    assert People([KEY]).in_bytes(before.encode(codec) + data)


def test_a_letter_that_is_ascii_in_lower_case_is_read_so() -> None:
    assert People(["kim@carrier.example"]).in_bytes("\u212aim@carrier.example".encode())


def test_a_local_part_without_letters_is_found() -> None:
    noise = bytes(random.Random(1).choices(b"abc \n", k=300))
    assert People(["__-@carrier.example"]).in_bytes(noise + b" __-@carrier.example ")
