"""Messages signed as a whole: taken out of the signature where an address must be hidden."""

import base64

import pytest
from builders import BUYER, EVERYBODY, SHOP, B, S, mail
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.part import opaque_signature
from conversation_tracker.core.masking.part.message_body import UNSIGNED

SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
DATA = bytes.fromhex("06092a864886f70d010701")
CERTIFICATE = b"\xa0\x14\x30\x12\x16\x10john@doe.example"
TEXT = "Content-Type: text/plain; charset=utf-8\r\n\r\nI am {}.\r\n"


def ber(tag: int, *values: bytes) -> bytes:
    """Write a value of definite length."""
    whole = b"".join(values)
    if len(whole) < 0x80:
        return bytes((tag, len(whole))) + whole
    return bytes((tag, 0x82)) + len(whole).to_bytes(2, "big") + whole


def open_ended(tag: int, *values: bytes) -> bytes:
    """Write a value of indefinite length."""
    return bytes((tag, 0x80)) + b"".join(values) + b"\0\0"


def signed(inner: bytes, certificate: bytes = b"", *, streamed: bool = False) -> bytes:
    """Sign an entity as programs do: in one piece, or streamed in many."""
    value = open_ended if streamed else ber
    chunks = [ber(0x04, inner[at : at + 9]) for at in range(0, len(inner), 9)]
    octets = open_ended(0x24, *chunks) if streamed else ber(0x04, inner)
    held = value(0x30, DATA, value(0xA0, octets))
    body = value(0x30, ber(0x02, b"\1"), ber(0x31, ber(0x30, b"\6\1*")), held, certificate)
    return value(0x30, SIGNED_DATA, value(0xA0, body))


def written(data: bytes, *, author: str = BUYER, to: str = S, type: str = "pkcs7-mime") -> str:
    """Write the mail that is these data."""
    return f"""From: {author}
To: {to}
MIME-Version: 1.0
Content-Type: application/{type}; smime-type=signed-data; name=smime.p7m
Content-Disposition: attachment; filename=smime.p7m
Content-Transfer-Encoding: base64

{base64.encodebytes(data).decode()}"""


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("type", ["pkcs7-mime", "x-pkcs7-mime", "octet-stream"])
@pytest.mark.parametrize("certificate", [b"", CERTIFICATE])
def test_the_text_arrives_masked_without_the_signature(
    streamed: bool, type: str, certificate: bytes
) -> None:
    data = signed(TEXT.format(BUYER).encode(), certificate, streamed=streamed)
    sent = mail(written(data, type=type), EVERYBODY, to=S).sent()
    assert TEXT.format(B).encode() in sent.body
    assert UNSIGNED.encode() in sent.body
    assert BUYER.encode() not in sent.body
    [kind] = sent.values(b"content-type")
    assert kind.startswith(b'multipart/mixed; boundary="signed-')
    assert [*sent.values(b"content-transfer-encoding")] == [b"8bit"]


def test_a_certificate_with_the_address_is_reason_enough() -> None:
    data = signed(TEXT.format("somebody").encode(), CERTIFICATE)
    sent = mail(written(data), EVERYBODY, to=S).sent()
    assert TEXT.format("somebody").encode() in sent.body
    assert BUYER.encode() not in sent.body


def test_without_an_address_to_hide_it_stays_as_it_is() -> None:
    for author, to in ((BUYER, S), (SHOP, B)):
        data = signed(TEXT.format(BUYER if to == B else "somebody").encode())
        before = mail(written(data, author=author, to=to), EVERYBODY, to=to)
        assert before.sent().body == before.message.body


def test_the_record_has_the_text_and_says_what_became_of_it() -> None:
    data = signed(TEXT.format(BUYER).encode())
    [record] = mail(written(data), EVERYBODY, to=S).plan().records
    assert record.first_words == f"I am {B}."
    assert TEXT.format(B).encode() in record.raw
    assert record.notes == ("1 application/pkcs7-mime identity",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        signed(b"")[:40],
        signed(b"x")[:-1],
        signed(b"x").replace(SIGNED_DATA, SIGNED_DATA[:-1] + b"\3"),
        signed(b"x").replace(DATA, DATA[:-1] + b"\4"),
        b"\x30\x84\xff\xff\xff\xff",
    ],
)
def test_other_data_are_no_signed_message(data: bytes) -> None:
    assert opaque_signature.extract_content(data) is None


@given(st.binary(max_size=300), st.booleans(), st.integers(0, 80), st.integers(0, 255))
def test_content_is_read_whole_and_broken_data_raise_nothing(
    inner: bytes, streamed: bool, at: int, byte: int
) -> None:
    data = signed(inner, streamed=streamed)
    assert opaque_signature.extract_content(data) == inner
    broken = bytearray(data)
    broken[at % len(broken)] = byte
    opaque_signature.extract_content(bytes(broken))
    opaque_signature.extract_content(data[:at])
