"""What `check` says of webhooks."""

from datetime import timedelta

import pytest
from webhook_states import NOW, make_webhook

from conversation_tracker.checks.webhooks import check


def lines(**changes: object) -> list[str]:
    return [str(line) for line in check([make_webhook(**changes)], NOW)]


def test_nothing_is_said_where_there_is_none() -> None:
    assert list(check([], NOW)) == []


def test_all_is_well() -> None:
    assert lines() == ["ok      webhooks: 1, their receivers take what is sent"]
    assert lines(behind_since=NOW - timedelta(seconds=50), waiting=3) == lines()
    assert lines(active=False, behind_since=NOW - timedelta(days=3), dead=4) == lines()


def test_events_that_were_given_up_are_wrong() -> None:
    [line] = lines(dead=3, said="500")
    assert line == (
        "WRONG   webhook 7 of store shop (hooks.example.com:8443): 3 events were given up after a"
        " day (last answer: 500): mend the receiver, then run conversation-tracker webhooks retry"
    )


@pytest.mark.parametrize(
    ("behind", "verdict", "ago"),
    [
        (timedelta(minutes=2), "note", "2 min"),
        (timedelta(minutes=59), "note", "59 min"),
        (timedelta(minutes=61), "WRONG", "61 min"),
        (timedelta(hours=5), "WRONG", "5 h"),
        (timedelta(days=3), "WRONG", "3 days"),
    ],
)
def test_a_receiver_that_is_behind(behind: timedelta, verdict: str, ago: str) -> None:
    [line] = lines(behind_since=NOW - behind, said="timeout")
    assert line.startswith(verdict)
    assert f"has not got what happened {ago} ago (last answer: timeout): it must answer" in line


def test_what_leads_inside_names_the_key() -> None:
    [line] = lines(behind_since=NOW - timedelta(hours=2), said="private-address")
    assert "see allow_private in the configuration" in line


def test_a_receiver_that_is_gone_and_events_that_are_lost_are_notes() -> None:
    [line] = lines(active=False, gone_at=NOW)
    assert line.startswith("note")
    assert "answered 410" in line
    [line] = lines(lost_at=NOW - timedelta(days=6))
    assert line.startswith("note")
    assert "left the feed" in line
    assert len(lines(lost_at=NOW - timedelta(days=8))) == 1


def test_no_line_shows_the_path_of_a_url() -> None:
    shown = "".join(
        lines(dead=1, behind_since=NOW - timedelta(days=1), lost_at=NOW, said="404")
        + lines(active=False, gone_at=NOW)
    )
    assert "hidden" not in shown
    assert "B1" not in shown
