"""A delta gives exactly what it was made of, with little of its own where bodies are alike."""

import random

import pytest
from cost import within
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.base.delta import Delta, make_delta

LETTER = random.Random(7).randbytes(300_000)


def check() -> None:
    """Let everything take its time."""


def own(delta: Delta) -> int:
    """Return how many octets of a delta are its own."""
    return sum(len(piece) for piece in delta.pieces if isinstance(piece, bytes))


@pytest.mark.parametrize(
    ("new", "most"),
    [
        (LETTER, 0),
        (b"", 0),
        (b"x" + LETTER, 300),
        (LETTER[1:], 300),
        (LETTER + b"tail", 300),
        (LETTER[:1000] + b"alias@ct.example.com" + LETTER[1010:], 600),
        (LETTER[:1000] + LETTER[200_000:], 10_000),
        (b"".join(LETTER[n : n + 10_000] + b"alias" for n in range(0, 300_000, 10_000)), 20_000),
        (LETTER[150_000:] + LETTER[:150_000], 160_000),
    ],
)
def test_a_delta_is_what_it_was_made_of(new: bytes, most: int) -> None:
    delta = make_delta(LETTER, new, check)
    assert delta is not None
    assert len(delta) == len(new)
    assert delta[:] == new
    assert b"".join(delta[at : at + 777] for at in range(0, len(delta), 777)) == new
    assert own(delta) <= most


@given(
    st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 300), st.binary(max_size=300))),
    st.integers(0, 6_000),
    st.integers(0, 6_000),
)
def test_any_edits_are_told_exactly(
    edits: list[tuple[int, int, bytes]], start: int, end: int
) -> None:
    base = LETTER[:5_000]
    new = base
    for at, length, put in edits:
        new = new[:at] + put + new[at + length :]
    delta = make_delta(base, new, check)
    assert delta is not None
    assert delta[:] == new
    assert delta[start:end] == new[start:end]


def test_what_shares_nothing_is_no_delta() -> None:
    assert make_delta(LETTER, random.Random(8).randbytes(2_000_000), check) is None


@pytest.mark.parametrize("piece", [b"A", b"AB", b"A" * 63 + b"\n", b"\0" * 100 + b"x"])
@pytest.mark.parametrize("put", [b"alias", b"A", b"AB" * 40])
def test_time_grows_with_the_length_only(piece: bytes, put: bytes) -> None:
    """Also where octets repeat, so that the way back leads to a wrong place."""
    base = piece * (4_000_000 // len(piece))
    new = b"".join(base[n : n + 100_000] + put for n in range(0, len(base), 100_000))
    delta = within(3.0, lambda: make_delta(base, new, check))
    assert delta is None or delta[:] == new


def test_the_budget_is_asked() -> None:
    class Over(Exception):
        pass

    def over() -> None:
        raise Over

    with pytest.raises(Over):
        make_delta(LETTER, LETTER, over)
