"""docs/log-events.md, made from the methods of `Log`: their docstrings and what they write."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from conversation_tracker.telemetry import formatting
from conversation_tracker.telemetry.events import Event, Log
from conversation_tracker.telemetry.journal import PRIORITIES

_HEAD = """\
# Log events

For whoever reads the log, or has a program read it; to look things up in. It is generated from
`telemetry/events.py`, by `tests/docs --write`.

`serve` and `follow` write one line for each event to standard error: JSON, or text for people with
`log_format = console`. Every line has `at` (UTC), `level` and `event`, then the fields below in
this order. No line holds an address, and there are no other events.

Under systemd each line comes with its priority, so that the journal shows what wants somebody:

<!-- root -->

    journalctl -u conversation-tracker -p warning

The priority is `<N>` before the line (sd-daemon(3)), only where standard error leads to the journal
(`JOURNAL_STREAM`). The journal takes it off, so `journalctl -o cat` gives JSON, as a file would:

<!-- root -->

    journalctl -u conversation-tracker -o cat

"""


@dataclass(frozen=True, slots=True)
class Described:
    """One event, as an administrator sees it.

    Attributes:
        name: the event.
        level: of its lines.
        when: it is logged.
        fields: each with its meaning.
        to_do: "" for nothing.
    """

    name: str
    level: str
    when: str
    fields: dict[str, str]
    to_do: str


def _sections(node: ast.FunctionDef | ast.ClassDef) -> tuple[str, dict[str, str], str]:
    """Return a docstring's first paragraph, what it says of each field, and what is to be done."""
    text = ast.get_docstring(node) or ""
    about = text.partition("\n\n")[0]
    entries = re.search(r"^(?:Args|Fields):\n((?: {4}.*\n?)+)", text, re.MULTILINE)
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", entries[1] if entries else "", re.M)
    to_do = text.partition("\n\nTo do: ")[2]
    return _joined(about), {name: _joined(said) for name, said in found}, _joined(to_do)


def _joined(text: str) -> str:
    return " ".join(text.split())


def _written(node: ast.FunctionDef) -> tuple[str, list[str]]:
    """Return the level of the line that a method writes, and its fields."""
    [call] = (
        each
        for each in ast.walk(node)
        if isinstance(each, ast.Call) and ast.unparse(each.func).startswith("self._out.")
    )
    fields: list[str] = []
    for keyword in call.keywords:
        if keyword.arg is not None:
            fields.append(keyword.arg)
        elif ast.unparse(keyword.value) == "known":
            fields.append("queue_id")
        else:
            fields += _exception_fields()
    assert isinstance(call.func, ast.Attribute)
    return call.func.attr, fields


def _exception_fields() -> list[str]:
    """Return the fields by which an exception is described."""
    source = inspect.getsource(formatting.describe)
    return re.findall(r'(?:fields\[|\{)"(\w+)"', source)


def events() -> Iterator[Described]:
    """Yield every event, in the order of the vocabulary.

    Raises:
        KeyError: a field is described nowhere.
        ValueError: a method is not described as the page needs it.
    """
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(Log))).body
    assert isinstance(tree, ast.ClassDef)
    _, common, _ = _sections(tree)
    methods = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    for event in Event:
        node = methods[event.name.lower()]
        about, own, to_do = _sections(node)
        when = about.removeprefix("Log that ")
        if when == about:
            raise ValueError(f"{node.name}: its docstring does not say 'Log that ...'")
        level, fields = _written(node)
        known = common | own
        yield Described(
            event.value,
            {"log": "the library's"}.get(level, level),
            when[0].upper() + when[1:],
            {name: known[name] for name in fields},
            to_do,
        )


def page() -> str:
    """Return the whole page."""
    lines = [*_index(), *(line for each in events() for line in _entry(each)), *_exceptions()]
    return _HEAD + "\n".join(lines) + "\n"


def _index() -> Iterator[str]:
    yield "| event | level | priority | to do |"
    yield "|---|---|---|---|"
    for each in events():
        number = PRIORITIES.get(each.level, "its")
        done = "yes, below" if each.to_do else ""
        yield f"| [`{each.name}`](#{each.name}) | {each.level} | {number} | {done} |"
    yield ""


def _entry(each: Described) -> Iterator[str]:
    yield f"## {each.name}"
    yield ""
    yield f"{each.when} Level: {each.level}."
    yield ""
    of_exceptions = _exception_fields()
    for name, meaning in each.fields.items():
        if name not in of_exceptions:
            yield f"- `{name}`: {meaning}"
    if each.fields.keys() & of_exceptions:
        yield "- the fields of [an exception](#exceptions)"
    if each.to_do:
        yield ""
        yield f"**To do**: {each.to_do}"
    yield ""


def _exceptions() -> Iterator[str]:
    [known] = [each.fields for each in events() if each.name == Event.METRICS_UNAVAILABLE]
    yield "## Exceptions"
    yield ""
    for name, meaning in known.items():
        yield f"- `{name}`: {meaning}"
