"""The log: a closed vocabulary of events, one line for each, and never an address.

Every line is made here, by `log`, whose methods are all that can be said; other libraries' own
logging is led the same way. How a line looks, and the net that keeps addresses out, is in
`formatting`. A line that cannot be written is lost in silence: mail must not fail for it.
"""

import logging
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

from conversation_tracker.telemetry.formatting import describe, make_processors

_TEXT_LIMIT = 500  # characters of another library's message


class Event(StrEnum):
    """Everything that can happen; the `event` of a line."""

    MESSAGE = "message"
    REFUSED_RECIPIENT = "refused-recipient"
    DATABASE_UNREACHABLE = "database-unreachable"
    DATABASE_BACK = "database-back"
    ORDER_LOCKED = "order-locked"
    ALIAS_DOMAINS = "alias-domains"
    READY = "ready"
    STOPPING = "stopping"
    WORKER_STARTED = "worker-started"
    WORKER_DIED = "worker-died"
    WORKER_OVERDUE = "worker-overdue"
    SUSPECTED = "suspected"
    CONDEMNED = "condemned"
    GAVE_UP = "gave-up"
    CONFIG_RELOADED = "config-reloaded"
    CONFIG_REFUSED = "config-refused"
    MIGRATE = "migrate"
    EXPIRE = "expire"
    FOLLOWING = "following"
    DELIVERY = "delivery"
    LOG_UNREADABLE = "log-unreadable"
    LOG_GAP = "log-gap"
    METRICS = "metrics"
    METRICS_UNAVAILABLE = "metrics-unavailable"
    ERROR = "error"
    LIBRARY = "library"


class Log:
    """What can be logged. Times are milliseconds, sizes octets; no argument may be an address."""

    def __init__(self, out: FilteringBoundLogger) -> None:
        self._out = out

    def message(
        self,
        *,
        queue_id: str,
        outcome: str,
        reply: str = "",
        orders: Sequence[str] = (),
        recipients: int,
        direction: str = "",
        size: int,
        ms: float,
    ) -> None:
        """Log one message at its end: what became of it, and the reply if it was refused."""
        self._out.info(
            Event.MESSAGE,
            queue_id=queue_id,
            outcome=outcome,
            reply=reply,
            orders=orders,
            recipients=recipients,
            direction=direction,
            size=size,
            ms=round(ms, 1),
        )

    def refused_recipient(self, *, reply: str, queue_id: str = "", listener: str = "") -> None:
        """Log the reply that refused or deferred one recipient."""
        self._out.info(Event.REFUSED_RECIPIENT, queue_id=queue_id, reply=reply, listener=listener)

    def database_unreachable(self, exc: BaseException) -> None:
        """Log that the database stopped answering; say it once, not for every message."""
        self._out.warning(Event.DATABASE_UNREACHABLE, **describe(exc))

    def database_back(self, *, seconds: float) -> None:
        """Log that the database answers again, `seconds` after it stopped."""
        self._out.info(Event.DATABASE_BACK, seconds=round(seconds, 1))

    def order_locked(self, *, queue_id: str) -> None:
        """Log that a message waited too long for its order, which somebody keeps locked."""
        self._out.warning(Event.ORDER_LOCKED, queue_id=queue_id)

    def alias_domains(self, *, count: int) -> None:
        """Log that the list of alias domains changed, and how many there are now."""
        self._out.info(Event.ALIAS_DOMAINS, count=count)

    def ready(self, *, socket: str, workers: int, version: str) -> None:
        """Log that mail is accepted; `socket` is `str` of the configuration's."""
        self._out.info(Event.READY, socket=socket, workers=workers, version=version)

    def stopping(self, *, signal: str) -> None:
        """Log that the service ends, and the name of the signal that told it to."""
        self._out.info(Event.STOPPING, signal=signal)

    def worker_started(self, *, pid: int) -> None:
        """Log that a worker process began its work."""
        self._out.info(Event.WORKER_STARTED, pid=pid)

    def worker_died(self, *, pid: int, status: int, restarts: int) -> None:
        """Log that a worker ended unasked and another is started, `restarts` by now.

        `status` is its exit code, or minus a signal.
        """
        self._out.error(Event.WORKER_DIED, pid=pid, status=status, restarts=restarts)

    def worker_overdue(self, *, pid: int, reason: str, queue_id: str) -> None:
        """Log that a process is ended: a message outlasted its clock, or took too much memory.

        `reason` is overdue or outgrown; `queue_id` is the message's where it is known.
        """
        self._out.error(Event.WORKER_OVERDUE, pid=pid, reason=reason, queue_id=queue_id)

    def suspected(self, *, queue_id: str) -> None:
        """Log that a message was in flight in a process that ended: it is tried alone next."""
        self._out.warning(Event.SUSPECTED, queue_id=queue_id)

    def condemned(self, *, queue_id: str, status: int) -> None:
        """Log that a message ended a process alone and is refused from now on.

        `status` is the process's exit code, or minus a signal.
        """
        self._out.error(Event.CONDEMNED, queue_id=queue_id, status=status)

    def gave_up(self, *, restarts: int) -> None:
        """Log that the service ends because its workers die before they are ready."""
        self._out.critical(Event.GAVE_UP, restarts=restarts)

    def config_reloaded(self, *, path: str) -> None:
        """Log that the configuration was read again and is in force."""
        self._out.info(Event.CONFIG_RELOADED, path=path)

    def config_refused(self, *, faults: Sequence[str]) -> None:
        """Log that the configuration was read again but has faults: the former stays."""
        self._out.error(Event.CONFIG_REFUSED, faults=faults)

    def migrate(self, *, applied: int) -> None:
        """Log how many migrations were applied to the database."""
        self._out.info(Event.MIGRATE, applied=applied)

    def expire(
        self,
        *,
        orders: int,
        addresses: int,
        messages: int,
        refusals: int,
        removed: int,
        domains: int,
        made: Sequence[str] = (),
        dropped: Sequence[str] = (),
        ms: float,
        dry_run: bool = False,
    ) -> None:
        """Log what expiry took away, or with `dry_run` would have.

        `orders` were emptied of their `addresses`; `messages`, `refusals`, `removed` orders and
        alias `domains` were deleted; months were `made` for messages to come, or `dropped`.
        """
        self._out.info(
            Event.EXPIRE,
            orders=orders,
            addresses=addresses,
            messages=messages,
            refusals=refusals,
            removed=removed,
            domains=domains,
            made=list(made),
            dropped=list(dropped),
            ms=round(ms, 1),
            dry_run=dry_run,
        )

    def following(self, *, source: str) -> None:
        """Log that Postfix's log is read from now on: a file's path, or the journal."""
        self._out.info(Event.FOLLOWING, source=source)

    def delivery(self, *, queue_id: str, state: str, status: str) -> None:
        """Log what Postfix's log told of a delivery; `status` is an enhanced status code."""
        self._out.info(Event.DELIVERY, queue_id=queue_id, state=state, status=status)

    def log_unreadable(self, *, source: str, reason: str) -> None:
        """Log that Postfix's log cannot be read, once; it is tried again and again."""
        self._out.warning(Event.LOG_UNREADABLE, source=source, reason=reason)

    def log_gap(self, *, source: str) -> None:
        """Log that lines may have been rotated away before they were read."""
        self._out.warning(Event.LOG_GAP, source=source)

    def metrics(self, *, where: str) -> None:
        """Log that metrics are served at this host and port."""
        self._out.info(Event.METRICS, where=where)

    def metrics_unavailable(self, exc: BaseException) -> None:
        """Log, once, that the metrics cannot be served; mail goes on, and it is tried again."""
        self._out.warning(Event.METRICS_UNAVAILABLE, **describe(exc))

    def error(self, event: Event, exc: BaseException, *, queue_id: str = "") -> None:
        """Log a failure: the exception's type and where it came from, never its text."""
        known = {"queue_id": queue_id} if queue_id else {}
        self._out.error(event, **known, **describe(exc))

    def library(self, level: int, *, logger: str, text: str, exc: BaseException | None) -> None:
        """Log what another library reported through the standard library's logging."""
        failure = describe(exc) if exc else {}
        text = text.strip().partition("\n")[0][:_TEXT_LIMIT]
        self._out.log(level, Event.LIBRARY, logger=logger, text=text, **failure)


def configure(format: str, stream: TextIO | None = None) -> None:
    """Set up the log of this process: `format` is json or console, `stream` standard error.

    Other libraries' logging goes the same way from warnings on. May be called again.
    """
    stream = sys.stderr if stream is None else stream
    structlog.configure(
        processors=make_processors(format),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_args: _Lines(stream),
        cache_logger_on_first_use=True,
    )
    log._out = structlog.get_logger().bind()
    logging.basicConfig(level=logging.WARNING, handlers=[_Bridge()], force=True)
    # While the database is away the pool says so with every attempt; we say it once.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


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


class _Lines:
    """Writes finished lines to a stream, each with one call, so that processes do not mix them."""

    def __init__(self, stream: TextIO) -> None:
        self._write = stream.write
        self._flush = stream.flush

    def info(self, line: str) -> None:
        """Write one line; a stream that is gone or full must not stop the mail."""
        with suppress(OSError, ValueError):
            self._write(line + "\n")
            self._flush()

    debug = warning = error = critical = info


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


def _first() -> FilteringBoundLogger:
    """Return the logger in force until `configure` is called: JSON on standard error."""
    logger = structlog.wrap_logger(
        _Lines(sys.stderr),
        processors=make_processors("json"),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return cast(FilteringBoundLogger, logger.bind())


log = Log(_first())
