"""A large text costs about the same whichever way it goes, whatever it names in each line.

From the store to the buyer, the buyer's own address stays where the record has their alias; so the
record and the copy are two texts, and each is looked through.
"""

import random
from collections.abc import Callable

import pytest
from builders import BUYER, CARRIER, SHOP, hard, mail, order
from cost import least

from conversation_tracker.core.model.plan import Plan

KNOWN = order(BUYER, SHOP, CARRIER)
_SIZE = 1_050_000  # octets: large, and looked at at once
_MOST = 1.6  # of what it costs the other way
_TRIES = 5

Line = Callable[[random.Random, str, str], str]


def write_log(any_: random.Random, one: str, two: str) -> str:
    """Write a line of a log, whose numbers read like quoted-printable, and like a turned text."""
    numbers = f"{any_.getrandbits(40):010X}", any_.random(), f"{any_.getrandbits(32):x}"
    return "mx1 smtp: {0}: from=<{3}> to=<{4}>, delay={1:.2f}, id={2}".format(*numbers, one, two)


def write_page(any_: random.Random, one: str, two: str) -> str:
    """Write a row of a table."""
    return (
        f'<tr class="r{any_.randrange(2)}"><td style="padding:4px">{any_.random()}</td><td>'
        f'<a href="mailto:{one}">{two}</a></td><td>window &amp; shopping&nbsp;</td></tr>'
    )


def write_row(any_: random.Random, one: str, two: str) -> str:
    """Write a row of comma-separated values."""
    return f'"{any_.randrange(999)}","{one}","a blue window","{two}","{any_.random():.2f}"'


def write_reply(any_: random.Random, one: str, two: str) -> str:
    """Write a line of a reply."""
    return f"> On Mon, John <{one}> wrote to {two}: order {any_.randrange(9999)} was sent"


def write(line: Line, *, to: bool, both: bool) -> str:
    """Write a large text that has the buyer in each line, once or twice."""
    any_ = random.Random(1)
    lines: list[str] = []
    size = 0
    while size < _SIZE:
        other = BUYER if both else f"shopping.{any_.randrange(999)}@mail{any_.randrange(9)}.example"
        lines.append(line(any_, BUYER, other))
        size += len(lines[-1]) + 1
    kind = "html" if line is write_page else "plain"
    text = "\n".join(lines)
    return f"From: {SHOP if to else BUYER}\nContent-Type: text/{kind}\n\n{text}\n"


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("line", [write_log, write_page, write_row, write_reply])
def test_a_copy_to_the_reader_costs_what_one_of_theirs_does(line: Line, both: bool) -> None:
    there, back = (write(line, to=to, both=both) for to in (True, False))
    spent = []
    for _ in range(_TRIES):
        spent.append(cost_plan(there, hard("b")) / cost_plan(back, hard("5")))
        if spent[-1] < _MOST:
            return
    raise AssertionError(f"takes {min(spent):.2f} times as long")


def cost_plan(text: str, to: str) -> float:
    """Return what it costs to plan a message that nobody planned before."""
    letter, done = mail(text, KNOWN, to=to), list[Plan]()
    spent = least(lambda: done.append(letter.plan()), 1)
    assert [each.reply for each in done] == [None]
    return spent
