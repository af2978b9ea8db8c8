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
