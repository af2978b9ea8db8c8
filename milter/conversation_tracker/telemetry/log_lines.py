"""Where finished lines of the log are written, each with one call; none ever fails."""

import logging
import os
import sys
from contextlib import suppress
from functools import partial
from typing import TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

from conversation_tracker.telemetry.formatting import make_processors
from conversation_tracker.telemetry.journal import PRIORITIES, choose_prefix


class LogLines:
    """Writes finished lines to a stream, each with one call, so that processes do not mix them."""

    def __init__(self, stream: TextIO) -> None:
        """Write to this stream; if it leads to the journal, each line with its priority."""
        self._write = stream.write
        self._flush = stream.flush
        put = {
            level: partial(self._put, choose_prefix(level, stream, os.environ))
            for level in PRIORITIES
        }
        self.debug, self.info = put["debug"], put["info"]
        self.warning, self.error, self.critical = put["warning"], put["error"], put["critical"]

    def _put(self, prefix: str, line: str) -> None:
        """Write one line; a stream that is gone or full must not stop the mail."""
        with suppress(OSError, ValueError):
            self._write(f"{prefix}{line}\n")
            self._flush()


def make_first_logger() -> FilteringBoundLogger:
    """Return the logger in force until the log is set up: JSON on standard error."""
    logger = structlog.wrap_logger(
        LogLines(sys.stderr),
        processors=make_processors("json"),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return cast(FilteringBoundLogger, logger.bind())
