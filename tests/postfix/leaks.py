"""Finds addresses in a message in every form in which a reader or a program could find them."""

import email
import email.header
import email.message
import email.policy
import html
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote


def found_in(data: bytes, words: Iterable[str], allowed: Iterable[str] = ()) -> list[str]:
    """Return those of the words, in any letter case, that a message holds in whatever form.

    `allowed` are texts within which a word is no leak: soft aliases carry an address readably.
    """
    texts = [text.lower() for text in readings(data)]
    for each in sorted(allowed, key=len, reverse=True):
        texts = [text.replace(each.lower(), "[alias]") for text in texts]
    return [word for word in words if any(word.lower() in text for text in texts)]


def readings(data: bytes) -> Iterator[str]:
    """Yield what a message says: as bytes, and with each header and part decoded."""
    for text in _decoded(data):
        yield text
        yield html.unescape(text)
        yield unquote(text)
        yield re.sub("[\u00ad\u200b\u200c\u200d\u2060\ufeff]", "", text)


def _decoded(data: bytes) -> Iterator[str]:
    yield data.decode("latin-1")
    yield data.decode("utf-8", "replace")
    yield re.sub(r"\r?\n[ \t]", "", data.decode("latin-1"))
    message = email.message_from_bytes(data, policy=email.policy.compat32)
    for part in message.walk():
        for _name, value in part.items():
            yield _readable(str(value))
            yield re.sub(r"[\s\"]", "", str(value))
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            yield content.decode("latin-1")
            yield content.decode("utf-16-le", "replace")
            yield _charset(content, part)


def _charset(content: bytes, part: "email.message.Message[str, str]") -> str:
    try:
        return content.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return ""


def _readable(value: str) -> str:
    pieces = []
    for text, charset in email.header.decode_header(value):
        if isinstance(text, str):
            pieces.append(text)
        else:
            pieces.append(text.decode(charset or "latin-1", "replace"))
    return "".join(pieces)
