"""Postfix's own log: what a line tells of a delivery, and how that marks it.

A line is a delivery's when a delivery agent, the queue manager or cleanup wrote it with a status
(Postfix's log_adhoc.c and qmgr_active.c). The hand-over to the splitter is none: the copies that it
makes have queue ids of their own. Neither are address probes and what was discarded, nor the
hand-over to a content filter: what it hands back has another queue id, and the same envelope
sender, which is one delivery's own. The addresses in a line are read whole, quoted local parts too
(RFC 5321 section 4.1.2): whoever chose them may have written a result into them. They tell whose
line it is: the copy of an archive (always_bcc) has the same queue id. Of the rest only the remote's
words are kept, to be masked.

Pure and linear in the line's length; nothing here raises, whatever the line holds.
"""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.core.model.alias import Bounce
from conversation_tracker.core.model.variant import base_identity
from conversation_tracker.core.reports.bounce import Delivery, Mark, State, redact_reason

_LINE_LIMIT = 20_000  # characters; syslog daemons cut at 8 kB or less
_TEXT_LIMIT = 2_000

# Blanks and brackets stand in a quoted local part only, as Postfix writes it
# (info_log_address_format is external). An address written otherwise is none, and its line tells
# nothing.
_ADDRESS = r"""<(?>(?:[^\s"<>]|"(?:[^"\\]|\\.)*")*)>"""
# Time and host in any of the usual forms, or none; the process is the first word with a number in
# brackets. Queue ids are short (hexadecimal) or long (enable_long_queue_ids).
_START = re.compile(
    r"(?:[^\s\[\]]{1,255}[ \t]+){0,7}?(?P<process>[^\s\[\]]{1,100})\[[0-9]{1,10}\]: "
    rf"(?P<queue_id>[0-9A-Za-z]{{5,32}}): (?P<whose>to|from)=(?P<address>{_ADDRESS})"
    rf"(?:, orig_to=(?P<original>{_ADDRESS}))?"
)
# Right behind the addresses. What stands between relay and dsn grows with Postfix's versions:
# conn_use, delay, delays, tls.
_RESULT = re.compile(
    r", relay=(?P<relay>[^,]{0,300}), (?:[a-z_]{1,20}=[^,]{0,300}, ){1,8}?"
    r"dsn=(?P<status>[245]\.[0-9]{1,3}\.[0-9]{1,3}), status=(?P<word>[A-Za-z-]{1,20})(?: |\Z)"
)
_QUEUED = re.compile(r", size=[0-9]{1,20}, nrcpt=[0-9]{1,20} \(queue active\)\Z")
_BOUNCE = re.compile(r"<bounce-([0-9a-f]{32})@([^\s<>@]{1,253})>")
_EXPIRED = re.compile(r", status=(?:force-)?expired, returned to sender\Z")
# deliverable and undeliverable are answers to address probes, which have queue ids of their own.
_STATES: dict[str, State] = {
    "sent": "sent",
    "deferred": "delayed",
    "SOFTBOUNCE": "delayed",
    "bounced": "bounced",
}
_SPLITTER = "tracker-split"
_SPLITTER_RELAY = "127.0.0.1[127.0.0.1]:10027"
_TOO_OLD = "5.4.7"  # RFC 3463: delivery time expired
_RANK = {"accepted": 0, "delayed": 1, "sent": 2, "bounced": 3}


@dataclass(frozen=True, slots=True)
class LogLine:
    """What one line of the log tells.

    Attributes:
        queue_id: Postfix's name of the message; it is used again for others later.
        process: who tells, for instance `postfix/smtp`.
        state: what became of it.
        status: enhanced status code (RFC 3463).
        text: the remote's words, or Postfix's, as they are: they may name anybody.
        to: whom it tells of: the recipient, and the one that Postfix made it of; none where it
            tells of all.
    """

    queue_id: str
    process: str
    state: State
    status: str
    text: str
    to: tuple[str, ...] = ()


def read_origin(line: str) -> tuple[str, Bounce] | None:
    """Read which delivery a queue id belongs to, whoever handed the mail in.

    Args:
        line: the line, as for `parse_line`.

    Returns:
        The queue id and the bounce address, which is the envelope sender; None where the line does
        not tell. The queue manager tells it each time before it has the mail delivered.
    """
    line = line[:_LINE_LIMIT].rstrip()
    start = _START.match(line)
    if start is None or start["whose"] != "from" or start["process"].split("/")[-1] != "qmgr":
        return None
    bounce = _BOUNCE.fullmatch(start["address"])
    if bounce is None or _QUEUED.match(line, start.end()) is None:
        return None
    return start["queue_id"], Bounce(bounce[1], bounce[2].lower())


def parse_line(
    line: str, is_filter: Callable[[str], bool] = lambda _relay: False
) -> LogLine | None:
    """Read one line of the log.

    Args:
        line: the line, with or without the time and host that a syslog daemon puts before it.
        is_filter: whether what Postfix names as relay is a content filter.

    Returns:
        What it tells of a delivery, or None.
    """
    line = line[:_LINE_LIMIT].rstrip()
    start = _START.match(line)
    if start is None:
        return None
    process, queue_id = start["process"], start["queue_id"]
    names = process.split("/")
    if _SPLITTER in names or names[-1] == "discard":
        return None
    if start["whose"] == "from":
        if names[-1] != "qmgr" or _EXPIRED.match(line, start.end()) is None:
            return None
        return LogLine(queue_id, process, "bounced", _TOO_OLD, "expired in the queue")
    result = _RESULT.match(line, start.end())
    if result is None or result["relay"] == _SPLITTER_RELAY:
        return None
    state = _STATES.get(result["word"])
    if state is None or (state == "sent" and is_filter(result["relay"])):
        return None
    to = tuple(each[1:-1] for each in (start["address"], start["original"]) if each)
    return LogLine(
        queue_id, process, state, result["status"], _clean_text(line[result.end() :]), to
    )


def is_news(known: str, state: str) -> bool:
    """Return whether a delivery in the state `known` can still come into another one by the log."""
    return _RANK.get(known, 0) < _RANK.get(state, 0)


def mark(delivery: Delivery, sent: LogLine) -> Mark | None:
    """Return how a line of the log marks its delivery.

    Args:
        delivery: the delivery with the line's queue id.
        sent: what the line tells.

    Returns:
        The mark; None where the mail came back to its sender: the report does the marking, since
        the notice to the sender depends on it. With the null sender no report comes. None too where
        the line tells of somebody else's copy.
    """
    if sent.state == "bounced" and delivery.return_path is not None:
        return None
    if sent.to and not _is_recipient(delivery, sent.to):
        return None
    return Mark(sent.state, *redact_reason(delivery, sent.status, sent.text))


def _is_recipient(delivery: Delivery, to: Iterable[str]) -> bool:
    """Return whether one of these is the recipient of a delivery; yes where that is not known."""
    recipient = delivery.conversation.find_by_token(delivery.recipient)
    if recipient is None or recipient.address is None:
        return True
    wanted = base_identity(recipient.address)
    for text in to:
        with suppress(AddressError):
            if base_identity(Address.parse(text)) == wanted:
                return True
    return False


def _clean_text(rest: str) -> str:
    """Return what is in parentheses behind the status, as one line without control characters."""
    text = rest.removeprefix("(").removesuffix(")")[:_TEXT_LIMIT]
    return "".join(each if each.isprintable() else " " for each in text).strip()
