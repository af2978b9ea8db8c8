"""Addresses in clear that are left out before a cheap look: none that masking would not replace."""

import pytest
from builders import A
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversation_tracker.core.masking.address.leave_out import leave_out_clear
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.text import obfuscated, rare_spellings

PEOPLE = [
    *("john.doe@home.example", "doe@home.example", "ann@home.example-20770d.ct.example"),
    *("ann@home.example", "bob@home.example.uk", "o'x+y@web.example", "jo@gmail.com", "x@y"),
]
KNOWN = Masker(dict.fromkeys(PEOPLE, A))
_AROUND = [
    *("<", ">", "\n", "\r\n", " ", ", ", ";", '"', "'", "(", ")", "=", "%", "+", "&lt;", "\t", ""),
    *("john ", "john.", "mailto:", "bounce+", "-20770d", ".uk", ".ct.example", " dot ", " (at) "),
    *("joe dot ", "=\n", "%40home.example", "\\n", "<b>", "@home.example", "\u200b", "ann", "!"),
    *("message-id: <", "home.example=", "home.example!", "&#64;", "%2euk", "=2euk", "> ", "@"),
]
TEXTS = st.lists(st.sampled_from([*_AROUND, *PEOPLE]), max_size=9).map("".join)
_SPELLED = [
    *("ann (at) home.example", "john.doe at home dot example", "a%6en@home.example", "x%40y "),
    *(
        "doe\n> @home.example",
        "ann@home(dot)example.uk",
        "jo@g&#109;ail.com",
        "\\u0061nn@home.example",
    ),
]
HIDING = st.tuples(
    TEXTS, st.sampled_from(["<", "\n", " "]), st.sampled_from(PEOPLE), TEXTS,
    st.sampled_from(_SPELLED), TEXTS,
).map("".join)  # fmt: skip


@settings(max_examples=800, deadline=None)
@given(TEXTS)
@example("ann@home.example\n-20770d.ct.example")
@example("joe dot doe@home.example\n.uk")
def test_masking_replaces_just_what_is_left_out(text: str) -> None:
    left = leave_out_clear(text, KNOWN.keys)
    assert KNOWN(left.replace("z@z", A)) == KNOWN(text)


def test_what_is_left_out_hides_nothing() -> None:
    """What masking reads in a text once what is clear is masked is told of the text without it."""
    seen = [0]

    @settings(max_examples=700, deadline=None, derandomize=True)
    @given(HIDING)
    def compare(text: str) -> None:
        clear = KNOWN(text)
        found = rare_spellings._mask_readings(clear, KNOWN, deep=True, tagged=False) != clear
        seen[0] += found and leave_out_clear(text, KNOWN.keys) != text
        assert not found or obfuscated.possible(text.encode(), KNOWN)

    compare()
    assert seen[0] > 10


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("from: <ann@home.example>", "from: <z@z>"),
        ("to: ann@home.example\r\ncc: doe@home.example\n", "to: z@z\r\ncc: z@z\n"),
        ("x+ann@home.example", "x+ann@home.example"),
        ("<john.doe@home.example>", "<z@z>"),
        ("<ann@home.example.uk>", "<ann@home.example.uk>"),
        ("<ann@home.example%2euk>", "<ann@home.example%2euk>"),
    ],
)
def test_addresses_alone_in_brackets_and_lines_are_left_out(text: str, left: str) -> None:
    assert leave_out_clear(text, KNOWN.keys) == left


def test_headers_that_name_people_in_clear_are_not_read_deep() -> None:
    block = b"Ann <ann@home.example>\ntext/plain; charset=utf-8\ndoe@home.example\nx; y=z"
    assert not rare_spellings.may_hide(block, KNOWN)
    assert rare_spellings.may_hide(block + b"\nann (at) home.example", KNOWN)
