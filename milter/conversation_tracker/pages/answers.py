"""Links that open the mail program with a message to an alias (RFC 6068)."""

import re
from urllib.parse import quote

from conversation_tracker.core.syntax.controls import clean_text

_REPLY = re.compile(r"\s*(?:re|aw|sv|antw|odp|ref|vs|ynt|回复|答复)\s{0,3}[:\uff1a]", re.IGNORECASE)
_LONG_SUBJECT = 200  # characters


def write_answer(alias: str, subject: str) -> str:
    """Return the link that answers a message.

    Args:
        alias: whom to write to.
        subject: of what is answered; "" begins a new one.
    """
    line = " ".join(clean_text(subject).split())[:_LONG_SUBJECT]
    if line and not _REPLY.match(line):
        line = f"Re: {line}"
    address = quote(alias, safe="@", errors="replace")
    return (
        f"mailto:{address}?subject={quote(line, safe='', errors='replace')}"
        if line
        else (f"mailto:{address}")
    )
