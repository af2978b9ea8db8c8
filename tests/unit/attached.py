"""A carrier's mail with an attachment, and what is promised where that holds an address."""

import base64

from builders import BUYER, CARRIER, B, Mail, mail, order

from conversation_tracker.core.masking.part.message_body import REMOVED
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.views import copies


def part(data: bytes, fields: str = "", encoding: str = "base64") -> str:
    """Write an attachment."""
    written = base64.encodebytes(data).decode() if encoding == "base64" else data.decode("latin-1")
    fields = fields or "Content-Type: application/octet-stream; name=file.bin"
    return f"{fields}\nContent-Transfer-Encoding: {encoding}\n\n{written}"


def sent(attachment: str, policy: str, *, alone: bool = False) -> Mail:
    """Make the carrier's mail to the buyer of a store that wants this of attachments."""
    head = f"From: {CARRIER}\nSubject: Hello\nMIME-Version: 1.0\n"
    people = order(BUYER, CARRIER, attachments_with_address=policy)
    if alone:
        return mail(head + attachment, people, to=B)
    first = "--b\nContent-Type: text/plain\n\nSee the file.\n"
    body = f"{first}--b\n{attachment}\n--b--\n"
    return mail(f"{head}Content-Type: multipart/mixed; boundary=b\n\n{body}", people, to=B)


def left(given: Mail, plan: Plan) -> bytes:
    """Return the copy's body."""
    return copies.apply_edits(given.message, plan.edits)[1][:]


def check(attachment: str, shown: bytes, policy: str) -> None:
    """Check what is promised of an attachment with an address that cannot be masked."""
    given = sent(attachment, policy)
    plan = given.plan()
    if policy == "refuse":
        assert plan.reply == replies.CANNOT_MASK
        return
    assert plan.reply is None
    body = left(given, plan).replace(b"\r\n", b"\n")
    assert (shown in body) is (policy == "flag")
    assert (REMOVED.encode() in body) is (policy == "remove")
    [record] = plan.records
    kept = record.raw[:].replace(b"\r\n", b"\n")
    assert shown not in kept
    assert REMOVED.encode() in kept
    assert b"See the file." in kept
    word = "flagged" if policy == "flag" else "removed"
    [note] = record.notes
    assert note.startswith("2 ")
    assert note.endswith(word)
