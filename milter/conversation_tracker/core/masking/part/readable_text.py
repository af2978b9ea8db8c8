"""What a timeline shows of a message's body: its readable text, and the names of its files.

Nothing here raises.
"""

import re
from collections.abc import Callable, Collection, Iterator

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.part import large, leaf
from conversation_tracker.core.masking.text.html import strip_tags
from conversation_tracker.core.syntax import charset
from conversation_tracker.core.syntax.controls import clean_text
from conversation_tracker.core.syntax.mime import Part

_READ = 64 * 1024  # octets of a large part that are shown


def find_text(
    part: Part, body: Octets, enough: int | None = None, notes: Collection[str] = ()
) -> tuple[Part | None, str]:
    """Find the readable text of a message: the first plain text that is not attached, else HTML.

    Args:
        part: the structure that `read` gave for this body.
        body: the raw body.
        enough: after how many characters that are no blanks no more is read; None for all.
        notes: what stands in the place of parts that were removed, and is no text of the message.

    Returns:
        The leaf, and its text with LF, with control characters; None and "" if there is none.
    """
    inside = (child for child in part.walk() if child.is_message for child in child.children)
    for message in (part, *inside):
        shown = sorted(
            _iter_text_parts(message), key=lambda each: each is not part and bool(each.name)
        )
        for wanted in ("text/plain", "text/html", "text/"):
            for each in shown:
                if not each.type.startswith(wanted):
                    continue
                found = _read_part(each, body, enough)
                if (words := clean_text(found).strip()) and words not in notes:
                    return each, found
    return None, ""


def find_attachment_names(
    part: Part, masked: Part, mask: Callable[[str], str] = str
) -> tuple[str, ...]:
    """Return the file names of all parts that are attached, or have a name.

    Args:
        part: a message's structure.
        masked: the structure of what is kept of it: what parts are called there is masked as it was
            written, before control characters are left out.
        mask: gives the name of a part that is not kept with addresses replaced.

    Returns:
        Names without directories and control characters. A message without one is "message.eml",
        anything else "part-N", N counting the parts that are no multiparts from 1.
    """
    names: list[str] = []
    leaves, kept = tuple(part.walk_leaves()), tuple(masked.walk_leaves())
    same = len(leaves) == len(kept)
    for number, each in enumerate(leaves, 1):
        shown = kept[number - 1].name if same else ""
        name = clean_file_name(mask(shown or each.name))
        if each.disposition == "attachment" or name:
            names.append(name or ("message.eml" if each.is_message else f"part-{number}"))
    return tuple(names)


def _iter_text_parts(part: Part) -> Iterator[Part]:
    """Yield the parts that are text of the message itself, not of one inside it."""
    for child in part.children:
        if not child.is_message:
            yield from _iter_text_parts(child)
    if not part.children and part.type.startswith("text/") and part.disposition != "attachment":
        yield part


def _read_part(part: Part, body: Octets, enough: int | None) -> str:
    data = (
        large.read_beginning(part, body)[:_READ]
        if large.is_large(part)
        else leaf.decode_content(part, body)
    )
    found = charset.decode_text(data, part.charset)
    if part.type == "text/html":
        found = strip_tags(found, enough)
    elif enough is not None:
        found = _cut(found, enough)
    return found.replace("\r\n", "\n").replace("\r", "\n")


def _cut(text: str, enough: int) -> str:
    """Cut a text, somewhere behind so many characters that are no blanks."""
    end = enough
    while end < len(text) and len("".join(text[:end].split())) < enough:
        end *= 2
    return text[:end]


def clean_file_name(declared: str) -> str:
    """Return a file's name without directories and control characters; "" if nothing is left."""
    name = re.split(r"[/\\]", clean_text(declared).replace("\n", " "))[-1].strip()
    return "" if name in (".", "..") else name
