"""What the first pass of a message tells the second, in a header that only we can write.

Mail for several goes through the splitter, and comes again as one copy for each. The header says
which message a copy is of, and whether its author is who they claim to be; it is signed, because
every local process can reach the splitter's listener. Nothing here raises.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["trusted", "verified", "unverified", "failed"]
"""trusted: the client is. unverified: no verifier says anything. failed: a verifier says no."""

_VALUE = re.compile(
    rb"\s*([0-9a-f]{64}) (trusted|verified|unverified|failed) ([0-9a-f]{64})\s*", re.ASCII
)


@dataclass(frozen=True, slots=True)
class FirstPass:
    """What the first pass found out: the message's digest, 32 octets, and the verdict."""

    digest: bytes
    verdict: Verdict


def sign(first_pass: FirstPass, secret: bytes) -> bytes:
    """Write the header's value.

    Args:
        first_pass: what it found out.
        secret: what to sign it with, known to all hosts and nobody else.
    """
    said = f"{first_pass.digest.hex()} {first_pass.verdict}".encode("ascii")
    return said + b" " + _signature(said, secret)


def verify(value: bytes | None, secret: bytes) -> FirstPass | None:
    """Read the header's value.

    Args:
        value: it, None if there is no such header.
        secret: what it must be signed with; without one nothing is believed.

    Returns:
        What the first pass found out, None if it did not write this.
    """
    match = _VALUE.fullmatch(value or b"")
    if match is None or not secret:
        return None
    said = match[1] + b" " + match[2]
    if not hmac.compare_digest(_signature(said, secret), match[3]):
        return None
    verdicts: tuple[Verdict, ...] = ("trusted", "verified", "unverified", "failed")
    verdict = next(each for each in verdicts if each.encode("ascii") == match[2])
    return FirstPass(bytes.fromhex(match[1].decode("ascii")), verdict)


def _signature(said: bytes, secret: bytes) -> bytes:
    return hmac.new(secret, said, hashlib.sha256).hexdigest().encode("ascii")
