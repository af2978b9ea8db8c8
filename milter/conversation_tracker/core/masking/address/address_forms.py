r"""How a known address may be spelled in running text, and where it begins and ends.

To the left: after a letter or digit it is another address; so it is after one of `.`, `_`, `+`,
`-` with a name before (`mary.john@doe.example`), but not where a machine put the prefix
(`0489.john@`, `email-john@`) and not in the line of a Message-ID. Several of these are a dash, an
ellipsis or a line to write on, and join nothing (`write to--john@`). To the right: the domain goes
on with a letter, a digit, a dot before one, or a hyphen with a further label, as in a soft alias;
only ASCII counts there, so that no charset, declared or not, makes an address go on. Both are
judged through percent escapes. A file name's extension is no further label.

All texts are lower case here. Nothing raises.
"""

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from urllib.parse import quote

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.masking.address.backward_names import BackwardNames, list_forms
from conversation_tracker.core.masking.address.clear import ClearAddresses
from conversation_tracker.core.masking.address.spellings import GMAIL, UNCASED

Hit = tuple[int, int, str]
"""Start and end of an address in a text, and what replaces it."""
_Found = tuple[int, int, str | None]
_Backward = tuple[int, str | None, str]  # length, replacement, separator in reverse

# A domain is found first, as that is fast. What stands before it is then matched backwards, from
# the separator to the left, so that one match finds the local part and sees what precedes it.
# Patterns named backward are applied to reversed text and are therefore written in reverse.

_WINDOW = 512  # characters looked at before a domain: a local part, spelled out, and its prefix

_AT_BACKWARD = r"[@\uff20\ufe6b]|04(?:52)*%|04[=+]|0400u\\|04x\\"
_AT_LAST = frozenset("@\uff20\ufe6b0")  # the last characters of what _AT_BACKWARD matches
_ROUTED_BACKWARD = r"[=%]|d3%"
_ROUTED_LAST = frozenset("=%d")
_NEXT_AT = ("@", "%40")
_REWRITTEN = ("=", "!")  # after a domain that stands first
_NEAR = _AT_LAST | _ROUTED_LAST
_TAG_BACKWARD = r"(?:[\w.=+\-]{0,64}?(?:\+|b2%))??"
_TAG, _TAG_END = re.compile(r"[\w.=+\-]{0,64}"), re.compile(r"\+|b2%")
_SEPARATORS = {each: re.compile(each) for each in (_AT_BACKWARD, _ROUTED_BACKWARD)}

# UNCASED is a class so large that it takes milliseconds to compile, and the patterns are made anew
# for each order's addresses. Where these are ASCII, other characters are first replaced by one of
# their kind.
_ONE_UNCASED, _ONE_LETTER, _ONE_OTHER = "\u4e00", "\u00e4", "\u2014"
_FOREIGN = re.compile(r"[^\x00-\x7f\uff20\ufe6b]")
_UNCASED_CHARACTER = re.compile(f"[{UNCASED}]")
_MACHINE_WORDS = (
    "bounce bounces e-mail email id mail mailto message messageid msg msgid prvs return returns"
    " unsubscribe verp"
)
_MACHINE_BACKWARD = (
    rf"(?:\d++|(?=[a-z]*\d)[a-z0-9]{{8,}}+|{'|'.join(w[::-1] for w in _MACHINE_WORDS.split())})"
)
_JOIN_BACKWARD = r"(?:[._+\-]|(?:[bde]2|f5)(?:52)*%)"
# Escapes (percent, quoted-printable, JSON) of what neither belongs to a name nor joins it to one.
_ESCAPE_BACKWARD = (
    r"(?!(?:[0-9]3|[1-9a-f][46]|[0-9a][57]|[bde]2|f5)(?:52)*%)[0-9a-f]{2}(?:52)*%"
    r"|(?:[acd]3|[02]2|[9ad]0)=|(?:[ce]3|[27]2)(?:00u|x)\\|[nrt]\\"
)

_EXTENSION = (
    r"(?:\.(?:7z|asc|avi|bin|bmp|bz2|cer|crt|csv|dat|der|docx?|eml|gif|gz|heic|html?|ics|jpe?g|json"
    r"|key|log|m4[av]|mbox|md5|mp[34]|msg|od[st]|p12|p7[bcms]|pdf|pem|pfx|pgp|png|pptx?|rar|rtf|sig"
    r"|svg|tar|tgz|tiff?|txt|vcf|vcs|wav|webm|webp|xls[mx]?|xml|xz|ya?ml|zip))+(?![\w\-]|\.\w)"
)
EXTENSION = re.compile(_EXTENSION)
"""The extensions of a file's name, in lower case, behind which nothing goes on."""
_GOES_ON = re.compile(
    rf"[a-z0-9]|(?:-[a-z0-9_\-]{{0,255}}+)?(?!{_EXTENSION})(?:\.|%2e)[a-z0-9]|-\d{{12}}b(?![a-z0-9])"
)
_BARE_GOES_ON = re.compile(r"[a-z0-9_\-]|\.[a-z0-9]")  # after a domain of one label

_IDENTIFIER = re.compile(
    r"(?:message-id|in-reply-to|references|content-id)\s*:[^\n]*\Z|\b[cm]id:[^\s<>\"]*\Z"
)
_IN_DOMAIN = re.compile(r"[\w.\-]")
_PLAIN = re.compile(r"[a-z0-9._\-]+")  # nothing in it is ever written as an escape


_NOTHING_FREE = ""
_FREE_IN_IDENTIFIER = rf"{_JOIN_BACKWARD}|"
_FREE_IN_ROUTE = r"[+\-]|[bd]2(?:52)*%|"


NEAR_OCTETS = frozenset(bytes((n,)) for n in range(256) if n > 127 or chr(n) in _NEAR)
"""What is one of the octets before a domain that may be part of an address and ends a text."""


def is_plain(key: str) -> bool:
    """Return whether an address, given by its key, is always written with its local part as is."""
    local, _, domain = key.rpartition("@")
    whole = _PLAIN.fullmatch(local) is not None and bool(local.strip("._-"))
    return whole and domain not in GMAIL


def is_near(low: str, at: int, end: int) -> bool:
    """Return, cheaply, whether a domain may be part of an address: nothing else makes a `hit`.

    Args:
        low: a lower-cased text.
        at: where the domain stands.
        end: where it ends.
    """
    return low[at - 1 : at] in _NEAR or low.startswith(_REWRITTEN, end)


def goes_on(low: str, end: int) -> bool:
    """Return whether a domain of several labels goes on behind a place of a lower-cased text."""
    return _GOES_ON.match(low, end) is not None


class Domain:
    """One spelling of a domain, with the local parts known there.

    Attributes:
        name: the domain as it may stand in a lower-cased text.
        locals: each known local part, lower case, and what replaces the address; None where it
            stays. Complete before the first `hit`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.locals: dict[str, str | None] = {}
        self._goes_on = _GOES_ON if "." in name else _BARE_GOES_ON
        self._exact: Collection[str] = self.locals  # all, as long as none has a tag
        self._compiled: dict[tuple[str, str], re.Pattern[str]] = {}

    def add_without_tag(self) -> None:
        """Add the address without its `+tag` for the first tagged one, one that stays first.

        It reaches the same person, so to whoever has a tagged one it is no secret.
        """
        if "+" not in "".join(self.locals):
            return
        self._exact = frozenset(self.locals)
        first_who_stays = sorted(self.locals.items(), key=lambda item: item[1] is not None)
        for local, replacement in first_who_stays:
            base, plus, _ = local.partition("+")
            if plus and base and not local.startswith('"'):
                self.locals.setdefault(base, replacement)

    def hit(self, low: str, at: int) -> Hit | None:
        """Find the known address whose domain stands at a position of a lower-cased text."""
        end = at + len(self.name)
        last = low[at - 1 : at]
        found = self._clear.find(low, at, end) if last == "@" else None
        if found is None and last in _AT_LAST and not self._goes_on.match(low, end):
            found = self._find_before(_AT_BACKWARD, _NOTHING_FREE, low, at)
            if found is None:
                found = self._find_before(_AT_BACKWARD, _FREE_IN_IDENTIFIER, low, at)
                if found and not _IDENTIFIER.search(low, max(0, at - _WINDOW), at):
                    found = None
        elif last in _ROUTED_LAST and low.startswith(_NEXT_AT, end):
            found = self._find_before(_ROUTED_BACKWARD, _FREE_IN_ROUTE, low, at)
        if found is None and low.startswith(_REWRITTEN, end):
            found = self._find_rewritten_address(low, at)
        if found is None or found[2] is None:
            return None
        return found[0], found[1], found[2]

    def lookup(self, local: str) -> str | None:
        """Return what replaces an address; None for one that stays, or nobody's."""
        for each in (local, local.partition("+")[0]):
            if each in self._exact or each in self.locals:
                return self.locals[each]
            if self.name in GMAIL:
                plain = each.replace(".", "")
                for known, new in self.locals.items():
                    if known.replace(".", "") == plain:
                        return new
        return None

    def _find_before(self, separator: str, free: str, low: str, at: int) -> _Found | None:
        """Find a known local part before a domain; the patterns are those of `_backward`."""
        window = low[max(0, at - _WINDOW) : at]
        if self._names:
            # No such name has a blank inside, and nothing looks behind one.
            window = window[max(0, window.rfind(" "), window.rfind("\n")) :]
        if not window.isascii() and self._ascii:
            window = _FOREIGN.sub(_of_its_kind, window)
        backward = window[::-1]
        if self._names:
            found = self._find_by_name(separator, free, backward)
        else:
            found = self._find_by_pattern(separator, free, backward)
        if found is None:
            return None
        length, replacement, between = found
        return at - length, at + len(self.name), _spell(replacement, between[::-1])

    def _find_by_pattern(self, separator: str, free: str, backward: str) -> _Backward | None:
        match = self._backward(separator, free).match(backward)
        if match is None:
            return None
        spelled = match[str(match.lastgroup)][::-1]
        return match.end(), self._choose_replacement(match, spelled), match["separator"]

    def _find_by_name(self, separator: str, free: str, backward: str) -> _Backward | None:
        """Do what the pattern of `_backward` does, in its order, with none compiled for the names.

        Each order has its own names, and compiling takes longer than all the rest of the search.
        """
        match = _SEPARATORS[separator].match(backward)
        if match is None:
            return None
        left = _compile_left(free, self._ascii)
        for start in _iter_starts(backward, match.end()):
            quoted = backward.startswith('"', start)
            for opening in (1, 0) if quoted else (0,):
                for end, new in self._names.iter_at(backward, start + opening):
                    if opening and not backward.startswith('"', end):
                        continue
                    if left.match(backward, end + opening):
                        return end + opening, new, match[0]
                    if opening:  # a quotation mark parts even from what it touches
                        return end, new, match[0]
        return None

    @cached_property
    def _names(self) -> BackwardNames:
        names = [local for _, local in self._longest_first()]
        return BackwardNames(names, self.locals, self._exact, dotted=self.name in GMAIL)

    def _find_rewritten_address(self, low: str, at: int) -> _Found | None:
        """Find what has the domain first: `doe.example=john@` (SRS), `doe.example!john` (UUCP)."""
        end = at + len(self.name)
        match = (self._forward if low[end] == "=" else self._bang).match(low, end + 1)
        if match is None or _IN_DOMAIN.match(low[at - 1 : at]):
            return None
        replacement = self._choose_replacement(match, str(match[str(match.lastgroup)]))
        if replacement is None:
            return at, match.end(), None
        local, _, domain = replacement.rpartition("@")
        return at, match.end(), f"{domain}{low[end]}{local}" if local else domain

    def _choose_replacement(self, match: re.Match[str], spelled: str) -> str | None:
        """Return what replaces a match: one spelled exactly so is meant before any other."""
        if spelled in self._exact:
            return self.locals[spelled]
        return list(self.locals.values())[int(str(match.lastgroup)[1:])]

    @cached_property
    def _clear(self) -> ClearAddresses:
        return ClearAddresses(self.locals if self.name not in GMAIL else {})

    @cached_property
    def _ascii(self) -> bool:
        return all(local.isascii() for local in self.locals)

    @cached_property
    def _forward(self) -> re.Pattern[str]:
        return re.compile(rf"(?:{self._names_forward})(?=@|%40)")

    @cached_property
    def _bang(self) -> re.Pattern[str]:
        return re.compile(rf"(?:{self._names_forward})(?![.\-]*[\w+%!=])")

    @cached_property
    def _names_forward(self) -> str:
        return "|".join(f"(?P<k{i}>{re.escape(local)})" for i, local in self._longest_first())

    def _backward(self, separator: str, free: str) -> re.Pattern[str]:
        """Compile what may precede the domain; `free` is a pattern of more that ends a name."""
        if (separator, free) not in self._compiled:
            self._compiled[separator, free] = self._pattern(separator, free)
        return self._compiled[separator, free]

    def _pattern(self, separator: str, free: str) -> re.Pattern[str]:
        names = "|".join(f"(?P<k{i}>{self._local(local)})" for i, local in self._longest_first())
        left = _compile_left(free, self._ascii).pattern
        # A quotation mark parts even from what it touches.
        begin = rf"(?(2)(?:\"{left}|(?=\"))|{left})"
        whole = rf"(?P<separator>{separator}){_TAG_BACKWARD}(\")?(?:{names}){begin}"
        return re.compile(whole)

    def _longest_first(self) -> list[tuple[int, str]]:
        """Return the names with their places; dots at Gmail count nothing; who stays is first."""
        dotted = self.name in GMAIL

        def order(item: tuple[int, str]) -> tuple[int, bool]:
            name = item[1].replace(".", "") if dotted else item[1]
            return -len(name), self.locals[item[1]] is not None

        return sorted(enumerate(self.locals), key=order)

    def _local(self, local: str) -> str:
        """Write the backward pattern of one local part."""
        between = ""
        if self.name in GMAIL:
            local, between = local.replace(".", ""), r"\.*"
        pattern = between + between.join(_escape_pattern(c) for c in reversed(local))
        return pattern if local[:1].isascii() else rf"{pattern}(?![{UNCASED}])"


@lru_cache(maxsize=8)
def _compile_left(free: str, narrow: bool) -> re.Pattern[str]:
    """Compile what may stand to the left of a name; `narrow` where other letters are replaced."""
    uncased = _ONE_UNCASED if narrow else UNCASED
    word = rf"(?:(?![{uncased}])[^\W_])"
    return re.compile(
        rf"(?=\Z|{free}{_JOIN_BACKWARD}(?:{_JOIN_BACKWARD}|(?!{word}))"
        rf"|{_JOIN_BACKWARD}{_MACHINE_BACKWARD}(?!{word})|{_ESCAPE_BACKWARD}"
        rf"|[^\w.+\-]|[{uncased}])"
    )


def _iter_starts(backward: str, end: int) -> Iterator[int]:
    """Yield the places where a name may begin: behind the separator, or behind a tag."""
    yield end
    tag = _TAG.match(backward, end)
    last = tag.end() if tag else end
    for match in _TAG_END.finditer(backward, end, last + len("b2%")):
        if match.start() <= last:
            yield match.end()


def _of_its_kind(match: re.Match[str]) -> str:
    """Return the character that stands for all of one's kind."""
    if _UNCASED_CHARACTER.match(match[0]):
        return _ONE_UNCASED
    return _ONE_LETTER if match[0].isalnum() else _ONE_OTHER


def _escape_pattern(character: str) -> str:
    """Write the backward pattern of one character that may stand percent-encoded, also twice."""
    forms = list_forms(character)
    return re.escape(character) if len(forms) == 1 else f"(?:{'|'.join(map(re.escape, forms))})"


def _spell(address: str | None, separator: str) -> str | None:
    """Write an address with a separator as it was found."""
    if address is None:
        return None
    local, at, domain = address.rpartition("@")
    if not at or not separator.isascii():
        return address
    if separator.startswith("%4"):
        local = quote(local, safe="")
    return f"{local}{separator}{domain}"
