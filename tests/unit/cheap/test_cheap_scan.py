"""Cheap tests of whether the final scan may find an address, held to the reading behind them.

What is found where each of them lets everything pass is found at those places, too, that it lets
pass: in texts put together at random, and in those that were passed over once.
"""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from said_addresses import texts

from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.scanning.text import deep_scan, munged, munged_places, text_search
from conversation_tracker.core.scanning.text.address_matcher import AddressMatcher
from conversation_tracker.core.scanning.text.munged_places import WatchedAddresses
from conversation_tracker.core.scanning.text.munged_words import LINED_AT

PEOPLE = [
    ["john.doe@home.example", "anna.m.ott@web.example", "bob@mail.shop.co.uk"],
    ["bob@home.example", "joe@web.example", "jd@home-page.example"],
    ["john@home.example", "bob@home.example.org", "mary.john@web.example"],
    ["nn@nnn.example", "n.ab@nab.co", "at@dot.example", "dot.to@at.example"],
    ["john+tag@home.example", "o_k@ho.me.example", "a.b.c.d@aa.bb.cc.dd.example"],
    ["john.doe@home.example", *(f"user{number}@firm{number}.example" for number in range(70))],
    ["john@home.example", *(f"u{number}@home.example" for number in range(20))],
]
FOUND = [
    (0, "anna.\n> m.ott@web.example x"),
    (0, "anna.\njd> m.ott@web.example x"),
    *(
        (0, f"john{dot}{end}doe@home.example")
        for dot in (" dot", " punkt", ".", "[dot]", "&lt;dot>")
        for end in ("\n> ", "\r\n>", "\n| > ", "\n>\n> ", "\njd> ", "\\n> ", "\n> \\n")
    ),
    (0, "john\n> .doe@home.example"),
    (0, "john\n> dot doe@home.example"),
    (0, "john dot <!-- x\n-->doe@home.example"),
    (2, "mary dot\n> john@web.example"),
    (0, "john\u3010dot\u3011 \n> doe@home.example"),
    (0, "john.doe (at) \n" + "# " * 64 + "home.example"),
    (0, "john (dot) doe\n" + "jd&gt; " * 60 + "@home (dot) example"),
    (0, "john.doe@" + "\u200b" * 129 + "home (dot) example"),
    (0, "john.doe@home \n> ~dot~example"),
    (0, "john.doe@home-dot-\fexample"),
    (0, "john.\\ndoe@home.example"),
    (0, "john\n\u203a.doe@home.example"),
    (0, "anna.m.ott\n" + "| " * 60 + " (at) web.example x"),
    (0, "john&lt;dot&gt;\r\n+ : doe@home.example"),
    (0, "john.doe@home\u00a0&lt;dot&gt;example"),
    (0, "bob@mail\r! &lt;dot&gt;shop.co.uk"),
    (0, "x john.<p><br>! doe@home.example"),
    (0, "x john.\\n; doe@home.example"),
    (0, "x john\ndot\\n doe@home.example"),
    (0, "john.doe\n> \\n> (at) home.example"),
    (0, "anna.m.ott " + "<td>" * 35 + "(at) web.example"),
    (0, "john.doe (at)home.example"),
    (1, "joe\r" + "&gt;" * 62 + "@\r" + "\u2503 " * 10 + "web point example"),
    (1, "joe@\\n: jd&gt; | : >&gt;\u00bb ; - // web.example at "),
    (1, "bob@\n&gt; jd&gt; home.example"),
    (2, "write to bob@home.example (dot) org"),
    (2, "john+shop (at) home (dot) example"),
    (2, "john+a dot b@home.example"),
    (3, "nn@\\nnnn . example"),
    (4, "o_k@ho dot me\n> .example"),
    (5, "user40&lt;at&gt;\n> firm40\u00ab\u70b9)) example"),
    (5, "user9'@'firm9.example"),
    (5, "john.doe@\u30de\u30fc\u30afhome.example"),
    (5, "user27 [a rond ] firm27\u201dtochka\u201dexample"),
    (5, "user10-@-firm10-punto-example ("),
    (5, "user9@\\nfirm9 . example"),
    (6, "x\\nu8 (at) home dot example"),
    (6, "u8" + "</td>" * 20 + "@home\njd> <i class=x><br>\u00ad point example"),
]


class _Everything(frozenset[str]):
    def __contains__(self, _what: object) -> bool:
        return True

    def isdisjoint(self, _others: object) -> bool:
        return False


def iter_all_places(
    low: str, known: WatchedAddresses, _check: object
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield each place of a label, whatever stands around it."""
    for label, names in known.labels.items():
        at = low.find(label, 1)
        while at >= 0:
            yield at, names
            at = low.find(label, at + 1)


def read_everywhere(low: str, matcher: AddressMatcher) -> set[str]:
    """Return whose address is spelled in a text, read at each place in each way."""
    known = SimpleNamespace(labels=matcher.labels, endings=_Everything(), owner=matcher.owner)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(munged, "iter_places", iter_all_places)
        patch.setattr(munged, "_goes_wrong", lambda *_a: False)
        patch.setattr(munged, "LONGEST_SIGN", 10_000)
        patch.setattr(munged, "NAMES", munged.WORDS)
        return set(munged.find_owners(low, known))


MATCHERS = [AddressMatcher({key: key for key in people}) for people in PEOPLE]


def check_reading(low: str, matcher: AddressMatcher) -> None:
    """Compare whom the scan reads in words with those it reads without its cheap tests."""
    every = read_everywhere(low, matcher) - set(matcher.find(low))
    assert every <= set(munged.find_owners(low, matcher))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(munged_places, "_OFTEN", 0)
        patch.setattr(munged_places, "_SHARE", 10**6)
        assert every <= set(munged.find_owners(low, matcher))
        patch.setattr(munged_places, "_SHARE", 0)
        assert every <= set(munged.find_owners(low, matcher))


@pytest.mark.parametrize(("number", "text"), FOUND)
def test_what_was_passed_over_in_words_is_read(number: int, text: str) -> None:
    assert read_everywhere(text, MATCHERS[number])
    check_reading(text, MATCHERS[number])


@pytest.mark.parametrize("word", LINED_AT)
@pytest.mark.parametrize("before", ["", "x", "<", "bob<", "bob>", "bob" + ">" * 16])
def test_a_text_may_begin_with_a_word_for_an_at_sign(before: str, word: str) -> None:
    for behind in (">", "<", "(", ">>>"):
        check_reading(f"{before}{word}{behind}home.example", MATCHERS[1])


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from(range(len(PEOPLE))))
def test_addresses_in_words_are_read_wherever_they_are(data: st.DataObject, number: int) -> None:
    check_reading(data.draw(texts(PEOPLE[number])), MATCHERS[number])


_FAR = st.integers(munged_places.BEFORE - 20, munged_places.BEFORE + 5)
_NEAR_ENDS = st.lists(
    st.tuples(
        st.sampled_from(("doe", "john", "xdoe", "ott", "(at)", "\\n", "@", "", "home.example")),
        st.one_of(st.integers(0, 20), _FAR),
    ).map(lambda each: each[0] + " " * each[1]),
    min_size=1,
    max_size=4,
).map("".join)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(_NEAR_ENDS, st.sampled_from(("home.example", "web.example", "homehome.example"))),
        min_size=1,
        max_size=3,
    ).map(lambda pairs: "".join(map("".join, pairs)))
)
def test_the_places_of_a_frequent_label_are_those_of_any_other(low: str) -> None:
    for matcher in MATCHERS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(munged_places, "_OFTEN", 10**6)
            every = sorted(munged_places.iter_places(low, matcher, lambda: None))
            patch.setattr(munged_places, "_OFTEN", -1)
            for share in (0, 10**6):
                patch.setattr(munged_places, "_SHARE", share)
                assert sorted(munged_places.iter_places(low, matcher, lambda: None)) == every


@pytest.mark.parametrize(
    ("text", "may"),
    [
        *(("see xhome.example", False), ("7home.example", False), ("see www.home.example", False)),
        *(("home sweet home", False), ("@home.example-207700027841b.ct.example", False)),
        *(("home.example", True), ("see home.example", True), ("@home.example-2077b.", True)),
        *(("\u00e9home.example", True), ("_home.example", True), ("home for example", True)),
        ("j=6fhn.doe [at=5dhome.example", True),
        ("j=6fhn.doe@home.e=78ample", True),
        ("xhome.example " * 100, True),  # not worth it
        ("xhome.example @home.example", True),
    ],
)
def test_a_domain_begins_where_no_other_one_ends(text: str, may: bool) -> None:
    assert MATCHERS[0].may_begin_apart(text) is may


@pytest.mark.parametrize("text", ["a@home.example-207700027841b.ct.example", "x home"])
def test_an_alias_at_one_of_two_domains_is_looked_at(text: str) -> None:
    both = ["bob@home.example", "bob@home.example-207700027841b.ct.example"]
    assert AddressMatcher({key: key for key in both}).may_begin_apart(text) is ("@" in text)


_BEGINNINGS = [
    *"john.doe john doe j=6fhn d=6fe @ =40 (at) [at=5d ( ) at = % ! . - _ x 7 n + \" '".split(),
    *("=5d", "=3d"),
    *"home example e=78ample com -207700027841b.ct.example \u00e9 home.example ho me".split(),
    *"home.e=78ample home.example-207700027841b.ct.example %40 &#64; & amp; #64; < >".split(),
    *"web.example mail.shop.co.uk \u30a2\u30c3\u30c8\u30de\u30fc\u30af \\n \u200b".split(),
    *(" ", "\n", "\x01", " at ", " =61=74 ", " dot ", "=\n", '<a title="', '">'),
    *("<b>", "</b>", "<i class=x>", "<br>", "<div>", "<!-- x -->", "<bdo>"),
]  # fmt: skip
_IN_WORDS = ["<b>", "</i>", "<wbr>", "<div>", "&", "<b>amp;", "=", "\x01", "\u200b", '"', "'", "\n"]


@st.composite
def _parted(draw: st.DrawFn) -> str:
    """Draw one of the addresses with something in it, and what stands around it."""
    address = draw(st.sampled_from(["john.doe@home.example", "joe@web.example", "x@home.example"]))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(address)))
        address = address[:at] + draw(st.sampled_from(_IN_WORDS)) + address[at:]
    return address


_WRITTEN = st.lists(st.sampled_from(_BEGINNINGS) | _parted(), min_size=2, max_size=9)


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(_WRITTEN.map("".join), st.sampled_from(PEOPLE), st.booleans())
@example('xhome.example john.doe@h"ome.example', PEOPLE[0], False)
@example('<b>www.home.example john.doe@h"ome.example', PEOPLE[0], True)
@example("john.doe@ho<b>me.example", PEOPLE[0], True)
@example("john.doe@home.exam=<b>\nple", PEOPLE[0], True)
def test_where_no_domain_may_begin_nobody_is_shown(
    text: str, people: list[str], markup: bool
) -> None:
    scanner = Scanner({key: key for key in people})
    told = deep_scan.shows_nothing(text, scanner.matcher, markup=markup)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deep_scan, "shows_nothing", lambda *_a, **_k: False)
        search = text_search.TextSearch(scanner, None)
        assert not (told and set(search.find(text, markup=markup)))
