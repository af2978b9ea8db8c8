"""Display names are written so that every reader sees one mailbox where one was meant."""

from email import policy
from email.parser import BytesParser

import pytest
from builders import BUYER, CARRIER, A, B, hard, mail, order
from hypothesis import example, given
from hypothesis import strategies as st

from conversation_tracker.core.masking.header.phrases import quote_names
from conversation_tracker.core.model.address import find_mailboxes
from conversation_tracker.core.syntax.encoded_words import decode_words

LOOKS = {
    b"Doe, John <a@b.example>": b'"Doe, John" <a@b.example>',
    b"Doe, John <a@b.example>, c@d.example": b'"Doe, John" <a@b.example>, c@d.example',
    b"c@d.example, Doe, John <a@b.example>": b'c@d.example, "Doe, John" <a@b.example>',
    b"John Doe, Inc., Dept. 7 <a@b.example>": b'"John Doe, Inc., Dept. 7" <a@b.example>',
    b"Doe, John (Sales) <a@b.example>": b'"Doe, John (Sales)" <a@b.example>',
    b'Doe, "J. R." <a@b.example>': b'"Doe, J. R." <a@b.example>',
    b"Doe,\r\n John <a@b.example>": b'"Doe, John" <a@b.example>',
    b"[Shop] John <a@b.example>": b'"[Shop] John" <a@b.example>',
    b"c@d.example, John [at home] <a@b.example>": b'c@d.example, "John [at home]" <a@b.example>',
    b'John "J." [x] <a@b.example>': b'"John J. [x]" <a@b.example>',
    "Jörg <a@b.example>".encode(): b"=?utf-8?b?SsO2cmc=?= <a@b.example>",
    "Jörg <a@b.example>".encode("latin-1"): b"=?utf-8?b?SsO2cmc=?= <a@b.example>",
    'x@y.example, "Dö, Jörg" <a@b.example>'.encode(): b"x@y.example, =?utf-8?b?RMO2LCBKw7ZyZw==?= "
    b"<a@b.example>",
    b"D, =?utf-8?q?J=C3=B6rg?= <a@b.example>": b"=?utf-8?b?RCwgSsO2cmc=?= <a@b.example>",
    b"=?utf-8?q?Re:_Doe,_John?= <a@b.example>": b'"Re: Doe, John" <a@b.example>',
    b"=?utf-8?q?Re:_D=C3=B6,_J?= <a@b.example>": b"=?utf-8?b?UmU6IETDtiwgSg==?= <a@b.example>",
}
STAY = [
    b"",
    b"a@b.example",
    b"John Doe <a@b.example>",
    b'"Doe, John" <a@b.example>',
    b"a@b.example, c@d.example",
    b"a@b.example,\r\n John <c@d.example>",
    b"=?utf-8?q?D=C3=B6=2C_J?= <a@b.example>",
    b"People: a@b.example, John <c@d.example>;",
    b"undisclosed-recipients:;",
    b"<a@b.example> (Doe, John)",
    b"a@b.example (Doe, John)",
    b"Doe@home, John <a@b.example>",
    b"Doe, John",
    b'"[Shop] John \\\\ Doe" <a@b.example>',
    b"<a@[192.0.2.1]>, John <c@[IPv6:2001:db8::1]>",
    b"[Shop] a@b.example",
    b"[Shop], John <a@b.example",
    b'"Bob <S>, Doe, J <a@b.example>',
    b"Doe, J (x <a@b.example>",
    b",, <",
]


@pytest.mark.parametrize("value", LOOKS)
def test_a_name_that_would_be_taken_apart_is_quoted_or_encoded(value: bytes) -> None:
    """And reads as before."""
    written = quote_names(value)
    assert written == LOOKS[value]
    assert quote_names(written) is written
    assert decode_words(written).replace('"', "") == decode_words(value).replace('"', "").replace(
        "\r\n", ""
    )


@pytest.mark.parametrize("value", STAY)
def test_other_values_stay_as_they_are(value: bytes) -> None:
    """The same object, not only the same octets."""
    assert quote_names(value) is value


@given(st.binary(max_size=60) | st.text('aö@,<>()":; \\\r\n.=?[]').map(str.encode))
@example(b"a, b <c@d>, e, f <g@h>")
def test_no_address_is_lost_or_made(value: bytes) -> None:
    """Whatever stands there: the same addresses, in the same order, and nothing more to do."""
    written = quote_names(value)
    before = [box.address for box in find_mailboxes(value) if box.address]
    after = [box.address for box in find_mailboxes(written) if box.address]
    assert [each for each in after if each in before] == before
    assert quote_names(written) == written


@pytest.mark.parametrize("name", ["Doe, John", "Dö, Jörg", "Jörg"])
@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_from_is_one_mailbox_to_a_strict_reader(name: str, charset: str) -> None:
    """As large providers count them."""
    letter = f"From: {name} <{CARRIER}>\nTo: {B}\nSubject: x\n\nHello.\n".encode(charset)
    sent = mail(letter, order(BUYER, CARRIER), to=B, sender=CARRIER).sent()
    [value] = [header.value for header in sent.headers if header.key == b"from"]
    parsed = BytesParser(policy=policy.default).parsebytes(b"From: " + value + b"\r\n\r\n")
    [box] = parsed["From"].addresses
    assert (box.display_name, box.addr_spec) == (name, hard("a"))


ONE = {
    "Doe; John": '"Doe; John"',
    "Support: Desk": '"Support: Desk"',
    "John (Desk": '"John (Desk"',
    'John "Desk': '"John Desk"',
    "John @ Work": '"John @ Work"',
    "John \\ Doe": '"John  Doe"',
    "[Ticket 7] Desk": '"[Ticket 7] Desk"',
    "<": "",
    "J. Doe": "J. Doe",
    '"Doe, John"': '"Doe, John"',
    "=?utf-8?q?J=C3=B6rg?=": "=?utf-8?q?J=C3=B6rg?=",
}


@pytest.mark.parametrize("name", ONE)
def test_any_name_in_from_leaves_one_mailbox(name: str) -> None:
    """Quoted where it has signs that part mailboxes, groups or comments; others stay."""
    end = ">" * (1 + (name == "<"))
    letter = f"From: {name} <{CARRIER}{end}\nTo: {B}\nSubject: x\n\nHello.\n"
    sent = mail(letter, order(BUYER, CARRIER), to=B, sender=CARRIER).sent()
    assert (sent.first(b"from") or b"").decode() == f"{ONE[name]} <{A}>".strip()


def test_a_group_of_one_in_from_is_that_one() -> None:
    """A group in From is no mailbox to verifiers (RFC 6854 section 4)."""
    letter = f"From: Desk: {CARRIER};\nTo: {B}\nSubject: x\n\nHello.\n"
    sent = mail(letter, order(BUYER, CARRIER), to=B, sender=CARRIER).sent()
    assert sent.first(b"from") == f'"Desk" <{A}>'.encode()
