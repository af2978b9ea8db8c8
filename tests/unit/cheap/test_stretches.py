"""A large text is read deep around its escapes alone, and shows what it shows read from end to end.

Texts are put together at random from addresses that are written in every way, with lines between
them, more or fewer than a stretch has on either side of an escape.
"""

import pytest
from builders import A
from cost import linear
from hypothesis import example, given, settings
from hypothesis import strategies as st
from said_addresses import escaped, texts

from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.text import escape_signs, obfuscated, rare_spellings

PEOPLE = [
    ["john.doe@home.example", "o_k@web.example", "a+b@web.example"],
    ["john@home.example", "jan@ma\u0142pa.example", "j.d@gmail.com"],
    ["bob@a.b", "o@x.yz", "john@home.example.org"],
]
FINDERS = [Masker(dict.fromkeys(people, A)) for people in PEOPLE]
LINES = [
    *("Nothing of anybody is in this line.\n", "id=25ab\n", "size=2634, delay=3.1\n", "50 %\n"),
    *(
        "a home for john.doe, bob at a b\n",
        "mary.\n",
        "john.doe\n",
        "> \n",
        "x=3\n",
        "no line end ",
    ),
    *("{}\n", "see &amp;lt; and\n", "ann@home.example\n", "=\n"),
]
ENOUGH = escape_signs.REACH // 8
SIZES = st.sampled_from((ENOUGH, ENOUGH // 2, ENOUGH // 3, ENOUGH // 4, ENOUGH // 5, 3, 1, 0))
BETWEEN = st.tuples(st.sampled_from(LINES), SIZES).map(lambda each: each[0] * each[1])


def mask(text: str, finder: Masker, *, large: bool) -> tuple[str, list[object]]:
    """Mask a text, as a large one or as any other; give what it was read deep in, too."""
    found: list[object] = []
    real = escape_signs.find_stretches
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rare_spellings, "_LARGE", 0 if large else len(text) + 1)
        patch.setattr(escape_signs, "_SHARE", 0)
        patch.setattr(
            escape_signs, "find_stretches", lambda *a: found.append(new := real(*a)) or new
        )
        return obfuscated.mask_obfuscations(finder(text), finder), found


def test_a_large_text_shows_what_it_shows_read_from_end_to_end() -> None:
    seen = [0]

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(st.data(), st.sampled_from(range(len(PEOPLE))))
    def compare(data: st.DataObject, number: int) -> None:
        people = escaped(PEOPLE[number]) | texts(PEOPLE[number])
        some = st.tuples(people, BETWEEN).map("".join)
        text = data.draw(BETWEEN) + "".join(data.draw(st.lists(some, min_size=2, max_size=4)))
        new, found = mask(text, FINDERS[number], large=True)
        assert new == mask(text, FINDERS[number], large=False)[0]
        seen[0] += any(bool(each) and each != [(0, len(text))] for each in found)

    compare()
    assert seen[0] > 20


@example("=2540", 0)
@example("%2540", 1)
@given(
    st.sampled_from(("=2540", "%2540", "&amp;#64;", "\\u0040", "=\n@", "@", " &lpar;at&rpar; ")),
    st.integers(0, 2),
)
def test_an_address_is_found_wherever_it_stands(sign: str, place: int) -> None:
    filler = LINES[0] * 300
    address = f"john.doe{sign}home.example\n"
    parts = [filler, "id=25ab\n", filler, "x=26lt;\n", filler]
    parts.insert((0, 3, 5)[place], address)
    whole = "".join(parts)
    new, found = mask(whole, FINDERS[0], large=True)
    assert "home.example" not in new
    assert isinstance(found[0], list) or sign == "@"


@pytest.mark.parametrize(
    "cut", ["mary [dot]\n> john.doe (at) home.example\n", "mary dot\njohn.doe (at) home.example\n"]
)
def test_what_a_stretch_cuts_is_not_read_as_somebody_else(cut: str) -> None:
    seen = 0
    for size in range(escape_signs.REACH - 60, escape_signs.REACH + 10):
        text = LINES[0] * 300 + cut + "z" * (size % 2) + "y\n" * (size // 2) + "=25ab\n"
        new, [found, *_] = mask(text, FINDERS[0], large=True)
        assert new == mask(text, FINDERS[0], large=False)[0]
        seen += isinstance(found, list) and 0 < text.find(cut) + cut.index("\n") + 1 == found[0][0]
    assert seen


@pytest.mark.parametrize(
    "text", ["{\\rtf john\\'40home.example}", "\x1b[1m", "<bdo", "\uff4aohn@", "srcdoc", "cfemail"]
)
def test_what_bears_on_all_of_a_text_has_no_stretches(text: str) -> None:
    assert escape_signs.find_stretches(LINES[0] * 500 + text, FINDERS[0]) is None


def test_stretches_are_around_signs_in_whole_lines() -> None:
    text = LINES[0] * 300 + "id=25ab\n" + LINES[0] * 400 + "id=25ab\n" + LINES[0] * 300
    found = escape_signs.find_stretches(text, FINDERS[0])
    assert found is not None
    assert len(found) == 2
    for start, end in found:
        assert text[start - 1] == text[end - 1] == "\n"
        place = text.index("=25ab", start)
        assert place - start >= escape_signs.REACH <= end - place
        assert end - start < 3 * escape_signs.REACH


@pytest.mark.parametrize(
    "run", ["=25ab", "=25ab\n", "id=25ab " + "x" * 5000, "\n" * 3000 + "%2540"]
)
def test_stretches_are_found_in_linear_time(run: str) -> None:
    def find(size: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(escape_signs, "_SHARE", 0)
            escape_signs.find_stretches(run * (size // len(run)), FINDERS[0])

    linear(find, 256 * 1024)
