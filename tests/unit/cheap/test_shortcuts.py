"""Each short way, taken where most mail allows it, gives what the long way gives."""

import base64
import re
from collections.abc import Callable

import pytest
from builders import A
from cost import least
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.address import invisible, munged_places
from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.container.document import pdf_page
from conversation_tracker.core.masking.part import calendar, content_lines
from conversation_tracker.core.masking.text import encoded
from conversation_tracker.core.scanning.pdf import pages
from conversation_tracker.core.scanning.text import (
    address_matcher,
    decodings,
    munged,
    rare_spellings,
)
from conversation_tracker.core.scanning.text.address_matcher import AddressMatcher
from conversation_tracker.core.syntax import charset, fields, transfer

JOHN = "john.doe@home.example"


def masker() -> Masker:
    """Make a mask for John."""
    return Masker({JOHN: A})


def pieces(*some: str) -> st.SearchStrategy[str]:
    """Make texts of these pieces, in any order."""
    return st.lists(st.sampled_from(some), max_size=9).map("".join)


BLOCKS = pieces("To: x", "To:", "a", ":", " ", "\t", "\n", "\r\n", "\r", "\n ", "\r\n\t", "\u00e4")


def cut_by_lines(text: str) -> list[str]:
    """Cut a text before each line that does not begin with a blank, whatever the line holds."""
    found: list[str] = []
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        if found and line[:1] in (" ", "\t"):
            found[-1] += line
        else:
            found.append(line)
    return found


@given(BLOCKS)
def test_fields_are_cut_as_line_by_line(text: str) -> None:
    block = text.encode()
    spans = list(fields.iter_field_spans(block))
    assert [block[start:end].decode() for start, end in spans] == cut_by_lines(text)
    matches = [(start, end, fields.FIELD.fullmatch(block, start, end)) for start, end in spans]
    assert list(fields.iter_fields(block)) == [
        (start, end, match[1].lower(), match[3]) for start, end, match in matches if match
    ]


CODE = pieces(
    "QUJD", "RA==", "RQ=", "=", "\n", "\r\n", "\r", " ", "\t", "\f", "john (at) home", "-"
)


@given(CODE)
@example("QUJD\r\nRA==\r\n\r\n")
@example("QUJD\n=\n")
@example("RA==\nQUJD\n")
@example("=\n")
@example("")
def test_lines_that_are_no_base64_are_found_as_one_by_one(text: str) -> None:
    raw = text.encode()
    spans = list(transfer.find_clear_lines(raw, transfer.BASE64))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "_is_all_code", lambda _raw: False)
        slow = list(transfer.find_clear_lines(raw, transfer.BASE64))
    if spans != slow:
        assert not spans
        assert not any(raw[start:end].strip(b"\r\n") for start, end in slow)


def test_all_lines_of_base64_are_told_at_once() -> None:
    raw = base64.encodebytes(b"x" * 1000).replace(b"\n", b"\r\n") + b"\r\n"
    assert transfer._is_all_code(raw)
    assert not transfer._is_all_code(raw + b"john (at) home.example")


CALENDARS = pieces(
    *("BEGIN:VCALENDAR\r\n", "METHOD:REQUEST\r\n", "METH\r\n OD:REQUEST\n", "method;x=1:cancel\n"),
    *("ATTENDEE:mailto:john.doe@home.example\r\n", "UID:1\r\n", "NOTE:METHOD\n", "END:VCALENDAR\n"),
    *("X;ENCODING=QUOTED-PRINTABLE:a=\r\n", "=20b\r\n", " c\n", "=\n", "\r\n", "X:y=", "\r"),
)


@given(CALENDARS)
def test_content_lines_are_cut_as_where_some_are_quoted_printable(text: str) -> None:
    if "QUOTED" in text:
        assert "".join(content_lines.iter_lines(text)) == text
    else:
        assert list(content_lines.iter_lines(text)) == cut_by_lines(text)
        tail = "X;ENCODING=QUOTED-PRINTABLE:\n"  # so it takes the long way
        whole = text if text.endswith("\n") else text + "\n"
        assert list(content_lines.iter_lines(whole + tail)) == [*cut_by_lines(whole), tail]


@given(CALENDARS)
def test_a_calendar_that_speaks_of_no_method_has_none(text: str) -> None:
    told = content_lines.has_method(text), list(content_lines.iter_invitations(text, method=False))
    lines = list(map(content_lines.unfold, content_lines.iter_lines(text)))
    found = [line for line in lines if re.match(r"(?i)METHOD(?:;[^:]*)?:\s*\S", line)]
    assert told[0] is bool(found)
    assert not told[1] or found


LINES = pieces(
    *("SUMMARY:x", "ATTENDEE:mailto:", "john.doe@home.example", "john.doe@ho", "\r\n me.example"),
    *(
        "john (at) home.example",
        "john.doe%40home.example",
        "\r\n",
        "\n ",
        "=?utf-8?q?john.doe=40?=",
    ),
    *("https://c.example/", base64.b64encode(JOHN.encode()).decode(), "&#106;", "\\n", "\u00e4"),
    *("X;ENCODING=QUOTED-PRINTABLE:john.doe=40home.example\r\n", "home", "NOTE:", " ", "@"),
)


@settings(max_examples=300, deadline=None)
@given(LINES)
def test_lines_that_name_nobody_are_passed_over(text: str) -> None:
    data = f"BEGIN:VCALENDAR\r\nDESCRIPTION:https://x.example/=?\r\n{text}".encode()
    new = calendar.mask_calendar(data, "", masker())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calendar, "_find_plain", lambda *_a: set())
        assert calendar.mask_calendar(data, "", masker()) == new


@pytest.mark.parametrize("decode", [pdf_page.decode_hex, pages.decode_digits])
@pytest.mark.parametrize(
    ("digits", "octets"),
    [(b"4A6f", b"Jo"), (b"4A 6\r\nf", b"Jo"), (b"4A6", b"J`"), (b"4\t", b"@"), (b"", b"")],
)
def test_digits_of_pdf_are_decoded(
    decode: Callable[[bytes], bytes], digits: bytes, octets: bytes
) -> None:
    assert decode(digits) == octets


OCTETS = st.lists(
    st.sampled_from(
        [
            *(
                each.encode()
                for each in ("\u00ad", "\u200b", "\u2060", "\ufeff", "\u212a", "\u034f")
            ),
            *(
                b"a",
                b"home",
                b"\xe2",
                b"\x80",
                b"\xc2",
                b"\xad",
                b"\x8b",
                "\u00e4".encode(),
                b"\xff",
            ),
        ]
    ),
    max_size=9,
).map(b"".join)


@given(OCTETS)
def test_what_is_invisible_is_dropped_from_octets(data: bytes) -> None:
    slow = data
    for written, meant in invisible._RARE:
        slow = slow.replace(written, meant)
    slow = invisible._OTHERS.sub(b"", slow)
    # What is put together of two that are not UTF-8 may be dropped, too, or not: it is none.
    if slow != invisible.drop_from_octets(data):
        with pytest.raises(UnicodeDecodeError):
            data.decode()


NAMED = st.lists(OCTETS | st.sampled_from([b"k.exa", b"mple", b"ho", b"i", "\u0130".encode()]))


@given(NAMED.map(b"".join))
def test_octets_show_a_word_where_it_stands_without_what_is_invisible(data: bytes) -> None:
    for word in (b"home.example", b"k.example", b"ho", b"i"):
        told = invisible.may_show(data, [word])
        if word not in data and told != (word in invisible.drop_from_octets(data)):
            with pytest.raises(UnicodeDecodeError):
                data.decode()


CODED = pieces(
    *("A" * 47, "A" * 48, "B" * 53, "C" * 60 + "\n", "D" * 101, "E" * 48 + "\r\n", "/+", "="),
    *("\n", "\r\n", "\r", " ", "\u00e4", "am9obi5kb2U=", "F" * 100 + "\n", "--"),
)


@settings(max_examples=500, deadline=None)
@given(CODED)
def test_blocks_of_base64_are_found_behind_line_ends_alone(text: str) -> None:
    spans = [match.span() for match in encoded._iter_blocks(text)]
    assert spans == [match.span() for match in encoded._BLOCK.finditer(text)]
    data = text.encode()
    blocks = decodings._BLOCK.findall(data)
    assert [*decodings.decode_blocks(data)] == [*map(decodings.decode_base64, blocks)]


WIDE = st.lists(
    st.sampled_from(
        [
            *(each.encode(codec) for each in (JOHN, "doe@", "m\u00fc@\u4f8b.example", "home.")
              for codec in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")),
            *(b"\0", b"\0\0\0", b"@home.example", b"john.doe", b" ", b"\x1e", b"\xff", b"x"),
        ]
    ),
    max_size=6,
).map(b"".join)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(WIDE)
def test_octets_without_a_name_in_them_hold_no_wide_one(data: bytes) -> None:
    people = [JOHN, "m\u00fc@\u4f8b.example"]
    matcher = AddressMatcher({each: each for each in people})
    finder = People(people)
    found, held = [*matcher.find_in_bytes(data)], finder.in_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(address_matcher, "_may_be_wide", lambda *_a: True)
        patch.setitem(vars(finder), "_wide_bare", [b""] * len(finder._wide))
        assert [*matcher.find_in_bytes(data)] == found
        assert finder.in_bytes(data) == held


@pytest.mark.parametrize(
    "inside",
    [
        b"",
        b" john.doe@home.example ",
        b"\1john.doe@ho\xc2\xadme.example\2",
        "john.doe@home.example".encode("utf-16-le"),
        b"cid:x@home.example",
    ],
)
def test_octets_in_base64_that_show_nobody_are_passed_over(inside: bytes) -> None:
    octets = bytes(range(256)) + inside + bytes(range(256))
    text = "x\n" + base64.encodebytes(octets).decode() + "y\n"
    new = encoded.mask_encodings(text, masker())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Masker, "may_change", lambda *_a: True)
        assert encoded.mask_encodings(text, masker()) == new
    assert (new == text) is (b"john" not in octets.replace(b"\0", b""))


@pytest.mark.parametrize(
    "before", ["x john", "x doe (at) ", "nobody ", "john.doe (at) ", "= doe=", "john.+doe="]
)
def test_a_domain_is_read_on_only_behind_a_word_of_theirs(before: str) -> None:
    low = f"{before}home.example"
    few, many = (
        Masker(dict.fromkeys([JOHN, *(f"{each}@x.example" for each in range(size))], A))
        for size in (0, 100)
    )
    places = [list(munged_places.iter_places(low, each)) for each in (few, many)]
    assert places == [[low.index("home.example")] if "john." in low else []] * 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[1mb", "ab"),
        ("a\x1b[1m\x0eb\x0fc", "abc"),
        ("a\x1b$b7g\x1b(bd", "a\u4e00d"),
        ("a\x1b$(d7g\x1b(bd\x0e", "a\u4e00d"),
        ("a^[[1mb\x1b(b", "ab"),
    ],
)
def test_what_terminals_do_not_show_is_dropped(text: str, shown: str) -> None:
    assert rare_spellings._unescape_twice(text) == shown


def test_a_cached_property_is_made_once() -> None:
    made: list[Octets] = []

    class Thing:
        @cached_property
        def value(self) -> int:
            made.append(b"")
            return len(made)

    thing = Thing()
    assert (thing.value, thing.value, Thing().value) == (1, 1, 2)
    assert isinstance(Thing.value, cached_property)


MISTAKEN = pieces("john.doe@home.example", "\u00e4", "\u1d05", "\u20ac", " ", "x", "<b>", "&#64;")


@given(MISTAKEN, st.sampled_from(["iso-8859-1", "windows-1252", "koi8-r"]))
def test_utf_8_under_another_name_is_masked_as_with_octets_that_are_none(
    text: str, label: str
) -> None:
    new, _ = charset.change_text(text.encode(), label, masker())
    if "\u1d05" not in text:
        # An octet that is no UTF-8, apart from all, so that the long way is taken.
        long, _ = charset.change_text(text.encode() + b"\n\xff", label, masker())
        assert long == new + b"\n\xff"


def test_letters_that_stand_for_octets_are_no_reason_to_mask_nothing() -> None:
    data = "\u1d05 john.doe@home.exam\u00adple".encode()
    assert charset.change_text(data, "iso-8859-1", masker())[0] == f"\u1d05 {A}".encode()


def test_a_word_that_never_ends_is_read_no_longer_than_a_local_part_may_be() -> None:
    """A long run before an address in words costs about what a short one does."""
    matcher = AddressMatcher({JOHN: "b"})

    def read(before: str) -> float:
        text = f"{before}.doe (at) home.example " * 40
        return least(lambda: list(munged.find_owners(text, matcher)))

    assert read("x" * 600) < 4 * read(" " * 520 + "x" * 80) + 0.005
