"""The places of a message in which a text may stand, and what copy and record must show of it."""

import base64
import email
import email.policy
import quopri
from collections.abc import Callable

from builders import CARRIER, SHOP, A, mail, order, person

from conversation_tracker.core.model.message import parse, render
from conversation_tracker.core.scanning.scan import Scanner

JOHN = "john.doe@home.example"
PEOPLE = order(person(JOHN, "buyer", "b" * 32), SHOP, CARRIER)


def body(type_: str, encode: Callable[[bytes], bytes], code: str) -> Callable[[str], bytes]:
    head = f"Content-Type: {type_}; charset=utf-8\nContent-Transfer-Encoding: {code}\n\n".encode()
    return lambda text: head + encode(f"Hello\n{text}\nBye\n".encode())


def word(encoding: str, write: Callable[[bytes], str]) -> Callable[[str], bytes]:
    return lambda text: (
        f"Subject: =?utf-8?{encoding}?{write(text.encode())}?=\n\nHello\n"
    ).encode()


PLACES = {
    "plain": body("text/plain", bytes, "8bit"),
    "plain, quoted-printable": body("text/plain", quopri.encodestring, "quoted-printable"),
    "html": body("text/html", bytes, "8bit"),
    "html, base64": body("text/html", base64.encodebytes, "base64"),
    "Subject": lambda text: f"Subject: {text}\n\nHello\n".encode(),
    "a name": lambda text: f'To: "{text}" <x@stranger.example>\n\nHello\n'.encode(),
    "a word in Q": word("Q", lambda data: "".join(f"={each:02X}" for each in data)),
    "a word in B": word("B", lambda data: base64.b64encode(data).decode()),
    "a description": lambda text: (
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
        f"Content-Description: {text}\n\nHello\n--b--\n"
    ).encode(),
}


def shown(raw: bytes) -> str:
    """Read a message's fields and content, and leave out all that is no letter or digit."""
    texts = []
    for part in email.message_from_bytes(raw, policy=email.policy.compat32).walk():
        texts += [
            word if isinstance(word, str) else word.decode("utf-8", "replace")
            for name, value in part.items()
            for word, _ in email.header.decode_header(str(value))
            if name != "From"
        ]
        if isinstance(content := part.get_payload(decode=True), bytes):
            texts.append(content.decode("utf-8", "replace"))
    return "".join(each for each in " ".join(texts).lower() if each.isalnum())


def check_masked(raw: bytes) -> None:
    """Check that copy and record have the alias, and that the scan sees the address before."""
    sent = mail(f"From: {JOHN}\n".encode() + raw, PEOPLE, to=A, sender=JOHN)
    done = sent.plan()
    assert done.reply is None, done.reply
    copy = sent.sent(done)
    for left in (render(copy.headers, copy.body)[:], done.records[0].raw[:]):
        seen = shown(left)
        assert "doe" not in seen
        assert "b" * 32 in seen
    assert Scanner({JOHN: "b" * 32}).scan(*parse(raw))
