"""Our own delivery status notification: what a sender gets when an alias could not be reached.

It names the alias and never who is behind it; no byte of the report that came back is in it. The
message is complete and 7-bit, and depends on the arguments alone. Whatever they hold, they begin
no header field, line or part of their own. Nothing here raises.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime

from conversation_tracker.core.model.message import Header
from conversation_tracker.core.reports.delivery_status import one_line
from conversation_tracker.core.syntax.encoded_words import encode_words

SUBJECT = b"Undelivered Mail Returned to Sender"

_WIDTH = 68
_LONGEST = 900
_MAX_SUBJECT = 1_000
_INDENT = "    "

_STATUS = re.compile(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,900}>")
_NOT_IN_HOST = re.compile(r"[^A-Za-z0-9._:\[\]-]+")
_NOT_VISIBLE = re.compile(r"[^\x21-\x7e]+")
_NOT_IN_TOKEN = re.compile(r"[^A-Za-z0-9]+")
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to send.

    Attributes:
        headers: all its header fields; values are folded with LF.
        body: its body with CRLF.
    """

    headers: tuple[Header, ...]
    body: bytes = field(repr=False)


def write_notice(
    *,
    alias: str,
    to: str,
    reporter: str,
    domain: str,
    status: str,
    diagnostic: str,
    subject: str,
    message_id: str,
    arrived: datetime,
    now: datetime,
    token: str,
) -> Notice:
    """Write the notice that a message could not be delivered (RFC 3464, RFC 6522).

    Args:
        alias: whom the sender wrote to.
        to: the sender's own return path.
        reporter: name of the host that tells.
        domain: the alias domain, for From and Message-ID.
        status: enhanced status code of a failure; anything else becomes "5.0.0".
        diagnostic: what the remote said, masked; "" if unknown.
        subject: of the message that failed, decoded; "" if it has none.
        message_id: of that message as its sender knows it, with angle brackets; "" if it has none.
        arrived: when that message came; with a time zone.
        now: the time; with a time zone.
        token: letters and digits never used before, for Message-ID and boundary.

    Returns:
        The notice. Lines are at most 998 octets.
    """
    token = _NOT_IN_TOKEN.sub("", token)[:64]
    alias = _NOT_VISIBLE.sub("", alias)[:320]
    subject = one_line(subject, _MAX_SUBJECT)
    boundary = f"=_{token}"  # not possible in quoted-printable; all other lines begin otherwise
    known = message_id if _MESSAGE_ID.fullmatch(message_id) else ""
    said = one_line(diagnostic)
    text = _write_text(alias, subject, said)
    fields = _write_status(alias, reporter, status, said, arrived)
    parts = (
        _write_explanation(text),
        _write_part("Delivery report", "message/delivery-status", fields),
        _write_part(
            "Undelivered message headers", "text/rfc822-headers", _write_original(known, subject)
        ),
    )
    return Notice(
        tuple(_write_headers(to, _host(domain), known, now, token)), _join_parts(parts, boundary)
    )


def _write_headers(to: str, domain: str, known: str, now: datetime, token: str) -> Iterator[Header]:
    yield Header(b"From", f"Mail Delivery System <mailer-daemon@{domain}>".encode("ascii"))
    yield Header(b"To", _write_recipient(one_line(to)))
    yield Header(b"Subject", SUBJECT)
    yield Header(b"Date", format_datetime(now).encode("ascii"))
    yield Header(b"Message-ID", f"<{token}@{domain}>".encode("ascii"))
    yield Header(b"Auto-Submitted", b"auto-replied")
    if known:
        yield Header(b"In-Reply-To", known.encode("ascii"))
        yield Header(b"References", known.encode("ascii"))
    yield Header(b"MIME-Version", b"1.0")
    declared = f'multipart/report; report-type=delivery-status;\n boundary="=_{token}"'
    yield Header(b"Content-Type", declared.encode("ascii"))


def _write_text(alias: str, subject: str, said: str) -> str:
    lines = ["Your message could not be delivered to this recipient:", "", *_indent(alias), ""]
    if subject:
        lines += ["Its subject was:", "", *_indent(subject), ""]
    if said:
        lines += ["The recipient's mail system said:", "", *_indent(said), ""]
    lines.append("It will not be tried again. The message itself is not attached.")
    return "\n".join(lines) + "\n"


def _write_explanation(text: str) -> bytes:
    """Write the part for people: as it is where that is ASCII, else as UTF-8 in 7 bits."""
    if text.isascii():
        return _write_part("Notification", "text/plain; charset=us-ascii", text.encode("ascii"))
    quoted = binascii.b2a_qp(text.encode("utf-8"), istext=True)
    declared = "text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable"
    return _write_part("Notification", declared, quoted)


def _write_status(alias: str, reporter: str, status: str, said: str, arrived: datetime) -> bytes:
    # Without Remote-MTA, which would tell the recipient's provider.
    lines = [
        f"Reporting-MTA: dns; {_host(reporter)}",
        f"Arrival-Date: {format_datetime(arrived)}",
        "",
        f"Original-Recipient: rfc822; {alias}",
        f"Final-Recipient: rfc822; {alias}",
        "Action: failed",
        f"Status: {status if _STATUS.fullmatch(status) else '5.0.0'}",
    ]
    if said:
        lines.append(_fold(f"Diagnostic-Code: smtp; {_encode_ascii(said)}"))
    return ("\n".join(lines) + "\n").encode("ascii")


def _write_original(known: str, subject: str) -> bytes:
    first = f"Message-ID: {known}\n".encode("ascii") if known else b""
    return first + b"Subject: " + _encode_text(subject) + b"\n"


def _encode_text(text: str) -> bytes:
    if text.isascii() and "=?" not in text:
        return _fold(text).encode("ascii")
    return encode_words(text)


def _write_recipient(to: str) -> bytes:
    """Write To: the address, or an empty group named so where it is not ASCII (RFC 6857)."""
    if to.isascii():
        return _fold(to).encode("ascii")
    return encode_words(to) + b" :;"


def _break_lines(text: str) -> list[str]:
    """Break text at blanks, and within words where no line could hold them."""
    lines: list[str] = []
    for word in text.split(" "):
        pieces = [word[at : at + _LONGEST] for at in range(0, len(word), _LONGEST)]
        for piece in pieces:
            if lines and len(lines[-1]) + len(piece) < _WIDTH:
                lines[-1] += f" {piece}"
            else:
                lines.append(piece)
    return lines


def _indent(text: str) -> list[str]:
    return [_INDENT + line for line in _break_lines(text)]


def _fold(text: str) -> str:
    return "\n ".join(_break_lines(text))


def _write_part(description: str, declared: str, content: bytes) -> bytes:
    head = f"Content-Description: {description}\nContent-Type: {declared}\n\n"
    return head.encode("ascii") + content


def _join_parts(parts: tuple[bytes, ...], boundary: str) -> bytes:
    line = f"--{boundary}"
    opened = b"".join(f"{line}\n".encode("ascii") + part + b"\n" for part in parts)
    return (opened + f"{line}--\n".encode("ascii")).replace(b"\n", b"\r\n")


def _encode_ascii(text: str) -> str:
    """Write other characters as RFC 6533 section 3 does, by their numbers."""
    return _NOT_ASCII.sub(lambda match: f"\\x{{{ord(match[0]):X}}}", text)


def _host(name: str) -> str:
    return _NOT_IN_HOST.sub("", name)[:255]
