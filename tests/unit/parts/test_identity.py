"""Parts that cannot be masked: found, removed with a note, or refused."""

import base64

import pytest
from cost import within
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.part import certificates, message_body
from conversation_tracker.core.masking.part.message_body import (
    REMOVED,
    UNSIGNED,
    People,
    Unmaskable,
    UnmaskedPart,
)

REAL = "john@doe.example"
RAW = REAL.encode()
ALIAS = "ff2e@ct.example.com"
MASK = Masker({REAL: ALIAS})
PEOPLE = People([REAL, "müller@xn--mller-kva.example"])

SEEN = [
    RAW,
    b"\x00JOHN@Doe.Example\x00",
    b"\x30\x20\x16\x10john@doe.example1\x0b\x30",
    b"\x13\x10" + RAW + b"0\x1d\x06",
    b"9john@doe.example" if len(REAL) == 0x39 else b"\x10" + RAW + b"010\r\x06",
    b"John <john@doe.example>\xc2\xc0\x78",
    b"john+shop@doe.example\xff",
    REAL.encode("utf-16-le"),
    b"xyz\0" + REAL.encode("utf-16-le") + b"\0\0",
    b"odd" + REAL.encode("utf-16-be"),
    b"mailto:john%40doe.example",
    b"bounce+john=doe.example@x.example",
    "<müller@müller.example>".encode(),
    "müller@müller.example".encode("utf-16-le"),
]


@pytest.mark.parametrize("data", SEEN)
def test_bytes_hold_an_address(data: bytes) -> None:
    assert PEOPLE.in_bytes(data)


UNSEEN = [
    b"",
    b"doe.example",
    b"<xjohn@doe.example>",
    b"john@doe.examples",
    b"john@doe.example.org",
    b"john@doe.example-207700027841b.ct.example.com",
    b"mary.john@doe.example",
    "xjohn@doe.example".encode("utf-16-le"),
    "john@doe.example.org".encode("utf-16-be"),
]


@pytest.mark.parametrize("data", UNSEEN)
def test_other_people_and_aliases_are_no_hit(data: bytes) -> None:
    assert not PEOPLE.in_bytes(data)


def test_a_byte_that_counts_the_address_is_no_letter_of_it() -> None:
    """In a certificate a string's length stands before it, and may look like a letter."""
    long = People(["j" * 53 + "@doe.example"])
    address = b"j" * 53 + b"@doe.example"
    assert len(address) == ord("A")
    assert long.in_bytes(b"\x0cA" + address + b"0")
    assert not long.in_bytes(b"\x0cB" + address + b"0")


@given(st.binary(max_size=60), st.binary(max_size=60), st.booleans())
def test_wherever_it_stands_between_other_bytes_it_is_found(
    before: bytes, after: bytes, wide: bool
) -> None:
    data = REAL.encode("utf-16-le") if wide else RAW
    assert PEOPLE.in_bytes(before + b"\0\0" + data + b"\0\0" + after)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing(data: bytes) -> None:
    assert not People([]).in_bytes(data + RAW)
    certificates.holds_address(b"\x30" + data, PEOPLE)
    certificates.holds_address(b"-----BEGIN X-----\n" + data + b"@doe.example", PEOPLE)


MEDIA = st.sampled_from(
    "text/plain; format=flowed|text/html|text/calendar|application/pgp-keys|application/pdf"
    "|image/png|application/octet-stream|multipart/signed; boundary=b|message/rfc822".split("|")
)
PIECES = st.lists(
    st.sampled_from(
        [
            *(RAW, b"\n", b"--b\n", b"--b--", b"BEGIN:VCARD\n", b"%PDF-", b"PK\x03\x04", b"\0"),
            *(b"-----BEGIN X-----\n", b"-----END X-----", b"Content-Type: image/png\n\n"),
            *(b"\x30\x80", b"://", b"<b>"),
        ]
    ),
    max_size=30,
).map(b"".join)


@given(MEDIA, PIECES, st.booleans())
def test_a_body_is_masked_or_refused_and_then_holds_nothing(
    media: str, body: bytes, remove: bool
) -> None:
    part = message_body.read_structure([(b"Content-Type", media.encode())], body)
    try:
        result = message_body.mask_body(
            part, body, MASK, people=PEOPLE, attachments="remove" if remove else "flag"
        )
    except Unmaskable:
        return
    again = message_body.read_structure([(b"Content-Type", media.encode())], result)
    left = {each.kind for each in message_body.find_unmasked_parts(again, result, PEOPLE)}
    assert left <= (set() if remove else {"archive", "binary", "encrypted"})


def armour(data: bytes, label: str = "PGP PUBLIC KEY BLOCK") -> bytes:
    return (
        f"-----BEGIN {label}-----\nVersion: x\n\n{base64.encodebytes(data).decode()}=njUN\n"
        f"-----END {label}-----"
    ).encode()


KEY = b"\x99\x01\x0d\x04\xb4\x10John <john@doe.example>\x89\x01\x4e"


def ber(tag: int, *contents: bytes) -> bytes:
    whole = b"".join(contents)
    return bytes((tag, 0x82)) + len(whole).to_bytes(2, "big") + whole


def signed(message: bytes, cut: int = 10) -> bytes:
    """Put a message into signed data, in pieces, as some programs do."""
    chunks = [ber(0x04, message[i : i + cut]) for i in range(0, len(message), cut)]
    return ber(0x30, ber(0x06, b"*"), b"\xa0\x80", b"\x24\x80", *chunks, b"\0\0\0\0")


@pytest.mark.parametrize(
    "data",
    [
        armour(KEY),
        armour(KEY).replace(b"\n", b"\r\n> "),
        armour(KEY)[:-30],
        armour(b"\x30\x20\x16\x10john@doe.example1", "CERTIFICATE"),
        signed(b"Subject: x\r\n\r\nI am john@doe.example.\r\n"),
        signed(b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(b"<" + RAW + b">")),
        armour(signed(b"\n\njohn@doe.example"), "PKCS7"),
    ],
)
def test_keys_and_signed_data_are_decoded_to_look(data: bytes) -> None:
    assert certificates.holds_address(data, PEOPLE)
    assert not certificates.holds_address(data, People(["anna@doe.example"]))


Headers = list[tuple[bytes, bytes]]
MIXED: Headers = [(b"Content-Type", b'multipart/mixed; boundary="b"')]


def part(media: str, data: bytes, end: bytes = b"\r\n") -> bytes:
    lines = [f"Content-Type: {media}; name=x", "Content-Transfer-Encoding: base64", "", ""]
    return end.join(line.encode() for line in lines) + base64.encodebytes(data).strip()


def wrapped(*parts: bytes) -> bytes:
    return b"".join(b"--b\r\n" + each + b"\r\n" for each in parts) + b"--b--\r\n"


def masked(body: bytes, headers: Headers = MIXED, *, remove: bool = False) -> bytes:
    read = message_body.read_structure(headers, body)
    return message_body.mask_body(
        read, body, MASK, people=PEOPLE, attachments="remove" if remove else "flag"
    )


def look(body: bytes, headers: Headers = MIXED) -> tuple[UnmaskedPart, ...]:
    return message_body.find_unmasked_parts(
        message_body.read_structure(headers, body), body, PEOPLE
    )


NOTE = b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + REMOVED.encode()
TEXT = b"Content-Type: text/plain\r\n\r\nHello\r\n"

IDENTITIES = [
    ("application/pgp-keys", armour(KEY)),
    ("application/pgp-signature", armour(KEY, "PGP SIGNATURE")),
    ("application/pkcs7-signature", b"\x30\x82\x16\x10john@doe.example1\x0b"),
    ("application/x-pkcs7-mime", signed(b"\n\njohn@doe.example")),
    ("application/ms-tnef", b"\x78\x9f\x3e\x22" + REAL.encode("utf-16-le") + b"\0\0"),
]


@pytest.mark.parametrize(("media", "data"), IDENTITIES)
def test_what_tells_only_who_somebody_is_goes_and_leaves_a_note(media: str, data: bytes) -> None:
    body = wrapped(TEXT, part(media, data), TEXT)
    assert look(body) == (UnmaskedPart("2", media, "identity"),)
    assert masked(body) == wrapped(TEXT, NOTE, TEXT)
    again = masked(body)
    assert masked(again) is again


KEY_CARD = b"BEGIN:VCARD\r\nKEY;ENCODING=b:" + base64.b64encode(KEY) + b"\r\nFN:John\r\nEND:VCARD"


def test_of_a_card_only_the_property_with_a_key_goes() -> None:
    body = wrapped(TEXT, part("text/vcard", KEY_CARD), TEXT)
    assert look(body) == (UnmaskedPart("2", "text/vcard", "property"),)
    left = masked(body)
    rest = b"BEGIN:VCARD\r\nFN:John\r\nEND:VCARD"
    assert left == wrapped(TEXT, part("text/vcard", rest), TEXT)
    assert masked(left) is left


@pytest.mark.parametrize(("media", "data"), [*IDENTITIES, ("text/vcard", KEY_CARD)])
def test_without_an_address_it_stays(media: str, data: bytes) -> None:
    key = base64.b64encode(KEY.replace(b"john", b"anna"))
    clean = data.replace(base64.b64encode(KEY), key)
    other = part(media, b"\x30\x05abc" if clean == data else clean)
    body = wrapped(TEXT, other)
    assert look(body) == ()
    assert masked(body) is body


def test_a_program_with_an_address_cannot_be_masked() -> None:
    """It passes, goes or is refused, as the store wants."""
    body = wrapped(TEXT, part("application/x-elf", b"\x7fELF\0" + RAW + b"\0"))
    assert look(body) == (UnmaskedPart("2", "application/x-elf", "binary"),)
    assert masked(body) is body
    assert masked(body, remove=True) == wrapped(TEXT, NOTE)
    read = message_body.read_structure(MIXED, body)
    with pytest.raises(Unmaskable, match="application/x-elf") as caught:
        message_body.mask_body(read, body, MASK, people=PEOPLE, attachments="refuse")
    assert REAL not in str(caught.value)


def test_a_key_that_is_the_whole_body_leaves_a_note_and_no_type_of_a_key() -> None:
    headers = [(b"Content-Type", b"application/pgp-keys")]
    body = armour(KEY) + b"\r\n"
    assert look(body, headers) == (UnmaskedPart("1", "application/pgp-keys", "identity"),)
    new = masked(body, headers)
    assert new == REMOVED.encode() + b"\r\n"
    told = [(b"content-type", b"application/pgp-keys"), (b"content-disposition", b"attachment")]
    assert [message_body.make_content_field(*field, body, new) for field in told] == [
        b"text/plain; charset=us-ascii",
        None,
    ]
    assert message_body.make_content_field(b"subject", b"Hello", body, new) == b"Hello"


def test_a_text_file_of_any_type_is_masked() -> None:
    data = b"name,mail\nJohn,john@doe.example\n"
    body = wrapped(part("application/octet-stream", data))
    assert look(body) == ()
    assert base64.encodebytes(data.replace(RAW, ALIAS.encode())).strip() in masked(body)


@pytest.mark.parametrize("media", [b"application/xml", b"image/svg+xml", b"application/ld+json"])
def test_markup_and_json_are_masked(media: bytes) -> None:
    body = b"<a>john@doe.example</a>"
    read = message_body.read_structure([(b"Content-Type", media)], body)
    assert message_body.mask_body(read, body, MASK) == b"<a>ff2e@ct.example.com</a>"


def test_a_key_in_running_text_goes_and_the_text_stays() -> None:
    text = b"My key:\r\n" + armour(KEY) + b"\r\nBye, john@doe.example\r\n" + armour(b"other")
    expected = b"My key:\r\n" + certificates.NOTE + b"\r\nBye, ff2e@ct.example.com\r\n"
    assert masked(text, []) == expected + armour(b"other")


SIGNED: Headers = [(b"Content-Type", b'multipart/signed; boundary="b"; micalg=sha-256')]
SIGNATURE = part("application/pkcs7-signature", b"\x30\x05abc")


def test_the_signature_of_masked_text_goes() -> None:
    body = wrapped(TEXT.replace(b"Hello", RAW), SIGNATURE)
    note = NOTE.replace(REMOVED.encode(), UNSIGNED.encode())
    assert masked(body, SIGNED) == wrapped(TEXT.replace(b"Hello", ALIAS.encode()), note)


ALTERNATIVE: Headers = [(b"Content-Type", b'multipart/alternative; boundary="b"')]
CARD = part("application/pkix-cert", b"\x30\x20\x16\x10john@doe.example0")


@pytest.mark.parametrize(
    ("parts", "left"),
    [
        ([TEXT, CARD], [TEXT]),
        ([CARD, TEXT], [TEXT]),
        ([CARD, CARD, TEXT, CARD, TEXT, CARD, CARD], [TEXT, TEXT]),
        ([CARD], [NOTE]),
        ([CARD, CARD], [NOTE, NOTE]),
    ],
)
def test_no_note_is_an_alternative_to_a_text(parts: list[bytes], left: list[bytes]) -> None:
    """A reader is shown the last one."""
    assert masked(wrapped(*parts), ALTERNATIVE) == wrapped(*left)
    inside = b"Content-Type: multipart/alternative; boundary=c\r\n\r\n"
    nested = [inside + wrapped(*each).replace(b"--b", b"--c") for each in (parts, left)]
    assert masked(wrapped(TEXT, nested[0], TEXT)) == wrapped(TEXT, nested[1], TEXT)


def test_an_alternative_that_is_masked_stays() -> None:
    body = wrapped(TEXT, TEXT.replace(b"Hello", RAW), CARD)
    expected = wrapped(TEXT, TEXT.replace(b"Hello", ALIAS.encode()))
    assert masked(RAW + b"\r\n" + body, ALTERNATIVE) == ALIAS.encode() + b"\r\n" + expected


def test_a_signature_that_holds_an_address_goes_and_the_text_stays() -> None:
    body = wrapped(TEXT, part("application/pkcs7-signature", b"\x30\x82\x16\x10john@doe.example1"))
    new = masked(body, SIGNED)
    assert new == wrapped(TEXT, NOTE.replace(REMOVED.encode(), UNSIGNED.encode()))
    value = SIGNED[0][1]
    assert (message_body.make_content_field(b"content-type", value, body, new) or b"").startswith(
        b'multipart/mixed; boundary="b"'
    )
    assert message_body.make_content_field(b"content-type", value, body, body) is value


def test_signed_text_inside_is_no_more_declared_as_signed() -> None:
    inner = b"Content-Type: Multipart/Signed;\r\n boundary=c\r\n\r\n"
    inner += wrapped(TEXT.replace(b"Hello", RAW), SIGNATURE).replace(b"--b", b"--c")
    new = masked(wrapped(TEXT, inner, TEXT))
    assert b"Content-Type: Multipart/mixed;\r\n boundary=c\r\n" in new
    assert UNSIGNED.encode() in new
    again = masked(new)
    assert again is new


def test_what_a_list_put_behind_a_signature_stays() -> None:
    body = wrapped(TEXT.replace(b"Hello", RAW), SIGNATURE, TEXT)
    note = NOTE.replace(REMOVED.encode(), UNSIGNED.encode())
    assert masked(body, SIGNED) == wrapped(TEXT.replace(b"Hello", ALIAS.encode()), note, TEXT)


def test_signed_text_without_an_address_stays_valid() -> None:
    body = wrapped(TEXT, SIGNATURE)
    assert masked(body, SIGNED) is body


def test_parts_are_numbered_through_messages_inside() -> None:
    picture = part("image/png", b"\0" + RAW)
    inner = b'Content-Type: multipart/mixed; boundary="c"\r\n\r\n' + wrapped(TEXT, picture).replace(
        b"--b", b"--c"
    )
    attached = b"Content-Type: message/rfc822\r\n\r\n" + inner
    assert look(wrapped(TEXT, attached)) == (UnmaskedPart("2.2", "image/png", "media"),)


@pytest.mark.parametrize(
    "data",
    [
        b"-----BEGIN PGP X-----\n" * 40_000,
        b"-----BEGIN PGP X-----\n-----END " * 30_000,
        b"\x30\x80" * 500_000,
        b"\x30" + b"\x04\x01@" * 300_000,
        b"\x30\x84\xff\xff\xff\xff" * 100_000,
        b"john@doe.examplex" * 30_000,
        b"doe.example" * 50_000,
        b"d\0o\0e\0.\0e\0x\0a\0m\0p\0l\0e\0" * 10_000,
    ],
)
def test_hostile_data_takes_bounded_time(data: bytes) -> None:
    within(10, lambda: certificates.holds_address(data, PEOPLE))
    within(10, lambda: certificates.remove_blocks(data, PEOPLE))
