r"""What stands for the signs of an address where people write it for people, as patterns.

Words for the at sign and the dots, in several languages; the brackets around them; and what may
lie between them and the words of the address: blanks, tags, and line ends in quoted text.
"""

from conversation_tracker.core.masking.address.spellings import UNCASED

_TAG = (
    r"<(?!(?:at|dot)>)(?:!--[^<>]{0,200}--"
    r"|/?[a-z][a-z0-9:_\-]{0,40}(?:[\s/]{1,8}[a-z][^<>]{0,400}|[ /]{0,2}))>"
)
# A line end, and what marks quoted text behind it; somebody's initials may stand there.
LINE = (
    r"(?:(?:=[ \t]{0,8})?(?:\r\n|[\r\n])|\\n)"
    r"(?>(?:[ \t]{0,8}(?:[a-z]{0,3}(?:[>|\u2502\uff5c]|&gt;)|[:;%#*](?=[ \t]))){0,40})"
)
GAP = rf"(?:{LINE}|[ \t\f\v\u00a0\u2002-\u200d\u2060\u3000\ufeff\u00ad]|&nbsp;|{_TAG})"
MARKS = "\"'`+*\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
_OPEN = r"(?:[\[({<\u00ab\u2039\u3010\uff08]|&lt;)"
SHUT = r"(?:[\])}>\u00bb\u203a\u3011\uff09]|&gt;)"
SIGNS = "@\uff20\ufe6b"
AT_WORDS = frozenset(
    "at \u00e4t aet arroba arrobas arobase arobas chez chiocciola klammeraffe snabel-a".split()
)
DOT_WORDS = frozenset("dot punkt point punto ponto punt kropka tochka".split())
ANY_AT_WORD = "|".join(sorted(AT_WORDS)) + (
    r"|at[ -]?sign|ad|a|apestaart(?:je)?|snabela|kukac|ma[l\u0142]pa|zavin[a\u00e1][c\u010d]|sobaka"
    r"|\u0441\u043e\u0431\u0430\u043a\u0430|\u5728|\u30a2\u30c3\u30c8|[@\uff20\ufe6b]"
)
_ANY_DOT_WORD = "|".join(sorted(DOT_WORDS)) + (
    r"|d0t|piste|pont|\u0442\u043e\u0447\u043a\u0430|\u70b9|\u9ede|[.\u3002]"
)
_IN_BRACKETS = rf"{_OPEN}{{1,3}}{GAP}{{0,8}}(?:WORDS){GAP}{{0,8}}{SHUT}{{1,3}}"
# Lines and stars count as brackets of these words only: URLs and programs write others so.
_LINED_AT = r"[*_~\-]{1,3}(?:at|arroba)[*_~\-]{1,3}"
_LINED_DOT = r"[*_~\-]{1,3}(?:dot|punkt|punto|point)[*_~\-]{1,3}"
BETWEEN_LINES = rf"(?:{_LINED_AT}|{_LINED_DOT})"
AT = rf"(?:{_IN_BRACKETS.replace('WORDS', ANY_AT_WORD)}|{_LINED_AT})"
DOT = rf"(?:{_IN_BRACKETS.replace('WORDS', _ANY_DOT_WORD)}|{_LINED_DOT})"
LETTER = rf"(?![{UNCASED}])[^\W_]"
