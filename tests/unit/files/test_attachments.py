"""What becomes of attachments with an address: of every format, by every setting, in the record."""

import base64
import binascii
import random
import zlib
from collections.abc import Callable

import pytest
from attached import check, left, part, sent
from builders import CARRIER
from containers import WRAPS, encrypted_zip, wrapped

from conversation_tracker.core.masking.part.message_body import REMOVED
from conversation_tracker.core.model import replies
from conversation_tracker.core.scanning.scan import scan
from conversation_tracker.core.views import copies

RAW = CARRIER.encode()
MIXED = bytes(random.Random(1).choices(b"abcdefghijklmnop \n", k=3000)) + b" write to %s now " % RAW
POLICIES = ("flag", "remove", "refuse")
Wrap = Callable[[bytes], bytes]

PROGRAM = b"\x7fELF\0\1" + bytes(40) + RAW + b"\0" + bytes(range(256))
FORMATS: dict[str, bytes] = {
    **{name: wrap(MIXED if name not in ("doc", "xls") else RAW) for name, wrap in WRAPS.items()},
    "program": PROGRAM,
    "UTF-16 in a program": b"MZ\0" + CARRIER.encode("utf-16-le") + b"\0\0" + bytes(range(256)),
    "zip in tgz in gz": wrapped(MIXED, ("zip", "tgz", "gz")),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", FORMATS)
def test_an_attachment_passes_goes_or_is_refused(name: str, policy: str) -> None:
    check(part(FORMATS[name]), base64.encodebytes(FORMATS[name]).strip(), policy)


SAID = {
    "no name": "Content-Type: application/octet-stream",
    "no type": "Content-Disposition: attachment; filename=a.dat",
    "text": "Content-Type: text/plain; name=a.txt",
    "page": "Content-Type: text/html; name=a.html",
    "card": "Content-Type: text/vcard",
    "picture": "Content-Type: image/png; name=a.png",
    "own type": "Content-Type: application/x-whatever; name=a.gz",
    "name of a signature": "Content-Type: application/octet-stream; name=a.zip",
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "name",
    [
        *("gz", "zip", "7z", "zst", "doc", "tgz", "msg, rtf", "lzma", "tar", "xz in a package"),
        *("bz2 in a script", "picture, zTXt", "pgp, zlib", "zlib"),
    ],
)
@pytest.mark.parametrize("fields", SAID.values(), ids=list(SAID))
def test_whatever_is_said_of_it(fields: str, name: str, policy: str) -> None:
    data = FORMATS[name]
    check(part(data, fields), base64.encodebytes(data).strip(), policy)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["gz", "bz2", "zip", "7z", "doc", "program"])
def test_in_other_transfer_encodings(name: str, policy: str) -> None:
    data = FORMATS[name]
    lines = [binascii.b2a_uu(data[at : at + 45]).decode() for at in range(0, len(data), 45)]
    uu = "Content-Type: application/octet-stream\nContent-Transfer-Encoding: x-uuencode\n\n"
    text = "".join(["begin 644 a.bin\n", *lines, "`\nend\n"])
    check(uu + text, text.encode()[:60], policy)
    if b"\n--" not in data and b"\r" not in data:
        check(part(data, encoding="binary"), data[:40], policy)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["gz", "zip", "doc", "program", "7z"])
def test_a_file_that_is_the_whole_message(name: str, policy: str) -> None:
    given = sent(part(FORMATS[name]), policy, alone=True)
    plan = given.plan()
    if policy == "refuse":
        assert plan.reply == replies.CANNOT_MASK
        return
    assert plan.reply is None
    headers, body = copies.apply_edits(given.message, plan.edits)
    told = {h.key: h.value for h in headers if h.key.startswith(b"content-")}
    note = {b"content-type": b"text/plain; charset=us-ascii"}
    if policy == "remove":
        assert body[:].strip() == REMOVED.encode()
        assert told == note
    else:
        assert body is given.message.body
    [record] = plan.records
    head, _, kept = record.raw[:].partition(b"\r\n\r\n")
    assert kept.strip() == REMOVED.encode()
    assert b"Content-Type: text/plain; charset=us-ascii" in head
    assert b"base64" not in head


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "data",
    [wrap(MIXED.replace(RAW, b"anna@nobody.example")) for wrap in WRAPS.values()]
    + [encrypted_zip(MIXED.replace(RAW, b"anna@nobody.example"))],
)
def test_what_names_nobody_stays_whatever_the_store_wants(data: bytes, policy: str) -> None:
    given = sent(part(data), policy)
    plan = given.plan()
    assert plan.reply is None
    written = base64.encodebytes(data).strip()
    assert written in left(given, plan).replace(b"\r\n", b"\n")
    assert written in plan.records[0].raw[:].replace(b"\r\n", b"\n")
    assert plan.records[0].notes == ()


# Its distance stands in the header only, which the scan does not read.
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "7z, delta"])
def test_the_final_scan_sees_it_too_and_tells_it_from_text(name: str) -> None:
    given = sent(part(FORMATS[name]), "flag")
    hits = scan(given.message.headers, given.message.body, {CARRIER: "a"})
    inside = [hit for hit in hits if hit.channel.startswith("part 3")]
    assert inside
    assert all(hit.in_file for hit in inside)


def test_a_large_one_is_looked_into() -> None:
    noise = random.Random(2).randbytes(1_500_000)
    data = WRAPS["tgz"](noise + MIXED)
    for policy in POLICIES:
        check(part(data), base64.encodebytes(data)[-500:].strip(), policy)
        check(part(noise + RAW + b"\0"), base64.encodebytes(noise)[:500].strip(), policy)


# S/MIME, keys, and what Outlook sends


def ber(tag: int, *contents: bytes) -> bytes:
    whole = b"".join(contents)
    return bytes((tag, 0x82)) + len(whole).to_bytes(2, "big") + whole


def cms(kind: bytes, *contents: bytes) -> bytes:
    """Write a ContentInfo (RFC 5652 section 3)."""
    return ber(0x30, bytes((0x06, len(kind))) + kind, ber(0xA0, ber(0x30, *contents)))


PKCS7 = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07"
ISSUER = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01" + bytes((0x16, len(RAW))) + RAW
RECIPIENT = ber(0x31, ber(0x30, b"\x02\x01\0", ber(0x30, ber(0x31, ber(0x30, ISSUER)))))
ENVELOPED = cms(PKCS7 + b"\3", b"\x02\x01\0", RECIPIENT, ber(0x04, bytes(range(256))))
AUTHENTICATED = cms(b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17", b"\x02\x01\0", RECIPIENT)
COMPRESSED = cms(
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09",
    ber(0x30, b"\x06\x01x", ber(0xA0, ber(0x04, zlib.compress(b"Subject: x\r\n\r\n" + MIXED)))),
)
P7M = "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m"


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("fields", [P7M, "Content-Type: application/octet-stream; name=smime.p7m"])
@pytest.mark.parametrize("data", [ENVELOPED, AUTHENTICATED, COMPRESSED])
def test_encrypted_mail_that_names_whom_it_is_for(
    data: bytes, fields: str, policy: str, alone: bool
) -> None:
    given = sent(part(data, fields), policy, alone=alone)
    plan = given.plan()
    if policy == "refuse":
        assert plan.reply == replies.CANNOT_MASK
        return
    assert plan.reply is None
    written = base64.encodebytes(data).strip()
    assert (written in left(given, plan).replace(b"\r\n", b"\n")) is (policy == "flag")
    assert written not in plan.records[0].raw[:].replace(b"\r\n", b"\n")
    [note] = plan.records[0].notes
    kind = "archive" if data is COMPRESSED else "encrypted"
    assert note.endswith(f"{kind} {'flagged' if policy == 'flag' else 'removed'}")


KEY = b"\x99\x01\x0d\x04\xb4\x10" + bytes(8) + RAW + b"\x89\x01\x4e"
ARMOURED = (
    b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" + base64.encodebytes(KEY) + b"=njUN\n"
    b"-----END PGP PUBLIC KEY BLOCK-----\n"
)
SIGNED = cms(PKCS7 + b"\2", b"\x02\x01\1", ber(0x31), ber(0x30, ISSUER))
CERTIFICATE = ber(0x30, ber(0x30, b"\xa0\3\2\1\2", ISSUER), b"\x03\x01\0")
IDENTITIES = {
    "signature.p7s": SIGNED,
    "smime.p7m": SIGNED,
    "key.asc": ARMOURED,
    "key.pgp": KEY,
    "key.bin": KEY,
    "ann.cer": CERTIFICATE,
    "": CERTIFICATE,
    "winmail.dat": b"\x78\x9f\x3e\x22" + bytes(3) + RAW + b"\0",
    "w.dat": b"\x78\x9f\x3e\x22\1\2" + b"\2" + b"\x0f\x80\x06\0"
    + len(WRAPS["gz"](MIXED)).to_bytes(4, "little") + WRAPS["gz"](MIXED) + b"\0\0",
}  # fmt: skip


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", IDENTITIES)
def test_keys_and_signatures_of_no_type_go_as_those_of_theirs(name: str, policy: str) -> None:
    """Whatever the store wants of other attachments."""
    named = f"; name={name}" if name else ""
    given = sent(part(IDENTITIES[name], f"Content-Type: application/octet-stream{named}"), policy)
    plan = given.plan()
    assert plan.reply is None
    for body in (left(given, plan), plan.records[0].raw[:]):
        assert REMOVED.encode() in body
        assert base64.encodebytes(IDENTITIES[name]).strip() not in body.replace(b"\r\n", b"\n")
    assert plan.records[0].notes == ("2 application/octet-stream identity",)


INSIDE = (
    b"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\nContent-Type: text/plain\r\n\r\nHi."
    b"\r\n--q\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(WRAPS["zip"](MIXED)).replace(b"\n", b"\r\n") + b"--q--\r\n"
)  # fmt: skip
AROUND = cms(
    PKCS7 + b"\2", b"\x02\x01\1", ber(0x31),
    ber(0x30, b"\x06\x09" + PKCS7 + b"\1", ber(0xA0, ber(0x04, INSIDE))),
)  # fmt: skip


@pytest.mark.parametrize("policy", POLICIES)
def test_a_file_in_a_message_that_is_signed_as_a_whole(policy: str) -> None:
    """The text is kept, and the file is what the store decides about."""
    fields = "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m"
    given = sent(part(AROUND, fields), policy, alone=True)
    plan = given.plan()
    if policy == "refuse":
        assert plan.reply == replies.CANNOT_MASK
        return
    packed = base64.encodebytes(WRAPS["zip"](MIXED)).replace(b"\n", b"\r\n")
    assert (packed in left(given, plan)) is (policy == "flag")
    for body in (left(given, plan), plan.records[0].raw[:]):
        assert b"\r\nHi.\r\n" in body
    assert packed not in plan.records[0].raw[:]
    assert plan.records[0].notes[1:] == (
        f"1.2 application/zip archive {'flagged' if policy == 'flag' else 'removed'}",
    )


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("type_", ["text/plain", "text/x-log", "text/html"])
def test_a_file_that_is_called_text_and_cannot_be_masked_goes(type_: str, policy: str) -> None:
    """Where only the scan finds the address: a file in the place of a text refuses no mail."""
    noise = b"x" * 6000 + bytes(range(128, 256))
    data = b"!BDN" + noise + CARRIER.encode("utf-16-le") + bytes(range(256))
    given = sent(part(data, f"Content-Type: {type_}; name=archive.pst"), policy)
    plan = given.plan()
    if policy == "refuse":
        assert plan.reply == replies.CANNOT_MASK
        return
    assert plan.reply is None
    assert REMOVED.encode() in left(given, plan)
    assert b"See the file." in left(given, plan)
    assert not scan(given.sent(plan).headers, left(given, plan), {CARRIER: "a" * 32})


# As in text, the letter before the address or behind it would belong to it.
TOUCHING = b"MZ\0\1" + bytes(30) + bytes((0x0C, len(RAW))) + RAW + b"N\2" + bytes(range(256))
NUMBERED = ber(0x30, ber(0x30, b"\x06\x03\x55\x1d\x11\x81" + bytes((len(RAW),)) + RAW + b"0\1\5"))
LONG = ber(0x30, ber(0x30, NUMBERED), b"\x03\x82\0\x90", bytes(range(144)))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("type_", ["text/plain", "text/html", "text/csv", "message/x-any"])
def test_what_is_left_in_octets_that_are_called_text_counts(type_: str, policy: str) -> None:
    given = sent(part(TOUCHING, f"Content-Type: {type_}; name=a.txt"), policy)
    hits = scan(given.message.headers, given.message.body, {CARRIER: "a"})
    assert any(hit.channel.startswith("part 3") and hit.in_file for hit in hits)
    plan = given.plan()
    if policy == "refuse":
        assert plan.reply == replies.CANNOT_MASK
        return
    [note] = plan.records[0].notes
    assert note == f"2 {type_} binary {'flagged' if policy == 'flag' else 'removed'}"
    assert REMOVED.encode() in plan.records[0].raw[:]
    assert (REMOVED.encode() in left(given, plan)) is (policy == "remove")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("type_", ["text/plain", "text/html"])
def test_a_certificate_that_is_called_text_goes(type_: str, policy: str) -> None:
    given = sent(part(LONG, f"Content-Type: {type_}; name=a.txt"), policy)
    plan = given.plan()
    assert plan.reply is None
    assert plan.records[0].notes == (f"2 {type_} identity",)
    for body in (left(given, plan), plan.records[0].raw[:]):
        assert REMOVED.encode() in body


@pytest.mark.parametrize("policy", POLICIES)
def test_text_with_many_control_characters_is_masked(policy: str) -> None:
    """As manual pages that print letters over letters, and messages of old systems."""
    text = b"N\bNA\bAM\bME\bE\x1c\x02 write to %s\x03\x1d\x1d" % RAW * 9
    given = sent(part(text, "Content-Type: text/plain"), policy)
    plan = given.plan()
    assert plan.reply is None
    assert plan.records[0].notes == ()
    for body in (left(given, plan), plan.records[0].raw[:]):
        assert REMOVED.encode() not in body
        assert base64.encodebytes(text)[:60] not in body
