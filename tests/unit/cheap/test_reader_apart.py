"""Where the reader's address can be no part of others', a copy masks whom the record did.

Each copy here is made with what the record found and without, and is the same.
"""

from unittest.mock import patch

import pytest
from builders import BUYER, CARRIER, SHOP, hard, mail, order
from hypothesis import example, given, settings
from hypothesis import strategies as st
from said_addresses import escaped, texts

from conversation_tracker.core.masking.address.apart import stands_apart
from conversation_tracker.core.masking.text import html, rare_spellings
from conversation_tracker.core.model.plan import Edit
from conversation_tracker.core.views import reader_mask

MANY = settings(max_examples=400, deadline=None, derandomize=True)

OTHERS = [SHOP, CARRIER]
KNOWN = order(BUYER, SHOP, CARRIER)
_AROUND = [*" \t\n<>()[]{}|,:\"'=;.-_+&%\\/!?@x", "\r\n", "", "=3d", "=40", "\\n", "&lt;", "&gt;"]
_AROUND += ["%40", " at ", " dot ", "desk", "@carrier.example", "sales@", "<b>", "</b>", "mailto:"]
_AROUND += ["\n> ", "example", "{\\rtf1 ", "=\n", "doe.example", "john", "shop dot ", "<!--", "-->"]
TYPES = ["text/plain", "text/html", "text/plain; format=flowed"]


def copied(type: str, text: str, *, known: bool) -> tuple[Edit, ...]:
    """Return the edits of the buyer's copy; `known` with what the record found of its text."""
    raw = f"From: {SHOP}\nContent-Type: {type}\n\n{text}\n".encode("utf-8", "surrogatepass")
    letter = mail(raw, KNOWN, to=hard("b"))
    if known:
        return letter.plan().edits
    with patch.object(reader_mask, "stands_apart", lambda *_: False):
        return letter.plan().edits


@st.composite
def shared(draw: st.DrawFn) -> str:
    """Write a text with the reader's own address, and around it what spells another one."""
    around = st.lists(st.sampled_from(_AROUND), max_size=3).map("".join)
    own = st.sampled_from([BUYER, BUYER, hard("b"), "John@Doe.example", "john (at) doe.example"])
    piece = st.one_of(own, own, texts(OTHERS), escaped(OTHERS), st.sampled_from(OTHERS))
    many = draw(st.integers(2, 5))
    return "".join(draw(around) + draw(piece) for _ in range(many)) + draw(around)


@MANY
@given(st.sampled_from(TYPES), shared())
@example("text/plain", f"sales@{BUYER} dot shop.example")
@example("text/html", f"<b>sales</b>@<i title='{BUYER}'>shop</i>.example {BUYER}")
@example("text/plain", f"<{BUYER}> s=61les@shop.example {BUYER}")
def test_a_copy_is_as_if_nothing_were_known(type: str, text: str) -> None:
    assert copied(type, text, known=True) == copied(type, text, known=False)


def test_what_stands_in_clear_alone_is_not_looked_behind_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The record was; in the copy the reader's address stands where the record has their alias."""
    looked: list[str] = []
    read, parted = rare_spellings.mask_readings, html._mask_across_tags
    monkeypatch.setattr(
        rare_spellings,
        "mask_readings",
        lambda text, *given, **more: (looked.append(text), read(text, *given, **more))[1],
    )
    monkeypatch.setattr(
        html, "_mask_across_tags", lambda text, mask: (looked.append(text), parted(text, mask))[1]
    )
    for type in ("text/plain", "text/html"):
        looked.clear()
        copied(type, f"<p>To {BUYER}, {SHOP} =3d</p>", known=True)
        assert [BUYER in each for each in looked] == [False] * (1 + (type == "text/html"))


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("john@doe.example", "sales@shop.example"),
        ("john.doe@gmail.com", "sales@shop.com"),
        ("a1@x9.example", "mary@b.example"),
    ],
)
def test_an_address_stands_apart(address: str, other: str) -> None:
    assert stands_apart(address, [other])
    assert not stands_apart(address, ["m\u00fcller@x.test", other])


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("john@doe.example", "joe.john@doe.example"),
        ("john@doe.example", "mary@doe.example"),
        ("john@doe.example", "mary@doe.test"),
        ("john@doe.example", "example.mary@shop.test"),
        ("john@doe.example", "jo.hn@shop.test"),
        ("john@doe.example", "mary@nhoj.test"),
        ("john@gmail.com", "mary@googlemail.com"),
        ("john@doe.example", "mary@xn--bcher-kva.test"),
        ("john.at.home@doe.example", "mary@shop.test"),
        ("j\u00f6rg@doe.example", "mary@shop.test"),
        ("john+tag@doe.example", "mary@shop.test"),
    ],
)
def test_an_address_that_may_be_part_of_another_does_not(address: str, other: str) -> None:
    assert not stands_apart(address, [other])
