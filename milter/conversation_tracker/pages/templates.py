"""How templates are read: everything that is not markup of ours is escaped, and cleaned before.

What a template asks for and is not there is an error, never an empty place.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from conversation_tracker.core.syntax.controls import clean_text
from conversation_tracker.pages.reasons import explain_refusal, explain_status
from conversation_tracker.pages.roles import name_role
from conversation_tracker.pages.times import show_time
from conversation_tracker.pages.units import write_count, write_span

_FOLDER = Path(__file__).parent / "templates"
_CHUNK = 64 * 1024  # characters that leave together
_LONG_TEXT = 20_000  # characters that are shown at once
_FRAME = (
    '<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy"'
    " content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
    '<meta name="referrer" content="no-referrer">'
)


def clean_value(value: Any) -> Any:
    """Take control characters and marks of direction out of whatever a template puts in."""
    return clean_text(value) if type(value) is str else value


def cut_text(text: str) -> tuple[str, str]:
    """Divide a long text into what is shown at once and the rest, at the end of a line if it can.

    Returns:
        Both; together they are the text, but for the line end between them.
    """
    if len(text) <= _LONG_TEXT:
        return text, ""
    end = text.rfind("\n", _LONG_TEXT // 2, _LONG_TEXT)
    return (text[:end], text[end + 1 :]) if end > 0 else (text[:_LONG_TEXT], text[_LONG_TEXT:])


def _frame(html: str) -> str:
    """Return the document of a frame that shows a message's HTML, and loads nothing."""
    return _FRAME + html


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_FOLDER, encoding="utf-8"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=clean_value,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.globals |= {
    "alone": False,
    "count": write_count,
    "cut_text": cut_text,
    "explain_refusal": explain_refusal,
    "explain_status": explain_status,
    "frame": _frame,
    "role": name_role,
    "show_time": show_time,
    "span": write_span,
}


def compile_all() -> None:
    """Compile all templates, which takes longer than to fill one."""
    for name in _ENVIRONMENT.list_templates():
        _ENVIRONMENT.get_template(name)


def render(name: str, **values: Any) -> str:
    """Fill a template."""
    return _ENVIRONMENT.get_template(name).render(**values)


def stream(name: str, **values: Any) -> Iterator[str]:
    """Fill a template, and yield it in pieces of some size, so that few steps send them."""
    held: list[str] = []
    length = 0
    for each in _ENVIRONMENT.get_template(name).generate(**values):
        held.append(each)
        length += len(each)
        if length >= _CHUNK:
            yield "".join(held)
            held, length = [], 0
    yield "".join(held)
