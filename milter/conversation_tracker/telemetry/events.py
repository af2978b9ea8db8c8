"""The log: a closed vocabulary of events, one line for each, and never an address.

Every line is made here, by `log`, whose methods are all that can be said; other libraries' own
logging is led the same way (`log_setup`). How a line looks, and the net that keeps addresses out,
is in `formatting`. A line that cannot be written is lost in silence: mail must not fail for it.

docs/log-events.md is made from this file: of each method the first sentence, the fields it gives,
and what is to be done. So they are written for an administrator.
"""

from collections.abc import Sequence

from structlog.typing import FilteringBoundLogger

from conversation_tracker.telemetry.event_names import Event
from conversation_tracker.telemetry.formatting import describe
from conversation_tracker.telemetry.log_lines import make_first_logger

__all__ = ["Event", "Log", "log"]

_TEXT_LIMIT = 500  # characters of another library's message


class Log:
    """What can be logged; no argument may be an address.

    Fields:
        queue_id: Postfix's queue id of the message, empty where it has none yet.
        pid: the process.
        status: how a process ended: its exit code, or minus the signal that ended it.
        restarts: workers that died since the start of the service.
        reply: the answer to the client, empty if it was 250.
        ms: milliseconds it took.
        source: the file's path, or the journal.
        error: the type of an exception. Its text is never logged: it may quote a row.
        sqlstate: the database's code of an error, where it has one.
        errno: the system's number of an error, where it has one.
        webhook: the webhook's id in tracker.webhooks.
        host: host and port of its URL; the rest may hold a secret and is never logged.
        said: the receiver's HTTP status; without one a word: no-address, private-address (it
            leads inside, see `allow_private`), not-https, unreachable, certificate, timeout, cut
            or bad-url.
        frames: where the exception was raised: file, line and function.
        causes: what led to it, where anything did.
    """

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
        """Log that a message came to its end.

        Args:
            queue_id: Postfix's.
            outcome: untouched, forwarded, split (several copies follow), returned or refused.
            reply: what it was refused with.
            orders: the orders' numbers.
            recipients: how many the envelope had.
            direction: outbound (to the buyer), inbound (from the buyer) or internal.
            size: octets.
            ms: to decide on it and to record it.
        """
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
        """Log that one recipient was refused or deferred.

        Args:
            reply: the answer to the client.
            queue_id: Postfix's.
            listener: tracker-split where the splitter handed it in.
        """
        self._out.info(Event.REFUSED_RECIPIENT, queue_id=queue_id, reply=reply, listener=listener)

    def database_unreachable(self, exc: BaseException) -> None:
        """Log that the database stopped answering; each worker says it once, not at every message.

        To do: see that PostgreSQL runs and takes connections; `check` says what the driver says.
        Mail waits meanwhile.
        """
        self._out.warning(Event.DATABASE_UNREACHABLE, **describe(exc))

    def database_back(self, *, seconds: float) -> None:
        """Log that the database answers again.

        Args:
            seconds: since it stopped.
        """
        self._out.info(Event.DATABASE_BACK, seconds=round(seconds, 1))

    def order_locked(self, *, queue_id: str) -> None:
        """Log that a message waited too long for its order, which somebody keeps locked.

        To do: look for `idle in transaction` in `pg_stat_activity`, and have the integrator commit
        after each call. The message comes again.
        """
        self._out.warning(Event.ORDER_LOCKED, queue_id=queue_id)

    def alias_domains(self, *, count: int) -> None:
        """Log that the list of alias domains changed.

        Args:
            count: how many there are now.
        """
        self._out.info(Event.ALIAS_DOMAINS, count=count)

    def ready(self, *, socket: str, workers: int, version: str) -> None:
        """Log that mail is accepted.

        Args:
            socket: where Postfix finds it, as the configuration has it.
            workers: how many.
            version: of the program.
        """
        self._out.info(Event.READY, socket=socket, workers=workers, version=version)

    def stopping(self, *, signal: str) -> None:
        """Log that the service ends because it was asked to.

        Args:
            signal: the signal's name.
        """
        self._out.info(Event.STOPPING, signal=signal)

    def worker_started(self, *, pid: int) -> None:
        """Log that a worker process began its work."""
        self._out.info(Event.WORKER_STARTED, pid=pid)

    def worker_died(self, *, pid: int, status: int, restarts: int) -> None:
        """Log that a worker ended unasked; another is started, and its messages come again.

        To do: one is nothing; for many, read the lines before them. -9 may be the kernel, out of
        memory (`journalctl -k`).
        """
        self._out.error(Event.WORKER_DIED, pid=pid, status=status, restarts=restarts)

    def worker_overdue(self, *, pid: int, reason: str, queue_id: str) -> None:
        """Log that a process is ended, because a message outlasted its clock or took much memory.

        Args:
            pid: the process.
            reason: overdue or outgrown.
            queue_id: the message's where it is known.

        To do: nothing yet: each message it had is tried alone next. `condemned` tells the guilty.
        """
        self._out.error(Event.WORKER_OVERDUE, pid=pid, reason=reason, queue_id=queue_id)

    def suspected(self, *, queue_id: str) -> None:
        """Log that a message was in flight in a process that ended; it is tried alone next."""
        self._out.warning(Event.SUSPECTED, queue_id=queue_id)

    def condemned(self, *, queue_id: str, status: int) -> None:
        """Log that a message ended a process alone, and is refused from now on.

        To do: report it with the lines on standard error before it: it is a fault of this program.
        """
        self._out.error(Event.CONDEMNED, queue_id=queue_id, status=status)

    def gave_up(self, *, restarts: int) -> None:
        """Log that the service ends, because its workers die before any is ready.

        To do: read the lines before it. systemd starts the service anew; mail waits.
        """
        self._out.critical(Event.GAVE_UP, restarts=restarts)

    def config_reloaded(self, *, path: str) -> None:
        """Log that the configuration was read again and is in force.

        Args:
            path: the file.
        """
        self._out.info(Event.CONFIG_RELOADED, path=path)

    def config_refused(self, *, faults: Sequence[str]) -> None:
        """Log that the configuration was read again but has faults; the former stays in force.

        Args:
            faults: each fault, with file and key.

        To do: mend them, and reload again. Until then a restart would fail.
        """
        self._out.error(Event.CONFIG_REFUSED, faults=faults)

    def config_unsafe(self, *, faults: Sequence[str]) -> None:
        """Log that the configuration is in force, at a start or a reload, though it is not safe.

        Args:
            faults: what `check --config` finds wrong, each with what mends it.

        To do: mend them, and reload. Mail passes meanwhile: to refuse it would help nobody.
        """
        self._out.error(Event.CONFIG_UNSAFE, faults=faults)

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
        unpublished: int = 0,
        feed_dropped: Sequence[str] = (),
        ms: float,
        dry_run: bool = False,
    ) -> None:
        """Log that expiry ran, and what it took away.

        Args:
            orders: that were emptied.
            addresses: in them.
            messages: deleted.
            refusals: deleted.
            removed: orders deleted, since nothing was left of them.
            domains: alias domains deleted, since nobody used them.
            made: months made for messages to come.
            dropped: months dropped.
            unpublished: events deleted that nobody published within a month.
            feed_dropped: months of the feed dropped.
            ms: it took.
            dry_run: it only counted.
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
            unpublished=unpublished,
            feed_dropped=list(feed_dropped),
            ms=round(ms, 1),
            dry_run=dry_run,
        )

    def following(self, *, source: str) -> None:
        """Log that Postfix's log is read from now on, or again."""
        self._out.info(Event.FOLLOWING, source=source)

    def delivery(self, *, queue_id: str, state: str, status: str) -> None:
        """Log that Postfix's log says what became of a copy.

        Args:
            queue_id: Postfix's, of the copy.
            state: sent, delayed or bounced.
            status: the enhanced status code.
        """
        self._out.info(Event.DELIVERY, queue_id=queue_id, state=state, status=status)

    def log_unreadable(self, *, source: str, reason: str) -> None:
        """Log that Postfix's log cannot be read; said once, and tried again and again.

        Args:
            source: the file's path, or the journal.
            reason: what the system says.

        To do: see that the follower's user may read it (groups `adm` and `systemd-journal`).
        Timelines say `accepted` until it can.
        """
        self._out.warning(Event.LOG_UNREADABLE, source=source, reason=reason)

    def log_gap(self, *, source: str) -> None:
        """Log that lines may have been rotated away before they were read.

        To do: nothing for these; their deliveries stay `accepted`. Keep one rotated log
        uncompressed (`delaycompress`).
        """
        self._out.warning(Event.LOG_GAP, source=source)

    def publishing(self) -> None:
        """Log that this process publishes from now on, or again: it alone, of all hosts."""
        self._out.info(Event.PUBLISHING)

    def publisher_waits(self) -> None:
        """Log that another process publishes, here or on another host; this one waits for it."""
        self._out.info(Event.PUBLISHER_WAITS)

    def metrics(self, *, where: str) -> None:
        """Log that metrics are served.

        Args:
            where: host and port.
        """
        self._out.info(Event.METRICS, where=where)

    def metrics_unavailable(self, exc: BaseException) -> None:
        """Log that the metrics cannot be served; said once, and tried again. Mail goes on.

        To do: see who has the port, or take another (`metrics` in the configuration).
        """
        self._out.warning(Event.METRICS_UNAVAILABLE, **describe(exc))

    def webhooks(self) -> None:
        """Log that this process sends webhooks from now on."""
        self._out.info(Event.WEBHOOKS)

    def webhook_failing(self, *, webhook: int, host: str, said: str) -> None:
        """Log that a webhook's receiver failed twice in a row; it is tried again for a day.

        To do: see what the receiver's own log says. `conversation-tracker webhooks list` shows how
        it goes on.
        """
        self._out.warning(Event.WEBHOOK_FAILING, webhook=webhook, host=host, said=said)

    def webhook_back(self, *, webhook: int, host: str) -> None:
        """Log that a webhook's receiver takes events again; what waited for it is sent."""
        self._out.info(Event.WEBHOOK_BACK, webhook=webhook, host=host)

    def webhook_dead(self, *, webhook: int, host: str, count: int, said: str) -> None:
        """Log that events were given up, which a webhook's receiver did not take for a day.

        Args:
            webhook: its id.
            host: of its URL.
            count: how many events.
            said: what came of the last try.

        To do: mend the receiver, then `conversation-tracker webhooks retry`.
        """
        self._out.error(Event.WEBHOOK_DEAD, webhook=webhook, host=host, count=count, said=said)

    def webhook_gone(self, *, webhook: int, host: str) -> None:
        """Log that a receiver answered 410, so that its webhook is not active any more.

        To do: delete the webhook, or give it another URL and make it active; what was not sent
        is sent then.
        """
        self._out.warning(Event.WEBHOOK_GONE, webhook=webhook, host=host)

    def web(self, *, socket: str) -> None:
        """Log that the web page is served.

        Args:
            socket: where the proxy in front finds it, as the configuration has it.
        """
        self._out.info(Event.WEB, socket=socket)

    def request(self, *, method: str, page: str, status: int, ms: float) -> None:
        """Log that the web page answered; never what was asked for: that may be an address.

        Args:
            method: GET, HEAD, POST or other.
            page: home, order, json, attachment, html, static or none.
            status: of the answer (HTTP).
        """
        self._out.info(Event.REQUEST, method=method, page=page, status=status, ms=round(ms, 1))

    def error(self, event: Event, exc: BaseException, *, queue_id: str = "") -> None:
        """Log that something failed that should not; the event may also be what was tried.

        To do: report it, with `frames`: it is a fault of this program, unless `errno` or
        `sqlstate` tell of the system's or the database's. The message got 451 and comes again.
        """
        known = {"queue_id": queue_id} if queue_id else {}
        self._out.error(event, **known, **describe(exc))

    def library(self, level: int, *, logger: str, text: str, exc: BaseException | None) -> None:
        """Log that a library the program uses had something to say, at the level it chose.

        Args:
            logger: the library.
            text: its words, without an address.

        To do: as its words say.
        """
        failure = describe(exc) if exc else {}
        text = text.strip().partition("\n")[0][:_TEXT_LIMIT]
        self._out.log(level, Event.LIBRARY, logger=logger, text=text, **failure)


log = Log(make_first_logger())
