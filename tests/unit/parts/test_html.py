"""Masking of HTML through references and tags."""

import html

import pytest
from builders import BUYER, CARRIER, B, mail, order
from cost import least, within
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.address.mask import FunctionMask, Masker
from conversation_tracker.core.masking.text.html import mask_html, strip_tags

REAL = "john@doe.example"
ALIAS = "ff2e@ct.example.com"
OTHERS = {
    "o'neil@doe.example": "neil@ct.example.com",
    '"j d"@doe.example': "jd@ct.example.com",
    "joe}@doe.example": "joe@ct.example.com",
}
MASK = Masker({REAL: ALIAS, "anna@shop.example": "a11a@ct.example.com", **OTHERS})

CASES = [
    ("john<b>@</b>doe.example", f"{ALIAS}<b></b>"),
    ("<p>john<wbr>@doe<WBR/>.example</p>", f"<p>{ALIAS}<wbr><WBR/></p>"),
    ("john<!-- a > b -->@doe.example", f"{ALIAS}<!-- a > b -->"),
    ("john&shy;@doe.example", ALIAS),
    ("jo&zwnj;hn@doe&#8203;.example", ALIAS),
    ("john\u200b@doe.example", ALIAS),
    ("&lt;john&#64;<i class=x>doe</i>&period;example&gt;", f"&lt;{ALIAS}<i class=x></i>&gt;"),
    ("john<span>&commat;</span>doe.example", f"{ALIAS}<span></span>"),
    ("<td>anna</td><td>john<b>@doe.example</b></td>", f"<td>anna</td><td>{ALIAS}<b></b></td>"),
    ("john<b>@doe.example</b><br>next", f"{ALIAS}<b></b><br>next"),
    ("john<b>@</b>doe.example, john<i>@</i>doe.example", f"{ALIAS}<b></b>, {ALIAS}<i></i>"),
    ("<p>&quot;j d&quot;@doe.example&nbsp;x</p>", "<p>jd@ct.example.com&nbsp;x</p>"),
    ("o&#39;neil@doe.example", "neil@ct.example.com"),
    ("<a title='john&#64;doe.example'>x<b>y</b></a>", f"<a title='{ALIAS}'>x<b>y</b></a>"),
    ("john<div>@doe.example</div>", "john<div>@doe.example</div>"),
    ("x<b>john</b><i>@</i>doe.example", "x<b>john</b><i>@</i>doe.example"),
    ("john<b>@</b>doe.example<i>.org</i>", "john<b>@</b>doe.example<i>.org</i>"),
    ("john &lt;wbr&gt;@doe.example", "john &lt;wbr&gt;@doe.example"),
    # Beside what cannot have a tag inside: style sheets, and others' addresses that stand whole.
    ("<b>\n@media {}</b><p>john<b>@doe.example</b>", f"<b>\n@media {{}}</b><p>{ALIAS}<b></b>"),
    ("<b>a{}@media x{}</b> john<b>@doe.example</b>", f"<b>a{{}}@media x{{}}</b> {ALIAS}<b></b>"),
    ("joe}@doe.exa<wbr>mple", "joe@ct.example.com<wbr>"),
    ("'eve@x.example' jo<b>hn@doe.example</b>", f"'eve@x.example' {ALIAS}<b></b>"),
    ("(john%doe.ex<b>ample@x.example</b>)", "(" + ALIAS.replace("@", "%") + "@x.example<b></b>)"),
    ("jo<b>hn@doe.example</b>", f"{ALIAS}<b></b>"),
    ("'<b>john</b>@doe.example'", f"'<b>{ALIAS}</b>'"),
    ("'jo<b></b>hn@doe.example'", f"'{ALIAS}<b></b>'"),
    ("'john@doe.exa<b></b>mple'", f"'{ALIAS}<b></b>'"),
    ("john<b></b>@doe.example", f"{ALIAS}<b></b>"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), CASES)
def test_an_address_is_replaced_and_tags_stay(source: str, expected: str) -> None:
    result = mask_html(source, MASK)
    assert result == expected
    assert (result is source) == (source == expected)


LONG = "9" * 5000  # digits, more than Python makes a number of
PLACES = {
    "text/html": "<p>{}</p>",
    "text/html; charset=utf-8": '<a href="https://x.example/{}">{}</a>',
    "application/xml": "<x>{}\0</x>",
    "application/octet-stream": "<x>{}\0</x>",
    "text/calendar": "BEGIN:VCALENDAR\nX-ALT-DESC:<p>{}</p>\nEND:VCALENDAR",
    "text/plain": "{}",
}


@pytest.mark.parametrize("type", PLACES)
def test_a_reference_of_any_length_is_read(type: str) -> None:
    text = PLACES[type].replace(
        "{}", f"x{CARRIER}&#{LONG}; &#{LONG} john&#{'0' * 5000}64;x.example"
    )
    sent = mail(f"From: {CARRIER}\nContent-Type: {type}\n\n{text}\n", order(BUYER, CARRIER), to=B)
    assert sent.plan().reply is None


def test_zeros_before_a_reference_hide_no_address() -> None:
    assert mask_html(f"<p>john&#{'0' * 5000}64;doe.example", MASK) == f"<p>{ALIAS}"


ROW = (
    '<tr><td style="padding:4px;font-family:Arial"><a href="https://www.shop.example/p?id=1&amp;x=2">'
    "Caf&eacute;&nbsp;cr&egrave;me</a></td><td align=right>12,00&nbsp;&euro;</td></tr>\n"
)
PAGE = f"<html><body><table>{ROW * 200}</table></body></html>"


@pytest.mark.parametrize(
    "hidden",
    [REAL, "john&#64;doe.example", "john<b>@</b>doe.example", "john&#x40;doe<wbr>.example"],
)
@pytest.mark.parametrize("at", [0, 1, 57, 199, 200])
def test_in_a_long_page_only_the_address_changes(hidden: str, at: int) -> None:
    before, after = ROW * at, ROW * (200 - at)
    result = mask_html(f"{before}<p>{hidden}</p>{after}", MASK)
    assert result.startswith(f"{before}<p>{ALIAS}")
    assert result.endswith(f"</p>{after}")


def test_a_page_without_an_address_is_the_same_object() -> None:
    assert mask_html(PAGE, MASK) is PAGE


def seconds(source: str) -> float:
    return least(lambda: mask_html(source, MASK))


def test_a_page_without_an_address_is_decoded_once() -> None:
    """A page of 40 kB takes a small multiple of what the standard library's decoding takes."""
    decoding = least(lambda: html.unescape(PAGE))
    assert seconds(PAGE) < 6 * decoding
    assert seconds(PAGE + "<p>john&#64;doe.example</p>") < 20 * decoding


TAGS = ["<b>", "</b>", "<wbr>", "<!-- x -->", "&shy;", "&#8203;", "<span style='a:b'>"]


@given(
    st.lists(st.tuples(st.integers(1, len(REAL) - 1), st.sampled_from(TAGS)), max_size=5),
    st.booleans(),
    st.text(st.sampled_from("ab c<>&;\n"), max_size=30).map(html.escape),
)
def test_whatever_parts_it_a_reader_sees_the_alias(
    inserted: list[tuple[int, str]], references: bool, around: str
) -> None:
    letters = [f"&#{ord(c)};" if references and c in "@.j" else c for c in REAL]
    for at, tag in sorted(inserted, reverse=True):
        letters.insert(at, tag)
    source = f"<p>{around} " + "".join(letters) + f" {around}</p>"
    result = mask_html(source, MASK)
    assert result.startswith(f"<p>{around} {ALIAS}")
    assert result.endswith(f" {around}</p>")
    assert REAL not in strip_tags(result)


@given(st.text(st.sampled_from('john@doe.exampl<>&#64;/b!- "'), max_size=100))
def test_any_source_raises_nothing_and_stays_without_a_hit(source: str) -> None:
    mask_html(source, MASK)
    assert mask_html(source, FunctionMask(lambda text: text)) is source


@pytest.mark.parametrize(
    "unit", ["@<b>", "<!--@", "&#64;<", "&a;", "<a@", "john<b>@</b>doe.example ", "&amp;@", "@"]
)
def test_hostile_sources_take_bounded_time(unit: str) -> None:
    source = unit * (300_000 // len(unit)) + " john<b>@</b>doe.example"
    within(8, lambda: mask_html(source, MASK))
