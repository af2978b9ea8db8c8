"""What is left out of the work on a page for the sake of speed: the slow way finds nothing more.

Pages are put together at random from addresses of several people, pieces of them, tags, comments,
references and broken markup, and masked or scanned both ways.
"""

import re
from collections.abc import Iterator

import pytest
from builders import CARRIER, SHOP, A, B, S, hard, mail, order, person, soft
from cost import linear
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from conversation_tracker.core.masking.address import munged_places as masked
from conversation_tracker.core.masking.address.mask import FunctionMask, Mask, Masker
from conversation_tracker.core.masking.address.munged import find_munged
from conversation_tracker.core.masking.text import html, whole_addresses
from conversation_tracker.core.masking.text.html import mask_html
from conversation_tracker.core.masking.text.html_text import Node, TextLayout
from conversation_tracker.core.masking.text.whole_addresses import mask_clear
from conversation_tracker.core.scanning import hidden_text
from conversation_tracker.core.scanning.text import decodings
from conversation_tracker.core.scanning.text import munged_places as scanned
from conversation_tracker.core.scanning.text.address_matcher import AddressMatcher
from conversation_tracker.core.scanning.text.munged import find_owners

JOHN, BOB, ANN = "john.doe@home.example", "bob@home.example", "ann.lee@gmail.com"
KNOWN = {JOHN: hard("b"), BOB: hard("c"), ANN: soft("ann.lee-1@x.example")}
WATCHED = ("ct.example.com",)
ADDRESSES = [
    *(JOHN, BOB, ANN, "John.Doe@Home.example", "annlee@googlemail.com", "jane@home.example"),
    *("x.john.doe@home.example", "john.doe@home.example.net", "user@stranger.example", B),
    *("john.doe@home.example-207700027841b.ct.example.com", "home.example=bob@ct.example.com"),
    *("bounce+bob=home.example@list.example", "home.example!bob", "bob%40home.example", "bob@"),
    *("john.doe", "john", "home.example", "home", "me.example", ".example", "@", "@home.example"),
    *("user@str", "anger.example", "a@b.example", "email-bob@home.example", "'bob'@home.example"),
]
MARKUP = [
    *("<b>", "</b>", "<wbr>", "<br>", "<p>", "</p>", "<a href=\"mailto:", "\">"),
    *("<a href='mailto:", "<", ">", "<!--", "-->", "<!-- > -->", "<![CDATA[", "]]>", "<x ", "="),
    *("<i style='display:none'>", "</i>", "<i style='display:block;overflow:hidden'>", "<style>"),
    *("<I STYLE='VISIBILITY: HIDDEN'>", "</I>", "di\u017fplay:none", "{", "}", "cid:", "?"),
    *("&lt;", "&gt;", "&amp;", "&nbsp;", "&#64;", "&commat;", "&#x2e;", "&period;", "&shy;", "&"),
    *("\"", "'", "(", ")", "[", "]", ",", ".", ":", "-", "+", " ", "\n", "\t", "\r\n", "\u200b"),
    *("\u00ad", "\uff20", "\u00e4", "\u0130", "message-id: <", "@media ", "{}@media", ";"),
    *("a" * 90, "</", "<![endif]>", "mid:", "%"),
    *("<td>", "</td>", '<td class="x">', "<td style='display:none'>", "</TD>", "</div>", "<tdx>"),
]  # fmt: skip
PAGES = st.lists(st.sampled_from(ADDRESSES) | st.sampled_from(MARKUP), max_size=9).map("".join)
LINES = st.lists(PAGES, min_size=1, max_size=25).map("\n".join)


def slow_surroundings(source: str, mask: Mask) -> Iterator[tuple[int, int]]:
    """Yield what `_find_surroundings` does: look at each separator, one after the other."""
    start = end = 0
    for found in re.finditer(r"[@\uff20\ufe6b]|&(?:#0*64|#[xX]0*40|commat)(?![0-9a-zA-Z])", source):
        if html._is_whole(source, found.start(), mask):
            continue
        first = max(0, found.start() - html._NEAR)
        if first > end:
            if end:
                yield start, end
            start = first
        end = found.end() + html._NEAR
    if end:
        yield start, end


@settings(max_examples=300, deadline=None)
@given(PAGES | LINES, st.sampled_from(["", JOHN, BOB, ANN]))
@example(f"cid:{JOHN} <{JOHN}>&lt;{BOB}&gt;", "")
@example(f"{JOHN}{JOHN} {JOHN}", "")
def test_what_stands_in_clear_is_masked_as_all_else_is(source: str, kept: str) -> None:
    # In the line of an identifier, how far is looked back is told by what stands there then.
    assume(len(source) < 256 or "message-id" not in source)
    known = {key: new for key, new in KNOWN.items() if key != kept}
    mask = Masker(known, [kept] if kept else [], WATCHED)
    fast = mask_html(source, mask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "mask_clear", lambda text, *_how: text)
        assert fast == mask_html(source, mask)


@settings(max_examples=300, deadline=None)
@given(PAGES | LINES, st.sampled_from(["", JOHN, BOB, ANN]))
@example("x john.doe<b>@home</b>.example y", "")
@example("bob<!-- x -->@home.example <i style='display:none'>x</i>", "")
@example(f"<!--<b>{' ' * 990}bob<wbr>@home.example<b>", "")
def test_a_large_page_is_masked_as_any_other(source: str, kept: str) -> None:
    known = {key: new for key, new in KNOWN.items() if key != kept}
    mask = Masker(known, [kept] if kept else [], WATCHED)
    small = mask_html(source, mask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "_LARGE", -1)
        assert mask_html(source, mask) == small


@pytest.mark.parametrize("odd", ['"a john.doe@home.example b"@odd.example', "o'neil+x@odd.example"])
def test_where_a_local_part_may_hold_an_address_none_is_masked_first(odd: str) -> None:
    mask = Masker({**KNOWN, odd: A})
    assert mask_clear(f" {JOHN} ", mask, (" ",), (" ",)) == f" {JOHN} "
    page = f"<p>{odd} {JOHN}</p>"
    assert mask_html(page, mask) == f"<p>{A} {KNOWN[JOHN]}</p>"


def test_what_is_masked_first_is_noticed_and_noted() -> None:
    noted: list[str] = []
    mask = Masker(KNOWN, notice=lambda: noted.append(""), used=noted.append)
    assert mask_clear(f"<{JOHN}>", mask, ("<",), (">",)) == f"<{KNOWN[JOHN]}>"
    assert noted == ["", KNOWN[JOHN]]
    clean = f"<{JOHN}>"
    assert mask_clear(clean, mask, (">",), (">",)) is clean
    assert len(noted) == 2


PEOPLE = order(
    person(JOHN, "buyer", "b" * 32),
    person(BOB, "partner", "c" * 32),
    *(SHOP, CARRIER),
)


@settings(max_examples=80, deadline=None)
@given(PAGES | LINES, st.sampled_from([(JOHN, hard("c")), (BOB, B), (JOHN, S)]))
def test_copy_and_record_are_the_same_both_ways(page: str, way: tuple[str, str]) -> None:
    sender, to = way
    raw = f"From: {sender}\nContent-Type: text/html; charset=utf-8\n\n<html>{page}\n"
    fast = mail(raw, PEOPLE, to=to, sender=sender).plan()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "mask_clear", lambda text, *_how: text)
        slow = mail(raw, PEOPLE, to=to, sender=sender).plan()
    assert (fast.edits, fast.records, fast.reply) == (slow.edits, slow.records, slow.reply)


@settings(max_examples=200, deadline=None)
@given(PAGES | LINES, st.sampled_from([(JOHN, hard("c")), (BOB, B), (JOHN, S)]))
@example(f"cid:{JOHN} <{JOHN}> mid:a,{JOHN} {BOB}: cid:mailto:{JOHN} ", (JOHN, hard("c")))
@example(f"home.example=bob@home.example bob@home.example!x mary dot {BOB}\n", (JOHN, S))
def test_a_large_text_is_masked_as_any_other(text: str, way: tuple[str, str]) -> None:
    assume(len(text) < 256 or "message-id" not in text)  # as above
    sender, to = way
    raw = f"From: {sender}\nContent-Type: text/plain; charset=utf-8\n\nx {text}\n"
    small = mail(raw, PEOPLE, to=to, sender=sender).plan()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whole_addresses, "_LARGE", -1)
        large = mail(raw, PEOPLE, to=to, sender=sender).plan()
    assert (large.edits, large.records, large.reply) == (small.edits, small.records, small.reply)


@settings(max_examples=300, deadline=None)
@given(LINES, st.integers(0, 40), st.integers(0, 3))
def test_separators_are_looked_around_as_if_one_by_one(page: str, some: int, gap: int) -> None:
    strangers = " (u@x.example)\n" * some + " " * gap * 700
    source = f"{page}{strangers}{page}{strangers}"
    mask = Masker(KNOWN, (), WATCHED)
    assert list(html._find_surroundings(source, mask)) == list(slow_surroundings(source, mask))


@settings(max_examples=300, deadline=None)
@given(PAGES)
@example(f"<td>jo<td style='display:none'>x</td>{JOHN[2:]}</td>")
@example(f"<td>{JOHN[:-7]}</td><td>example</td>")
@example(f"<td>{JOHN[:-7]}<td style='display:none'>x</td>example</td>")
def test_no_address_with_tags_has_its_separator_where_none_is_looked_for(page: str) -> None:
    assume(len(page) < html._NEAR)
    mask = Masker(KNOWN, (), WATCHED)
    fast = mask_html(page, mask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "_find_surroundings", lambda source, _: [(0, len(source))])
        assert fast == mask_html(page, mask)


@settings(max_examples=300, deadline=None)
@given(LINES)
def test_a_simple_pattern_drops_what_the_whole_one_does(page: str) -> None:
    assert html._choose_inline(page).sub("", page) == html._INLINE.sub("", page)
    with pytest.MonkeyPatch.context() as patch:
        fast = list(decodings.iter_readings(page, markup=True))
        patch.setattr(decodings, "_PLAIN_INLINE", decodings._INLINE)
        assert fast == list(decodings.iter_readings(page, markup=True))


@settings(max_examples=300, deadline=None)
@given(LINES)
@example("john.d<B>oe@home.exam</B>ple")
@example("john.d<\u017fpan>oe@home.example")
def test_an_address_with_tags_shows_in_small_letters_as_well(page: str) -> None:
    mask = Masker(KNOWN, (), WATCHED)
    whole = html._INLINE.sub("", page)
    shown = html._drop_inline(page, mask)
    assert shown in (whole, whole.lower())
    assert (mask(shown) == shown) == (mask(whole) == whole)
    other = FunctionMask(lambda text: text.replace("J", ""))
    assert html._drop_inline(page, other) == whole


@settings(max_examples=300, deadline=None)
@given(LINES)
@example("<SCRIPT>a</Script>b<![CDATA[c]]><OPTION>d</select><A HREF=x>e")
def test_what_nobody_reads_of_a_page_is_the_same_in_small_letters(page: str) -> None:
    assume(not any(each in page for each in html._ODD_LETTERS))
    fast = hidden_text.extract_from_page(page, "john.doe")
    with pytest.MonkeyPatch.context() as patch:
        slow = re.compile(hidden_text._MARKUP.pattern, re.DOTALL | re.IGNORECASE)
        patch.setattr(hidden_text, "_MARKUP", slow)
        assert fast == hidden_text.extract_from_page(page, "john.doe")
        assert fast == hidden_text.extract_from_page(page.swapcase(), "john.doe")


@pytest.mark.parametrize(
    "run",
    [
        "@",
        "a@",
        "<b>@",
        "@<b>",
        "x@y.example ",
        ">u@x.example<",
        "&#64;",
        "&lt;@",
        f" {JOHN}",
        JOHN,
    ],
)
def test_pages_of_separators_cost_linear_time(run: str) -> None:
    mask = Masker(KNOWN, (), WATCHED)
    linear(lambda size: mask_html("<i>" + run * (size // len(run)), mask), 256 * 1024)


SAID = [
    *("john.doe", "bob", "jd", "home.example", "home", "example", "john.doe@home.example", "net"),
    *("@", "(at)", " at ", "&lt;at&gt;", " dot ", "&lt;dot&gt;", "[.]", ".", " . ", "&lt;", "&gt;"),
    *("&lt;.&gt;", "<b>", "</b>", "<br>", "<", ">", " ", "\n", "\r\n&gt; ", "\n> ", "&nbsp;"),
    *("&#46;", "&period;", "&#64;", "bob@home.example", "bob@", "@home.example", ";", "&", "gt;"),
    *("mary.", "&amp;", "jane dot ", " dot net", "*", "_", "-", "=", "+"),
    *("\"", "'", "abc&gt;", "\\", ",", ":", "|", "|dot|", "%", "#", "\u00bb", "!", "(", ")", "]"),
]  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(SAID), min_size=2, max_size=10).map("".join))
@example("&lt;bob@home.example&gt; dot net")
def test_angle_brackets_in_a_page_divide_no_address(text: str) -> None:
    """What is said between them is found as if all of it was read."""
    keys = [JOHN, "bob@home.example", "jd@home.example", "x.bob@home.example.net", "bob@net.home"]
    mask, matcher = Masker(dict.fromkeys(keys, A)), AddressMatcher({key: key for key in keys})
    fast = [list(find_munged(text, mask)), set(find_owners(text, matcher))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanned, "_is_clear", lambda *_a: False)
        patch.setattr(masked.Places, "may_begin", lambda *_a: True)
        assert fast == [list(find_munged(text, mask)), set(find_owners(text, matcher))]


def lay_out(source: str, nodes: list[Node]) -> tuple[str, set[int], list[tuple[int, int]]]:
    """Return what `TextLayout` tells, found out for each character by itself."""
    text, edges, spans = "", set(), []
    for start, end, breaks in nodes:
        if breaks:
            text, spans = text + "\n", [*spans, (0, 0)]
        edges.add(len(text))
        shown, places = html._decode(source[start:end])
        text, spans = text + shown, [*spans, *((start + a, start + b) for a, b in places)]
        edges.add(len(text))
    return text, edges, spans


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(PAGES, PAGES, st.booleans()), max_size=5), st.data())
def test_each_character_of_a_text_is_found_in_its_source(
    texts: list[tuple[str, str, bool]], data: st.DataObject
) -> None:
    source, nodes = "", []
    for text, tag, breaks in texts:
        nodes.append((len(source), len(source) + len(text), breaks))
        source += text + tag
    layout = TextLayout(source, nodes, lambda: None)
    text, edges, spans = lay_out(source, nodes)
    assert (layout.text, layout.edges) == (text, edges)
    assume(text)
    starts = st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=5)
    # In order, as aliases are found, and in any other.
    for start in data.draw(starts.map(sorted) | starts):
        end = data.draw(st.integers(start + 1, min(len(text), start + 40)))
        if "\n" in text[start:end]:
            continue
        wanted: list[tuple[int, int]] = []
        for first, last in dict.fromkeys(spans[start:end]):
            if wanted and wanted[-1][1] == first:
                first = wanted.pop()[0]
            wanted.append((first, last))
        assert layout.places(start, end) == wanted
