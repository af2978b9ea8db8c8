"""Authentication-Results, read so strictly that nothing in it can pass for another thing.

The grammar is that of RFC 8601 section 2.2, without what no verifier writes and only a forger has a
use for: escapes and comments inside words, blanks around `=` and `.`, versions of methods. Comments
and quoted strings are passed over as a whole. A field that breaks a rule anywhere says nothing at
all. Nothing here raises.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

LONGEST = 8_192
"""Octets of a field's value; a longer one says nothing."""

_UNSEEN = re.compile(rb"[\0-\x08\x0b-\x1f\x7f]")
_NAME = re.compile(rb"\s*+(?:\"([!#-\[\]-~]++)\"|([^\s\";()=]++))(?=[\s;]|\Z)")
_BLANKS = re.compile(rb"\s*+")
_COMMENT = re.compile(rb"[()]|\\.", re.DOTALL)
_AFTER_COMMENT = (b"", b";", b" ", b"\t", b"\n", b"\r")
_VERSION = re.compile(rb"[0-9]++(?=[\s;]|\Z)")
_RESULT = re.compile(rb"([A-Za-z][A-Za-z0-9-]*+)=([A-Za-z][A-Za-z0-9-]*+)(?=[\s;]|\Z)")
_NONE = re.compile(rb"none(?=[\s;]|\Z)", re.IGNORECASE)
_PROPERTY = re.compile(
    rb"([A-Za-z][A-Za-z0-9._-]*+)=(\"(?:[^\"\\]++|\\.)*\")?([^\s;()\"]*+)(?=[\s;]|\Z)", re.DOTALL
)


class _Broken(ValueError):
    """The field is not what a verifier writes."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one method found.

    Attributes:
        method: in lower case.
        result: in lower case.
        properties: the values by their names, `header.d`, in lower case; a quoted one without its
            quotes.
        repeated: a name comes twice, and nobody knows which one is meant.
    """

    method: str
    result: str
    properties: Mapping[str, str]
    repeated: bool = False


def parse_results(value: bytes, authserv_id: str) -> tuple[Result, ...]:
    """Read the value of one Authentication-Results field.

    Args:
        value: the raw value, folded or not.
        authserv_id: whose results to read; letter case does not matter.

    Returns:
        The results in order; none where the field is another verifier's, or breaks a rule.
    """
    if len(value) > LONGEST or _UNSEEN.search(value):
        return ()
    named = _NAME.match(value)
    if named is None or (named[1] or named[2]).lower() != authserv_id.lower().encode("ascii"):
        return ()
    try:
        return tuple(_ResultReader(value, named.end()).read_results())
    except _Broken:
        return ()


class _ResultReader:
    """Reads a value from left to right; each step ends behind where it began."""

    def __init__(self, value: bytes, at: int) -> None:
        self._value = value
        self._at = at

    def read_results(self) -> Iterator[Result]:
        self._skip_blank()
        if (version := self._take(_VERSION)) is not None and version[0] != b"1":
            raise _Broken
        self._skip_blank()
        while self._at < len(self._value):
            self._skip_semicolon()
            # Some end the last result with a semicolon, too; `none` ends the field.
            if self._at < len(self._value) and not self._is_empty():
                yield self._read_result()

    def _is_empty(self) -> bool:
        if self._take(_NONE) is None:
            return False
        self._skip_blank()
        if self._at < len(self._value):
            raise _Broken
        return True

    def _read_result(self) -> Result:
        match = self._take(_RESULT)
        if match is None:
            raise _Broken
        properties: dict[str, str] = {}
        repeated = False
        self._skip_blank()
        while self._at < len(self._value) and not self._value.startswith(b";", self._at):
            name, value = self._read_property()
            repeated = repeated or name in properties
            properties[name] = value
            self._skip_blank()
        return Result(_read_word(match[1]), _read_word(match[2]), properties, repeated)

    def _read_property(self) -> tuple[str, str]:
        match = self._take(_PROPERTY)
        if match is None:
            raise _Broken
        quoted, plain = match[2] or b"", match[3]
        # A quoted local part stays quoted: it is no plain address.
        text = quoted + plain if quoted and plain else quoted[1:-1] or plain
        return _read_word(match[1]), text.decode("utf-8", "replace")

    def _skip_semicolon(self) -> None:
        if not self._value.startswith(b";", self._at):
            raise _Broken
        self._at += 1
        self._skip_blank()

    def _take(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        match = pattern.match(self._value, self._at)
        if match is not None:
            self._at = match.end()
        return match

    def _skip_blank(self) -> None:
        """Pass over blanks and comments, each of which stands apart from words."""
        self._take(_BLANKS)
        while self._value.startswith(b"(", self._at):
            if self._value[self._at - 1] not in b" \t\r\n;":
                raise _Broken
            self._at = self._skip_comment()
            if self._value[self._at : self._at + 1] not in _AFTER_COMMENT:
                raise _Broken
            self._take(_BLANKS)

    def _skip_comment(self) -> int:
        depth = 0
        for match in _COMMENT.finditer(self._value, self._at):
            depth += {b"(": 1, b")": -1}.get(match[0], 0)
            if depth == 0:
                return match.end()
        raise _Broken


def _read_word(raw: bytes) -> str:
    return raw.decode("ascii").lower()
