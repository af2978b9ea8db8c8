r"""What stands for the signs of an address where people write it for people, as patterns.

Words for the at sign and the dots, in several languages; the brackets around them; and what may
lie between them and the words of the address: blanks, tags, and line ends in quoted text.
"""

import re

from conversation_tracker.core.masking.address.spellings import UNCASED

MARKS = "\"'`+*\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
_OPEN = (
    r"(?:[\[({<\u00ab\u2039\u3010\uff08\u3008\u300a\u300c\u300e\u3014\u27e8\u27ea\u2768"
    r"\u276c\u2045\ufe59\uff3b\uff5b\uff5f\u2985]|&lt;)"
)
SHUT = (
    r"(?:[\])}>\u00bb\u203a\u3011\uff09\u3009\u300b\u300d\u300f\u3015\u27e9\u27eb\u2769"
    r"\u276d\u2046\ufe5a\uff3d\uff5d\uff60\u2986]|&gt;)"
)
SIGNS = "@\uff20\ufe6b"
AT_WORDS = frozenset(
    "at \u00e4t aet \u00e6t arroba arrobas arobase arobas arrobase chez chiocciola klammeraffe"
    " snabel-a apenstaartje apestaartje kukac malpa ma\u0142pa zavinac zavin\u00e1\u010d sobaka"
    " \u0441\u043e\u0431\u0430\u043a\u0430 \uace8\ubc45\uc774".split()
)
DOT_WORDS = frozenset("dot punkt point punto ponto punt kropka tochka".split())
# What says so in brackets only, as it says something else between blanks. The first of these may
# be tags, where the brackets are angle brackets; in other letters they may not.
_AT_IN_BRACKETS = (
    r"at[ -]?(?:sign|mark)|atmark|ampersat|ad|a|et|hos|bei|aff?enschwanz|klammer-?affe|strudel"
    r"|apestaart|snabela|kanel(?:bulle)?|grisehale|miuku(?:mauku)?|malpka|afna|majmun(?:sko a)?"
    r"|ludo a|a ?rond|kuyruklu a|maimun(?:ka|sko a)|a keong|a c\u00f2ng"
)
_AT_IN_OTHER_LETTERS = (
    r"kr\u00f8ll-?alfa|alfakr\u00f8ll|kissanh\u00e4nt\u00e4|ma\u0142pka"
    r"|coad\u0103 de maimu\u021b\u0103|g\u00fczel a"
    r"|\u0441\u043e\u0431\u0430\u0447\u043a\u0430|\u043f\u0441|\u03c0\u03b1\u03c0\u03ac\u03ba\u03b9"
    r"|\u5728|\u5708a|\u5c0f\u8001\u9f20"
    r"|\u043c\u0430\u0439\u043c\u0443\u043d(?:\u043a\u0430|\u0441\u043a\u043e \u0430)"
    r"|\u0440\u0430\u0432\u043b\u0438\u043a|\u043f\u0435\u0441\u0438\u043a|\u0441\u043b\u0438\u043c\u0430\u043a"
    r"|\u05e9\u05d8\u05e8\u05d5\u05d3\u05dc|\u05db\u05e8\u05d5\u05db\u05d9\u05ea|\uc573|\u827e\u7279|\u7231\u7279"
    r"|\u30a2\u30c3\u30c8(?:\u30de\u30fc\u30af)?|[@\uff20\ufe6b](?:\u30de\u30fc\u30af)?|[@\uff20\ufe6b]{2,3}"
)
ANY_AT_WORD = "|".join(sorted(AT_WORDS)) + f"|{_AT_IN_BRACKETS}|{_AT_IN_OTHER_LETTERS}"
_DOT_IN_BRACKETS = r"d0t|period|piste|pont|bod|tecka|nokta|pika|punct|stip|prikk?"
_DOT_IN_OTHER_LETTERS = (
    r"te\u010dka|to\u010dka|ta\u010dka"
    r"|\u0442\u043e\u0447\u043a\u0430|\u03c4\u03b5\u03bb\u03b5\u03af\u03b1"
    r"|\u70b9|\u9ede|\u30c9\u30c3\u30c8|\uc810|[.\u3002]"
)
_ANY_DOT_WORD = "|".join(sorted(DOT_WORDS)) + f"|{_DOT_IN_BRACKETS}|{_DOT_IN_OTHER_LETTERS}"
# In a page, a tag of one letter is one.
_LIKE_TAGS = "|".join([
    *sorted(filter(str.isascii, AT_WORDS)), _AT_IN_BRACKETS, *sorted(DOT_WORDS), _DOT_IN_BRACKETS,
])  # fmt: skip
_NO_TAG = rf"(?!(?!a>)(?:{_LIKE_TAGS})>)"
_TAG = (
    rf"<{_NO_TAG}(?:!--[^<>]{{0,200}}--"
    r"|/?[a-z][a-z0-9:_\-]{0,40}(?:[\s/]{1,8}[a-z][^<>]{0,400}|[ /]{0,2}))>"
)
# A line end, and what marks quoted text behind it.
_ENDS = r"\r\n\x85\u2028\u2029"
_LINE_END = rf"(?:(?:=[ \t]{{0,8}})?(?:\r\n|[{_ENDS}])|\\n|<br(?:[\s/][^<>]{{0,80}})?>)"
_MARK = (
    r"[ \t\u00a0]{0,8}"
    r"(?:(?:[>|}\u00bb\u203a\u2502\u2503\uff5c\u2506\u258c\u258f\u276f\u27a4\u226b]|&gt;)"
    r"|(?:[:;%#*!+\-\]~$&=^_\u00b7\u2022\u2013\u2014]|//)(?=[ \t]))"
)
LINE = rf"{_LINE_END}(?>(?:{_MARK}){{0,300}})"
# Whose words they are may stand there: initials, or a name. It may also be the end of an address.
NAME = r"[ \t]{0,8}[a-z]{1,12}[ \t]?(?:>|&gt;)"
_INITIALS = r"[ \t]{0,8}[a-z]{1,3}(?:>|&gt;)"
NAMED_LINE = rf"{_LINE_END}(?>(?:{NAME})?(?:{_INITIALS}|{_MARK}){{0,300}})"
BLANKS = (
    r"\x00-\x09\v\f\x0e-\x20\x7f-\x84\x86-\xa0\u00ad"
    r"\u1680\u2000-\u200d\u202f\u205f\u2060\u2800\u3000\ufeff"
)
"""Blanks, what has no width, and control characters, as part of a class: all but line ends."""
GAP = rf"(?:{LINE}|[{BLANKS}]|&nbsp;|{_TAG})"
_IN_BRACKETS = rf"{_OPEN}{{1,3}}{GAP}{{0,8}}(?:WORDS){GAP}{{0,8}}{SHUT}{{1,3}}"
# Lines, bars and quotation marks count as brackets of these words only: URLs and programs write
# others so.
_LINED = r"[*_~|\-\"'`\u00b4\u2018\u2019\u201c\u201d\u201e]{1,3}"
FENCED_WORDS = (
    *("at", "\u00e4t", "arroba", "arobase", "chez", "klammeraffe", "chiocciola", "snabel-a"),
    *("kukac", "sobaka"),
)
"""The words for an at sign that stand between lines, quotation marks and other signs."""
_LINED_WORDS = "|".join(FENCED_WORDS)
_LINED_AT = rf"{_LINED}(?:{_LINED_WORDS}){_LINED}"
_LINED_SIGN = rf"[_~|\-]{{1,3}}[{SIGNS}]{{1,3}}[_~|\-]{{1,3}}"
# What says so of itself: where nothing is between it and a word, too. Stars stand only there.
_FENCE = r"[\#^%$!=:;/\u00b7\u2022\u00a7\u00b0\u00a6\u2013\u2014]{1,3}"
_FENCED = (
    rf"{_FENCE}(?:{_LINED_WORDS}){_FENCE}"
    rf"|[>)\]}}\u00bb\u203a](?:{_LINED_WORDS})[<(\[{{\u00ab\u2039]"
)
_TOLD = "\u30a2\u30c3\u30c8\u30de\u30fc\u30af|\uace8\ubc45\uc774"
_MARK_WORD = "\u30de\u30fc\u30af"
_MARKED = rf"[@\uff20]{_MARK_WORD}|{_TOLD}"
# An a in a circle may have blanks beside it; stars are more than that only between letters.
_STARRED = (
    r"[\u2606\u2605\u25ce\u25cf](?<=[^\W_].)(?=[^\W_])"
    rf"|[{BLANKS}]{{0,8}}[\u24d0\U0001f150\U0001f170][{BLANKS}]{{0,8}}"
)
_LINED_DOTS = "dot|punkt|punto|ponto|point|punt|kropka|tochka"
_LINED_DOT = rf"{_LINED}(?:{_LINED_DOTS}){_LINED}"
_FENCED_DOT = rf"{_FENCE}(?:{_LINED_DOTS}){_FENCE}"
BETWEEN_LINES = rf"(?:{_LINED_AT}|{_LINED_SIGN}|{_LINED_DOT})"
AT = (
    rf"(?:{_IN_BRACKETS.replace('WORDS', ANY_AT_WORD)}|{_LINED_AT}|{_LINED_SIGN}"
    rf"|{_FENCED}|{_MARKED}|{_STARRED})"
)
DOT = rf"(?:{_IN_BRACKETS.replace('WORDS', _ANY_DOT_WORD)}|{_LINED_DOT}|{_FENCED_DOT})"
# Those of both that may begin with what is a quotation mark elsewhere.
_AMID_MARKS = (
    rf"(?:{_IN_BRACKETS.replace('WORDS', f'{ANY_AT_WORD}|{_ANY_DOT_WORD}')}"
    rf"|{_LINED_AT}|{_LINED_DOT}|{_FENCED})"
)
LETTER = rf"(?![{UNCASED}])[^\W_]"
_IN_WORD = rf"(?:{LETTER}|(?!{BETWEEN_LINES})[_\-](?=[\w\-])|\+(?=\w))"
_WORD = rf"{LETTER}(?>{_IN_WORD}{{0,80}})"
WORD = re.compile(_WORD)
"""A word of an address."""
_POINT = r"[.\u3002\uff0e]"
_QUOTE = rf"(?:[{MARKS}]|&(?:quot|apos|\#0*3[49]);)"
_TOKENS = (
    rf"|(?P<at>{AT})|(?P<dot>{DOT})|(?P<word>{_WORD})"
    rf"|(?P<sign>[{SIGNS}]{{1,3}})|(?P<point>{_POINT}{{1,8}})|(?P<equals>=)"
    rf"|(?P<mark>{_QUOTE})|(?P<other>.)"
)
_GAPS = (GAP, rf"(?:{NAMED_LINE}|{GAP})")
# Each as texts are cut mostly, and where names may stand before marks of quoted text.
TOKEN, TOKEN_BEHIND_NAMES = (
    re.compile(rf"(?P<gap>(?>{gap}{{1,64}})){_TOKENS}", re.IGNORECASE | re.DOTALL) for gap in _GAPS
)
BEHIND_NAME = re.compile(rf"(?:[{_ENDS}>]|\\n){NAME}")
_DOT_WORD = rf"(?:{'|'.join(sorted(DOT_WORDS))})(?!\w)"
BETWEEN_LABELS, BETWEEN_LABELS_BEHIND_NAMES = (
    re.compile(
        rf"(?>{gap}{{0,64}})(?:{_POINT}|{DOT}|{_DOT_WORD})(?>{gap}{{0,64}})",
        re.IGNORECASE,
    )
    for gap in _GAPS
)


def _compile_join(gap: str) -> re.Pattern[str]:
    """Compile what may stand between the end of a local part and its domain, as `munged` reads it.

    A tag may be there, and surplus dots; and of what is in the midst of these, the same tokens are
    cut as there, in the same order.
    """
    near = rf"(?>{gap}{{0,64}})"
    beside = rf"(?>(?:{gap}|(?=[{MARKS}&])(?!{_AMID_MARKS}){_QUOTE})*)"
    dot = rf"{near}(?:{_POINT}{{1,8}}|{DOT}|{_DOT_WORD}){near}"
    tag = rf"\+(?=\w)(?>{_IN_WORD}{{0,80}})(?:{dot}{_WORD}){{0,31}}"
    word = rf"(?>{gap}{{1,64}})(?:{'|'.join(sorted(AT_WORDS, reverse=True))})(?>{gap}{{1,64}})"
    signs = rf"{beside}[{SIGNS}]{{1,3}}(?!{_MARK_WORD}){beside}|{near}{AT}{near}|{word}|(?!{gap})="
    return re.compile(rf"(?:{tag})?(?:{_POINT}{{1,8}})?(?:{signs})", re.IGNORECASE)


JOIN, JOIN_BEHIND_NAMES = map(_compile_join, _GAPS)
LINE_ENDS = ("\n", "\r", "\\n", "<br", "\x85", "\u2028", "\u2029")
"""One of these is before each such name."""
APART = re.compile(
    rf"\.?(?!{_TOLD})[^\W_]| (?!{_TOLD}|(?:{'|'.join(sorted(AT_WORDS))})(?![^\W_]))[^\W_]"
)
"""What is behind most words, and joins none of them to a domain: another word."""
LABEL_APART = re.compile(rf"[^\W_]| (?!(?:{'|'.join(sorted(DOT_WORDS))})(?![^\W_]))[^\W_]")
"""The same behind what is no label of a domain."""
