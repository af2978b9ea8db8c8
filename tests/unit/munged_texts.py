"""Addresses in words, spelled in hard ways: texts that are put together from a number.

What stands between an address's words, and amid them: line ends of all kinds with marks of quoted
text to any depth, tags, blanks and what has no width, references, quotation marks, words for the
signs in several languages and in all brackets. And the places where an address may be.
"""

from collections.abc import Iterator
from random import Random

from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.address.munged_words import AT_WORDS, DOT_WORDS, MARKS

PEOPLE = [
    *("john.doe@home.example", "anna.m.ott@web.example", "bob@mail.shop.co.uk"),
    *("johndoe@gmail.com", "x.y+shop@dots.example", "info@xn--mnchen-3ya.example"),
    *("jane_roe-x@home.example", "a@n.example"),
]
_AT = [*sorted(AT_WORDS), "at-sign", "at mark", "a", "ad", "et", "@", "\uff20", "\u5728"]
_MARKED = [
    *("#at#", "^at^", "%at%", ">at<", "@@", "@\uff20@", "\u2605", "\u24d0"),
    *("@\u30de\u30fc\u30af", "\u30a2\u30c3\u30c8\u30de\u30fc\u30af", "\uace8\ubc45\uc774"),
]
_DOT = [*sorted(DOT_WORDS), "d0t", "period", "te\u010dka", "\u70b9", ".", "\u3002"]
_BRACKETS = [
    *("()", "[]", "{}", "<>", "\u00ab\u00bb", "\u2039\u203a", "\u3010\u3011", "\uff08\uff09"),
    *("\u300c\u300d", "\uff3b\uff3d", ")(", "\u00bb\u00ab"),
    *(("&lt;", "&gt;"), ("((", "))"), ("[ ", " ]")),
]
_LINED = [*"*_~|-\"'\u2018\u2019\u201c\u201d", "--", "***"]
_LINED += [*"#^%$!:=;\u00b7\u2022\u2014`", "##", ":;"]
_LINE_ENDS = ["\n", "\r\n", "\r", "=\n", "= \r\n", "\\n", "<br>", "<br />", '<br class="x">']
_LINE_ENDS += ["\x85", "\u2028", "\u2029"]
_QUOTING = [
    *("> ", ">", "| ", "|", "\u00bb ", "\u203a ", "\u2502", "\uff5c", "&gt; ", "&gt;", ": ", "; "),
    *("% ", "# ", "* ", "! ", "+ ", "- ", "// ", " > ", "\t>", "\u00a0> ", "       > "),
    *("} ", "}", "] ", "~ ", "= ", "$ ", "\u2022 ", "\u258c", "\u276f"),
]
_NAMED = ["jd> ", "jd&gt; ", "john>", "at> ", "dot>", "doe> ", "x&gt; "]
_BLANKS = [
    *(" ", "  ", "\t", "\f", "\u00a0", "\u2002", "\u2003", "\u2009", "\u200b", "\u200c", "\u200d"),
    *("\u2060", "\u3000", "\ufeff", "\u00ad", "&nbsp;", "\u2800", "\u1680", "\0", "\x07", "\x7f"),
    *("\x1f", "\v", "\x80", "\u2000", "\u202f", "\x0e"),
]
_TAGS = [
    *("<b>", "</b>", "<p>", "<wbr>", "<!-- x -->", "<o:p>", "<x/>", '<a href="x y">', "</a>"),
    *('<b title="doe">', '<img alt="home">', '<span title="john at home">'),
]
_REFERENCES = ["&nbsp;", "&gt;", "&lt;", "&amp;", "&quot;", "&shy;", "&#64;", "&#39;", "&apos;"]
_JUNK = [*".,;:!?/()[]{}<>|\\=%&#~^$-_+*'\"@", "doe", "john", "home", " at ", " dot ", "+x", ".."]
_AROUND = [
    *("", "", " now", "\n", "write to ", " the example of home and doe ", "> ", "john doe ", "="),
    *("https://home.example/x?doe ", "jane.doe@home.example ", "x\\n", " (at) ", "doe ", "."),
]
_DEPTHS = [0, 0, 1, 1, 2, 3, 5, 6, 7, 20, 24, 40, 60, 64, 90, 100]


def write_text(number: int) -> str:
    """Put a text together, in lower case."""
    draw = Random(number)
    pieces = [draw.choice(_AROUND)]
    for _ in range(1 if draw.random() < 0.8 else 2):
        pieces += _write_address(draw), draw.choice(_AROUND)
    return "".join(pieces).lower()


def _write_address(draw: Random) -> str:
    local, domain = draw.choice(PEOPLE).split("@")
    if domain == "gmail.com" and draw.random() < 0.7:
        local = draw.choice(["john.doe", "j.ohndoe", "johndo.e", "joh.n.doe", "john..doe"])
        domain = draw.choice(["gmail.com", "googlemail.com"])
    elif draw.random() < 0.1:
        local = local.partition("+")[0] + draw.choice(["+x", "+shop", "+a-b", "+a.b"])
    local = draw.choice(["{}"] * 18 + [".{}", "{}."]).format(local)
    same = _write_dot(draw) if draw.random() < 0.5 else ""
    pieces: list[str] = []
    for side in (local, "@", domain):
        for number, word in enumerate(side.split(".")):
            pieces += [same or _write_dot(draw)] * bool(number)
            pieces.append(_write_at(draw) if word == "@" else word)
    for _ in range(draw.choice([0, 1, 1, 2, 3, 4])):
        at = draw.randrange(len(pieces))
        word = pieces[at]
        if draw.random() < 0.15 and len(word) > 1:
            cut = draw.randrange(1, len(word))
            pieces[at] = word[:cut] + _write_something(draw) + word[cut:]
        else:
            pieces.insert(at, _write_something(draw))
    return "".join(pieces)


def _write_at(draw: Random) -> str:
    kind = draw.random()
    if kind < 0.1:
        return draw.choice(_MARKED)
    if kind < 0.4:
        return draw.choice("@@@\uff20\ufe6b=")
    if kind < 0.6:
        return f" {draw.choice(sorted(AT_WORDS))} "
    if kind < 0.9:
        return _write_brackets(draw, _AT)
    return _write_lined(draw, ["at", "chez", "snabel-a", "@"])


def _write_dot(draw: Random) -> str:
    kind = draw.random()
    if kind < 0.5:
        return draw.choice("....\u3002\uff0e")
    if kind < 0.6:
        return f" {draw.choice(sorted(DOT_WORDS))} "
    if kind < 0.85:
        return _write_brackets(draw, _DOT)
    return _write_lined(draw, ["dot", "punkt", "kropka"])


def _write_brackets(draw: Random, words: list[str]) -> str:
    opens, closes = draw.choice(_BRACKETS)
    pieces = [opens, draw.choice(words), closes]
    return "".join([_write_beside(draw) + each for each in pieces]) + _write_beside(draw)


def _write_lined(draw: Random, words: list[str]) -> str:
    line = draw.choice(_LINED)
    return f"{_write_beside(draw)}{line}{draw.choice(words)}{line}{_write_beside(draw)}"


def _write_beside(draw: Random) -> str:
    return draw.choice(["", "", " "]) if draw.random() < 0.7 else _write_something(draw)


def _write_something(draw: Random) -> str:
    """Write what may stand in the midst of an address, or end it."""
    kind = draw.random()
    if kind < 0.35:
        return draw.choice(_LINE_ENDS) + _write_quoting(draw)
    if kind < 0.6:
        return _repeat(draw, _BLANKS, [1, 1, 1, 2, 8, 30, 63, 64, 65, 129])
    if kind < 0.75:
        return _repeat(draw, _TAGS, [1, 1, 1, 2, 4, 15, 31, 40, 64])
    if kind < 0.85:
        return _repeat(draw, list(MARKS), [1, 1, 2, 3])
    return draw.choice(_REFERENCES if kind < 0.93 else _JUNK)


def _write_quoting(draw: Random) -> str:
    depth = draw.choice(_DEPTHS)
    kind = draw.random()
    if kind < 0.6:
        return draw.choice(_QUOTING) * depth
    if kind < 0.8:
        return "".join(draw.choices(_QUOTING, k=depth))
    return draw.choice(_NAMED) + draw.choice([*_QUOTING, "jd> ", "x&gt; "]) * min(depth, 40)


def _repeat(draw: Random, some: list[str], times: list[int]) -> str:
    count = draw.choice(times)
    return (
        draw.choice(some) * count if draw.random() < 0.6 else "".join(draw.choices(some, k=count))
    )


def iter_all_places(low: str, known: Masker) -> Iterator[int]:
    """Yield each place of a label, whatever stands around it."""
    for label in known.labels:
        at = low.find(label, 1)
        while at >= 0:
            yield at
            at = low.find(label, at + 1)
