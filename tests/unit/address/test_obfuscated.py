"""Addresses that do not stand in clear in running text: tokens, blocks, escapes."""

import base64

import pytest
from builders import BUYER, CARRIER, SHOP, A, B, mail, order, written
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.text import encoded, escapes
from conversation_tracker.core.scanning.scan import scan

MASK = Masker({BUYER: B})
PEOPLE = order(BUYER, SHOP, CARRIER)
SIGNATURE = "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJVadQssw5c"


def based(text: str | bytes) -> str:
    """Write text in base64."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def bare(text: str) -> str:
    """Write text as tokens have it: in the alphabet of URLs, without padding."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def hexadecimal(text: str) -> str:
    """Write text in hexadecimal digits."""
    return text.encode().hex()


def in_a_link(text: str) -> str:
    """Write text as a link that has all of it escaped."""
    return "https://x.example/?" + "".join(f"%{value:02x}" for value in text.encode())


def lines(text: str, width: int = 60) -> str:
    """Write text in lines of base64."""
    code = based(text)
    return "\n".join(code[at : at + width] for at in range(0, len(code), width)) + "\n"


LETTER = "Dear all, this is about the order; please write to ADDRESS at any time. " * 3

TOKENS = [
    ("id={}&x=1", based),
    ("see {} there", bare),
    ('{{"ref":"{}"}}', based),
    ("{}", lambda address: based(f'{{"e":"{address}","n":12}}')),
    ("{}", lambda address: f"eyJhbGciOiJIUzI1NiJ9.{bare(address)}.{SIGNATURE}"),
    ("data:text/plain;base64,{}", lambda address: based(f"mail {address}")),
    ("> {}", lambda address: based(f"??>> {address} <<??")),
    ("=?utf-8?b?{}?=", based),
    ("x-{}-y", lambda address: address.encode().hex()),
    ("https://x.example/{}/y", lambda address: address.encode().hex().upper()),
    ("before\n{}", lambda address: lines(LETTER.replace("ADDRESS", address))),
]


@pytest.mark.parametrize(("around", "write"), TOKENS)
@pytest.mark.parametrize("type", ["plain", "html"])
def test_a_token_is_written_anew(around: str, write, type: str) -> None:  # type: ignore[no-untyped-def]
    """In the same alphabet, padding, case and width, with the alias in it."""
    text = written(BUYER, f"Content-Type: text/{type}", body=around.format(write(BUYER)))
    sent = mail(text, PEOPLE, to=A).sent()
    assert sent.body.decode() == around.format(write(B))


@pytest.mark.parametrize("write", [based, hexadecimal])
@pytest.mark.parametrize("sign", ["%40", "%2540", "\\u0040"])
def test_an_escaped_sign_in_a_token_is_known_to_both_sides(sign: str, write) -> None:  # type: ignore[no-untyped-def]
    """As a link that holds a link has it."""
    token = write(f"https://c.example/?e={BUYER.replace('@', sign)}")
    row = mail(written(BUYER, body=f"see https://t.example/?u={token} x\n"), PEOPLE, to=A)
    assert token not in row.sent().body.decode()
    assert scan([], row.message.body, {BUYER: "b"})


@pytest.mark.parametrize("write", [based, hexadecimal])
@pytest.mark.parametrize("sign", ["&#64;", "&commat;", "%252540", "\\x40", "=40", "+40", " (at) "])
def test_no_message_is_refused_for_a_sign_in_a_token(sign: str, write) -> None:  # type: ignore[no-untyped-def]
    """The scan finds nothing there that masking does not."""
    for address in (BUYER, BUYER.replace("j", "%6a"), BUYER.replace(".", "%2e")):
        token = write(f"https://c.example/?e={address.replace('@', sign)}")
        assert mail(written(BUYER, body=f"see {token} x\n"), PEOPLE, to=A).plan().reply is None


@pytest.mark.parametrize("write", [based, hexadecimal, in_a_link])
@pytest.mark.parametrize("media", ["message/rfc822", "text/rfc822-headers"])
def test_headers_of_an_attached_message_hold_no_token(write, media: str) -> None:  # type: ignore[no-untyped-def]
    """Filters write recipients there in base64, senders of lists into links."""
    token = write(BUYER)
    attached = f"X-Filter: 1.0\n {token}=3D\nSubject: Hello\n\nHello\n"
    sent = mail(written(BUYER, f"Content-Type: {media}", body=attached), PEOPLE, to=A).sent()
    assert token not in sent.body.decode()
    assert sent.body.startswith(b"X-Filter: 1.0\n ")
    assert sent.body.endswith(b"=3D\nSubject: Hello\n\nHello\n")


@pytest.mark.parametrize(
    "token",
    [
        "xy" + based(BUYER),
        based(b"\0\1\xff\xfe" + BUYER.encode() + b"\0\x88\x99"),
        "f" + BUYER.encode().hex() + "0",
        ("00ff" + BUYER.encode().hex()),
    ],
)
def test_a_token_that_does_not_encode_cleanly_is_cut(token: str) -> None:
    """The text around it stays."""
    sent = mail(written(BUYER, body=f"a {token} z\n"), PEOPLE, to=A).sent()
    assert sent.body.decode() == "a  z\n"


@pytest.mark.parametrize(
    "text",
    [
        based("xjohn@doe.example") + " " + based("ann@doe.example"),
        based("john@doe.example.com"),
        b"doe.example".hex(),
        lines(LETTER.replace("ADDRESS", "ann@doe.example")),
        "%6dary@doe%2eexample ann%2bx \\u0041 &#65; =41 \uff41\uff20\uff42",
        "\u3053\u3093\u306b\u3061\u306f\u3002john",
    ],
)
def test_what_holds_no_address_of_the_order_stays(text: str) -> None:
    """The very same object comes back."""
    assert encoded.mask_encodings(text, MASK) is text
    assert escapes.mask_escapes(text, MASK) is text


ESCAPED = [
    "%6a%6fhn%40doe.example",
    "john@doe%2Eexample",
    "john@doe%252Eexample",
    "%6Aohn@doe.example",
    "john@doe\\u002eexample",
    "\\x6aohn\\x40doe.example",
    "john\\@doe\\.example",
    "john&commat;doe.example",
    "john&#64;doe.example",
    "john&#0064;doe&period;example",
    "=6Aohn=40doe=2Eexample",
    "john@doe\u3002example",
    "\uff4a\uff4f\uff48\uff4e\uff20\uff44\uff4f\uff45\uff0e\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45",
    "john@\uff44\uff4f\uff45.example",
    "\U0001d423\U0001d428\U0001d421\U0001d427@doe.example",
    "\u24d9\u24de\u24d7\u24dd@doe.example",
]


@pytest.mark.parametrize("address", ESCAPED)
@pytest.mark.parametrize("type", ["plain", "html"])
def test_an_escaped_address_is_masked(address: str, type: str) -> None:
    """Only it; other escapes beside it stay as they are written."""
    fields = (f"Content-Type: text/{type}; charset=utf-8",)
    text = written(BUYER, *fields, body=f"%41\u3002 ({address}) a%2Db &#65;\n")
    sent = mail(text, PEOPLE, to=A).sent().body.decode()
    assert sent == f"%41\u3002 ({B}) a%2Db &#65;\n"


@given(st.text(alphabet="jo%6aA&#;x\\u02e=2E \n.@\u3002\uff4a<>", max_size=60))
def test_escapes_around_an_address_do_not_hide_it(noise: str) -> None:
    """Whatever stands elsewhere; and what is masked once is masked."""
    text = f"{noise} %6aohn@doe%2eexample {noise}"
    new = escapes.mask_escapes(text, MASK)
    assert B in new
    assert "%6aohn" not in new.replace(noise, "")
    assert escapes.mask_escapes(new, MASK) == new


@given(st.binary(max_size=40), st.integers(0, 2), st.binary(max_size=40))
def test_no_token_with_an_address_is_left(before: bytes, shift: int, after: bytes) -> None:
    """Whatever bytes stand around, and at whatever place of a group it begins."""
    token = based(before + b" " * (shift + 1) + BUYER.encode() + b" " + after)
    new = encoded.mask_encodings(f"a {token} z", MASK)
    assert token not in new
    assert encoded.mask_encodings(new, MASK) == new
