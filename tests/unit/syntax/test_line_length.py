"""No line is too long for SMTP because of masking; what a part decodes to stays the same."""

import email

import pytest
from builders import BUYER, CARRIER, EVERYBODY, A, B, applied, mail, own
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import messages

from conversation_tracker.core.base.octets import LARGE
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.syntax import transfer
from conversation_tracker.core.syntax.folding import LONGEST

LINE = f"{BUYER};" * 60  # 1020 octets with the address, twice as many with the alias
SHORT = f"{BUYER};" * 50  # and this only becomes too long


def write_mail(text: str | bytes, end: str = "\r\n") -> Message:
    """Return the copy for the carrier of what the buyer writes."""
    raw = text.encode() if isinstance(text, str) else text
    return mail(raw.replace(b"\n", end.encode()), EVERYBODY, to=A, sender=BUYER).sent()


def long_lines(message: Message) -> list[bytes]:
    """Return the lines that SMTP does not carry."""
    head = b"\n".join(h.name + b": " + h.value for h in message.headers)
    lines = [*head.split(b"\n"), *message.body[:].split(b"\n")]
    return [line for line in lines if len(line.removesuffix(b"\r")) > LONGEST]


def payload(message: Message, *path: int) -> bytes:
    """Read a part's content as another library does."""
    fields = b"".join(h.name + b": " + h.value + b"\n" for h in message.headers)
    part = email.message_from_bytes(fields + b"\n" + message.body[:])
    for number in path:
        part = part.get_payload()[number]
    return part.get_payload(decode=True)


def head(*fields: str) -> str:
    """Write the header block of a letter of the buyer's."""
    return "\n".join([f"From: {BUYER}", f"To: {A}", "Subject: csv", *fields, "", ""])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "fields",
    [
        (),
        ("MIME-Version: 1.0", "Content-Type: text/csv"),
        *(
            ("MIME-Version: 1.0", "Content-Type: text/csv", f"{name}: {encoding}")
            for name in ("Content-Transfer-Encoding", "CONTENT-transfer-encoding")
            for encoding in ("7bit", "8bit", "binary", "none", "")
        ),
        ("MIME-Version: 1.0", "Content-Type: application/json", "Content-Transfer-Encoding: 8BIT"),
    ],
)
@pytest.mark.parametrize("line", [SHORT, LINE, f"{BUYER}," * 3000, f"\u00e9=\t{BUYER};" * 60])
def test_the_only_part_of_a_message_is_encoded_anew(line, fields, end) -> None:
    copy = write_mail(head(*fields) + f"first\n{line}\nlast \n", end)
    assert not long_lines(copy)
    expected = f"first\n{line}\nlast \n".replace(BUYER, B).replace("\n", end).encode()
    assert payload(copy) == expected
    names = [h.key for h in copy.headers]
    assert names.count(b"content-transfer-encoding") == names.count(b"mime-version") == 1
    assert copy.first(b"content-transfer-encoding") in (b"quoted-printable", b"base64")


def test_what_is_hard_to_read_in_quoted_printable_is_base64() -> None:
    text = f"{BUYER};\u65e5\u672c\u8a9e\u65e5\u672c\u8a9e" * 100
    copy = write_mail(head("Content-Type: text/plain; charset=utf-8") + text + "\n")
    assert copy.first(b"content-transfer-encoding") == b"base64"
    assert payload(copy).decode() == text.replace(BUYER, B) + "\r\n"


def test_a_field_that_tells_the_encoding_twice_tells_one() -> None:
    fields = ("Content-Transfer-Encoding: 7bit", "Content-Transfer-Encoding: 8bit")
    copy = write_mail(head(*fields) + LINE + "\n")
    assert {*copy.values(b"content-transfer-encoding")} == {b"quoted-printable"}


END = b"\r\n--b--\r\nepilogue\r\n"
PARTS = (
    head("MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b")
    + "preamble\n--b\n{0}{1}\n--b\nContent-Type: text/plain\n\nother\n--b--\nepilogue\n"
)


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Type: text/csv\n\n",
        "Content-Type: text/csv\nContent-Transfer-Encoding: 7bit\n\n",
        "Content-Transfer-Encoding:8bit\nContent-Type: text/csv\n\n",
        "Content-Type: text/csv\nContent-Transfer-Encoding:\n\tbinary\n\n",
        "\n",
        "",
        "stray line\n",
    ],
)
def test_a_part_is_encoded_anew_and_nothing_else(fields) -> None:
    copy = write_mail(PARTS.format(fields, LINE))
    assert not long_lines(copy)
    assert payload(copy, 0).decode().endswith(LINE.replace(BUYER, B))
    assert copy.body.startswith(b"preamble\r\n--b\r\n")
    assert copy.body.endswith(
        b"--b\r\nContent-Type: text/plain\r\n\r\nother\r\n--b--\r\nepilogue\r\n"
    )
    assert copy.first(b"content-transfer-encoding") is None


def test_a_message_inside_declares_its_own_encoding() -> None:
    inside = f"From: {BUYER}\nSubject: inside\nMIME-Version: 1.0\n\n"
    copy = write_mail(PARTS.format("Content-Type: message/rfc822\n\n" + inside, LINE))
    assert not long_lines(copy)
    assert b"\r\nContent-Type: message/rfc822\r\n\r\n" in copy.body
    assert payload(copy, 0, 0).decode() == LINE.replace(BUYER, B)


def test_a_multipart_inside_a_multipart_stays_one() -> None:
    inner = f"Content-Type: multipart/alternative; boundary=i\n\n--i\n\n{LINE}\n--i--\n"
    copy = write_mail(PARTS.format(inner, ""))
    assert not long_lines(copy)
    assert payload(copy, 0, 0).decode() == LINE.replace(BUYER, B)


def test_signed_text_that_is_masked_loses_its_signature_and_is_encoded_anew() -> None:
    signed = (
        "Content-Type: multipart/signed; boundary=s\n\n--s\nContent-Type: text/plain\n\n"
        f"{LINE}\n--s\nContent-Type: application/pgp-signature\n\nABC\n--s--\n"
    )
    copy = write_mail(PARTS.format(signed, ""))
    assert not long_lines(copy)
    assert b"multipart/signed" not in copy.body
    assert payload(copy, 0, 0).decode() == LINE.replace(BUYER, B)


def test_signed_text_that_names_nobody_stays_as_it_is() -> None:
    body = (
        f"--s\r\nContent-Type: text/plain\r\n\r\n{B + ' ' + 'x' * 1200}\r\n--s\r\n"
        "Content-Type: application/pgp-signature\r\n\r\nABC\r\n--s--\r\n"
    )
    text = head("MIME-Version: 1.0", "Content-Type: multipart/signed; boundary=s") + body
    assert write_mail(text, "\n").body == body.encode()


@pytest.mark.parametrize("what", ["x" * 5000, "word " * 300, "stranger@elsewhere.example," * 50])
def test_a_line_that_was_as_long_and_holds_no_alias_stays(what) -> None:
    copy = write_mail(head() + f"{what}\n")
    assert copy.body == f"{what}\r\n".encode()
    copy = write_mail(head() + f"{what}\n{BUYER}\n")
    assert copy.body == f"{what}\r\n{B}\r\n".encode()


def cut(line: str) -> list[str]:
    """Part a line as Postfix does."""
    return [line[:998], *(line[at : at + 997] for at in range(998, len(line), 997))]


@pytest.mark.parametrize("before", [0, 1, 950, 951, 952, 996, 997, 998, 1948, 1970, 1994, 1995])
def test_a_line_that_was_as_long_is_not_cut_within_an_alias(before) -> None:
    """The alias has 47 octets."""
    text = f"{('x' * before)[1:]}{' ' * bool(before)}{B} {'x' * 980}"
    copy = write_mail(head() + f"{text}\n")
    if any(B in piece for piece in cut(text)):
        assert copy.body == f"{text}\r\n".encode()
    else:
        assert not long_lines(copy)
        assert payload(copy).decode() == f"{text}\r\n"


def test_encoded_parts_stay_in_their_encoding() -> None:
    field = "Content-Transfer-Encoding: quoted-printable\n\n"
    copy = write_mail(PARTS.format(field, LINE.replace("@", "=40")))
    assert not long_lines(copy)
    assert payload(copy, 0).decode() == LINE.replace(BUYER, B)
    clear = "Content-Transfer-Encoding: base64\n\nTWFu\n"
    copy = write_mail(PARTS.format(clear, SHORT))
    assert not long_lines(copy)


@pytest.mark.parametrize("name", ["Content-Description", "Content-Type", "Content-Disposition"])
def test_the_header_of_a_part_is_folded(name) -> None:
    value = {
        "Content-Description": "",
        "Content-Type": "text/plain; name=",
        "Content-Disposition": "attachment; filename=",
    }[name]
    field = f'{name}: {value}"{LINE[:935]}"\n\n'
    copy = write_mail(PARTS.format(field, "text"))
    assert not long_lines(copy)
    assert BUYER.encode() not in copy.body


@pytest.mark.parametrize("name", ["Subject", "To", "Cc", "References", "Content-Description"])
def test_a_header_is_folded(name) -> None:
    value = f"<{BUYER}>," * 60
    copy = write_mail(f"From: {BUYER}\n{name}: {value}\n\ntext\n")
    assert not long_lines(copy)
    assert copy.first(name.lower().encode())


def test_delivery_fields_are_folded_and_not_encoded() -> None:
    part = f"Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nX-All: {LINE}\n"
    copy = write_mail(PARTS.format(part, ""))
    assert not long_lines(copy)
    assert b"quoted-printable" not in copy.body


def test_a_large_part_is_encoded_in_base64() -> None:
    line = f"{BUYER};" * 50
    text = f"{line}\n" * (LARGE // 500)
    copy = write_mail(PARTS.format("Content-Type: text/csv\n\n", text))
    assert not long_lines(copy)
    assert payload(copy, 0).decode() == text.replace(BUYER, B).replace("\n", "\r\n")


def test_what_the_store_writes_is_carried_too() -> None:
    letter = own(
        f"From: sales@shop.example\nTo: {BUYER}\n\n{CARRIER};{f'{CARRIER};' * 50}\n", EVERYBODY
    )
    assert not long_lines(applied(letter.message, letter.plan()))


@given(st.binary(max_size=3000))
@example(b"\r\r\n\n\r")
@example(b" \t\n \r\n.\n-\nFrom me\n=")
@example(b"-" * 3000)
@example(b"ab " * 1000 + b"\r")
def test_content_that_is_encoded_anew_decodes_to_the_same(data) -> None:
    raw, encoding = transfer.encode_anew(data)
    assert transfer.decode(raw, encoding) == data
    assert max(map(len, raw.split(b"\n"))) <= 77


@given(messages(BUYER), st.integers(0, 3))
def test_no_copy_has_a_longer_line_than_its_original(raw, times) -> None:
    raw = raw.replace(BUYER.encode(), f"{BUYER}, ".encode() * (1 + 20 * times))
    letter = mail(raw, EVERYBODY, to=A, sender=BUYER)
    done = letter.plan()
    if done.reply is None:
        known = set(long_lines(letter.message))
        assert set(long_lines(applied(letter.message, done))) <= known
