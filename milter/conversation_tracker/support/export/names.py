"""Names of files that every system takes, whatever they are made of.

A store's name and an order's number may hold any character. What is left of them is for people to
recognise; that two names differ is a number's to see to, which stands before.
"""

import re

_OTHER = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 40  # characters of one part: a path has less than 260 on Windows


def clean_name(text: str) -> str:
    """Return what can be kept of a text in a file's name: ASCII, no blank, no dot at either end."""
    return _OTHER.sub("_", text)[:_LONGEST].strip("._-")


def write_name(number: int, *parts: str, ending: str = "") -> str:
    """Return the name of a file or folder.

    Args:
        number: what it differs by from others beside it; it stands first, so that no name is one
            that a system reserves.
        parts: what it is recognised by.
        ending: with its dot.
    """
    return "-".join([f"{number:05}", *filter(None, map(clean_name, parts))]) + ending
