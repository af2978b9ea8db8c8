"""What is known of a message is not found out again, and changes nothing of what comes out."""

import base64
import binascii
import quopri
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from builders import (
    BUYER,
    CARRIER,
    SHOP,
    A,
    B,
    Mail,
    S,
    hard,
    mail,
    order,
    own,
    person,
    soft,
    written,
)
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.header import headers, part_header
from conversation_tracker.core.masking.part import (
    attachment,
    calendar,
    content_lines,
    large,
    leaf,
)
from conversation_tracker.core.masking.text import links, obfuscated
from conversation_tracker.core.model import address
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.model.part_cache import CleanParts, PartCache
from conversation_tracker.core.scanning import scan_pass
from conversation_tracker.core.scanning.content_scan import ContentScan
from conversation_tracker.core.scanning.pdf import pages
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.scanning.text import decodings
from conversation_tracker.core.scanning.text.text_search import TextSearch
from conversation_tracker.core.syntax import charset, transfer
from conversation_tracker.core.syntax.contents import Contents
from conversation_tracker.core.views import view

SOFT = "{}-207700027841b.ct.example.com"
NAMES = [
    BUYER, CARRIER, SHOP, A, B, S, *map(SOFT.format, (BUYER, CARRIER, SHOP)),
    "ann@doe.example", "doe.example", "ct.example.com", "eve@other.example",
    "ff2e6348a53a4d449af92be2a1011328@ct.example.com",
]  # fmt: skip
WAYS: list[Callable[[str], str]] = [
    str,
    str.upper,
    lambda name: base64.b64encode(f"to {name} !".encode()).decode(),
    lambda name: name.encode().hex(),
    lambda name: "".join(f"&#{ord(each)};" for each in name),
    lambda name: f'<a href="mailto:{name.replace("@", "%40")}">write</a>',
    lambda name: f'<img src="cid:1.{name}">',
    lambda name: "https://x.example/?" + "".join(f"%{ord(each):02x}" for each in name),
    lambda name: name[:3] + "\u200b" + name[3:],
    lambda name: name[:3] + "<b></b>" + name[3:],
]
TYPES = ["text/plain", "text/html", "application/octet-stream", "text/calendar", "message/rfc822"]

pieces = st.builds(lambda way, name: way(name), st.sampled_from(WAYS), st.sampled_from(NAMES))
rest = st.sampled_from(["Hello", "=?", "\u00e4", "-----BEGIN X", "a\0b"])
texts = st.lists(pieces | rest, max_size=3)
parts = st.tuples(st.sampled_from(TYPES), st.booleans(), texts.map(" \n".join))


def multipart(found: list[tuple[str, bool, str]]) -> bytes:
    """Write a message of several parts, some of them in base64."""
    subject = " ".join(inside.replace("\0", "").replace("\n", "") for *_, inside in found)
    fields = (
        "MIME-Version: 1.0",
        "Content-Type: multipart/mixed; boundary=b",
        f"X-Text: {subject}",
    )
    text = written(BUYER, f"Comments: {subject}", f"Subject: {subject}", *fields).encode()
    for type, based, inside in found:
        data = inside.encode()
        line = inside.replace("\0", "").replace("\n", "")
        text += f"\n{line}\n--b\nContent-Type: {type}; charset=utf-8\n".encode()
        text += f"Content-ID: <1.{line}>\nContent-Description: {line}\n".encode()
        text += b"Content-Transfer-Encoding: base64\n\n" if based else b"\n"
        text += base64.encodebytes(data) if based else data
    return text + b"\n--b--\n"


def planned(given: Mail) -> str:
    """Return all of what happens to a message."""
    return repr(given.plan())


def forgetting(patch: pytest.MonkeyPatch) -> None:
    """Let nothing be known of any message."""
    looked = Scanner.look

    def anew(scanner: Scanner, *arguments: Any, **more: Any) -> Any:
        scanner.nobody.clear()
        return looked(scanner, *arguments, **more)

    patch.setattr(PartCache, "clean_parts", lambda part_cache, people: CleanParts())
    patch.setattr(Scanner, "look", anew)


@given(st.lists(parts, min_size=1, max_size=3), st.sampled_from([A, B, S]), st.booleans())
def test_every_copy_and_record_is_as_if_nothing_were_known(
    found: list[tuple[str, bool, str]], to: str, soft: bool
) -> None:
    """Whatever stands in it of whomever: the reader's own aliases are what the record keeps."""
    people = order(BUYER, SHOP, CARRIER, mask="soft" if soft else "hard")
    text = multipart(found)
    once = planned(mail(text, people, to=to))
    with pytest.MonkeyPatch.context() as patch:
        forgetting(patch)
        assert planned(mail(text, people, to=to)) == once


def counted(patch: pytest.MonkeyPatch, module: ModuleType, name: str) -> list[Any]:
    """Count the calls of a function by what it is called with."""
    real, calls = getattr(module, name), []

    def counting(*arguments: Any, **more: Any) -> Any:
        calls.append(arguments)
        return real(*arguments, **more)

    patch.setattr(module, name, counting)
    return calls


@pytest.mark.parametrize("text", ["Hello\n", "See https://doe.example/ and shop.example\n"])
def test_what_names_nobody_is_gone_through_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once by the masking and once by the final scan, for the record and the copy together.

    Of most of it not even that: it is proved together to name nobody.
    """
    monkeypatch.setattr(view, "learn_body", lambda *_: None)
    masked = counted(monkeypatch, leaf, "mask_leaf")
    scanned = counted(monkeypatch, decodings, "decode_blocks")
    looked_into = counted(monkeypatch, attachment, "find_kind")
    assert mail(written(BUYER, body=text), order(BUYER, SHOP, CARRIER), to=A).sent()
    assert (len(masked), len(looked_into)) == (1, 1)
    assert [data for (data,) in scanned if data] == [text.encode()]


def test_what_stands_between_parts_is_gone_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So are their header blocks: most parts of most messages name nobody there."""
    monkeypatch.setattr(view, "learn_body", lambda *_: None)
    blocks = counted(monkeypatch, part_header, "mask_header")
    texts = counted(monkeypatch, large, "edit_text")
    found = [("text/plain", False, "Hello")] * 3
    text = multipart(found).replace(b"\nHello\n--b", b"\n--b")  # no preamble of its own
    text = re.sub(rb"\nContent-(?:ID|Description): .*", b"", text)
    assert mail(text, order(BUYER, SHOP, CARRIER), to=A).sent()
    assert len(blocks) == len(found) + 1  # and the empty one of the whole
    assert len(texts) == 3  # before the first, between the others, and behind the last


def test_a_field_that_names_nobody_is_scanned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone or among others: for the record, and for a copy and what of it may stay."""
    seen: list[bytes] = []
    real = TextSearch.find_in_header

    def seeing(search: TextSearch, field: bytes) -> Iterator[str]:
        seen.append(field)
        return real(search, field)

    monkeypatch.setattr(TextSearch, "find_in_header", seeing)
    fields = "Subject: blue shoes", "Content-Type: multipart/mixed; boundary=b"
    body = "--b\nContent-Description: red shoes\n\nHello\n--b--\n"
    letter = own(written(SHOP, f"To: {BUYER}", *fields, body=body), order(BUYER, SHOP, CARRIER))
    assert letter.sent()
    everything = b"\n".join(seen)
    assert everything.count(b"Subject: blue shoes") == 1
    assert everything.count(b"red shoes") == 1


def test_a_body_that_stays_is_scanned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy whose body is the one of the record has the same parts."""
    parted = counted(monkeypatch, scan_pass, "find_delimiters")
    text = multipart([("text/plain", False, "Hello"), ("text/html", True, "<p>Hello")])
    assert mail(text, order(BUYER, SHOP, CARRIER), to=A).sent()
    assert len(parted) == 1
    other = text.replace(b"Hello\n", b"Hello " + BUYER.encode() + b"\n")
    assert mail(other, order(BUYER, SHOP, CARRIER), to=A).sent()
    assert len(parted) == 3


@pytest.mark.parametrize("type", ["text/plain", "text/html", "text/calendar"])
def test_what_hides_nothing_is_read_in_other_ways_once(
    type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the record found only in clear, a copy need not look for behind escapes."""
    read = counted(monkeypatch, links, "mask_links")
    body = f"SUMMARY:See https://x.example/?a=%41 and {CARRIER}\n"
    text = written(BUYER, f"Content-Type: {type}", body=body)
    sent = mail(text, order(BUYER, SHOP, CARRIER), to=S).sent()
    assert CARRIER.encode() not in sent.body
    once = len([1 for whole, _ in read if "x.example" in whole])
    assert once
    read.clear()
    hidden = text.replace("%41", BUYER.replace("@", "%2540").replace("d", "%64"))
    sent = mail(hidden, order(BUYER, SHOP, CARRIER), to=S).sent()
    assert b"%64oe" not in sent.body
    assert len([1 for whole, _ in read if "x.example" in whole]) > once


READER, LONGER = "reader@doe.example", "joe.reader@doe.example"


@pytest.mark.parametrize("type", ["text/plain", "text/html", "application/octet-stream"])
@pytest.mark.parametrize("mask", ["hard", "soft"])
@pytest.mark.parametrize(
    "text",
    [
        f"joe dot {READER}",
        f"joe%2e{READER}",
        READER.replace("@", " (at) ") + f"-207700027841b.ct.example.com {READER}",
        f"joe dot {soft(READER)} {READER}",
        "joe.reader (at) doe.example%" + BUYER,
    ],
)
def test_the_readers_address_may_be_the_end_of_a_longer_one(
    text: str, mask: str, type: str
) -> None:
    """What the record has an alias in is read otherwise where the reader's address stays."""
    people = order(
        BUYER, SHOP, person(READER, "partner", "c" * 32), person(LONGER, "partner", "d" * 32),
        mask=mask,
    )  # fmt: skip
    letter = mail(written(BUYER, f"Content-Type: {type}", body=f"{text}\n"), people, to=hard("c"))
    once = planned(letter)
    with pytest.MonkeyPatch.context() as patch:
        forgetting(patch)
        assert planned(letter) == once


@pytest.mark.parametrize("text", [f"joe dot {READER}", f"joe%2e{READER}"])
def test_a_file_with_a_longer_address_than_the_readers_is_masked(text: str) -> None:
    """The final scan flags files and lets them pass."""
    people = order(
        BUYER, SHOP, person(READER, "partner", "c" * 32), person(LONGER, "partner", "d" * 32)
    )
    fields = "Content-Type: application/octet-stream", "Content-Disposition: attachment"
    sent = mail(written(BUYER, *fields, body=f"{text}\n"), people, to=hard("c")).sent()
    assert hard("d").encode() in sent.body


def test_fields_that_go_are_not_looked_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signatures and ids of all kinds hide much, and none of a person's stays."""
    looked = counted(monkeypatch, obfuscated, "possible")
    text = written(BUYER, "X-Token: =4A=4B", "Subject: =4C")
    assert mail(text, order(BUYER, SHOP, CARRIER), to=A).sent()
    assert any(b"=4C" in data for data, _ in looked)
    assert not any(b"=4A" in data for data, _ in looked)
    looked.clear()
    assert own(f"From: {SHOP}\nTo: {BUYER}\nX-Token: =4A\n\nHello", order(BUYER, SHOP)).sent()
    assert any(b"=4A" in data for data, _ in looked)


def test_what_a_pdf_draws_is_no_page() -> None:
    """The final scan reads strings where they may be shown, and titles in UTF-16 with them."""
    assert not pages.is_page(bytes(9_000))
    assert not pages.is_page(random.Random(1).randbytes(9_000))
    assert pages.is_page(b"/Title (\\376\\377" + "Order".encode("utf-16-be") + b")")
    assert pages.is_page("A title without end ".encode("utf-16-be"))
    assert pages.is_page(bytes(9_000) + b"\nBT (john@doe.example) Tj ET")


def test_a_long_list_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who joins, who is named, record and copy: all ask for the same mailboxes."""
    parsed = counted(monkeypatch, address, "_parse_tokens")
    people = ", ".join(f"nobody {number}" for number in range(500))
    text = written(BUYER, f"To: {A},{people}")
    assert mail(text, order(BUYER, SHOP, CARRIER), to=A).sent()
    values = [value for value, *_ in parsed if len(value) > 2_000]
    assert values
    assert len(values) == len(set(values))


def test_lines_of_a_report_are_not_cut_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one line hides something, the others are plain base64 all the same."""
    changed = counted(monkeypatch, charset, "change_text")
    lines = base64.encodebytes(bytes(range(256)) * 8).replace(b"\n", b"\r\n")
    assert part_header.mask_header(lines, Masker({BUYER: A})) is lines
    assert not changed
    told = lines + f"=?utf-8?q?{BUYER}?=\r\n".encode()
    assert BUYER.encode() not in part_header.mask_header(told, Masker({BUYER: A}))
    assert changed


LINES = [
    *(base64.b64encode(bytes(range(n, n + 45))).decode() for n in range(0, 90, 9)),
    *(BUYER, f"to: {BUYER}", f"x{BUYER}", BUYER.replace("@", " (at) "), BUYER.replace("@", "=40")),
    *(BUYER.replace("@", " at ").replace(".", " dot "), BUYER.replace(".", "<b></b>."), "at", "="),
    *BUYER.split("@"), BUYER.partition(".")[0], BUYER.rpartition(".")[2], "%40", "\\x40", "",
    *("".join(f"{sign}{ord(each):02x}" for each in BUYER) for sign in ("%", "=", "\\x")),
    *("".join(f"&#{ord(each)};" for each in BUYER), f"=?utf-8?q?{BUYER}?=", f"\u00fc {BUYER}"),
    *(BUYER[:3] + "\u200b" + BUYER[3:], base64.b64encode(f"to {BUYER} !".encode()).decode()),
]  # fmt: skip


@given(st.lists(st.sampled_from(LINES), max_size=30), st.integers(0, 29), st.booleans())
def test_lines_together_become_what_each_becomes(lines: list[str], at: int, many: bool) -> None:
    """What is no field is looked at together with others; it is masked by itself."""
    lines[at:at] = LINES[:10] * 4 if many else []
    block = "".join(f"{line}\r\n" for line in lines).encode()
    masker = Masker({BUYER: A, "j.doe@shop.example": B})
    together = part_header.mask_header(block, masker)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part_header, "_name_nobody", lambda _lines, _mask: False)
        assert together == part_header.mask_header(block, masker)


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_a_part_is_decoded_once(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the record, the copy and all that is asked of it; the final scan decodes for itself."""
    decoded = counted(monkeypatch, transfer, "decode")
    text = "Gr\u00fc\u00dfe von Ann <ann@doe.example> an https://shop.example/ \u20ac\n" * 20
    encode = base64.encodebytes if encoding == "base64" else quopri.encodestring
    head = f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n"
    body = f"--b\n{head}{encode(text.encode()).decode()}--b--\n"
    fields = ("MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b")
    assert mail(written(BUYER, *fields, body=body), order(BUYER, SHOP, CARRIER), to=A).sent()
    whole = [raw for raw, label, *_ in decoded if label == encoding and len(raw) > len(text)]
    assert len(whole) == 1


def test_what_invites_nobody_has_no_identifiers_of_invitations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A card has a UID, too: without a method its lines are not cut for it."""
    cut = counted(monkeypatch, content_lines, "iter_invitations")
    card = f"BEGIN:VCARD\r\nUID:1@doe.example\r\nEMAIL:{BUYER}\r\nEND:VCARD\r\n".encode()
    assert BUYER.encode() not in calendar.mask_calendar(card, "", Masker({BUYER: A}))[0]
    assert not cut
    event = card.replace(b"VCARD", b"VCALENDAR").replace(b"UID", b"METH\r\n OD:REQUEST\r\nUID")
    calendar.mask_calendar(event, "", Masker({BUYER: A}))
    calendar.mask_calendar(card, "", Masker({BUYER: A}), method=True)
    assert len(cut) == 2


def test_no_more_is_kept_of_what_was_decoded_than_of_one_part() -> None:
    body = base64.encodebytes(bytes(300_000)) * 5
    size, kept = len(body) // 5, Contents(body)
    spans = [(n * size, (n + 1) * size) for n in range(5)]
    first = [kept.decode(body, span, "base64") for span in spans]
    again = [kept.decode(body, span, "base64") for span in spans]
    assert first == again == [bytes(300_000)] * 5
    assert [one is two for one, two in zip(first, again, strict=True)] == [True] * 3 + [False] * 2
    other = b"QUJD\n" + body
    assert kept.decode(other, (0, 5), "base64") == b"ABC"
    assert kept.decode(other, spans[0], "base64") != first[0]


def test_a_field_is_scanned_again_for_another_reader() -> None:
    """What shows its reader alone shows everybody else somebody."""
    scanner = Scanner({BUYER: "b", CARRIER: "c"})
    headers = [Header(b"To", BUYER.encode()), Header(b"Subject", b"Hello")]
    for _ in range(2):
        assert scanner.scan(headers, b"", "b") == []
        assert [hit.token for hit in scanner.scan(headers, b"", "c")] == ["b"]
        assert [hit.token for hit in scanner.scan(headers, b"")] == ["b"]


def test_a_folded_field_without_a_domain_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold leaves its blank: no domain stands on both sides of one."""
    cut = counted(monkeypatch, headers, "find_edits")
    masker = Masker({BUYER: A})
    value = b"from relay.example\n by mx.example;\n\tSun, 29 Nov 2026"
    assert headers.mask_text(value, masker) is value
    assert not cut
    folded = value + b"\n for <" + BUYER.encode() + b">"
    assert A.encode() in headers.mask_text(folded, masker)
    assert cut


@pytest.mark.parametrize("text", [A, SOFT.format(CARRIER)])
def test_the_readers_alias_is_theirs_though_the_record_keeps_it(text: str) -> None:
    """What the record leaves as it is need not stay in a copy."""
    for kind in ("hard", "soft"):
        people = order(BUYER, SHOP, CARRIER, mask=kind)
        sent = mail(written(BUYER, body=f"to {text} \n"), people, to=A).sent()
        assert CARRIER.encode() in sent.body
        assert b"ct.example.com" not in sent.body


def test_a_changed_message_is_not_known() -> None:
    message = mail(written(BUYER), order(BUYER, SHOP), to=S).message
    message.part_cache.clean_parts("people").texts.add(1)
    changed = replace(message, body=b"other")
    assert message.part_cache.clean_parts("people").texts
    assert not changed.part_cache.clean_parts("people").texts
    assert changed == replace(message, body=b"other")


def test_who_was_looked_for_is_part_of_what_is_known() -> None:
    """What shows nobody of one order may show somebody of another."""
    scanner = Scanner({BUYER: "b"})
    assert scanner.scan([], b"eve@other.example") == []
    assert scanner.nobody
    [hit] = Scanner({"eve@other.example": "e"}).scan([], b"eve@other.example")
    assert hit.token == "e"


@pytest.mark.parametrize("own", [None, "b"])
@pytest.mark.parametrize(
    "ending",
    [
        "desk&#64;carrier.example=",
        "desk at carrier dot example dot",
        "d<b></b>esk@carrier.example=",
    ],
)
def test_a_field_does_not_go_on_in_the_next(ending: str, own: str | None) -> None:
    """Looked at together, the end of one may hide what it shows alone."""
    headers = [Header(name, ending.encode()) for name in (b"Comments", b"To")]
    for each in headers:
        found = [Header(b"Subject", b"com"), each, Header(b"References", b"com"), Header(b"X", b"")]
        assert [hit.token for hit in Scanner({CARRIER: "c"}).scan(found, b"", own)] == ["c"]


def test_a_field_that_ends_as_a_soft_line_break_leaks_nothing() -> None:
    """Neither masking nor the final scan may take the next field for its rest."""
    fields = "To: x>desk&#64;carrier.example=", "References: <1@x.example>"
    letter = mail(written(BUYER, *fields), order(BUYER, SHOP, CARRIER), to=S)
    done = letter.plan()
    assert done.reply or b"desk&#64;" not in b"".join(h.value for h in letter.sent(done).headers)


def test_an_encoded_word_does_not_go_on_in_the_next() -> None:
    """Those in running text are looked at together, too."""
    body = "=?utf-8?q?desk_at_carrier_dot_example_dot?= <1>\n=?utf-8?q?com?=\n"
    sent = mail(written(BUYER, body=body), order(BUYER, SHOP, CARRIER), to=S).sent()
    assert b"desk" not in sent.body


def test_a_body_that_was_not_reached_is_scanned_later() -> None:
    """After a hundred hits no more are looked for: this says nothing of what was not reached."""
    body = f"to {CARRIER}".encode()
    scanner = Scanner({CARRIER: "c"}, body=body)
    many = [Header(b"X-%d" % number, CARRIER.encode()) for number in range(120)]
    assert len(scanner.scan(many, body)) == 100
    assert [hit.channel for hit in scanner.scan([], body)] == ["part 1 text/plain"]


def test_a_reader_is_shown_their_own_address_and_no_other() -> None:
    """What the copy may show is no hit, wherever it stands beside what it must not."""
    scanner = Scanner({BUYER: "b", CARRIER: "c"})
    headers = [Header(b"To", BUYER.encode())]
    assert scanner.scan(headers, BUYER.encode(), "b") == []
    hits = scanner.scan([*headers, Header(b"Cc", CARRIER.encode())], CARRIER.encode(), "b")
    assert [(hit.channel, hit.token) for hit in hits] == [
        ("header Cc", "c"),
        ("part 1 text/plain", "c"),
    ]
    assert {hit.token for hit in scanner.scan(headers, b"")} == {"b"}


def test_a_large_file_is_decoded_once_and_known_in_the_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once by the masking and once by the final scan: record and copy share what was found."""
    file = b"\xff\xd8\xff" + random.Random(3).randbytes(1_200_000)
    decoded = counted(monkeypatch, binascii, "a2b_base64")
    looked = counted(monkeypatch, ContentScan, "_look_content")
    text = written(BUYER, "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b") + "\n"
    text += (
        "--b\nContent-Type: text/plain\n\nto desk@carrier.example\n--b\nContent-Type: image/jpeg\n"
    )
    text += "Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(file).decode() + "--b--\n"
    done = mail(text, order(BUYER, SHOP, CARRIER), to=A).plan()
    assert done.reply is None
    assert 2 * len(file) <= sum(len(data) for data, *_ in decoded) * 3 // 4 < 2.1 * len(file)
    octets = [len(data) for _, _, declared, data in looked if declared.type == "image/jpeg"]
    assert len(file) <= sum(octets) < 1.1 * len(file)


def test_a_large_file_that_names_somebody_is_found_in_record_and_copy() -> None:
    """What is remembered by its digest is what named nobody, and nothing else."""
    headers = [Header(b"Content-Type", b"application/octet-stream")]
    body = bytes(1_200_000) + b" " + BUYER.encode() + b" "
    scanner = Scanner({BUYER: "b"})
    assert [scanner.scan(headers, body) != [] for _ in range(2)] == [True, True]
    assert scanner.scan(headers, body[:-9]) == scanner.scan(headers, body[:-9]) == []
    assert scanner.scan(headers, body)


def test_several_readers_have_a_file_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copies for all of them are made once before, to see whether they can be."""
    file = b"\xff\xd8\xff" + random.Random(3).randbytes(1_200_000)
    looked = counted(monkeypatch, ContentScan, "_look_content")
    text = written(BUYER, "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b") + "\n"
    text += (
        f"--b\nContent-Type: text/plain\n\nto {CARRIER}, {SHOP}\n--b\nContent-Type: image/jpeg\n"
    )
    text += "Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(file).decode() + "--b--\n"
    done = mail(text, order(BUYER, SHOP, CARRIER), to=[A, S]).plan()
    assert (done.reply, done.split) == (None, True)
    octets = [len(data) for _, _, declared, data in looked if declared.type == "image/jpeg"]
    assert len(file) <= sum(octets) < 1.1 * len(file)


def test_what_one_scanner_knows_holds_for_the_same_people_only() -> None:
    first = Scanner({BUYER: "b", SHOP: "s"})
    body = f"write to {CARRIER}".encode()
    assert first.scan([], body) == []
    assert Scanner({SHOP: "s", BUYER: "b"}, other=first).nobody is first.nobody
    assert Scanner({SHOP: "s", BUYER: "b", CARRIER: "c"}, other=first).scan([], body)
    assert Scanner({SHOP: "s", CARRIER: "b"}, other=first).scan([], body)


@pytest.mark.parametrize("size", [60_000, 1_500_000])
@pytest.mark.parametrize("type", ["application/mbox", "text/plain"])
def test_the_messages_of_a_mailbox_are_looked_at_together(
    type: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is the end of the one before, of the same type: its text is not gone through again."""
    looked = counted(monkeypatch, ContentScan, "_look_content")
    letter = (
        b"From x@y.example Sun Nov 29\nFrom: x@y.example\nTo: z@y.example\nSubject: Hello\n\nHi\n\n"
    )
    body = letter * (size // len(letter))
    assert Scanner({BUYER: "b"}).scan([Header(b"Content-Type", type.encode())], body) == []
    assert size <= sum(len(data) for *_, data in looked) + len(letter) < 2.1 * size


@pytest.mark.parametrize("padding", [0, 1_500_000])
@pytest.mark.parametrize("type", ["application/mbox", "text/plain"])
def test_what_is_encoded_in_the_second_message_of_a_mailbox_is_found(
    type: str, padding: int
) -> None:
    head = b"From x@y.example Sun Nov 29\nFrom: x@y.example\nTo: z@y.example\n"
    hidden = base64.encodebytes(
        b"Hello hello hello, write to " + BUYER.encode() + b" today, please"
    )
    kinds = [
        b"Content-Transfer-Encoding: base64\n\n",
        b"Content-Type: text/plain; charset=utf-16\n\n",
        b"Content-Type: text/html\n\n",
    ]
    pieces = [hidden, BUYER.encode("utf-16-le"), b"john&commat;doe.exa<b></b>mple"]
    for kind, piece in zip(kinds, pieces, strict=True):
        body = head + b"\nHi\n\n" + head + b"\nHi\n\n" + head + kind + piece + b"\n" * padding
        found = Scanner({BUYER: "b"}).scan([Header(b"Content-Type", type.encode())], body)
        assert [hit.token for hit in found][:1] == ["b"]
