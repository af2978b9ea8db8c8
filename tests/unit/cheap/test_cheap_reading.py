"""Cheap tests of whether an address in words may be read, held to the reading behind them.

What is found at every place of every domain is found at those, too, that a cheap test lets through.
"""

import pytest
from builders import A
from hypothesis import example, given, settings
from hypothesis import strategies as st
from munged_texts import iter_all_places

from conversation_tracker.core.masking.address import munged
from conversation_tracker.core.masking.address.mask import Masker

PEOPLE = ["john.doe@home.example", "anna.m.ott@web.example", "bob@mail.shop.co.uk"]
LINES = ["\n", "\r\n", "=\n", "\\n", "<br>"]
QUOTES = ["> ", ">", "| ", "JD> ", "jd&gt; ", "&gt; ", "# ", "\u203a", "% "]
BLANKS = [" ", "\t", "\u00a0", "\u200b", "\u2003", "&nbsp;"]
MARKED = st.tuples(
    st.sampled_from(LINES), st.sampled_from(QUOTES), st.sampled_from([0, 1, 2, 3, 20, 60, 90])
).map(lambda each: each[0] + each[1] * each[2])
BESIDE = st.sampled_from(["", *BLANKS]) | MARKED
AT = st.sampled_from(["@", "@", " (at) ", "\uff20", " at ", "&lt;at&gt;"])
DOT = st.sampled_from(
    [".", ".", " (dot) ", "\u3010dot\u3011", "-dot-", "~dot~", "\u3002", "&lt;dot&gt;"]
)


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """Write an address with something in one place of it, or two, that may part it."""
    local, domain = draw(st.sampled_from(PEOPLE)).split("@")
    dots = draw(DOT)
    pieces = [*local.replace(".", " . ").split(), "@", *domain.replace(".", " . ").split()]
    pieces = [dots if piece == "." else piece for piece in pieces]
    pieces[pieces.index("@")] = draw(AT)
    for _ in range(draw(st.integers(1, 2))):
        pieces.insert(draw(st.integers(1, len(pieces) - 1)), draw(BESIDE))
    return f"write to {''.join(pieces)} now".lower()


FOUND = [
    "anna.\n> m.ott@web.example x",
    "anna.\njd> m.ott@web.example x",
    "john\u3010dot\u3011 \n> doe@home.example",
    "john.doe (at) \n" + "# " * 64 + "home.example",
    "john (dot) doe\n" + "jd&gt; " * 60 + "@home (dot) example",
    "john.doe@" + "\u200b" * 129 + "home (dot) example",
    "john.doe@home \n> ~dot~example",
    "john.doe@home-dot-\fexample",
    "john.\\ndoe@home.example",
    "john\n\u203a.doe@home.example",
    "anna.m.ott\n" + "| " * 60 + " (at) web.example x",
    "john&lt;dot&gt;\r\n+ : doe@home.example",
    "john.doe@home\u00a0&lt;dot&gt;example",
    "bob@mail\r! &lt;dot&gt;shop.co.uk",
]


def check_masking(low: str) -> None:
    """Compare what is masked behind the cheap tests with what is without, place by place."""
    known = Masker(dict.fromkeys(PEOPLE, A))
    some = set(munged.find_munged(low, known))
    for place in iter_all_places(low, known):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(munged, "iter_places", lambda *_a, place=place: [place])
            found = set(munged.find_munged(low, known))
        assert {each for each in found if each.sign[1] <= place < each.end} <= some


@pytest.mark.parametrize("text", FOUND)
def test_what_a_cheap_test_passed_over_is_read(text: str) -> None:
    check_masking(text)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(spellings())
@example(FOUND[0])
def test_masking_reads_wherever_an_address_is(low: str) -> None:
    check_masking(low)
