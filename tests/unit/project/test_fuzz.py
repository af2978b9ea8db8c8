"""A short turn of every fuzz target, and what fuzzing found once; tests/fuzz runs them for long.

The inputs come from a fixed seed, so that a run says the same today and tomorrow.
"""

import base64
import random
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote_to_bytes

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
    hard,
    mail,
    order,
    own,
    person,
    soft,
)
from hypothesis import given, settings
from strategies import FIELDS, MAILBOXES, REPORTS, TEXTS, TREES, messages

import spelling
from choices import Choices
from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.header.headers import mask_mailboxes, mask_text
from conversation_tracker.core.masking.header.part_header import mask_header
from conversation_tracker.core.masking.part import media
from conversation_tracker.core.masking.text import links
from conversation_tracker.core.model.address import find_mailboxes
from conversation_tracker.core.model.message import Header, Message, parse
from conversation_tracker.core.reports import report
from conversation_tracker.core.scanning.scan import scan
from conversation_tracker.core.syntax import transfer
from conversation_tracker.core.syntax.encoded_words import decode_words
from conversation_tracker.core.syntax.mime import TooComplex, read_structure
from conversation_tracker.core.views import message_ids
from targets import TARGETS

TOOL = Path(__file__).parents[2] / "fuzz"
FORBIDDEN = {BUYER: "b"}
TOKEN = base64.b64encode(BUYER.encode()).decode().rstrip("=")
TURNS = {"clean": 250, "raw": 150, "reader": 250, "hostile": 150}
"""Inputs for each target, the same each time; `tests/fuzz` takes others, as long as you like."""


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_turn_finds_nothing(target: str) -> None:
    chance = random.Random(1)
    for _ in range(TURNS.get(target, 400)):
        TARGETS[target](chance.randbytes(chance.choice([5, 20, 60, 200, 600])))


def test_choices_are_the_same_for_the_same_bytes() -> None:
    """What failed once can be done again anywhere; when the bytes run out, the first is chosen."""
    data = random.Random(2).randbytes(300)
    assert spelling.text(Choices(data)) == spelling.text(Choices(data))
    assert Choices(b"").of("abc") == "a"
    assert Choices(b"").some(lambda: 1, 5) == []


def test_the_command_does_an_input_again_and_knows_its_targets(tmp_path: Path) -> None:
    found = tmp_path / "input"
    found.write_bytes(b"x")
    done = subprocess.run([sys.executable, TOOL, "message", found], check=False)
    assert done.returncode == 0
    done = subprocess.run([sys.executable, TOOL, "nothing"], check=False, capture_output=True)
    assert done.returncode == 2
    assert b"no such target" in done.stderr


# What the builders draw is taken by every reader


@given(MAILBOXES)
def test_mailboxes_are_found_in_their_order(value: str) -> None:
    end = 0
    for box in find_mailboxes(value.encode()):
        assert end <= box.start <= box.end
        end = box.end


@given(FIELDS)
def test_a_field_is_masked_in_one_turn(field: str) -> None:
    mask = Masker({BUYER: B})
    once = mask_header(field.encode(), mask)
    assert mask_header(once, mask) == once


@given(TEXTS)
def test_a_text_is_masked_in_one_turn(text: str) -> None:
    mask = Masker({BUYER: B, SHOP: S})
    assert mask(mask(text)) == mask(text)


@settings(max_examples=50)
@given(TREES)
def test_a_tree_is_read_whole(part: bytes) -> None:
    try:
        found = read_structure([], part)
    except TooComplex:
        return
    for each in found.walk():
        assert each.header[0] <= each.header[1] <= each.content[1]


@settings(max_examples=50)
@given(REPORTS)
def test_a_report_is_read(raw: bytes) -> None:
    headers, body = parse(raw)
    assert len(report.read_report(Message(None, (), headers, body, null=True)).diagnostic) <= 500


@settings(max_examples=50)
@given(messages(SHOP))
def test_a_message_is_planned(raw: bytes) -> None:
    row = mail(raw, EVERYBODY, to=B)
    done = row.plan()
    assert done.reply is not None or applied(row.message, done).recipients


# What was found


def sent(text: str | bytes) -> Message:
    """Send something to the store."""
    return mail(text, EVERYBODY, to=S).sent()


@pytest.mark.parametrize("type_", ['multipart/; boundary="x"', "multipart; boundary=x"])
def test_a_multipart_of_no_kind_is_taken_apart(type_: str) -> None:
    """Programs that ask for the first half of the type only show its parts."""
    hidden = base64.b64encode(f"Mine is {BUYER}".encode()).decode()
    part = f"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n{hidden}\n"
    raw = f"From: {CARRIER}\nContent-Type: {type_}\n\n--x\n{part}--x--\n"
    assert base64.b64decode(sent(raw).body.split(b"\n\n")[1].split(b"--")[0]).endswith(B.encode())
    headers, body = parse(raw.encode())
    assert scan(headers, body, FORBIDDEN)


def test_a_type_with_two_slashes_is_text() -> None:
    """RFC 2045 section 5.2 and the programs that follow it; null bytes change nothing of that."""
    raw = f"From: {CARRIER}\nContent-Type: a/b/c\n\nhttps://t.example/{TOKEN}?\0\n"
    assert TOKEN.encode() not in sent(raw).body
    headers, body = parse(raw.encode())
    assert scan(headers, body, FORBIDDEN)


def test_the_parameters_of_the_messages_own_header_are_masked() -> None:
    raw = f"From: {CARRIER}\nContent-Type: text/plain; name*=utf-8''john%25%34%30doe.example\n\nx\n"
    value = sent(raw).first(b"content-type")
    assert value == f'text/plain; name="{B.replace("@", "%40")}"'.encode()


def test_an_address_hides_behind_no_stray_byte() -> None:
    """A text that is not quite UTF-8 is shown as such by many programs."""
    raw = b"From: desk@carrier.example\n\njohn\xe2\x80\x8b@doe.example \xff\n"
    assert sent(raw).body == B.encode() + b" \xff\n"
    assert scan([], b"john\xe2\x80\x8b@doe.example \xff\n", FORBIDDEN)


def test_a_saved_message_of_any_type_is_masked_as_one() -> None:
    inner = (
        f"From: {BUYER}\nSubject: x\nContent-Type: text/html\n"
        f"Content-Transfer-Encoding: base64\n\n{base64.b64encode(BUYER.encode()).decode()}\n"
    )
    head = f"From: {CARRIER}\nContent-Type: application/octet-stream\n"
    body = sent(f"{head}\n{inner}").body
    assert body.startswith(f"From: {B}\n".encode())
    assert base64.b64decode(body.split(b"\n\n")[1]) == B.encode()
    coded = base64.encodebytes(inner.encode()).decode()
    body = sent(f"{head}Content-Transfer-Encoding: base64\n\n{coded}").body
    assert base64.b64decode(body).startswith(f"From: {B}\n".encode())


def test_every_token_of_a_text_is_looked_at() -> None:
    other = base64.b64encode(f"{BUYER}.org".encode()).decode()
    text = f"https://t.example/{other}\nhttps://t.example/{TOKEN}\n"
    assert scan([], text.encode(), FORBIDDEN)
    digits = f"{BUYER}.org".encode().hex(), BUYER.encode().hex()
    assert scan([], f"{digits[0]} {digits[1]}\n".encode(), FORBIDDEN)


def test_utf_16_is_looked_at_as_characters() -> None:
    """The byte of another character, before an address, is no letter of it."""
    data = b"\x00\x01" + f"\u3053{BUYER}".encode("utf-16-le")
    headers = [Header(b"Content-Type", b"application/octet-stream")]
    assert scan(headers, data, FORBIDDEN)
    assert not scan(headers, b"\x00\x01" + f"x{BUYER}".encode("utf-16-le"), FORBIDDEN)


def test_a_character_torn_between_encoded_words_is_joined() -> None:
    coded = BUYER.encode("utf-16-be")
    words = (base64.b64encode(each).decode() for each in (coded[:9], coded[9:]))
    value = " ".join(f"=?utf-16-be?B?{each}?=" for each in words)
    assert scan([Header(b"Subject", value.encode())], b"", FORBIDDEN)


def test_a_link_with_a_broken_character_is_masked() -> None:
    mask = Masker({BUYER: B})
    assert links.mask_links("https://t.example/\udce7%20jo%68n@doe.example/", mask).endswith(
        f"{B}/"
    )


def copies(raw: bytes) -> tuple[bytes, bytes]:
    """Return what the store gets of a message, and what is recorded of it."""
    row = mail(raw, EVERYBODY, to=S)
    done = row.plan()
    assert done.reply is None, done.reply
    return applied(row.message, done).body, bytes(done.records[0].raw)


@pytest.mark.parametrize("type_", ["application/json", "text/plain", "text/html"])
def test_base64_ends_at_its_padding_for_some_and_goes_on_for_others(type_: str) -> None:
    """What stands behind the padding lengthens no domain, and may hold an address of its own."""
    first = base64.b64encode(f"Ask {BUYER.replace('@', '%40')}".encode())
    assert first.endswith(b"=")
    cut = base64.b64encode(BUYER.encode())[:-4] + b"\r\nQQ==\r\n"
    for tail in (b"\r\nzoologist", b"\r\n" + base64.b64encode(b"zoo " + BUYER.encode()), cut):
        raw = f"From: {CARRIER}\nContent-Type: {type_}\nContent-Transfer-Encoding: base64\n\n"
        for text in copies(raw.encode() + first + tail):
            text = text.rpartition(b"\r\n\r\n")[2]
            shown = [base64.b64decode(text), transfer.decode(text, "base64")]
            assert not any(BUYER.encode() in unquote_to_bytes(each) for each in shown)
    headers, body = parse(raw.encode() + first + b"\nzoologist")
    assert scan(headers, body, FORBIDDEN)


def test_an_encoded_word_ends_at_its_padding_for_some() -> None:
    word = f"=?utf-8?B?{base64.b64encode(b'by ' + BUYER.encode()).decode()}em9v?="
    assert "==em9v" in word
    for name in ("Subject", "To", "Content-Description"):
        raw = f'From: {CARRIER}\n{name}: "x" {word} <zoe@elsewhere.example>\n\nx\n'
        value = sent(raw).first(name.lower().encode()) or b""
        assert B in decode_words(value)
        assert not scan([Header(b"X", value)], b"", FORBIDDEN)
        assert scan([Header(name.encode(), word.encode())], b"", FORBIDDEN)
    name = sent(f'From: {CARRIER}\nContent-Type: text/plain; name="{word}"\n\nx\n')
    assert not scan(name.headers, b"", FORBIDDEN)


@pytest.mark.parametrize("inner", ["message/delivery-status", "message/rfc822"])
def test_a_status_is_masked_as_programs_read_it_that_know_no_encoding_there(inner: str) -> None:
    """RFC 2046 section 5.2.1: no encoding is allowed, so many do not look for one."""
    lines = "From: x@mx.example\nSubject: x\nSee: https://t.example/?u=desk%40carrier.example&v=1\n"
    raw = (
        f"From: {BUYER}\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
        f"Content-Type: {inner}\nContent-Transfer-Encoding: quoted-printable\n\n{lines}\n--b--\n"
    ).encode()
    headers, body = parse(raw)
    assert scan(headers, body, {CARRIER: "a"})
    for text in copies(raw):
        assert b"desk%40carrier.example" not in text
        assert b"https://t.example/?u=" + A.encode().replace(b"@", b"%40") in text


@pytest.mark.parametrize("inner", ["message/delivery-status", "message/rfc822"])
def test_what_soft_breaks_part_is_whole_there_too(inner: str) -> None:
    alias = soft(CARRIER)
    lines = f"From: x@mx.example\nSubject: x\nX: {alias[:25]}=\n{alias[25:]} and =3D {'y' * 40}\n"
    raw = (
        f"From: {BUYER}\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
        f"Content-Type: {inner}\nContent-Transfer-Encoding: quoted-printable\n\n{lines}\n--b--\n"
    ).encode()
    copy, _ = copies(raw)
    assert copy == parse(raw)[1]
    found, record = copies(
        raw.replace(b"y" * 40, b"https://t.example/?u=desk%40carrier.example " * 3)
    )
    for text in (found, record):
        assert b"desk%40" not in text
        assert max(map(len, text.split(b"\n"))) <= 998
        assert b"\n--b--" in text


def test_a_picture_that_names_others_stays() -> None:
    """Nothing is written over but an address that stands whole."""
    others = [b"mary." + BUYER.encode(), BUYER.encode() + b".org", b"x" + BUYER.encode()]
    data = b"ID3\3\0" + b"\0".join(others) + b"\0"
    wide = b"ID3\3\0" + "".join(f"{each.decode()} " for each in others).encode("utf-16-le")
    for each in (data, wide):
        assert media.overwrite_addresses(each, People([BUYER])) is each
        whole = each + b"\0" + BUYER.encode() + b"\0"
        over = media.overwrite_addresses(whole, People([BUYER]))
        assert over == each + b"\0" + b"x" * len(BUYER) + b"\0"


def test_the_signature_of_a_picture_that_names_others_stays() -> None:
    inner = "Content-Type: image/png\n\nby mary.john@doe.example\x0f\n"
    raw = (
        f"From: {CARRIER}\nContent-Type: multipart/signed; boundary=b\n\n--b\n"
        f"{inner}--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n"
    ).encode()
    assert copies(raw)[0] == parse(raw)[1]


@pytest.mark.parametrize(
    "written",
    [
        '"desk"@carrier.example .1x: a',
        "desk@carrier.example .org",
        "desk@carrier.example (of).org",
        "desk@carrier.example\n .org",
        "desk.(x)desk@carrier.example .org",
    ],
)
def test_an_address_that_blanks_part_is_one_to_some_and_none_to_others(written: str) -> None:
    """RFC 5322 section 4.4 allows blanks around dots; a person reads the address before them."""
    assert scan([Header(b"Cc", written.encode())], b"", {CARRIER: "a"})
    raw = f"From: {SHOP}\nDisposition-Notification-To: {written}\n\nx\n"
    done = own(raw, EVERYBODY, to=B).sent()
    assert not scan(done.headers, b"", {CARRIER: "a"})
    assert A in str(done.first(b"disposition-notification-to"))


def test_base64_within_odd_bytes_is_masked() -> None:
    token = base64.b64encode(BUYER.encode() + b"!").rstrip(b"=") + b"helloOnF"
    text = b'%40xx\xe6\x11\xb2\x94"H`#' + token + b"\x9d\n"
    for body in copies(f"From: {CARRIER}\n\n".encode() + text):
        assert token[:20] not in body
    assert scan([], text, FORBIDDEN)


@pytest.mark.parametrize(
    "value",
    [
        b"\xe4%s", b"x \xe3\x81%s y", b"=?utf-8?B?4w==?= \xff%s",
        b"=?utf-8?q?=E4%s?=", b"=?us-ascii?q?a_=FC%s?=",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_no_letter_of_a_header_either(value: bytes) -> None:
    """Many programs show a mark for it, and the address behind it stands whole."""
    value = value % BUYER.encode()
    assert scan([Header(b"Subject", value)], b"", FORBIDDEN)
    mask = Masker({BUYER: B})
    for done in (mask_text(value, mask), mask_mailboxes(value, lambda _: None, mask)):
        assert not scan([Header(b"Subject", done)], b"", FORBIDDEN)
        assert B in decode_words(done)


@pytest.mark.parametrize("sign", ["!", "&", "o'"])
def test_an_address_behind_a_sign_is_one_to_an_eye(sign: str) -> None:
    value = f"a <{sign}{BUYER}>".encode()
    done = mask_mailboxes(value, lambda _: None, Masker({BUYER: B}))
    assert scan([Header(b"X", value)], b"", FORBIDDEN)
    assert done == f"a <{sign}{B}>".encode()


def test_a_domain_goes_on_behind_no_more_hyphens_than_a_name_has() -> None:
    text = f"{BUYER}{'-' * 300}.b"
    assert scan([], text.encode(), FORBIDDEN)
    assert Masker({BUYER: B})(text) == f"{B}{'-' * 300}.b"
    text = f"{BUYER}{'-' * 60}.b"
    assert Masker({BUYER: B})(text) is text


@pytest.mark.parametrize(
    "key",
    ['"a\\"b"@doe.zip', '"john doe"@doe.example', '"john..doe"@doe.example', '""@doe.example'],
)
def test_a_quoted_local_part_is_masked_in_names_and_comments(key: str) -> None:
    mask, forbidden = Masker({key: B}), {key: "b"}
    for value in (f"{key} <x@y.example>", f"({key}) x@y.example", f"x@y.example ({key})"):
        done = mask_mailboxes(value.encode(), lambda _: None, mask)
        assert scan([Header(b"X", value.encode())], b"", forbidden)
        assert not scan([Header(b"X", done)], b"", forbidden)
        assert B in decode_words(done)
        assert [str(box.address) for box in find_mailboxes(done)][-1:] == ["x@y.example"]


def test_what_is_escaped_twice_is_seen() -> None:
    text = BUYER.replace("@", "%25%34%30")
    assert scan([], text.encode(), FORBIDDEN)
    literal = "john@[192.0.2.1]"
    assert Masker({literal: B})("john%40%5B192.0.2.1%5D") == B.replace("@", "%40")


def test_an_organiser_who_is_named_elsewhere_is_not_left_out() -> None:
    """RFC 5545 section 3.8.4.3: answers go there, whoever else the message names."""
    eve, who = "eve@evil.example", "victim@v.example"
    invitation = f"BEGIN:VCALENDAR\nMETHOD:X\nORGANIZER:mailto:{who}\nEND:VCALENDAR\n"
    raw = f"From: {eve}\nTo: {who}\nContent-Type: text/calendar\n\n{invitation}"
    done = mail(raw, order(BUYER, SHOP, guest_limit=0), to=S).plan()
    assert [str(each.address) for each in done.records[0].joined if each.role == "partner"] == [
        eve,
        who,
    ]
    assert not any(each.startswith("left out") for each in done.records[0].notes)


@pytest.mark.parametrize(
    "spelled",
    [TOKEN, BUYER.encode().hex(), "jo%68n%40doe.example", f"https://t.example/{TOKEN}?x"],
)
@pytest.mark.parametrize(
    "field", ["Subject: see {} now", 'To: "{}" <zoe@x.example>', "Cc: x@y.example ({})"]
)
def test_what_hides_in_a_header_is_masked(field: str, spelled: str) -> None:
    raw = f"From: {CARRIER}\n{field.format(spelled)}\n\nx\n"
    headers, body = parse(raw.encode())
    assert scan(headers, body, FORBIDDEN)
    row = mail(raw, EVERYBODY, to=S)
    done = row.plan()
    left = applied(row.message, done)
    assert not scan(left.headers, left.body, FORBIDDEN)
    assert not scan(*parse(bytes(done.records[0].raw)), FORBIDDEN)
    value = left.first(field.partition(":")[0].lower().encode()) or b""
    assert scan([Header(b"X", value)], b"", {B: "b"}) or B.encode() in value


def test_addresses_that_overlap_are_all_masked() -> None:
    text = "doe.example=john@doe.example=john@ida@x.example"
    assert scan([], text.encode(), FORBIDDEN)
    mask = Masker({BUYER: B})
    assert not scan([], mask(text).encode(), FORBIDDEN)
    assert not scan([], mask(f"{text} " * 50 + text).encode(), FORBIDDEN)


@pytest.mark.parametrize("type_", ["text/plain", "text/calendar"])
def test_an_address_that_a_charset_lacks_stays_an_alias(type_: str) -> None:
    """Of a message without parts the charset is declared in its own header, which stays."""
    reader = person("\u6d4b@far.example", "partner", "c" * 32)
    line = "ATTENDEE:mailto:{}" if "calendar" in type_ else "Dear {},"
    raw = f"From: {CARRIER}\nContent-Type: {type_}; charset=iso-8859-1\n\n{line}\n"
    alias = hard("c")
    body = mail(raw.format(alias), order(BUYER, SHOP, CARRIER, reader), to=alias).sent().body
    assert alias.encode() in body
    assert b"?" not in body


def test_identifiers_of_many_people_are_looked_up_and_not_gone_through() -> None:
    """As many identifiers as people, all of them short: none is compared with each."""
    people = [person(f"p{n}@b", "partner", f"{n:032x}") for n in range(1500)]
    crowd = order(BUYER, *people)
    count = 0

    def told(key: str) -> bool:
        nonlocal count
        count += 1
        return len(key) > 5

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(message_ids.short_addresses, "is_long_enough", told)
        for number in range(300):
            found = message_ids.find_person(f"<{number}.p{number}@b@x.example>".encode(), crowd)
            assert found is people[number]
            assert message_ids.find_person(f"<{number}@elsewhere.example>".encode(), crowd) is None
    assert count < 10 * 300


@pytest.mark.parametrize(
    "value", [f"{BUYER}=?utf-8?b?YQ==?= x", f"=?utf-8?q?a?={BUYER} x", f"x {BUYER}=?utf-8?q?.b?="]
)
def test_an_encoded_word_that_touches_is_text_to_some(value: str) -> None:
    assert scan([Header(b"Subject", value.encode())], b"", FORBIDDEN)
    mask = Masker({BUYER: B})
    for done in (
        mask_text(value.encode(), mask),
        mask_mailboxes(value.encode(), lambda _: None, mask),
    ):
        assert not scan([Header(b"Subject", done)], b"", FORBIDDEN)
        assert B in decode_words(done)
    other = value.replace(BUYER, "zoe@elsewhere.example").encode()
    assert mask_text(other, mask) is other
