"""Where masking looks for an address in words is held to what it would read everywhere.

A place is passed over only where nothing is read from it. Found so far is what each of `FOUND` has:
none of it was masked, as the place was passed over.
"""

import pytest
from builders import A
from cost import linear
from hypothesis import example, given, settings
from hypothesis import strategies as st
from munged_texts import PEOPLE, iter_all_places, write_text

from conversation_tracker.core.masking.address import munged, munged_places
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.text import escape_signs, rare_spellings

FEW = Masker(dict.fromkeys(PEOPLE, A))
# Of more than some people, other things are looked for; and of more than some domains, again.
MANY, HUGE = (
    Masker(dict.fromkeys([*PEOPLE, *(f"user{n}@host{n}.example" for n in range(size))], A))
    for size in (12, 80)
)
ONE, DOTTED = (Masker({PEOPLE[n]: A}) for n in (0, 3))
REACH = 1000  # characters of a domain that are surely read

FOUND = [
    "write to j.ohndoe ((ampersat)) googlemail.com now",
    "johndo.e (at) gmail.com",
    "john.\n> doe@gmail.com",
    "j punkt ohndoe@gmail.com",
    "joh.n.doe malpa googlemail.com",
    "write to jane_roe-x+a.b (at) home.example",
    "x.y+shop+@dots.example",
    "jane_roe-x+a&lt; tecka&gt;b@home.example",
    "john.doe\n" + "&gt; " * 100 + "@home.example",
    "bob@mail" + "".join(f"\n{'# ' * 64}-punkt-{each}" for each in ("shop", "co", "uk")),
    "anna" + '<b title="doe">' * 31 + "-punto-m-punto-ott\u2039apestaart\u203aweb.example",
    "a\ufe6b" + '<b title="doe">' * 31 + "n.example",
    "john.<p><br>! doe@home.example",
    "info@xn--mnchen-3ya.example\n> info arroba\\nxn--mnchen-3ya.example",
    "x\\ninfo@xn--mnchen-3ya=\n  .example",
    "john.\\ndoe@home.example",
    "joh\u3002n" + "<b>" * 30 + "&lt;punkt&gt;\u200cdoe@googlemail.com",
    "jane_roe-x@" + "<p >" * 15 + 'home.<br class="x">! | example',
    "john doe a=\nj>" + "|" * 40 + "\uff20n dot example&quot;",
    "info=\ndot>x&gt; x&gt; x&gt; @xn--mnchen-3ya.example",
]


def read_everywhere(low: str, known: Masker) -> set[munged.MungedAddress]:
    """Return what is read from each place of a label by itself."""
    found: set[munged.MungedAddress] = set()
    for place in {*iter_all_places(low, known)}:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(munged, "iter_places", lambda *_a, place=place: [place])
            for each in munged.find_munged(low, known):
                if each.sign[1] <= place < each.end <= place + REACH:
                    found.add(each)
    return found


def check(low: str) -> int:
    """Compare for several orders; return how many addresses are read."""
    count = 0
    for known in (FEW, MANY, HUGE, ONE, DOTTED):
        found = read_everywhere(low, known)
        assert found <= set(munged.find_munged(low, known))
        with pytest.MonkeyPatch.context() as patch:  # as where labels stand often
            patch.setattr(munged_places, "_LARGE", 0)
            patch.setattr(munged_places, "_RARE", 10**6)
            patch.setattr(munged_places, "_SHARE", 0)
            assert found <= set(munged.find_munged(low, known))
        count += len(found)
    return count


@pytest.mark.parametrize("low", FOUND)
def test_a_place_that_was_passed_over_is_read(low: str) -> None:
    assert check(low)


def test_a_place_is_passed_over_only_where_nothing_is_read() -> None:
    seen = [0]

    @settings(max_examples=120, deadline=None, derandomize=True)
    @given(st.integers(0, 2**32).map(write_text))
    @example(FOUND[0])
    def compare(low: str) -> None:
        seen[0] += check(low)

    compare()
    assert seen[0] > 20


@pytest.mark.parametrize(
    "low",
    [
        "write to jane.doe@home.example",
        "john jane.doe@home.example",
        "mary.john.doe@home.example",
        "john doe at home for example",
        "john.doe (at) www.home.example",
        "anna.doe@gmail.com, doex@gmail.com",
        "www.home.example/john.doe",
    ],
)
def test_what_is_clearly_somebody_else_is_not_read(low: str) -> None:
    """Reading costs many times as much as all that tells so."""
    for known in (FEW, MANY, HUGE):
        assert not [*munged_places.iter_places(low, known)]


@pytest.mark.parametrize(
    "run",
    [
        *(
            "doe@home.example ",
            "e@gmail.com ",
            "doe\n> ",
            "john.\ndoe@home",
            "doe+x.",
            "doe+a dot ",
        ),
        *("doe (at) home.example ", "home.example ", "doe <b>@", "doe' @ ", "\\ndoe@", "doe=\n"),
    ],
)
@pytest.mark.parametrize("known", [FEW, HUGE])
def test_places_are_found_in_linear_time(run: str, known: Masker) -> None:
    linear(lambda size: list(munged_places.iter_places(run * (size // len(run)), known)), 64 * 1024)


# Several domains with one first label, as that of a person and those of their soft aliases.
SOFT = Masker(
    dict.fromkeys(
        [
            *("john@home.example", "john@home.example-20770d.ct.example", "ann@home.test"),
            *("bob@home.example.uk", "john@home.test", "doe@home.test-20770d.ct.example"),
        ],
        A,
    )
)
_LOCALS = ("john", "ann", "bob", "doe", "mary", "doe, john", "ann+x")
_ENDS = (
    *(">", ",", ")", "\n", "\r\n", "\n ", " ", "", ".", "x", "-", "-20770d", ".ct.example", ".uk"),
    *("%2d20770d", "&#45;20770d", "=2D20770d", "\\x2d20770d", "%2euk", "=2euk", "&#46;uk"),
    *("%2ect%2eexample", "&period;ct", "=\n-20770d", "=\r\n> .uk", "<b>", "</b>", " dot uk"),
    *("\n> ", " [dot] ", "&gt;", ";", "=", "%", "\\", ": ", '"', "\\\n", "-punkt-", "\u200b", "ct"),
)


_TEXTS = st.lists(
    st.tuples(
        st.sampled_from(_LOCALS),
        st.sampled_from(("@", "@", "@", "%40", " at ", "=40", "&#64;")),
        st.sampled_from(("home.example", "home.test", "home", "home.example-20770d")),
        st.lists(st.sampled_from(_ENDS), max_size=3).map("".join),
    ).map("".join),
    min_size=1,
    max_size=3,
).map("".join)


def test_an_address_in_clear_is_passed_over_only_where_no_other_domain_is_read() -> None:
    """A soft alias has its owner's domain, so each of their addresses may be the start of one."""
    seen = [0]

    @settings(max_examples=1500, deadline=None, derandomize=True)
    @given(_TEXTS)
    @example("john@home.example>%2d20770d.ct.example; x=y")
    @example("john@home.example%2d20770d.ct.example")
    @example("doe@home.test=2D20770d.ct.example>; john")
    def compare(text: str) -> None:
        if rare_spellings.may_hide(text.encode(), SOFT):
            return
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(munged_places.Places, "_stands_whole", lambda *_: False)
            if not rare_spellings.may_hide(text.encode(), SOFT):
                return
        seen[0] += 1
        clear = SOFT(text)
        assert rare_spellings._mask_readings(clear, SOFT, deep=True, tagged=False) == clear

    compare()
    assert seen[0] > 20


def test_an_address_in_clear_is_not_looked_behind_for_its_soft_alias() -> None:
    block = b"John <john@home.example>\ntext/plain; charset=utf-8\nann@home.test\nx; y=z"
    assert not rare_spellings.may_hide(block, SOFT)
    assert rare_spellings.may_hide(block.replace(b".example>", b".example%2d20770d"), SOFT)


_REACH = munged_places.BEFORE + munged_places._BLOCK
_FAR_ENDS = st.lists(
    st.tuples(
        st.sampled_from(("doe", "john", "xdoe", "john.doe@", "(at)", "doe@", "home.example")),
        st.one_of(st.integers(0, 9), st.integers(_REACH - 60, _REACH + 60)),
        st.sampled_from((" ", "&gt; ", "\n> ", "<b>")),
    ).map(lambda each: each[0] + (each[2] * each[1])[: each[1]]),
    min_size=1,
    max_size=4,
).map("".join)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(_FAR_ENDS, min_size=1, max_size=3).map("home.example (at) ".join))
def test_a_frequent_label_is_found_as_far_behind_an_end_as_it_may_be_joined(low: str) -> None:
    for known in (FEW, ONE):
        every = set(munged_places._find_all(low, "home", 2))
        ends = [at + len(run) for run in known.endings for at in munged_places._find_all(low, run)]
        reached = {at for at in every for end in ends if end <= at <= end + _REACH}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(munged_places, "_LARGE", 0)
            patch.setattr(munged_places, "_RARE", 10**6)
            patch.setattr(munged_places, "_SHARE", 0)
            found = munged_places.Places(low, known).iter_label("home", known.labels["home"])
            assert list(found) == sorted(reached if len(known.endings) <= 8 else every)


def test_a_plus_that_begins_no_tag_makes_no_address_of_a_domain() -> None:
    """As the time zone of a date, which stands in most header blocks beside identifiers."""
    block = "mon, 30 nov 2026 10:37:20 +0200\n<2026.x@home.example>\nx; y=+49 1 <z@home.example>"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(munged_places.Places, "_find_joined", None)
        for known in (FEW, MANY, HUGE)[:2]:
            assert not [*munged_places.iter_places(block, known)]
    for tagged in ("john.doe+x.y@home.example,", "john.doe+x. y+z@home.example,"):
        assert munged_places.Places(tagged, FEW)._may_be_tagged(tagged.index("home"))


OTHERS = ["x@gma.example", "ann.lee@gmail.com", "bob@gm.example"]
SPOKEN = [
    *("a.nnlee", "ann.lee", "bob", "x", " at ", " (at) ", "@", "gmail", "gma", "gm", " dot ", "."),
    *("com", "example", " ", "=", ";", "a word ", "\\", "-"),
]


@settings(deadline=None)
@given(st.permutations(OTHERS), st.lists(st.sampled_from(SPOKEN), max_size=12).map("".join))
@example(OTHERS, "a.nnlee (at) gmail (dot) com wrote " + "a word " * 200 + "=")
def test_what_one_look_at_a_text_knows_hides_nothing_from_the_next(
    people: list[str], text: str
) -> None:
    """Where a label begins, another one may, whose domains have other local parts."""
    mask = Masker(dict.fromkeys(people, A))
    low = f"so {text}"
    places = munged_places.Places(low, mask)
    escape_signs.is_deep(low, mask, places)
    fresh = list(munged_places.iter_places(low, mask))
    assert list(munged_places.iter_places(low, mask, places)) == fresh
