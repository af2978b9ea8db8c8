"""HTML as it may be shown: nothing runs, nothing is loaded, and what costs too much is left out."""

import re

import pytest

from conversation_tracker.publish.texts_page import MAX_DEPTH, MAX_PAGE, PageCleaner, TooMuch

CLEANER = PageCleaner()


def clean(source: str, **numbers: int) -> str:
    return CLEANER.clean(source, {name.replace("_", "@"): n for name, n in numbers.items()})


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("<p>Hello <b>there</b></p>", "<p>Hello <b>there</b></p>"),
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("<title>No</title><style>p { color: red }</style>Yes", "Yes"),
        ("<script>alert(1)</script>Yes", "Yes"),
        ("<b>x<scr<script>ipt>alert(1)</script>", "<b>x</b>"),
        ("<!-- secret -->Yes<![if mso]>", "Yes"),
        ('<a href="https://shop.example/?a=1&amp;b=2">x</a>',
         '<a href="https://shop.example/?a=1&amp;b=2">x</a>'),
        ('<a href="javascript:alert(1)">x</a>', "<a>x</a>"),
        ('<a href="java&#115;cript:alert(1)">x</a>', "<a>x</a>"),
        ('<a href="/admin">x</a>', "<a>x</a>"),
        ('<a href="//evil.example">x</a>', "<a>x</a>"),
        ('<a href="cid:pic@x">x</a>', "<a>x</a>"),
        ('<a onclick="x()" id="y" target="_top" ping="https://e.example">x</a>', "<a>x</a>"),
        ('<img src="cid:pic@x" width="5">', '<img width="5" src="attachment:2">'),
        ('<img src="CID:pic%40x">', '<img src="attachment:2">'),
        ('<img src="cid:other@x" alt="A parcel">', '<img alt="A parcel">'),
        ('<img src="https://t.example/1.gif" srcset="https://t.example/2.gif 2x" alt="x">',
         '<img alt="x">'),
        ('<img src="data:image/svg+xml;base64,PHN2Zz4=">', "<img>"),
        ('<p style="color: #f00; background: url(https://t.example); font-weight: bold">x</p>',
         '<p style="color: #f00; font-weight: bold">x</p>'),
        ('<p style="width: expression(alert(1)); color: rgb(1, 2, 3)">x</p>',
         '<p style="color: rgb(1, 2, 3)">x</p>'),
        ('<p style="color: u\\72l(https://t.example)">x</p>', '<p style="">x</p>'),
        ('<p style="position: fixed; display: none; width: var(--x)">x</p>', '<p style="">x</p>'),
        ('<table background="https://t.example"><tr><td bgcolor="#fff">x</td></tr></table>',
         '<table><tbody><tr><td bgcolor="#fff">x</td></tr></tbody></table>'),
        ('<form action="https://e.example"><input name="a"><button>Go</button></form>', "Go"),
        ('<link rel=stylesheet href=https://e.example>', ""),
        ('<meta http-equiv=refresh content="0;url=https://e.example">', ""),
        ('<iframe src="https://e.example">x</iframe><object data=x></object><embed src=x>', ""),
        ('<svg><image href="https://e.example"/></svg>', ""),
        ('<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>', ""),
        ('<noscript><p title="</noscript><img src=x onerror=alert(1)>">', '<img>"&gt;'),
        ('<base href="https://e.example"><body background="x" onload="y">Yes</body>', "Yes"),
        ("\x00\u202eYes\ud800", "Yes"),
    ],
)  # fmt: skip
def test_only_what_is_allowed_is_left(source: str, shown: str) -> None:
    assert clean(source, pic_x=2) == shown


@pytest.mark.parametrize("quote", ['"', "'", "`", ""])
@pytest.mark.parametrize("space", [" ", "/", "\t", "\n", "\x0c", "\x00"])
def test_no_handler_and_no_address_is_left_however_it_is_written(quote: str, space: str) -> None:
    source = (
        f"<img{space}src={quote}https://t.example/x{quote}{space}onerror={quote}alert(1){quote}>"
        f"<p{space}style={quote}background:url(//t.example){quote}>x"
        f"<div{space}onmouseover={quote}x{quote}>"
    )
    left = clean(source)
    tags = re.findall(r"<[^>]*>", left)
    assert not any(re.search(r"on\w+=|t\.example|url", tag) for tag in tags)


@pytest.mark.parametrize(
    "source",
    [
        "x" * (MAX_PAGE + 1),
        "<b>" * (MAX_DEPTH + 1),
        "<b></i>" * (MAX_DEPTH + 1),
        "<div><p>" * (MAX_DEPTH + 1) + "</div>" * MAX_DEPTH,
        "<p>" * 30_000,
    ],
)
def test_what_is_too_large_or_too_deep_is_not_looked_at(source: str) -> None:
    with pytest.raises(TooMuch):
        clean(source)


def test_pictures_written_into_a_page_do_not_make_it_too_large() -> None:
    picture = "data:image/png;base64," + "A" * MAX_PAGE
    assert clean(f'<p>Hello <img src="{picture}" alt="x"></p>') == '<p>Hello <img alt="x"></p>'
