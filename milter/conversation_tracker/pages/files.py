"""The files of a message as a page lists them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conversation_tracker.pages.links import Links
from conversation_tracker.pages.units import write_size

_KINDS = {
    "application/pdf": "PDF document",
    "application/zip": "Archive",
    "application/gzip": "Archive",
    "application/x-7z-compressed": "Archive",
    "application/msword": "Word document",
    "application/rtf": "Text document",
    "application/vnd.ms-excel": "Spreadsheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Spreadsheet",
    "application/vnd.oasis.opendocument.text": "Text document",
    "application/vnd.oasis.opendocument.spreadsheet": "Spreadsheet",
    "message/rfc822": "Message",
    "text/calendar": "Calendar entry",
    "text/vcard": "Contact",
    "text/csv": "Table",
    "text/html": "Web page",
    "text/plain": "Text",
}
_MEDIA = {"image": "Picture", "audio": "Sound", "video": "Film"}


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file of a message.

    Attributes:
        name: its name.
        kind: what it is, in words, or its media type.
        size: in plain units, "" if it is not known.
        link: where it is downloaded from, "" if it cannot be.
    """

    name: str
    kind: str
    size: str
    link: str


def show_files(
    found: Mapping[str, Any], store: str, number: str, links: Links | None
) -> tuple[list[ShownFile], list[str]]:
    """Return the files of a message.

    Args:
        found: the message, as `tracker.conversation` gives it.
        store: the store's name.
        number: the order's number.
        links: makes addresses; None: nothing can be downloaded.

    Returns:
        Those that can be downloaded, and the names of others that came with it.
    """
    files = [
        ShownFile(
            each["name"],
            name_kind(each["type"]),
            write_size(each["size"]),
            links.attachment(store, number, found["id"], each["number"]) if links else "",
        )
        for each in found["attachments"]
    ]
    others = Counter(found["attachmentNames"]) - Counter(each.name for each in files)
    return files, list(others.elements())


def name_kind(type: str) -> str:
    """Say in words what a media type is; one that is not known is told as it is."""
    family, _slash, rest = type.partition("/")
    if family in _MEDIA and rest:
        return f"{_MEDIA[family]} ({rest.removeprefix('x-').removesuffix('+xml').upper()})"
    return _KINDS.get(type, type)
