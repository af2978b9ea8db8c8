"""One line of the log: an event's fields made safe, put in order, and written out.

Here are the steps behind `logs`; nothing here decides what is logged, or writes. An exception is
described by all but its text, since a database's errors quote the row at hand. The last net
replaces whatever still looks like an address; it never fails, whatever the fields hold.
"""

import json
import re
import traceback
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from structlog.typing import EventDict, Processor, WrappedLogger

_FRAMES_LIMIT = 20  # of one traceback, the innermost
_CAUSES_LIMIT = 5  # of one exception

# Longer than any local part, and no longer: from each quotation mark of a run it would read on.
_QUOTED_LOCAL = re.compile(r'"(?:[^"\\]|\\.){0,320}"(?:@|%40)\S*')
_WORD = re.compile(r"\S+")
_INSIDE = re.compile(r"\S(?:@|%40)\S")
_HIDDEN = "<address>"
# As tuples: a union of types is made anew each time, and takes longer to ask.
_NUMBERS = (int, float)
_LISTS = (list, tuple, set, frozenset)


def make_processors(format: str) -> list[Processor]:
    """Return the steps from an event's fields to its line."""
    return [_without_addresses, _in_order, _console if format == "console" else _json]


def _without_addresses(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """Replace what looks like an address in every text: the last net, never the first."""
    for key, value in fields.items():
        if isinstance(value, str):
            if "@" in value or "%40" in value:
                fields[key] = _without_address(value)
        elif not isinstance(value, _NUMBERS):
            fields[key] = _clean(value)
    return fields


def _clean(value: object) -> object:
    """Return `value` of any type in plain types, without addresses."""
    if isinstance(value, str):
        return _without_address(value)
    if isinstance(value, dict):
        return {_without_address(str(key)): _clean(each) for key, each in value.items()}
    if isinstance(value, _LISTS):
        return [_clean(each) for each in value]
    if value is None or isinstance(value, _NUMBERS):
        return value
    return type(value).__name__  # its repr could say anything


def _without_address(text: str) -> str:
    """Replace each word with an @ or %40 inside it; the time taken grows with the length only."""
    if "@" not in text and "%40" not in text:
        return text
    text = _QUOTED_LOCAL.sub(_HIDDEN, text)
    return _WORD.sub(lambda word: _HIDDEN if _INSIDE.search(word[0]) else word[0], text)


def _in_order(_logger: WrappedLogger, method: str, fields: EventDict) -> EventDict:
    """Put time, level and event before the fields."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    return {"at": at, "level": method, "event": fields.pop("event"), **fields}


_encoded = json.JSONEncoder(separators=(",", ":")).encode


def _json(_logger: WrappedLogger, _method: str, fields: EventDict) -> str:
    """Render one JSON object, in ASCII."""
    return _encoded(fields)


def _console(_logger: WrappedLogger, _method: str, fields: EventDict) -> str:
    """Render one line for people: what is no plain word stands as JSON."""
    at, level, event, *rest = fields.items()
    texts = (f"{key}={_word(value)}" for key, value in rest if value not in ("", [], ()))
    return " ".join((at[1], f"{level[1]:8}", event[1], *texts))


def _word(value: object) -> str:
    """Return a value as one word where it is one."""
    if isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value:
        return value
    return _encoded(value)


def describe(exc: BaseException) -> dict[str, Any]:
    """Return an exception's type, SQLSTATE, frames and causes: all but its text."""
    fields: dict[str, Any] = {"error": _type_name(exc)}
    sqlstate = getattr(exc, "sqlstate", None)
    if isinstance(sqlstate, str):
        fields["sqlstate"] = sqlstate
    if isinstance(exc, OSError) and exc.errno is not None:
        fields["errno"] = exc.errno
    fields["frames"] = _frames(exc)
    causes = [[_type_name(cause), *_frames(cause)[-1:]] for cause in _causes(exc)]
    if causes:
        fields["causes"] = [" at ".join(cause) for cause in causes]
    return fields


def _type_name(exc: BaseException) -> str:
    """Return the name of an exception's type with its module."""
    kind = type(exc)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _frames(exc: BaseException) -> list[str]:
    """Return the innermost frames as file:line:function, outermost first; no source, no values."""
    frames = deque(traceback.walk_tb(exc.__traceback__), maxlen=_FRAMES_LIMIT)
    return [
        f"{'/'.join(PurePath(frame.f_code.co_filename).parts[-2:])}:{line}:{frame.f_code.co_name}"
        for frame, line in frames
    ]


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """Yield what led to `exc`, the nearest first, as a traceback would tell it."""
    for _ in range(_CAUSES_LIMIT):
        following = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
        if following is None:
            return
        yield following
        exc = following
