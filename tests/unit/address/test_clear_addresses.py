"""Addresses in clear, told at one look, are told as all others are, in masking and in the scan.

Texts are put together at random from addresses, pieces of them, and what may stand beside them.
"""

import re
from collections import Counter
from unittest.mock import patch

import pytest
from cost import linear
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversation_tracker.core.masking.address.address_forms import Domain
from conversation_tracker.core.masking.address.clear import ClearAddresses
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.scanning import hidden_text
from conversation_tracker.core.scanning.text import clear, munged, munged_places
from conversation_tracker.core.scanning.text.address_matcher import AddressMatcher

ALIAS, OTHER = "a" * 32 + "@ct.example.com", "b" * 32 + "@ct.example.com"
# Of each set of people, all addresses of one domain are told so, or none.
PEOPLE = [
    ["john.doe@home.example"],
    ["john@home.example", "mary.john@home.example", "o@home.example", "joe@shop.example"],
    ["john+tag@home.example", "john_doe@home.example"],
    ["j.doe@gmail.com", "john@googlemail.com"],
    ["o'doe@home.example", "john@home.example"],
    ['"john doe"@home.example', "doe@home.example"],
    ["\u00e9ric@home.example", "john@home.example"],
    ["home.example@home.example", "example@example"],
    ["john@home.example-x", "john@a"],
    ["john@home.example", "mary.john@home.example", "john@home.example.net"],
]
PIECES = [
    *(
        "john.doe",
        "john",
        "mary.john",
        "o",
        "joe",
        "john+tag",
        "j.doe",
        "o'doe",
        "doe",
        "\u00e9ric",
    ),
    *("@home.example", "@shop.example", "@gmail.com", "@a", "@example", "home.example", "@", "%40"),
    *(
        " ",
        "\n",
        "\r\n",
        "\t",
        "<",
        ">",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "|",
        ",",
        ":",
        ";",
        '"',
        "'",
    ),
    *(
        ".",
        "-",
        "_",
        "+",
        "=",
        "!",
        "%",
        "&",
        "&#",
        "/",
        "*",
        "x",
        "0",
        "\u00e4",
        "\u4e00",
        "\uff20",
    ),
    *(
        "-207700027841b.ct.example.com",
        ".pdf",
        "message-id: <",
        "cid:",
        "dot ",
        " dot",
        " at ",
        "..",
    ),
    *("mary.", "mailto:", "%3d", "=3d", "\\u0040", "\\n", "&gt;", "d", "email-", "0489.", "\u200b"),
]
SIGNS = [chr(each) for each in range(0x80) if not chr(each).isalnum()]
SAID_LEFT = ["mary dot ", "mary .", "mary. ", "mary [.] ", "mary)dot(", "mary>\n> . ", "mary;"]
SAID_RIGHT = [
    " dot net",
    ". net",
    " .net",
    "[.]net",
    " [dot] net",
    ">\n> .net",
    "&#46;net",
    "\\.net",
]
BESIDE = ["", *PIECES, *SIGNS, "\u3000", "\x85", "\u2028"]
LEFT = [*BESIDE, *(f"{word}{sign}" for word in ("mary", "0489", "\u4e00", ".") for sign in SIGNS)]
RIGHT = [*BESIDE, *(f"{sign}{word}" for word in ("x", ".", "0") for sign in SIGNS)]
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join)


def addresses(people: list[str]) -> list[str]:
    """Return texts with one of these addresses, with everything that may stand beside it."""
    rest = ["@home.example", "john", *people]
    return [
        *(
            f"{left}{each}{right}"
            for each in rest
            for left in LEFT
            for right in ("", " ", ">", ".x")
        ),
        *(
            f"{left}{each}{right}"
            for each in rest
            for left in ("", " ", "mary.")
            for right in RIGHT
        ),
    ]


def replacements(people: list[str]) -> dict[str, str]:
    """Return what replaces each of these: two aliases in turn."""
    return {key: (ALIAS, OTHER)[number % 2] for number, key in enumerate(people)}


@pytest.mark.parametrize("people", PEOPLE)
@given(text=TEXTS)
@example(text="x john@home.example,john.doe@home.example john@home.example\n")
@example(text="<john@a>x@a ")
@settings(max_examples=60, deadline=None)
def test_masking_replaces_what_it_finds_in_several_steps(people: list[str], text: str) -> None:
    kept = people[:1] if len(people) > 1 else []
    for stays in ((), kept):
        known = {key: new for key, new in replacements(people).items() if key not in stays}
        quick = Masker(known, stays)(text)
        with patch.object(Domain, "_clear", ClearAddresses({})):
            assert Masker(known, stays)(text) == quick


@pytest.mark.parametrize("people", PEOPLE)
def test_whatever_stands_beside_an_address_decides_the_same(people: list[str]) -> None:
    quick, scan = Masker(replacements(people)), AddressMatcher({key: key for key in people})
    texts = [each.lower() for each in addresses(people)]
    masked, found = [quick(each) for each in texts], [list(scan.find(each)) for each in texts]
    with patch.object(clear, "_MANY", -1):
        assert [sorted(scan.find(each)) for each in texts] == [sorted(each) for each in found]
    with (
        patch.object(Domain, "_clear", ClearAddresses({})),
        patch.object(clear.AddressesInClear, "_lengths", []),
    ):
        slow, scan = Masker(replacements(people)), AddressMatcher({key: key for key in people})
        for text, new, tokens in zip(texts, masked, found, strict=True):
            assert slow(text) == new, text
            assert list(scan.find(text)) == tokens, text


@pytest.mark.parametrize("people", PEOPLE)
@given(text=TEXTS)
@example(text="<john@home.example>")
@settings(max_examples=60, deadline=None)
def test_the_scan_finds_what_it_finds_in_several_steps(people: list[str], text: str) -> None:
    low = text.lower()
    found = list(AddressMatcher({key: key for key in people}).find(low))
    with patch.object(clear, "_MANY", -1):
        assert sorted(AddressMatcher({key: key for key in people}).find(low)) == sorted(found)
    with patch.object(clear.AddressesInClear, "_lengths", []):
        assert list(AddressMatcher({key: key for key in people}).find(low)) == found


@pytest.mark.parametrize("people", PEOPLE)
def test_what_is_spelled_out_is_found_among_many_in_clear(people: list[str]) -> None:
    known = AddressMatcher({key: key for key in people})
    texts = [f"{left}{each}{right}" for each in people for left in SAID_LEFT for right in RIGHT]
    texts += [f"{left}{each}{right}" for each in people for left in LEFT for right in SAID_RIGHT]
    texts = [each.lower() for each in (*texts, *addresses(people))]
    found = [Counter(munged.find_owners(each, known)) for each in texts]
    with patch.object(munged_places, "_OFTEN", -1), patch.object(munged_places, "_SHARE", 1_000):
        for text, tokens in zip(texts, found, strict=True):
            assert Counter(munged.find_owners(text, known)) == tokens, text


def find_links(text: str, local: str) -> list[str]:
    """Return the links in a text, each of its runs asked by itself."""
    low = text.replace("\u0130", "i").lower()
    found = hidden_text._ANGLED.findall(text)
    for run in re.finditer(r"\S+", low):
        shown = run[0].replace(f"{local}@", "x@") if local else run[0]
        if hidden_text._is_link(shown):
            found.append(text[run.start() : run.end()])
    return found


LINKS = [
    *("john", "j.doe@home.example", "?", "%", "%a", "%aB", "&", "&a=", "=", "#", ".", ":", "12:00"),
    *(
        "sip:",
        "sips:",
        "facetime-audio:",
        "xmpp",
        "x",
        " ",
        "\n",
        "\u2003",
        "/",
        "\\\\",
        "www",
        ".",
    ),
    *(
        ".example#",
        ".example:80#",
        "<http://",
        "<mailto:",
        ">",
        "@",
        "john?",
        "\u0130",
        "_",
        "-",
        "!",
    ),
]


@given(
    text=st.lists(st.sampled_from(LINKS), min_size=1, max_size=12).map("".join),
    local=st.sampled_from(["", "john", "j.doe", "john?", "a&b", "w.x", "!", "%ab"]),
)
@example(text="x?john?@home.example !? ?", local="john?")
@settings(max_examples=300, deadline=None)
def test_links_are_found_by_what_tells_them(text: str, local: str) -> None:
    found = Counter(hidden_text._find_links(text, local))
    assert found == Counter(find_links(text, local))


@pytest.mark.parametrize(
    "piece",
    [
        " <john@home.example>",
        "?",
        "a?",
        ":",
        "sip:",
        "&a",
        "%",
        "@a ",
        "@john dot ",
        "#",
        "]@a.b (",
    ],
)
def test_many_of_a_kind_cost_in_proportion(piece: str) -> None:
    known = AddressMatcher({"john@home.example": "t", "j.doe@home.example": "u"})

    def look(size: int) -> None:
        text = piece * size + "john@home.example"
        list(known.find(text))
        list(munged.find_owners(text + " home" * 80, known))
        list(hidden_text._find_links(text, "john"))

    linear(look, 80_000)
