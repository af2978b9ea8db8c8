"""What was sent, what was delivered, what was recorded: the three sides, and the rule they keep.

For each recipient of each message:

- delivered at least once for each attempt that was answered 250, and at most once more for each
  attempt whose answer the client never got, because the connection was gone after the message's
  final dot (RFC 1047): nobody can know then, so the client must send again. An attempt that was
  refused is delivered to nobody.
- When Postfix itself is killed, its next hop is in the same position as a milter's client: for each
  such cut while a message was under way, one copy more may come (RFC 5321 section 4.5.3.2.6).
- Every copy is masked: no address of the order in it but the reader's own.
- Recorded once if anybody was delivered to or answered 250, at most once else; with one delivery
  for each such recipient.
"""

import quopri
import re
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import psycopg

from private.sink import Mail

Outcome = Literal["taken", "refused", "unknown"]

_RECORDED = "SELECT subject, count(*) FROM tracker.messages GROUP BY subject"
_DELIVERIES = """
SELECT m.subject, lower(p.address), count(*)
  FROM tracker.deliveries AS d JOIN tracker.messages AS m ON m.id = d.message_id
  JOIN tracker.participants AS p ON p.id = d.recipient_id GROUP BY 1, 2
"""


@dataclass(eq=False)
class Letter:
    """One message that a client wants delivered.

    Attributes:
        name: what its subject is, unlike any other's.
        readers: the real address behind each recipient that is said to Postfix.
        secrets: all addresses that take part; each reader may see their own.
        foreign: it is none of the tracker's business: not masked, not recorded.
        attempts: what became of each attempt, by recipient.
        first: when it was first tried, in seconds since 1970.
    """

    name: str
    sender: str
    readers: dict[str, str]
    data: bytes
    trusted: bool
    secrets: frozenset[str]
    foreign: bool = False
    attempts: dict[str, list[Outcome]] = field(default_factory=dict)
    first: float = 0.0

    def noted(self, recipient: str, outcome: Outcome) -> None:
        """Note what became of an attempt."""
        self.attempts.setdefault(recipient, []).append(outcome)


@dataclass(frozen=True)
class Timeline:
    """What is recorded.

    Attributes:
        messages: how many there are of each subject.
        deliveries: how many there are of each subject and real address.
    """

    messages: dict[str, int]
    deliveries: dict[tuple[str, str], int]


def timeline(uri: str) -> Timeline:
    """Read what is recorded in a database."""
    with psycopg.connect(uri) as connection:
        return Timeline(
            dict(connection.execute(_RECORDED).fetchall()),
            {(name, who): count for name, who, count in connection.execute(_DELIVERIES).fetchall()},
        )


class Ledger:
    """All letters of a run; may be written by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.letters: dict[str, Letter] = {}
        self.cuts: list[float] = []

    def add(self, letter: Letter) -> None:
        """Note a letter before it is first tried."""
        with self._lock:
            self.letters[letter.name] = letter

    def outcomes(self) -> "Counter[Outcome]":
        """Count the attempts so far by what became of them."""
        with self._lock:
            letters = list(self.letters.values())
        return Counter(
            each for letter in letters for tried in list(letter.attempts.values()) for each in tried
        )

    def faults(self, mails: Iterable[Mail], timeline: "Timeline") -> list[str]:
        """Hold the three sides against each other.

        Args:
            mails: what came to the sink.
            timeline: what is recorded.

        Returns:
            What breaks the rule, one line each; none names an address.
        """
        arrived: dict[tuple[str, str], list[Mail]] = {}
        for mail in mails:
            for address in mail.addresses:
                arrived.setdefault((_name(mail), address.lower()), []).append(mail)
        recorded = dict(timeline.messages)
        found = []
        for letter in self.letters.values():
            count = recorded.pop(letter.name, 0)
            found += self._of(letter, arrived, count, timeline.deliveries)
        found += [f"{name} came to somebody it was not for" for name, _ in arrived]
        return found + [f"{name} is recorded and was never sent" for name in recorded]

    def _of(
        self,
        letter: Letter,
        arrived: dict[tuple[str, str], list[Mail]],
        recorded: int,
        deliveries: dict[tuple[str, str], int],
    ) -> list[str]:
        found = []
        reached = False
        for recipient, reader in letter.readers.items():
            tried = Counter(letter.attempts.get(recipient, []))
            copies = arrived.pop((letter.name, reader), [])
            reached = reached or bool(copies) or bool(tried["taken"])
            most = tried["taken"] + tried["unknown"]
            if copies and most:
                last = max(copy.at for copy in copies)
                most += sum(letter.first <= cut <= last + 1 for cut in self.cuts)
            what = f"{letter.name}: {dict(tried)}, {len(copies)} copies, recorded {recorded}"
            if not tried["taken"] <= len(copies) <= most:
                found.append(f"{what}: lost or doubled")
            if not letter.foreign:
                noted = deliveries.get((letter.name, reader), 0)
                if noted > 1 or (noted == 0 and (copies or tried["taken"])):
                    found.append(f"{what}: {noted} deliveries in the timeline")
                found += [f"{what}: not masked" for copy in copies if _shows(copy, letter, reader)]
        if letter.foreign:
            if recorded:
                found.append(f"{letter.name} is recorded and should not be")
        elif recorded > 1 or (reached and recorded != 1):
            found.append(f"{letter.name} is recorded {recorded} times")
        return found


def _name(mail: Mail) -> str:
    [*_, subject] = mail.header("subject") or [b""]
    return subject.decode("ascii", "replace")


def _shows(mail: Mail, letter: Letter, reader: str) -> bool:
    """Return whether a copy shows anybody's address but the reader's."""
    plain = re.sub(rb"\r\n[ \t]", b"", mail.data)
    texts = (mail.data, plain, quopri.decodestring(mail.data), mail.sender.address.encode())
    hidden = [each.encode() for each in letter.secrets - {reader}]
    return any(each in text.lower() for each in hidden for text in texts)
