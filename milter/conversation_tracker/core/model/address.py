"""All mailboxes in a header value, with the exact place of each.

No mailbox is ever given another address than the one a reply would go to; where readers of mail may
differ, every candidate is reported, or one without an address. Spans are of raw bytes, so that an
address can be replaced and every other byte stays. Nothing here raises on any value; `Address` and
`AddressError` are those of `addr_spec`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from conversation_tracker.core.base.limits import EVERY, check_each, no_limit
from conversation_tracker.core.syntax.addr_spec import Address, AddressError
from conversation_tracker.core.syntax.encoded_words import decode_words
from conversation_tracker.core.syntax.tokens import (
    ANGLE,
    CHUNK,
    COMMENT,
    SIGN,
    STRING,
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

_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
# A bare `example.com!john` or `john%example.com` is routed to John by some servers.
_ROUTED = re.compile(rb"[^!%]+[!%][^!%]+")

# What most values are: one address, alone or behind a plain name. All else is read token by token.
_ONE = re.compile(
    rb"(?:\"(?P<string>[\w .\-]*)\" ?|(?P<phrase>[\w\-]+(?: [\w\-]+)*)? ?)"
    rb"<(?P<angle>[\w.+\-]+@[\w.\-]+)>|(?P<bare>[\w.+\-]+@[\w.\-]+)"
)

_SHORT = 2_000  # bytes of a value of which several are remembered
_MANY = 2_000  # mailboxes of a longer one that is not remembered
_AT, _DOT = ord("@"), ord(".")
_PARTING, _GROUP, _CLOSING = b",;:", ord(":"), (ord("<"), ord(">"))


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address in a header value.

    Attributes:
        start: where the address begins, in bytes; a source route belongs to it, brackets do not.
        end: where it ends.
        address: None if what stands there is no valid address, or nobody can say which.
        name: the decoded display name, else the comment, else "".
    """

    start: int
    end: int
    address: Address | None
    name: str


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
        reader = _Element(value, found, check)
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
            route = route or _is(value, element[-1], b"<")
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


def _is(value: bytes, token: Token, signs: bytes) -> bool:
    return token[0] == SIGN and value[token[1]] in signs


class _Element:
    """Reads what stands between two commas; adds the mailboxes it finds to `found`."""

    def __init__(self, value: bytes, found: list[Mailbox], check: Callable[[], None]) -> None:
        self.value = value
        self.check = check
        self.found = found
        self.words: list[Token] = []
        self.comments: list[Token] = []
        self.nobody = False
        self._own = False

    def parse(self, element: list[Token]) -> None:
        index = 0
        while index < len(element):
            token = element[index]
            index += 1
            if not index % EVERY or not len(self.found) % EVERY:
                self.check()
            if token[0] == ANGLE:
                self._add(token[1] + 1, token[2] - 1, [(CHUNK, token[1] + 1, token[2] - 1)])
            elif token[0] == COMMENT:
                self._comment(token)
            elif _is(self.value, token, b"<"):
                index = self._angle(element, index)
            else:
                self.words.append(token)
        self._bare()

    def _comment(self, token: Token) -> None:
        if self._own and not self.words and not self.found[-1].name:
            name = _decode_comments(self.value, [token])
            self.found[-1] = replace(self.found[-1], name=name)
        else:
            self.comments.append(token)

    def _add(self, start: int, end: int, address: list[Token] | None) -> None:
        """Add the mailbox of an angle address; the words so far are its name."""
        name = _decode_phrase(self.value, self.words) or _decode_comments(self.value, self.comments)
        self.found.append(Mailbox(start, end, _read_address(self.value, address), name))
        self.words, self.comments, self._own = [], [], True

    def _angle(self, element: list[Token], index: int) -> int:
        """Read from behind a "<" to its ">", or to where it must have been forgotten."""
        value = self.value
        last = index
        while last < len(element):
            if element[last][0] == ANGLE or _is(value, element[last], b"<>"):
                break
            last += 1
        closed = last < len(element) and _is(value, element[last], b">")
        inner = [token for token in element[index:last] if token[0] != COMMENT]
        if not inner:
            self.nobody = self.nobody or closed
            return last + closed
        route = [i for i, token in enumerate(inner) if _is(value, token, b":")]
        routed = value[inner[0][1]] == _AT and len(route) == 1
        body = inner[route[0] + 1 :] if routed else inner
        parted = any(_is(value, token, b",;:") for token in body)
        clusters = [] if parted else list(_find_clusters(value, body))
        address = clusters[0] if len(clusters) == 1 else None
        if (closed and not parted) or _read_address(value, address):
            self._add(inner[0][1], inner[-1][2], address)
        else:
            self.words += [(SIGN, inner[0][1], inner[0][1]), *inner]
        return last + closed

    def _bare(self) -> None:
        """Find the addresses among words that no angle address followed."""
        value = self.value
        clusters = list(_find_clusters(value, check_each(self.words, self.check)))
        boxes: list[Mailbox] = []
        name: list[Token] = []
        for cluster in check_each(clusters, self.check):
            if not _has_at(value, cluster) and not (
                len(clusters) == 1 and _has_route(value, cluster)
            ):
                name += cluster
                continue
            # Among other words, who can say that `Mr. john@example.com` has blanks inside?
            doubtful = len(clusters) > 1 and any(a[2] != b[1] for a, b in pairwise(cluster))
            address = None if doubtful else _read_address(value, cluster)
            if address is None and not doubtful:
                cluster = _trim(cluster)
                address = _read_address(value, cluster)
            boxes.append(
                Mailbox(cluster[0][1], cluster[-1][2], address, _decode_phrase(value, name))
            )
            name = []
        if len(boxes) == 1 and not boxes[0].name:
            words = _decode_phrase(value, name) or _decode_comments(value, self.comments)
            boxes[0] = replace(boxes[0], name=words)
        self.found += boxes


def _find_clusters(value: bytes, words: Iterable[Token]) -> Iterator[list[Token]]:
    """Put together the words that make one address if they make any.

    Words belong together if they touch, or if a dot or an at sign is where they part: blanks and
    comments may stand there in the obsolete syntax (RFC 5322 section 4.4).
    """
    cluster: list[Token] = []
    for token in words:
        if token[0] == SIGN and (token[1] == token[2] or value[token[1]] in b",;:<"):
            if cluster:
                yield cluster
            cluster = []
            continue
        if cluster and not _belongs_together(value, cluster[-1], token):
            yield cluster
            cluster = []
        cluster.append(token)
    if cluster:
        yield cluster


def _belongs_together(value: bytes, left: Token, right: Token) -> bool:
    return (
        left[2] == right[1]
        or (left[0] == CHUNK and value[left[2] - 1] in (_AT, _DOT))
        or (right[0] == CHUNK and value[right[1]] in (_AT, _DOT))
    )


def _has_at(value: bytes, cluster: list[Token]) -> bool:
    return any(kind == CHUNK and value.find(b"@", s, e) >= 0 for kind, s, e in cluster)


def _has_route(value: bytes, cluster: list[Token]) -> bool:
    kind, start, end = cluster[0]
    return len(cluster) == 1 and kind == CHUNK and bool(_ROUTED.fullmatch(value, start, end))


def _trim(cluster: list[Token]) -> list[Token]:
    """Take off signs that were never closed, or never opened, around an address."""
    first, last = 0, len(cluster)
    while first < last - 1 and cluster[first][0] == SIGN:
        first += 1
    while last > first + 1 and cluster[last - 1][0] == SIGN:
        last -= 1
    return cluster[first:last]


def _read_address(value: bytes, cluster: list[Token] | None) -> Address | None:
    if cluster is None:
        return None
    text = b"".join([value[start:end] for _, start, end in cluster])
    if len(cluster) > 1:
        text = _FOLD.sub(b"", text)
    try:
        return Address.parse(text)
    except AddressError:
        return None


def _decode_phrase(value: bytes, words: list[Token]) -> str:
    """Decode a display name: quoted strings by themselves, all else in one piece."""
    if not words:
        return ""
    start = words[0][1]
    parts: list[str] = []
    for kind, first, last in words:
        if kind == STRING:
            parts += (decode_words(value[start:first]), unquote(value[first:last]))
            start = last
    parts.append(decode_words(value[start : words[-1][2]]))
    return " ".join("".join(parts).split())


def _decode_comments(value: bytes, comments: list[Token]) -> str:
    return " ".join(" ".join(unquote(value[s:e]).split()) for _, s, e in comments)


def unquote(data: bytes) -> str:
    """Decode the inside of a quoted string or comment, given with its delimiters."""
    inner = data[1:-1]
    return decode_words(_PAIR.sub(rb"\1", inner) if b"\\" in inner else inner)


def needs_smtputf8(address: Address | None) -> bool:
    """Whether mail to an address must be sent with SMTPUTF8 (RFC 6531): its local part shows."""
    return address is not None and not str(address).isascii()
