"""What of the documentation is generated is what its generator gives."""

import ast
import re
from pathlib import Path

import pytest

from conversation_tracker.telemetry.events import Event

from ...pages import log_events

ROOT = Path(__file__).parents[3]


def test_the_page_of_log_events_is_up_to_date() -> None:
    """If not: `tests/docs --write`."""
    assert (ROOT / "docs" / "log-events.md").read_text() == log_events.page()


def test_every_event_is_described() -> None:
    found = {each.name: each for each in log_events.events()}
    assert list(found) == list(Event)
    assert found["message"].level == "info"
    assert list(found["worker-died"].fields) == ["pid", "status", "restarts"]
    assert found["worker-died"].to_do.startswith("one is nothing")
    assert list(found["database-unreachable"].fields) == [
        *("error", "sqlstate", "errno", "frames", "causes")
    ]
    assert all(each.to_do for each in found.values() if each.level in ("error", "critical"))


@pytest.mark.parametrize("event", Event)
def test_every_event_is_logged_somewhere(event: Event) -> None:
    """A vocabulary has no word that nobody says."""
    source = "".join(
        path.read_text()
        for path in (ROOT / "milter").rglob("*.py")
        if path.name != "events.py" and ast.parse(path.read_text())
    )
    name = event.name.lower()
    assert re.search(rf"\blog\.{name}\(|log\.error\(Event\.{event.name}\b", source), name
