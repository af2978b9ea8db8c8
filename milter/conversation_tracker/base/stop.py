"""How a process that works until it is told to stop learns of it, and waits until then."""

import signal
import threading
from types import FrameType


class Stopped(Exception):
    """The process was asked to stop."""


class StopSignals:
    """The signals that end it; made once, in the main thread.

    Attributes:
        signal: the name of the one that came, "" before.
    """

    def __init__(self) -> None:
        """Take SIGTERM and SIGINT from now on."""
        self.signal = ""
        self._asked = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds; raise Stopped as soon as it is asked to stop."""
        if self._asked.wait(seconds):
            raise Stopped

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signal = signal.Signals(number).name
        self._asked.set()
