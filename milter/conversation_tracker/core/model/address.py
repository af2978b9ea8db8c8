"""All mailboxes in a header value, with the exact place of each.

No mailbox is ever given another address than the one a reply would go to; where readers of mail may
differ, every candidate is reported, or one without an address. Spans are of raw bytes, so that an
address can be replaced and every other byte stays. Nothing here raises on any value; `Address` and
`AddressError` are those of `addr_spec`; what stands between two commas is read in `mailbox`.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from conversation_tracker.core.base.limits import check_each, no_limit
from conversation_tracker.core.model.mailbox import Element, Mailbox, is_sign, unquote
from conversation_tracker.core.syntax.addr_spec import Address, AddressError
from conversation_tracker.core.syntax.tokens import (
    CHUNK,
    SIGN,
    Token,
    split_tokens,
)

__all__ = [
    "Address",
    "AddressError",
    "Mailbox",
    "find_mailboxes",
    "read_one",
    "split_elements",
    "unquote",
]


# What most values are: one address, alone or behind a plain name. All else is read token by token.
_ONE = re.compile(
    rb"(?:\"(?P<string>[\w .\-]*)\" ?|(?P<phrase>[\w\-]+(?: [\w\-]+)*)? ?)"
    rb"<(?P<angle>[\w.+\-]+@[\w.\-]+)>|(?P<bare>[\w.+\-]+@[\w.\-]+)"
)

_SHORT = 2_000  # bytes of a value of which several are remembered
_MANY = 2_000  # mailboxes of a longer one that is not remembered
_AT = ord("@")
_PARTING, _GROUP, _CLOSING = b",;:", ord(":"), (ord("<"), ord(">"))


def find_mailboxes(value: bytes, check: Callable[[], None] = no_limit) -> list[Mailbox]:
    """Find every mailbox in the value of an address header.

    Reads RFC 5322 sections 3.4 and 4.4 and RFC 6532, and what is none of it as well as it can:
    groups, comments, source routes, missing commas, things never closed. A word without an at sign
    is text, unless nothing else stands in the whole value.

    Args:
        value: a raw header value, folded or not.
        check: raises `Overdue` when the time is over; a short value asks for none.

    Returns:
        The mailboxes, ascending and not overlapping. One whose address is None stands for text
        in the place of an address.
    """
    # The same From is asked for over and over while a message is looked at.
    return list(_parse_once(value) if len(value) <= _SHORT else _LAST.find(value, check))


@lru_cache(maxsize=64)
def _parse_once(value: bytes) -> tuple[Mailbox, ...]:
    return tuple(_parse(value))


class _LastValues:
    """The last long values with the mailboxes in them; not of many, which take much room."""

    def __init__(self) -> None:
        self._found: tuple[tuple[bytes, tuple[Mailbox, ...]], ...] = ()

    def find(self, value: bytes, check: Callable[[], None]) -> tuple[Mailbox, ...]:
        for known, boxes in self._found:
            if known == value:
                return boxes
        boxes = tuple(_parse(value, check))
        if len(boxes) <= _MANY:
            self._found = (*self._found[-1:], (value, boxes))
        return boxes


_LAST = _LastValues()


def read_one(value: bytes) -> Mailbox | None:
    """Read a value that is one address, alone or behind a plain name in ASCII.

    Args:
        value: a raw header value.

    Returns:
        The one mailbox `find_mailboxes` gives; None where the value is anything else.
    """
    return _read_once(value) if len(value) <= _SHORT else _read(value)


def _read(value: bytes) -> Mailbox | None:
    match = _ONE.fullmatch(value)
    if match is None:
        return None
    place = "bare" if match["bare"] is not None else "angle"
    try:
        address = Address.parse(match[place])
    except AddressError:
        return None
    words = (match["string"] or match["phrase"] or b"").decode("ascii").split()
    return Mailbox(match.start(place), match.end(place), address, " ".join(words))


_read_once = lru_cache(maxsize=64)(_read)


def _parse(value: bytes, check: Callable[[], None] = no_limit) -> list[Mailbox]:
    if (only := read_one(value)) is not None:
        return [only]
    return _parse_tokens(value, check)


def _parse_tokens(value: bytes, check: Callable[[], None] = no_limit) -> list[Mailbox]:
    found: list[Mailbox] = []
    text: Token | None = None
    for element, sign in check_each(_split_tokens(value, check), check):
        if not element:
            continue
        before = len(found)
        reader = Element(value, found, check)
        reader.parse(element)
        if len(found) == before and sign != _GROUP and reader.words and not reader.nobody:
            first, last = reader.words[0], reader.words[-1]
            text = text or (CHUNK, first[1], last[2])
    if text and not found:
        found.append(Mailbox(text[1], text[2], None, ""))
    return found


def _split_tokens(value: bytes, check: Callable[[], None]) -> Iterator[tuple[list[Token], int]]:
    """Cut the tokens at commas, semicolons and colons, except those of a source route.

    Gives each element with the sign that ended it; 0 at the end of the value.
    """
    element: list[Token] = []
    route = False
    for token in split_tokens(value, check):
        kind, start, _ = token
        if kind == SIGN:
            sign = value[start]
            if sign in _PARTING and not route:
                yield element, sign
                element = []
                continue
            route = route and sign != _GROUP and sign not in _CLOSING
        elif kind == CHUNK and value[start] == _AT and element:
            route = route or is_sign(value, element[-1], b"<")
        element.append(token)
    yield element, 0


def split_elements(
    value: bytes, check: Callable[[], None] = no_limit
) -> Iterator[tuple[int, int, bytes]]:
    """Cut a value into the elements of its list: mailboxes, and the names of groups.

    Args:
        value: a raw header value, folded or not.
        check: raises `Overdue` when the time is over.

    Returns:
        Start and end of each, and the sign that ends it: a comma, a semicolon, a colon or nothing.
    """
    for element, sign in check_each(_split_tokens(value, check), check):
        start, end = (element[0][1], element[-1][2]) if element else (0, 0)
        yield start, end, bytes((sign,)) if sign else b""


def needs_smtputf8(address: Address | None) -> bool:
    """Whether mail to an address must be sent with SMTPUTF8 (RFC 6531): its local part shows."""
    return address is not None and not str(address).isascii()
