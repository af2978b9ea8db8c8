"""Which soft aliases a copy shows for the first time, and so hands out.

A soft alias resolves only once it was handed out, so that nobody can confirm a guessed address.
Only what we write counts, never what stands in a message already. Nothing here raises.
"""

from urllib.parse import unquote

# What may stand for the at sign of an alias, once percent escapes are read.
_BETWEEN = frozenset(("@", "%40", "=40", "+40", "\\u0040", "\\x40", "=", "%", "!", "%3d", "%3D"))


class Disclosure:
    """Notes whose soft aliases are shown.

    Attributes:
        shown: tokens of those that were shown so far.
    """

    def __init__(self) -> None:
        """Begin with nobody."""
        self.shown: set[str] = set()
        self._tokens: dict[str, str] = {}

    def expect(self, alias: str, token: str) -> None:
        """Note an alias that was not handed out before."""
        self._tokens[alias] = token

    def note(self, written: str) -> None:
        """Note that something is shown: an alias, with its at sign in whatever spelling."""
        if not self._tokens or len(self.shown) == len(self._tokens):
            return
        text = unquote(written)
        for alias, token in self._tokens.items():
            local, _, domain = alias.rpartition("@")
            first, last = (local, domain) if text.startswith(local) else (domain, local)
            between = text[len(first) : len(text) - len(last)]
            if between in _BETWEEN and text == f"{first}{between}{last}":
                self.shown.add(token)
