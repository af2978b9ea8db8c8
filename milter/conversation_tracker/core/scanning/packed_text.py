"""The texts in what was packed in a file, for the final scan.

Written apart from the masking code. Each costs time linear in the content's size. Nothing here
raises.
"""

from collections.abc import Iterator

from conversation_tracker.core.scanning.text import charsets, content_lines, decodings

_HEAD = 1024
_NO_TEXT = bytes(n if n in b"\t\n\r\x1b" or 32 <= n < 127 else 10 for n in range(256))


def begins_as_text(data: bytes) -> bool:
    """Return whether content begins as text does."""
    return not charsets.is_no_text(data[:_HEAD])


def read_texts(data: bytes) -> Iterator[str]:
    """Yield the texts that content may be which begins as text does.

    Of what goes on as other octets, as a page of PDF does with the numbers of its letters, only
    what is ASCII says something.

    Args:
        data: the content.
    """
    if charsets.is_no_text(data) and not decodings.is_text(data):
        data = data.translate(_NO_TEXT)
    for text in charsets.read_texts(data, ""):
        yield text
        whole = content_lines.unfold(text)
        if whole != text:  # as in cards and calendars
            yield whole
