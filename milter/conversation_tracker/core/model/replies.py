"""The SMTP replies the tracker gives, each named once.

A reply is a value: code, enhanced status code (RFC 3463) and text. No text holds an address, an
order or a store: a reply is shown to any client. Which reply is given when is decided in
`core.rules` and `milter`, never here.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """One SMTP reply (RFC 5321 section 4.2) with its enhanced status code.

    Attributes:
        code: three digits, "4xx" or "5xx".
        status: enhanced status code, "x.y.z".
        text: what a person may read; ASCII, one line.
    """

    code: str
    status: str
    text: str

    @property
    def is_temporary(self) -> bool:
        """Whether the client should try again."""
        return self.code.startswith("4")

    def __str__(self) -> str:
        """Return the reply as the client sees it."""
        return f"{self.code} {self.status} {self.text}"


UNKNOWN_ALIAS = Reply("550", "5.1.1", "No such alias")
EXPIRED_ALIAS = Reply("550", "5.2.1", "This alias has expired")
SENDER_REFUSED = Reply("550", "5.7.1", "Sender refused by policy")
FORGED_SENDER = Reply("550", "5.7.1", "From must not be in an alias domain")
UNNAMED = Reply(
    "550",
    "5.7.1",
    "This message names no order: answer a message of the order, write to its alias instead of the"
    " address, or set the store's order header",
)
NOT_A_REPORT = Reply("550", "5.7.1", "This address takes delivery reports only")
ALONE = Reply("452", "4.5.3", "This address takes mail for itself alone, send it again apart")
TOO_MANY_PARTICIPANTS = Reply("550", "5.7.1", "Too many addresses in this conversation")
LOOP = Reply("554", "5.4.6", "Mail loop: this message came from here")
CANNOT_MASK = Reply("554", "5.6.0", "This message cannot be masked safely")
TOO_MANY_FIELDS = Reply("554", "5.6.0", "Too many header fields, or too long ones")
TOO_SLOW = Reply("554", "5.6.0", "This message takes too long to mask")
CONDEMNED = Reply("554", "5.6.0", "This message cannot be processed")
NO_SENDER = Reply("554", "5.6.0", "This message names no sender")
HOURLY_LIMIT = Reply("451", "4.7.1", "Too many messages in this conversation, try again later")
TRY_LATER = Reply("451", "4.3.0", "Temporary failure, try again later")
PROBE_BELIEVED = Reply("550", "5.7.1", "Probe: the forged results are believed")
PROBE_FAILED = Reply("550", "5.7.1", "Probe: the forged results are not believed")
PROBE_UNASKED = Reply("550", "5.7.1", "Probe: no results are believed")
