"""How long is waited until what failed is sent again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.publish.webhooks.schedule import (
    choose_pauses,
    count_failure,
    read_retry_after,
)

NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)
DAY = 86_400


def middle() -> float:
    return 0.5


def pauses(
    status: int, tries: int, failures: int, asked: float = 0.0
) -> tuple[float, float | None]:
    chosen = choose_pauses(status, tries, failures, asked, middle)
    return chosen.event, chosen.receiver


def test_pauses_grow_and_stay_within_an_hour_and_of_a_receiver_within_ten_minutes() -> None:
    assert [pauses(500, n, n) for n in (1, 2, 3, 4, 5, 6, 7, 1000)] == [
        (5, 0), (30, 5), (120, 30), (600, 120), (1800, 600), (3600, 600), (3600, 600),
        (3600, 600),
    ]  # fmt: skip


@pytest.mark.parametrize("status", [0, 300, 302, 307, 408, 425, 500, 501, 599, 100])
def test_one_failure_keeps_back_nothing_else_and_two_in_a_row_do(status: int) -> None:
    assert pauses(status, 1, 1) == (5, 0)
    assert pauses(status, 1, 2) == (5, 5)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_who_is_busy_is_left_alone_at_once(status: int) -> None:
    assert pauses(status, 1, 1) == (5, 5)
    assert pauses(status, 1, 2) == (5, 30)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 422, 451, 499])
def test_what_is_refused_is_tried_again_and_keeps_back_nothing_else(status: int) -> None:
    assert pauses(status, 1, 1) == (5, None)
    assert pauses(status, 9, 9) == (3600, None)
    assert pauses(status, 1, 1, 60) == (60, 60)


def test_what_fails_again_counts_once_unless_the_receiver_is_busy() -> None:
    assert [count_failure(500, tries, 0, 0) for tries in (1, 2, 30)] == [1, 0, 0]
    assert [count_failure(0, tries, 3, 0) for tries in (1, 2, 30)] == [4, 3, 3]
    assert [count_failure(503, tries, 3, 0) for tries in (1, 2, 30)] == [4, 4, 4]
    assert [count_failure(404, tries, 3, 0) for tries in (1, 2, 30)] == [3, 3, 3]
    assert [count_failure(404, tries, 0, 5) for tries in (1, 2, 30)] == [1, 1, 1]
    assert pauses(500, 5, 0) == (1800, None)
    assert pauses(500, 5, 3) == (1800, 30)


def test_a_day_has_some_thirty_tries() -> None:
    passed, tries = 0.0, 1
    while passed < DAY:
        passed += pauses(500, tries, tries)[0]
        tries += 1
    assert 25 <= tries <= 35


@given(
    st.integers(-5, 1_000),
    st.integers(-5, 10_000),
    st.integers(-5, 10_000),
    st.floats(allow_nan=False),
    st.floats(0, 1),
)
def test_no_pause_is_without_end(
    status: int, tries: int, failures: int, asked: float, chance: float
) -> None:
    chosen = choose_pauses(status, tries, failures, asked, lambda: chance)
    assert 4 <= chosen.event <= 4320
    assert chosen.receiver is None or 0 <= chosen.receiver <= 3600


def test_who_asks_us_to_wait_is_heard_within_bounds() -> None:
    assert pauses(429, 1, 1, 90) == (90, 90)
    assert pauses(429, 1, 1, 1) == (5, 5)
    assert pauses(500, 1, 1, 90) == (90, 90)
    assert pauses(503, 1, 1, 10**9) == (3600, 3600)
    assert pauses(503, 4, 4, 90) == (600, 600)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("-1", 0),
        ("1.5", 0),
        ("1e9", 0),
        ("999999999", 999_999_999),
        ("9" * 5000, 0),
        ("\N{SUPERSCRIPT TWO}", 0),
        ("soon", 0),
        ("Sun, 29 Nov 2026 12:01:00 GMT", 60),
        ("Sun, 29 Nov 2026 12:01:00", 60),
        ("Sun, 29 Nov 2026 11:59:00 GMT", 0),
        ("Sun, 99 Nov 2026 12:01:00 GMT", 0),
        ("Sun, 29 Nov 99999 12:01:00 GMT", 0),
        ("Sun, 29 Nov 99999999999999999999 12:01:00 GMT", 0),
        ("Sun, 29 Nov 2026 99999999999999999999:01:00 GMT", 0),
        ("Sun, 29 Nov 2026 12:01:00 +999999999999999", 0),
        ("x" * 70_000, 0),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str | None, seconds: int) -> None:
    assert read_retry_after(value, NOW) == seconds


def test_any_date_is_understood() -> None:
    when = (NOW + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert read_retry_after(when, NOW) == 3600


@given(st.text(max_size=80))
def test_any_text_gives_a_number(text: str) -> None:
    assert read_retry_after(text, NOW) >= 0
