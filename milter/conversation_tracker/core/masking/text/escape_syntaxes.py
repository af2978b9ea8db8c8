r"""How characters are written in other ways than by themselves: the escapes of many formats.

Character references, percent, quoted-printable, scripts (`\x40`, `\u{40}`, `\100`), UTF-7, what
follows ESC in terminals and ISO-2022-JP; and apart, as they contradict those, style sheets
(`\40 `). RTF has its own in `rich_text`, letters of another width in `composed_characters`.
Each family gives the pieces of a text that mean something else. Time is linear.
Nothing here raises.
"""

import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from urllib.parse import unquote

from conversation_tracker.core.masking.address.reading import Piece
from conversation_tracker.core.masking.text import composed_characters
from conversation_tracker.core.syntax.control_sequences import OTHER_SCRIPT, SEQUENCE
from conversation_tracker.core.syntax.references import unescape

Family = tuple["EscapeSyntax", ...]

_ANY_FLAGS = re.IGNORECASE
_REFERENCE = re.compile(r"&(?:#0{0,24}[0-9]{1,7}|#x0{0,24}[0-9a-f]{1,6}|[a-z]{2,16});?", _ANY_FLAGS)
_PERCENT = re.compile(
    r"%(?:u00[2-7][0-9a-f]|(?:25)*(?:[0-7][0-9a-f])|(?:25)*[c-f][0-9a-f](?>(?:%(?:25)*[89ab][0-9a-f]){1,3}))",
    _ANY_FLAGS,
)
_TWENTY_FIVE = re.compile(r"%(?:25)+")
_QUOTED = re.compile(
    r"=(?:[2-7][0-9a-f]|[ \t]{0,8}\r?\n(?:[ \t]{0,8}[>|][>| \t]{0,80})?)", _ANY_FLAGS
)
SOFT_BREAK = re.compile(r"=(?<=[\w@.+\-%&#;\\]=)[ \t]{0,8}\r?\n(?=[ \t>|]{0,80}[\w@.=%&#;\\])")
"""A soft line break of quoted-printable, amid what may be an address, or an escape in one."""
_SCRIPT = re.compile(
    r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|u\{0{0,8}([0-9a-f]{1,6})\}|U([0-9a-f]{8})"
    r"|([0-3]?[0-7]{2})|([@._+\-/])|(e|[nrt])|\r?\n)",
    _ANY_FLAGS,
)
_STYLE = re.compile(  # in JSON a backslash is doubled
    r"\\{1,4}([0-9a-f]{1,6})(?:\r\n|[ \t\r\n\f])?|\\([@._+\-])|\\(?:\r\n|[\r\n\f])", _ANY_FLAGS
)
# What Exchange writes for an address of another kind of mail.
_ENCAPSULATED = re.compile(r"(imcea[a-z]{1,12}-)([a-z0-9+_=.\-/]{1,320})@", _ANY_FLAGS)
_IN_ENCAPSULATED = re.compile(r"\+([2-7][0-9a-f])", _ANY_FLAGS)
_ONE_SEVEN = re.compile(r"\+(A[A-H][A-Za-z0-9+/])(?:-|(?![A-Za-z0-9+/]))")
# Characters in ASCII as UTF-7 has them: three in eight letters, so that little else looks like it.
_FIRST, _SECOND = "A[A-H][AEIMQUYcgkosw048]", "A[A-Za-f][AQgw]"
_SEVEN = re.compile(
    rf"[+&](?=A)((?>(?:{_FIRST}{_SECOND}[AB][A-Za-z0-9+/,])*)(?:{_FIRST}(?:{_SECOND})?)?)"
    r"(?:-|(?![A-Za-z0-9+/]))"
)
_WORD_IN_FORM = r"(?:at|\u00e4t|arroba|arobase|chez|dot|punkt|punto|ponto|point|punt)"
_FORM = re.compile(rf"\+([(\[{{<\"]{{0,2}}{_WORD_IN_FORM}[)\]}}>\"]{{0,2}})(?=\+)\+", _ANY_FLAGS)
# Of two octets each: letters of another width, signs of an address, and all else.
_DOUBLE = re.compile(r"\x1b(?:\$(?:[@AB]|\([@-F])|\(I)")
_LONGEST_LINE = 8192  # characters
_PAIRS = re.compile(r"#([!-~])|!([%w2\]\\])|(?:(?!#[!-~]|![%w2\]\\])[!-~]{2})+")
_SIGNS_IN_PAIRS = {"%": ".", "w": "@", "2": "_", "]": "-", "\\": "+"}
_BLANKS = "\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f"
# Control characters, and line ends that few programs know as such: most show nothing for them.
_CONTROLS = [chr(n) for n in (*range(9), 11, 12, *range(14, 32), *range(127, 160), 0x2028, 0x2029)]
# Signs as names of files and of columns have them, and by their number.
_NUMBERED = re.compile(r"u\+0040|_(?:40(?![0-9]{1,60}\.)(?=[a-z0-9\-])|2[bde]|5f)", _ANY_FLAGS)
# Printers write a character over another: bold, or with a line below, whichever comes first. This
# is one in what may be an address: octets that are no text have any number of others.
_OVERSTRUCK = re.compile(
    r"\x08(?:(?<=([\w@.+\-])\x08)\1|(?<=_\x08)[\w@.+\-]|_(?<=[\w@.+\-]\x08_))", _ANY_FLAGS
)
_BACK = re.compile("\b")
_SHORT = 32  # characters of an escape that is remembered
# In text/enriched and text/richtext, what stands in some elements is not shown.
_TAGS = re.compile(
    r"<(?:!--[^<>]{0,500}--|(?:param|comment)>[^<>]{0,300}</(?:param|comment)"
    r"|/?(?:[a-z][a-z0-9:_\-]{0,40}|x-[a-z0-9:._\-]{1,40})(?:[\s/][^<>]{0,500})?)>",
    _ANY_FLAGS,
)

_LESS, _MORE = (
    rf"(?:&(?>(?:amp;)*)(?:{name}|#0*{number}|#x0*{digits});|\\(?:u00|x){digits}|%(?:25)*{digits})"
    for name, number, digits in (("lt", 60, "3c"), ("gt", 62, "3e"))
)
_WRITTEN_TAG = re.compile(
    rf"{_LESS}(?:!--|/?[a-z])(?:(?!{_LESS}).){{0,300}}?{_MORE}", _ANY_FLAGS | re.DOTALL
)

_KEPT = re.compile(rf"{_TAGS.pattern}|\x1b\[[0-?]*+[ -/]*+[@-~]|\x1b\([BJ]", _ANY_FLAGS)


class EscapeSyntax:
    """One way of writing characters.

    Args:
        signs: one of these is in every text that has such.
        pattern: what is one.
        meant: what it means; the same text where it is none.
    """

    def __init__(
        self,
        signs: tuple[str, ...],
        pattern: re.Pattern[str],
        meant: Callable[[re.Match[str]], str],
    ) -> None:
        self._signs = signs
        self._pattern = pattern
        self._meant = meant

    def find(self, text: str) -> Iterator[Piece]:
        """Yield the pieces of a text that mean something else."""
        for sign in self._signs:  # in a loop, as this is asked so often
            if sign in text:
                break
        else:
            return
        for match in self._pattern.finditer(text):
            if (meant := self._meant(match)) != match[0]:
                yield *match.span(), meant


class _ComposedCharacters(EscapeSyntax):
    """Characters of another width, without width, and those that several others make."""

    def __init__(self) -> None:
        super().__init__((), composed_characters.WIDE, lambda match: match[0])

    def find(self, text: str) -> Iterator[Piece]:
        """Yield the pieces of a text that mean something else."""
        yield from composed_characters.find_pieces(text)


class _Encapsulated(EscapeSyntax):
    """Addresses inside others, as `IMCEASMTP-john+2Edoe+40home+2Eexample@`."""

    def __init__(self) -> None:
        super().__init__((), _ENCAPSULATED, lambda match: match[0])

    def find(self, text: str) -> Iterator[Piece]:
        """Go through the pieces of a text that mean something else."""
        if not holds_word(text, "imcea"):
            return
        for whole in self._pattern.finditer(text):
            yield *whole.span(1), " "
            for sign in _IN_ENCAPSULATED.finditer(text, *whole.span(2)):
                yield *sign.span(), chr(int(sign[1], 16))


class _ControlSequences(EscapeSyntax):
    """What follows ESC: of double bytes, each letter of another width is a piece of its own."""

    def __init__(self) -> None:
        signs = ("\x1b", "\x9b", "\x0e", "\x0f", "^", "#033[")
        super().__init__(signs, SEQUENCE, lambda match: OTHER_SCRIPT if match[1] else "")

    def find(self, text: str) -> Iterator[Piece]:
        """Go through the pieces of a text that mean something else."""
        for start, end, meant in super().find(text):
            at = _DOUBLE.match(text, start) if meant else None
            if at is None or at[0].endswith("I"):
                yield start, end, meant
                continue
            first = at.end()
            yield start, first, ""
            for pair in _PAIRS.finditer(text, first, end):
                yield *pair.span(), pair[1] or _SIGNS_IN_PAIRS.get(pair[2], OTHER_SCRIPT)


class _Overstruck(EscapeSyntax):
    """Characters over which others are written."""

    def __init__(self) -> None:
        super().__init__(("\b",), _OVERSTRUCK, lambda _match: "")

    def find(self, text: str) -> Iterator[Piece]:
        """Go through the pieces of a text that are not seen."""
        if "\b" not in text or self._pattern.search(text) is None:
            return
        for back in _BACK.finditer(text):
            at = back.start()
            if text.startswith("_", at + 1):
                yield at, at + 2, ""
            elif text[max(0, at - 1) : at] not in ("", "\b", "\r", "\n"):
                yield at - 1, at + 1, ""


def holds_word(text: str, word: str) -> bool:
    """Return whether a word in ASCII and lower case stands in a text, in any letter case."""
    if text.isascii():
        return word in text.lower()
    # To write all else in lower case takes many times as long.
    return word.encode("ascii") in text.encode("utf-8", "surrogatepass").lower()


def holds_escapes(text: str) -> bool:
    """Return whether anything in a text is written otherwise, with signs in ASCII."""
    written = (each for each in COMMON if not isinstance(each, _ComposedCharacters))
    return any(next(each.find(text), None) is not None for each in written)


def _decode_reference(match: re.Match[str]) -> str:
    return _read_reference(match[0])


def _decode_percent(match: re.Match[str]) -> str:
    written = match[0]
    return _read_percent(written) if len(written) < _SHORT else _unquote(written)


@lru_cache(maxsize=1024)
def _read_reference(written: str) -> str:
    meant = unescape(written)
    return meant if meant != written else unescape(written.lower())


def _unquote(written: str) -> str:
    if written[1] in "uU":
        return chr(int(written[2:], 16))
    return unquote(_TWENTY_FIVE.sub("%", written), errors="replace")


_read_percent = lru_cache(maxsize=1024)(_unquote)  # a page has the same few, over and over


def _decode_quoted(match: re.Match[str]) -> str:
    return chr(int(match[0][1:], 16)) if match[0][1] in "234567" else ""


def _decode_script(match: re.Match[str]) -> str:
    if match[6]:
        return match[6]
    if match[7]:
        return "\x1b" if match[7] in "eE" else " " if match[7] in "tT" else "\n"
    if match[5]:
        return chr(int(match[5], 8))
    if match[0][1] in "\r\n":  # a line that goes on
        return ""
    return make_character(int(match[1] or match[2] or match[3] or match[4], 16))


def _decode_style(match: re.Match[str]) -> str:
    return match[2] or (make_character(int(match[1], 16)) if match[1] else "")


def _decode_utf7(match: re.Match[str]) -> str:
    code = match[1].replace(",", "/")
    return binascii.a2b_base64(code + "=" * (-len(code) % 4)).decode("utf-16-be", "replace")


def _decode_numbered(match: re.Match[str]) -> str:
    return chr(int(match[0][-2:], 16))


def make_character(number: int) -> str:
    """Make the character of a number; a mark where it has none."""
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"


REFERENCES = EscapeSyntax(("&",), _REFERENCE, _decode_reference)
PERCENTS = EscapeSyntax(("%",), _PERCENT, _decode_percent)
# These two join lines, too.
_JOINING = (
    EscapeSyntax(("=",), _QUOTED, _decode_quoted),
    EscapeSyntax(("\\",), _SCRIPT, _decode_script),
)
COMMON: Family = (
    REFERENCES,
    PERCENTS,
    *_JOINING,
    EscapeSyntax(("+A",), _ONE_SEVEN, _decode_utf7),
    _ControlSequences(),
    _ComposedCharacters(),
    _Encapsulated(),
)
"""Those that go together in one text."""
_NOT_SHOWN = EscapeSyntax(tuple(_CONTROLS), re.compile(f"[{''.join(_CONTROLS)}]+"), lambda _: "")
UNUSUAL: Family = (
    *COMMON,
    EscapeSyntax(tuple(_BLANKS), re.compile(f"[{_BLANKS}]"), lambda _: " "),
    EscapeSyntax(("..",), re.compile(r"\.{2,8}(?=\w)"), lambda _: "."),
    EscapeSyntax(("+A", "&A"), _SEVEN, _decode_utf7),
    EscapeSyntax(("+",), _FORM, lambda match: f" {match[1]} "),
    EscapeSyntax(("+0040", "_40"), _NUMBERED, _decode_numbered),
    _Overstruck(),
    _NOT_SHOWN,
)
"""The same with what few programs write, and control characters: at length only."""
UNJOINED: tuple[Family, ...] = tuple(
    tuple(each for each in UNUSUAL if each not in _JOINING[:number]) for number in (1, 2)
)
"""Those of them without quoted-printable, and without all that joins lines: `=` may be anything."""
UNSEEN: Family = (_NOT_SHOWN, REFERENCES, PERCENTS)
"""Control characters, also those that begin a sequence: of bodies, looked for at length only."""
STYLE: Family = (REFERENCES, PERCENTS, EscapeSyntax(("\\",), _STYLE, _decode_style))
"""Those of style sheets."""
TAGGED: Family = (EscapeSyntax(("<",), _TAGS, lambda _: ""), REFERENCES)
"""Tags that are not seen, as of text/enriched (RFC 1896) and of pages shown as text."""
WRITTEN_TAGS: Family = (EscapeSyntax(("&", "\\", "%"), _WRITTEN_TAG, lambda _: ""), *COMMON)
"""Tags whose brackets are escaped, as in attributes: at length only, with what is in tags."""
UNUSUAL_STYLE: Family = (*STYLE, _NOT_SHOWN)
UNUSUAL_TAGGED: tuple[Family, ...] = ((TAGGED[0], *UNUSUAL), (TAGGED[0], *UNJOINED[-1]))
"""Both with more escapes: at length only."""


def find_double(source: str, place: int) -> str:
    """Return what calls for the double bytes in which a place of a text is; "" if it is in none.

    Longer lines than any in mail are not looked back through: each place would cost as much.
    """
    at = source.rfind("\x1b", max(0, place - _LONGEST_LINE), place)
    called = _DOUBLE.match(source, at) if at >= 0 else None
    line = source[at:place]
    return called[0] if called is not None and "\n" not in line and "\r" not in line else ""


def iter_kept(source: str) -> Iterator[str]:
    """Go through what stays of a source that is replaced: tags, and a terminal's state."""
    return (match[0] for match in _KEPT.finditer(source))


def find_pieces(text: str, family: Family) -> list[Piece]:
    """Return the pieces of a text that mean something else, in order."""
    return sort_pieces(each for dialect in family for each in dialect.find(text))


def sort_pieces(pieces: Iterable[Piece]) -> list[Piece]:
    """Sort pieces by their places; of those that begin together, the longest is first."""
    return sorted(pieces, key=lambda piece: (piece[0], -piece[1]))
