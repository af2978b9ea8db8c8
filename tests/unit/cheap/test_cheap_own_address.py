"""The reader's own address in a large text, told at one look: nobody else is passed over by that.

Each text here is searched with it and without, and shows the same people.
"""

import idna
import pytest
from cost import linear
from hypothesis import example, given, settings
from hypothesis import strategies as st
from said_addresses import escaped, texts

from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.scanning.text import own_address
from conversation_tracker.core.scanning.text.own_address import OwnAddress
from conversation_tracker.core.scanning.text.text_search import TextSearch

MANY = settings(max_examples=600, deadline=None, derandomize=True)

OWN = "john.doe@home.example"
OTHERS = ["mary@web.example", "o_k@shop-eu.test", "ma.ry@gmail.com"]
_AROUND = [*" \t\n<>()[]{}|,:\"'=;.-_+&%\\/!?@\x1b\x0ex", "\r\n", "", "=3d", "=40", "\\n", "&lt;"]
_AROUND += ["&gt;", "%40", " at ", " dot ", "mary", "@web.example", "mary@", "<b>", "</b>", "\x1b["]
_AROUND += [*"*`~\u00b7\u2026\u201c\u201d\u2019", "\\t", "&#46;", "*40", "&quot;", '\\"']
_AROUND += ["mailto:", "\n> ", "example", "z", "\u202e", "imceasmtp-", "{\\rtf1 ", "+aea-", "=\n"]


def search(people: list[str]) -> TextSearch:
    """Return a new search for the reader and others."""
    return TextSearch(Scanner({each: each for each in (OWN, *people)}), OWN)


def find(text: str, people: list[str], *, markup: bool, at_once: bool) -> set[str]:
    """Return whose address a text shows, with the reader's own told at one look or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_address, "LEAST", 0 if at_once else 1 << 30)
        patch.setattr(own_address, "_OFTEN", 1)
        return set(search(people).find(text, markup=markup))


@st.composite
def shared(draw: st.DrawFn) -> str:
    """Write a text with the reader's own address, and around it what spells another one."""
    around = st.lists(st.sampled_from(_AROUND), max_size=3).map("".join)
    own = st.sampled_from([OWN, OWN, OWN, "John.Doe@Home.example", "john.doe (at) home.example"])
    piece = st.one_of(own, own, texts(OTHERS), escaped(OTHERS), st.sampled_from(OTHERS))
    return "".join(draw(around) + draw(piece) for _ in range(draw(st.integers(2, 5)))) + draw(
        around
    )


@MANY
@given(shared(), st.booleans())
@example(f"<{OWN}> m=61ry@sh=6fp-eu.test, w=65b.example", False)
@example(f"mary at {OWN}, <{OWN}>@web.example", False)
@example(f"mary@web.<{OWN}> example", True)
def test_who_stands_beside_the_reader_is_found(text: str, markup: bool) -> None:
    """The reader is told also where a reference or escape before makes them another one."""
    shown = find(text, OTHERS, markup=markup, at_once=True)
    found = find(text, OTHERS, markup=markup, at_once=False)
    assert shown - {OWN} == found - {OWN}
    assert OWN in shown or OWN not in found


@pytest.mark.parametrize("begin", list(" \t\r\n<>()[]{}|,:\"'"))
@pytest.mark.parametrize("end", list(" \t\r\n<>()[]{}|,:\"';"))
def test_it_is_left_out_where_it_stands_in_clear(begin: str, end: str) -> None:
    found = OwnAddress.of(OWN, OTHERS)
    assert found is not None
    many = f"{begin}{OWN}{end}x{begin}John.Doe@home.example{end}" * 50
    assert found.leave_out(many) == many.replace(OWN, found.instead).replace(
        "John.Doe@home.example", found.instead
    )
    assert find(f"x{begin}{OWN}{end}x", OTHERS, markup=False, at_once=True) == {OWN}


@pytest.mark.parametrize("begin", [*"*`~!?.;\u00ab\u00b7\u201c\u2019\u2026", "\\n", "\\t", "\\r"])
@pytest.mark.parametrize("end", list("*`~!?.;\u00bb\u00b7\u201d\u2019\u2026\\"))
def test_it_is_left_out_beside_signs_that_are_no_part_of_it(begin: str, end: str) -> None:
    """Else a table of 2 MB with semicolons, or a list in Markdown, takes ten seconds."""
    found = OwnAddress.of(OWN, OTHERS)
    assert found is not None
    many = f"12{begin}{OWN}{end} x" * 99
    assert found.leave_out(many) == many.replace(OWN, found.instead)


@pytest.mark.parametrize("begin", ["DOMAIN\\", "DOMAIN\\\\", "50%"])
@pytest.mark.parametrize(
    "own", [OWN, "ada@home.example", "norman@home.example", "ula@home.example"]
)
def test_it_is_left_out_behind_what_may_begin_an_escape(own: str, begin: str) -> None:
    """As names of Windows stand in logs; what an escape would take of it stays."""
    found = OwnAddress.of(own, OTHERS)
    assert found is not None
    new = found.leave_out(f"x {begin}{own} x\n" * 99)
    assert own not in new
    assert len(new) == len(f"x {begin}{own} x\n" * 99)
    for word in ("v", "bin", "uc2"):
        rich = OwnAddress.of(f"{word}@home.example", OTHERS)
        assert rich is not None
        many = f"x {begin}{word}@home.example x\n" * 99
        assert rich.leave_out(many) == many


_OWNERS = ["ada@home.example", "ed.x@home.example", "norman@home.example", "v@home.example"]
_OWNERS += ["x65ry@home.example", "u006d@home.example", "desk@home.example", "bin3@home.example"]
_OWNERS += ["40web@home.example", "ple@home.example", "adple@home.example", "2e@home.example"]


@MANY
@given(
    st.sampled_from(_OWNERS),
    st.lists(
        st.tuples(
            st.one_of(texts(OTHERS), escaped(OTHERS), st.sampled_from([*_AROUND, *OTHERS, ""])),
            st.sampled_from(["\\", "%", "\\\\", "x\\", "\\u00", "\\x", "{\\rtf1 \\", "&", " "]),
            st.sampled_from([*_AROUND, "", " hidden\\v0 ", "example", "mary@web.example"]),
        ),
        min_size=1,
        max_size=3,
    ),
    st.booleans(),
)
@example("adple@home.example", [("mary@web.exam", "\\", " ")], False)
@example("v@home.example", [("mary{\\rtf1 ", "\\", " x\\v0 @web.example")], False)
def test_who_stands_beside_a_reader_behind_an_escape_is_found(
    own: str, pieces: list[tuple[str, str, str]], markup: bool
) -> None:
    text = "".join(f"{before}{sign}{own}{behind}" for before, sign, behind in pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.OWN", own)
        shown = find(text, OTHERS, markup=markup, at_once=True)
        found = find(text, OTHERS, markup=markup, at_once=False)
    assert shown - {own} == found - {own}


@pytest.mark.parametrize(
    "around", ["x{}", "{}x", "{}.net", "%{}", "&#{}", "={}", "{}@x", "\\{}", "{}"]
)
def test_it_stays_where_it_may_go_on(around: str) -> None:
    found = OwnAddress.of(OWN, OTHERS)
    assert found is not None
    many = around.format(OWN)
    assert found.leave_out("\x1b".join([many] * 99)) == "\x1b".join([many] * 99)


@pytest.mark.parametrize(
    "other",
    [
        "doe@home.example",
        "mary@home.test",
        "mary@home.example.org",
        "mary.john@web.test",
        "mj.ohn@gmail.com",
        "johnny@web.test",
        "mary@john.test",
        "example@web.test",
        "mary@eod.test",
        "zzzz@web.test",
        "mary@zzzz.test",
        "elpmaxe@web.test",
    ],
)
def test_an_address_that_shares_something_is_looked_at_each_time(other: str) -> None:
    assert OwnAddress.of(OWN, [*OTHERS, other]) is None


@pytest.mark.parametrize(
    "own",
    ["john+shop@home.example", "at@home.example", "john.dot@x.example", '"j d"@x.example', "j@x"],
)
def test_an_address_that_may_be_read_as_signs_is_looked_at_each_time(own: str) -> None:
    assert OwnAddress.of(own, []) is None


def test_all_domains_and_spellings_of_others_are_asked() -> None:
    everybody = {OWN: "own", "mary@" + idna.encode("homest\u00f6r.example").decode(): "other"}
    assert Scanner(everybody).matcher.choose_own("own") is None
    assert Scanner({OWN: "own"}).matcher.choose_own("own") is not None
    assert Scanner({OWN: "own"}).matcher.choose_own(None) is None
    assert Scanner({OWN: "own", "jd@x.test": "own"}).matcher.choose_own("own") is None


@pytest.mark.parametrize("run", [f"{OWN} ", OWN, f"<{OWN}", OWN[:-1], "j", "<"])
def test_it_is_left_out_in_linear_time(run: str) -> None:
    found = OwnAddress.of(OWN, OTHERS)
    assert found is not None
    linear(lambda size: found.leave_out(run * (size // len(run))), 1024 * 1024)
