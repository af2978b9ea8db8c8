"""Header fields: where name, value and line end are in the raw bytes of one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.syntax.fields import FIELD

SIMPLE = re.compile(rb"([!-9;-~]+)([ \t]*:[ \t]?)(.*?)(\r?\n)?", re.DOTALL)


@pytest.mark.parametrize(
    ("line", "value", "end"),
    [
        (b"Subject: x", b"x", None),
        (b"Subject: x\n", b"x", b"\n"),
        (b"Subject: x\r\n", b"x", b"\r\n"),
        (b"Subject:\r\n", b"", b"\r\n"),
        (b"Subject: x\r\n y\r\n", b"x\r\n y", b"\r\n"),
        (b"Subject: x\r\r\n", b"x\r", b"\r\n"),
        (b"Subject: x\n\n", b"x\n", b"\n"),
        (b"Subject: x\r", b"x\r", None),
    ],
)
def test_one_line_end_at_most_is_no_part_of_the_value(
    line: bytes, value: bytes, end: bytes | None
) -> None:
    found = FIELD.fullmatch(line)
    assert found is not None
    assert (found[1], found[3], found[4]) == (b"Subject", value, end)


@given(st.text("ab: \t\r\n\xe9", max_size=12).map(str.encode), st.integers(0, 6))
def test_a_field_is_cut_as_the_simple_pattern_cuts_it(line: bytes, start: int) -> None:
    """Also one that ends before the text it is in does."""
    for whole, end in ((line, len(line)), (line + b"\nx: y\r\n", len(line))):
        found, wanted = (each.fullmatch(whole, start, end) for each in (FIELD, SIMPLE))
        assert (found and (found.groups(), found.regs)) == (
            wanted and (wanted.groups(), wanted.regs)
        )
