"""Transfer encodings and charsets of mail: read leniently, written with few changes."""

import base64
import binascii
import quopri

import pytest
from cost import within
from hypothesis import example, given
from hypothesis import strategies as st

from conversation_tracker.core.syntax import charset, quoted_printable, transfer

BASE64, QUOTED = transfer.BASE64, transfer.QUOTED_PRINTABLE


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"am9obg==", b"john"),
        (b"am9o\r\nbg==\r\n", b"john"),
        (b"am9obg", b"john"),
        (b"a m!9\xffobg=", b"john"),
        (b"am9obg==am9obg==", b"johnjohn"),
        (b"am9obgA", b"john\0"),
        (b"am9oX", b"joh"),
        (b"====", b""),
        (b"", b""),
    ],
)
def test_base64_is_read_with_junk_without_padding_and_after_it(raw: bytes, expected: bytes) -> None:
    assert transfer.decode(raw, BASE64) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"john=40doe", b"john@doe"),
        (b"john=\r\n@doe\r\n", b"john@doe\r\n"),
        (b"john= \t\n@doe", b"john@doe"),
        (b"trailing  \r\nblanks \t", b"trailing\r\nblanks"),
        (b"=e9=E9", b"\xe9\xe9"),
        (b"=ZZ =4 ==40 =", b"=ZZ =4 =@ "),
        (b"soft at the end=\n", b"soft at the end"),
        (b"", b""),
    ],
)
def test_quoted_printable_joins_soft_breaks_and_keeps_broken_escapes(
    raw: bytes, expected: bytes
) -> None:
    assert transfer.decode(raw, QUOTED) == expected


def test_any_other_encoding_is_the_identity() -> None:
    raw = b"am9obg=40\n"
    for encoding in ("", "7bit", "8bit", "binary", "nonsense"):
        assert transfer.decode(raw, encoding) is raw
        assert transfer.encode(raw, raw, b"new", encoding) == b"new"


@given(st.binary(max_size=400))
def test_base64_is_decoded_as_the_standard_library_does(data: bytes) -> None:
    assert transfer.decode(base64.encodebytes(data), BASE64) == data


@given(st.binary(max_size=400))
def test_quoted_printable_is_decoded_as_the_standard_library_does(data: bytes) -> None:
    raw = quopri.encodestring(data)
    assert transfer.decode(raw, QUOTED) == quopri.decodestring(raw)


@given(st.binary(max_size=300), st.binary(max_size=300), st.sampled_from([b"\n", b"\r\n"]))
def test_base64_is_written_in_76_columns_with_its_own_line_ends(
    old: bytes, new: bytes, line_end: bytes
) -> None:
    raw = base64.encodebytes(old).replace(b"\n", line_end) + line_end
    written = transfer.encode(raw, old, new, BASE64)
    assert transfer.decode(written, BASE64) == new
    assert max(map(len, written.split(line_end))) <= 76
    assert written.replace(b"\r\n", b"").count(b"\r") == 0


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_quoted_printable_is_written_so_that_it_decodes_to_the_new(old: bytes, new: bytes) -> None:
    raw = binascii.b2a_qp(old, istext=False)
    written = transfer.encode(raw, transfer.decode(raw, QUOTED), new, QUOTED)
    assert transfer.decode(written, QUOTED) == new


LINES = st.lists(st.sampled_from([b"caf=E9", b"a=\r\nb", b"=3D=ZZ", b"--x", b"", b"c =20", b"=0A"]))


@given(LINES, st.integers(0, 20), st.binary(max_size=200).filter(lambda b: b"\n" not in b))
def test_quoted_printable_keeps_all_lines_but_the_changed_one(
    lines: list[bytes], place: int, text: bytes
) -> None:
    text = text.replace(b"\r", b"")
    place = min(place, len(lines))
    before = b"".join(line + b"\r\n" for line in lines[:place])
    after = b"".join(line + b"\r\n" for line in lines[place:])
    raw = before + b"John=20Doe\r\n" + after
    old = transfer.decode(raw, QUOTED)
    at = len(transfer.decode(before, QUOTED))
    new = old[:at] + text + old[at + len(b"John Doe") :]
    written = transfer.encode(raw, old, new, QUOTED)
    assert transfer.decode(written, QUOTED) == new
    assert written.startswith(before)
    assert written.endswith(after)
    changed = written[len(before) : len(written) - len(after)]
    assert max(map(len, changed.split(b"\r\n"))) <= 76
    assert not any(line.startswith(b"-") for line in changed.split(b"\r\n"))


@pytest.mark.parametrize(
    ("data", "label", "expected"),
    [
        (b"caf\xe9", "iso-8859-1", "café"),
        ("café".encode(), "", "café"),
        ("café".encode(), "us-ascii", "café"),
        (b"caf\xe9", "utf-8", "café"),
        (b"caf\xe9", "no-such-charset", "café"),
        ("тест".encode("koi8-r"), "KOI8-R", "тест"),
        ("日本".encode("iso-2022-jp"), "iso-2022-jp", "日本"),
        ("日本".encode("utf-16"), "utf-16", "\ufeff日本"),
        ("日本".encode("utf-16-be"), "utf-16be", "日本"),
        (b"a+AEA-b", "utf-7", "a@b"),
        ("①".encode("cp932"), "shift_jis", "①"),
        (b"abc", "zlib", "abc"),
        (b"abc", "rot13", "abc"),
        (b"abc", "idna", "abc"),
        (b"abc", "x\0y", "abc"),
    ],
)
def test_text_is_decoded_as_declared_else_utf_8_else_latin_1(
    data: bytes, label: str, expected: str
) -> None:
    assert charset.decode_text(data, label) == expected


LABELS = st.sampled_from(
    ["", "us-ascii", "utf-8", "utf-7", "utf-16", "utf-32", "iso-2022-jp", "hz", "cp037", "gb2312"]
) | st.text(max_size=20)


@given(st.binary(max_size=100), LABELS)
def test_no_bytes_and_no_label_raise(data: bytes, label: str) -> None:
    assert isinstance(charset.decode_text(data, label), str)
    assert charset.change_text(data, label, lambda text: text) == (data, label)
    assert charset.change_text(data, label, lambda text: text)[0] is data


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=80),
    st.sampled_from(["utf-8", "utf-16", "utf-7", "iso-2022-jp", "cp1251"]),
)
def test_text_is_changed_in_its_own_charset(text: str, label: str) -> None:
    data = (text.encode(label, "ignore").decode(label) + " john ").encode(label)
    new, now = charset.change_text(data, label, lambda t: t.replace("john", "mary"))
    assert now == label
    assert " mary " in new.decode(label)


def test_what_a_charset_lacks_is_written_in_utf_8_and_said() -> None:
    changed = charset.change_text(b"caf\xe9 x", "latin1", lambda t: t.replace("x", "\u65e5"))
    assert changed == ("café 日".encode(), "utf-8")


def test_ascii_is_seen_where_the_declared_charset_would_hide_it() -> None:
    for label in ("utf-16", "cp037", "utf-32"):
        new, _ = charset.change_text(b"john ", label, lambda t: t.replace("john", "mary"))
        assert new == b"mary "


def test_utf_16_is_seen_where_it_is_not_declared() -> None:
    for name in ("utf-16-le", "utf-16-be"):
        data = "to john".encode(name)
        new, _ = charset.change_text(data, "", lambda t: t.replace("john", "mary"))
        assert new.decode(name) == "to mary"
        assert not charset.is_transparent(data, "")


_QUOTED_PIECES = [b"=", b"\n", b"\r\n", b"\r", b" ", b"\t", b"=41", b"=0A", b"=E4", b"a", b"=\n"]
_QUOTED_PIECES += [b"= \r\n", b"-", b"=3d", b"4", b"x" * 80]


@given(st.lists(st.sampled_from(_QUOTED_PIECES), max_size=14).map(b"".join))
def test_quoted_printable_is_read_at_once_as_it_is_line_by_line(raw: bytes) -> None:
    lines = b"".join(data for _, data, _ in quoted_printable._split_lines(raw))
    assert transfer.decode(raw, QUOTED) == lines


@given(
    st.lists(st.sampled_from(_QUOTED_PIECES), max_size=14).map(b"".join),
    st.sampled_from([b"", b"Z", b"\xff", b"\n", b" ", b"\r\n"]),
    st.integers(0, 40),
    st.integers(0, 3),
)
@example(b"a=0A\r\n\t\r\n=", b"", 3, 1)
@example(b"=0A=", b"Z", 1, 0)
@example(b"=0A \t", b"Z", 1, 0)
def test_quoted_printable_of_any_kind_decodes_to_the_new(
    raw: bytes, piece: bytes, at: int, gone: int
) -> None:
    old = transfer.decode(raw, QUOTED)
    new = old[:at] + piece + old[at + gone :]
    written = transfer.encode(raw, old, new, QUOTED)
    assert transfer.decode(written, QUOTED).replace(b"\r\n", b"\n") == new.replace(b"\r\n", b"\n")


def test_long_quoted_printable_is_read_and_changed_in_milliseconds() -> None:
    raw = b'<td class=3D"cell">f=C3=BCr 10,00 =E2=82=AC</td> and more text of it=\r\n\r\n' * 20_000
    old = within(1, lambda: transfer.decode(raw, QUOTED))
    new = old.replace(b"10,00", b"11,00", 1)
    within(1, lambda: transfer.encode(raw, old, new, QUOTED))
