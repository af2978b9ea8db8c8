"""Masking of addresses that soft line breaks part."""

import pytest
from cost import within
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.part import message_body
from conversation_tracker.core.masking.text import flowed

REAL = "john@doe.example"
ALIAS = "ff2e@ct.example.com"
MASK = Masker({REAL: ALIAS})

CASES = [
    (" \n".join(REAL), ALIAS, True),
    ("> " + " \n> ".join(REAL), f"> {ALIAS}", True),
    ("I am john@doe. \r\nexample here\r\nend", f"I am {ALIAS} \r\n  here\r\nend", True),
    ("I am john@doe. \nexample here\nend", f"I am {ALIAS} \nhere\nend", False),
    ("john@doe. \nexample\nend", f"{ALIAS}\nend", True),
    ("jo \nhn@ \ndoe.ex \nample \nend", f"{ALIAS} \nend", True),
    ("> > so john@ \n> > doe.example, he\n> x", f"> > so {ALIAS}, \n> > he\n> x", False),
    (">> john@doe.e \n>> xample\n", f">> {ALIAS}\n", True),
    ("> john@doe. \nexample", f"> {ALIAS}", True),
    (">john@doe. \n>> example\n", f">{ALIAS}\n", True),
    ("john@doe.\nexample", "john@doe.\nexample", True),
    ("xjohn@doe. \nexample", "xjohn@doe. \nexample", True),
    ("john@doe.exam \nple and john@ \ndoe.example x", f"{ALIAS} \n  and {ALIAS} \n  x", True),
    ("-- \nexample", "-- \nexample", True),
]


@pytest.mark.parametrize(("text", "expected", "delsp"), CASES)
def test_a_parted_address_is_replaced_and_other_lines_stay(
    text: str, expected: str, delsp: bool
) -> None:
    result = flowed.mask_soft_breaks(text, MASK, delsp=delsp)
    assert result == expected
    assert (result is text) == (text == expected)


def masked(content_type: bytes, body: bytes) -> bytes:
    return message_body.mask_body(
        message_body.read_structure([(b"Content-Type", content_type)], body), body, MASK
    )


def test_a_part_declared_as_flowed_is_looked_at_across_lines() -> None:
    body = b"I am john@doe. \r\nexample.\r\nBye\r\n"
    expected = b"I am ff2e@ct.example.com.\r\nBye\r\n"
    assert masked(b"text/plain; format=Flowed; DelSp=yes", body) == expected
    assert masked(b"text/plain; format=fixed", body) == expected
    inside = b"I am john@d \r\noe.example.\r\nBye\r\n"
    assert masked(b"text/plain; format=Flowed; DelSp=yes", inside) == expected
    assert masked(b"text/plain; format=fixed", inside) is inside


def test_a_line_of_its_own_is_masked_as_in_any_text() -> None:
    body = b"> john@doe.example \r\n> wrote\r\n"
    expected = b"> ff2e@ct.example.com \r\n> wrote\r\n"
    assert masked(b"text/plain; format=flowed; delsp=yes", body) == expected


@given(
    st.text(st.sampled_from("ab >\n-"), max_size=40),
    st.lists(st.integers(1, len(REAL) - 1), unique=True, max_size=4).map(sorted),
    st.sampled_from(["", ">", ">> "]),
)
def test_wherever_it_is_parted_the_address_is_gone(text: str, cuts: list[int], quotes: str) -> None:
    """With DelSp the text that a reader sees holds the alias instead."""
    pieces = [REAL[a:b] for a, b in zip([0, *cuts], [*cuts, len(REAL)], strict=True)]
    text += "."  # which no line goes on behind
    parted = f"{text}\n{quotes}" + f" \n{quotes}".join(pieces) + f"\n{text}"
    result = masked(b"text/plain; format=flowed; delsp=yes", parted.encode()).decode()
    assert f"\n{quotes}{ALIAS}\n" in result
    assert result.startswith(text)
    assert result.endswith(text)


@given(st.text(st.sampled_from("john@doe.exmpl> \r\n-"), max_size=80), st.booleans())
def test_any_text_raises_nothing_and_stays_without_a_hit(text: str, delsp: bool) -> None:
    flowed.mask_soft_breaks(text, MASK, delsp=delsp)
    assert flowed.mask_soft_breaks(text, lambda each: each, delsp=delsp) is text


@pytest.mark.parametrize("text", ["a \n" * 300_000, "@ \n> " * 200_000, " \n" * 400_000])
def test_soft_breaks_without_end_take_bounded_time(text: str) -> None:
    within(5, lambda: flowed.mask_soft_breaks(f"doe.example \n{text}", MASK))
