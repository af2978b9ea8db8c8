"""A page in which only what is near the reader's alias is read: shown as one read as a whole."""

import pytest
from builders import BUYER, REF, B, soft
from cost import linear
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.address import unmask
from conversation_tracker.core.masking.address.unmask import Unmasker
from conversation_tracker.core.masking.text.html_nodes import Markup
from conversation_tracker.core.masking.text.html_text import Page

ME = "me@own.example"
UNMASKER = Unmasker([B, soft(BUYER)], ["b" * 32, f"{REF}b."], ME)

NEAR = [
    *(B, soft(BUYER), f"<b>{B}</b>", f"{B[:33]}<i>{B[33:]}</i>", f'<a href="mailto:{B}">', "</a>"),
    *(f'<a href="https://x.example/?u={B}">', f"<p title='{B}'>", " ", "\n", "<br>", "<td>", "."),
    *("&nbsp;", "&lt;", "&lt;https://x.example/ ", "&lt;http://", "&gt;", "https://x.example/?"),
    *("www.", "x", "?", "/", "\u0130", "&amp;u=", "mailto:", "<title>", "<p x='a'y>", "<!-- -->"),
    *("&#64;", "<", ">", '"', "<p", "<select>", "</select>", "\u200b", "<wbr>", "-", "é"),
]
ROWS = [
    '<tr><td class="cell">one thing of many</td><td>für 10,00 €</td></tr>\n',
    '<tr><td class="cell">one thing of many</td><td>f&uuml;r 10,00&nbsp;&euro;</td></tr>\n',
    *("<wbr>word", "<br>", "one thing of many\n", "word", "<i></i>", "&lt;https://x.example/ one "),
    *('<td style="padding:8px 12px;border-bottom:1px solid #eee">of</td>', "&lt;word", "one &gt; "),
]
HEADS = [
    *("", "<html><head><title>x</title></head><body>", f"<html><head><title>{B}</title><body>"),
    *("<style>p { color: red }</style><body>", "<!--[if mso]><p><![endif]-->", "<title><body>"),
    *("<html><head><meta charset=utf-7></head><body>", "<p>", "\0", "&#64;"),
]
NEARS = st.lists(st.sampled_from(NEAR), max_size=7).map("".join)


@st.composite
def pages(draw: st.DrawFn) -> str:
    """Draw a page: few places with something in them, among many rows of one kind."""
    pieces = [draw(st.sampled_from(HEADS)), draw(NEARS)]
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.sampled_from(ROWS))
        pieces.append(row * (draw(st.sampled_from([0, 400, 3000, 14_000, 40_000])) // len(row)))
        pieces.append(draw(NEARS))
    return "".join(pieces)


ROW = ROWS[0] * 300
FAR = [  # what is before, and what is behind, far away
    *(("", ""), (f"{B} ", f"{B} "), (f"<title>{B}</title><body>", "")),
    *((f"https://x.example/?{'<i></i>' * 3000}", ""), ("", f"{'<i></i>' * 300}/x?y")),
    *((f"{ROW}&lt;https://x.example/ {'<i></i>' * 3000}", ""), ("", f"{'<i></i>' * 300}\u0130x")),
    *(
        (f"{before}{ROW}", "")
        for before in ("<!-- ", "<textarea>", "<p title='", "<svg>", "<p a=b'>")
    ),
    *(
        (f"{before}{ROW}", "")
        for before in ("<style><body>", "<title><body>", "<!--<body>", "< p >")
    ),
    *(("<select><option>" + ROW, ""), ('<p title="a>b">' + ROW, ""), ("\0" + ROW, "")),
]


def show(pieces: list[str]) -> list[str]:
    page = Page()
    return [page.show(piece, UNMASKER) for piece in [*pieces, f"{B} {B}"]]


@pytest.mark.parametrize("piece", ["{}", " {} ", "<b>{}</b>", "<p title='{}'>{} {}", "<td>{},"])
@pytest.mark.parametrize(("before", "behind"), FAR)
def test_what_is_far_away_tells_the_same(
    before: str, behind: str, piece: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = before + piece.replace("{}", B) + behind + ROW
    near = show([source]), show([before, source]), show([source, behind])
    monkeypatch.setattr(Markup, "read_near", lambda *_: None)
    assert near == (show([source]), show([before, source]), show([source, behind]))


@given(st.lists(pages(), min_size=1, max_size=3))
def test_a_page_is_shown_as_if_all_of_it_was_read(pieces: list[str]) -> None:
    near = show(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Markup, "read_near", lambda *_: None)
        assert near == show(pieces)


def test_what_is_far_from_the_alias_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Markup, "read", read)
    page = f"<html><body><p>{B}, you wrote:</p><table>{ROWS[0] * 900}</table><p>{B}</p></body>"
    assert Page().show(page, UNMASKER) == page.replace(B, ME)


ANGLED = [
    "<",
    ">",
    "<url:",
    "<URL:http://x",
    "<http://",
    "<www.",
    "<mailto:",
    "<MAILTO:a",
    " ",
    "\n",
]
ANGLED += ["x", "a b", "<a+b.c-://", "<1://", "<\u212a://", "<b>", "\n" * 2030, "x " * 1010]


@given(st.lists(st.sampled_from(ANGLED), max_size=6).map("".join))
def test_a_bracket_before_a_run_is_found_as_by_a_search_of_all_before_it(before: str) -> None:
    start = len(before) + 1
    whole = unmask._ANGLED.search(f"{before} "[-unmask._NEAR :]) is not None
    text = f"{before} {B} and more"
    assert unmask._is_link(text, start, start + len(B), [(start, start + len(B))]) == whole


@pytest.mark.parametrize("text", ["&amp; {}, ", "&lt;{}&gt; ", "& {}, ", "&x; {}, ", "{} "])
def test_aliases_in_one_text_node_are_shown_in_linear_time(text: str) -> None:
    """Whatever of references is beside them: the node is read once, not for each of them."""
    begin, line = "<p>&#64; ", text.format(B)
    assert ME in Page().show(begin + line, UNMASKER)
    linear(lambda size: Page().show(begin + line * (size // len(line)), UNMASKER), 128 * 1024)
