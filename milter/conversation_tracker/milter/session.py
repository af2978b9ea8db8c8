"""The pymilter adapter: collects what Postfix says, asks the filter, applies its plan.

No policy lives here. The callbacks only append raw bytes; everything is decided at the end of the
message. State belongs to one transaction and is dropped with it: MAIL, end of message, abort and
close each begin anew. Whatever raises is logged without its text and answered 451 4.3.0.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar

import Milter
import milter

from conversation_tracker.core.base.limits import (
    MAX_FIELDS,
    MAX_FIELDS_OCTETS,
    Limits,
    find_seconds,
)
from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.core.model.message import Header, Message
from conversation_tracker.core.model.plan import (
    AddHeader,
    AddRecipient,
    ChangeHeader,
    DeleteRecipient,
    Edit,
    ReplaceBody,
)
from conversation_tracker.core.model.replies import TRY_LATER, Reply
from conversation_tracker.core.rules.recipient import strip_route
from conversation_tracker.milter.admission import Admission
from conversation_tracker.milter.isolated_filter import IsolatedFilter
from conversation_tracker.milter.paths.outcome import Outcome
from conversation_tracker.milter.spool import Collector, collect
from conversation_tracker.milter.time_limit import begin_time
from conversation_tracker.milter.transaction import SPLITTER, Transaction, begin_transaction
from conversation_tracker.telemetry.counters import metrics
from conversation_tracker.telemetry.events import Event, log

ACTIONS = (
    Milter.ADDHDRS
    | Milter.CHGHDRS
    | Milter.CHGBODY
    | Milter.ADDRCPT
    | Milter.DELRCPT
    | Milter.CHGFROM
    | Milter.SETSYMLIST
)

# All that we read of the client comes with MAIL, so that connect needs no round trip.
_MAIL_MACROS = "{auth_authen} {client_addr} {daemon_addr} {daemon_name}"
# Postfix takes an empty list for none at all, and sends what it sends by itself.
_FEW_MACROS = "i"
_STEPS = (
    Milter.P_NOCONNECT
    | Milter.P_NODATA
    | Milter.P_NOEOH
    | Milter.P_NOUNKNOWN
    | Milter.P_NR_HELO
    | Milter.P_NR_MAIL
    | Milter.P_NR_HDR
    | Milter.P_NR_BODY
)
_CLIENTS = 1024  # addresses of which is kept whether they are trusted
_BOUNCE_PARAMETERS = "RET=HDRS ENVID={}"


class Session:
    """One connection from Postfix: any number of transactions, one after the other."""

    filter: ClassVar[IsolatedFilter]
    admission: ClassVar[Admission]
    trusts: ClassVar[Callable[[str], bool]]
    _busy: ClassVar[set[int]] = set()
    _open: ClassVar[set[int]] = set()

    @classmethod
    def count_messages(cls) -> int:
        """Count the messages that are being decided on."""
        return len(cls._busy)

    @classmethod
    def count_connections(cls) -> int:
        """Count the connections, whether a message is under way on them or not."""
        return len(cls._open)

    def __init__(self, context: Any) -> None:
        """Begin without a transaction.

        Args:
            context: libmilter's, of this connection.
        """
        self._open.add(id(self))
        self._context = context
        self._helo = ""
        self._after_helo: int = Milter.CONTINUE
        self._after_mail: int = Milter.CONTINUE
        self._after_header: int = Milter.CONTINUE
        self._after_body: int = Milter.CONTINUE
        self._clear()

    def _clear(self) -> None:
        self._clean = True
        self._transaction = Transaction()
        self._sender = b""
        self._headers: list[Header] = []
        self._octets = 0
        self._cut = False
        self._wants_body: bool | None = None
        self._passed = 0
        self._body: Collector | None = None
        self._lost: OSError | None = None

    def _reset(self) -> None:
        """Drop the transaction."""
        if not self._clean:
            self._clear()

    def negotiate(self, opts: list[int]) -> int:
        """Ask for what is needed only, and name the macros of each stage.

        The library's own negotiation hands the macros over as bytes, fails on that in silence and
        gives every option up; so this one does not use it.
        """
        actions, offered = opts[0], opts[1]
        if actions & Milter.SETSYMLIST:
            self._context.setsymlist(Milter.M_CONNECT, _FEW_MACROS)
            self._context.setsymlist(Milter.M_HELO, _FEW_MACROS)
            self._context.setsymlist(Milter.M_ENVFROM, _MAIL_MACROS)
            self._context.setsymlist(Milter.M_ENVRCPT, _FEW_MACROS)
            self._context.setsymlist(Milter.M_EOM, _FEW_MACROS)
        steps = opts[1] = offered & _STEPS
        opts[2] = opts[3] = 0
        # What is not answered must be what was agreed, or both wait for each other.
        self._after_helo = Milter.NOREPLY if steps & Milter.P_NR_HELO else Milter.CONTINUE
        self._after_mail = Milter.NOREPLY if steps & Milter.P_NR_MAIL else Milter.CONTINUE
        self._after_header = Milter.NOREPLY if steps & Milter.P_NR_HDR else Milter.CONTINUE
        self._after_body = Milter.NOREPLY if steps & Milter.P_NR_BODY else Milter.CONTINUE
        return int(Milter.CONTINUE)

    def helo(self, name: str) -> int:
        """Keep what the client calls itself, for all its transactions."""
        self._helo = name
        return self._after_helo

    def envfrom(self, sender: bytes, *_parameters: bytes) -> int:
        """Begin a transaction."""
        self._reset()
        self._clean = False
        self._sender = sender
        macro = self._context.getsymval
        self._transaction = begin_transaction(sender, macro, type(self).trusts)
        return self._after_mail

    def envrcpt(self, recipient: bytes, *parameters: bytes) -> int:
        """Look a recipient up, and refuse it alone if need be."""
        self._clean = False
        original = any(each.upper().startswith(b"ORCPT=") for each in parameters)
        try:
            reply = self.filter.accept_recipient(self._transaction, recipient, original=original)
        except Exception as error:
            log.error(Event.REFUSED_RECIPIENT, error)
            reply = TRY_LATER
        if reply is None:
            return int(Milter.CONTINUE)
        metrics.count_refused_recipient(reply)
        log.refused_recipient(
            reply=str(reply), listener=SPLITTER if self._transaction.split else ""
        )
        return self._answer(reply)

    def header(self, name: str, value: bytes) -> int:
        """Keep one header field."""
        self._clean = False
        self._octets += len(name) + len(value)
        if len(self._headers) < MAX_FIELDS and self._octets <= MAX_FIELDS_OCTETS:
            self._headers.append(Header(name.encode("ascii", "surrogateescape"), value))
        else:
            self._cut = True
        return self._after_header

    def body(self, chunk: bytes) -> int:
        """Keep one piece of the body, if anybody will look at it."""
        if self._wants_body is None:
            self._clean = False
            self._wants_body = self._look_ahead()
        if not self._wants_body:
            self._passed += len(chunk)
            return self._after_body
        if self._body is None:
            self._body = Collector()
        try:
            self._body.add(chunk)
        except OSError as error:  # no room on the disk; nothing can be answered here
            self._lost = self._lost or error
        return self._after_body

    def _look_ahead(self) -> bool:
        """Show the filter the header fields, which are complete; return whether it wants a body."""
        sender, headers = _read_sender(self._sender), tuple(self._headers)
        try:
            return self.filter.look_ahead(self._transaction, sender, headers, cut=self._cut)
        except Exception:  # nothing can be answered here; what is wrong shows at the end
            return True

    def eom(self) -> int:
        """Decide on the message, and apply what was decided."""
        started = time.perf_counter()
        queue_id = self._context.getsymval("i") or ""
        self._busy.add(id(self))
        try:
            if self._lost is not None:
                raise self._lost
            body = b"" if self._body is None else self._body.octets()
            with self.admission.admit(len(body)):
                message = self._build_message(queue_id, body)
                outcome = self.filter.decide(self._transaction, message)
                answer = self._apply(outcome, queue_id)
            self._tell(message, outcome, time.perf_counter() - started)
        except Exception as error:
            log.error(Event.MESSAGE, error, queue_id=queue_id)
            metrics.count_message("failed", "", time.perf_counter() - started, TRY_LATER)
            answer = self._answer(TRY_LATER)
        finally:
            self._busy.discard(id(self))
            self._reset()
        return answer

    def abort(self) -> int:
        """Drop the transaction."""
        self._reset()
        return int(Milter.CONTINUE)

    def close(self) -> int:
        """Drop the transaction with its connection."""
        self._open.discard(id(self))
        self._reset()
        return int(Milter.CONTINUE)

    def _build_message(self, queue_id: str, body: Octets) -> Message:
        return Message(
            _read_sender(self._sender),
            tuple(self._transaction.recipients),
            tuple(self._headers),
            body,
            self._transaction.make_arrival(queue_id, self._helo),
            null=self._transaction.null,
            cut=self._cut,
            limits=Limits(begin_time(find_seconds(len(body))), collect),
        )

    def _apply(self, outcome: Outcome, queue_id: str) -> int:
        if outcome.plan.reply is not None:
            return self._answer(outcome.plan.reply)
        if outcome.plan.discard:
            return int(Milter.DISCARD)
        if outcome.return_path is not None:
            self._context.chgfrom(
                f"<{outcome.return_path}>", _BOUNCE_PARAMETERS.format(queue_id or "0")
            )
        for edit in outcome.plan.edits:
            self._apply_edit(edit)
        return int(Milter.CONTINUE)

    def _apply_edit(self, edit: Edit) -> None:
        match edit:
            case ChangeHeader(name, index, value):
                shown = None if value is None else _decode(value)
                self._context.chgheader(name.decode("ascii"), index, shown)
            case AddHeader(name, value):
                self._context.addheader(name.decode("ascii"), _decode(value))
            case DeleteRecipient(raw):
                self._context.delrcpt(_decode(raw))
            case AddRecipient(address):
                self._context.addrcpt(f"<{address}>")
            case ReplaceBody(body):
                for piece in iter_windows(body, 0, len(body)) if len(body) else (b"",):
                    self._context.replacebody(piece)  # libmilter appends

    def _answer(self, reply: Reply) -> int:
        self._context.setreply(reply.code, reply.status, reply.text)
        return int(Milter.TEMPFAIL if reply.is_temporary else Milter.REJECT)

    def _tell(self, message: Message, outcome: Outcome, seconds: float) -> None:
        plan = outcome.plan
        what = "refused" if plan.reply is not None else outcome.what
        metrics.count_message(what, outcome.direction, seconds, plan.reply)
        log.message(
            queue_id=message.arrival.queue_id,
            outcome=what,
            reply=str(plan.reply or ""),
            orders=outcome.orders,
            recipients=len(message.recipients),
            direction=outcome.direction,
            size=message.size + self._passed,
            ms=seconds * 1000,
        )


def _read_sender(raw: bytes) -> Address | None:
    """Read the envelope sender; one that is no address is treated as none."""
    try:
        return Address.parse(strip_route(raw))
    except AddressError:
        return None


def _decode(raw: bytes) -> str:
    """Return raw bytes as the text that libmilter sends as the same bytes.

    The library takes no bytes here. What is no UTF-8 can only be read as latin-1 by anybody, and
    goes on as such in UTF-8.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def register(filter: IsolatedFilter, trusts: Callable[[str], bool], admission: Admission) -> None:
    """Register the callbacks with libmilter.

    Args:
        filter: what to ask.
        trusts: whether a client address, as text, is in a trusted network.
        admission: lets large messages in by turns.
    """
    Session.filter = filter
    Session.admission = admission
    Session.trusts = staticmethod(lru_cache(_CLIENTS)(trusts))
    Milter.set_flags(ACTIONS)
    milter.set_helo_callback(lambda context, name: context.getpriv().helo(name))
    milter.set_envfrom_callback(lambda context, *b: context.getpriv().envfrom(*b))
    milter.set_envrcpt_callback(lambda context, *b: context.getpriv().envrcpt(*b))
    milter.set_header_callback(_header)
    milter.set_body_callback(lambda context, chunk: context.getpriv().body(chunk))
    milter.set_eom_callback(lambda context: context.getpriv().eom())
    milter.set_abort_callback(lambda context: context.getpriv().abort())
    milter.set_close_callback(_close)
    milter.register("conversation-tracker", negotiate=_negotiate)


def _header(context: Any, name: str, value: bytes) -> int:
    session: Session = context.getpriv()
    return session.header(name, value)


def _negotiate(context: Any, opts: list[int]) -> int:
    session = Session(context)
    context.setpriv(session)
    return session.negotiate(opts)


def _close(context: Any) -> int:
    """Break the reference cycle between a session and its context."""
    session: Session | None = context.getpriv()
    if session is None:
        return int(Milter.CONTINUE)
    try:
        return session.close()
    finally:
        context.setpriv(None)
