"""Which parts of a message must go because the final scan finds an address that masking did not.

The two are written apart, so each may know a way to hide an address that the other does not. That
is no reason to refuse a message: the parts go. Nothing here raises.
"""

from conversation_tracker.core.masking.part import unmasked_parts
from conversation_tracker.core.model.message import Header, Message
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.views.view import View, read_structure


def find_leaking_parts(
    message: Message, view: View, scanner: Scanner, *, flagged: bool = False
) -> frozenset[int]:
    """Find the parts that are no text and show somebody but their reader.

    Args:
        message: the message.
        view: the conversation as its reader sees it.
        scanner: looks for everybody who takes part.
        flagged: files that cannot be masked may pass.

    Returns:
        The identities of the parts, as `View.without` takes them.
    """
    own = view.to.token if view.to is not None else None
    files = unmasked_parts.iter_files(
        read_structure(message),
        message.body,
        view.others,
        view.without(frozenset()),
        message.limits,
    )
    found: set[int] = set()
    for part, content in files:
        header = [Header(b"Content-Type", part.type.encode("utf-8", "replace"))]
        hits = scanner.scan(header, content, own)
        if any(not (flagged and hit.in_file) for hit in hits):
            found.add(id(part))
    return frozenset(found)
