"""A person with a mail program: writes, and answers what came as mail programs do.

An answer goes to Reply-To, else to From; an answer to all to everybody in To and Cc as well, but
not to oneself. It names what it answers in In-Reply-To and References (RFC 5322 section 3.6.4),
and quotes it under a line that says who wrote it.
"""

import email
import email.policy
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formataddr, getaddresses

from private.sink import Mail

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Letter:
    """What a mail program hands in: envelope and message."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    message_id: str


@dataclass(frozen=True)
class Person:
    """Whose mail program it is; the name is what stands before the address."""

    address: str
    name: str = ""

    @property
    def mailbox(self) -> str:
        """How they are written in From."""
        return formataddr((self.name, self.address))

    def write(
        self,
        to: Iterable[str],
        subject: str,
        text: str,
        *,
        cc: Iterable[str] = (),
        **headers: str,
    ) -> Letter:
        """Write to mailboxes; `headers` are further ones, with `_` for `-` in their names."""
        to, cc = list(to), list(cc)
        identifier = f"<{next(_numbers)}.mail@{self.address.rpartition('@')[2]}>"
        fields = {
            "From": self.mailbox,
            "To": ",\r\n ".join(to),
            "Cc": ",\r\n ".join(cc),
            "Subject": subject,
            "Date": "Mon, 5 Jan 2026 11:00:00 +0000",
            "Message-ID": identifier,
            "MIME-Version": "1.0",
            "Content-Type": "text/plain; charset=utf-8",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines = [f"{name}: {value}" for name, value in fields.items() if value]
        lines += ["", *text.split("\n"), "-- ", f"{self.name} <{self.address}>", ""]
        recipients = tuple(dict.fromkeys(address for _, address in getaddresses([*to, *cc])))
        return Letter(self.address, recipients, "\r\n".join(lines).encode(), identifier)

    def answer(self, mail: Mail, text: str, *, subject: str | None = None) -> Letter:
        """Answer whoever wrote."""
        return self._answer(mail, text, [], subject)

    def answer_all(self, mail: Mail, text: str) -> Letter:
        """Answer whoever wrote, and everybody else that it shows as a recipient."""
        shown = mailboxes(mail, "To") + mailboxes(mail, "Cc")
        return self._answer(mail, text, shown, None)

    def _answer(
        self, mail: Mail, text: str, shown: list[tuple[str, str]], subject: str | None
    ) -> Letter:
        to = mailboxes(mail, "Reply-To") or mailboxes(mail, "From")
        known = {self.address.lower(), *(address.lower() for _, address in to)}
        cc = [each for each in shown if each[1].lower() not in known]
        if subject is None:
            subject = "Re: " + text_of(mail, "Subject").removeprefix("Re: ")
        answered = text_of(mail, "Message-ID")
        quoted = "\n".join(f"> {line}" for line in mail.body.decode().rstrip("\r\n").split("\r\n"))
        author = text_of(mail, "From")
        return self.write(
            map(formataddr, to),
            subject,
            f"{text}\n\nOn Monday, {author} wrote:\n{quoted}",
            cc=map(formataddr, cc),
            In_Reply_To=answered,
            References=f"{text_of(mail, 'References')} {answered}".strip(),
        )


def text_of(mail: Mail, name: str) -> str:
    """Read a header, unfolded; "" where there is none."""
    values = mail.header(name)
    return re.sub(r"\r\n(?=[ \t])", "", values[0].decode()) if values else ""


def mailboxes(mail: Mail, name: str) -> list[tuple[str, str]]:
    """Read an address header as name and address of each."""
    message = email.message_from_bytes(mail.data, policy=email.policy.compat32)
    return [each for each in getaddresses(message.get_all(name, [])) if each[1]]
