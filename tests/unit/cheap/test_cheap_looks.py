"""What is looked for cheaply, or in other pieces, is what a plain look finds."""

import re

import pytest
from builders import A
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversation_tracker.core.masking.address import address_finder, reading
from conversation_tracker.core.masking.address.mask import FunctionMask, Masker
from conversation_tracker.core.masking.container import tar
from conversation_tracker.core.masking.part import (
    calendar,
    content_lines,
    invitation,
    leaf,
    readable_text,
)
from conversation_tracker.core.masking.text import composed_characters, escape_syntaxes
from conversation_tracker.core.scanning import parts
from conversation_tracker.core.scanning.text import characters, decodings, rare_spellings
from conversation_tracker.core.syntax import charset, encoded_words, parameters
from conversation_tracker.core.views import content_ids


def pieces(*some: str, most: int = 9) -> st.SearchStrategy[str]:
    """Make texts of these pieces, in any order."""
    return st.lists(st.sampled_from(some), max_size=most).map("".join)


WHOLE_LINK = re.compile(
    r"([cCmM][iI][dD]:)(?<!\w[cCmM][iI][dD]:)([^\s<>\"'()\[\]&#?\\]+)",
)
LINKS = pieces(
    "cid:", "MID:", "mId:", "xcid:", "c", "id:", ":", "a@b", " ", "/", "'", "\u00e4", ">"
)


@settings(max_examples=400, deadline=None)
@given(LINKS)
@example("cid:mid:cid:a")
@example("cidcid:a cid::b")
def test_links_to_identifiers_are_found_by_their_colon(text: str) -> None:
    found = [(match.start() - 3, match.end()) for match in content_ids._LINK.finditer(text)]
    assert found == [match.span() for match in WHOLE_LINK.finditer(text)]


CALENDARS = pieces(
    *("MET", "HOD", "method:x", "UID", "U", "id:1", "RELATED", "-TO:", "BEGIN:", "begin:vcal"),
    *("VCALENDAR", "endar", "\r\n ", "\n\t", "\r\r\n ", "=\n", "=\r\n", "\n", "x", ":"),
)


@settings(max_examples=400, deadline=None)
@given(CALENDARS)
def test_what_folds_part_in_a_calendar_is_not_overlooked(text: str) -> None:
    data = text.encode()
    unfolded = re.sub(rb"(?:\r\r\n|\r\n|\n)[ \t]", b"", data)
    if re.search(rb"(?i)BEGIN:VCALENDAR|METHOD", unfolded):
        assert invitation._may_invite(data)
    upper = calendar._RAW_FOLD.sub(b"", data).upper()
    if b"METHOD" in upper and (b"UID" in upper or b"RELATED-TO" in upper):
        assert calendar._may_identify(data, "utf-8", method=False)


LINES = pieces(
    *(
        "ATTENDEE;CN=Ann:mailto:",
        "SUMMARY:",
        "X-A;ENCODING=QUOTED-PRINTABLE:",
        "DESCRIPTION:",
        "UID:1",
    ),
    *("john@", "home", ".example", "john@home.example", "john (at) ", "ho\r\n me", "=\n", "=\r\n "),
    *(
        "\r\n",
        "\n",
        "\n ",
        "\n\t",
        "%40",
        "&#64;",
        "=40",
        "\\n",
        "h\u00ado",
        "me",
        "\u00e4",
        "b\u00fc",
    ),
    *(
        "https://x.example/?",
        "am9obkBob21lLmV4YW1wbGU=",
        "=?utf-8?q?john=40?=",
        "x" * 200,
        " ",
        "<b>",
    ),
    most=14,
)
BOTH = Masker({"john@home.example": A, "ann@b\u00fc.example": A})


@settings(max_examples=600, deadline=None)
@given(LINES)
@example("UID:1\r\nX:john@home=\r\n.example\r\n")
@example("UID:john@\r\nUID:home.example\r\n")
def test_lines_of_a_calendar_that_are_asked_together_name_nobody(text: str) -> None:
    lines = list(content_lines.iter_lines(text))
    change = FunctionMask(lambda line: calendar._mask_readings(line, BOTH))
    for number in calendar._find_plain(lines, BOTH):
        assert calendar._mask_line(lines[number], change) == lines[number]
    if not calendar._may_cross_breaks(text, BOTH):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(calendar, "_may_cross_breaks", lambda *_: True)
            assert calendar._mask_soft_breaks(text, BOTH) == text


BLOCKS = pieces("a: b", "\n", "\r\n", "\r", "\n\n", "\n\r\n", "x" * 1023, "y" * 1020, most=7)


@settings(max_examples=400, deadline=None)
@given(BLOCKS, st.sampled_from([0, 3]))
def test_a_header_block_ends_at_the_first_empty_line(text: str, start: int) -> None:
    data = b"\n--" * bool(start) + text.encode()
    found = parts.Entity(data, start, len(data)).content
    ends = [
        data.find(each, start) + len(each) for each in (b"\n\n", b"\n\r\n") if each in data[start:]
    ]
    at_once = next(
        (start + len(each) for each in (b"\n", b"\r\n") if data.startswith(each, start)), 0
    )
    if start:
        at_once = 0
    assert found == (at_once or min(ends, default=len(data)))


SEQUENCES = pieces(
    *("\x1b", "\x1b$b", "\x1b(i", "\x1b[0m", "\x1b]8;;x\x07", "\x9b1m", "\x0e", "^[[1m", "#033[0m"),
    *("abc", "\n", "\u00e4", "[", "$@", "m", "#j", "!w"),
)


@settings(max_examples=400, deadline=None)
@given(SEQUENCES)
def test_what_a_terminal_does_not_show_is_dropped_at_once(low: str) -> None:
    assert characters.drop_sequences(low) == characters._SEQUENCE.sub(
        lambda found: characters._show_pairs(found["two"]) if found["two"] else "", low
    )


SIGNS = pieces(
    *("=40", "=3a", "=3A", "=20", "=22", "=0d", "=09", "=3", "+40", "\\u0040", "\\x40", "\\u003a"),
    *("\\x3d", "\\.", "\\@", "\\n", "=", "40", "+", "\\", "a", "@", "[", "<", " ", "x.example"),
)


@settings(max_examples=600, deadline=None)
@given(SIGNS)
@example("a=40b=40c@x.example")
@example("\\x3d40a=40b")
def test_signs_of_quoted_printable_alone_are_read_as_among_all_others(low: str) -> None:
    shown, told = decodings.decode_signs(low), decodings.may_be_escaped(low)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decodings, "_has_quoted_only", lambda _low: False)
        assert decodings.decode_signs(low) == shown
        assert decodings.may_be_escaped(low) == told


TURNING = pieces(
    *("&#8238;", "&#08238;", "&#8238", "8238", "8238;", "&#", "&", "#", "0", "%23", "%30", "=23"),
    *("\\x23", "\\u0023", "\\43 ", "\\043", "\\'23", "{\\rtf1 ", "\\u8238?", "&num;", "&#35;"),
    *("&#x23;", "+acm-", "%2523", "=3d23", "&amp;", "<b>", "=\n", "a", "3", "23", "43", "f", " "),
)


@settings(max_examples=1500, deadline=None)
@given(TURNING, st.booleans())
@example("&%238238;", False)
@example("&\\0438238;", False)
def test_a_number_that_turns_a_text_is_told(low: str, markup: bool) -> None:
    if "8238" not in low:
        return
    *between, last = decodings.iter_readings(low, markup=markup)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rare_spellings, "is_turned", lambda _low: False)
        more = rare_spellings.iter_readings(low, low, last, markup=markup, quoted=True)
        shown = [*between, last, *more]
    if any("\u202e" in each for each in shown):
        assert rare_spellings.is_turned(low)


@pytest.mark.parametrize("low", ["id=a18238b", "queue 4f98238", "x8238", "0038238", "138238"])
def test_a_number_in_a_longer_one_turns_nothing(low: str) -> None:
    assert not rare_spellings.is_turned(low)


KINDS = pieces(
    *("\u00b5", "\u00a0", "\u00b4", "\u0301", "\u017f", "\u01c4", "\u03d2", "\u0344", "\u0390"),
    *("\u1100", "\u1161", "\u09c7", "\u09be", "\uff41", "\u200b", "\u3002", "\u2122", "\ufb01"),
    *("a", "e", "\u03c5", "\u0131", "\u0483", "\ufffd", "\u4e00", "\u0438", "\u00bd"),
)


@settings(max_examples=600, deadline=None)
@given(KINDS)
def test_characters_that_mean_others_are_read_one_by_one_as_all_at_once(text: str) -> None:
    low = text.lower()
    shown = characters.drop_invisible(low)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(characters, "_FEW_KINDS", 0)
        assert characters.drop_invisible(low) == shown


MARKED = pieces(
    *(
        "e\u0301",
        "\u0301",
        "\u0323\u0307",
        "\u1100\u1161",
        "\u11a8",
        "\uac00\u11a8",
        "\u09c7\u09be",
    ),
    *(
        "\u09be",
        "\u2126",
        "\u0340",
        "\u037e",
        "\u0344",
        "\ufb2a",
        "\u05bc",
        "\uf900",
        "\u1b05\u1b35",
    ),
    *(
        "\U00011131\U00011127",
        "\u03c9",
        "\u0438\u0306",
        "a",
        " ",
        "\u4e00",
        "\u00e9",
        "\u0345\u0345" * 5,
    ),
    most=24,
)


@settings(max_examples=800, deadline=None)
@given(st.one_of(MARKED, st.text(max_size=20)))
def test_what_several_characters_make_is_found_by_the_later_ones(text: str) -> None:
    # Whatever stands behind an ideograph is put together with it, or not.
    text = re.sub(rf"[{composed_characters._ALONE}]", "a", text)
    family = (escape_syntaxes._ComposedCharacters(),)
    shown = reading.Reading(text, escape_syntaxes.find_pieces(text, family)).text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composed_characters, "_FEW", -1)
        whole = reading.Reading(text, escape_syntaxes.find_pieces(text, family)).text
    assert shown == whole


CONTROLS = [*range(9), 11, 12, *range(14, 32), *range(127, 160), 0x2028, 0x2029]
ANY_CONTROL = re.compile(f"[{''.join(map(chr, CONTROLS))}]")


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*map(chr, CONTROLS), *"ab\t\r\n\u00a0\u00c2\u00e2\u2027\u202a\ud842\udc80"]
        )
        | st.characters(exclude_categories=[]),
        max_size=12,
    ).map("".join)
)
def test_control_characters_are_dropped_in_octets(text: str) -> None:
    bare = ANY_CONTROL.sub("", text)
    assert characters.drop_controls(text) == bare
    assert characters.has_controls(text) == (bare != text)
    assert (characters.drop_controls(text) is text) == (bare == text)


BYTES = st.lists(
    st.sampled_from([b"a", b"\xe4", "\u00e4".encode(), b"\0", b"\xff", b"\x1b$B", b"\x80", b" "]),
    min_size=1,
    max_size=6,
).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(
    BYTES, st.sampled_from(["", "utf-8", "us-ascii", "iso-8859-1", "koi8-r", "utf-7", "shift_jis"])
)
def test_what_is_read_in_one_way_is_changed_in_no_other(data: bytes, label: str) -> None:
    seen: list[str] = []

    def look(text: str) -> str:
        seen.append(text)
        return text

    charset.change_text(data, label, look)
    only = charset.read_only(data, label)
    assert only is None or set(seen) == {only}


@given(pieces("imcea", "IMC", "\u0130mcea", "EA", "\u0131", "x", "\u00e4", "\ud800"))
def test_a_word_is_found_in_any_letter_case(text: str) -> None:
    assert escape_syntaxes.holds_word(text, "imcea") == ("imcea" in text.lower())


@given(pieces("a", "bc ", " ", "\n", "\u00a0", "d" * 9, " " * 30, most=40), st.integers(1, 40))
def test_enough_of_a_text_is_read_and_little_more(text: str, enough: int) -> None:
    cut = readable_text._cut(text, enough)
    assert text.startswith(cut)
    letters = len("".join(cut.split()))
    assert cut == text or letters >= enough
    assert letters <= 2 * enough


NAMED_OCTETS = st.lists(
    st.sampled_from(
        [
            *(b"john@home.example", b"john", b"@", b"home", b".example", b"JOHN@Home.Example"),
            *(b"john%40home.example", b"=6Aohn=40home.example", b"amFuZQ", b"\x1b[1m", b"<b>"),
            *("john@home.example".encode("utf-16-le"), "john@home.example".encode("utf-16-be")),
            *(b"am9obkBob21lLmV4YW1wbGU=", b"\\u0040", b"&#64;", b"+shop", b"\xc3\xa4", b"\xe9"),
            *(b"\x00", b"\x01", b"\x02\x03", b"\x11", b" ", b"\r\n", b".", b"-", b"x", b"=", b"%"),
        ]
    ),
    max_size=14,
).map(b"".join)


@settings(max_examples=600, deadline=None)
@given(NAMED_OCTETS, st.sampled_from(["", "utf-8", "iso-8859-1", "iso-2022-jp"]))
def test_masking_leaves_no_address_in_octets_that_held_none(data: bytes, label: str) -> None:
    key = "john@home.example"
    people = address_finder.People([key])
    mask = Masker({key: "alias@ct.example"}, [])
    for how in (leaf.mask_plain, leaf.mask_page):
        left = how(data, label, mask)[0]
        assert people.in_bytes(data) or not people.in_bytes(left)


@given(st.binary(min_size=512, max_size=512), st.booleans())
def test_a_check_sum_of_tar_counts_octets_with_a_sign(block: bytes, signed: bool) -> None:
    rest = block[:148] + b" " * 8 + block[156:]
    octets = [octet - 256 if signed and octet >= 0x80 else octet for octet in rest]
    total = b"%06o\0 " % max(0, sum(octets))
    assert tar.is_tar(block[:148] + total + block[156:]) or sum(octets) < 0
    assert not tar.is_tar(block[:148] + b"%06o\0 " % (sum(rest) + 1) + block[156:])


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.text(max_size=2), st.booleans())))
def test_the_first_extended_form_of_a_parameter_goes_before_all_plain_ones(
    some: list[tuple[str, str, bool]],
) -> None:
    found = tuple(parameters.Parameter(n, v, b"", (), extended=e) for n, v, e in some)
    of_it = sorted((p for p in found if p.name == "a"), key=lambda p: not p.extended)
    assert parameters.get_value(found, "a") == (of_it[0].value if of_it else "")


def test_what_is_remembered_of_a_value_is_nobodys_to_change() -> None:
    value = b"a =?utf-8?q?b?= c"
    first = encoded_words.cut_units(value, 0, len(value))
    whole = [*first]
    first.clear()
    assert encoded_words.cut_units(value, 0, len(value)) == whole
