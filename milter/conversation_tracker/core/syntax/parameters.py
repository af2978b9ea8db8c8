"""Parameters of Content-Type and Content-Disposition, read where they stand in the raw value.

Tolerant of what mail holds: missing semicolons, unquoted spaces, continuations and charsets after
RFC 2231, encoded words inside quotes, raw 8-bit text. Each parameter knows the spans of its pieces,
so that one can be replaced and all others stay byte for byte. Nothing here raises.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from conversation_tracker.core.base.limits import check_each, no_limit
from conversation_tracker.core.syntax import charset
from conversation_tracker.core.syntax.encoded_words import decode_words
from conversation_tracker.core.syntax.splicing import splice

_MAIN = re.compile(rb"\s*+([^\s/;=\"]++(?:\s*+/\s*+[^\s/;=\"(]++)?)")
_PIECE = re.compile(
    rb"[;\s]*+(?>(?:\([^()]*+\)[;\s]*+)*)([^\s=;\"]++)\s*+=\s*+"
    rb"(\"(?>(?:[^\"\\]|\\.)*)\"?|[^;]*+)",
    re.DOTALL,
)
_BETWEEN = re.compile(rb"[;\s]*+(?>(?:\([^()]*+\)[;\s]*+)*)")
_NAME = re.compile(rb"(.+?)(?:\*([0-9]{1,4}))?(\*)?")
_QUOTED = re.compile(rb'\\(["\\])')
_ENDING = re.compile(rb"[\s(]")
_SHORT = 2_000  # octets of a value of which several are remembered
# A multipart/related names its root (RFC 2387 section 3.2), a message/partial its whole (RFC 2046).
_IDENTIFYING = ("start", "id")
_FREE_TEXT = (b"name", b"filename")  # unquoted, these are often written with spaces


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, with all pieces of it.

    Attributes:
        name: in lower case, without what RFC 2231 appends to it.
        value: decoded.
        raw: the value without quotes and escapes, not decoded further.
        spans: start and end of each piece, `name=value`, in the header value, in their order.
        extended: written in the way of RFC 2231.
    """

    name: str
    value: str
    raw: bytes
    spans: tuple[tuple[int, int], ...]
    extended: bool = False


class _Piece(NamedTuple):
    name: bytes
    number: int
    encoded: bool
    raw: bytes
    start: int
    end: int


def parse(value: bytes, check: Callable[[], None] = no_limit) -> tuple[str, tuple[Parameter, ...]]:
    """Read a value of the form `main; name=value; ...` (RFC 2045 section 5.1, RFC 2183, RFC 2231).

    Args:
        value: the raw header value, folded or not.
        check: raises `Overdue` when the time is over.

    Returns:
        What stands before the parameters, in lower case and without white space, and the
        parameters in order. A name may come twice, also once plain and once extended.
    """
    # The same Content-Type is asked for while a message is read, masked and copied.
    return _parse_once(value) if len(value) <= _SHORT else _parse(value, check)


@lru_cache(maxsize=64)
def _parse_once(value: bytes) -> tuple[str, tuple[Parameter, ...]]:
    return _parse(value, no_limit)


def _parse(value: bytes, check: Callable[[], None]) -> tuple[str, tuple[Parameter, ...]]:
    match = _MAIN.match(value)
    main = b"".join(match[1].split()).lower().decode("latin-1") if match else ""
    if b"=" not in value:
        return main, ()
    found: list[Parameter] = []
    continued: dict[bytes, list[_Piece]] = {}
    for piece in check_each(_find_pieces(value, match.end() if match else 0), check):
        if piece.number >= 0:
            continued.setdefault(piece.name, []).append(piece)
        else:
            found.append(_read_plain(piece))
    if continued:
        found.extend(_join_pieces(name, pieces) for name, pieces in continued.items())
        found.sort(key=lambda parameter: parameter.spans)
    return main, tuple(found)


def get_value(parameters: tuple[Parameter, ...], name: str) -> str:
    """Return a parameter's decoded value, "" where it is absent; the extended form goes first."""
    found: Parameter | None = None
    for each in parameters:
        if each.name == name and (found is None or (each.extended and not found.extended)):
            found = each
    return found.value if found is not None else ""


def mask_parameters(
    value: bytes,
    mask: Callable[[str], str],
    check: Callable[[], None] = no_limit,
    identifiers: Callable[[bytes], bytes] = lambda value: value,
) -> bytes:
    """Mask the decoded values of all parameters.

    Args:
        value: the raw header value.
        mask: gives the text with addresses replaced.

    Returns:
        The value with the changed parameters written anew; the same object if none changed.
    """
    edits: list[tuple[int, int, bytes]] = []
    for parameter in parse(value, check)[1]:
        text = mask(
            _mask_identifier(parameter.value, identifiers)
            if parameter.name in _IDENTIFYING
            else parameter.value
        )
        if text != parameter.value:
            first, *rest = parameter.spans
            edits.append((*first, render(parameter.name, text)))
            edits.extend((_find_separator(value, start), end, b"") for start, end in rest)
    return splice(value, sorted(edits)) if edits else value


def write_ascii(value: bytes) -> bytes:
    """Write the parameters anew that are in raw octets beyond ASCII, but for boundaries.

    Args:
        value: the raw header value.

    Returns:
        The value; the same object if none of them changed.
    """
    edits = [
        (*each.spans[0], render(each.name, each.value))
        for each in parse(value)[1]
        if not each.extended and each.name != "boundary" and not each.raw.isascii()
    ]
    return splice(value, edits) if edits else value


def _mask_identifier(identifier: str, identifiers: Callable[[bytes], bytes]) -> str:
    return identifiers(identifier.encode("utf-8", "replace")).decode("utf-8", "replace")


def render(name: str, text: str) -> bytes:
    """Write one parameter: quoted where it is printable ASCII, else after RFC 2231."""
    label = name.encode("latin-1", "replace")
    if text.isascii() and text.isprintable():
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return label + b'="' + escaped.encode("ascii") + b'"'
    return label + b"*=utf-8''" + quote(text, safe="", errors="replace").encode("ascii")


def _find_pieces(value: bytes, position: int) -> Iterator[_Piece]:
    while position < len(value):
        match = _PIECE.match(value, position)
        if match is None:
            # Behind all that stands before a name: from inside of it, it would fail again.
            between = _BETWEEN.match(value, position)
            position = value.find(b";", between.end() if between else position) + 1
            if not position:
                return
            continue
        position = match.end()
        name, number, encoded = _read_name(match[1].lower())
        raw, end = _unquote(name, match[2]), match.start(2) + len(match[2].rstrip())
        yield _Piece(name, number, encoded, raw, match.start(1), end)


def _read_name(written: bytes) -> tuple[bytes, int, bool]:
    """Read what RFC 2231 appends to a name: a piece's number, -1 for none; and if it is encoded."""
    name = _NAME.fullmatch(written) if b"*" in written else None
    if name is None:
        return written, -1, False
    return name[1], int(name[2]) if name[2] else 0 if name[3] else -1, bool(name[3])


def _unquote(name: bytes, written: bytes) -> bytes:
    if written.startswith(b'"'):
        inner = written[1:].removesuffix(b'"')
        return _QUOTED.sub(rb"\1", inner) if b"\\" in inner else inner
    token = written.strip()
    return token if name in _FREE_TEXT else _ENDING.split(token, maxsplit=1)[0]


def _read_plain(piece: _Piece) -> Parameter:
    text = decode_words(piece.raw)
    return Parameter(piece.name.decode("latin-1"), text, piece.raw, ((piece.start, piece.end),))


def _join_pieces(name: bytes, pieces: list[_Piece]) -> Parameter:
    ordered = sorted(pieces, key=lambda piece: piece.number)
    label, raws = "", []
    for number, piece in enumerate(ordered):
        raw = piece.raw
        if piece.encoded:
            if number == 0 and raw.count(b"'") > 1:
                start, _, raw = raw.split(b"'", 2)
                label = start.decode("latin-1")
            raw = unquote_to_bytes(raw)
        raws.append(raw)
    raw = b"".join(raws)
    # Some programs continue an encoded word over several pieces.
    text = charset.decode_text(raw, label) if ordered[0].encoded else decode_words(raw)
    spans = tuple((piece.start, piece.end) for piece in pieces)
    return Parameter(name.decode("latin-1"), text, raw, spans, extended=True)


def _find_separator(value: bytes, start: int) -> int:
    """Find where the semicolon before a piece stands, with the white space around it."""
    while start and value[start - 1] in b"; \t\r\n":
        start -= 1
    return start
