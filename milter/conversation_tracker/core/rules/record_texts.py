"""What a record says in words beside the message: its author, subject, first words, names of files.

The first words are read from the message as it is kept, which is masked already: a text that is
made readable first, without markup, escapes and control characters, may hide an address that its
source showed. Names of files are read there, too. All else is masked at length, and once more
without cheap tests where the final scan still finds somebody. What it then finds is left out.
Raises `TooComplex` only for a message that is over the limits as it came.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from conversation_tracker.core.base.cached import cached_property
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
_LONGEST_REFUSED = 8192  # octets of a subject for which no time is measured
_TAIL = 320  # characters of it in which an address may be cut
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
    view: View,
    message: Message,
    kept: Sequence[Header],
    body: Octets,
    scanner: Scanner,
    name: str,
) -> RecordTexts:
    """Return a record's texts.

    Args:
        view: how everybody in the conversation is recorded.
        message: the message.
        kept: the header fields that are kept of it, masked.
        body: the body that is kept of it, masked.
        scanner: looks for everybody who takes part.
        name: what `mask_author_name` gave, as it is asked for while the fields are masked.

    Raises:
        TooComplex: the message's structure is over the limits.
    """
    what = _Kept(message, kept, body)
    texts = _mask_texts(view, message, what, name)
    if _leaks(texts, scanner):
        thorough = view if view.thorough else view.without(view.condemned)
        name = mask_author_name(thorough, message)
        texts = _blank_leaks(_mask_texts(thorough, message, what, name), scanner)
    name, identifier, subject, words, *files = texts
    return RecordTexts(name, identifier, subject, words, tuple(files))


def _mask_texts(view: View, message: Message, kept: "_Kept", name: str) -> list[str]:
    subject, identifier = message.first(b"subject") or b"", message.first(b"message-id") or b""
    return [
        name,
        decode_words(identifier).strip()[:_IDENTIFIER]
        if kept.shows(b"message-id", identifier, view)
        else _find_message_id(view, message),
        decode_words(subject)[:_SUBJECT]
        if kept.shows(b"subject", subject, view)
        else mask_subject(view, message),
        _find_first_words(view, message, kept),
        *_find_file_names(view, message, kept),
    ]


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


def mask_refused_subject(view: View, message: Message, scanner: Scanner) -> str:
    """Return how the subject of a message that is refused begins, without anybody's address.

    A stranger's has no alias that could stand for it. Only the beginning of a long one is looked
    at: the time for the message may be over.

    Args:
        view: how everybody in the conversation is recorded.
        message: the message.
        scanner: looks for everybody who takes part.
    """
    begin = _take_beginning(message)
    subject = mask_subject(view, begin)
    if _leaks([subject], scanner):
        subject = mask_subject(view.without(view.condemned), begin)
    if begin is not message:
        subject = subject[:-_TAIL]
    return _blank_leaks([_anonymise(subject)], scanner)[0]


def _take_beginning(message: Message) -> Message:
    """Return a message of whose subject, if it is long, the end is left out; else the same."""
    if len(message.first(b"subject") or b"") <= _LONGEST_REFUSED:
        return message
    return replace(
        message,
        headers=tuple(
            each.change(each.value[:_LONGEST_REFUSED]) if each.key == b"subject" else each
            for each in message.headers
        ),
    )


def _anonymise(text: str) -> str:
    return _ANY_ADDRESS.sub("[address]", text)


def _find_message_id(view: View, message: Message) -> str:
    value = show_ids(message.first(b"message-id") or b"", view.conversation, None, {})
    return view(decode_words(value)).strip()[:_IDENTIFIER]


def _mask_value(text: str, value: bytes, view: View) -> str:
    """Mask what a field's value says: at length where it may hold what is not in clear."""
    hidden = view.thorough or view.clean_parts.hidden is not False
    return (
        mask_block(text, view) if part_header.may_hide(value, view, hidden=hidden) else view(text)
    )


def _find_first_words(view: View, message: Message, kept: "_Kept") -> str:
    """Return how the text of what is kept begins, but for notes on what was removed.

    ASCII without markup in which nobody stands but in clear is read as it came: that is cheaper.
    Base64 is not, in which padding may end an address before the text goes on.
    """
    part, same = read_structure(message), kept.body is message.body
    text = ""
    if same or any(each.type == _PLAIN for each in part.walk()):
        leaf, text = message_body.find_text(part, message.body, _ENOUGH, _NOTES)
        clear = leaf is not None and leaf.type == _PLAIN and view.clean_parts.is_plain(id(leaf))
        clear = clear and not view.thorough  # then nothing that tells so is believed
        clear = clear and text.isascii() and leaf is not None and leaf.encoding != BASE64
        again = leaf is not None and not (clear or same)  # what is kept as it came reads the same
    else:
        again = True
    if again and kept.part is not None:
        _, text = message_body.find_text(kept.part, kept.body, _ENOUGH, _NOTES)
    elif again:
        text = mask_block(message_body.find_text(part, message.body, _ENOUGH, _NOTES)[1], view)
    words = clean_text(view(text)).split(None, _WORDS)
    return " ".join(words[:_WORDS])[:_WORDS]


def _find_file_names(view: View, message: Message, kept: "_Kept") -> tuple[str, ...]:
    """Return the names of files as they are kept: without escapes, they may seem harmless."""
    part = read_structure(message)
    names = message_body.find_attachment_names(part, part)
    if not names:
        return names
    joined = "\n".join(names).encode("utf-8", "replace")
    masked = kept.part or part
    if view.possible(joined) or possible(joined, view):
        return message_body.find_attachment_names(part, masked, partial(mask_block, mask=view))
    return names if masked is part else message_body.find_attachment_names(part, masked)


class _Kept:
    """What is kept of a message: its body, and the structure of it, read if it is asked for."""

    def __init__(self, message: Message, fields: Sequence[Header], body: Octets) -> None:
        self.body = body
        self._message, self._fields = message, fields

    def shows(self, key: bytes, value: bytes, view: View) -> bool:
        """Return whether a field is kept as it came, so that its text names nobody either.

        But for encoded words, whose text may be such again, and where no cheap test is believed.
        """
        if view.thorough or b"=?" in value:
            return False
        return any(each.key == key and each.value is value for each in self._fields)

    @cached_property
    def part(self) -> message_body.Part | None:
        """The structure; None if it is over a limit, as aliases may make it."""
        message = self._message
        fields, came = (
            [(each.name, each.value) for each in some if each.key.startswith(b"content-")]
            for some in (self._fields, message.headers)
        )
        if self.body is message.body and fields == came:
            return read_structure(message)
        try:
            return message_body.read_structure(fields, self.body, message.limits)
        except message_body.TooComplex:
            return None


def _blank_leaks(texts: Sequence[str], scanner: Scanner) -> list[str]:
    """Return texts, but each that still shows somebody without addresses, or not at all."""
    return [
        next(
            (each for each in (text, _anonymise(text)) if not _leaks([each], scanner)),
            "",
        )
        for text in texts
    ]


def _leaks(texts: Sequence[str], scanner: Scanner) -> bool:
    fields = [Header(b"", text.encode("utf-8", "replace")) for text in texts]
    return bool(scanner.scan(fields, b""))
