"""Lines that are too long for SMTP are folded or broken at a blank, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.syntax.folding import LONGEST, header, text

WORDS = st.lists(st.integers(1, 300).map(lambda n: b"w" * n), min_size=1, max_size=40)


@given(st.binary(min_size=1, max_size=20).filter(lambda n: b"\n" not in n), WORDS)
def test_unfolding_gives_the_same_value(name, words) -> None:
    value = b" ".join(words)
    folded = header(name, value)
    assert folded.replace(b"\n", b"") == value
    lines = (name + b": " + folded).split(b"\n")
    assert all(len(line) <= LONGEST for line in lines)
    assert all(line.startswith(b" ") and line.strip() for line in lines[1:])


@pytest.mark.parametrize("value", [b"", b"short", b"a\n b", b"x" * 900, b"x" * 5000])
def test_what_is_short_or_has_no_blank_stays_the_same_object(value) -> None:
    folded = header(b"Subject", value)
    assert folded == value
    assert len(value) > LONGEST or folded is value


def test_only_the_long_line_of_a_folded_value_changes() -> None:
    value = b"one\n " + b"word " * 300 + b"\n three"
    assert header(b"Subject", value).startswith(b"one\n word word")
    assert header(b"Subject", value).endswith(b"\n three")


@given(st.lists(WORDS, min_size=1, max_size=5), st.sampled_from([b"\n", b"\r\n"]))
def test_text_keeps_its_words_and_line_ends(lines, end) -> None:
    data = end.join(b" ".join(words) for words in lines)
    broken = text(data)
    assert broken.split() == data.split()
    assert all(len(line) <= LONGEST for line in broken.split(end))
    if all(len(line) <= LONGEST for line in data.split(end)):
        assert broken is data
