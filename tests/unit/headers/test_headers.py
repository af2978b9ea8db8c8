"""Masking and reading of header values."""

import base64
import re
from collections.abc import Callable
from email import message_from_string
from itertools import pairwise

import pytest
from cost import within
from hypothesis import assume, example, given
from hypothesis import strategies as st

from conversation_tracker.core.base.header_names import (
    ADDRESS_HEADERS,
    KEPT_FROM_PROTECTED,
    TRACE_HEADERS,
)
from conversation_tracker.core.masking.address.mask import FunctionMask, Masker
from conversation_tracker.core.masking.header import headers, part_header
from conversation_tracker.core.masking.header.headers import is_trace, mask_mailboxes, mask_text
from conversation_tracker.core.masking.text.obfuscated import mask_obfuscations
from conversation_tracker.core.model.address import _ONE, Address, find_mailboxes
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.scan import scan
from conversation_tracker.core.syntax.encoded_words import decode_words, encode_words

REAL = "john@doe.example"
ALIAS = "ff2e@ct.example"
_REAL = re.compile(r"(?i)(?<![\w.+-])john@doe\.example(?![\w-])")


@FunctionMask
def mask(text: str) -> str:
    return _REAL.sub(ALIAS, text) if _REAL.search(text) else text


def alias(address: Address) -> str | None:
    return ALIAS if address.key == REAL else None


@FunctionMask
def unchanged(text: str) -> str:
    return text


NOISE = st.lists(
    st.sampled_from(
        [
            REAL.encode(),
            b"<",
            b">",
            b'"',
            b"(",
            b")",
            b",",
            b":",
            b"@",
            b"\\",
            b" ",
            b"\n ",
            b"\n",
            b"=?utf-8?q?john=40doe.example?=",
            b"=?utf-8?b?am9obkBkb2UuZXhhbXBsZQ==?=",
            b"=?",
            b"?=",
            b"=?iso-8859-1?q?=E4,<?=",
            b"=?utf-8?q?john=40?=",
            b"=?utf-8?q?doe.example?=",
            b"john@",
            "ä".encode(),
            b"\xff",
            b"\0",
            b"\r",
            b"x",
            b"=?utf-8?b?w6Q=?=",
            b"[",
            b"]",
            b";",
        ]
    ),
    max_size=20,
).map(b"".join)
VALUES = st.one_of(st.binary(max_size=150), NOISE)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"", ""),
        (b"plain text", "plain text"),
        (b"folded\n once\r\n\ttwice", "folded once twice"),
        (b"=?utf-8?q?J=C3=B6rg_x?=", "Jörg x"),
        (b"=?UTF-8*de?B?SsO2cmc=?=", "Jörg"),
        (b"=?utf-8?q?a?=\n =?utf-8?q?b?= =?iso-8859-1?q?=E4?= c", "abä c"),
        (b"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        (b"=?utf-8?q?=C3?= =?utf-8?q?=B6?=", "ö"),
        (b"=?utf-8?b?w7Y=w7Y=?=", "öö"),
        (b"=?utf-8?b?w7?=", "Ã"),
        (b"=?utf-8?q?two words?=", "two words"),
        (b"=?utf-8?q?why?not?=", "why?not"),
        (b"x=?utf-8?q?y?=z", "xyz"),
        (b"=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        (b"=?utf-16?b?AGEA5A==?=", "aä"),
        (b"=?utf-16?b?//5hAOQA?=", "aä"),
        (b"=?utf-16?b?YQDkAA==?=", "aä"),
        (b"=?gb2312?b?1tDOxA==?=", "中文"),
        (b"=?us-ascii?q?=C3=B6?=", "ö"),
        (b"=?us-ascii?q?=F6?=", "ö"),
        (b"=?no-such-charset?q?=C3=B6?=", "ö"),
        (b"=?unicode_escape?q?=5Cud800?=", "\\ud800"),
        (b"=?rot13?q?abc?=", "abc"),
        (b"=?utf-7?q?+2AA-?=", "\ufffd"),
        (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b"=?utf-8?q?abc", "=?utf-8?q?abc"),
        ("Jörg".encode(), "Jörg"),
        ("Jörg".encode("latin-1"), "Jörg"),
        (b"a\0b\x07c\td\re\nf", "a b c d e f"),
        (b"=?utf-8?q?a=0D=0Ab=00?=", "a  b "),
    ],
)
def test_decoded(value: bytes, text: str) -> None:
    """Every way to write text is read, or left as it stands."""
    assert decode_words(value) == text


@given(VALUES)
@example(b"=?utf-7?b?" + base64.b64encode(b"+2AA-+3AA-") + b"?=")
def test_decoded_text_is_clean(value: bytes) -> None:
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", decode_words(value))


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], include_characters=" ")))
def test_encoded_words_read_back_and_are_short(text: str) -> None:
    value = encode_words(text)
    assert decode_words(value) == text
    assert all(len(word) <= 75 for word in value.split(b"\n "))
    assert value.isascii()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"For john@doe.example now", b"For ff2e@ct.example now"),
        (b"=?utf-8?q?f=C3=BCr?= (JOHN@doe.example)", b"=?utf-8?q?f=C3=BCr?= (ff2e@ct.example)"),
        ("für john@doe.example ö".encode(), "für ff2e@ct.example ö".encode()),
        (
            b"=?utf-8?Q?=C3=A4?= =?iso-8859-1?Q?=E4_john=40doe.example?=\n x",
            b"=?utf-8?Q?=C3=A4?= =?utf-8?b?w6QgZmYyZUBjdC5leGFtcGxl?=\n x",
        ),
        (
            b"=?utf-8?q?john=40?= =?utf-8?q?doe.example?= =?utf-8?Q?_=C3=A4?=",
            b"=?utf-8?q?ff2e=40ct=2Eexample?= =?utf-8?Q?_=C3=A4?=",
        ),
        (b"john@=?utf-8?q?doe.example?=", b"=?utf-8?q?ff2e=40ct=2Eexample?="),
        (b"a\n john@doe.example\n b", b"a\n ff2e@ct.example\n b"),
        (b"a\0 john@doe.example\rb\nc", b"a  ff2e@ct.example b c"),
        (b"a john@doe.example,\r\n b\r\n", b"a ff2e@ct.example,\n b  "),
    ],
)
def test_masked_text(value: bytes, expected: bytes) -> None:
    """Only the span with the address is written anew."""
    assert mask_text(value, mask) == expected


def test_a_long_encoded_word_is_folded() -> None:
    value = b"=?utf-8?b?" + base64.b64encode(f"{'ä' * 60} {REAL}".encode()) + b"?="
    result = mask_text(value, mask)
    assert decode_words(result) == f"{'ä' * 60} {ALIAS}"
    assert max(map(len, result.split(b"\n "))) <= 75


def test_new_text_that_is_not_ascii_is_encoded() -> None:
    result = mask_text(
        b"a john@doe.example b", FunctionMask(lambda t: t.replace(REAL, "jörg@doe.example"))
    )
    assert decode_words(result) == "a jörg@doe.example b"
    assert result.isascii()
    assert result.startswith(b"a =?utf-8?")


def test_a_change_with_blanks_in_it_is_found() -> None:
    result = mask_text(
        b"x john at doe y", FunctionMask(lambda t: t.replace("john at doe", "somebody"))
    )
    assert result == b"x somebody y"


def test_new_text_never_becomes_an_encoded_word() -> None:
    result = mask_text(
        b"x john@doe.example", FunctionMask(lambda t: t.replace(REAL, "=?utf-8?q?evil?="))
    )
    assert decode_words(result) == "x =?utf-8?q?evil?="


def test_a_mask_cannot_bring_in_a_line_end() -> None:
    result = mask_text(
        b"john@doe.example", FunctionMask(lambda t: t.replace(REAL, "a\r\nBcc: b\0\ud800"))
    )
    assert not re.search(rb"[\r\n\0]", result)
    assert decode_words(result) == "a  Bcc: b \ufffd"


@given(VALUES)
@example(b'"=?!?q??=\0"@')
def test_nothing_to_mask_gives_the_same_object(value: bytes) -> None:
    assert mask_text(value, unchanged) is value
    assert mask_mailboxes(value, lambda _: None, unchanged) is value


@given(VALUES)
@example("ä john@doe.example".encode() + b"\0")
def test_masked_text_reads_as_the_mask_wanted(value: bytes) -> None:
    assume(re.search(rb"\S=\?|\?=\S", value) is None)  # what touches a word has two readings
    assume(value.decode("utf-8", "replace").encode() == value)  # of others there are two readings
    assert decode_words(mask_text(value, mask)) == mask(decode_words(value))


@given(VALUES, st.characters(exclude_categories=["C", "Z"]), st.text(max_size=3))
@example(b"o\x80", "0", "0o")
@example(b"o\x80", "0", "0")
def test_any_mask_is_carried_out(value: bytes, old: str, new: str) -> None:
    """Even one that puts blanks, controls or half of an encoded word into the text."""

    @FunctionMask
    def strange(text: str) -> str:
        return text.replace("o", new).replace("john", old)

    result = mask_text(value, strange)
    assert result is value or not re.search(rb"[\r\0]|\n(?![ \t])", result)
    # What is not UTF-8 is masked in each of its readings: a mask that puts in what it takes away
    # does so in each.
    utf8 = value.decode("utf-8", "replace").encode() == value
    assume(utf8 or "o" not in new)
    clean = re.sub("[\ud800-\udfff]", "\ufffd", strange(decode_words(value)))
    clean = re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", clean)
    assert decode_words(result) == clean


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"=?utf-8?q?jo_hn=40doe.example?=", "ff2e@ct.example"),
        (b"=?utf-8?Q?Ann_(jo_hn@doe.example)?=", "Ann_(ff2e@ct.example)"),
        (b"=?utf-8?q?1=40_dmarc.doe.example?=", "aa11@ct.example"),
        (b"=?utf-8?q?john=40doe.example_(Jo_Hn)?=", "bb22@ct.example (Jo Hn)"),
        (b"=?utf-8?q?jo=5Fhn=40doe.example_and_Ann?=", "ff2e@ct.example and Ann"),
    ],
)
def test_a_low_line_in_an_encoded_word_is_read_both_ways(value: bytes, text: str) -> None:
    """Some write one that should be encoded, and who decodes no word sees it as it is."""
    known = {
        "jo_hn@doe.example": "ff2e@ct.example",
        "1@_dmarc.doe.example": "aa11@ct.example",
        "john@doe.example": "bb22@ct.example",
    }
    masker = Masker(known)
    for masked in (mask_text(value, masker), mask_mailboxes(value, lambda _: None, masker)):
        assert decode_words(masked) == text
        assert not scan([Header(b"X", masked)], b"", {key: key for key in known})


_LINK = "see https://x.example/u/" + base64.b64encode(REAL.encode()).decode().rstrip("=")


@pytest.mark.parametrize("charset", ["utf-8", "utf-16"])
@pytest.mark.parametrize("text", [REAL, _LINK])
@pytest.mark.parametrize(
    "value",
    [b"%sx y", b"%s.com", b"a.%s", b"%sA", b'pdf; name="%sx y"', b"%sx <john@doe.example>"],
)
def test_what_touches_an_encoded_word_hides_no_address_in_it(
    charset: str, text: str, value: bytes
) -> None:
    """Some programs show a blank there, and so nobody's address but the one in the word."""
    masker = Masker({REAL: ALIAS})
    obfuscations = FunctionMask(lambda each: mask_obfuscations(masker(each), masker))
    written = value % _b(text, charset)
    known = {REAL: REAL}
    assert scan([Header(b"X", written)], b"", known)
    masked = mask_text(written, obfuscations)
    assert not scan([Header(b"X", masked)], b"", known)
    assert base64.b64encode(REAL.encode())[:-3].decode() not in decode_words(masked)
    listed = mask_mailboxes(written, alias, obfuscations)
    assert not scan([Header(b"X", listed)], b"", known)


CHARSETS = ["utf-8", "iso-8859-1", "utf-16", "iso-2022-jp", "us-ascii"]


def _b(text: str, charset: str) -> bytes:
    data = base64.b64encode(text.encode(charset))
    return b"=?" + charset.encode() + b"?B?" + data + b"?="


def _q(text: str, charset: str) -> bytes:
    data = "".join(f"={byte:02X}" for byte in text.encode(charset))
    return f"=?{charset}?q?{data}?=".encode()


def _plain(text: str, charset: str) -> bytes:
    return text.encode("utf-8")


PLANTERS: list[Callable[[str, str], bytes]] = [_plain, _b, _q]
WORDS = st.lists(
    st.sampled_from(
        [b"word", b"(x)", b"\n folded", b"=?utf-8?Q?=C3=A4?= and", b"a.b,", "ö".encode()]
    )
).map(lambda words: b"".join(word + b" " for word in words))


@given(WORDS, st.sampled_from(PLANTERS), st.sampled_from(CHARSETS), WORDS)
def test_a_planted_address_is_masked_and_other_bytes_stay(
    before: bytes, plant: Callable[[str, str], bytes], charset: str, after: bytes
) -> None:
    value = before + plant(REAL, charset) + b" - " + after
    result = mask_text(value, mask)
    assert REAL not in decode_words(result)
    assert ALIAS in decode_words(result)
    assert result.startswith(before)
    assert result.endswith(after)


@given(st.integers(1, len(REAL) - 1), st.sampled_from([_b, _q]), st.sampled_from(CHARSETS[:2]))
def test_an_address_split_between_words_is_masked(
    cut: int, plant: Callable[[str, str], bytes], charset: str
) -> None:
    value = plant("ab " + REAL[:cut], charset) + b"\n " + plant(REAL[cut:] + " cd", charset)
    assert decode_words(mask_text(value, mask)) == f"ab {ALIAS} cd"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"John <john@doe.example>", b"John <ff2e@ct.example>"),
        (b"john@doe.example (John)", b"ff2e@ct.example (John)"),
        (b"a@x, g: <john @ doe.example>;", b"a@x, g: <ff2e@ct.example>;"),
        (b"<@a,@b:john@doe.example>", b"<ff2e@ct.example>"),
        (b'"john@doe.example" <a@x>', b'"ff2e@ct.example" <a@x>'),
        (b"john@doe.example <john@doe.example>", b'"ff2e@ct.example" <ff2e@ct.example>'),
        (b"'john@doe.example' <a@x>", b"\"'ff2e@ct.example'\" <a@x>"),
        (b"john@doe.example via X <a@x>", b'"ff2e@ct.example" via X <a@x>'),
        (b'"a \\"b\\" john@doe.example" <a@x>', b'"a \\"b\\" ff2e@ct.example" <a@x>'),
        (b'"john"@doe.example <a@x>', b'"ff2e@ct.example" <a@x>'),
        (b'A "b c" john@doe.example <a@x>', b'A "b c" "ff2e@ct.example" <a@x>'),
        (b"a@x (say \\(hi\\) john@doe.example)", b"a@x (say \\(hi\\) ff2e@ct.example)"),
        (b"a@x (b (john@doe.example) c)", b"a@x (b (ff2e@ct.example) c)"),
        (b"a(john@doe.example)@x", b"a(ff2e@ct.example)@x"),
        (b"=?utf-8?q?john=40doe.example?= <a@x>", b"=?utf-8?q?ff2e=40ct=2Eexample?= <a@x>"),
        (
            b"=?utf-8?Q?J=C3=B6rg?= john@doe.example<a@x>",
            b'=?utf-8?Q?J=C3=B6rg?= "ff2e@ct.example"<a@x>',
        ),
        ('"ö john@doe.example"<a@x>'.encode(), b"=?utf-8?b?w7YgZmYyZUBjdC5leGFtcGxl?= <a@x>"),
        (b"a@x (=?utf-8?q?john=40doe.example?=)", b"a@x (=?utf-8?q?ff2e=40ct=2Eexample?=)"),
        (
            b"=?utf-8?q?Doe,_<john=40doe.example>?= <a@x>",
            b"=?utf-8?q?Doe=2C_=3Cff2e=40ct=2Eexample=3E?= <a@x>",
        ),
        (b"=?utf-8?q?john=40doe.example?=", b"=?utf-8?q?ff2e=40ct=2Eexample?="),
        (b"<john@doe.example@x>", b"<ff2e@ct.example@x>"),
        (
            b'john@doe.example <a@x>, un"closed <john@doe.example>',
            b'=?utf-8?q?ff2e=40ct=2Eexample?= <a@x>, un"closed <ff2e@ct.example>',
        ),
        (b"john@doe.example,\r\n b@x\0", b"ff2e@ct.example,\n b@x "),
    ],
)
def test_masked_mailboxes(value: bytes, expected: bytes) -> None:
    """Addresses, names and comments are masked, and the list stays a list."""
    assert mask_mailboxes(value, alias, mask) == expected


@given(st.from_regex(_ONE, fullmatch=True), st.sampled_from(["a", " ", "-", "0"]), st.booleans())
@example(b'"john a" <john@x.example>', "a", False)
def test_one_address_is_masked_as_one_in_a_list(value: bytes, old: str, known: bool) -> None:
    """Whatever the mask does to its name, whoever has the address."""

    @FunctionMask
    def change(text: str) -> str:
        return text.replace(old, "x")

    def named(address: Address) -> str | None:
        return ALIAS if known else None

    found = mask_mailboxes(value, named, change)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(headers, "read_one", lambda value: None)
        assert mask_mailboxes(value, named, change) == found


def test_text_that_is_no_address_is_left_to_the_caller() -> None:
    value = b"A <no address>, \xff@x"
    assert mask_mailboxes(value, lambda _: ALIAS, mask) is value


def test_a_comment_in_quoted_form_stays_closed() -> None:
    result = mask_mailboxes(b"a@x (john@doe.example)", alias, lambda t: t.replace(REAL, "((\\"))
    assert result == b"a@x (\\(\\(\\\\)"
    assert len(find_mailboxes(result)) == 1


def test_an_own_address_that_needs_quotes_is_put_in_as_it_is_written() -> None:
    own = Address.parse('"john doe"@bücher.example')
    result = mask_mailboxes(b"J <ff2e@ct.example>", lambda _: str(own), unchanged)
    assert [box.address for box in find_mailboxes(result)] == [own]


@given(VALUES)
@example(b'"\n ",john@doe.example <x@y>')
def test_no_unsafe_byte_is_written(value: bytes) -> None:
    result = mask_mailboxes(value, alias, mask)
    assert result is value or not re.search(rb"[\r\0]|\n(?![ \t])", result)


NAMES = st.lists(
    st.sampled_from(
        [
            b"John",
            b'"Doe, J."',
            b'"john@doe.example"',
            b"john@doe.example",
            "Jörg".encode(),
            b"=?utf-8?q?john=40doe.example?=",
            b"=?utf-8?b?w6Q=?=",
            b"(john@doe.example)",
            b"(c)",
            b'"\\"john@doe.example\\""',
            '"ö john@doe.example"'.encode(),
            b"'john@doe.example'",
            _b("x " + REAL, "utf-16"),
            _b(REAL, "iso-2022-jp"),
            b"\n ",
        ]
    ),
    max_size=4,
).map(b" - ".join)


@given(st.lists(st.tuples(NAMES, st.sampled_from(["a@x.example", REAL])), min_size=1, max_size=4))
def test_a_masked_list_has_the_same_places_and_no_address_anywhere(
    parts: list[tuple[bytes, str]],
) -> None:
    value = b",\n ".join(name + b" <" + address.encode() + b">" for name, address in parts)
    result = mask_mailboxes(value, alias, mask)
    boxes = find_mailboxes(result)
    wanted = [ALIAS if address == REAL else address for _, address in parts]
    assert wanted == [str(box.address) for box in boxes]
    assert [mask(box.name) for box in find_mailboxes(value)] == [box.name for box in boxes]
    assert REAL not in decode_words(result)
    assert mask_mailboxes(result, alias, mask) is result


@given(NOISE)
def test_a_masked_list_reads_without_the_address(value: bytes) -> None:
    result = mask_mailboxes(value, alias, mask)
    assert all(box.address is None or box.address.key != REAL for box in find_mailboxes(result))


@given(VALUES, VALUES)
def test_without_names_to_mask_only_spans_change(head: bytes, tail: bytes) -> None:
    value = head + b", " + REAL.encode() + b", " + tail
    assume(any(box.address and box.address.key == REAL for box in find_mailboxes(value)))
    result = mask_mailboxes(value, alias, unchanged)
    assume(not re.search(rb"[\r\0]|\n(?![ \t])", value))
    assume(value.decode("utf-8", "replace").encode() == value)  # of others there are two readings
    pieces, position = b"", 0
    for box in find_mailboxes(value):
        if box.address and box.address.key == REAL:
            pieces += value[position : box.start] + ALIAS.encode()
            position = box.end
    assert result == pieces + value[position:]


@pytest.mark.parametrize(
    "piece", [b"=?a?q?x", b'"', b"(", b"=?utf-8?q?=e4?= ", b"\xff", b"\n ", b"."]
)
def test_hostile_values_take_linear_time(piece: bytes) -> None:
    """60 kB is what Postfix lets through; a quadratic reader would need minutes."""
    value = piece * (50_000 // len(piece)) + b" john@doe.example <a@x>"
    within(2, lambda: mask_text(value, mask))
    within(2, lambda: mask_mailboxes(value, alias, mask))


@pytest.mark.parametrize(
    "value",
    [
        b"=?utf-8?q?john=40doe=2Eexample,<e@x>?= <a@b>",
        b"=?utf-8?q?john=40doe.example,<e@x>?= <a@b>",
        b"Hi =?utf-8?q?x,<e@x>_=6Aohn=40doe=2Eexample?= <a@b>",
        b'"q" =?utf-8?q?=6Aohn=40doe.example,<e@x>?= "x" <a@b>',
        b"=?utf-8?q?=6Aohn=40doe.example_<john@doe.example>?= <a@b>",
    ],
)
def test_a_word_that_an_address_tears_apart_is_masked(value: bytes) -> None:
    """Some readers decode the word before they look for addresses, others after."""
    result = mask_mailboxes(value, alias, mask)
    found = [str(box.address).replace(ALIAS, REAL) for box in find_mailboxes(result)]
    assert found == [str(box.address) for box in find_mailboxes(value)]
    assert ALIAS in decode_words(result)
    assert REAL not in decode_words(result)
    assert not any(REAL in box.name for box in find_mailboxes(result))
    assert mask_mailboxes(result, alias, mask) is result


def test_many_torn_words_take_linear_time() -> None:
    value = b"=?utf-8?q?john=40doe=2Eexample,<e@x>?= <a@b>," * 1200
    within(4, lambda: mask_mailboxes(value, alias, mask))


def test_many_changes_in_one_long_word_take_linear_time() -> None:
    value = b'""' + b'john@doe.example" "' * 3000 + b'x" <a@x>'
    result = within(1, lambda: mask_mailboxes(value, alias, mask))
    assert decode_words(result).count(ALIAS) == 3000


def test_names_of_headers_are_lower_case_and_kept_ones_are_no_trace() -> None:
    names = ADDRESS_HEADERS | KEPT_FROM_PROTECTED | TRACE_HEADERS
    assert names == {name.lower() for name in names}
    assert not any(is_trace(name) for name in KEPT_FROM_PROTECTED | ADDRESS_HEADERS)


@pytest.mark.parametrize(
    ("name", "trace"),
    [
        (b"received", True),
        (b"arc-seal", True),
        (b"x-spam-score", True),
        (b"subject", False),
        (b"x-envelope-from", True),
        (b"archived-at", False),
        (b"dkim-signature", True),
    ],
)
def test_is_trace(name: bytes, trace: bool) -> None:
    """What was added on the way is distinguished from what the sender wrote."""
    assert is_trace(name) is trace


@pytest.mark.parametrize("other", ["", "\u00e4", "\u65e5\u672c"])
def test_no_short_word_is_cut_between_encoded_words(other: str) -> None:
    """The rest of somebody's address might be read as another one's."""
    text = " ".join([other + "w" * length for length in (9, 12, 5, 14, 8, 11, 13, 6, 10)] * 3)
    words = encode_words(text).split(b"\n ")
    assert len(words) > 3
    shown = [decode_words(each) for each in words]
    assert "".join(shown) == text
    assert all(before.endswith(" ") or after[:1] == " " for before, after in pairwise(shown))


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("Content-Type:\n", 'Content-Type: text/plain; charset="utf-8"\n'),
        ("Content-Type: t\n", 'Content-Type: t; charset="utf-8"\n'),
        ("X: t\nContent-Type: t/t;\n x=y\n", 'X: t\nContent-Type: t/t;\n x=y; charset="utf-8"\n'),
        ("Content-Type: ;\n", 'Content-Type:  text/plain; charset="utf-8";\n'),
        ("X: y\n", 'Content-Type: text/plain; charset="utf-8"\nX: y\n'),
    ],
)
def test_a_charset_is_declared_whatever_the_field_says(block: str, expected: str) -> None:
    new = part_header.set_charset(block.encode(), "utf-8").decode()
    assert new == expected
    assert message_from_string(new).get_content_charset() == "utf-8"


@pytest.mark.parametrize("name", ["To", "CC", "Reply-To", "Resent-From"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("john(a)@doe.example", ALIAS),
        ("x@y.example (b), Doe <john@(a)doe.example>", f"x@y.example , Doe <{ALIAS}>"),
        ("john (a) @ (b (c)) doe.example", ALIAS),
        ("john(a)@doe.example.org, (b) <x@y.example>", None),
        ('"john(a)"@doe.example', None),
        ("x@y.example (John)", None),
    ],
)
def test_an_address_with_comments_is_masked_in_messages_inside(
    name: str, value: str, expected: str | None
) -> None:
    block = f"{name}: {value}\r\nX: y (z)\r\n".encode()
    masked = part_header.mask_header(block, Masker({REAL: ALIAS}))
    assert masked == (block.replace(value.encode(), expected.encode()) if expected else block)
