"""What was found out about one message, so that it is not found out again for each of its views.

Kept is the structure, and of which parts and fields it is known that they name nobody of an order:
these are the same in every view of it. The final scan keeps its findings apart, and does not
believe these. No content is kept but short texts between parts, and what invitations say.
Nothing here raises.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

Structure = TypeVar("Structure")
Invited = TypeVar("Invited")


@dataclass(slots=True)
class CleanParts:
    """The parts and header fields of a message that name nobody of one order.

    Attributes:
        texts: the identities of leaves in whose text, in whatever form, no domain of anybody is.
        files: the identities of leaves that are no text and hold nobody's address.
        headers: the identities of parts in whose header blocks is none.
        gaps: what stands between parts, of which the same is true.
        fields: the places of header fields of which the same is true as of `texts`.
        hidden: whether some header field may hold what does not stand in clear, encoded words
            apart; None while it is not known.
        plain: the identities of leaves in whose text nobody was found but in clear, with what was
            written there for those who were.
        body: the body as a whole names nobody, and stays as it is in every view.
        unsigned: the identities of leaves whose text lost its signature in the record.
        met: a domain was met since this was last set to False.
        hid: something was found that does not stand in clear, since this was last set to False.
        written: what was written into a text since this was last emptied.
        named: the identities of leaves of which it was looked for and not proved that they name
            nobody.
        in_plain: what is gone through now is one of `plain`.
        in_named: what is gone through now is one of `named`: not to be looked for again.
        learns: what is found now holds in every view: the record looks for everybody.
        own: the reader's token; "" in the record.
        apart: tells whether the reader's address can be no part of anybody else's.
    """

    texts: set[int] = field(default_factory=set)
    files: set[int] = field(default_factory=set)
    headers: set[int] = field(default_factory=set)
    gaps: set[bytes] = field(default_factory=set)
    fields: set[int] = field(default_factory=set)
    hidden: bool | None = None
    plain: dict[int, frozenset[str]] = field(default_factory=dict)
    body: bool = False
    unsigned: set[int] = field(default_factory=set)
    met: bool = False
    hid: bool = False
    written: set[str] = field(default_factory=set)
    named: set[int] = field(default_factory=set)
    in_plain: bool = False
    in_named: bool = False
    learns: bool = False
    own: str = ""
    apart: Callable[[], bool] = lambda: False

    def begin_leaf(self, leaf: int) -> None:
        """Begin to go through the leaf of this identity.

        The reader's own address stays where the record has their alias, and may be the end of a
        longer one: `joe dot reader@doe.example`. Where it may, a leaf that shows it is not plain to
        them.
        """
        self.met = self.hid = False
        self.written.clear()
        self.in_named = leaf in self.named
        found = self.plain.get(leaf)
        shown = found is not None and any(self.own in each for each in found)
        self.in_plain = found is not None and (not shown or self.apart())

    def end_leaf(self) -> None:
        """End to go through a leaf."""
        self.in_plain = self.in_named = False

    def learn_leaf(self, leaf: int) -> None:
        """Note what is known of a leaf now."""
        if self.learns and not self.hid:
            self.plain[leaf] = frozenset(self.written)

    def is_plain(self, leaf: int) -> bool:
        """Return whether nobody was found in a leaf's text but in clear, or nobody at all."""
        return self.body or leaf in self.texts or leaf in self.plain

    def hides(self, look: Callable[[], bool]) -> bool:
        """Whether a header field may hold what does not stand in clear, as far as `look` tells."""
        if self.hidden is not None:
            return self.hidden
        found = look()
        if self.learns:
            self.hidden = found
        return found


@dataclass(slots=True)
class PartCache:
    """What is known of one message and changes no more; it goes with the message.

    Attributes:
        author: the author as the one item, who is looked for once: From may be long; None before.
    """

    author: tuple[Any] | None = None
    _structure: Any = None
    _invited: Any = None
    _clean_parts: dict[Hashable, CleanParts] = field(default_factory=dict)

    def structure(self, read: Callable[[], Structure]) -> Structure:
        """Return the message's structure, which is read once: its parts keep their identity."""
        if self._structure is None:
            self._structure = read()
        structure: Structure = self._structure
        return structure

    def invited(self, read: Callable[[], Invited]) -> Invited:
        """Return what the message's invitations say, which are read once."""
        if self._invited is None:
            self._invited = read()
        invited: Invited = self._invited
        return invited

    def clean_parts(self, people: Hashable) -> CleanParts:
        """Return which parts name none of these people, as far as it is known."""
        found = self._clean_parts.get(people)
        if found is None:
            found = self._clean_parts[people] = CleanParts()
        return found
