"""Files written in letters of a text (BinHex, yEnc, objects in RTF) go if they name somebody."""

import base64
import re
import tracemalloc
import zlib
from binascii import b2a_base64

import pytest
from attached import check, left, part, sent
from builders import CARRIER
from containers import compressed_rtf, gzip, outlook, word, zipped
from cost import within

from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.container import written_files
from conversation_tracker.core.masking.container.search import holds_address
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.scan import scan
from conversation_tracker.core.scanning.text import lettered

RAW = CARRIER.encode()
TEXT = b"You may write to %s now, ooooooooh! \x90\x90\x90 " % RAW * 3
_LETTERS = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr",
)


def yenc(data: bytes, *, piece: bool = False) -> bytes:
    """Write a file as yEnc does."""
    out = bytearray()
    for octet in data:
        shown = (octet + 42) % 256
        out += bytes((61, (shown + 64) % 256)) if shown in b"\0\r\n=" else bytes((shown,))
    lines = [bytes(out[at : at + 128]) for at in range(0, len(out), 128)]
    head = b"=ybegin line=128 size=%d name=a.bin\n" % len(data)
    head += b"=ypart begin=1 end=%d\n" % len(data) if piece else b""
    return head + b"".join(each + b"\n" for each in lines) + b"=yend size=%d\n" % len(data)


def binhex(data: bytes) -> bytes:
    """Write a file as BinHex 4 does, with runs."""
    whole = b"\x05a.binTEXTttxt\0\0" + len(data).to_bytes(4, "big") + bytes(6) + data + bytes(4)
    whole = whole.replace(b"\x90", b"\x90\0")
    whole = re.sub(rb"([^\x90])\1{3,200}", lambda m: m[1] + b"\x90" + bytes((len(m[0]),)), whole)
    letters = b2a_base64(whole + bytes(-len(whole) % 3), newline=False).translate(_LETTERS)
    lines = re.sub(rb".{64}", rb"\g<0>\n", b":" + letters + b":")
    return b"(This file must be converted with BinHex 4.0)\n\n" + lines + b"\n"


def rtf(data: bytes) -> bytes:
    """Write an object into RTF, its name before it."""
    digits = (bytes.fromhex("0105000002000000080000005061636b61676500") + data).hex()
    return (
        b"{\\rtf1 See {\\object\\objemb{\\*\\objdata "
        + re.sub(".{64}", "\\g<0>\n", digits).encode()
        + b"}} there.}\n"
    )


WAYS = {"yEnc": yenc, "yEnc, a piece": lambda data: yenc(data, piece=True), "BinHex": binhex,
        "RTF": rtf}  # fmt: skip
FILES = {
    "text": TEXT,
    "zip": zipped({"a.txt": TEXT}),
    "gzip": gzip.compress(TEXT),
    "doc": word(RAW),
    "msg": outlook({"10090102": compressed_rtf(b"{\\rtf1 " + RAW + b"}")}),
    "zlib": b"MZ\0" + zlib.compress(TEXT),
}


def is_seen(written: bytes, type_: str) -> bool:
    return bool(scan([Header(b"Content-Type", type_.encode())], written, {CARRIER: "a"}))


@pytest.mark.parametrize("policy", ["flag", "remove", "refuse"])
@pytest.mark.parametrize(
    ("way", "type_"),
    [
        *((way, "text/plain") for way in WAYS),
        *((way, "application/octet-stream") for way in ("BinHex", "RTF")),
    ],
)
@pytest.mark.parametrize("file", FILES)
def test_a_file_that_names_somebody_goes_from_the_text(
    file: str, way: str, type_: str, policy: str
) -> None:
    around = (b"", b"") if way == "RTF" else (b"Hello\n", b"Thanks for the order\n")
    written = WAYS[way](FILES[file]).join(around)
    assert is_seen(written, type_)
    given = sent(part(written, f"Content-Type: {type_}"), policy)
    plan = given.plan()
    assert plan.reply is None
    for kept in (left(given, plan), plan.records[0].raw[:]):
        assert not is_seen(kept, "multipart/mixed; boundary=b")
        assert base64.encodebytes(written)[:400] not in kept.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("policy", ["flag", "remove", "refuse"])
def test_what_yenc_makes_no_text_of_is_a_file(policy: str) -> None:
    written = yenc(FILES["zip"] * 3)
    assert is_seen(written, "application/octet-stream")
    check(part(written), base64.encodebytes(written).strip(), policy)


@pytest.mark.parametrize("way", WAYS)
def test_what_stands_around_a_file_stays(way: str) -> None:
    written = b"Hello\n" + WAYS[way](TEXT) + b"Thanks for the order\n"
    new = written_files.remove_files(written, lambda data: RAW in data)
    assert new.startswith(b"Hello\n")
    assert new.endswith(b"Thanks for the order\n")
    assert (written_files.NOTE in new) is (way != "RTF")
    assert written_files.remove_files(written, lambda data: False) is written


@pytest.mark.parametrize("way", ["yEnc", "BinHex", "RTF"])
def test_a_file_behind_a_hundred_others_goes_too(way: str) -> None:
    """Of so many, several are looked at together, and go together."""
    written = b"Hello\n" + WAYS[way](b"nobody") * 130 + WAYS[way](TEXT) + WAYS[way](b"x") * 99
    assert is_seen(written, "text/plain")
    new = written_files.remove_files(written, lambda data: RAW in data)
    assert not is_seen(new, "text/plain")
    assert new.startswith(b"Hello\n" + WAYS[way](b"nobody") * 100)
    found = [content for _, content, _ in written_files.find_files(written)]
    assert found == [*lettered.decode_files(written)]


@pytest.mark.parametrize("way", WAYS)
def test_both_sides_read_the_same(way: str) -> None:
    for data in (TEXT, bytes(range(256)) * 9, b"\x90", b"a" * 50, b"=\n:"):
        written = WAYS[way](data)
        found = [content for _, content, _ in written_files.find_files(written)]
        assert found == [*lettered.decode_files(written)]
        assert any(data in each for each in found)


@pytest.mark.parametrize("way", WAYS)
def test_files_in_text_that_was_packed_are_read(way: str) -> None:
    data = zipped({"a.txt": b"Hello\n" + WAYS[way](FILES["doc"])})
    assert holds_address(data, People([CARRIER]))
    assert not holds_address(data, People(["anna@nobody.example"]))
    assert scan([Header(b"Content-Type", b"application/zip")], data, {CARRIER: "a"})


def test_files_of_runs_are_not_kept_all_at_once() -> None:
    runs = b2a_base64(b"a\x90\xff" * 2_000, newline=False).translate(_LETTERS)
    many = (b"with BinHex\n:%s:\n" % runs) * 50
    size = sum(len(content) for _, content, _ in written_files.find_files(many))
    assert size == 50 * 2_000 * 255
    tracemalloc.start()
    try:
        written_files.remove_files(many, lambda data: False)
        assert tracemalloc.get_traced_memory()[1] < size / 5
    finally:
        tracemalloc.stop()


def test_lines_of_yenc_take_no_room_each() -> None:
    lines = b"=ybegin \n" + b"\n" * 500_000
    tracemalloc.start()
    try:
        assert [*written_files.find_files(lines)]
        assert tracemalloc.get_traced_memory()[1] < 10 * len(lines)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "hostile",
    [
        b"=ybegin \n" * 200_000,
        b"=ybegin " * 200_000,
        b"=ybegin \n" + b"=" * 2_000_000,
        b"with BinHex 4\n:" * 150_000,
        b"with BinHex " * 150_000,
        b"with BinHex\n:" + b"Q*!" * 700_000,
        b"with BinHex\n:" + binhex(b"a" * 200)[60:200].replace(b":", b"") * 20_000,
        b"\\objdata " * 200_000,
        b"\\objdata " + b"d0 " * 600_000,
        b"\\objdata " + b"d0cf11e0a1b11ae1" * 120_000,
    ],
)
def test_hostile_text_costs_little(hostile: bytes) -> None:
    field = [Header(b"Content-Type", b"text/plain")]
    within(3, lambda: written_files.remove_files(hostile, lambda data: False))
    within(3, lambda: [*lettered.decode_files(hostile)])
    within(10, lambda: scan(field, hostile, {CARRIER: "a"}))
