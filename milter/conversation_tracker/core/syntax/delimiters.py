"""The delimiter lines of a multipart (RFC 2046 section 5.1.1), in time linear in its size."""

import re
from collections.abc import Iterator

from conversation_tracker.core.base.limits import Limits
from conversation_tracker.core.base.octets import LARGE, Octets

Span = tuple[int, int]

# A line that looks like a delimiter.
_ANY_DELIMITER = re.compile(rb"^--(\S(?:[^\r\n]{0,198}[^ \t\r\n])?)(?>[ \t]*)\r?$", re.MULTILINE)
# What may follow a boundary in its line: blanks only, and before them the hyphens that close.
_DELIMITER_END = re.compile(rb"(--)?(?>[ \t\r]*)\n?")


def find_delimiters(
    body: Octets, span: Span, boundary: bytes, most: int, limits: Limits
) -> list[tuple[int, int, bool]]:
    """Find the delimiter lines of a multipart.

    Args:
        body: the body it stands in.
        span: where its content stands.
        boundary: the declared one; where no line has it, the first line that looks like a
            delimiter counts, as in some programs.
        most: parts that there may be; few more than these are looked for.
        limits: asked for each window of a large part.

    Returns:
        Of each its start, the start of the next line, and whether it is the last.
    """
    found = _search(body, span, boundary, most, limits) if boundary else []
    if not found and (guess := _ANY_DELIMITER.search(body, *span)):
        return _search(body, span, guess[1], most, limits)
    return found


def _search(
    body: Octets, span: Span, boundary: bytes, most: int, limits: Limits
) -> list[tuple[int, int, bool]]:
    """Search one boundary; `--b --` is none: hyphens close right after the boundary only."""
    found: list[tuple[int, int, bool]] = []
    needle = b"--" + boundary
    large = span[1] - span[0] > LARGE
    places = _find_in_large(body, span, needle, limits) if large else _find(body, span, needle)
    for at in places:
        line_end = body.find(b"\n", at, span[1])
        following = line_end + 1 if line_end >= 0 else span[1]
        if ending := _DELIMITER_END.fullmatch(body[at + len(needle) : following]):
            found.append((at, following, ending[1] is not None))
            if len(found) >= most + 2:
                break
    return found


def _find(body: Octets, span: Span, needle: bytes) -> Iterator[int]:
    """Find the lines that begin with octets."""
    first, end = span
    at = body.find(needle, first, end)
    while at >= 0:
        if at == first or body[at - 1 : at] == b"\n":
            yield at
        at = body.find(needle, at + len(needle), end)


def _find_in_large(body: Octets, span: Span, needle: bytes, limits: Limits) -> Iterator[int]:
    """Find the lines that are most probably delimiters, however many others are alike."""
    first, end = span
    if body.startswith(needle, first, end):
        yield first
    # A pattern is made anew for each boundary, which takes too long for small mail.
    line = re.compile(b"\n" + re.escape(needle) + rb"(?:--)?[ \t\r]*(?=\n|\Z)")
    known = first
    for start in range(first, end, LARGE):
        limits.check()
        window = body[start : min(start + LARGE + len(needle) + 3, end)]
        for match in line.finditer(window):
            at = start + match.start() + 1
            if at > known:
                known = at
                yield at


def strip_line_end(body: Octets, start: int, delimiter: int) -> int:
    """Take off the line end that belongs to a delimiter; give where the part before it ends."""
    for line_end in (b"\r\n", b"\n"):
        if body.endswith(line_end, start, delimiter):
            return delimiter - len(line_end)
    return delimiter
