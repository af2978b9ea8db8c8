"""Cutting out of a masked message what the final scan finds in it after all.

The record and each copy do so alike, when nothing gentler helped. Nothing here raises but what
limits raise.
"""

from collections.abc import Sequence
from contextlib import suppress

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.part import message_body
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.views.leaking_fields import LeakingFields
from conversation_tracker.core.views.leaking_texts import LeakingTexts
from conversation_tracker.core.views.view import View


def cut_leaks(
    headers: Sequence[Header],
    values: Sequence[bytes | None],
    body: Octets,
    view: View,
    scanner: Scanner,
) -> tuple[list[bytes | None], Octets]:
    """Cut out of fields, those of parts, and texts, what shows anybody but their reader.

    Args:
        headers: the message's header fields.
        values: what they have become; None is one that goes.
        body: the body, masked.
        view: the conversation as the reader sees it.
        scanner: looks for everybody who takes part.

    Returns:
        The values and the body that may leave, but for what cannot be cut. A body whose structure
        is over the limits stays as it is.
    """
    own, store = view.to.token if view.to is not None else None, view.conversation.store
    leaking = LeakingFields(scanner, own)
    kept = leaking.cut_fields(headers, values)
    fields = [(h.name, v) for h, v in zip(headers, kept, strict=True) if v is not None]
    texts = LeakingTexts(
        scanner,
        own,
        view.conversation.order.alias_domain,
        flagged=view.to is not None and store.attachments_with_address == "flag",
        keep_text=view.to is not None and not store.mask_body,
    )
    with suppress(message_body.TooComplex):
        for cut in (leaking.cut_parts, texts.cut_texts):
            structure = message_body.read_structure(fields, body, view.limits)
            body = cut(structure, body, view.limits)
    return kept, body
