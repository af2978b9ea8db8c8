"""Text that costs most to read: runs, alternations and nestings of the signs that mail knows.

Nothing here knows how it is read.
"""

from choices import Choices
from spelling import address

SIGNS = (
    "a", "@", ".", "-", "_", "+", "%", "=", "&", ";", ",", ":", "<", ">", "(", ")", '"', "'", "\\",
    "/", "?", "#", "!", " ", "\t", "\n", "\n ", "[", "]", "{", "}", "*", "0", "=?", "?=", "=\n",
    "%40", "&#", "&amp;", "=?utf-8?q?", "=?utf-8?B?", "://", "mailto:", "<!--", "-->", "<a ", "<b>",
    "--", "b.", "-207700027841b.", "\u00e9", "\u200b", "\u3053", "\x00", "\r", "AAAA", "xn--",
    "a@b", "x=", "; x=", "\n--", "BEGIN:", "ATTENDEE:", "\\u0040", "%25", "-----BEGIN ", "SRS0=",
)  # fmt: skip
MOST = 20_000
"""Characters of one shape."""


def shape(choices: Choices, most: int = MOST) -> str:
    """Write a run, an alternation or a nesting, perhaps with an address in it or behind it."""
    size = choices.number(min(most, 65_535))
    one, two = choices.of(SIGNS), choices.of(SIGNS)
    who = address(choices)
    make = choices.of((_run, _alternation, _nesting, _ladder))
    text = make(one, two, who if choices.chance(3) else choices.of(SIGNS), size)
    return choices.of(("", one, who, two)) + text + choices.of(("", two, who, one))


def _run(one: str, _two: str, _three: str, size: int) -> str:
    return one * (size // len(one))


def _alternation(one: str, two: str, three: str, size: int) -> str:
    return (one + three + two) * (size // len(one + two + three))


def _nesting(one: str, two: str, three: str, size: int) -> str:
    depth = size // (2 * len(one + two))
    return one * depth + three + two * depth


def _ladder(one: str, two: str, three: str, size: int) -> str:
    """Write runs of growing length."""
    steps: list[str] = []
    length = 0
    while (length := length + len(one) * len(steps) + len(two + three)) < size:
        steps.append(one * len(steps) + two + three)
    return "".join(steps)
