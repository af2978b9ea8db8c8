"""What `check` finds out about mail to postmaster@ and abuse@ the alias domains."""

from collections.abc import Collection, Iterator

from conversation_tracker.checks.finding import CheckLine, ok, wrong
from conversation_tracker.core.rules import postmaster as rules


def check(postmaster: str, domains: Collection[str]) -> Iterator[CheckLine]:
    """Judge whether somebody can get it.

    Args:
        postmaster: the configuration's, "" for the mail host's own.
        domains: the alias domains of the stores, and those that older orders use.
    """
    if rules.is_unreachable(postmaster, domains):
        yield wrong(
            "postmaster names an address in an alias domain, where there are no mailboxes: mail to"
            " postmaster and abuse there gets 451",
            "name another in the configuration, or leave it empty",
        )
    else:
        whom = "the address in the configuration" if postmaster else "this mail host's postmaster"
        yield ok(f"mail to postmaster and abuse of alias domains goes to {whom}")
