"""Quoted strings and pairs in address lists that touch an address: parted from it by a blank.

`john@example.com"a" <x>` is one word to who unquotes names, `john@example.coma`, and to the eye an
address with something behind it. Nothing here raises on any value.
"""

import re
from collections.abc import Callable, Iterator

from conversation_tracker.core.base.limits import check_each
from conversation_tracker.core.masking.header.spans import Change, Edit, find_edits
from conversation_tracker.core.syntax.splicing import splice
from conversation_tracker.core.syntax.tokens import CHUNK, PAIR, STRING, Token, split_tokens

Check = Callable[[], None]

_QUOTED = (STRING, PAIR)
_STRING = re.compile(rb'"[^"\\]*+(?>(?:\\.[^"\\]*+)*)"?', re.DOTALL)  # each is closed
_APART = frozenset((b"", *(bytes((each,)) for each in b" \t\r\n,;:<>()")))


def part_strings(value: bytes, mask: Change, check: Check) -> bytes:
    """Put blanks around quoted strings and pairs where an address shows only as it is written.

    Args:
        value: the raw value of an address header.
        mask: gives a text with addresses replaced.
        check: raises `Overdue` when the time is over.

    Returns:
        The value, in which nothing is masked yet; the same object where unquoting hides nobody.
    """
    if not _may_touch(value):
        return value
    found: list[Edit] = []
    for run in check_each(_find_runs(value, check), check):
        start, end = run[0][1], run[-1][2]
        if find_edits(value, start, end, mask, "text", check) and not find_edits(
            value, start, end, mask, "phrase", check
        ):
            places = (place for kind, *span in run if kind in _QUOTED for place in span)
            found += ((place, place, b" ") for place in sorted({*places} - {start, end}))
    return splice(value, found) if found else value


def _may_touch(value: bytes) -> bool:
    """Return, cheaply, whether a quoted string or a pair may touch a word: in most lists none."""
    if b'"' in value:
        for string in _STRING.finditer(value):
            start, end = string.span()
            if value[max(0, start - 1) : start] not in _APART or value[end : end + 1] not in _APART:
                return True
        value = _STRING.sub(b"", value)
    return b"\\" in value


def _find_runs(value: bytes, check: Check) -> Iterator[list[Token]]:
    """Yield the words that touch each other, if at least one of them is quoted."""
    run: list[Token] = []
    for token in split_tokens(value, check):
        if run and (token[0] not in (CHUNK, *_QUOTED) or run[-1][2] != token[1]):
            if _is_mixed(run):
                yield run
            run = []
        if token[0] in (CHUNK, *_QUOTED):
            run.append(token)
    if _is_mixed(run):
        yield run


def _is_mixed(run: list[Token]) -> bool:
    return len(run) > 1 and any(kind in _QUOTED for kind, _, _ in run)
