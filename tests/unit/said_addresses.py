"""Addresses as people write them for people, and as programs escape them, for tests.

Signs in all languages and brackets, and in one place to four of them what may part an address: line
ends with marks of quoted text, tags, blanks, references.
"""

import base64
from collections.abc import Callable

from hypothesis import strategies as st

from conversation_tracker.core.scanning.text.munged_words import AT_WORDS, DOT_WORDS

_LINES = [
    *("\n", "\r\n", "\r", "=\n", "= \r\n", "\\n", "\\r\\n", "\\n\\n", "<br>", "<br />", "</p>\n"),
    *("\x85", "\u2028", "\u2029"),
    *("<br clear=all>", "<p><br>", "<br><p>", '<span style="a: b">', "<!-- x -->", "<o:p>\n"),
]  # fmt: skip
_MARKS = [
    *("> ", ">", "| ", "|", "jd> ", "jd>", "jd&gt; ", "&gt; ", "# ", "\u203a", "\u00bb ", "% "),
    *(": ", "; ", "* ", "+ ", "- ", "! ", "// ", "\u2502", "\u2503 ", "\uff5c", "john> ", "a >"),
    *("} ", "}", "] ", "~ ", "= ", "$ ", "\u2022 ", "\u258c", "\u276f"),
]  # fmt: skip
_BLANKS = [
    *(" ", "\t", "\u00a0", "\u200b", "\u2003", "&nbsp;", "\u3000", "\ufeff", "\u00ad", "\u2060"),
    *("\f", "\v", " \u200b ", "\u2009", "\u2800", "\u1680", "\0", "\x07", "\x7f", "\x9f", "\u202f"),
]  # fmt: skip
_TAGS = ["<b>", "</b>", "<td>", "<i class=x>", "</td></tr>", "<dot>", "<wbr>"]
_OTHERS = [
    *("&#64;", "&amp;", "&#46;", "&period;", "&lt;", "&gt;", "&shy;", "&quot;", "x", "="),
    *("\\", "'", '"', "*", "_", "~", "-", "(", ")", "<", ">", "[", "]", ",", ":", ";", ".", ".."),
    *("\u3002", "/", "//", "&", "%", "n", "\u4e00", "\u00e4", "+", "`", "mary", "mary."),
    *("mary dot ", "\u00ab", "\u201e", "|", "!", "#", "mailto:", "to ", "; ", ", ", '" ', "+tag"),
]  # fmt: skip
_OPEN = ["(", "[", "{", "<", "\u00ab", "\u2039", "\u3010", "\uff08", "&lt;", "((", "[ ", "\u300c"]
_SHUT = [")", "]", "}", ">", "\u00bb", "\u203a", "\u3011", "\uff09", "&gt;", "))", " ]", "\u300d"]
_LINED = ["*", "_", "~", "|", '"', "'", "\u2018", "\u2019", "\u201c", "\u201d", "-", "--"]
_LINED += ["#", "^", "%", "$", "!", ":", ";", "=", "\u00b7", "\u2014", "`", "##", ":;"]
_MORE_AT = [
    *("at-sign", "atmark", "ampersat", "ad", "a", "et", "hos", "bei", "affenschwanz", "strudel"),
    *("kr\u00f8llalfa", "kanelbulle", "miukumauku", "majmunsko a", "ludo a", "a rond", "afna"),
    *("coad\u0103 de maimu\u021b\u0103", "\u5708a", "\u5c0f\u8001\u9f20", "\uace8\ubc45\uc774"),
    *("\u30a2\u30c3\u30c8\u30de\u30fc\u30af", "@", "\uff20"),
    *("maimunka", "a keong", "\u0440\u0430\u0432\u043b\u0438\u043a", "@@"),
]  # fmt: skip
_MORE_DOT = [
    *("d0t", "period", "piste", "pont", "bod", "te\u010dka", "nokta", "pika", "punct", "stip"),
    *("prik", "to\u010dka", "\u0442\u043e\u0447\u043a\u0430", "\u70b9", "\u30c9\u30c3\u30c8", "."),
    *("\u3002"),
]  # fmt: skip
_AROUND = [
    *("", " ", "\n", "<", ">", "x", " now", " is ", "\n> ", ", ", "(", ")", "<td>", "</td>", '"'),
    *('<a href="mailto:', "=", " dot net", ".net", "[.]net", "mary dot ", "mary.", "at ", "dot "),
    *(" home\n", " home.example ", "@home.example ", "; "),
]  # fmt: skip


def _between(left: list[str], words: list[str], right: list[str]) -> st.SearchStrategy[str]:
    parts = [st.sampled_from(each) for each in (["", " "], left, words, right, ["", " "])]
    return st.tuples(*parts).map("".join)


def _lined(words: tuple[str, ...]) -> st.SearchStrategy[str]:
    both = st.tuples(st.sampled_from(_LINED), st.sampled_from(words))
    return both.map(lambda each: f"{each[0]}{each[1]}{each[0]}")


_AT = st.one_of(
    st.just("@"),
    st.sampled_from(["@", " @ ", "\uff20", "\ufe6b", "_@_", "-@-", "'@'", " '@\" ", "`@`", "="]),
    st.sampled_from(AT_WORDS).map(" {} ".format),
    _lined(AT_WORDS),
    st.sampled_from(["@@", " @@@ ", "#at#", "^at^ ", " %at%", ">at<", "\u2605", "\u24d0"]),
    st.sampled_from(
        ["@\u30de\u30fc\u30af", " \u30a2\u30c3\u30c8\u30de\u30fc\u30af ", "\uace8\ubc45\uc774"]
    ),
    _between(_OPEN, [*AT_WORDS, *_MORE_AT], _SHUT),
)
_DOT = st.one_of(
    st.just("."),
    st.sampled_from([".", " . ", ". ", " .", "\u3002", "\uff0e", ".."]),
    st.sampled_from(DOT_WORDS).map(" {} ".format),
    _lined(DOT_WORDS),
    _between(_OPEN, [*DOT_WORDS, *_MORE_DOT], _SHUT),
)
_DEPTHS = st.sampled_from([0, 0, 1, 1, 2, 3, 10, 20, 30, 60, 100])
_QUOTED = st.tuples(
    st.lists(st.sampled_from(_LINES), min_size=1, max_size=2).map("".join),
    st.sampled_from(_MARKS) | st.lists(st.sampled_from(_MARKS), max_size=3).map("".join),
    _DEPTHS,
).map(lambda each: each[0] + each[1] * each[2])
_REPEATED = st.tuples(st.sampled_from(_BLANKS + _TAGS), st.sampled_from([1, 1, 2, 3, 35, 130])).map(
    lambda each: each[0] * each[1]
)
INSERTIONS = st.one_of(_QUOTED, _QUOTED, _REPEATED, st.sampled_from(_OTHERS))
"""What may part an address, or stand in it."""


@st.composite
def spellings(draw: st.DrawFn, people: list[str]) -> str:
    """Write one of some addresses, with something inserted in up to four places of it."""
    local, domain = draw(st.sampled_from(people)).split("@")
    dots, sign = draw(_DOT), draw(_AT)
    pieces = [*local.replace(".", " . ").split(), sign, *domain.replace(".", " . ").split()]
    pieces = [dots if piece == "." else piece for piece in pieces]
    for _ in range(draw(st.integers(0, 4))):
        pieces.insert(draw(st.integers(0, len(pieces))), draw(INSERTIONS))
    return "".join(pieces)


@st.composite
def texts(draw: st.DrawFn, people: list[str]) -> str:
    """Write a text in lower case with some of these in it, or two."""
    around = st.sampled_from(_AROUND)
    pieces = [draw(around), draw(around)]
    for _ in range(draw(st.integers(1, 2))):
        pieces += [draw(spellings(people)), draw(around), draw(around)]
    return "".join(pieces).lower()


def _each(form: str, wide: int = 0) -> Callable[[str], str]:
    """Return what writes each character so, or the broad form of each."""
    return lambda text: "".join(
        form.format(ord(each) + wide * (0x20 < ord(each) < 0x7F)) for each in text
    )


_NAMES = {"@": "commat", ".": "period", "_": "lowbar", "+": "plus", "-": "hyphen"}


def _named(form: str) -> Callable[[str], str]:
    return lambda text: "".join(form.format(_NAMES[e]) if e in _NAMES else e for e in text)


def _coded(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "replace")).decode()


ESCAPES: list[Callable[[str], str]] = [
    *map(_each, ("%{:02x}", "%25{:02x}", "%2525{:02x}", "%u{:04x}", "&#{};", "&#x{:x};", "&#0{}")),
    *map(_each, ("&amp;#{};", "\\u{:04x}", "\\u{{{:x}}}", "\\x{:02x}", "\\{:03o}", "\\{:x} ")),
    *map(_each, ("\\'{:02x}", "\\u{}?", "\\u{} \\'3f", "={:02x}", "=3d{:02x}", "+{:02x}")),
    *(_each(form, 0xFEE0) for form in ("&#{};", "\\u{:04x}")),
    *map(_named, ("&{};", "&amp;{};", "&#38;{};")),
    lambda text: "imceasmtp-" + text.replace("@", "+40").replace(".", "+2e"),
    lambda text: text.replace("@", "+aea-"),
    _coded,
    lambda text: _coded("x" + text).replace("+", "-").replace("/", "_").rstrip("="),
    lambda text: text.encode("utf-8", "replace").hex(),
    lambda text: f"=?utf-8?b?{_coded(text)}?=",
    lambda text: f"https://urldefense.com/v3/__http://x/?e={text.replace('@', '*')}__;QA!!x",
]
_TOUCHING = [
    *("=\n", "=\r\n", "\u200b", "\u00ad", "\x1b[1m", "\x1b(b", "\x0e", "\x0f", "^[[31m", "#033[0m"),
    *("\\\n", "<b>", "</b>", "<wbr>", "<x-y>", "<!-- a -->", "<i style='visibility: hidden'>y</i>"),
    *("\n ", " \n", "\n> ", "\\b ", "\\par ", "{", "}", "&shy;", "&amp;shy;", "&amp;tab;", "\\n"),
    *("\\", "\u0301", "\\e[1m", "<comment>x</comment>", "=\n> ", "%", "&", "=", "+", "(at)"),
    *("\u3002", "\u0130", "\u4e00", "\x00", "\\bin900 ", "{\\*", "=?utf-8?b?", "?=", "<!--", '"'),
]  # fmt: skip
_BESIDE = [
    *("", "{\\rtf1 ", '<a href="mailto:', '<a href="http://x/?e=', "<a title='", '">', "</a>"),
    *("{\\v hidden}", "\\uc2 ", " ", "\n", "<", ">", "x ", "https://x/?u=", "(", ")", '"', "}"),
    *("\\'", "\\x", "\\u0", "<style>", "-->", "%", "&amp;", "=?", "*", 'x*0*="', "; y*1="),
]  # fmt: skip


@st.composite
def escaped(draw: st.DrawFn, people: list[str]) -> str:
    """Write a text with one of some addresses in it, or two, parts of which are escaped."""
    beside = st.sampled_from(_BESIDE)
    pieces = [draw(beside), draw(beside)]
    for _ in range(draw(st.integers(1, 2))):
        text = draw(st.sampled_from(people))
        if draw(st.booleans()):
            text = text.replace("@", draw(_AT))
        for _ in range(draw(st.integers(0, 3))):
            start = draw(st.integers(0, len(text)))
            end = draw(st.sampled_from([start, start + 1, len(text)]))
            new = (
                draw(st.sampled_from(ESCAPES))(text[start:end])
                if start < end
                else draw(st.sampled_from(_TOUCHING))
            )
            text = text[:start] + new + text[end:]
        pieces += [text, draw(beside), draw(beside)]
    return "".join(pieces)
