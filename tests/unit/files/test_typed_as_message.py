"""A file that is typed as a message or as several parts, encoded or not.

Nothing of these types may be encoded (RFC 2045 section 6.4), but some programs do. What is no
message is a file, and what is one is masked as such.
"""

import base64
import gzip
import io
import quopri
import zipfile

import pytest
from attached import sent
from builders import CARRIER

from conversation_tracker.core.masking.part.message_body import REMOVED
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.message import parse
from conversation_tracker.core.scanning.scan import Scanner

RAW = CARRIER.encode()


def pack() -> bytes:
    """Make a zip archive with the carrier's address in it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.txt", b"Hello %s " % RAW * 5)
    return archive.getvalue()


FILES = {
    "zip": pack(),
    "gzip": gzip.compress(b"Hello " + RAW),
    "octets": bytes(range(256)) * 3 + RAW + bytes(range(256)),
    "old office": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + RAW + bytes(500),
    "PDF": b"%PDF-1.4\n1 0 obj\n<</A (" + RAW + b")>>\nendobj\n\0\1\xff",
    "PDF of text": b"%PDF-1.4\n1 0 obj\n<</A (" + RAW + b")>>\nendobj\n",
}
TEXTS = {
    "a message": b"From: x@stranger.example\nSubject: hi " + RAW + b"\n\nWrite to " + RAW + b"\n",
    "parts": b"--b\nContent-Type: text/plain\n\nWrite " + RAW + b"\n--b--\n",
    "encoded parts": b"--b\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"
    + base64.encodebytes(b"Write <b></b>" + RAW)
    + b"\n--b--\n",
    "text": b"Write " + RAW + b" please\n",
    "wide text": f"Write {RAW.decode()} please\r\n".encode("utf-16-le"),
}
TYPES = [
    "message/rfc822",
    "message/global",
    "message/news",
    "message/partial; id=a; number=1; total=2",
    "message/delivery-status",
    "message/x-unknown",
    "multipart/mixed",
    "multipart/mixed; boundary=b",
    "multipart/alternative; boundary=z",
    "multipart/digest; boundary=b",
]
ENCODINGS = {
    "base64": base64.encodebytes,
    "quoted-printable": quopri.encodestring,
    "8bit": bytes,
}


def write(type_: str, encoding: str, data: bytes) -> str:
    """Write a part of some type."""
    fields = f"Content-Type: {type_}\nContent-Disposition: attachment; filename=x.bin"
    written = ENCODINGS[encoding](data).decode("latin-1")
    return f"{fields}\nContent-Transfer-Encoding: {encoding}\n\n{written}"


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("type_", TYPES)
def test_a_file_typed_as_a_message_is_what_the_store_wants(
    type_: str, encoding: str, alone: bool
) -> None:
    # As text in a test's message, others are not what they were.
    names = ("octets", "PDF", "PDF of text") if encoding == "8bit" else FILES
    for name in names:
        data = FILES[name]
        if name == "octets" and type_.startswith(("message/p", "message/d", "message/x")):
            continue  # read as fields, it is masked
        part = write(type_, encoding, data)
        flagged = sent(part, "flag", alone=alone)
        done = flagged.plan()
        assert done.reply is None
        assert REMOVED.encode() in done.records[0].raw
        assert any("flagged" in note for note in done.records[0].notes)
        removed = sent(part, "remove", alone=alone)
        done = removed.plan()
        assert REMOVED.encode() in bytes(removed.sent(done).body)
        assert REMOVED.encode() in done.records[0].raw
        assert sent(part, "refuse", alone=alone).plan().reply == replies.CANNOT_MASK


@pytest.mark.parametrize("policy", ["flag", "remove", "refuse"])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("type_", TYPES)
def test_what_is_text_after_all_is_masked(type_: str, encoding: str, policy: str) -> None:
    for name, data in TEXTS.items():
        part = write(type_, encoding, data)
        message = sent(part, policy)
        done = message.plan()
        assert done.reply is None, name
        assert REMOVED.encode() not in done.records[0].raw
        scanner = Scanner({RAW.decode(): "c"})
        copy = message.sent(done)
        assert not scanner.scan(*parse(done.records[0].raw))
        assert not scanner.scan(copy.headers, copy.body)
        assert scanner.scan(message.message.headers[1:], message.message.body)


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_a_large_file_typed_as_a_message_is_a_file(encoding: str) -> None:
    part = write("message/rfc822", encoding, FILES["octets"] + bytes(1_500_000) + RAW)
    done = sent(part, "remove").plan()
    assert done.reply is None
    assert REMOVED.encode() in done.records[0].raw
    assert sent(part, "flag").plan().reply is None
