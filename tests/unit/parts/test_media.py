"""Pictures, sound and film: an address in them is written over, and they show as before."""

import base64
import random
import zlib

import pytest
from builders import CARRIER, EVERYBODY, B, S, mail, written
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.part import media
from conversation_tracker.core.scanning.scan import scan

REAL = b"john@doe.example"
OVER = b"x" * len(REAL)
PEOPLE = People(["john@doe.example", "müller@xn--mller-kva.example"])


def chunk(name: bytes, data: bytes) -> bytes:
    """Write a chunk of a PNG."""
    code = zlib.crc32(name + data).to_bytes(4, "big")
    return len(data).to_bytes(4, "big") + name + data + code


def png(text: bytes) -> bytes:
    """Write a picture of one pixel that names its author."""
    pixel = chunk(b"IHDR", bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]))
    data = chunk(b"IDAT", zlib.compress(b"\0\0"))
    told = chunk(b"tEXt", b"Author\0" + text)
    return b"\x89PNG\r\n\x1a\n" + pixel + told + data + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"ID3\3\0" + REAL + b"\0\1", b"ID3\3\0" + OVER + b"\0\1"),
        (b"\xff\xd8\xff\xe1\0\20John@DOE.example\xff", b"\xff\xd8\xff\xe1\0\20" + OVER + b"\xff"),
        (
            b"II*\0" + "john@doe.example".encode("utf-16-le") + b"\0\0",
            b"II*\0" + ("x" * 16).encode("utf-16-le") + b"\0\0",
        ),
        (
            b"RIFF\0\0\0\0WAVEIART\x17\0\0\0" + "müller@müller.example\0".encode(),
            b"RIFF\0\0\0\0WAVEIART\x17\0\0\0" + b"x" * 23 + b"\0",
        ),
        (png(REAL), png(OVER)),
    ],
)
def test_an_address_is_written_over(data: bytes, expected: bytes) -> None:
    assert media.is_media("application/octet-stream", data)
    assert media.overwrite_addresses(data, PEOPLE) == expected


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n"]))
def test_the_length_stays_and_what_holds_no_address_is_the_same_object(
    data: bytes, magic: bytes
) -> None:
    whole = magic + data
    assert media.overwrite_addresses(whole, PEOPLE) is whole
    assert len(media.overwrite_addresses(whole + REAL, PEOPLE)) == len(whole + REAL)


def sent(kind: str, data: bytes, to: str = S) -> bytes:
    """Send a buyer's or the store's mail that is, or has with it, a file."""
    author = "john@doe.example" if to == S else "sales@shop.example"
    code = base64.encodebytes(data).decode()
    text = f"""From: {author}
To: {to}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: {kind}
Content-Transfer-Encoding: base64

{code}
--x--
"""
    body = mail(text, EVERYBODY, to=to).sent().body
    return base64.b64decode(body.split(b"\n\n", 1)[1].split(b"\n--x--")[0])


def test_a_picture_arrives_without_the_address() -> None:
    assert sent("image/png", png(REAL)) == png(OVER)
    assert sent("application/octet-stream", png(REAL)) == png(OVER)


def test_ones_own_address_in_a_picture_stays() -> None:
    assert sent("image/png", png(REAL), to=B) == png(REAL)


def test_what_is_spelled_otherwise_passes_or_goes_as_the_store_wants() -> None:
    text = base64.encodebytes(png(b"john+photo@doe.example")).decode()
    head = f"From: john@doe.example\nTo: {S}\nContent-Type: image/png\n"
    done = mail(f"{head}Content-Transfer-Encoding: base64\n\n{text}", EVERYBODY, to=S).plan()
    assert done.reply is None
    assert done.records[0].notes == ("1 image/png binary flagged",)
    assert b"IHDR" not in done.records[0].raw


def test_a_record_holds_the_picture_without_the_address_and_says_so() -> None:
    text = base64.encodebytes(png(REAL)).decode()
    head = f"From: john@doe.example\nTo: {S}\nContent-Type: image/png\n"
    done = mail(f"{head}Content-Transfer-Encoding: base64\n\n{text}", EVERYBODY, to=S).plan()
    [record] = done.records
    assert base64.b64decode(record.raw.split(b"\r\n\r\n", 1)[1]) == png(OVER)
    assert record.notes == ("1 image/png media",)


TOKENS = [
    CARRIER.encode(),
    CARRIER.encode("utf-16-le"),
    b"r\0" + CARRIER.encode("utf-16-le") + b"q",
    CARRIER.encode("utf-16-be"),
    base64.b64encode(CARRIER.encode()),
    base64.b64encode(b"id=" + CARRIER.encode()),
    base64.urlsafe_b64encode(b"x" + CARRIER.encode()).rstrip(b"="),
    b"https://x.example/" + base64.b64encode(CARRIER.encode()) + b"?a",
    CARRIER.encode().hex().encode(),
    CARRIER.encode().hex().upper().encode(),
    CARRIER.replace("@", "%40").encode(),
]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("start", [b"\xff\xd8\xff\xe1\0\20", b"GIF89a", b"\x89PNG\r\n\x1a\n"])
@pytest.mark.parametrize(
    ("fields", "around"),
    [
        ("Content-Type: image/x; name=a\nContent-Transfer-Encoding: base64", "{lines}"),
        ("Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64", "{lines}"),
        ("Content-Type: text/plain", "See\n\n{lines}\nBye\n"),
        ("Content-Type: text/html", '<p>Hi</p><img src="data:image/png;base64,{lines}">\n'),
        ("Content-Type: text/html", '<p>Hi</p><img src="data:image/png;base64,{flat}">\n'),
        (
            "Content-Type: text/html",
            "<style>a{{background:url(data:image/png;base64,{flat})}}</style>\n",
        ),
        ("Content-Type: application/json", '{{"a":"data:image/png;base64,{flat}"}}\n'),
    ],
)
def test_no_message_is_refused_for_a_token_in_a_picture(
    token: bytes, start: bytes, fields: str, around: str
) -> None:
    chance = random.Random(token + start)
    for _ in range(3):
        data = start + chance.randbytes(300) + b"\0" + token + b"\0" + chance.randbytes(300)
        code = {"lines": base64.encodebytes(data).decode(), "flat": base64.b64encode(data).decode()}
        raw = written(CARRIER, *fields.split("\n"), body=around.format(**code))
        found = mail(raw, EVERYBODY, to=B, sender=CARRIER).plan()
        assert found.reply is None


def wrap_code(data: bytes, width: int, between: str) -> str:
    code = base64.b64encode(data).decode()
    return between.join(code[at : at + width] for at in range(0, len(code), width))


@pytest.mark.parametrize("width", [40, 60, 75, 76, 200])
@pytest.mark.parametrize("between", ["\n", "\n  ", "\n\t"])
@pytest.mark.parametrize("first", ["", "\n"])
@pytest.mark.parametrize("size", [0, 7, 20, 21, 22, 100])
def test_a_picture_in_html_is_decoded_across_its_lines(
    width: int, between: str, first: str, size: int
) -> None:
    noise = random.Random(size).randbytes(200)
    data = noise[:size] + b"\0" + CARRIER.encode() + b"\xfd\x99" + noise[:size]
    page = f'<img src="data:image/png;base64,{first}{wrap_code(data, width, between)}">\n'
    given = mail(written(CARRIER, "Content-Type: text/html", body=page), EVERYBODY, to=B)
    assert scan((), given.message.body, {CARRIER: "a"})
    done = given.plan()
    assert done.reply is None
    for body in (given.sent(done).body[:], done.records[0].raw[:]):
        code = body.partition(b";base64,")[2].partition(b'"')[0]
        assert CARRIER.encode() not in base64.b64decode(code + b"==")


CODE = base64.b64encode(f"id=1&to={CARRIER}&x=".ljust(144, "y").encode()).decode()
LINES = "\n".join(CODE[at : at + 64] for at in range(0, len(CODE), 64))


@pytest.mark.parametrize("type_", ["plain", "html"])
@pytest.mark.parametrize(
    ("text", "stays"),
    [
        (
            f"data:text/plain;base64,{CODE} thanks for\nthe order, John",
            "thanks for\nthe order, John",
        ),
        (f"data:a/b;base64,\n{LINES}\n\nThanks for all", "Thanks for all"),
        (f"data:a/b;base64,\n{LINES}\nThanks for all", "Thanks for all"),
        (f"Your key:\n\n{LINES}\nThanks; John", "Thanks; John"),
        (f"Your key:\n\n{LINES}\nThanks<br> John", "Thanks<br> John"),
    ],
)
def test_words_behind_base64_are_no_part_of_it(text: str, stays: str, type_: str) -> None:
    """Letters are digits of base64, too, and a customer's words must not go with a file."""
    raw = written(CARRIER, f"Content-Type: text/{type_}", body=text + "\n")
    given = mail(raw, EVERYBODY, to=B, sender=CARRIER)
    done = given.plan()
    assert done.reply is None
    for body in (given.sent(done).body[:], done.records[0].raw[:]):
        shown = body.replace(b"\r\n", b"\n").decode()
        assert stays in shown
        assert CODE[:20] not in shown


def test_what_stands_beside_an_address_in_octets_is_no_letter_by_chance() -> None:
    """Masking and the scan agree, so that no message is refused."""
    for before in (b"\xc2\xb9", b"\xc4\xb2", b"\xc3\xa9", b"\xe9", b"\xff"):
        page = f'<img src="data:image/png;base64,{wrap_code(before + CARRIER.encode(), 900, "")}">'
        given = mail(written(CARRIER, "Content-Type: text/html", body=page), EVERYBODY, to=B)
        assert given.plan().reply is None


@pytest.mark.parametrize("place", [600_000, 1_100_000])
def test_a_large_picture_is_searched_once(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it holds an address, that is written over all the same."""
    looked: list[int] = []
    real = People.in_bytes
    monkeypatch.setattr(
        People, "in_bytes", lambda self, data: looked.append(len(data)) or real(self, data)
    )
    head = f"From: {CARRIER}\nContent-Type: image/jpeg\nContent-Transfer-Encoding: base64\n\n"
    data = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + random.Random(1).randbytes(1_200_000)
    assert mail(head.encode() + base64.encodebytes(data), EVERYBODY, to=B).sent()
    assert sum(looked) < len(data) * 1.5
    named = data[:place] + b"\0" + CARRIER.encode() + b"\0" + data[place:]
    left = mail(head.encode() + base64.encodebytes(named), EVERYBODY, to=B).sent()
    assert base64.b64decode(left.body) == named.replace(CARRIER.encode(), b"x" * len(CARRIER))
