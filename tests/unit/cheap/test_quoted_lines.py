"""Quoted-printable that nobody undid is read in a large text where it may show somebody.

Each text here is searched as a large one and as a small one, and shows the same people.
"""

from collections import Counter
from urllib.parse import quote

import pytest
from cost import linear
from hypothesis import example, given, settings
from hypothesis import strategies as st
from said_addresses import escaped, texts

from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.scanning.text import decodings, deep_scan, known_texts
from conversation_tracker.core.scanning.text.text_search import TextSearch

READ = "=41=42=43\n"  # with which all of a text is read as quoted-printable
MANY = settings(max_examples=1000, deadline=None, derandomize=True)

PEOPLE = [
    "john.doe@home.example",
    "o_k@shop-eu.test",
    "m\u00e4x@m\u00fcller.test",
    "kim@x9.example",
]
CODES = [f"={ord(each):02X}" for each in "john.de@ms-p9x%&\\=#;4\x7f"]
_BETWEEN = [*CODES, *(f"=3D{each[1:]}" for each in CODES), *CODES]
_BETWEEN += [
    "\n",
    "\r\n",
    "=\n",
    "= \r\n",
    "=0A",
    "=0D",
    " ",
    "%",
    "&",
    "\\",
    "%25",
    "&#",
    ";",
    "<",
    "<b>",
]
_BETWEEN += [
    "\x01",
    "\u00e4",
    "\u200b",
    "id=41f2 ",
    "id=3d68\n",
    "home",
    "shop-eu",
    "xn--mller-kva",
    "=4",
]
_BETWEEN += ["@", ".example", "x9", "a", "\\x", "\\u00", "68", "6f", "o", "h", "+40", "+AGg-"]


def search(text: str, *, markup: bool, large: bool) -> set[str]:
    """Return whose address a text shows, searched as a large one or as a small one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known_texts, "MOST", 0 if large else 1 << 30)
        known = Scanner({each: each for each in PEOPLE})
        return set(TextSearch(known, None).find(text, markup=markup))


@st.composite
def quoted(draw: st.DrawFn) -> str:
    """Write addresses of which some characters are quoted, perhaps twice, or in another way."""
    ways = st.sampled_from(
        [
            str,
            lambda each: f"={ord(each) % 256:02X}",
            lambda each: f"=3D{ord(each) % 256:02x}",
            lambda each: f"=25{ord(each) % 256:02x}",
            lambda each: f"=26#{ord(each)};",
            lambda each: f"=5Cu{ord(each):04x}",
            lambda each: f"&#=3{ord(each) // 100}{ord(each) % 100:02d};",
            quote,
        ]
    )
    common = st.sampled_from([str, draw(ways)])
    between = st.lists(st.sampled_from(_BETWEEN), max_size=3).map("".join)
    words = st.one_of(between, texts(PEOPLE), escaped(PEOPLE))
    people = st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=2)
    return draw(st.sampled_from(["", READ, READ])) + "".join(
        draw(words) + "".join(draw(common)(each) for each in address) + draw(between)
        for address in draw(people)
    )


@MANY
@given(quoted(), st.booleans())
@example("john.doe=40ho=6De.example", False)
@example("john.doe@h=6F=6De.example", False)
@example(f"{READ}john.doe@h=7Fome.example", False)
@example("john.doe@h=3D6Fme.example", False)
@example(f"{READ}john.doe@h=256Fme.example", False)
@example(f"{READ}john.doe@h&#=31=31=31;me.example", False)
@example(f"{READ}john.doe@h=5Cu006fme.example", False)
@example(f"{READ}john.doe@h=5C-ome.example o_k@shop\\=2deu.test", False)
@example(f"{READ}o_k@shop\\-=65u.test", True)
@example(f"{READ}john.doe@h=26#111;me.example", False)
@example(f"{READ}john.doe@h&#=31=31=31;me.example", True)
@example(f"{READ}john.doe@h=5Cx6fme.example", False)
@example(f"{READ}john.d=6fe (at) home dot example", False)
@example(f"{READ}jo=68n.doe at home dot example", False)
@example("john.doe (at) h=6f=6d=65.example", False)
@example(f"{READ}o_k (at) shop-eu dot t=65st", False)
@example(f"{READ}=4a=3do=5fk (at) shop-eu dot test", False)
@example(f"{READ}john.=64oe at home dot example", False)
@example(f"{READ}o_k at s=68op-eu dot test", False)
@example(f"{READ}john.doe=20at home dot example", False)
@example("<b>jo=68n.doe@h=6f=6De.example</b>", True)
@example("x\nnobody=20here john.doe@%68o=6De.example=\n", False)
def test_who_is_found_is_the_same_in_a_large_text(text: str, markup: bool) -> None:
    assert search(text, markup=markup, large=True) == search(text, markup=markup, large=False)


def test_quoted_addresses_are_found_in_a_large_text() -> None:
    line = "Nov 30 mx1: 4F8238: to=<x@y.test>, delay=0.25, id=41f2\n"
    large = line * (known_texts.MOST // len(line) + 1)
    for coded in ("john.doe=40h=6F=6D=65.example", "jo=3D68n.doe@h=3D6F=3D6De.example"):
        known = Scanner({each: each for each in PEOPLE})
        text = f"{large}{coded}\n{large}"
        assert set(TextSearch(known, None).find(text)) == {PEOPLE[0]}


def test_numbers_of_a_log_have_it_read_no_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large text with `id=3d41` in it is decoded as one without: nothing there is a word's."""
    calls: Counter[int] = Counter()
    decode = decodings.decode_signs

    def count(low: str) -> str:
        calls[len(low) > known_texts.MOST] += 1
        return decode(low)

    monkeypatch.setattr(decodings, "decode_signs", count)
    seen = []
    for id in ("id=zz", "id=3d4120", "id=41c=42=63"):
        lines = [
            f"Nov 30 mx1: to=<x@y.test>, delay=0.25, {id}" if not n % 9 else "a log"
            for n in range(60_000)
        ]
        known = Scanner({each: each for each in PEOPLE})
        calls.clear()
        assert not set(TextSearch(known, None).find("\n".join(lines)))
        seen.append(calls[True])
    assert max(seen) <= seen[0] + 1, seen


@pytest.mark.parametrize("line", ["=41", "=68\n", "a=6f%\n", "=3d=3d", "&\n=6d"])
def test_lines_are_told_in_proportion(line: str) -> None:
    matcher = Scanner({each: each for each in PEOPLE}).matcher
    linear(lambda size: deep_scan._may_show_quoted(line * size, "", matcher), 60_000)
