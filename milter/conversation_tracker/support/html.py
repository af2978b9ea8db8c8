"""The timeline as one printable HTML file, and how a file is written so that it is whole or absent.

The page stands alone: no script, no style sheet, image or link from elsewhere; a policy in its head
forbids them as well, and everything a message says is escaped. `write_file` raises OSError.
"""

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path

from conversation_tracker.core.syntax.controls import clean_text
from conversation_tracker.support.timeline import TimelineEntry

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
body {{ font: 11pt/1.4 sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em; }}
article {{ border: 1px solid #888; border-left-width: 6px; margin: 1em 0; padding: .5em 1em; }}
article.inbound {{ border-left-color: #27a; }}
article.outbound {{ border-left-color: #2a6; }}
h2 {{ font-size: 1.1em; margin: 0; }}
p {{ margin: .2em 0; color: #444; }}
pre {{ font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; }}
.bounced, .refused {{ color: #b00; font-weight: bold; }}
@media print {{ body {{ margin: 0; max-width: none; }} h2, p {{ break-after: avoid; }} }}
</style>
</head>
<body>
<h1>{title}</h1>
"""
_ARTICLE = """<article class="{direction}">
<h2 dir="auto">{subject}</h2>
<p><time datetime="{iso}">{time}</time>, {direction}{automatic}, \
<span class="{state}">{state}</span></p>
<p>From: <bdi>{sender}</bdi> &lt;{alias}&gt;</p>
"""
_RECIPIENT = '<p>To: {role} &lt;{alias}&gt;, <span class="{state}">{said}</span></p>\n'
_NOBODY = '<p><span class="{state}">{said}</span></p>\n'
_FILES = "<p>Files: {names}</p>\n"
_NOTES = "<p>Notes: {notes}</p>\n"
_TEXT = '<pre dir="auto">{text}</pre>\n'


def write_page(
    store: str, number: str, messages: Iterable[tuple[TimelineEntry, str]]
) -> Iterator[str]:
    """Write the page.

    Args:
        store: the store's name.
        number: the order's number.
        messages: each message with its readable text.

    Returns:
        The pieces of the page, in their order.
    """
    yield _HEAD.format(title=_escape(f"Order {number} of {store}"))
    empty = True
    for entry, text in messages:
        empty = False
        yield from _write_article(entry, text)
    if empty:
        yield "<p>No messages.</p>\n"
    yield "</body>\n</html>\n"


def _write_article(entry: TimelineEntry, text: str) -> Iterator[str]:
    yield _ARTICLE.format(
        direction=_escape(entry.direction),
        subject=_escape(entry.subject) or "(no subject)",
        iso=entry.at.isoformat(),
        time=_escape(f"{entry.at:%Y-%m-%d %H:%M %Z}"),
        automatic=", automatic" if entry.automatic else "",
        state=_escape(entry.state),
        sender=_escape(entry.sender),
        alias=_escape(entry.alias),
    )
    for to in entry.deliveries:
        # Refused mail may have been for nobody who takes part.
        yield (_RECIPIENT if to.alias else _NOBODY).format(
            role=_escape(to.role),
            alias=_escape(to.alias),
            state=_escape(to.state),
            said=_escape(" ".join(filter(None, (to.state, to.status, to.reason)))),
        )
    if entry.attachment_names:
        yield _FILES.format(names=_write_names(entry.attachment_names))
    if entry.notes:
        yield _NOTES.format(notes=_write_names(entry.notes))
    yield _TEXT.format(text=_escape(text))
    yield "</article>\n"


def _write_names(names: Sequence[str]) -> str:
    return ", ".join(f"<bdi>{_escape(name)}</bdi>" for name in names)


def _escape(text: str) -> str:
    return escape(clean_text(text))


def write_file(path: Path, written: Iterable[str]) -> None:
    """Write a file that only its owner may read; it appears whole, or not at all.

    What is no regular file (a pipe, a terminal, /dev/null) is written to as it stands, and so is
    an open descriptor's name (/dev/stdout, /dev/fd/3), whatever it leads to. What is there stays.

    Args:
        path: the file; a former one is replaced.
        written: its pieces, as text.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    if path.exists() and not path.is_dir() and (not path.is_file() or _names_descriptor(path)):
        with path.open("a", encoding="utf-8", errors="replace") as existing:
            existing.writelines(written)
        return
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    number, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(written)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _names_descriptor(path: Path) -> bool:
    """Whether a path that exists is a link to an open descriptor, as /dev/stdout is."""
    while path.is_symlink():
        if path.parent.resolve().is_relative_to("/proc"):
            return True
        path = path.parent / path.readlink()
    return False
