r"""Addresses written as people say them, for the final scan: `john (at) doe [dot] example`.

What is before the first label of a domain is brought to a simple form: no tags, one blank for each
run of blanks, line ends and marks of quoted text. If that ends with what stands for an at sign, the
words before it and the words from the label on are joined at their dots and looked up. Written
apart from the masking code. Time is linear. Nothing here raises.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Protocol

from conversation_tracker.core.scanning.text.address_matcher import UNCASED

_BEFORE, _BEHIND, _NEAR = 220, 300, 112
_BEFORE_DOTTED = 640  # a dot may take many characters each
_FEW = 16  # words that are looked for one by one
_MANY = 64  # labels from which on what stands for an at sign is looked for
_OFTEN = 64  # places of a label from which on those in clear are told apart all at once
_SHARE = 8  # at signs for each of them, as far as that is worth it
_SAYS_AT = (
    "at|\u00e4t|aet|\u00e6t|arrobas?|arrobase|arobas|arobase|chez|chiocciola|klammeraffe|snabel-a"
    "|apenstaartje|apestaartje|kukac|ma[l\u0142]pa|zavin[a\u00e1][c\u010d]|sobaka"
    "|\u0441\u043e\u0431\u0430\u043a\u0430"
)
_SAYS_DOT = "dot|punkt|point|punto|ponto|punt|kropka|tochka"
# More words, which say so in brackets only.
_ALSO_AT = (
    "at[ -]?(?:sign|mark)|ampersat|ad|a|et|hos|bei|aff?enschwanz|klammer-affe|strudel|apestaart"
    "|snabela|kr\u00f8ll-?alfa|alfakr\u00f8ll|kanel(?:bulle)?|grisehale|miuku(?:mauku)?"
    "|kissanh\u00e4nt\u00e4|ma[l\u0142]pka|afna|majmun(?:sko a)?|ludo a"
    "|coad\u0103 de maimu\u021b\u0103|a ?rond|g\u00fczel a|kuyruklu a"
    "|\u0441\u043e\u0431\u0430\u0447\u043a\u0430|\u043f\u0441|\u03c0\u03b1\u03c0\u03ac\u03ba\u03b9"
    "|\u5728|\u5708a|\u5c0f\u8001\u9f20|\uace8\ubc45\uc774"
    "|\u30a2\u30c3\u30c8(?:\u30de\u30fc\u30af)?|[@\uff20\ufe6b]"
)
_ALSO_DOT = (
    "d0t|period|piste|pont|bod|te[c\u010d]ka|nokta|pika|punct|stip|prikk?|t[ao]\u010dka"
    "|\u0442\u043e\u0447\u043a\u0430|\u03c4\u03b5\u03bb\u03b5\u03af\u03b1"
    "|\u70b9|\u9ede|\u30c9\u30c3\u30c8|\uc810|[.\u3002]"
)
_TAG = re.compile(
    rf"<(?!(?:{_SAYS_AT}|{_SAYS_DOT}|(?!a>){_ALSO_AT}|{_ALSO_DOT})>)"
    r"/?[a-z][a-z0-9:_-]{0,40}(?:\s[^<>]{0,200}|/)?>|<!--[^<>]{0,200}-->"
)
_LINE_END = r"(?:(?:=[ \t]{0,8})?(?:\r?\n|\r)|\\n|<br(?:[\s/][^<>]{0,80})?>)"
_NAME = r"[ \t]{0,8}[a-z]{1,12}[ \t]?(?:>|&gt;)"
_MARK = r"[ \t\u00a0]{0,8}(?:[>|\u00bb\u203a\u2502\u2503\uff5c]|&gt;|(?:[:;%#*!+-]|//)(?=[ \t]))"
_QUOTING = re.compile(rf"{_LINE_END}(?:{_MARK})*")
# Before such a mark may stand a name, or what ends an address in angle brackets.
_NAMED = re.compile(rf"{_LINE_END}(?:{_NAME})?(?:[ \t]{{0,8}}[a-z]{{1,3}}(?:>|&gt;)|{_MARK})*")
_BEHIND_NAME = re.compile(rf"(?:[\r\n>]|\\n){_NAME}")
_RUNS = re.compile(
    rf"(?:{_NAMED.pattern}|[ \t\r\n\f\v\u00a0\u2002-\u200d\u2060\u3000\ufeff\u00ad]|&nbsp;)+"
)
_BLANKS = re.compile(r"(?:[ \t\r\n\f\v\u00a0\u2002-\u200d\u2060\u3000\ufeff\u00ad]|&nbsp;)+")
_OPENING = "(?:[\\[({<\u00ab\u2039\u3010\uff08]|&lt;){1,3}"
_CLOSING = "(?:[\\])}>\u00bb\u203a\u3011\uff09]|&gt;){1,3}"
_LINES = "[*_~|\"'\u2018\u2019\u201c\u201d-]{1,3}"
_LINED_AT = "at|\u00e4t|arroba|arobase|chez|klammeraffe|chiocciola|snabel-a|kukac|sobaka"
_MARKS = "[ \"'`+*\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb]"
_AT_END = re.compile(
    rf"(?: ?{_OPENING} ?(?:{_SAYS_AT}|{_ALSO_AT}) ?{_CLOSING} ?"
    rf"| ?{_LINES}(?:{_LINED_AT}){_LINES} ?| ?[_~|-]{{1,3}}[@\uff20\ufe6b][_~|-]{{1,3}} ?"
    rf"|(?P<free> (?:{_SAYS_AT}) )|{_MARKS}{{0,12}}[@\uff20\ufe6b]{_MARKS}{{0,12}}|=)\Z"
)
_SAID_DOT = (
    rf" ?{_OPENING} ?(?:{_SAYS_DOT}|{_ALSO_DOT}) ?{_CLOSING} ?"
    rf"| ?{_LINES}(?:{_SAYS_DOT}){_LINES} ?| (?:{_SAYS_DOT}) (?=[^\W_])"
)
_DOT = re.compile(rf"{_SAID_DOT}| ?[.\u3002\uff0e]+ ?")
# Where a word stands for the at sign, a dot with a blank ends a sentence.
_TIGHT_DOT = re.compile(rf"{_SAID_DOT}|[.\u3002\uff0e]+(?! )")
# Letters without case stand before a word without a blank between.
_WORDS = re.compile(rf"[^\W_{UNCASED}]+")
_ENDING_WORD = re.compile(rf"[^\W_{UNCASED}](?:(?:[^\W{UNCASED}]|[+-]){{0,80}}[^\W{UNCASED}])?\Z")
_LONGEST_WORD = 82  # characters that `_ENDING_WORD` may have
_LEADING_WORD = re.compile(r"[^\W_](?:[\w-]{0,80}[^\W_])?")
_LAST = frozenset(
    " \t\r\n\f\v\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d"
    "\u2060\u3000\ufeff\u00ad>=@\uff20\ufe6b;:%|#*!\"'`+])}_~/\\-n"
    "\u203a\u3011\uff09\uff5c\u2502\u2503\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
)
_WIDE = "\u00a0\u2002-\u200d\u2060\u3000\ufeff\u00ad"
_QUOTES = rf"\s{_WIDE}>|:;%#!\u00bb\u203a\u2502\u2503\uff5c"  # blanks, and marks of quoted text
_BESIDE = "*_~|\"'\u2018\u2019\u201c\u201d\\-"  # lines and quotes around a word for a dot
_OPENS, _SHUTS = "\u00ab\u2039\u3010\uff08", "\u00bb\u203a\u3011\uff09"
_TOD = "tod|tknup|tniop|otn|tnup|akp|akpork|akhcot"
# What divides a local part before its at sign, reversed, or a domain right behind it. Between
# angle brackets, as in pages, nothing does: marks of quoted text stand behind a line end.
_PARTED_BEFORE = re.compile(
    rf"n\\|[\w+-]+(?>(?:\.[\w+-]+)*)(?:(?>(?:[{_QUOTES}]|(?<=[ \t])(?:[*+-]|//)|(?<=\s)=|n\\"
    r"|(?<=;)(?:tg|psbn)&|(?<=[\s>])[^<>]{0,80}?rb<"
    rf"|(?:(?<=[>&])|(?<=>[ \t]))(?!{_TOD})"
    r"[ \t]?[a-z]{1,12}(?=[ \t]{0,8}(?:[\r\n>;]|n\\)))+)"
    rf"(?:[.\u3002\uff0e]|[{_BESIDE}]{{0,3}}(?:{_TOD}|tni)|[\])}}>{_SHUTS}])|\.(?:[.{_QUOTES}]|n\\)"
    rf"|[\])}}>*_\\\u3002\uff0e{_SHUTS}]|;(?!tl&)|[{_BESIDE}]{{1,3}}(?:{_TOD}))"
    rf"|[\w+]{{1,80}}-{{1,3}}(?:{_TOD})"
)
_PARTED_BEHIND = re.compile(
    rf"(?>[\w-]+(?:\.[\w-]+)*)(?:\.[.\s<&\\={_WIDE}]|[{_BESIDE}]{{1,3}}(?:{_SAYS_DOT})"
    rf"|(?=[\s|{_WIDE}]|=[ \t]{{0,8}}[\r\n])(?>(?:[={_QUOTES}]|(?:[*+-]|//)(?=[ \t])|&(?:gt|nbsp);"
    r"|(?<=[\s>])[a-z]{1,12}(?=[ \t]?(?:>|&gt;)))+)"
    rf"(?:[.\u3002\uff0e\[({{<&{_BESIDE}{_OPENS}]|dot|pun|poi|pon|kro|toc)"
    rf"|[\[({{<*\u3002\uff0e{_OPENS}]|&(?!gt;)|\\)"
    rf"|(?:\w+\.){{0,8}}[^\W_]{{1,64}}[_-]{{1,3}}(?:{_SAYS_DOT})[_-]"
)
# The same two at whatever at sign: the first one in a text that is reversed.
_SIGN_BEHIND = re.compile(rf"@(?:{_PARTED_BEFORE.pattern})")
_SIGN_BEFORE = re.compile(rf"@(?:{_PARTED_BEHIND.pattern})")
_ANY_SIGN = re.compile(rf"[@=\uff20\ufe6b]|(?<![^\W_])(?:{_SAYS_AT}|{_ALSO_AT})(?![^\W_])")
_NEXT = re.compile(r"[^\w@=]{0,24}([^\W_][\w-]*)")
_MARKS_OF_QUOTES = (
    " \t\r\n\f\v\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d"
    "\u2060\u3000\ufeff\u00ad>|@:;%#!*+-/\"'`\u203a\u2502\u2503\uff5c\uff20\ufe6b"
    "\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
)
_MANY_MARKS, _MANY_NAMES = 24, 6
_MOST = 32  # labels and words: as many as 64 octets hold
_LONGEST_SIGN = 48  # characters of what stands for an at sign, in a simple text
# Escapes beside an address: the text is read again with these decoded, and found then.
_ESCAPED_BEHIND = re.compile(
    r"%(?:25)*[0-9a-f]{2}|&(?:#|amp|period|hyphen|dash|lowbar)|\\|=[0-9a-f]{2}"
)
_ESCAPED_BEFORE = re.compile(r"(?:%(?:25)*[0-9a-f]{2}|&\#?\w{1,8};|\\(?:u00|x)[0-9a-f]{2})\Z")


class WatchedAddresses(Protocol):
    """Whom to look for."""

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """Return their domains of several labels by the first of these, in lower case."""

    @property
    def dotted(self) -> frozenset[str]:
        """Return the domains at which a local part has a dot."""

    @property
    def endings(self) -> frozenset[str]:
        """Return the last words of their local parts."""

    def owner(self, local: str, domain: str) -> str | None:
        """Return the token of whose address has a local part and a domain."""


def find_owners(
    low: str, known: WatchedAddresses, check: Callable[[], None] = lambda: None
) -> Iterator[str]:
    """Yield the tokens of those whose address a lower-case text spells so.

    Args:
        low: the text.
        known: whom to look for.
        check: raises when the time for the message is over.
    """
    if len(known.labels) > _MANY:
        for sign in _ANY_SIGN.finditer(low):
            check()
            label = _NEXT.match(low, sign.end())
            if label is not None and label[1] in known.labels:
                yield from _read_owner(low, label.start(1), known, known.labels[label[1]])
        return
    parted: list[int] | None = None
    for word, names in known.labels.items():
        if word not in low:  # which costs half of what `find` does
            continue
        places: Iterable[int] = _find_places(low, word)
        often = low.count(word)
        if often > _OFTEN and often * _SHARE > low.count("@"):
            parted = _find_parted(low) if parted is None else parted
            places = _find_unclear(low, word, parted)
        for at in places:
            check()
            before = low[at - 1]
            if before in _LAST and not (before == "@" and _is_clear(low, at, names, known.dotted)):
                yield from _read_owner(low, at, known, names)


def _find_places(low: str, word: str) -> Iterator[int]:
    at = low.find(word, 1)
    while at >= 0:
        yield at
        at = low.find(word, at + len(word))


def _find_parted(low: str) -> list[int]:
    """Return where at signs stand of addresses that may be divided, whosever."""
    behind = [sign.start() for sign in _SIGN_BEFORE.finditer(low)]
    last = len(low) - 1
    return behind + [last - sign.start() for sign in _SIGN_BEHIND.finditer(low[::-1])]


def _find_unclear(low: str, word: str, parted: Iterable[int]) -> list[int]:
    """Return the places of a word, but those where `_is_clear` surely holds.

    A log has an address in each line: here is no step for each of them.
    """
    found = [match.start() for match in _compile_unclear(word).finditer(low, 1)]
    return sorted({*found, *(at + 1 for at in parted if low.startswith(word, at + 1))})


@lru_cache(maxsize=64)
def _compile_unclear(word: str) -> re.Pattern[str]:
    """Compile what finds a word, but not behind an at sign that ends a local part."""
    literal = re.escape(word)  # first, as it is found at many times the speed then
    return re.compile(rf"{literal}(?<![^\W_]@{literal})")


def _is_clear(low: str, at: int, names: tuple[str, ...], dotted: frozenset[str]) -> bool:
    """Return, cheaply, whether an address stands in clear around the beginning of its domain."""
    if not low[max(0, at - 2)].isalnum() or low[max(0, at - 3) : at - 1] == "\\n":
        return False
    if low.startswith(names, at) and dotted.isdisjoint(names):
        return True
    parted = _PARTED_BEFORE.match(low[max(0, at - _BEFORE_DOTTED) : at - 1][::-1])
    return parted is None and _PARTED_BEHIND.match(low, at) is None


def _read_owner(
    low: str, at: int, known: WatchedAddresses, names: tuple[str, ...]
) -> Iterator[str]:
    """Yield the tokens of those whose address is spelled around the beginning of a domain."""
    if not _may_be_read(low, at, known, names):
        return
    yield from _read_as(low, at, known, names, _QUOTING)
    if _BEHIND_NAME.search(low, max(0, at - _BEFORE_DOTTED), at + _BEHIND) is not None:
        yield from _read_as(low, at, known, names, _NAMED)


def _may_be_read(low: str, at: int, known: WatchedAddresses, names: tuple[str, ...]) -> bool:
    """Return, cheaply, whether words of somebody's address stand around a place."""
    wide = low[max(0, at - _BEFORE_DOTTED) : at]  # most texts hold none of the words
    if len(known.endings) <= _FEW and not any(map(wide.__contains__, known.endings)):
        return False
    behind = low[at : at + _BEHIND]
    if not any(_take_second_label(name) in behind for name in names):
        return False
    return not known.endings.isdisjoint(_WORDS.findall(_cut_near(low, at, known.endings)))


def _read_as(
    low: str,
    at: int,
    known: WatchedAddresses,
    names: tuple[str, ...],
    quoting: re.Pattern[str],
) -> Iterator[str]:
    """Yield them as they are read with these marks of quoted text."""
    near = _simplify(_cut_near(low, at, known.endings), quoting)
    if (sign := _AT_END.search(near, max(0, len(near) - _LONGEST_SIGN))) is None:
        return
    words = _WORDS.findall(near[: sign.start()])
    if not words or words[-1] not in known.endings:
        return
    # What is most often wrong is looked at first: the domain.
    behind = _simplify(low[at : at + _BEHIND], quoting)
    if all(_goes_wrong(behind, name) for name in names):
        return
    size = _BEFORE if known.dotted.isdisjoint(names) else _BEFORE_DOTTED
    before = _simplify(low[max(0, at - size) : at], quoting)
    if (sign := _AT_END.search(before, max(0, len(before) - _LONGEST_SIGN))) is None:
        return
    tight = sign[0] in "@\uff20\ufe6b"
    dot = _TIGHT_DOT if sign["free"] else _DOT
    written = before[: sign.start()]
    locals = [
        (local, whole)
        for local, whole in _find_locals(written, dot, routed=sign[0] == "=")
        if sign[0] != "=" or _is_routed(written, local)
    ]
    for domain, plain in _find_domains(behind, dot):
        if domain not in names:
            continue
        for local, whole in locals:
            # What stands in clear is found by the matcher, not here.
            token = None if tight and plain and whole else known.owner(local, domain)
            if token is not None:
                yield token


def _cut_near(low: str, at: int, endings: frozenset[str]) -> str:
    """Return what stands before a place; the marks of text that is quoted many times do not count.

    A line may begin with more of these than are read otherwise.
    """
    before = low[max(0, at - _NEAR) : at]
    marks = len(before) - len(before.rstrip(_MARKS_OF_QUOTES))
    if marks < _MANY_MARKS and before.count(">") + before.count("gt;") < _MANY_NAMES:
        before = before.replace("\\n", "\n")
        if not endings.isdisjoint(_WORDS.findall(before)):
            return before
    return _RUNS.sub("\n", low[max(0, at - _BEFORE_DOTTED) : at])[-_NEAR:]


def _goes_wrong(behind: str, name: str) -> bool:
    """Return, cheaply, that a simple text does not begin with a domain, whatever its dots are."""
    first, *rest = name.split(".")
    at = len(first)
    for label in rest:
        dot = _DOT.match(behind, at)
        if dot is None or not behind.startswith(label, dot.end()):
            return True
        at = dot.end() + len(label)
    return False


def _is_routed(written: str, local: str) -> bool:
    """Return whether what an equals sign ends is a local part, and no name in a program."""
    return not local.isalnum() or written[: len(written) - len(local)][-1:] in ("+", "=")


def _take_second_label(name: str) -> str:
    """Return what follows the first dot of a domain, to the next one."""
    return name.split(".", 2)[1]


def _simplify(text: str, quoting: re.Pattern[str]) -> str:
    return _BLANKS.sub(" ", _TAG.sub(" ", quoting.sub(" ", text)))


def _find_locals(text: str, dot: re.Pattern[str], *, routed: bool) -> Iterator[tuple[str, bool]]:
    """Yield what may be the local part that ends a text; tell if its dots stand in clear."""
    parts, joints = _split_at_dots(text, dot)
    name, plain = "", True
    if len(parts) > 1 and not parts[-1]:  # surplus dots at its end
        name, parts, joints = joints[-1].strip(), parts[:-1], joints[:-1]
    for number in range(len(parts) - 1, max(-1, len(parts) - 1 - _MOST), -1):
        word = _find_ending_word(parts[number])
        if word is None:
            if name[:1] not in ("", ".") and number < len(joints) and _is_dots(joints[number]):
                yield joints[number].strip() + name, plain
            return
        joint = joints[number].strip() if number < len(joints) else ""
        name = word[0] + ((joint if _is_dots(joint) else ".") + name if joint else name)
        whole = word.start() == 0
        joined = number > 0 and _find_ending_word(parts[number - 1]) is not None
        goes_on = number > 0 and (
            _is_dots(joints[number - 1], clear=True) or (joined and _is_said(joints[number - 1]))
        )
        begins = not whole or not goes_on
        if begins and not _ESCAPED_BEFORE.search(parts[number][: word.start()]):
            yield name, plain
        if routed:
            cut = max(word[0].rfind(sign) for sign in "+-") + 1
            if cut and name[cut:]:
                yield name[cut:], plain
        if not whole:
            return
        plain = plain and number > 0 and _is_dots(joints[number - 1], clear=True)


def _find_ending_word(part: str) -> re.Match[str] | None:
    """Find the word that ends a part, as long as such a word may be: from no place before that."""
    return _ENDING_WORD.search(part, max(0, len(part) - _LONGEST_WORD))


def _is_dots(joint: str, *, clear: bool = False) -> bool:
    """Return whether a joint is dots alone; `clear` without blanks."""
    dots = joint if clear else joint.strip()
    return bool(dots) and not dots.strip(".")


def _is_said(joint: str) -> bool:
    """Return whether a joint is a word or brackets for a dot, at which no sentence ends."""
    return bool(joint.strip(" .\u3002\uff0e"))


def _find_domains(text: str, dot: re.Pattern[str]) -> Iterator[tuple[str, bool]]:
    """Yield what may be the domain that begins a text; tell if its dots stand in clear."""
    parts, joints = _split_at_dots(text, dot, _MOST)
    name, plain = "", True
    for number, part in enumerate(parts[:_MOST]):
        word = _LEADING_WORD.match(part)
        if word is None:
            return
        name = f"{name}.{word[0]}" if name else word[0]
        whole = word.end() == len(part)
        plain = plain and (not number or joints[number - 1] == ".")
        ends = not whole or number == len(joints) or not _continues_domain(parts, joints, number)
        if number and ends and not _ESCAPED_BEHIND.match(part, word.end()):
            yield name, plain
        if not whole:
            return


def _continues_domain(parts: list[str], joints: list[str], number: int) -> bool:
    """Return whether a domain surely goes on behind one of its labels."""
    return (joints[number] == "." or _is_said(joints[number])) and _LEADING_WORD.match(
        parts[number + 1]
    ) is not None


def _split_at_dots(text: str, dot: re.Pattern[str], most: int = 0) -> tuple[list[str], list[str]]:
    """Cut a text at its dots, and give these; at no more than so many, where that is not 0."""
    joints = [found[0] for found in islice(dot.finditer(text), most or None)]
    return dot.split(text, maxsplit=most), joints
