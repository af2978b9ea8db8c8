"""What stands for the signs of an address in words, and what may lie between them, for the scan.

Words for the at sign and the dots, in several languages; the brackets around them; blanks, tags,
line ends and the marks of quoted text behind these. Where an address is looked for and how it is
read are told by the same patterns. Written apart from the masking code. Nothing here raises.
"""

import re

from conversation_tracker.core.scanning.text.local_parts import UNCASED

AT_WORDS = tuple(
    "at \u00e4t aet \u00e6t arroba arrobas arrobase arobas arobase chez chiocciola klammeraffe"
    " snabel-a apenstaartje apestaartje kukac malpa ma\u0142pa zavinac zavina\u010d zavin\u00e1c"
    " zavin\u00e1\u010d sobaka \u0441\u043e\u0431\u0430\u043a\u0430 \uace8\ubc45\uc774".split()
)
"""The words for an at sign that stand between blanks, too."""
DOT_WORDS = tuple("dot punkt point punto ponto punt kropka tochka".split())
"""The words for a dot that do."""
SAYS_AT, SAYS_DOT = "|".join(AT_WORDS), "|".join(DOT_WORDS)
# More words, which say so in brackets only.
ALSO_AT = (
    "at[ -]?(?:sign|mark)|ampersat|ad|a|et|hos|bei|aff?enschwanz|klammer-affe|strudel|apestaart"
    "|snabela|kr\u00f8ll-?alfa|alfakr\u00f8ll|kanel(?:bulle)?|grisehale|miuku(?:mauku)?"
    "|kissanh\u00e4nt\u00e4|ma[l\u0142]pka|afna|majmun(?:sko a)?|ludo a"
    "|coad\u0103 de maimu\u021b\u0103|a ?rond|g\u00fczel a|kuyruklu a"
    "|\u0441\u043e\u0431\u0430\u0447\u043a\u0430|\u043f\u0441|\u03c0\u03b1\u03c0\u03ac\u03ba\u03b9"
    "|\u5728|\u5708a|\u5c0f\u8001\u9f20|\uc573|[\u827e\u7231]\u7279|a (?:c\u00f2ng|keong)"
    "|maimunka|maimunsko a"
    "|\u043c\u0430\u0439\u043c\u0443\u043d\u043a\u0430"
    "|\u043c\u0430\u0439\u043c\u0443\u043d\u0441\u043a\u043e \u0430"
    "|\u0440\u0430\u0432\u043b\u0438\u043a|\u043f\u0435\u0441\u0438\u043a|\u0441\u043b\u0438\u043c\u0430\u043a"
    "|\u05e9\u05d8\u05e8\u05d5\u05d3\u05dc|\u05db\u05e8\u05d5\u05db\u05d9\u05ea"
    "|\u30a2\u30c3\u30c8(?:\u30de\u30fc\u30af)?|[@\uff20\ufe6b]{1,3}|[@\uff20\ufe6b]\u30de\u30fc\u30af"
)
SAYS_SO = (
    "@\u30de\u30fc\u30af",
    "\uff20\u30de\u30fc\u30af",
    "\u30a2\u30c3\u30c8\u30de\u30fc\u30af",
    "\uace8\ubc45\uc774",
)
"""What stands right beside a word, too."""
FENCE = "#%$!=:;/^\u00b7\u2022\u00a7\u00b0\u00a6\u2013\u2014"
"""Signs on both sides of a word for a sign, where they stand for no bracket otherwise."""
TURNED = "<([{\u00ab\u2039"
"""Brackets that are shut before a word for an at sign and open behind it: what follows it."""
LINED_AT = "at \u00e4t arroba arobase chez klammeraffe chiocciola snabel-a kukac sobaka".split()
"""The words that stand between lines, quotation marks and such signs."""
ALSO_DOT = (
    "d0t|period|piste|pont|bod|te[c\u010d]ka|nokta|pika|punct|stip|prikk?|t[ao]\u010dka"
    "|\u0442\u043e\u0447\u043a\u0430|\u03c4\u03b5\u03bb\u03b5\u03af\u03b1"
    "|\u70b9|\u9ede|\u30c9\u30c3\u30c8|\uc810|[.\u3002]"
)

# Patterns begin with the few characters that each match begins with: then the others are passed
# over at many times the speed.
TAG = re.compile(
    rf"<(?:(?!(?:{SAYS_AT}|{SAYS_DOT}|(?!a>){ALSO_AT}|{ALSO_DOT})>)"
    r"/?[a-z][a-z0-9:_-]{0,40}(?:\s[^<>]{0,200}|/)?>|!--[^<>]{0,200}-->)"
)
_LINE_END = (
    r"[\r\n\x85\u2028\u2029=\\<](?:(?<=[\n\x85\u2028\u2029])|(?<=\r)\n?|(?<=\\)n"
    r"|(?<==)[ \t]{0,8}(?:\r?\n|[\r\x85\u2028\u2029])|(?<=<)br(?:[\s/][^<>]{0,80})?>)"
)
_NAME = r"[ \t]{0,8}[a-z]{1,12}[ \t]?(?:>|&gt;)"
_INITIALS = r"[ \t]{0,8}[a-z]{1,3}(?:>|&gt;)"
_MARK = (
    r"[ \t\u00a0]{0,8}"
    r"(?:[>|\u00bb\u203a\u2502\u2503\uff5c}\u2506\u258c\u258f\u276f\u27a4\u226b]|&gt;"
    r"|(?:[:;%#*!+\]~$&=^_\u00b7\u2022\u2013\u2014-]|//)(?=[ \t]))"
)
QUOTING = re.compile(rf"{_LINE_END}(?:{_MARK})*")
"""A line end and the marks of quoted text behind it."""
NAMED = re.compile(rf"{_LINE_END}(?:{_NAME})?(?:{_INITIALS}|{_MARK})*")
"""The same where before such a mark may stand a name, or what ends an address in angle brackets."""
NAMES = re.compile(rf"{_LINE_END}(?:{_NAME}|(?:{_MARK})*{_INITIALS})")
"""What these two read in different ways."""
# Blanks and line ends, what has no width, and control characters: all but those before a space.
_WIDE = r"\u00a0\u1680\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u2800\u3000\ufeff\u00ad\x7f-\x9f"
_BLANK = rf"[\x00-\x20{_WIDE}]"
BLANKS = re.compile(rf"[\x00-\x20{_WIDE}&](?:(?<!&)|nbsp;)(?:{_BLANK}|&nbsp;)*")

_OPEN = (
    "\\[({<\u00ab\u2039\u3010\uff08\u3008\u300a\u300c\u300e\u3014\u27e8\u27ea\u2768"
    "\u276c\u2045\ufe59\uff3b\uff5b\uff5f\u2985"
)
SHUT = (
    "])}>\u00bb\u203a\u3011\uff09\u3009\u300b\u300d\u300f\u3015\u27e9\u27eb\u2769"
    "\u276d\u2046\ufe5a\uff3d\uff5d\uff60\u2986"
)
"""Brackets behind a word for a sign."""
_OPENING = f"(?:[{_OPEN}]|&lt;){{1,3}}"
_CLOSING = f"(?:[{re.escape(SHUT)}]|&gt;){{1,3}}"
_LINE = "*_~|\"'`\u00b4\u2018\u2019\u201c\u201d\u201e-"
_LINES = f"[{_LINE}]{{1,3}}"
_LINED_AT = "|".join(LINED_AT)
_FENCES = f"[{FENCE}]{{1,3}}"
_MARKS = "[ \"'`+*\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb]"
AT_END = re.compile(
    rf"(?: ?{_OPENING} ?(?:{SAYS_AT}|{ALSO_AT}) ?{_CLOSING} ?"
    rf"| ?{_LINES}(?:{_LINED_AT}){_LINES} ?| ?[_~|-]{{1,3}}[@\uff20\ufe6b]{{1,3}}[_~|-]{{1,3}} ?"
    rf"|(?=[ {FENCE}]) ?{_FENCES}(?:{_LINED_AT}){_FENCES} ?"
    rf"| ?[>)\]}}\u00bb\u203a](?:{_LINED_AT})[{re.escape(TURNED)}] ?"
    rf"|(?=[ @\uff20\u30a2\uace8]) ?(?:{'|'.join(SAYS_SO)}) ?"
    r"|[\u2606\u2605\u25ce\u25cf](?<=[^\W_].)| ?[\u24d0\U0001f150\U0001f170] ?"
    rf"|(?P<free> (?:{SAYS_AT}) )|{_MARKS}{{0,12}}[@\uff20\ufe6b]{{1,3}}{_MARKS}{{0,12}}|=)\Z"
)
"""What stands for an at sign and ends a simple text."""
LONGEST_SIGN = 48
"""Characters of it."""
_DOTS = ".\u3002\uff0e"
_IN_BRACKETS = f" ?(?:{SAYS_DOT}|{ALSO_DOT}) ?{_CLOSING} ?"
_IN_LINES = f"(?:{SAYS_DOT}){_LINES} ?"
_IN_FENCES = f"(?:{SAYS_DOT}){_FENCES} ?"
_FIRST = f"[ {FENCE}{_OPEN}&{_DOTS}{_LINE}]"


# What stands for a dot, behind its first character; and what it begins with may be a blank.
def _compile_dot(behind: str, behind_blank: str) -> re.Pattern[str]:
    return re.compile(
        rf"{_FIRST}(?:(?<= )(?:{_OPENING}{_IN_BRACKETS}|{_LINES}{_IN_LINES}|{_FENCES}{_IN_FENCES}"
        rf"|(?:{SAYS_DOT}) (?=[^\W_])|[{_DOTS}]+{behind})"
        rf"|(?:(?<=[{_OPEN}])|(?<=&)lt;)(?:[{_OPEN}]|&lt;){{0,2}}{_IN_BRACKETS}"
        rf"|(?<=[{FENCE}])[{FENCE}]{{0,2}}{_IN_FENCES}|(?<=[{_LINE}])[{_LINE}]{{0,2}}{_IN_LINES}"
        rf"|(?<=[{_DOTS}])[{_DOTS}]*{behind_blank})"
    )


DOT = _compile_dot(" ?", " ?")
"""What stands for a dot in a simple text."""
# Where a word stands for the at sign, a dot with a blank ends a sentence.
TIGHT_DOT = _compile_dot("(?!)", "(?! )")
"""The same behind a word for the at sign."""
# Letters without case stand before a word without a blank between.
WORDS = re.compile(rf"[^\W_{UNCASED}]+")
"""The words of a local part."""
