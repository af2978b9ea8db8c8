"""Stores that have no running text masked: the text stays, everything around it is masked."""

import pytest
from builders import BUYER, CARRIER, SHOP, A, B, mail, order, written

OPEN = order(BUYER, SHOP, CARRIER, mask_body=False)
TEXT = f"Write to {CARRIER}, not to <a href=3D'mailto:{CARRIER}'>\n"


def mixed(*parts: str, preamble: str = "") -> str:
    """Write a message of several parts, each with its own header fields."""
    lines = "".join(f"--=b\n{part}\n" for part in parts)
    fields = [f"From: {CARRIER}", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary==b"]
    return "\n".join([*fields, "", f"{preamble}{lines}--=b--\n"])


def body(text: str) -> str:
    """Return the body as it leaves for the buyer, with LF."""
    return mail(text, OPEN, to=B).sent().body.decode()


@pytest.mark.parametrize("type", ["text/plain", "text/html", "text/html; charset=utf-16"])
def test_running_text_stays_byte_for_byte(type: str) -> None:
    """Alone, and as a part among others that are masked."""
    alone = written(CARRIER, f"Content-Type: {type}", body=TEXT)
    assert body(alone) == TEXT
    part = f"Content-Type: {type}\n\n{TEXT}"
    assert body(mixed(part)) == mixed(part).partition("\n\n")[2]


@pytest.mark.parametrize(
    "text",
    [
        mixed(f'Content-Type: text/plain; name="{CARRIER}.txt"\n\n{TEXT}'),
        mixed(f"Content-Description: from {CARRIER}\n\n{TEXT}"),
        mixed(f"Content-Type: message/rfc822\n\nFrom: {CARRIER}\n\n{TEXT}"),
        mixed(f"\n{TEXT}", preamble=f"{CARRIER}\n"),
        mixed(f'Content-Type: application/json\n\n{{"by": "{CARRIER}"}}'),
        mixed(f"Content-Type: text/calendar\n\nBEGIN:VCALENDAR\nORGANIZER:mailto:{CARRIER}\n"),
    ],
    ids=["name", "description", "attached message", "preamble", "json", "calendar"],
)
def test_what_is_no_running_text_is_masked(text: str) -> None:
    """Such mail leaves, with the alias in these places."""
    sent = body(text)
    assert A in sent
    assert sent.count(CARRIER) == (2 if f"\n\n{TEXT}" in sent else 0)
    if "rfc822" in text:
        assert CARRIER not in sent


def test_a_certificate_is_removed_all_the_same() -> None:
    """It tells who somebody is, and nobody reads it."""
    key = f"Content-Type: application/pgp-keys\n\nblob {CARRIER}\n"
    sent = body(mixed(f"\n{TEXT}", key))
    assert "[An attachment was removed" in sent
    assert TEXT in sent


def test_text_that_reads_like_a_message_is_running_text() -> None:
    """As Outlook quotes one above an answer."""
    quoted = f"From: {CARRIER}\nTo: {SHOP}\nSubject: yours\n\nHello\n"
    assert body(written(CARRIER, body=quoted)) == quoted


def test_the_record_holds_no_address() -> None:
    """Whatever the copies show."""
    [record] = mail(mixed(f"\n{TEXT}"), OPEN, to=B).plan().records
    assert CARRIER.encode() not in record.raw
    assert CARRIER not in record.first_words
