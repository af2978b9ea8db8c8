"""Writes debian/changelog out of CHANGELOG.md: each of its points, under the version it is in.

Usage: python3 packaging/changelog.py VERSION <CHANGELOG.md >debian/changelog

What is not released yet is in VERSION. A version without a date has that of SOURCE_DATE_EPOCH, or
now.
"""

import os
import re
import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime

_MAINTAINER = "Local build without a named maintainer <nobody@conversation-tracker.example>"
_HEAD = re.compile(r"## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d\d-\d\d))?$")
_WIDTH = 78


def split_versions(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each version's name, date or "", and lines."""
    found: tuple[str, str, list[str]] | None = None
    for line in text.splitlines():
        if head := _HEAD.match(line):
            if found:
                yield found
            found = (head["version"], head["date"] or "", [])
        elif found:
            found[2].append(line)
    if found:
        yield found


def split_points(lines: list[str]) -> Iterator[str]:
    """Yield each point of a list as one line, and each heading as `[heading]`."""
    point: list[str] = []
    for line in [*lines, ""]:
        begins = line.startswith(("- ", "#"))
        if point and (begins or not line.strip()):
            yield " ".join(point)
            point = []
        if line.startswith("#"):
            yield f"[{line.lstrip('# ')}]"
        elif line.startswith("- "):
            point = [line.removeprefix("- ")]
        elif point:
            point.append(line.strip())


def write_date(date: str) -> str:
    """Write a day, or without one the build's, as the changelog has it."""
    if date:
        return format_datetime(datetime.fromisoformat(f"{date}T12:00:00+00:00"))
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    return format_datetime(datetime.fromtimestamp(epoch, UTC))


def write_version(version: str, date: str, lines: list[str]) -> str:
    """Write one version; its headings stay only where points follow."""
    wrap = textwrap.TextWrapper(
        _WIDTH, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False
    )
    points = list(split_points(lines))
    shown = []
    for point, following in zip(points, [*points[1:], "["], strict=True):
        if not point.startswith("["):
            shown.append(wrap.fill(f"  * {point}"))
        elif not following.startswith("["):
            shown.append(f"\n  {point}" if shown else f"  {point}")
    body = "\n".join(shown) or "  * No change is noted."
    head = f"conversation-tracker ({version}) unstable; urgency=medium"
    return f"{head}\n\n{body}\n\n -- {_MAINTAINER}  {write_date(date)}\n"


def main(version: str) -> None:
    """Write all versions, the newest first."""
    written = [
        write_version(version if name == "Unreleased" else name, date, lines)
        for name, date, lines in split_versions(sys.stdin.read())
        if name != "Unreleased" or any(line.startswith("- ") for line in lines)
    ]
    print("\n".join(written), end="")


if __name__ == "__main__":
    main(sys.argv[1])
