"""What `check` says of how far the publisher is behind."""

import pytest

from conversation_tracker.checks.publisher import check
from conversation_tracker.database.health import DatabaseState


def verdicts(unpublished: float, unread: float) -> list[str]:
    state = DatabaseState(
        version=150_000,
        standby=False,
        read_only=False,
        ahead=0.0,
        roles=frozenset(),
        unpublished=unpublished,
        unread=unread,
    )
    return [line.verdict for line in check(state)]


@pytest.mark.parametrize(
    ("unpublished", "unread", "expected"),
    [
        (0.0, 0.0, ["ok", "ok"]),
        (59.0, 59.0, ["ok", "ok"]),
        (61.0, 0.0, ["WRONG", "ok"]),
        (0.0, 61.0, ["ok", "WRONG"]),
        (86_400.0, 86_400.0, ["WRONG", "WRONG"]),
    ],
)
def test_more_than_a_minute_is_wrong(
    unpublished: float, unread: float, expected: list[str]
) -> None:
    assert verdicts(unpublished, unread) == expected
