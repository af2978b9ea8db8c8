"""What a record says in words beside the message: its author, subject, first words, names of files.

The first words are read from the message as it is kept, which is masked already: a text that is
made readable first, without markup, escapes and control characters, may hide an address that its
source showed. All else is masked at length. Where the final scan still finds an address, that text
is left out. Raises `TooComplex`.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.masking.header.phrases import quote_names
from conversation_tracker.core.masking.header.raw_sequences import mask_sequences
from conversation_tracker.core.masking.part import message_body
from conversation_tracker.core.masking.text.obfuscated import mask_block, possible
from conversation_tracker.core.model.address import find_mailboxes
from conversation_tracker.core.model.message import Header, Message
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.syntax.controls import clean_text
from conversation_tracker.core.syntax.encoded_words import decode_words
from conversation_tracker.core.syntax.transfer import BASE64
from conversation_tracker.core.views.message_ids import show_ids
from conversation_tracker.core.views.view import View, read_structure

_WORDS = 200
# Characters of a text that surely make these: of the 320 of an address, an alias leaves some 40.
_ENOUGH = 2600
_SUBJECT = 1000
_IDENTIFIER = 500
_PLAIN = "text/plain"
_NOTES = (message_body.REMOVED, message_body.UNSIGNED)
_ANY_ADDRESS = re.compile(r"(?<![^\s<>(),;:\"'])(?![0-9a-f]{32}@)[^\s<>(),;:\"']+@[^\s<>(),;:\"']+")


class RecordTexts(NamedTuple):
    """The texts of a record, masked; `Record` says what each is."""

    sender_name: str
    message_id: str
    subject: str
    first_words: str
    attachment_names: tuple[str, ...]


def mask_texts(
    view: View, message: Message, kept: Sequence[Header], body: Octets, scanner: Scanner
) -> RecordTexts:
    """Return a record's texts.

    Args:
        view: how everybody in the conversation is recorded.
        message: the message.
        kept: the header fields that are kept of it, masked.
        body: the body that is kept of it, masked.
        scanner: looks for everybody who takes part.

    Raises:
        TooComplex: the structure of the kept body is over the limits.
    """
    texts = [
        mask_author_name(view, message),
        _find_message_id(view, message),
        mask_subject(view, message),
        _find_first_words(view, message, kept, body),
        *_find_file_names(view, message, kept, body),
    ]
    name, identifier, subject, words, *files = _blank_leaks(texts, scanner)
    return RecordTexts(name, identifier, subject, words, tuple(files))


def mask_author_name(view: View, message: Message) -> str:
    """Return the display name of who wrote a message, masked; "" if there is none."""
    # As a copy writes it: with a bare comma in it, it is still one name.
    value = mask_sequences(message.first(b"from") or b"", view)
    value = quote_names(value, message.limits.check)
    found = find_mailboxes(value, message.limits.check)
    return _mask_value(found[0].name, value, view) if found else ""


def mask_subject(view: View, message: Message) -> str:
    """Return a message's subject, masked; "" if it has none."""
    value = mask_sequences(message.first(b"subject") or b"", view)
    return _mask_value(decode_words(value), value, view)[:_SUBJECT]


def anonymise(text: str) -> str:
    """Take every address out of a text: a stranger's has no alias that could stand for it."""
    return _ANY_ADDRESS.sub("[address]", text)


def _find_message_id(view: View, message: Message) -> str:
    value = show_ids(message.first(b"message-id") or b"", view.conversation, None, {})
    return view(decode_words(value)).strip()[:_IDENTIFIER]


def _mask_value(text: str, value: bytes, view: View) -> str:
    """Mask what a field's value says: at length where it may hold what is not in clear."""
    hidden = view.clean_parts.hidden is not False
    return (
        mask_block(text, view) if part_header.may_hide(value, view, hidden=hidden) else view(text)
    )


def _find_first_words(view: View, message: Message, kept: Sequence[Header], body: Octets) -> str:
    """Return how the text of what is kept begins, but for notes on what was removed.

    ASCII without markup in which nobody stands but in clear is read as it came: that is cheaper.
    Base64 is not, in which padding may end an address before the text goes on.
    """
    part, same = read_structure(message), body is message.body
    text = ""
    if same or any(each.type == _PLAIN for each in part.walk()):
        leaf, text = message_body.find_text(part, message.body, _ENOUGH)
        clear = leaf is not None and leaf.type == _PLAIN and view.clean_parts.is_plain(id(leaf))
        again = leaf is not None and not (clear and text.isascii() and leaf.encoding != BASE64)
        # What is kept as it came reads the same, but for what a note may be.
        again = again and not (same and clean_text(text).strip() not in _NOTES)
    else:
        again = True
    if again:
        _, text = message_body.find_text(_read_kept(message, kept, body), body, _ENOUGH, _NOTES)
    words = clean_text(view(text)).split(None, _WORDS)
    return " ".join(words[:_WORDS])[:_WORDS]


def _find_file_names(
    view: View, message: Message, kept: Sequence[Header], body: Octets
) -> tuple[str, ...]:
    part = read_structure(message)
    names = message_body.find_attachment_names(part, part)
    joined = "\n".join(names).encode("utf-8", "replace")
    if not (names and (view.possible(joined) or possible(joined, view))):
        return names
    masked = _read_kept(message, kept, body)
    return message_body.find_attachment_names(part, masked, partial(mask_block, mask=view))


def _read_kept(message: Message, kept: Sequence[Header], body: Octets) -> message_body.Part:
    if body is message.body:
        return read_structure(message)
    fields = [(each.name, each.value) for each in kept if each.key.startswith(b"content-")]
    return message_body.read_structure(fields, body, message.limits)


def _blank_leaks(texts: Sequence[str], scanner: Scanner) -> list[str]:
    """Return texts, but each that still shows somebody without addresses, or not at all."""
    if not _leaks(texts, scanner):
        return list(texts)
    return [
        next(
            (each for each in (text, anonymise(text)) if not _leaks([each], scanner)),
            "",
        )
        for text in texts
    ]


def _leaks(texts: Sequence[str], scanner: Scanner) -> bool:
    fields = [Header(b"", text.encode("utf-8", "replace")) for text in texts]
    return bool(scanner.scan(fields, b""))
