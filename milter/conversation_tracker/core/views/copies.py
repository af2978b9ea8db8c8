"""The edits that make copies of a message: one recipient's own, or the queued one for several.

What a header or body becomes is `view`'s to say; here it becomes actions of the milter protocol,
and what these leave of the message is scanned: no copy shows an address of anybody but its reader.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from conversation_tracker.core.base.header_names import is_needed
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.header.ascii_fields import write_ascii
from conversation_tracker.core.masking.header.field_length import shorten_value
from conversation_tracker.core.masking.part import message_body
from conversation_tracker.core.masking.part.ascii_headers import write_ascii_headers
from conversation_tracker.core.masking.part.line_length import ENCODING, shorten_lines
from conversation_tracker.core.model.conversation import Conversation, Participant
from conversation_tracker.core.model.first_pass import FirstPass, Verdict, sign
from conversation_tracker.core.model.message import INTERNAL, PASS, Header, Message, Recipient
from conversation_tracker.core.model.plan import (
    AddHeader,
    AddRecipient,
    ChangeHeader,
    DeleteRecipient,
    Edit,
    ReplaceBody,
)
from conversation_tracker.core.scanning.hits import Hit
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.syntax import folding, unsubscribing
from conversation_tracker.core.views.leaking_parts import find_leaking_parts
from conversation_tracker.core.views.view import View, read_structure


class AddressLeak(ValueError):
    """An address is left in a copy, in a place that cannot be masked."""


def make_safe_copy(
    message: Message, view: View, scanner: Scanner, make: Callable[..., Iterable[Edit]]
) -> tuple[Edit, ...]:
    """Make a copy that shows its reader no address but their own, and theirs to nobody else.

    Where it shows their own address to others, the alias is put back: the copy is made anew, and
    the alias stays in all of its text. Where files or fields show others in a way that only the
    scan sees, they go, and of texts that place: fields that nobody needs first, as then all else
    mostly stays. Neither is a reason to refuse it.

    Args:
        message: the message.
        view: the conversation as the recipient sees it.
        scanner: looks for everybody who takes part.
        make: gives the copy's edits; its argument `view` is this view, or one of less.

    Returns:
        The edits that make the copy.

    Raises:
        Shown: it shows an address of somebody else.
    """
    to = view.to
    if to is None:
        raise AddressLeak
    edits = tuple(make(view=view))
    hits, surplus = scan_copy(message, edits, view.conversation, to, scanner)
    if any(hit.in_header for hit in hits):
        view = view.without_leaking_fields()
        edits = tuple(make(view=view))
        hits, surplus = scan_copy(message, edits, view.conversation, to, scanner)
    if hits:
        policy = view.conversation.store.attachments_with_address
        view = view.without(find_leaking_parts(message, view, scanner, flagged=policy == "flag"))
        if view.condemned and policy == "refuse":
            raise AddressLeak
        edits = tuple(make(view=view))
        hits, surplus = scan_copy(message, edits, view.conversation, to, scanner)
    if surplus and not hits:
        edits = tuple(make(view=view.without_leaking_fields().blind()))
        hits, _ = scan_copy(message, edits, view.conversation, to, scanner)
    if hits:
        raise AddressLeak
    return edits


def edit_for_one(
    message: Message, view: View, to: Participant, scanner: Scanner, *, protected: bool
) -> Iterator[Edit]:
    """Yield the edits that make a message with one recipient their own copy.

    Args:
        message: the message.
        view: the conversation as the recipient sees it.
        to: the recipient, who has an address.
        scanner: looks for everybody who takes part.
        protected: the author is a person to protect.

    Raises:
        TooComplex: the body's structure is over the limits.
    """
    yield from edit_content(message, view, scanner, protected=protected)
    [recipient] = message.recipients
    if not recipient.is_outsider or recipient.original:
        yield DeleteRecipient(recipient.raw)
        yield AddRecipient(str(to.address))


def edit_content(
    message: Message, view: View, scanner: Scanner, *, protected: bool
) -> Iterator[Edit]:
    """Yield the edits of a copy's headers and body; arguments and errors as for `edit_for_one`."""
    shown = view.open_signature(message)
    body = view.body(shown)
    values = view.headers(shown, protected=protected)
    values = [
        message_body.make_content_field(h.key, value, shown.body, body) if value else value
        for h, value in zip(shown.headers, values, strict=True)
    ]
    if view.drops_fields and not protected:
        values = _drop_leaking_fields(message, values, view, scanner)
    values = _without_broken_click(message, values)
    values = list(_fold(message, values, view.conversation.order.alias_domain))
    fields = [(h.name, v) for h, v in zip(message.headers, values, strict=True) if v is not None]
    domain = view.conversation.order.alias_domain
    body, encoding = shorten_lines(fields, body, shown.body, domain, message.limits)
    if encoding is not None:
        values = [
            encoding if v is not None and h.key == ENCODING.lower() and v.lower() != encoding else v
            for h, v in zip(message.headers, values, strict=True)
        ]
    if view.thorough:
        from conversation_tracker.core.views.cut_leaks import cut_leaks  # few messages need it

        values, body = cut_leaks(message.headers, values, body, view, scanner)
    yield from edit_headers(message, values)
    for header in view.make_headers(message):
        yield AddHeader(header.name, header.value)
    for name, value in _lacking(fields, encoding):
        yield AddHeader(name, value)
    if body is not message.body:
        yield ReplaceBody(body)


def _without_broken_click(message: Message, values: list[bytes | None]) -> list[bytes | None]:
    """Offer one-click unsubscribing only where the page for it stays as its sender wrote it.

    RFC 8058 section 3.1. A program asks that page, and nobody sees that it fails.
    """
    if message.first(unsubscribing.ONE_CLICK) is None:
        return values
    fields = zip(message.headers, values, strict=True)
    offers = [(h.value, v) for h, v in fields if h.key == unsubscribing.FIELD and v is not None]
    written = {page for old, _ in offers for page in unsubscribing.find_pages(old)}
    if any(page in written for _, new in offers for page in unsubscribing.find_pages(new)):
        return values
    return [
        None if h.key == unsubscribing.ONE_CLICK else v
        for h, v in zip(message.headers, values, strict=True)
    ]


def _fold(
    message: Message, values: Sequence[bytes | None], alias_domain: str
) -> Iterator[bytes | None]:
    """Fold values that are too long, if we made them so or a cut might fall inside an alias."""
    domain = alias_domain.encode("ascii")
    for header, value in zip(message.headers, values, strict=True):
        long = value is not None and len(value) > folding.LONGEST // 2
        if value and (value is not header.value or (long and domain in value.lower())):
            folded = folding.fold_header(header.name, value)
            yield shorten_value(header.key, folded, message.limits.check)
        else:
            yield value


def _lacking(
    fields: Sequence[tuple[bytes, bytes]], encoding: bytes | None
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the fields that a message needs besides those it has, to be in this encoding."""
    if encoding is None:
        return
    names = {name.lower() for name, _ in fields}
    for name, value in ((b"MIME-Version", b"1.0"), (ENCODING, encoding)):
        if name.lower() not in names:
            yield name, value


def _drop_leaking_fields(
    message: Message, values: list[bytes | None], view: View, scanner: Scanner
) -> list[bytes | None]:
    """Leave out fields that nobody needs and that show an address even after masking.

    Keys and tokens hold one in base64, for instance, where it cannot be replaced.
    """
    if view.to is None:
        return values
    pairs = list(zip(message.headers, values, strict=True))
    kept = [h.change(value) for h, value in pairs if value is not None]
    own = view.to.token
    if not scanner.scan(kept, b"", own):
        return values
    return [
        None
        if value is not None
        and not is_needed(header.key)
        and scanner.scan([header.change(value)], b"", own)
        else value
        for header, value in pairs
    ]


def apply_edits(message: Message, edits: Iterable[Edit]) -> tuple[list[Header], Octets]:
    """Apply edits as a milter's actions are applied.

    Args:
        message: the message.
        edits: what to change; those of recipients are passed over.

    Returns:
        The header fields and the body that leave.
    """
    headers, body = list[Header | None](message.headers), message.body
    places: dict[bytes, list[int]] = {}
    for place, header in enumerate(message.headers):
        places.setdefault(header.key, []).append(place)
    for edit in edits:  # not by match, which asks the class for the names of all that it holds
        if isinstance(edit, ChangeHeader):
            same, number = places[edit.name.lower()], edit.index - 1
            headers[same[number]] = Header(edit.name, edit.value) if edit.value else None
            if not edit.value:
                del same[number]
        elif isinstance(edit, AddHeader):
            places.setdefault(edit.name.lower(), []).append(len(headers))
            headers.append(Header(edit.name, edit.value))
        elif isinstance(edit, ReplaceBody):
            body = edit.body
    return [header for header in headers if header is not None], body


def scan_copy(
    message: Message,
    edits: Iterable[Edit],
    conversation: Conversation,
    to: Participant,
    scanner: Scanner,
) -> tuple[list[Hit], bool]:
    """Find what a copy would show that its reader must not see, or not there.

    Args:
        message: the message.
        edits: what makes it the copy.
        conversation: the conversation with everybody who takes part.
        to: who gets the copy.
        scanner: looks for everybody who takes part.

    Returns:
        The hits for which it must not leave. Files that cannot be masked may where the store wants
        them flagged, and so may the text of a message whose store has no bodies masked. Then
        whether the reader's own address stands more often than in the original where nobody reads
        it.
    """
    headers, body = apply_edits(message, edits)
    # Where the body stays as it came, so does all in it that nobody reads.
    written = body is message.body and _list_content(headers) == _list_content(message.headers)
    found = scanner.look(headers, body, to.token, written=written)
    store = conversation.store
    flags = store.attachments_with_address == "flag"
    hits = [
        hit
        for hit in found.hits
        if not (flags and hit.in_file) and (store.mask_body or not hit.in_running_text)
    ]
    if not found.unread:
        return hits, False
    came = b"" if written else message.body
    before = scanner.look(message.headers, came, to.token, counts=True).unread
    return hits, any(times > before[place] for place, times in found.unread.items())


def _list_content(headers: Iterable[Header]) -> list[tuple[bytes, bytes]]:
    """Return the fields that say how a body is read."""
    return [(h.key, h.value) for h in headers if h.key.startswith(b"content-")]


def make_scanner(
    conversation: Conversation,
    first: Participant | None,
    message: Message,
    other: Scanner | None = None,
) -> Scanner:
    """Look for everybody who takes part.

    Args:
        conversation: the conversation with all of them.
        first: the reader, whose own address is theirs in any spelling; None if there is none.
        message: the message.
        other: the one for another reader of the same message.
    """
    people = [first, *conversation] if first is not None else [*conversation]
    known = {p.address.key: p.token for p in people if p.address is not None}
    return Scanner(known, message.limits, message.body, other)


def edit_headers(message: Message, values: Sequence[bytes | None]) -> Iterator[ChangeHeader]:
    """Return the edits that make a message's header fields have these values.

    Args:
        message: the message.
        values: one for each field; the same object changes nothing, None deletes it.

    Returns:
        The edits, last field first, so that none moves the index of a later one.
    """
    seen: dict[bytes, int] = {}
    edits = []
    for header, value in zip(message.headers, values, strict=True):
        seen[header.key] = seen.get(header.key, 0) + 1
        if value is not header.value:
            edits.append(ChangeHeader(header.name, seen[header.key], value))
    return reversed(edits)


def edit_for_several(
    message: Message, conversations: Sequence[Conversation], found: Verdict, secret: bytes
) -> Iterator[Edit]:
    """Yield the edits for mail that the splitter will take apart: aliases in the envelope only.

    The digest travels along, so that each copy finds the record that the first pass made, and so
    does what was found out about the author.

    Args:
        message: the message.
        conversations: all it belongs to; outsiders among its recipients have joined the first.
        found: whether the author is who they claim to be.
        secret: what the first pass signs its findings with.
    """
    yield from edit_for_splitter(message, INTERNAL | {b"bcc"})
    yield AddHeader(PASS, sign(FirstPass(message.digest, found), secret))
    yield from _edit_envelope(message, conversations)


def edit_for_splitter(message: Message, gone: Collection[bytes] = INTERNAL) -> Iterator[Edit]:
    """Yield the edits that whatever the splitter takes needs: headers in ASCII.

    On its listener Postfix would ask for SMTPUTF8 for them, as it does for an address that needs
    it, and then a server that has none refuses the copy.

    Args:
        message: the message.
        gone: names of the headers that go, in lower case.
    """
    check = message.limits.check
    values = [
        None if h.key in gone else write_ascii(h.key, h.value, check) for h in message.headers
    ]
    yield from edit_headers(message, values)
    try:
        body = write_ascii_headers(read_structure(message), message.body, message.limits)
    except message_body.TooComplex:  # nothing is masked in it, so it may pass as it is
        return
    if body is not message.body:
        yield ReplaceBody(body)


def _edit_envelope(message: Message, conversations: Sequence[Conversation]) -> Iterator[Edit]:
    """Leave one alias for each participant in the envelope.

    Deleting a recipient deletes every repetition, in whatever spelling Postfix takes for the same,
    and what was added before as well. So only who is named once keeps what the client wrote; of
    everybody else all is deleted, and then their alias added.
    """
    named: dict[str, list[Recipient]] = {}
    for recipient in message.recipients:
        token = recipient.token
        if recipient.is_outsider and recipient.address is not None:
            participant = conversations[0].find_owner(recipient.address)
            token = participant.token if participant is not None else None
        if token is not None:
            named.setdefault(token, []).append(recipient)
    for token, recipients in named.items():
        if len(recipients) == 1 and not recipients[0].is_outsider:
            continue
        people = [(each, each.find_by_token(token)) for each in conversations]
        # In hard form: a soft one resolves only once a copy has shown it.
        aliases = [each.hard(participant) for each, participant in people if participant]
        if not aliases:
            continue
        for raw in dict.fromkeys(recipient.raw for recipient in recipients):
            yield DeleteRecipient(raw)
        yield AddRecipient(aliases[0])
