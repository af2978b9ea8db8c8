"""How templates are read: everything that is not markup of ours is escaped, and cleaned before.

What a template asks for and is not there is an error, never an empty place.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from conversation_tracker.core.syntax.controls import clean_text

_FOLDER = Path(__file__).parent / "templates"


def finalize(value: Any) -> Any:
    """Take control characters and marks of direction out of whatever a template puts in."""
    return clean_text(value) if type(value) is str else value


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_FOLDER, encoding="utf-8"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=finalize,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def render(name: str, **values: Any) -> str:
    """Fill a template."""
    return _ENVIRONMENT.get_template(name).render(**values)


def stream(name: str, **values: Any) -> Iterator[str]:
    """Fill a template piece by piece."""
    return _ENVIRONMENT.get_template(name).generate(**values)
