"""Reasons, sizes and spans in plain words."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.pages.files import name_kind
from conversation_tracker.pages.notes import explain_note
from conversation_tracker.pages.reasons import explain_refusal, explain_status
from conversation_tracker.pages.times import read_time, show_time
from conversation_tracker.pages.units import write_size, write_span

OURS = [each for each in vars(replies).values() if isinstance(each, Reply)]
UNKNOWN = "The recipient's mail system did not take it"
REFUSED = "We did not take it"


@pytest.mark.parametrize(
    "reply", [each for each in OURS if not each.text.startswith("Probe:")], ids=str
)
@pytest.mark.parametrize("more", ["", " (one of 381 more refused)"])
def test_each_of_our_replies_is_explained(reply: Reply, more: str) -> None:
    said = explain_refusal(f"{reply}{more}")
    assert said != REFUSED
    assert said != reply.text
    assert said[0].isupper()
    assert said[-1] != "."


def test_a_reply_that_is_not_ours_is_a_refusal() -> None:
    assert explain_refusal("550 5.7.1 Something else") == REFUSED
    assert explain_refusal("") == REFUSED


@pytest.mark.parametrize("kind", "45")
@pytest.mark.parametrize("subject", range(1, 8))
@pytest.mark.parametrize("detail", [0, 1, 2, 3, 99, 999])
def test_every_status_has_a_sentence(kind: str, subject: int, detail: int) -> None:
    said = explain_status(f"{kind}.{subject}.{detail}")
    assert said != UNKNOWN
    assert said[0].isupper()
    assert said[-1] != "."


@pytest.mark.parametrize("status", ["", "5", "5.0.0", "x", "5.1", "5.1.1 x", "9.1.1", "5.99.1"])
def test_no_status_is_no_reason(status: str) -> None:
    assert explain_status(status) == UNKNOWN


@given(st.text())
def test_any_text_is_explained(text: str) -> None:
    assert explain_status(text)
    assert explain_refusal(text)
    assert explain_note(text) == text or text.startswith("left out: ") or " " in text


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (25_000_000, "25 MB"),
        (10**16, "10000 TB"),
        (-1, "0 bytes"),
    ],
)
def test_sizes(octets: int, words: str) -> None:
    assert write_size(octets) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "less than a minute"),
        (59, "less than a minute"),
        (60, "1 minute"),
        (3_599, "59 minutes"),
        (3_600, "1 hour"),
        (7_260, "2 hours"),
        (86_399, "23 hours"),
        (86_400, "1 day"),
        (90_000, "1 day 1 hour"),
        (864_000, "10 days"),
        (10**8, "1,157 days"),
    ],
)
def test_spans(seconds: int, words: str) -> None:
    assert write_span(timedelta(seconds=seconds)) == words


def test_times_are_read_in_any_zone() -> None:
    east = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=9)))
    assert read_time(east.isoformat()) == east
    assert show_time(east).machine == "2026-01-01T18:04:05.000Z"
    assert show_time(east).words == "1 Jan 2026, 18:04 UTC"
    assert show_time(east, local=True).words == (
        f"{east.astimezone():%d %b %Y, %H:%M} {east.astimezone().tzname()}".lstrip("0")
    )


@pytest.mark.parametrize("text", ["infinity", "-infinity", "294276-01-01 00:00:00+00", "", "x<"])
def test_a_time_of_no_calendar_is_told_as_it_is(text: str) -> None:
    words = "never" if text.endswith("infinity") else text
    assert (show_time(text).machine, show_time(text).words) == ("", words)
    assert read_time(text) is None
    assert read_time(datetime.max.replace(tzinfo=UTC)) == datetime.max.replace(tzinfo=UTC)
    assert read_time(datetime.max.replace(tzinfo=timezone(timedelta(hours=-9)))) is None


@pytest.mark.parametrize(
    ("type", "words"),
    [
        ("application/pdf", "PDF document"),
        ("image/svg+xml", "Picture (SVG)"),
        ("video/x-msvideo", "Film (MSVIDEO)"),
        ("application/x-unknown", "application/x-unknown"),
        ("image/", "image/"),
        ("image", "image"),
    ],
)
def test_types_of_files(type: str, words: str) -> None:
    assert name_kind(type) == words
