"""Lines that are too long for SMTP are folded at a blank, else where that means the least."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.syntax.encoded_words import decode_words
from conversation_tracker.core.syntax.folding import LONGEST, break_line, fold_header

WORDS = st.lists(st.integers(1, 300).map(lambda n: b"w" * n), min_size=1, max_size=40)


@given(st.binary(min_size=1, max_size=20).filter(lambda n: b"\n" not in n), WORDS)
def test_unfolding_gives_the_same_value(name, words) -> None:
    value = b" ".join(words)
    folded = fold_header(name, value)
    assert folded.replace(b"\n", b"") == value
    lines = (name + b": " + folded).split(b"\n")
    assert all(len(line) <= LONGEST for line in lines)
    assert all(line.startswith(b" ") and line.strip() for line in lines[1:])


@pytest.mark.parametrize("value", [b"", b"short", b"a\n b", b"x" * 900])
def test_what_is_short_stays_the_same_object(value) -> None:
    assert fold_header(b"Subject", value) is value


@pytest.mark.parametrize("name", [b"Subject", b"X-Anything", b"comments"])
@pytest.mark.parametrize(
    "value", [b"x" * 5000, b"a " + b"x" * 999 + b" b", "\u00e9".encode() * 999]
)
def test_text_without_a_blank_becomes_encoded_words(name, value) -> None:
    folded = fold_header(name, value)
    assert all(len(line) <= 76 + len(name) for line in folded.split(b"\n"))
    assert decode_words(folded) == value.decode()


def test_text_that_would_grow_too_long_is_parted_all_the_same() -> None:
    """Over 64 kB a milter cannot give it, and each try would be answered 451."""
    folded = fold_header(b"Subject", b"x" * 60_000)
    assert len(folded) < 61_000
    assert max(map(len, folded.split(b"\n"))) <= LONGEST


ALIAS = b"ff2e6348a53a4d449af92be2a1011328@ct.example.com"


@pytest.mark.parametrize(
    "unit",
    [ALIAS + b",", b"<" + ALIAS + b">", ALIAS + b";", b'"' + ALIAS + b'",', b"/?e=" + ALIAS],
)
@pytest.mark.parametrize("name", [b"To", b"References", b"Content-Type", b"L" * 500])
def test_anything_else_is_parted_beside_an_alias(name, unit) -> None:
    folded = fold_header(name, unit * 100)
    lines = (name + b": " + folded).split(b"\n")
    assert all(line.strip() and len(line) <= LONGEST for line in lines)
    assert folded.replace(b"\n ", b"") == unit * 100
    assert folded.count(ALIAS) == 100


@pytest.mark.parametrize(
    "value", [b"x" * 5000, b"," + b"x" * 1500, b" " + b"x" * 1500, b"," * 5000]
)
def test_no_line_is_longer_whatever_stands_in_it(value) -> None:
    lines = (b"To: " + fold_header(b"To", value)).split(b"\n")
    assert all(len(line) <= LONGEST for line in lines)
    assert b"".join(lines).replace(b" ", b"") == b"To:" + value.strip()


def test_only_the_long_line_of_a_folded_value_changes() -> None:
    value = b"one\n " + b"word " * 300 + b"\n three"
    assert fold_header(b"Subject", value).startswith(b"one\n word word")
    assert fold_header(b"Subject", value).endswith(b"\n three")


@given(WORDS, st.sampled_from([b"\n", b"\r\n"]))
def test_a_line_of_text_keeps_its_words(words, end) -> None:
    data = b" ".join(words)
    parted = break_line(data, end)
    assert parted.replace(end, b"") == data
    assert all(len(line) <= LONGEST for line in parted.split(end))
    if len(data) <= LONGEST:
        assert parted is data


@given(st.binary(max_size=3000).filter(lambda data: b"\n" not in data))
def test_a_line_of_anything_is_parted(data) -> None:
    parted = break_line(data, b"\n")
    assert parted.replace(b"\n", b"") == data
    assert all(len(line) <= LONGEST for line in parted.split(b"\n"))
