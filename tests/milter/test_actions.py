"""What headers a message is made of, and what edits make of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions import (
    Action,
    AddHeader,
    ChangeHeader,
    InsertHeader,
    Message,
    ReplaceBody,
    applied,
    parted,
    split,
)

HEAD = b"A: 1\r\nB: 2\r\na:3\r\n x\r\n"


def edited(*actions: Action) -> bytes:
    message = Message(b"", (), HEAD + b"\r\nbody\r\n")
    return applied(message, actions).data


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (ChangeHeader(1, b"A", b"9"), b"A: 9\r\nB: 2\r\na:3\r\n x\r\n"),
        (ChangeHeader(2, b"A", b"9"), b"A: 1\r\nB: 2\r\nA: 9\r\n"),
        (ChangeHeader(2, b"A", b""), b"A: 1\r\nB: 2\r\n"),
        (ChangeHeader(3, b"A", b"9"), HEAD + b"A: 9\r\n"),
        (ChangeHeader(3, b"A", b""), HEAD),
        (AddHeader(b"C", b"4\n 5"), HEAD + b"C: 4\r\n 5\r\n"),
        (InsertHeader(0, b"C", b"4"), b"C: 4\r\n" + HEAD),
        (InsertHeader(1, b"C", b"4"), b"C: 4\r\n" + HEAD),
        (InsertHeader(2, b"C", b"4"), b"A: 1\r\nC: 4\r\nB: 2\r\na:3\r\n x\r\n"),
        (InsertHeader(9, b"C", b"4"), HEAD + b"C: 4\r\n"),
    ],
)
def test_a_header_edit_counts_headers_of_its_name(action: Action, expected: bytes) -> None:
    assert edited(action) == expected + b"\r\nbody\r\n"


def test_an_index_counts_what_earlier_edits_left() -> None:
    """Deleting the first of two makes the second the first."""
    assert edited(ChangeHeader(1, b"A", b""), ChangeHeader(1, b"A", b"9")).startswith(
        b"B: 2\r\nA: 9\r\n\r\n"
    )


def test_body_chunks_follow_one_another() -> None:
    assert edited(ReplaceBody(b"x"), ReplaceBody(b"y\r\n")) == HEAD + b"\r\nxy\r\n"


@pytest.mark.parametrize(
    ("data", "fields", "body"),
    [
        (b"A: 1\r\n\r\nx", [b"A: 1\r\n"], b"x"),
        (b"A: 1\r\nno header\r\nB: 2\r\n", [b"A: 1\r\n"], b"no header\r\nB: 2\r\n"),
        (b"A: 1\r\n\xff: 2\r\n", [b"A: 1\r\n"], b"\xff: 2\r\n"),
        (b"A : 1\r\n\t2\r\n", [b"A: 1\r\n\t2\r\n"], b""),
        (b"\r\nA: 1\r\n", [], b"A: 1\r\n"),
        (b"", [], b""),
    ],
)
def test_headers_end_where_postfix_ends_them(data: bytes, fields: list[bytes], body: bytes) -> None:
    assert split(data) == (fields, body)


@pytest.mark.parametrize(
    ("field", "name", "value"),
    [
        (b"A: 1\r\n", b"A", b"1"),
        (b"A:1\r\n", b"A", b"1"),
        (b"A:  1 \r\n", b"A", b" 1 "),
        (b"A:\t1\r\n", b"A", b"\t1"),
        (b"A :\r\n 1\r\n\t2\r\n", b"A", b"\n 1\n\t2"),
    ],
)
def test_a_milter_gets_the_value_without_its_first_space(
    field: bytes, name: bytes, value: bytes
) -> None:
    assert parted(field) == (name, value)


@given(st.lists(st.sampled_from([b"A: 1\r\n", b" x\r\n", b"b:\r\n", b"\r\n", b"body\r\n", b"."])))
def test_a_message_without_edits_keeps_its_bytes(lines: list[bytes]) -> None:
    """But for the empty line that ends the headers, which Postfix adds where it lacks."""
    data = b"".join(lines)
    fields, body = split(data)
    assert b"".join(fields) + body in (data, data.replace(b"\r\n\r\n", b"\r\n", 1), data[2:])
    assert applied(Message(b"", (), data), ()).data == b"".join(fields) + b"\r\n" + body
