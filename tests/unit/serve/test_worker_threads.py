"""What goes on in a worker beside the messages does not end by a fault of its own."""

from unittest import mock

import pytest

from conversation_tracker.serve import worker
from conversation_tracker.telemetry.counters import metrics


class Enough(BaseException):
    """Ends the loop."""


class Faulty:
    """A database whose answers are not what they should be, but for the last."""

    def __init__(self, answers: list[object]) -> None:
        self._answers = iter(answers)

    def publisher_lag(self) -> object:
        try:
            return next(self._answers)
        except StopIteration:
            raise Enough from None

    def webhook_lag(self) -> tuple[float, int]:
        return 0.0, 0


def test_the_look_at_the_feed_outlives_any_fault_and_tells_it_once_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker.time, "sleep", lambda _seconds: None)
    noted = mock.Mock()
    monkeypatch.setattr(metrics, "note_publisher", noted)
    monkeypatch.setattr(metrics, "note_webhooks", mock.Mock())
    told = mock.Mock()
    monkeypatch.setattr(worker.log, "error", told)
    with pytest.raises(Enough):
        worker._look_at_feed(Faulty([None, None, (1.0, 2.0), None, (3.0, 4.0)]))  # type: ignore[arg-type]
    assert noted.call_args_list == [mock.call(1.0, 2.0), mock.call(3.0, 4.0)]
    assert told.call_count == 2
