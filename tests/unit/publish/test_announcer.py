"""Announcements go soon, several at once, each once and in order; none is lost while we live."""

import threading
import time
from collections.abc import Callable, Sequence

from conversation_tracker.database.notifications import Announcer


class Line:
    """What was sent, in batches; refuses while `down`."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.down = False
        self.tried = threading.Event()

    def send(self, payloads: Sequence[str]) -> None:
        self.tried.set()
        if self.down:
            raise OSError
        self.batches.append(list(payloads))

    @property
    def sent(self) -> list[str]:
        return [each for batch in self.batches for each in batch]


def _until(condition: Callable[[], object], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return bool(condition())


def test_what_is_given_in_a_moment_goes_at_once_and_in_order() -> None:
    line = Line()
    announcer = Announcer(line.send)
    announcer.start()
    wanted = [str(number) for number in range(50)]
    for each in wanted:
        announcer.put(each)
    assert _until(lambda: len(line.sent) == 50)
    announcer.stop()
    assert line.sent == wanted
    assert len(line.batches) < 5


def test_stopping_sends_what_is_left() -> None:
    line = Line()
    announcer = Announcer(line.send)
    announcer.start()
    announcer.put("last")
    announcer.stop()
    assert line.sent == ["last"]


def test_what_cannot_be_sent_is_kept_and_sent_later_once() -> None:
    line = Line()
    line.down = True
    announcer = Announcer(line.send)
    announcer.start()
    for each in ("a", "b"):
        announcer.put(each)
    assert line.tried.wait(5)
    line.down = False
    assert _until(lambda: line.sent == ["a", "b"])
    announcer.stop()
    assert line.sent == ["a", "b"]


def test_stopping_does_not_wait_for_who_does_not_answer() -> None:
    line = Line()
    line.down = True
    announcer = Announcer(line.send)
    announcer.start()
    announcer.put("lost")
    began = time.monotonic()
    announcer.stop()
    assert time.monotonic() - began < 1
    assert line.sent == []
