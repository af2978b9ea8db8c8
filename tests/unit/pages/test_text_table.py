"""A table fits its terminal and keeps its columns, whatever strangers wrote into it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcwidth

from conversation_tracker.support import text_table

ANYTHING = st.text(st.characters(), max_size=60) | st.text("a\u4e2d\u05d0\u0301\x1b\u202e\u200d🙂 ")


def cells(line: str) -> int:
    """Count as a terminal does, and not as the module does: by characters, controls are fatal."""
    widths = [wcwidth(character) for character in line]
    assert -1 not in widths
    return sum(widths)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("  two\t words\r\n here ", "two words here"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x1b]0;title\x07x", "]0;titlex"),
        ("bell\x07 nul\x00 del\x7f csi\x9b31m", "bell nul del csi31m"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("\u2067isolated\u2069", "isolated"),
        ("zero\u200bwidth\u00adhyphen\ufeff", "zerowidthhyphen"),
        ("line\u2028paragraph\u2029end", "line paragraph end"),
        ("e\u0301", "é"),
        ("Z" + "\u0301" * 50 + "a", "Ź" + "\u0301" * 4 + "a"),
        ("Z" + "\u0336\u200b" * 50, "Z" + "\u0336" * 4),
        ("👨\u200d👩\u200d👧", "👨👩👧"),
        ("👍🏽 ❤\ufe0f", "👍 ❤"),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        ("\ue000 \U000f0000", "\ufffd \ufffd"),
        ("bad \udc80 byte", "bad byte"),
    ],
)
def test_only_what_can_be_shown_is_left(text: str, shown: str) -> None:
    assert " ".join(text_table.clean(text).split()) == shown


@pytest.mark.parametrize(
    ("text", "wanted", "shown"),
    [
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("two words", 5, "two…"),
        ("中文字", 6, "中文字"),
        ("中文字", 5, "中文…"),
        ("中文字", 4, "中…"),
        ("q\u0323q\u0323q\u0323", 2, "q\u0323…"),
        ("anything", 1, "…"),
        ("anything", 0, ""),
    ],
)
def test_a_text_is_cut_at_cells_not_characters(text: str, wanted: int, shown: str) -> None:
    assert text_table.cut(text, wanted) == shown


def test_columns_stand_under_each_other() -> None:
    rows = [("中", "x"), ("abcd", "y"), ("e\u0301", "z")]
    assert list(text_table.lay_out(("a", "b"), rows, 80)) == [
        "a     b",
        "中    x",
        "abcd  y",
        "é     z",
    ]


def test_the_widest_column_gives_way_first_and_fixed_ones_never() -> None:
    rows = [("2026-01-02", "short", "a" * 100, "b" * 50)]
    *_, line = text_table.lay_out(("t", "s", "a", "b"), rows, 41, fixed=(0,))
    assert line == "2026-01-02  short  aaaaaaaaa…  bbbbbbbbb…"


def test_right_to_left_text_stays_in_its_column() -> None:
    [_, line] = text_table.lay_out(
        ("a", "b"), [("\u05e9\u05dc\u05d5\u05dd", "\u05e2\u05d5\u05dc\u05dd")], 80
    )
    assert line == "\u200e\u05e9\u05dc\u05d5\u05dd\u200e  \u200e\u05e2\u05d5\u05dc\u05dd\u200e"


@given(
    st.lists(st.tuples(ANYTHING, ANYTHING, ANYTHING), max_size=5),
    st.integers(min_value=1, max_value=120),
)
def test_no_line_is_wider_than_the_terminal_or_leads_it(
    rows: list[tuple[str, str, str]], width: int
) -> None:
    """One line for each row; no control or format character but the marks that hold a column."""
    lines = list(text_table.lay_out(("one", "two", "three"), rows, width, fixed=(1,)))
    assert len(lines) == len(rows) + 1
    for line in lines:
        assert cells(line) <= width
        formats = {c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Cs")}
        assert formats <= {"\u200e", "\u200c"}


@given(ANYTHING, st.integers(min_value=0, max_value=30))
def test_a_cut_text_is_a_beginning(text: str, width: int) -> None:
    cleaned = text_table.clean(text)
    shown = text_table.cut(cleaned, width)
    assert shown == cleaned or cleaned.startswith(shown.removesuffix("…"))
    assert text_table.width(shown) <= width
