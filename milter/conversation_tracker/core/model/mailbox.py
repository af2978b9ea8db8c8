"""One mailbox in a header value: read from the tokens between two commas.

Nothing here raises on any value.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from conversation_tracker.core.base.limits import EVERY, check_each
from conversation_tracker.core.syntax.addr_spec import Address, AddressError
from conversation_tracker.core.syntax.encoded_words import decode_words
from conversation_tracker.core.syntax.tokens import (
    ANGLE,
    CHUNK,
    COMMENT,
    SIGN,
    STRING,
    Token,
)

_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
# A bare `example.com!john` or `john%example.com` is routed to John by some servers.
_ROUTED = re.compile(rb"[^!%]+[!%][^!%]+")
_AT, _DOT = ord("@"), ord(".")


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


def is_sign(value: bytes, token: Token, signs: bytes) -> bool:
    """Return whether a token is one of these signs."""
    return token[0] == SIGN and value[token[1]] in signs


class Element:
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
        """Read the tokens between two commas."""
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
            elif is_sign(self.value, token, b"<"):
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
            if element[last][0] == ANGLE or is_sign(value, element[last], b"<>"):
                break
            last += 1
        closed = last < len(element) and is_sign(value, element[last], b">")
        inner = [token for token in element[index:last] if token[0] != COMMENT]
        if not inner:
            self.nobody = self.nobody or closed
            return last + closed
        route = [i for i, token in enumerate(inner) if is_sign(value, token, b":")]
        routed = value[inner[0][1]] == _AT and len(route) == 1
        body = inner[route[0] + 1 :] if routed else inner
        parted = any(is_sign(value, token, b",;:") for token in body)
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
