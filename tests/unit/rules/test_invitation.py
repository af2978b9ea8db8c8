"""Invitations: whom they bring in, what their readers see, and their identifiers both ways."""

import base64
import quopri
import re
from dataclasses import replace
from urllib.parse import quote, unquote

import pytest
from builders import (
    ANN,
    BUYER,
    CARRIER,
    DOMAIN,
    SHOP,
    A,
    B,
    S,
    mail,
    order,
    person,
)
from cost import within
from invitations import TALK, done, letter

from conversation_tracker.core.masking.part import content_lines
from conversation_tracker.core.model.conversation import MappedId
from conversation_tracker.core.model.first_pass import FirstPass
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.rules.recording import invited
from conversation_tracker.core.views import calendar_ids, message_ids

EVE = "eve@far.example"
OBJECT = "BEGIN:VCALENDAR\r\n{}\r\nBEGIN:VEVENT\r\n{}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


def joined(found: Plan) -> list[str]:
    """Show who joins."""
    return [str(each.address).lower() for each in found.records[0].joined]


def unfolded(body: object) -> str:
    data = bytes(body[:]) if not isinstance(body, bytes) else body  # type: ignore[index]
    return data.decode().replace("\r\n ", "").replace("\n ", "").replace("\r\n\t", "")


PEOPLE = [
    (f"ORGANIZER:mailto:{ANN}", [ANN]),
    (f"ORGANIZER;CN=Ann:MAILTO:{ANN.upper()}", [ANN]),
    (f"ORGANIZER;CN=\"Ann: a, b; c\":mailto:{ANN}", [ANN]),
    (f"ORGANIZER;SENT-BY=\"mailto:{EVE}\":mailto:{ANN}", [ANN, EVE]),
    (f"ORGANIZER;SENT-BY=mailto:{EVE}:mailto:{ANN}", [ANN, EVE]),
    (f"ATTENDEE;DELEGATED-TO=\"mailto:{EVE}\",\"mailto:{ANN}\":mailto:{B}", [EVE, ANN]),
    (f"ATTENDEE;DELEGATED-FROM=\"mailto:{EVE}\":mailto:{B}", [EVE]),
    (f"ATTENDEE;MEMBER=\"mailto:{EVE}\",\"mailto:{ANN}\":mailto:{B}", [EVE, ANN]),
    (f"ATTENDEE;CN=Ann;EMAIL={ANN}:urn:uuid:1", [ANN]),
    (f"ORGANIZER;CN=Ann;EMAIL=\"{ANN}\":/aMTAz/principal/", [ANN]),
    ("ATTENDEE:invalid:nomail", []),
    ("ATTENDEE:mailto:", []),
    ("ATTENDEE", []),
    ("ATTENDEE;CN=\"x:mailto:" + ANN, [ANN]),
    (f"ATTENDEE:mailto: {ANN}", [ANN]),
    (f"ATTENDEE:mailto:mailto:{ANN}", [ANN]),
    (f"ATTENDEE:mailto:{ANN.replace('@', '%40')}?subject=x", [ANN]),
    (f"ATTENDEE;ROLE=ATTENDEE:Ann Lee <{ANN}>", [ANN]),
    (f"ATTENDEE;ENCODING=QUOTED-PRINTABLE:{ANN.replace('@', '=40')[:12]}=\r\n{ANN[10:]}", [ANN]),
    ("ATT\r\n ENDEE:mai\r\n lto:an\r\n\tn@friends.example", [ANN]),
    (f"SUMMARY:ATTENDEE:mailto:{ANN}", []),
    (f"X-MS-OLK-SENDER:mailto:{ANN}", []),
    (f"ORGANIZER:SMTP:{ANN}", [ANN]),
    (f"ORGANIZER:'mailto:{ANN}'", [ANN]),
    ("ORGANIZER:mailto:o'neill@friends.example", ["o'neill@friends.example"]),
    (f"ATTENDEE:mailto:{ANN},mailto:{EVE}", [ANN, EVE]),
    (f"ATTENDEE;DELEGATED-TO=\"mailto:{ANN},mailto:{EVE}\":mailto:{B}", [ANN, EVE]),
    (f"ATTENDEE;MEMBER=\"mailto:{ANN};MAILTO:{EVE}\":mailto:{B}", [ANN, EVE]),
    (f"ATTENDEE;EMAIL=mailto:{ANN}:urn:uuid:1", [ANN]),
    ("ORGANIZER:mailto:j%C3%B6rg@b%C3%BCcher.example", ["jörg@xn--bcher-kva.example"]),
    (f"ATTENDEE;X-NUM=0;DIR=\"mailto:{EVE}\":mailto:{ANN}", [ANN]),
]  # fmt: skip


@pytest.mark.parametrize(("line", "people"), PEOPLE)
@pytest.mark.parametrize("inner", ["{}", "BEGIN:VALARM\r\nACTION:EMAIL\r\n{}\r\nEND:VALARM"])
def test_whom_an_invitation_names_joins_and_is_masked(
    line: str, people: list[str], inner: str
) -> None:
    found, sent = done(letter(OBJECT.format("METHOD:REQUEST", inner.format(line))))
    assert sorted(joined(found)) == sorted(people)
    for each in people:
        assert each not in unfolded(sent.body).lower()
        assert each not in unfolded(found.records[0].raw).lower()


@pytest.mark.parametrize("line", ["ORGANIZER:mailto:{}", 'ATTENDEE;SENT-BY="mailto:{}":x:y'])
def test_a_reader_sees_their_address_where_their_alias_is_written_with_percent_signs(
    line: str,
) -> None:
    lines = line.format(A.replace("@", "%40"))
    _, sent = done(letter(OBJECT.format("METHOD:REPLY", lines), author=BUYER), to=A, sender=BUYER)
    assert line.format(CARRIER) in unfolded(sent.body)


def test_nothing_else_of_such_a_link_is_decoded() -> None:
    """A line end in it would begin another line."""
    line = "ORGANIZER:mailto:{}%20x%0D%0AX-A:b"
    lines = line.format(A.replace("@", "%40"))
    _, sent = done(letter(OBJECT.format("METHOD:REPLY", lines), author=BUYER), to=A, sender=BUYER)
    assert b"\nX-A" not in sent.body[:]
    assert "%20x%0D%0AX-A:b" in unfolded(sent.body)


METHODS = [
    ("METHOD:REQUEST", "text/calendar", True),
    ("method:reply", "text/calendar", True),
    ("METHOD;X-A=\"b:c\":CANCEL", "text/calendar", True),
    ("METH\r\n OD:COUNTER", "text/calendar", True),
    ("VERSION:2.0", "text/calendar; method=DECLINECOUNTER", True),
    ("VERSION:2.0", "text/calendar; charset=utf-8; METHOD=\"ADD\"", True),
    ("METHOD:REFRESH", "application/ics; name=invite.ics", True),
    ("METHOD:PUBLISH", "application/octet-stream; name=\"invite.ics\"", True),
    ("METHOD:PUBLISH", "application/octet-stream", True),
    ("METHOD:REQUEST", "text/plain; name=invite.ics", True),
    ("METHOD:REQUEST", "application/json; name=old.VCS", True),
    ("METHOD:REQUEST", "application/json; name=old.json", False),
    ("METHOD:REQUEST", "text/plain", True),
    ("VERSION:1.0\r\nMETHOD:REQUEST", "text/x-vcalendar", True),
    ("VERSION:2.0", "text/calendar", False),
    ("METHOD:", "text/calendar", False),
    ("METHOD:  ", "text/calendar; method=\"\"", False),
    ("X-METHOD:REQUEST", "text/calendar", False),
    ("SUMMARY:METHOD:REQUEST", "application/ics", False),
    ("METHOD:REQUEST", "text/html", False),
    ("METHOD:REQUEST", "application/calendar+json", False),
]  # fmt: skip


@pytest.mark.parametrize(("method", "type", "invites"), METHODS)
@pytest.mark.parametrize("way", ["8bit", "base64", "quoted-printable"])
def test_only_what_has_a_method_invites(method: str, type: str, invites: bool, way: str) -> None:
    text = OBJECT.format(method, f"ORGANIZER:mailto:{ANN}")
    data = text.encode()
    if way == "base64":
        data = base64.encodebytes(data)
    elif way == "quoted-printable":
        data = quopri.encodestring(data, quotetabs=True)
    fields = (f"Content-Type: {type}", f"Content-Transfer-Encoding: {way}")
    found, sent = done(letter(data, *fields))
    assert joined(found) == ([ANN] if invites else [])
    assert (sent.body[:] == data) is not invites


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-32", "cp037"])
def test_an_invitation_in_a_charset_without_ascii_invites(charset: str) -> None:
    data = OBJECT.format("METHOD:REQUEST", f"ATTENDEE:mailto:{ANN}").encode(charset)
    fields = (
        f"Content-Type: text/calendar; charset={charset}",
        "Content-Transfer-Encoding: base64",
    )
    found, sent = done(letter(base64.encodebytes(data), *fields))
    assert joined(found) == [ANN]
    assert ANN not in base64.b64decode(sent.body[:]).decode(charset)


@pytest.mark.parametrize("type", ["message/rfc822", "message/global", "application/octet-stream"])
@pytest.mark.parametrize("alone", [True, False])
def test_the_invitations_of_an_attached_message_bring_nobody_in(type: str, *, alone: bool) -> None:
    """They were sent to others, another time: an answer to them is no matter of this order."""
    lines = f"ATTENDEE:mailto:{ANN}\r\nUID:1@doe.example"
    attached = letter(OBJECT.format("METHOD:REQUEST", lines), author=EVE)
    if alone:
        found, _ = done(letter(attached, f"Content-Type: {type}"))
    else:
        part = f"--b\nContent-Type: {type}\n\n".encode() + attached + b"\n--b--\n"
        found, _ = done(letter(part, "Content-Type: multipart/mixed; boundary=b"))
    assert joined(found) == []
    assert found.records[0].identifiers == ()


def test_of_several_objects_those_with_a_method_invite() -> None:
    text = OBJECT.format("METHOD:REQUEST", f"ATTENDEE:mailto:{ANN}")
    text += OBJECT.format("VERSION:2.0", f"ATTENDEE:mailto:{EVE}\r\nUID:1@doe.example")
    found, sent = done(letter(text))
    assert joined(found) == [ANN]
    assert f"ATTENDEE:mailto:{EVE}\r\nUID:1@doe.example\r\n" in unfolded(sent.body)


def test_who_organises_in_the_old_format_is_not_left_out() -> None:
    lines = f"ATTENDEE;ROLE=ORGANIZER:Ann <{ANN}>\r\nATTENDEE;ROLE=ATTENDEE:Eve <{EVE}>"
    talk = order(BUYER, CARRIER, guest_limit=0)
    text = letter(OBJECT.format("VERSION:1.0\r\nMETHOD:X", lines))
    found, sent = done(text, conversation=talk)
    assert joined(found) == [ANN]
    assert EVE not in unfolded(sent.body)
    assert found.records[0].notes == ("left out: 1",)


def test_a_fold_inside_a_character_hides_nobody() -> None:
    """RFC 5545 section 3.1: simple programs fold between octets."""
    address = "jörg@bücher.example"
    talk = order(person(address, "buyer", "b" * 32), CARRIER)
    line = f"SUMMARY:für {address}".encode()
    for at in range(9, len(line)):
        torn = line[:at] + b"\r\n " + line[at:]
        for method in ("METHOD:REQUEST", "VERSION:2.0"):
            data = OBJECT.format(method, "@@").encode().replace(b"@@", torn)
            for type in ("text/calendar; charset=utf-8", "application/octet-stream"):
                raw = letter(data, f"Content-Type: {type}")
                _, sent = done(raw, conversation=talk, to=A, sender=SHOP)
                assert f"SUMMARY:für {B}\r\n" in unfolded(sent.body), (at, method, type)


@pytest.mark.parametrize("at", range(1, 70))
def test_a_fold_anywhere_keeps_everything_together(at: int) -> None:
    line = f'ATTENDEE;CN=Jörg;MEMBER="mailto:{EVE}":mailto:{ANN}'.encode()
    folded = line[:at] + b"\r\n " + line[at:]
    data = OBJECT.format("METHOD:REQUEST", "@@").encode().replace(b"@@", folded)
    found, sent = done(letter(data))
    assert sorted(joined(found)) == [ANN, EVE]
    assert all(each not in unfolded(sent.body) for each in (ANN, EVE))


def test_line_ends_that_are_written_twice_part_nothing() -> None:
    lines = (
        f"ORGANIZER:mailto:an\r\r\n n@friends.example\r\r\nSUMMARY:{BUYER[:5]}\r\r\n {BUYER[5:]}"
    )
    text = OBJECT.format("METH\r\r\n OD:REQUEST", lines).replace("TH\r\n", "TH\r\r\n")
    found, sent = done(letter(text), to=A, sender=SHOP)
    assert joined(found) == [ANN]
    assert f"SUMMARY:{B}\r" in unfolded(sent.body)


@pytest.mark.parametrize("end", ["=\r\n", "=\n", "=\r\n ", "=\n\t", "\r\n "])
@pytest.mark.parametrize("type", ["text/calendar", "text/x-vcalendar", "application/octet-stream"])
def test_a_quoted_printable_value_is_read_with_its_blanks_and_without(end: str, type: str) -> None:
    whole = f"for {BUYER} or who"
    for at in range(1, len(whole)):
        line = f"DESCRIPTION;ENCODING=QUOTED-PRINTABLE:{whole[:at]}{end}{whole[at:]}"
        text = OBJECT.format("METHOD:REQUEST", line)
        _, sent = done(letter(text, f"Content-Type: {type}"), to=A, sender=SHOP)
        value = sent.body[:].decode().partition("PRINTABLE:")[2].partition("END:")[0]
        for soft in ("=\\r?\\n[ \\t]?", "=\\r?\\n"):
            shown = re.sub("\\r?\\n[ \\t]", "", re.sub(soft, "", value))
            assert BUYER not in shown, (at, value)


@pytest.mark.parametrize(
    "address", ["jörg@bücher.example", "jörg@plain.example", "ann@bücher.example"]
)
@pytest.mark.parametrize("before", ["", "mailto:", "https://x.example/?to="])
@pytest.mark.parametrize(
    "type", ["text/plain", "text/html", "text/calendar", "application/json", "text/css"]
)
def test_an_address_beyond_ascii_is_masked_behind_percent_signs(
    address: str, before: str, type: str
) -> None:
    talk = order(BUYER, CARRIER, person(address, "partner", "c" * 32))
    for spelled in (quote(address), quote(address, safe="@").lower(), quote(quote(address))):
        text = f"See {before}{spelled} there\n"
        _, sent = done(letter(text, f"Content-Type: {type}"), conversation=talk)
        assert unquote(spelled) not in sent.body[:].decode()
        assert "c" * 32 in sent.body[:].decode()


# Identifiers

UIDS = [
    "77@carrier.example",
    "77@mail.carrier.example",
    "desk@carrier.example",
    f"{CARRIER}-20260105/1",
    "<77@carrier.example>",
    "a\\,b\\;c@carrier.example",
    "77 x@Carrier.Example",
    "ü@carrier.example",
    "7-desk%40carrier.example",
    "040000008200E00074C5B7101A82E00800000000" + b"7 desk@carrier.example\0".hex().upper(),
    base64.b64encode(b"7 desk@carrier.example").decode() + "@google.com",
    base64.urlsafe_b64encode(b"77777@carrier.example").decode().rstrip("="),
    b"\x04\0\0\0vCal-Uid\x01\0\0\0".hex().upper() + b"77@carrier.example\0".hex(),
]


def uid(body: object, name: str = "UID") -> list[str]:
    lines = unfolded(body).splitlines()
    return [line.partition(":")[2] for line in lines if line.partition(":")[0] == name]


@pytest.mark.parametrize("original", UIDS)
@pytest.mark.parametrize("at", [0, 5, 9])
def test_an_identifier_is_ours_on_the_way_and_the_original_again_on_its_way_back(
    original: str, at: int
) -> None:
    line = f"UID:{original}"
    line = line[:at] + "\r\n " + line[at:] if at else line
    lines = f"{line}\r\nRECURRENCE-ID:20260110T100000Z\r\nRELATED-TO;RELTYPE=PARENT:{original}"
    text = OBJECT.format("METHOD:REQUEST", f"ORGANIZER:mailto:{CARRIER}\r\n{lines}")
    found, sent = done(letter(text))
    [ours] = uid(sent.body)
    assert ours == message_ids.make_identifier(f"<{original}>".encode(), TALK.order)[1:-1]
    assert uid(sent.body, "RELATED-TO;RELTYPE=PARENT") == [ours]
    assert uid(sent.body, "RECURRENCE-ID") == ["20260110T100000Z"]
    assert "carrier" not in unfolded(found.records[0].raw)
    [mapped] = found.records[0].identifiers
    assert mapped == MappedId(f"<{ours}>", f"<{original}>", A.partition("@")[0])
    answer = OBJECT.format("METHOD:REPLY", f"UID:{ours}\r\nATTENDEE:mailto:{BUYER}")
    known = {mapped.ours: mapped}
    back, sent = done(letter(answer, author=BUYER), to=A, known=known, sender=BUYER)
    assert uid(sent.body) == [original]
    assert f"ATTENDEE:mailto:{B}" in unfolded(sent.body)
    assert uid(back.records[0].raw) == [ours]
    assert back.records[0].identifiers == ()


@pytest.mark.parametrize(
    "original",
    ["77@elsewhere.example", "040000008200E00074C5B7101A82E008", "77@shop.example", "a", "", "@",
     "77@gmail.com", "0q2gcabcdefghijklmnopqrstu@google.com", "77%40elsewhere.example",
     "m-0@" + DOMAIN],
)  # fmt: skip
def test_an_identifier_that_reveals_nobody_stays(original: str) -> None:
    gmail = order(BUYER, CARRIER, SHOP, person("j.doe@gmail.com", "partner", "c" * 32))
    text = OBJECT.format("METHOD:REQUEST", f"UID:{original}")
    found, sent = done(letter(text), conversation=gmail)
    assert uid(sent.body) == [original]
    assert found.records[0].identifiers == ()


def test_the_stores_address_in_an_identifier_comes_back_too() -> None:
    original = f"1.{SHOP}"
    text = OBJECT.format("METHOD:REQUEST", f"UID:{original}")
    found, sent = done(letter(text, author=SHOP), sender=SHOP)
    assert SHOP not in unfolded(sent.body)
    [mapped] = found.records[0].identifiers
    answer = OBJECT.format("METHOD:REPLY", f"UID:{uid(sent.body)[0]}")
    _, sent = done(letter(answer, author=BUYER), to=S, known={mapped.ours: mapped}, sender=BUYER)
    assert uid(sent.body) == [original]


def test_two_of_one_domain_see_the_original_and_no_address_of_the_other() -> None:
    """It says no more than that they have one domain; both programs know it already."""
    other = person("dispatch@carrier.example", "partner", "d" * 32)
    talk = order(BUYER, CARRIER, other)
    for original, whose in (("77@carrier.example", "ad"), (f"7.{CARRIER}", "a")):
        ours = message_ids.make_identifier(f"<{original}>".encode(), talk.order)
        known = {ours: MappedId(ours, f"<{original}>", "a" * 32)}
        for reader in talk:
            seen = original if reader.token[0] in whose else ours[1:-1]
            assert calendar_ids.find_stand_in(original, talk, reader, {}) == seen
            assert calendar_ids.find_stand_in(ours[1:-1], talk, reader, known) == seen
        assert calendar_ids.find_stand_in(original, talk, None, known) == ours[1:-1]


def test_both_parts_of_a_message_stay_in_step() -> None:
    lines = f"UID:1@carrier.example\r\nORGANIZER:mailto:{ANN}\r\nATTENDEE:mailto:{B}"
    text = OBJECT.format("METHOD:REQUEST", lines)
    code = base64.encodebytes(text.encode()).decode()
    body = (
        "--x\nContent-Type: multipart/alternative; boundary=y\n\n"
        "--y\nContent-Type: text/plain\n\nYou are invited.\n"
        f"--y\nContent-Type: text/calendar; method=REQUEST; charset=UTF-8\n\n{text}\n--y--\n"
        "--x\nContent-Type: application/ics; name=\"invite.ics\"\n"
        "Content-Disposition: attachment; filename=\"invite.ics\"\n"
        f"Content-Transfer-Encoding: base64\n\n{code}--x--\n"
    )  # fmt: skip
    found, sent = done(
        letter(body, "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=x")
    )
    assert joined(found) == [ANN]
    first = sent.body.split(b"charset=UTF-8\n\n")[1].split(b"\n--y--")[0]
    second = base64.b64decode(sent.body.split(b"base64\n\n")[1].split(b"--x--")[0])
    assert first == second
    assert f"ATTENDEE:mailto:{BUYER}" in unfolded(first)
    assert len(found.records[0].identifiers) == 1


def test_an_unkept_or_endless_identifier_is_masked_and_not_mapped_back() -> None:
    for original in ("1\0@carrier.example", "1" * 2_000 + "@carrier.example"):
        text = OBJECT.format("METHOD:REQUEST", f"UID:{original}")
        found, sent = done(letter(text))
        assert "carrier" not in unfolded(sent.body)
        assert found.records[0].identifiers == ()
    wanted = OBJECT.format("METHOD:REPLY", f"UID:1\0@{DOMAIN}\r\nUID:2@{DOMAIN}")
    assert invited(mail(letter(wanted), TALK, to=B).message) == [f"<2@{DOMAIN}>"]


def test_thousands_of_identifiers_are_mapped_up_to_a_limit() -> None:
    lines = "\r\n".join(f"UID:{number}@carrier.example" for number in range(3_000))
    found, sent = within(20, lambda: done(letter(OBJECT.format("METHOD:PUBLISH", lines))))
    assert len(found.records[0].identifiers) == calendar_ids.MOST
    assert "carrier" not in unfolded(sent.body)


def test_a_reader_sees_their_own_address_in_their_identifier_and_the_copy_is_none_the_worse() -> (
    None
):
    """The final scan does not take it for an address that stands where nobody reads it."""
    original = f"7.{BUYER}"
    text = OBJECT.format("METHOD:REQUEST", f"UID:{original}\r\nATTENDEE:mailto:{B}")
    ours = message_ids.make_identifier(f"<{original}>".encode(), TALK.order)
    known = {ours: MappedId(ours, f"<{original}>", "b" * 32)}
    answer = text.replace(original, ours[1:-1])
    _, sent = done(letter(answer), known=known)
    assert uid(sent.body) == [original]
    assert f"ATTENDEE:mailto:{BUYER}" in unfolded(sent.body)


HOSTILE = {
    "no colon": "ATTENDEE;" * 100_000,
    "quotation marks": "ATTENDEE;CN=" + '"' * 500_000,
    "parameters": "ATTENDEE" + ";A=b" * 200_000 + ":mailto:x@far.example",
    "folds": "ATTENDEE:mailto:x@far" + "\r\n " * 300_000 + ".example",
    "members": 'ATTENDEE;MEMBER="mailto:a@b.example"' + ',"mailto:a@b.example"' * 30_000 + ":x:y",
    "soft breaks": "ATTENDEE;QUOTED-PRINTABLE:" + "=\r\n" * 200_000,
    "mailto": "ATTENDEE:" + "mailto:" * 100_000,
    "angles": "ATTENDEE:" + "<" * 500_000,
    "methods": "METHOD:X\r\n" * 60_000,
    "objects": "BEGIN:VCALENDAR\r\nMETHOD:X\r\nUID:1@carrier.example\r\n" * 10_000,
    "identifiers": "UID:" + "@carrier.example" * 30_000,
    "attendees": "\r\n".join(f"ATTENDEE:mailto:a{n}@far.example" for n in range(30_000)),
    "torn": "SUMMARY:" + "ä" * 200_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_calendars_take_bounded_time(kind: str) -> None:
    text = OBJECT.format("METHOD:REQUEST", HOSTILE[kind])
    data = text.encode().replace(b"\xc3\xa4", b"\xc3\r\n \xa4")
    talk = order(BUYER, CARRIER, guest_limit=5)
    found, _ = within(30, lambda: done(letter(data), conversation=talk))
    assert sum(each.named for each in found.records[0].joined) <= 5


@pytest.mark.slow
def test_a_hundred_thousand_attendees_of_a_large_invitation() -> None:
    lines = "\r\n".join(f"ATTENDEE;CN=A{n}:mailto:a{n}@far.example" for n in range(100_000))
    data = OBJECT.format("METHOD:REQUEST", lines)
    talk = order(BUYER, CARRIER, guest_limit=5)
    found, _ = within(60, lambda: done(letter(data), conversation=talk))
    assert len(joined(found)) == 5


@pytest.mark.slow
def test_a_large_invitation_is_one_to_its_end_whatever_its_type() -> None:
    for type in ("text/calendar", "application/octet-stream", "text/plain"):
        filler = "X-A:" + "b" * 70 + "\r\n"
        lines = f"{filler * 20_000}UID:7@carrier.example\r\nSUMMARY:for {BUYER[:6]}\r\n {BUYER[6:]}"
        text = letter(OBJECT.format("METHOD:REQUEST", lines), f"Content-Type: {type}")
        _, sent = done(text, to=A, sender=SHOP)
        shown = unfolded(sent.body)
        assert f"SUMMARY:for {B}" in shown
        text = letter(OBJECT.format("METHOD:REQUEST", lines), f"Content-Type: {type}")
        _, sent = done(text)
        assert "carrier" not in unfolded(sent.body)


def test_a_pass_that_went_before_brings_nobody_in_and_maps_all_the_same() -> None:
    text = OBJECT.format("METHOD:REQUEST", f"UID:1@carrier.example\r\nATTENDEE:mailto:{EVE}")
    row = mail(letter(text), TALK, to=B, sender=CARRIER)
    arrival = replace(row.message.arrival, split=True, first_pass=FirstPass(b"d" * 32, "verified"))
    found = replace(row, message=replace(row.message, arrival=arrival)).plan()
    assert found.reply is None
    assert joined(found) == []
    assert len(found.records[0].identifiers) == 1


def test_lines_are_taken_apart_as_far_as_they_can_be() -> None:
    assert content_lines.read_name("a.attendee;X:y") == "ATTENDEE"
    assert content_lines.read_name("attendee") == ""
    assert list(content_lines.find_others('ATTENDEE;MEMBER="mailto:x')) == []
    assert content_lines.mend(data := b"ab\r\n c") is data
