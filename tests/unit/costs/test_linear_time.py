"""No input runs for ever: whatever is in a message costs time in proportion to its length.

Every pattern of the package, every parser and the whole plan are given what the parsers know as
delimiters, in runs, alternations and nestings (`shapes`), at growing sizes. A short form runs
here; `CONVERSATION_TRACKER_LINEAR=long` tries far more shapes, and larger ones, and takes hours.
"""

import ast
import gc
import importlib
import os
import pkgutil
import random
import re
import tracemalloc
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from builders import BUYER, CARRIER, DOMAIN, EVERYBODY, SHOP, TWO, B, counter, mail, order, person
from cost import proportionate

import conversation_tracker
import shapes as hostile
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.rules.planning import plan
from conversation_tracker.core.scanning.scan import Scanner
from parsers import PARSERS, measured
from parsers import PEOPLE as ODD_PEOPLE
from spots import PLACES

LONG = os.environ.get("CONVERSATION_TRACKER_LINEAR") == "long"
SIZE = 64 * 1024 if LONG else 16 * 1024
MUST = ("';'", "'<'", "'('", "'a'", "' '", "'@'", "'=?'", "'-'", "'.'")
"""Beginnings of the names of shapes that every parser is tried with."""
METHODS = ("search", "match", "fullmatch", "finditer", "findall", "sub", "split")
ONE_BY_ONE = dict.fromkeys(("findall", "sub", "split"), "finditer")
PASSED_ON = {
    "core.syntax.results._VERSION": {"match"},
    "core.syntax.results._RESULT": {"match"},
    "core.syntax.results._PROPERTY": {"match"},
}
"""How patterns are used that a method gets as its argument."""
SEEN = {"core.syntax.tokens._TOKEN": lambda text: text.rstrip(b" \t\r\n")}
"""What never comes to a pattern is taken off: `tokens` looks at no blanks behind everything."""
FEW = 1  # slow shapes of one pattern or parser that are shown
ROOT = Path(str(conversation_tracker.__file__)).parent


# Patterns


@cache
def modules() -> dict[str, Any]:
    """Import every module of the package that needs no other program."""
    names = [
        each.name
        for each in pkgutil.walk_packages([str(ROOT)], "conversation_tracker.")
        if not each.name.endswith(".__main__")
    ]
    return {name: importlib.import_module(name) for name in names}


def compiled(value: object) -> Iterator[re.Pattern[Any]]:
    """Go through the patterns in a value: itself, or those it holds."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from compiled(each)
    elif isinstance(value, tuple | list | set | frozenset):
        for each in value:
            yield from compiled(each)


def patterns() -> dict[str, re.Pattern[Any]]:
    """Find every compiled pattern of the package, by the places where it is kept."""
    found: dict[str, re.Pattern[Any]] = {}
    for name, module in modules().items():
        holders = [(name, vars(module))]
        holders += [
            (f"{name}.{key}", dict(vars(each)))
            for key, each in vars(module).items()
            if isinstance(each, type) and each.__module__ == name
        ]
        for holder, values in holders:
            for key, value in values.items():
                for number, pattern in enumerate(compiled(value)):
                    found.setdefault(f"{holder}.{key}.{number}", pattern)
    return {key: pattern for key, pattern in found.items() if not _imported(key, pattern, found)}


def _imported(key: str, pattern: re.Pattern[Any], found: dict[str, re.Pattern[Any]]) -> bool:
    return next(name for name, each in found.items() if each is pattern) != key


@cache
def uses() -> dict[tuple[str, str], set[str]]:
    """Return by which methods each name is used in each module of the package."""
    found: dict[tuple[str, str], set[str]] = {}
    for name, module in modules().items():
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in METHODS:
                holder = getattr(node.value, "id", getattr(node.value, "attr", ""))
                found.setdefault((name, holder), set()).add(node.attr)
    return found


PATTERNS = patterns()


POSSESSIVE_GROUP = re.compile(r"(?<!\\)(?:\\\\)*\)(?:[*+?]|\{[0-9,]+\})\+")


def written(name: str) -> Iterator[str]:
    """Yield the texts that a module's patterns may be made of."""
    for node in ast.walk(ast.parse(Path(str(modules()[name].__file__)).read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node.value if isinstance(node.value, str) else node.value.decode("latin-1")


def test_no_pattern_repeats_a_group_possessively() -> None:
    """Python before 3.11.5 matches (?:...)*+ wrongly; an atomic group does the same."""
    assert all(map(POSSESSIVE_GROUP.search, [r"(?:ab?c)*+", r"x(a|b){1,9}+", r"(\\)?+"]))
    assert not any(map(POSSESSIVE_GROUP.search, [r"(?>(?:ab?c)*)", r"\)*+", r"[)]++", r"(a)+"]))
    found = [name for name in modules() for each in written(name) if POSSESSIVE_GROUP.search(each)]
    for name, pattern in PATTERNS.items():
        text = pattern.pattern
        if POSSESSIVE_GROUP.search(text if isinstance(text, str) else text.decode("latin-1")):
            found.append(name)
    assert found == []


def shapes(pattern: re.Pattern[Any]) -> Iterator[hostile.Shape]:
    """Make shapes of what a pattern is made of."""
    text = (
        pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    )
    pieces = hostile.samples(text, pattern.flags & ~re.UNICODE, 16 if LONG else 9)
    yield from hostile.runs(pieces)
    yield from hostile.led(pieces, pieces, ["", *pieces[:3]] if LONG else [""])
    yield from hostile.led([""], pieces, ["\0", *pieces[:4]])
    chance = random.Random(repr(text))
    yield from hostile.alternations(
        chance, 200 if LONG else 20, pieces if len(pieces) > 2 else "abc"
    )


def ways(name: str) -> set[str]:
    """Return how a pattern is used; in every way where that cannot be seen."""
    holder = name.split(".")[-2]
    places = [m for m, module in modules().items() if _holds(module, holder, PATTERNS[name])]
    found = set().union(*(uses().get((place, holder), set()) for place in places))
    if not found:
        found = PASSED_ON.get(name.rpartition(".")[0].partition(".")[2], {"search", "match"})
    return {ONE_BY_ONE.get(way, way) for way in found}


def _holds(module: Any, name: str, pattern: re.Pattern[Any]) -> bool:
    return getattr(module, name, None) is pattern


def used(name: str, way: str) -> Callable[[Any], object]:
    """Use a pattern in one way on a text."""
    pattern = PATTERNS[name]
    seen = SEEN.get(name.rpartition(".")[0].partition(".")[2], lambda text: text)
    if way == "finditer":
        return lambda text: sum(1 for _ in pattern.finditer(seen(text)))
    return lambda text: getattr(pattern, way)(seen(text))


def slow(tries: Iterator[tuple[str, Callable[[], str]]]) -> list[str]:
    """Return the first tries that take longer than they may."""
    found = (f"{name}: {told}" for name, work in tries if (told := work()))
    return list(islice(found, FEW))


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_goes_through_any_text_in_proportion(name: str) -> None:
    pattern = PATTERNS[name]
    octets = isinstance(pattern.pattern, bytes)
    uses = [(way, used(name, way)) for way in sorted(ways(name))]
    tries = (
        (f"{way} of {s.name}", partial(measured, use, s, SIZE, octets=octets))
        for s in shapes(pattern)
        for way, use in uses
    )
    assert not slow(tries), pattern.pattern[:200]


def test_all_patterns_are_tried() -> None:
    """Those of the modules that mail meets most, by their names, are among what is collected."""
    assert len(PATTERNS) > 200
    for wanted in (
        "syntax.tokens._TOKEN",
        "views.other_orders._SOFT_MARK",
        "text.escapes._ESCAPES",
    ):
        assert any(f".{wanted}." in name for name in PATTERNS)


# Parsers


def tried(name: str) -> Iterator[hostile.Shape]:
    """Choose the shapes that a parser is tried with."""
    chance = random.Random(name)
    signs = hostile.SIGNS
    known = [*hostile.runs(signs), *hostile.nestings()]
    if LONG:
        yield from known
        yield from hostile.led(signs, signs)
    else:
        must = [each for each in known if each.name.startswith(MUST)]
        yield from must
        yield from chance.sample(known, 30)
    yield from hostile.alternations(chance, 5_000 if LONG else 8)


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_anything_in_proportion(name: str) -> None:
    tries = (
        (shape.name, partial(measured, PARSERS[name], shape, SIZE * 3 // 4))
        for shape in tried(name)
    )
    assert not slow(tries)


def test_what_is_measured_is_seen_to_grow() -> None:
    """What grows with the square, or never ends, is distinguished from what does not."""
    assert proportionate(lambda size: sum(range(size * 50)), 16_000) == ""
    assert "s at" in proportionate(lambda size: sum(range(size * size // 20)), 4_000)
    shape = hostile.Shape("letters", hostile.filled("a"))
    assert "s at" in measured(re.compile(r"[a-z]+@").search, shape, 4_000)
    assert measured(re.compile(r"[a-z]++").search, shape, 4_000) == ""


# The whole plan


def crowd(number: int) -> list[Any]:
    """Return people of many domains, and many at one."""
    addresses = [f"n{n}@mail{n}.doe.example" for n in range(number)]
    addresses += [f"bounce+{n}=doe.example@esp.example" for n in range(number // 4)]
    return [person(each, "return", f"{n:032x}") for n, each in enumerate(addresses)]


ORDERS = {
    "the usual people": EVERYBODY,
    "odd addresses": ODD_PEOPLE,
    "hundreds": order(BUYER, SHOP, CARRIER, *crowd(250)),
}


FEW_PLACES = list(PLACES)[::5]


def planned(place: str, conversation: Conversation, text: str) -> Plan:
    """Plan for a message that has a text in a place, to the buyer."""
    raw = PLACES[place](text.encode("utf-8", "surrogatepass"))
    sent = mail(raw, conversation, to=B, sender=CARRIER)
    return plan(sent.message, sent.conversations, counter(), alias_domains=(DOMAIN, TWO))


def placed(chance: random.Random, number: int) -> Iterator[tuple[str, hostile.Shape]]:
    """Choose shapes for each place."""
    known = [*hostile.runs(), *hostile.nestings()]
    for place in PLACES:
        yield from ((place, shape) for shape in chance.sample(known, number))
        yield from ((place, shape) for shape in hostile.alternations(chance, number))


PEOPLE_OF = {
    "needles": lambda keys: Masker(keys).needles,
    "what may be there": lambda keys: Masker(keys).possible(b"x"),
    "a text": lambda keys: Masker(keys)("write to n1@mail1.doe.example, n2@mail2.doe.example\n"),
    "a scan": lambda keys: Scanner({key: key for key in keys}).scan([], b"n1@mail1.doe.example"),
}


@pytest.mark.parametrize("what", PEOPLE_OF)
def test_thousands_who_take_part_cost_their_number(what: str) -> None:
    """At domains of their own, one inside another, and all at one."""

    def make(number: int) -> dict[str, str]:
        return {str(each.address): each.token for each in crowd(number)}

    assert not proportionate(PEOPLE_OF[what], 2_000, make)


@pytest.mark.slow
@pytest.mark.parametrize("people", ORDERS)
def test_a_plan_is_made_in_proportion(people: str) -> None:
    """Whatever stands wherever, and whoever takes part."""
    number = 100 if LONG else 1
    tries = (
        (f"{shape.name} {place}", partial(measured, work, shape, SIZE // 2))
        for place, shape in placed(random.Random(people), number)
        if LONG or people != "hundreds" or place in FEW_PLACES
        for work in [partial(planned, place, ORDERS[people])]
    )
    assert not slow(tries)


def peak(work: Callable[[], object]) -> int:
    """Return how many octets of memory work takes at most, without what others left behind."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture
def few_objects() -> None:
    """Have the collector look at no object there was before: it runs for each measurement."""
    gc.collect()
    gc.freeze()


@pytest.mark.slow
@pytest.mark.usefixtures("few_objects")
def test_a_plan_takes_memory_in_proportion() -> None:
    chance = random.Random(1)
    greedy = []
    for place, shape in placed(chance, 20 if LONG else 1):
        small, large = (
            peak(partial(planned, place, EVERYBODY, shape.make(size)))
            for size in (SIZE // 16, SIZE // 4)
        )
        if large > 8 * small + 200_000 or large > 1_000_000 + 150 * SIZE:
            # What is made once for a process counts for whoever comes first.
            large = peak(partial(planned, place, EVERYBODY, shape.make(SIZE // 4)))
        if large > 8 * small + 200_000 or large > 1_000_000 + 150 * SIZE:
            greedy.append(f"{shape.name} {place}: {small} octets, then {large} for four times")
    assert not greedy


def test_thousands_of_authors_in_one_field_cost_their_number() -> None:
    """A name for each, all in one field or each in one of its own."""
    for form in ("a%d@b%d.example, ", "A <a%d@b%d.example>,\n ", '"x, %d" <a@b%d.example>, '):

        def value(size: int, form: str = form) -> str:
            return "".join(form % (n, n) for n in range(size // len(form)))

        for name in ("To", "Cc", "Reply-To", "From", "References"):
            shape = hostile.Shape(f"many in {name}", value)
            assert not measured(
                partial(planned, f"in {name}", EVERYBODY), shape, 256 * 1024 if LONG else SIZE
            )


@pytest.mark.slow
@pytest.mark.parametrize("size", [25 * 1024 * 1024 if LONG else 64 * 1024])
@pytest.mark.parametrize(
    "line", ["From: x\n y\n", "From: x\n", "X: john\n @doe.example\n", "a: b;"]
)
def test_fields_without_end_in_a_body_are_taken_in_proportion(line: str, size: int) -> None:
    """Folded fields in the header of a part, and in a text that says it is one."""
    for place in (
        "as text/rfc822-headers in 8bit",
        "in a part's X-%s",
        "as message/rfc822 in base64",
    ):
        shape = hostile.Shape(f"{line!r} {place}", hostile.filled(line))
        assert not measured(partial(planned, place, EVERYBODY), shape, size)
