"""Uuencoded parts are decoded and encoded; what stands around their lines stays."""

import binascii

import pytest
from builders import EVERYBODY, A, B, S, mail
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.syntax import uuencoding
from conversation_tracker.core.syntax.transfer import decode, encode


def written(data: bytes, line_end: bytes = b"\n", backtick: bool = True) -> bytes:
    """Write a file as uuencode does."""
    lines = (
        binascii.b2a_uu(data[at : at + 45], backtick=backtick).rstrip(b"\n") + line_end
        for at in range(0, len(data), 45)
    )
    return b"begin 644 file" + line_end + b"".join(lines) + b"`" + line_end + b"end" + line_end


@given(st.binary(max_size=400), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_what_uuencode_writes_is_read(data: bytes, line_end: bytes, backtick: bool) -> None:
    assert decode(written(data, line_end, backtick), "x-uuencode") == data


@given(st.binary(max_size=200), st.binary(max_size=400), st.sampled_from([b"\n", b"\r\n"]))
def test_what_is_encoded_is_decoded_again(old: bytes, new: bytes, line_end: bytes) -> None:
    raw = b"before\n" + written(old, line_end) + b"after\n"
    again = encode(raw, old, new, "uuencode")
    assert decode(again, "uuencode") == new
    assert again.startswith(b"before\nbegin 644 file")
    assert again.endswith(b"end" + line_end + b"after\n")


@given(st.binary(max_size=300))
def test_any_bytes_are_taken(raw: bytes) -> None:
    """Without a block, they are the content themselves."""
    assert uuencoding.encode(raw, uuencoding.decode(raw)) is not None


@pytest.mark.parametrize("name", sorted(uuencoding.NAMES))
def test_addresses_in_it_and_beside_it_are_masked(name: str) -> None:
    content = b"Mine is john@doe.example\n"
    raw = (
        f"From: john@doe.example\nContent-Transfer-Encoding: {name}\n\njohn@doe.example\n".encode()
    )
    body = mail(raw + written(content), EVERYBODY, to=S).sent().body
    assert body.startswith(B.encode())
    assert decode(body, name) == content.replace(b"john@doe.example", B.encode())
    assert A.encode() not in body


def test_a_short_line_is_padded_as_some_encoders_do() -> None:
    assert decode(b"begin 644 x\n#0V%TABC\n`\nend\n", "x-uue") == b"Cat"
