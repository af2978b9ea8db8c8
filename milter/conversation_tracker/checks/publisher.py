"""What `check` finds out about the publisher: whether feed and texts come in time.

It is judged by what waits in the database, and so wherever the publisher runs, and if it never did.
"""

from collections.abc import Iterator

from conversation_tracker.checks.finding import CheckLine, ok, wrong
from conversation_tracker.database.health import DatabaseState

_BEHIND = 60.0  # seconds


def check(state: DatabaseState) -> Iterator[CheckLine]:
    """Judge what was found in the database."""
    mend = (
        "on one host systemctl enable --now conversation-tracker-publish; if it runs,"
        " journalctl -u conversation-tracker-publish says why"
    )
    if state.unpublished > _BEHIND:
        yield wrong(
            f"the publisher is behind: an event of {_describe_age(state.unpublished)} ago is not in"
            " the feed, and programs that follow it do not know",
            mend,
        )
    else:
        yield ok("the feed has what happened until a minute ago")
    if state.unread > _BEHIND:
        yield wrong(
            f"the publisher is behind: a message of {_describe_age(state.unread)} ago has not been"
            " read, and programs and the search do not know its text and files",
            mend,
        )
    else:
        yield ok("what came until a minute ago has been read")


def _describe_age(seconds: float) -> str:
    """Describe an age in the largest unit that it has two of."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
