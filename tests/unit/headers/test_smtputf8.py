"""Mail for an address that is not ASCII takes the splitter, and headers are ASCII there."""

import email
import email.policy
from dataclasses import replace

import pytest
from builders import (
    BUYER,
    CARRIER,
    EVERYBODY,
    SHOP,
    A,
    B,
    S,
    applied,
    edits,
    envelope,
    mail,
    order,
    own,
    person,
)
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.base.limits import UNLIMITED
from conversation_tracker.core.masking.header.ascii_fields import write_ascii
from conversation_tracker.core.masking.part.ascii_headers import write_ascii_headers
from conversation_tracker.core.model.address import Address, find_mailboxes, needs_smtputf8
from conversation_tracker.core.syntax import parameters
from conversation_tracker.core.syntax.encoded_words import decode_words
from conversation_tracker.core.syntax.mime import read_structure

ABROAD = "jörg@home.example"
ORDER = order(person(ABROAD, "buyer", "b" * 32), CARRIER, SHOP)


@pytest.mark.parametrize(
    ("address", "needed"),
    [
        (ABROAD, True),
        ("用户@例子.example", True),
        (BUYER, False),
        ("john@bücher.example", False),
        ("john@xn--bcher-kva.example", False),
    ],
)
def test_a_local_part_that_is_not_ascii_needs_it(address, needed) -> None:
    assert needs_smtputf8(Address.parse(address)) is needed
    assert not needs_smtputf8(None)


def test_a_sole_recipient_who_needs_it_takes_the_splitter() -> None:
    text = f"From: {CARRIER}\nTo: {B}\nSubject: Größe\n\nHello\n"
    letter = mail(text, ORDER, to=B, sender=CARRIER)
    done = letter.plan()
    assert done.split
    assert done.bounces_to is None
    assert envelope(letter.sent()) == [B]
    assert [h.key for h in letter.sent().headers].count(b"x-conversation-pass") == 1
    second = mail(text, ORDER, to=B, sender=CARRIER, split=True)
    assert not second.plan().split
    assert envelope(second.sent()) == [ABROAD]


def test_the_stores_mail_to_a_real_address_takes_it_with_an_alias() -> None:
    text = f"From: {SHOP}\nTo: {ABROAD}\n\nHello\n"
    letter = own(text, ORDER, to=ABROAD)
    assert letter.plan().split
    assert envelope(letter.sent()) == [B]


def test_any_other_sole_recipient_is_rewritten_at_once() -> None:
    letter = mail(f"From: {ABROAD}\nTo: {A}\nSubject: Größe\n\nHello\n", ORDER, to=A, sender=ABROAD)
    assert not letter.plan().split
    assert letter.sent().first(b"subject") == "Größe".encode()


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        (b"subject", "Größe".encode(), "Größe"),
        (b"x-any", b"Gr\xf6\xdfe", "Größe"),
        (b"from", "Jörg <a@b.example>".encode(), "Jörg <a@b.example>"),
        (b"to", 'x@y.example, "Jörg" <a@b.example>'.encode(), None),
        (b"to", "a@b.example (Jörg)".encode(), "a@b.example (Jörg)"),
        (b"to", b"Gr\xf6\xdfe <a@b.example>", "Größe <a@b.example>"),
    ],
)
def test_a_field_is_written_in_ascii(name, value, text) -> None:
    written = write_ascii(name, value)
    assert written.isascii()
    if text is not None:
        assert decode_words(written) == text
    if name in (b"from", b"to"):
        assert [m.address for m in find_mailboxes(written)] == [
            m.address for m in find_mailboxes(value)
        ]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("message-id", "<1@doe.example> (ä)", "<1@doe.example> (=?utf-8?b?w6Q=?=)"),
        ("message-id", "<é1@doe.example>", "<%C3%A91@doe.example>"),
        ("in-reply-to", "é1@doe.example", "%C3%A91@doe.example"),
        ("references", "<a@b.example>\n <é@b.example>", "<a@b.example>\n <%C3%A9@b.example>"),
        ("resent-message-id", "<1@b.example> (ä)", "<1@b.example> (=?utf-8?b?w6Q=?=)"),
        ("content-id", "<p1@b.example> (ä)", "<p1@b.example> (=?utf-8?b?w6Q=?=)"),
        ("content-transfer-encoding", "base64 (ä)", "base64 (=?utf-8?b?w6Q=?=)"),
        ("mime-version", "1.0 (ä)", "1.0 (=?utf-8?b?w6Q=?=)"),
        (
            "date",
            "Mon, 5 Jan 2026 10:00:00 +0100 (ä)",
            "Mon, 5 Jan 2026 10:00:00 +0100 (=?utf-8?b?w6Q=?=)",
        ),
        ("list-id", "Größe <a.b.example>", "=?utf-8?b?R3LDtsOfZQ==?= <a.b.example>"),
        (
            "list-unsubscribe",
            "<mailto:é@b.example>, <https://b.example/ü>",
            "<mailto:%C3%A9@b.example>, <https://b.example/%C3%BC>",
        ),
    ],
)
def test_identifiers_and_tokens_are_no_encoded_words(name: str, value: str, expected: str) -> None:
    assert write_ascii(name.encode(), value.encode()) == expected.encode()


@pytest.mark.parametrize("identifier", [f"<{BUYER}> (ä)", "<é1@doe.example>", "é1@doe.example"])
def test_an_identifier_is_masked_in_the_splitters_copies_as_elsewhere(identifier: str) -> None:
    """What stands for it is the same that the first pass recorded."""
    names = "Message-ID", "In-Reply-To", "References"
    fields = "".join(f"{name}: {identifier}\n" for name in names)
    inside = f"--x\nContent-ID: {identifier}\n\n<img src='cid:é1@doe.example'>\n--x--\n"
    text = f"From: {BUYER}\n{fields}Content-Type: multipart/related; boundary=x\n\n{inside}"
    first = mail(text, EVERYBODY, to=[A, S], sender=BUYER)
    [ours] = [each.ours for each in first.plan().records[0].identifiers]
    left = first.sent()
    second = mail("From: x@y.example\n\n", EVERYBODY, to=A, sender=BUYER, split=True)
    headers = tuple(each for each in left.headers if each.key != b"x-conversation-pass")
    copy = applied(
        message := replace(second.message, headers=headers, body=left.body),
        replace(second, message=message).plan(),
    )
    for name in names:
        assert ours.encode() in (copy.first(name.lower().encode()) or b"")
    assert b"doe.example" not in bytes(copy.body)


def test_a_parameter_is_written_in_ascii_but_for_a_boundary() -> None:
    value = 'attachment; filename="Größe.txt"; x=y'.encode()
    written = write_ascii(b"content-disposition", value)
    assert written.isascii()
    assert parameters.get_value(parameters.parse(written)[1], "filename") == "Größe.txt"
    boundary = "multipart/mixed; boundary=Größe".encode()
    assert write_ascii(b"content-type", boundary) is boundary


@pytest.mark.parametrize("value", [b"", b"plain", b"=?utf-8?q?=C3=B6?=", b"a@b.example, c"])
def test_what_is_ascii_stays_the_same_object(value) -> None:
    for name in (b"subject", b"to", b"content-type"):
        assert write_ascii(name, value) is value


@pytest.mark.parametrize("name", [b"subject", b"to"])
def test_what_would_grow_too_long_stays(name) -> None:
    value = "ö".encode() * 25_000 + b" <a@b.example>"
    assert write_ascii(name, value) is value
    assert write_ascii(name, value[-2_000:]).isascii()


def test_an_address_stays() -> None:
    value = f"Jörg <{ABROAD}>".encode()
    written = write_ascii(b"to", value)
    assert written.endswith(f"<{ABROAD}>".encode())
    assert written.startswith(b"=?utf-8?")


FIELDS = [
    *(b"subject", b"to", b"content-type", b"x-y"),
    *(b"message-id", b"content-transfer-encoding", b"list-id"),
]


@given(st.binary(max_size=80), st.sampled_from(FIELDS))
def test_nothing_raises_and_no_line_ends_the_header(value, name) -> None:
    value = value.replace(b"\n", b" ").replace(b"\r", b" ").replace(b"\0", b" ")
    written = write_ascii(name, value)
    assert b"\n" not in written.replace(b"\n ", b"")
    if name in (b"message-id", b"content-transfer-encoding", b"list-id"):
        assert written.isascii()
    if name in (b"subject", b"x-y"):
        assert written.isascii()
        assert written is value or decode_words(written) == decode_words(value)


BODY = (
    "pre Größe\n--b\nContent-Disposition: attachment;\n filename=Größe\nX-A: a\n\nGröße\n"
    "--b\nContent-Type: message/rfc822\n\nSubject: Größe\nTo: jörg@x.example\n\nGröße\n"
    "--b\nContent-Type: multipart/signed; boundary=s\n\n--s\nX-A: Größe\n\nGröße\n--s--\n--b--\n"
).encode()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_headers_of_parts_are_written_in_ascii_and_nothing_else(end) -> None:
    body = BODY.replace(b"\n", end)
    part = read_structure([(b"Content-Type", b"multipart/mixed; boundary=b")], body)
    written = write_ascii_headers(part, body, UNLIMITED).replace(end, b"\n").decode()
    assert written == (
        BODY.decode()
        .replace("filename=Größe", "filename*=utf-8''Gr%C3%B6%C3%9Fe")
        .replace("Subject: Größe", "Subject: =?utf-8?b?R3LDtsOfZQ==?=")
    )
    message = email.message_from_bytes(
        b"Content-Type: multipart/mixed; boundary=b\n\n" + written.encode(),
        policy=email.policy.default,
    )
    first = message.get_payload()[0]
    assert first.get_filename() == "Größe"


def test_the_queued_message_for_several_has_ascii_headers_alone() -> None:
    text = (
        f"From: Jörg <{CARRIER}>\nTo: {B}\nSubject: Größe\nMIME-Version: 1.0\n"
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nX-A: Größe\n\nGröße\n--b--\n"
    )
    letter = mail(text, EVERYBODY, to=[B, A], sender=CARRIER)
    sent = letter.sent()
    assert all(h.value.isascii() for h in sent.headers)
    assert sent.body == "--b\nX-A: =?utf-8?b?R3LDtsOfZQ==?=\n\nGröße\n--b--\n".encode()
    plain = mail(f"From: {CARRIER}\nTo: {B}\n\nGröße\n", EVERYBODY, to=[B, A], sender=CARRIER)
    assert not any("body" in each for each in edits(plain.plan()))
