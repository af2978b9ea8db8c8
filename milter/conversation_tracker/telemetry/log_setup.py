"""How the log of a process is set up: where its lines go, and that all others' lines go there too.

Other libraries' own logging, and exceptions that nobody caught, are led to `log`; neither can say
more there than it allows. Nothing here decides what is logged.
"""

import logging
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import TextIO

import structlog

from conversation_tracker.telemetry.events import Event, log
from conversation_tracker.telemetry.formatting import make_processors
from conversation_tracker.telemetry.log_lines import LogLines


def configure(format: str, stream: TextIO | None = None) -> None:
    """Set up the log of this process: `format` is json or console, `stream` standard error.

    Other libraries' logging goes the same way from warnings on. May be called again.
    """
    stream = sys.stderr if stream is None else stream
    structlog.configure(
        processors=make_processors(format),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_args: LogLines(stream),
        cache_logger_on_first_use=True,
    )
    log._out = structlog.get_logger().bind()
    logging.basicConfig(level=logging.WARNING, handlers=[_Bridge()], force=True)
    # While the database is away the pool says so with every attempt; we say it once.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    # Of an answer that is no good HTTP it would quote the URL, and what the receiver said.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    # What a client does wrong is an answer of ours, with a line of its own.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)


def catch_uncaught() -> None:
    """Log exceptions that nobody caught, in place of tracebacks, whose last line has the text."""
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, None)
    sys.unraisablehook = lambda args: _uncaught(args.exc_type, args.exc_value, None)


def _uncaught(
    kind: type[BaseException], exc: BaseException | None, _traceback: TracebackType | None
) -> None:
    """Log one uncaught exception; an interrupt or exit is none."""
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        log.error(Event.ERROR, exc or BaseException())  # some are reported without the value


class _Bridge(logging.Handler):
    """Hands the standard library's log records to `log`."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record; only its message's first line, for details quote rows."""
        args = record.args
        if isinstance(args, tuple):
            args = tuple(_sayable(each) for each in args)
        text = str(_sayable(record.msg))
        # A caller's wrong format is no reason to fail: the message then stands without arguments.
        with suppress(Exception):
            text = text % args if args else text
        exc = record.exc_info[1] if record.exc_info else None
        level = min(max(record.levelno // 10 * 10, logging.INFO), logging.CRITICAL)
        log.library(level, logger=record.name, text=text, exc=exc)


def _sayable(value: object) -> object:
    """Return the value, or an exception's type if it has an SQLSTATE: its text may quote a row."""
    if isinstance(value, BaseException) and getattr(value, "sqlstate", None) is not None:
        return type(value).__name__
    return value
