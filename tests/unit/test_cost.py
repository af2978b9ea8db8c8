"""What grows with the square is seen on any machine; what grows with the length passes."""

import pytest
from cost import linear, within


def work(steps: int) -> int:
    return sum(1 for _ in range(steps))


def test_what_grows_with_the_length_passes() -> None:
    linear(work, 2_000_000)
    assert within(1, lambda: work(1000)) == 1000


def test_what_grows_with_the_square_does_not() -> None:
    with pytest.raises(AssertionError):
        linear(lambda size: work(size * size), 2_000)


def test_what_costs_far_more_than_it_may_does_not() -> None:
    with pytest.raises(AssertionError):
        within(0.001, lambda: work(5_000_000))
