"""A name is found before its domain in the same way by comparison as by the pattern for it."""

from unittest import mock

import pytest
from cost import within
from hypothesis import example, given
from hypothesis import strategies as st

from conversation_tracker.core.masking.address import address_forms
from conversation_tracker.core.masking.address.address_forms import Domain
from conversation_tracker.core.masking.address.backward_names import BackwardNames
from conversation_tracker.core.masking.address.mask import Masker

_NAMES = ("john", "john.doe", "j", "mary_john", "a-b")
_RARE = ("doe+x", "o'john", "j=john", "x/j", "a%b", "john+tag", "2b", "+j", "j+", "b&j")
_PIECES = st.sampled_from(
    [
    *_NAMES, *_RARE, "%27", "%2525", "%2f", "%252f", "%26", "b",
    "doe.example", "@", "%40", "%2540", "=40", "+", "%2b", "tag", '"', ".", "-", "_", "=",
    "0489.", "email-", "x", "7", " ", "<", "\n", "message-id: ", "cid:", "%20", "%3c", "\\n",
    "=3d", "\u00e4", "\u4e00", "\u2014", "\uff20", "srs0=", "bounce", "/", "(", "'", "%",
    ]
)  # fmt: skip


def _domain(names: list[str]) -> Domain:
    domain = Domain("doe.example")
    for name in names:
        domain.locals[name] = f"{name}-alias@ct.example.com"
    domain.add_without_tag()
    return domain


def _places(text: str) -> list[int]:
    return [n for n in range(len(text)) if text.startswith("doe.example", n)]


@given(
    st.lists(st.sampled_from(_NAMES), min_size=1, max_size=4, unique=True)
    | st.lists(st.sampled_from(_NAMES + _RARE), min_size=1, max_size=4, unique=True),
    st.lists(_PIECES, max_size=12).map("".join),
    st.sampled_from(["@", "%40", "=", "%", "=40", "\uff20", ""]),
    st.lists(_PIECES, max_size=3).map("".join),
)
@example(["2b", "j+"], "<j%2b", "@", ">")
@example(["john"], f"<john+{'x' * 64}", "@", ">")
@example(["john"], f"<john+{'x' * 65}", "@", ">")
@example(["john"], '<"john"', "@", ">")
@example(["john"], '"john', "@", "")
@example(["john"], "<john%2btag", "@", ">")
@example(["j", "john"], "message-id: <x.john", "@", ">")
def test_comparing_and_matching_find_the_same(
    names: list[str], before: str, separator: str, after: str
) -> None:
    text = f"{before}{separator}doe.example{after}"
    quick, slow = _domain(names), _domain(names)
    slow._names = BackwardNames([], {}, frozenset(), dotted=False)
    assert quick._names
    for at in _places(text):
        assert quick.hit(text, at) == slow.hit(text, at)


def test_no_pattern_is_compiled_for_names_of_an_order() -> None:
    """Compiling one takes longer than to look through the message."""
    _domain(["warm"]).hit("<warm@doe.example>", 6)
    with mock.patch.object(address_forms.re, "compile", side_effect=AssertionError):
        domain = _domain(["5c1d", "mary_john"])
        assert _domain(["o'brien+x"]).hit("<o%27brien@doe.example>", 11) is not None
        assert _domain(["o'brien+x"]).hit("<o%2527brien@doe.example>", 13) is not None
        assert domain.hit("<5c1d@doe.example>", 6) is not None
        assert domain.hit("cid:0.mary_john%40doe.example", 18) is not None
        assert domain.hit("<another@doe.example>", 9) is None


_DOTTED = (
    "john+x.y",
    "a.b+john.",
    "john.doe",
    "johndoe",
    "j.o.h.n",
    "john",
    "a.b",
    "ab",
    "a-b",
    ".j",
    "mary_john.",
)


@given(
    st.lists(st.sampled_from(_DOTTED), min_size=1, max_size=5, unique=True),
    st.sets(st.sampled_from(_DOTTED)),
    st.lists(st.one_of(_PIECES, st.sampled_from([*_DOTTED, *"johndeab."])), max_size=12).map(
        "".join
    ),
    st.sampled_from(["@", "%40", "=", "%", "=40", "\uff20", ".@", "..@", ""]),
    st.sampled_from(["", ">", "@", "%40", "=john.doe@x"]),
)
@example(["john.doe", "johndoe"], {"johndoe"}, "john.doe", "@", "")
@example(["johndoe", "john.doe"], {"john.doe"}, "jo.hn.doe", "@", "")
@example(["john"], set(), '<"j..o.h.n"', "@", ">")
@example(["johndoe", "john.doe"], set(), "<john.doe", "@", ">")
@example(["john.doe", "johndoe"], set(), "<johndoe", "@", ">")
@example(["john+x.y"], set(), "<j.oh.n.%2bxy", "@", ">")
@example(["ab", "a.b"], {"a.b"}, "x.a.b+tag", ".@", ">")
def test_dots_at_gmail_count_nothing_to_both(
    names: list[str], stay: set[str], before: str, separator: str, after: str
) -> None:
    text = f"{before}{separator}gmail.com{after}"
    quick, slow = Domain("gmail.com"), Domain("gmail.com")
    for domain in (quick, slow):
        for name in names:
            domain.locals[name] = None if name in stay else f"{name}-alias@ct.example.com"
        domain.add_without_tag()
    slow._names = BackwardNames([], {}, frozenset(), dotted=False)
    assert quick._names
    at = len(before) + len(separator)
    assert quick.hit(text, at) == slow.hit(text, at)


def test_no_pattern_is_compiled_at_gmail() -> None:
    Domain("gmail.com").hit("<x@gmail.com>", 3)
    domain = Domain("gmail.com")
    domain.locals["anna.lee"] = "a"
    domain.add_without_tag()
    with mock.patch.object(address_forms.re, "compile", side_effect=AssertionError):
        assert domain.hit("<an.na.l.e.e+x@gmail.com>", 15) == (1, 24, "a")
        assert domain.hit("<hanna.lee@gmail.com>", 11) is None


@pytest.mark.parametrize("domain", ["doe.example", "gmail.com"])
@pytest.mark.parametrize("run", ["+" * 64, "+x" * 32, "+x" * 31 + "%2b", "x.+" * 21])
def test_names_with_a_tag_cost_little_where_tags_stand_everywhere(run: str, domain: str) -> None:
    names = [f"user{number}+x@{domain}" for number in range(8)]
    text = f"{run}@{domain} " * (400_000 // len(run))
    assert within(2, lambda: Masker(dict.fromkeys(names, "a@b"))(text)) == text
