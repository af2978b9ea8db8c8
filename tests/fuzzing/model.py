"""Who may bring whom into an order: the rules once more, as short as they can be said.

This is what `play` holds the program against: plain sets of addresses, no conversation, no copies.
It knows nothing of the program but what the design says of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

GMAIL = ("gmail.com", "googlemail.com")


@dataclass(frozen=True)
class Person:
    """Somebody who takes part, by the key of their address."""

    key: str
    role: str
    introduced: bool
    handed_out: bool


@dataclass(frozen=True)
class Sent:
    """What a message is, to these rules.

    Attributes:
        authors: From, the first of them the author.
        named: To, Cc and Sender, then the attendees, in their order.
        organizers: organisers of an invitation in it.
        answers: Reply-To and the envelope sender.
        to: of those named, who stands in To.
        outsiders: recipients that are no aliases.
        trusted: the client is.
        verdict: trusted, verified, unverified or failed.
    """

    authors: Sequence[str]
    named: Sequence[str] = ()
    organizers: Sequence[str] = ()
    answers: Sequence[str] = ()
    to: Sequence[str] = ()
    outsiders: Sequence[str] = ()
    trusted: bool = False
    verdict: str = "unverified"


class Full(Exception):
    """The store allows no more people."""


@dataclass
class Model:
    """An order, its store's settings, who takes part, and whose answers find their way besides."""

    sender_domains: frozenset[str]
    participant_limit: int
    guest_limit: int
    reject_unknown: bool = False
    reject_spoofed: bool = False
    people: dict[str, Person] = field(default_factory=dict)
    apart: set[str] = field(default_factory=set)

    def own(self, sent: Sent) -> bool:
        """Return whether a message is the store's own mail."""
        return sent.trusted and _domain(sent.authors[0]) in self.sender_domains

    def resolves(self, key: str) -> bool:
        """Return whether the soft alias that carries this address stands for anybody."""
        return key in self.people and self.people[key].handed_out

    def whose(self, key: str) -> Person | None:
        """Find whose address this is: exactly, or the one of whom it is a variant."""
        if key in self.people:
            return self.people[key]
        found = [each for each in self.people.values() if _plain(each.key) == _plain(key)]
        found = [each for each in found if each.introduced] or found
        return found[0] if len(found) == 1 else None

    def false_claims(self, sent: Sent) -> list[str]:
        """Return the authors that a message only claims, of the store's own addresses."""
        believed = sent.verdict in ("trusted", "verified")
        return [a for a in sent.authors if not believed and _domain(a) in self.sender_domains]

    def flagged(self, sent: Sent) -> bool:
        """Return whether a message claims to be from somebody, and is not."""
        claims = any(self.whose(each) is not None for each in sent.authors)
        return bool(self.false_claims(sent)) or (claims and sent.verdict == "failed")

    def stranger(self, sent: Sent) -> bool:
        """Return whether a message counts for the strangers' share of the hour."""
        author = self.whose(sent.authors[0])
        return not self.own(sent) and (
            self.flagged(sent) or author is None or not author.introduced
        )

    def refuses(self, sent: Sent) -> bool:
        """Return whether the store takes no message from these authors."""
        if self.reject_spoofed and self.flagged(sent):
            return True
        return self.reject_unknown and not all(self._known(sent, each) for each in sent.authors)

    def _known(self, sent: Sent, author: str) -> bool:
        if _domain(author) in self.sender_domains:
            return not self.false_claims(sent)
        found = self.whose(author)
        return found is not None and found.introduced

    def introduces(self, sent: Sent) -> bool:
        """Return whether whom a message names is introduced."""
        author = self.whose(sent.authors[0])
        by_name = author is not None and author.introduced
        return self.own(sent) or (by_name and sent.verdict in ("trusted", "verified"))

    def play(self, sent: Sent) -> frozenset[str] | None:
        """Let everybody join who does; nobody does by a message that is refused.

        Returns:
            Who is left out; None if more people would be introduced than the store allows.
        """
        before = dict(self.people)
        introducing = self.introduces(sent)
        left: set[str] = set()
        try:
            claimed = sent.authors[0] in self.false_claims(sent)
            self._join(sent.authors[0], "partner", introduced=self.own(sent), claimed=claimed)
            if self.own(sent) and (buyer := self._buyer(sent)) is not None:
                self._join(buyer, "buyer", introduced=True)
            for key in sent.outsiders:
                self._join(key, "partner", introduced=introducing)
            # Once each: whose variant it is may be doubtful when others have joined.
            for key in dict.fromkeys((*sent.authors, *sent.named, *sent.organizers)):
                if not _single(key) and not self._named(key, key in sent.organizers, introducing):
                    left.add(key)
            # Of two who are introduced by now, the author may be a variant of either.
            self._join(sent.authors[0], "partner", introduced=self.own(sent), claimed=claimed)
        except Full:
            self.people = before
            return None
        self.apart |= set(sent.answers) - {sent.authors[0]}
        self.apart -= self.people.keys()
        return frozenset(left - self.apart - self.people.keys())

    def _buyer(self, sent: Sent) -> str | None:
        """Choose who the buyer is, if the order has none: first in To, then among recipients."""
        if any(each.role == "buyer" for each in self.people.values()):
            return None
        possible = [each for each in sent.outsiders if self._nobody_yet(each)]
        return next((each for each in (*sent.to, *possible) if each in possible), None)

    def _nobody_yet(self, key: str) -> bool:
        known = self.whose(key)
        return _domain(key) not in self.sender_domains and (known is None or not known.introduced)

    def _named(self, key: str, kept: bool, introducing: bool) -> bool:
        """Let somebody join by being named; tell whether there is room, or no need."""
        guests = sum(not each.introduced for each in self.people.values())
        if introducing or self.whose(key) is not None or kept or guests < self.guest_limit:
            if introducing or key not in self.apart or self.whose(key) is not None:
                self._join(key, "partner", introduced=introducing)
            return True
        return key in self.apart  # answers have an alias

    def _join(self, key: str, role: str, *, introduced: bool, claimed: bool = False) -> None:
        known = self.whose(key)
        if introduced and known and not known.introduced and _mailbox(known.key) != _mailbox(key):
            known = None  # a stranger's tag draws nothing to itself
        if known is not None and (known.introduced or not introduced):
            return
        if introduced and sum(e.introduced for e in self.people.values()) >= self.participant_limit:
            raise Full
        # Who only claims to be the store is nobody's, until its own word comes.
        role = "store" if _domain(key) in self.sender_domains and not claimed else role
        new = known or Person(key, role, introduced, False)
        self.people[new.key] = replace(new, introduced=introduced, role=role)

    def hand_out(self, keys: Iterable[str]) -> None:
        """Note whose soft aliases a copy showed."""
        for key in keys:
            self.people[key] = replace(self.people[key], handed_out=True)


def _domain(key: str) -> str:
    return key.rpartition("@")[2]


def _single(key: str) -> bool:
    return "." not in _domain(key)


def _mailbox(key: str) -> str:
    """Write an address as all spellings of the very mailbox have it in common."""
    local, _, domain = key.rpartition("@")
    untagged, plus, tag = local.partition("+")
    return f"{untagged.replace('.', '')}{plus}{tag}@gmail" if domain in GMAIL else key


def _plain(key: str) -> str:
    """Write an address as its variants have it in common."""
    local, _, domain = key.rpartition("@")
    local = local.partition("+")[0]
    return f"{local.replace('.', '')}@gmail" if domain in GMAIL else f"{local}@{domain}"
