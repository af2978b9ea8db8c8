"""Names and types of files that strangers sent, made such that no system is misled by them."""

import re
import unicodedata

_LONGEST = 150  # characters; with UTF-8 under the 255 octets of most systems, at worst cut there
_LONGEST_OCTETS = 200
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)", re.IGNORECASE)
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,10}\Z")
# What a browser shows by itself runs nothing; of all else it is told that it is a file.
_SHOWN_TYPES = frozenset(
    ("application/pdf", "image/gif", "image/jpeg", "image/png", "image/webp", "text/plain")
)
OCTETS = "application/octet-stream"


def clean_name(name: str, number: int) -> str:
    """Return a name under which a file may be kept on any system.

    Args:
        name: what its sender called it.
        number: its number in the message; names it where nothing else does.
    """
    seen = "".join(
        " " if each.isspace() else each
        for each in name[: 4 * _LONGEST]
        if unicodedata.category(each) not in _UNSEEN
    )
    text = " ".join(_FORBIDDEN.sub("_", seen).split()).strip(". ")
    if _DEVICES.match(text):
        text = f"_{text}"
    return _shorten(text) or f"attachment-{number}"


def choose_type(declared: str) -> str:
    """Return the type that a file is served with: one of a few, or octets."""
    plain = declared.partition(";")[0].strip().lower()
    return plain if plain in _SHOWN_TYPES else OCTETS


def _shorten(text: str) -> str:
    """Cut a long name, and keep its ending."""
    ending = found[0] if (found := _ENDING.search(text)) else ""
    stem = text[: len(text) - len(ending)]
    while len(stem) + len(ending) > _LONGEST or len((stem + ending).encode()) > _LONGEST_OCTETS:
        stem = stem[:-1]
    return f"{stem.rstrip('. ')}{ending}" if stem else ending.lstrip(".")
