"""Cheap tests of masking before its costly readings, held to these: no text is passed over.

Each test here has one of them, or all that stand before one reading, let everything pass, and masks
nothing more. What was passed over once is among the examples.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from builders import A
from hypothesis import given, settings
from hypothesis import strategies as st
from said_addresses import escaped, texts

from conversation_tracker.core.masking.address import munged
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.text import (
    absence,
    encoded,
    escape_edits,
    escape_signs,
    escapes,
    html,
    links,
    obfuscated,
    rare_spellings,
)

PEOPLE = [
    ["john.doe@home.example", "o_k@web.example", "a+b@web.example"],
    ["john@home.example", "jan@ma\u0142pa.example", "j.d@gmail.com"],
    ["bob@a.b", "o@x.yz", "john@home.example.org"],
]
FINDERS = [Masker(dict.fromkeys(people, A)) for people in PEOPLE]
NUMBERS = st.sampled_from(range(len(PEOPLE)))
DROPPED = dict.fromkeys([0x0E, 0x0F])
MANY = settings(max_examples=250, deadline=None, derandomize=True)
FULL = [
    (escape_signs, "is_deep"),
    (munged, "may_hold_munged"),
    (links, "_may_hold_tokens"),
]
"""What tells cheaply whether a text is read in another way."""


@contextmanager
def read_all(*more: tuple[object, str]) -> Iterator[None]:
    """Have each way of reading tried, whatever a cheap test says."""
    with pytest.MonkeyPatch.context() as patch:
        for where, name in (*FULL, *more):
            patch.setattr(where, name, lambda *_: True)
        yield


def mask_fully(text: str, mask: Masker, *, markup: bool) -> str:
    """Mask a text in all ways, as if no cheap test had told anything."""
    with read_all(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "_is_whole", lambda *_: False)
        patch.setattr(rare_spellings, "_SHORT", 0)
        text = html.mask_html(text, mask) if markup else mask(text)
        text = obfuscated.mask_obfuscations(text, mask, tagged=not markup)
        return obfuscated.mask_words(text, mask)


def draw_text(data: st.DataObject, number: int) -> str:
    """Draw a text; without what is left out of one only where the final scan found somebody."""
    return data.draw(escaped(PEOPLE[number]) | texts(PEOPLE[number])).translate(DROPPED)


def clear(text: str, mask: Masker, *, tagged: bool) -> str:
    """Mask what is masked before other readings of a text are tried."""
    text = mask(text) if tagged else html.mask_html(text, mask)
    text = encoded.mask_encodings(links.mask_links(text, mask), mask)
    return escapes.mask_escapes(text, mask)


@MANY
@given(st.data(), NUMBERS, st.booleans())
def test_a_text_is_read_in_all_ways_that_show_somebody(
    data: st.DataObject, number: int, tagged: bool
) -> None:
    mask = FINDERS[number]
    text = clear(draw_text(data, number), mask, tagged=tagged)
    some = rare_spellings.mask_readings(text, mask, tagged=False)
    with read_all():
        assert rare_spellings._mask_readings(text, mask, deep=True, tagged=False) == some


@MANY
@given(st.data(), NUMBERS)
def test_tags_are_left_out_of_a_text_wherever_they_part_somebody(
    data: st.DataObject, number: int
) -> None:
    mask = FINDERS[number]
    text = clear(draw_text(data, number), mask, tagged=True)
    some = rare_spellings.mask_readings(text, mask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(escape_edits, "_find_munged_edits", lambda *_: [])
        patch.setattr(escape_signs, "is_tagged", lambda low: "<" in low)
        full = rare_spellings._mask_readings(text, mask, deep=False, tagged=True)
        untagged = text.replace("<", "(")  # what references alone show is shown elsewhere
        if rare_spellings._mask_readings(untagged, mask, deep=False, tagged=True) == untagged:
            assert some != text or full == text


@MANY
@given(st.data(), NUMBERS)
def test_what_has_no_escapes_to_decode_is_as_it_stands(data: st.DataObject, number: int) -> None:
    text = draw_text(data, number)
    if text.isascii() and not escapes.possible(text.encode()):
        assert escapes.mask_escapes(text, FINDERS[number]) is text


@MANY
@given(st.data(), NUMBERS)
def test_what_may_not_be_masked_in_clear_stays(data: st.DataObject, number: int) -> None:
    text, mask = draw_text(data, number), FINDERS[number]
    octets = text.encode()
    if not mask.possible(octets):
        assert mask(text) == text
    if not mask.may_change(octets):
        assert mask(text) == text


@MANY
@given(st.data(), NUMBERS)
def test_what_hides_nothing_stays(data: st.DataObject, number: int) -> None:
    text, mask = draw_text(data, number), FINDERS[number]
    text = mask(text)
    if not obfuscated.possible(text.encode(), mask):
        with read_all():
            assert obfuscated.mask_obfuscations(text, mask) == text


@MANY
@given(st.data(), NUMBERS, st.booleans())
def test_a_text_that_names_nobody_stays(data: st.DataObject, number: int, markup: bool) -> None:
    text, mask = draw_text(data, number), FINDERS[number]
    if absence.text_names_nobody(text, mask, markup=markup):
        assert mask_fully(text, mask, markup=markup) == text


@MANY
@given(st.data(), NUMBERS)
def test_tags_are_looked_behind_wherever_they_part_somebody(
    data: st.DataObject, number: int
) -> None:
    text, mask = draw_text(data, number), FINDERS[number]
    some = html.mask_html(text, mask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "_is_whole", lambda *_: False)
        assert html.mask_html(text, mask) == some


@MANY
@given(st.data(), NUMBERS)
def test_links_are_decoded_wherever_somebody_is_in_them(data: st.DataObject, number: int) -> None:
    text, mask = f"https://x.example/{draw_text(data, number)}", FINDERS[number]
    some = links.mask_links(text, mask)
    with read_all():
        assert links.mask_links(text, mask) == some


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"\\u{0xFEE0 + ord(each):04x}" for each in "john.doe@home.example"),
        "j<b>ohn.doe\uff20home.example",
        "j<!-- a -->ohn.doe@home.example",
        "a<b>+b@web.example",
        "%25%36%61%6f%68%6e%2e%64%6f%65%40%68%6f%6d%65%2e%65%78%61%6d%70%6c%65",
        "%1b[1mjohn.doe@home.example",
        "%=\n6aohn.doe@home.example",
        "%6aohn.doe @ home.example",
        "&#106;ohn.doe @ home.example",
        "o_k&shy;\n@web.example",
        "&#65354;ohn.doe@home.example",
    ],
)
def test_what_was_passed_over_is_masked(text: str) -> None:
    assert A.partition("@")[0] in rare_spellings.mask_readings(text, FINDERS[0])
