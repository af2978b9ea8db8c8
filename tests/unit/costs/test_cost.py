"""What grows with the square is seen on any machine; what grows with the length passes."""

from itertools import product

import cost
import pytest
from cost import linear, proportionate, within


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


@pytest.mark.parametrize("size", [4_096, 16_384, 64_000])
def test_a_square_is_seen_beside_whatever_else_the_work_costs(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In all that makes the whole eight times the quarter, and in nothing else, at any speed."""
    parts = [0.0, *(10 ** (n / 2) for n in range(-12, 0))]  # seconds at the whole size
    seen = 0
    for always, length, square in product(parts, parts, parts):

        def spent(_: object, __: object, each: int, parts: tuple[float, ...]) -> float:
            share = each / size
            return parts[0] + parts[1] * share + parts[2] * share**2

        costs = (always, length, square)
        monkeypatch.setattr(cost, "_patiently", lambda *given, costs=costs: spent(*given, costs))
        whole, quarter = (spent(0, 0, each, costs) for each in (size, size // 4))
        more = spent(0, 0, 4 * size, costs)
        grows = whole >= cost.GLANCE and whole >= 8 * quarter
        grows = grows and (whole > 0.25 or more >= 8 * whole)
        assert bool(proportionate(lambda _: None, size)) == grows, costs
        seen += grows
    assert seen > 100
