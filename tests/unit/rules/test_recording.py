"""Records: what the timeline keeps of a message, with everybody in hard form."""

import base64
import gzip
import time
from dataclasses import replace

import pytest
from builders import (
    ANN,
    BUYER,
    CARRIER,
    EVERYBODY,
    OUR_STORE,
    REF,
    SHOP,
    A,
    B,
    S,
    mail,
    order,
    own,
    soft,
    written,
)

from conversation_tracker.core.masking.part import message_body
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.replies import LOOP
from conversation_tracker.core.rules.recording import make_refusal

SOFTLY = order(BUYER, SHOP, CARRIER, mask="soft")


def test_a_record_shows_everybody_in_hard_form() -> None:
    text = written(
        f'"{CARRIER}" <{CARRIER}>',
        f"To: {soft(BUYER)}, {SHOP}",
        "Date: today",
        "X-Mailer: Fancy",
        f"Subject: {BUYER} and {soft(SHOP)}",
        body=f"{CARRIER} {soft(BUYER)}\n",
    )
    [record] = mail(text, SOFTLY, to=B).plan().records
    assert record.sender_name == A
    assert record.subject == f"{B} and {S}"
    assert record.first_words == f"{A} {B}"
    assert record.raw.replace(b"\r", b"").decode() == written(
        f"<{A}>", f"To: {B}, {S}", "Date: today", f"Subject: {B} and {S}", body=f"{A} {B}\n"
    )


def test_the_authors_name_stands_in_one_place_alone() -> None:
    """There it can be erased; others' names stay in the message."""
    text = written(
        f"=?utf-8?q?J=C3=B6hn?= Doe <{BUYER}>",
        f"To: Desk <{CARRIER}>, {BUYER} (John)",
        f"Reply-To: John Doe <{BUYER}>",
    )
    [record] = mail(text, EVERYBODY, to=A).plan().records
    assert record.sender_name == "J\u00f6hn Doe"
    assert b"John" not in record.raw
    assert b"J=C3" not in record.raw
    assert f"From: <{B}>\r\n".encode() in record.raw
    assert f'To: "Desk" <{A}>,\r\n <{B}>\r\n'.encode() in record.raw
    assert f"Reply-To: <{B}>\r\n".encode() in record.raw


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("Doe, John", "Doe, John"),
        ("=?utf-8?q?Doe,_John?=", "Doe, John"),
        ("M\u00fcller, J\u00f6rg", "M\u00fcller, J\u00f6rg"),
    ],
)
def test_a_name_with_a_bare_comma_is_the_authors_whole_name(name: str, read: str) -> None:
    """And goes from their other addresses, so that it can be erased."""
    text = written(f"{name} <{CARRIER}>", f"To: {name} <{ANN}>, {BUYER}")
    [record] = mail(text, EVERYBODY, to=B, sender=CARRIER).plan().records
    assert record.sender_name == read
    for piece in (b"Doe", b"John", b"?utf-8?"):
        assert piece not in record.raw


def test_a_record_is_masked_though_the_body_is_not() -> None:
    unmasked = order(BUYER, CARRIER, mask_body=False)
    [record] = mail(written(CARRIER, body=f"{BUYER}\n"), unmasked, to=B).plan().records
    assert record.first_words == B
    assert BUYER.encode() not in record.raw


def test_a_record_says_whether_it_is_the_stores_own_mail() -> None:
    """Of a trusted client: From alone proves nothing. And another store's order is not its own."""
    [record] = own(written(SHOP), EVERYBODY, to=B).plan().records
    assert record.own
    [record] = mail(written(SHOP), EVERYBODY, to=B, trusted=True).plan().records
    assert not record.own
    other = order(BUYER, CARRIER, store=replace(OUR_STORE, name="other"))
    [record] = own(written(SHOP), other, to=B).plan().records
    assert not record.own


@pytest.mark.parametrize(
    ("author", "to", "direction"),
    [
        (BUYER, [S], "inbound"),
        (BUYER, [A], "inbound"),
        (SHOP, [B], "outbound"),
        (CARRIER, [B], "outbound"),
        (CARRIER, [S, B], "outbound"),
        (CARRIER, [S], "internal"),
        (SHOP, [A], "internal"),
    ],
)
def test_the_direction_is_seen_from_the_store(author: str, to: list[str], direction: str) -> None:
    [record] = mail(written(author), EVERYBODY, to=to).plan().records
    assert record.direction == direction


def test_a_record_tells_who_joined_and_how() -> None:
    text = written(SHOP, f"To: {BUYER}", f"Cc: {ANN}, new@shop.example")
    row = mail(
        text, order(), to=BUYER, sender="bounces@mailer.example", own=OUR_STORE, trusted=True
    )
    [record] = row.plan().records
    joined = {str(each.address): each.role for each in record.joined}
    assert joined == {
        BUYER: "buyer",
        SHOP: "store",
        ANN: "partner",
        "new@shop.example": "store",
        "bounces@mailer.example": "return",
    }


def test_only_the_first_real_recipient_is_the_buyer() -> None:
    row = own(written(SHOP), order(SHOP), to=[BUYER, ANN])
    [record] = row.plan().records
    assert [each.role for each in record.joined] == ["buyer", "partner"]
    known = own(written(SHOP), order(BUYER, SHOP), to=[ANN, CARRIER])
    assert [each.role for each in known.plan().records[0].joined] == ["partner", "partner"]


def test_a_long_subject_and_text_are_cut() -> None:
    [record] = (
        mail(written(CARRIER, "Subject: " + "s " * 900, body="w " * 900), EVERYBODY, to=B)
        .plan()
        .records
    )
    assert len(record.subject) <= 1000
    assert 0 < len(record.first_words) <= 200


@pytest.mark.parametrize(
    "text",
    [
        written("=?utf-8?q?a=00b?= <desk@carrier.example>", "Subject: =?utf-8?q?a=00b?="),
        b"From: a\x00b <desk@carrier.example>\nSubject: \x00\xff\nMessage-ID: <\x00@x>\n\n\x00\xff",
        b"From: desk@carrier.example\nSubject: =?utf-16?b?2AA=?=\n\n\xed\xa0\x80",
        b"From: desk@carrier.example\nContent-Type: application/x; name*=utf-8''a%00b\n\nx",
    ],
)
def test_every_text_of_a_record_can_be_written_to_the_database(text: str | bytes) -> None:
    """No NUL and no lone surrogate, which PostgreSQL refuses."""
    [record] = mail(text, EVERYBODY, to=B).plan().records
    texts = (record.sender_name, record.subject, record.first_words, record.message_id)
    for each in (*texts, *record.attachment_names):
        assert "\0" not in each
        each.encode("utf-8")


def test_the_address_that_joined_is_the_one_that_was_written() -> None:
    [record] = mail(written("Ann.Lee@Friends.Example"), EVERYBODY, to=B).plan().records
    ann = next(each for each in record.joined if each.role == "partner")
    assert ann.address == Address.parse("Ann.Lee@friends.example")
    assert REF not in ann.token


@pytest.mark.parametrize("beside", ["a\x00", "a \x1b[31m", "a\x07", "a\u202e", "a \x1b(B"])
def test_what_is_left_out_of_the_first_words_does_not_hide_who_stands_beside_it(
    beside: str,
) -> None:
    """Without it, the address would touch a letter, and be somebody else's."""
    text = written(BUYER, "Content-Type: text/plain; charset=utf-8")
    raw = text.encode() + f"{beside}{BUYER} b\n".encode()
    [record] = mail(raw, EVERYBODY, to=A).plan().records
    assert B in record.first_words
    assert BUYER not in record.first_words


def test_the_first_words_are_read_as_far_as_the_text_is_masked() -> None:
    """Base64 may end in the middle, for one program, and go on for another."""
    coded = base64.b64encode(BUYER.encode() + b"!").decode()
    lines = ["Content-Type: text/plain", "Content-Transfer-Encoding: base64"]
    for body in (f"Zg=={coded}", base64.b64encode(BUYER.encode()).decode() * 2):
        text = written(BUYER, *lines, body=f"{body}\n")
        [record] = mail(text, EVERYBODY, to=A).plan().records
        assert BUYER not in record.first_words


def test_the_first_words_are_no_note_on_a_part_that_is_not_kept() -> None:
    packed = base64.encodebytes(gzip.compress(BUYER.encode())).decode()
    text = written(
        BUYER,
        "Content-Type: multipart/mixed; boundary=b",
        body=(
            "--b\nContent-Type: application/gzip\nContent-Transfer-Encoding: base64\n"
            f"Content-Disposition: attachment; filename=a.gz\n\n{packed}"
            "--b\nContent-Type: text/html\n\n<p>Hello</p>\n--b--\n"
        ),
    )
    [record] = mail(text, EVERYBODY, to=A).plan().records
    assert record.first_words == "Hello"
    assert record.attachment_names == ("a.gz",)


def test_those_whom_the_header_names_tell_the_direction_of_each_delivery() -> None:
    """Their server may hand in each recipient by itself."""
    for to in (BUYER, B, soft(BUYER)):
        [record] = mail(written(CARRIER, f"To: {SHOP}, {to}"), EVERYBODY, to=S).plan().records
        assert record.direction == "outbound"


def test_a_signature_that_names_somebody_and_is_broken_is_noted_once() -> None:
    shown = base64.b64encode(b"\x30\x82\x16\x10john@doe.example1\x0b").decode()
    type_ = "application/pkcs7-signature"
    encoding = "Content-Transfer-Encoding: base64"
    text = written(
        BUYER,
        f"Content-Type: multipart/signed; protocol={type_}; boundary=b",
        body=f"--b\n\nHello {BUYER}\n--b\nContent-Type: {type_}\n{encoding}\n\n{shown}\n--b--\n",
    )
    [record] = mail(text, EVERYBODY, to=A).plan().records
    assert record.notes == (f"2 {type_} identity",)


@pytest.mark.parametrize(
    "field",
    [
        "Content-Type: message/rfc822\n\nTo: " + ",\n ".join([BUYER] * 2500),
        f'Content-Type: text/x-any; name="{f"{BUYER} " * 800}"',
    ],
    ids=["header", "type"],
)
@pytest.mark.parametrize("type_", ["text/plain", "text/html"])
def test_a_part_that_aliases_make_longer_than_is_read_is_no_reason_to_refuse(
    field: str, type_: str
) -> None:
    """What is kept is over a limit of the structure then, while what came was not."""
    parts = [f"Content-Type: {type_}; charset=utf-8\n\nH\u00e4llo {BUYER}\n", f"{field}\n\nx\n"]
    body = "".join(f"--b\n{each}" for each in parts) + "--b--\n"
    text = written(BUYER, "Content-Type: multipart/mixed; boundary=b", body=body)
    done = mail(text, EVERYBODY, to=A).plan()
    assert done.reply is None
    assert done.records[0].first_words == f"H\u00e4llo {B}"
    assert BUYER not in " ".join(done.records[0].attachment_names)


@pytest.mark.parametrize(
    "name",
    [
        "name*=utf-8''%3E%20john%40doe.%0A%3E%20example.png",
        'name="\x1b$B#j#o#h#n!w#d#o#e!%#e#x#a#m#p#l#e\x1b(B.png"',
        f'name="{BUYER}.png"',
    ],
    ids=["wrapped", "double", "clear"],
)
@pytest.mark.parametrize("inside", [False, True])
def test_a_file_is_called_in_a_record_as_in_the_message_that_is_kept(
    name: str, inside: bool
) -> None:
    """Without line ends and escapes, a name may seem to hold nobody."""
    text = written(BUYER, f"Content-Type: image/png; {name}", body="x\n")
    if inside:
        text = written(
            BUYER,
            "Content-Type: multipart/mixed; boundary=b",
            body=f"--b\n\nHello\n--b\nContent-Type: image/png; {name}\n\nx\n--b--\n",
        )
    [record] = mail(text, EVERYBODY, to=A).plan().records
    [shown] = record.attachment_names
    assert B in shown


UNSEEN = ["https://c.example/?q=john+at+doe.example", "john@doe..example", "+AGo-ohn@doe.example"]


@pytest.mark.parametrize("written_so", UNSEEN)
def test_a_subject_in_which_only_the_scan_finds_somebody_is_masked_as_in_the_message(
    written_so: str,
) -> None:
    text = written(f'"{written_so}" <{BUYER}>', f"Subject: Re: {written_so}")
    [record] = mail(text, EVERYBODY, to=A).plan().records
    assert B in record.subject
    assert record.subject.startswith("Re: ")
    assert B in record.sender_name


def test_of_a_subject_in_which_masking_finds_nobody_the_rest_is_kept() -> None:
    subject = r"Re: content:'john@doe.\ example' and more"
    [record] = mail(written(BUYER, f"Subject: {subject}"), EVERYBODY, to=A).plan().records
    assert record.subject == "Re: content:'[address] example' and more"


@pytest.mark.parametrize("note", [message_body.REMOVED, message_body.UNSIGNED])
def test_a_note_that_a_message_came_with_is_not_its_first_words(note: str) -> None:
    """Who forwards what they got from us sends our notes along."""
    parts = "".join(f"--b\n\n{each}\n" for each in (note, "Hello again"))
    text = written(CARRIER, "Content-Type: multipart/mixed; boundary=b", body=f"{parts}--b--\n")
    [record] = mail(text, EVERYBODY, to=B).plan().records
    assert record.first_words == "Hello again"


@pytest.mark.parametrize("before", ["", "=?utf-8?q?" + "=E2=80=8B" * 890 + "?= "])
def test_of_a_long_subject_of_refused_mail_only_the_beginning_is_looked_at(before: str) -> None:
    """For that no time is measured; where it is cut, no piece of an address is left."""
    words = "john (at) doe.example "
    for size in (8_100, 8_120, 400_000):
        text = written(BUYER, f"Subject: Hello {before}{words * (size // len(words))}")
        sent = mail(text, EVERYBODY, to=A)
        begun = time.process_time()
        refusal = make_refusal(sent.message, EVERYBODY, None, LOOP)
        assert time.process_time() - begun < 3
        assert "john" not in refusal.subject
        assert refusal.subject.startswith("Hello") or before
        assert len(refusal.subject) <= 1000


def test_the_subject_of_refused_mail_is_masked_however_it_is_written() -> None:
    local, _, domain = BUYER.partition("@")
    text = written(BUYER, f"Subject: from {local} (at) {domain}")
    refusal = make_refusal(mail(text, EVERYBODY, to=A).message, EVERYBODY, None, LOOP)
    assert refusal.subject == f"from {B}"


@pytest.mark.parametrize("written_so", UNSEEN)
def test_the_subject_of_refused_mail_is_scanned(written_so: str) -> None:
    text = written(BUYER, f"Subject: Re: {written_so} and x@y.example")
    refusal = make_refusal(mail(text, EVERYBODY, to=A).message, EVERYBODY, None, LOOP)
    assert refusal.subject.startswith("Re: ")
    assert refusal.subject.endswith(" and [address]")
    assert "doe" not in refusal.subject
