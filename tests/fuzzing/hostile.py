"""Text that costs most to read, of what `shapes` knows, alone and in each place of a message.

Nothing here knows how it is read.
"""

from collections.abc import Sequence

from choices import Choices
from shapes import PAIRS, SIGNS, filled
from spelling import address
from spots import PLACES

MOST = 20_000
"""Characters of one shape."""

_PLACES = tuple(PLACES)


def shape(choices: Choices, most: int = MOST) -> str:
    """Write a run, an alternation or a nesting, perhaps with an address in it or behind it."""
    size = choices.number(most)
    one, two = _sign(choices), _sign(choices)
    who = address(choices)
    three = who if choices.chance(3) else _sign(choices)
    make = choices.number(3)
    if make == 0:
        text = filled(one)(size)
    elif make == 1:
        text = filled(one, three, two)(size)
    elif make == 2:
        text = _ladder(one, two + three, size)
    else:
        opens, closes = choices.of(PAIRS)
        depth = size // len(opens + one + closes)
        text = (opens + one) * depth + three + closes * depth
    return choices.of(("", one, who, two)) + text + choices.of(("", two, who, one))


def message(choices: Choices) -> bytes:
    """Write a message with one shape, or several, in one place of it."""
    place = PLACES[choices.of(_PLACES)]
    text = "\n".join([shape(choices), *choices.some(lambda: shape(choices), 2)])
    return place(text.encode("utf-8", "surrogateescape"))


def _sign(choices: Choices, signs: Sequence[str] = SIGNS) -> str:
    return choices.of(signs)


def _ladder(one: str, behind: str, size: int) -> str:
    """Write runs of growing length."""
    steps: list[str] = []
    length = 0
    while (length := length + len(one) * len(steps) + len(behind)) < size:
        steps.append(one * len(steps) + behind)
    return "".join(steps)
