"""The contents of a body's parts without their transfer encodings, each decoded once.

They are asked for again and again: to find invitations, files and what shows in a timeline, for the
record and for each copy. In memory, not more is kept than is held there of one part anyway; what is
large lies where the message's limits store it. Nothing here raises.
"""

from collections.abc import Callable

from conversation_tracker.core.base.limits import UNLIMITED, Limits
from conversation_tracker.core.base.octets import LARGE, Octets
from conversation_tracker.core.syntax import transfer

Span = tuple[int, int]


class Contents:
    """What was decoded of one body.

    Args:
        body: the body; what is decoded of another one is not kept.
        limits: where to keep what is large.
    """

    def __init__(self, body: Octets, limits: Limits = UNLIMITED) -> None:
        self._body = body
        self._limits = limits
        self._stored: dict[tuple[Span, str], Octets] = {}
        self._answers: dict[tuple[str, Span], bool] = {}
        self._kept: dict[tuple[Span, str], bytes] = {}
        self._left = LARGE

    def decode(self, body: Octets, span: Span, encoding: str) -> bytes:
        """Decode a part's content; the same object each time if it is kept.

        Args:
            body: the body it stands in.
            span: where it begins and ends.
            encoding: the transfer encoding in lower case.
        """
        if body is not self._body or encoding not in transfer.ENCODINGS:
            return transfer.decode(body[slice(*span)], encoding)
        found = self._kept.get((span, encoding))
        if found is None:
            found = transfer.decode(body[slice(*span)], encoding)
            if len(found) <= self._left:
                self._left -= len(found)
                self._kept[span, encoding] = found
        return found

    def store(self, body: Octets, span: Span, encoding: str) -> Octets:
        """Decode the content of a large part into a store; the same object each time.

        Args:
            body: the body it stands in.
            span: where it begins and ends.
            encoding: the transfer encoding in lower case.
        """
        found = self._stored.get((span, encoding)) if body is self._body else None
        if found is None:
            found = self._limits.store(transfer.decode_pieces(body, *span, encoding))
            if body is self._body:
                self._stored[span, encoding] = found
        return found

    def recall(self, question: str, body: Octets, span: Span, look: Callable[[], bool]) -> bool:
        """Return what is true of a large part for every reader; it is looked for once.

        Args:
            question: what.
            body: the body the part stands in.
            span: where its content begins and ends.
            look: finds it.
        """
        if body is not self._body:
            return look()
        if (question, span) not in self._answers:
            self._answers[question, span] = look()
        return self._answers[question, span]
