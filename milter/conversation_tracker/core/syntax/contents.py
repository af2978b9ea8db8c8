"""The contents of a body's parts without their transfer encodings, each decoded once.

They are asked for again and again: to find invitations, files and what shows in a timeline, for the
record and for each copy. Not more is kept than is held in memory of one part anyway. Nothing here
raises.
"""

from conversation_tracker.core.base.octets import LARGE, Octets
from conversation_tracker.core.syntax import transfer

Span = tuple[int, int]


class Contents:
    """What was decoded of one body.

    Args:
        body: the body; what is decoded of another one is not kept.
    """

    def __init__(self, body: Octets) -> None:
        self._body = body
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
