"""Connection strings of the database: what in them must not be shown, well written or not.

A password with an `@` or a `/` that is not written as %40 or %2F is cut there by libpq, which then
complains of a host or a port, and names what is part of the password.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

_SHORT = 4  # characters: a password below this would blot out ordinary words
_SCHEMES = ("postgresql", "postgres")
_DELIMITERS = re.compile(r"[@/?#:,\[\]\s]++")
_PARAMETER = re.compile(r"[?&](?:ssl)?password=([^&]*+)")
_KEYWORD = re.compile(
    r"(?<![a-z])(?:ssl)?password\s*+=\s*+(?:'((?>(?:[^'\\]|\\.)*))|((?>(?:[^\s\\]|\\.)+)))"
)


def hide_password(text: str, conninfo: str) -> str:
    """Put stars in place of a connection string's password.

    Args:
        text: what is said of a connection.
        conninfo: the libpq URI or connection string in use.

    Returns:
        The text without the password, and without its parts if it is not written as it should be.
    """
    for each in sorted({*_list_secrets(conninfo)}, key=len, reverse=True):
        if len(each) >= _SHORT:
            text = text.replace(each, "***")
    return text


def has_password(conninfo: str) -> bool:
    """Return whether a connection string holds a password.

    Args:
        conninfo: a libpq URI or connection string.
    """
    return any(_list_secrets(conninfo))


def _list_secrets(conninfo: str) -> Iterator[str]:
    scheme, is_uri, rest = conninfo.partition("://")
    if not is_uri or scheme not in _SCHEMES:
        for found in _KEYWORD.finditer(conninfo):
            yield re.sub(r"\\(.)", r"\1", found[1] or found[2] or "")
        return
    user, _at, _place = rest.rpartition("@")
    for written in (user.partition(":")[2], *_PARAMETER.findall(rest)):
        yield from (written, unquote(written))
        yield from _DELIMITERS.split(written)
