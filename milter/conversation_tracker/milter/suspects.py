"""The messages that were in flight when a process ended, as this host and the database know them.

What this host's parent finds out stands in memory that all its processes share, so that its workers
know it at once, also while the database is away; what other hosts found out, and what was found
before the last start, comes with the directory. There it is keyed: the digest of a message could be
tried on the messages that somebody has. Of many the oldest are forgotten first, and are suspected
anew if they end another worker. Nothing here raises.
"""

import hashlib
import mmap
import struct
from collections.abc import Mapping
from enum import IntEnum

from conversation_tracker.core.base.octets import iter_windows
from conversation_tracker.core.model.message import Message

MOST = 512
"""Messages that are remembered in memory."""

_ENTRY = struct.Struct("=32sI")
_COUNT = struct.Struct("=Q")
_PARTS = frozenset(b"from sender reply-to to cc subject message-id content-type".split())

_NAME = b"message-id:"


class Suspicion(IntEnum):
    """What is known of a message."""

    UNKNOWN = 0
    SUSPECTED = 1  # it was in flight when a worker ended
    CONDEMNED = 2  # it ended a process alone
    CLEARED = 3  # it was tried alone, and nothing ended


class Suspects:
    """The memory; the parent writes, everybody reads."""

    def __init__(self) -> None:
        """Begin with none."""
        self._memory = mmap.mmap(-1, _COUNT.size + MOST * _ENTRY.size)
        self._known: dict[bytes, Suspicion] = {}
        self._changes = 0

    # The parent's part ------------------------------------------------------------------------

    def set(self, digest: bytes, state: Suspicion) -> None:
        """Note what is known of a message. What is condemned stays so."""
        if self._known.get(digest) == Suspicion.CONDEMNED:
            return
        self._known.pop(digest, None)  # the newest stands last
        self._known[digest] = state
        while len(self._known) > MOST:
            del self._known[_choose_least(self._known)]
        entries = b"".join(_ENTRY.pack(each, s) for each, s in self._known.items())
        self._memory[_COUNT.size : _COUNT.size + len(entries)] = entries
        self._changes += 1
        self._memory[: _COUNT.size] = _COUNT.pack(self._changes)

    # A worker's part --------------------------------------------------------------------------

    def state(self, digest: bytes) -> Suspicion:
        """Return what this host knows of a message."""
        if self._memory[: _COUNT.size] != _COUNT.pack(self._changes):
            self._load()
        return self._known.get(digest, Suspicion.UNKNOWN)

    def _load(self) -> None:
        # The count first: what is written meanwhile is read at the next call.
        [changes] = _COUNT.unpack(self._memory[: _COUNT.size])
        entries = _ENTRY.iter_unpack(self._memory[_COUNT.size :])
        self._known = {digest: Suspicion(state) for digest, state in entries if state in _KNOWN}
        self._changes = changes


_KNOWN = frozenset(Suspicion) - {Suspicion.UNKNOWN}


def _choose_least(known: Mapping[bytes, Suspicion]) -> bytes:
    """Choose what to forget: the oldest that is not condemned, else the oldest."""
    spared = (each for each, state in known.items() if state != Suspicion.CONDEMNED)
    return next(spared, next(iter(known)))


def key_digest(secret: bytes, digest: bytes) -> bytes:
    """Return a digest as the database has it; see tracker.keyed."""
    return hashlib.sha256(secret + digest).digest()


def fingerprint(message: Message) -> bytes:
    """Identify a message at each of its tries, before anything has looked into it.

    It takes what its sender wrote. What Postfix may have added, another one at each try, is left
    out: a Date, and a Message-ID with its queue id. Copies of the splitter's differ by
    their recipient.

    Args:
        message: the message.

    Returns:
        32 octets.
    """
    queue_id = message.arrival.queue_id.encode("utf-8")
    parts = [header.key + b":" + header.value for header in message.headers if header.key in _PARTS]
    if queue_id:
        parts = [each for each in parts if not (each.startswith(_NAME) and queue_id in each)]
    if message.arrival.split:
        parts += [recipient.raw for recipient in message.recipients]
    state = hashlib.sha256(b"\n".join(parts))
    for piece in iter_windows(message.body, 0, len(message.body)):
        state.update(piece)
    return state.digest()
