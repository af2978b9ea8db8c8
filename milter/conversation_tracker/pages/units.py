"""Sizes and spans of time in plain units."""

from datetime import timedelta

_SIZES = ("bytes", "kB", "MB", "GB", "TB")
_SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def write_size(octets: int) -> str:
    """Write a size as people read it, in units of a thousand: "1 byte", "640 bytes", "1.4 MB"."""
    if octets == 1:
        return "1 byte"
    size, unit = float(max(octets, 0)), 0
    while size >= 999.5 and unit < len(_SIZES) - 1:
        size, unit = size / 1000, unit + 1
    digits = 1 if unit and size < 9.95 else 0
    return f"{size:.{digits}f} {_SIZES[unit]}"


def write_span(span: timedelta) -> str:
    """Write how long something has lasted, in its one or two largest units."""
    left = max(int(span.total_seconds()), 0)
    found: list[str] = []
    for seconds, name in _SPANS:
        count, left = divmod(left, seconds)
        if count or found:
            found += [write_count(count, name)] if count else []
            if len(found) == 2 or count > 9 or name == "hour":
                break
    return " ".join(found) or "less than a minute"


def write_count(count: int, name: str, names: str = "") -> str:
    """Write how many there are: "1 message", "2 messages", "12,000 messages"."""
    return f"{count:,} {name if count == 1 else names or name + 's'}"
