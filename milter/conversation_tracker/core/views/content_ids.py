"""Identifiers inside a message that reveal somebody, and the links that refer to them.

A part's Content-ID, often made under its author's own domain, is replaced as a Message-ID is, and
so is each `cid:` and `mid:` link to it: what stands for an identifier is computed from it alone, so
pictures in the text still show. Nothing is mapped back, since these hold inside one message only.

RFC 2392, RFC 2045 section 7. Nothing here raises.
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote

from conversation_tracker.core.base.limits import check_each, no_limit
from conversation_tracker.core.model.conversation import Conversation, MappedId, Participant
from conversation_tracker.core.syntax.splicing import splice
from conversation_tracker.core.views.message_ids import find_stand_in

_IDENTIFIER = re.compile(rb"<[^<>]*>|[^\s<>]+")
# It begins with the one sign that each has, and not with what is before it: so it is found at many
# times the speed.
_LINK = re.compile(r":(?<=[cCmM][iI][dD]:)(?<!\w[cCmM][iI][dD]:)(?P<what>[^\s<>\"'()\[\]&#?\\]+)")
_AFTER = ".,;:!"  # ends a sentence, and no link


class ContentIds:
    """The identifiers of a message as one participant, or the record, is to see them.

    Attributes:
        author: who wrote the message that is looked at, if they take part.

    Args:
        conversation: the conversation.
        to: the recipient, None for the record.
        known: the identifiers of ours that the database knows, by themselves.
        notice: called whenever a text holds a link to one, of whomever.
        check: raises `Overdue` when the time is over.
    """

    def __init__(
        self,
        conversation: Conversation,
        to: Participant | None,
        known: Mapping[str, MappedId],
        notice: Callable[[], None] = lambda: None,
        check: Callable[[], None] = no_limit,
    ) -> None:
        self._notice = notice
        self._check = check
        self._conversation = conversation
        self._to = to
        self._known = known
        self.author: Participant | None = None

    def mask_header(self, value: bytes) -> bytes:
        """Return a field's raw value; the same object when nothing is to change."""
        edits = []
        for match in check_each(_IDENTIFIER.finditer(value), self._check):
            bare = match[0].strip(b"<>")
            new = self._find_stand_in(bare.decode("utf-8", "replace"))
            if new is not None:
                start = match.start() + match[0].startswith(b"<")
                edits.append((start, start + len(bare), new.encode("utf-8")))
        return splice(value, edits) if edits else value

    def mask_text(self, text: str) -> str:
        """Return a text with its links as they are to be; the same object when none changes."""
        if "id:" not in text and "ID:" not in text and "Id:" not in text and "iD:" not in text:
            return text  # what every link has is far cheaper to look for
        low = text.lower()
        if "cid:" not in low and "mid:" not in low:
            return text
        new = _LINK.sub(self._mask_link, text)
        return text if new == text else new

    def may_change(self, octets: bytes) -> bool:
        """Return, cheaply, whether a link to an identifier may stand in octets."""
        return b"id:" in octets.lower()

    def _mask_link(self, match: re.Match[str]) -> str:
        self._check()
        self._notice()
        what = match["what"].rstrip(_AFTER)
        rest = match["what"][len(what) :]
        # A mid: link may name a message and, behind a slash, a part of it.
        by_message = match.string[match.start() - len("mid")] in "mM"
        pieces = what.split("/") if by_message else [what]
        return ":" + "/".join(map(self._mask_piece, pieces)) + rest

    def _mask_piece(self, piece: str) -> str:
        new = self._find_stand_in(unquote(piece))
        if new is None or self._shows_reader(new):
            return piece
        return quote(new, safe="@" if "@" in piece else "")

    def _shows_reader(self, identifier: str) -> bool:
        """Return whether the reader's own identifier holds their address: no link gets that."""
        address = self._to.address if self._to is not None else None
        return address is not None and address.key in identifier.lower()

    def _find_stand_in(self, identifier: str) -> str | None:
        """Return what stands for an identifier, both without angle brackets."""
        written = f"<{identifier}>".encode("utf-8", "replace")
        new = find_stand_in(written, self._conversation, self._to, self._known, self.author)
        return new.strip("<>") if new is not None else None
