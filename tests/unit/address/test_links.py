"""Masking of what links hold in encoded form."""

import base64
import json
from urllib.parse import quote

import pytest
from cost import within
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.address.mask import FunctionMask, Masker
from conversation_tracker.core.masking.part import message_body
from conversation_tracker.core.masking.text import links

REAL = "john@doe.example"
ALIAS = "ff2e6348@ct.example.com"
MASK = Masker({REAL: ALIAS})
BACK = Masker({ALIAS: REAL})


def b64(text: str, *, url: bool = False, padded: bool = True) -> str:
    data = text.encode()
    written = (base64.urlsafe_b64encode(data) if url else base64.b64encode(data)).decode()
    return written if padded else written.rstrip("=")


ODD = "\u00ff\u00fe>>>???"  # gives characters that the two alphabets write differently

CASES = [
    (f"?e={b64(REAL)}", f"?e={b64(ALIAS)}"),
    (f"?e={b64(REAL, padded=False)}&x=1", f"?e={b64(ALIAS, padded=False)}&x=1"),
    (f"/u/{b64(REAL)}/go", f"/u/{b64(ALIAS)}/go"),
    (f"?e={quote(b64(REAL))}", f"?e={quote(b64(ALIAS), safe='')}"),
    (f"?e={b64(f'{ODD} {REAL}', url=True)}", f"?e={b64(f'{ODD} {ALIAS}', url=True)}"),
    (f"?e={b64(f'{ODD} {REAL}')}", f"?e={b64(f'{ODD} {ALIAS}')}"),
    (
        f"?d={b64(json.dumps({'email': REAL, 'id': 7}), padded=False)}",
        f"?d={b64(json.dumps({'email': ALIAS, 'id': 7}), padded=False)}",
    ),
    ("?d=%7B%22e%22%3A%22%6Aohn%40doe%2Eexample%22%7D", f"?d=%7B%22e%22:%22{ALIAS}%22%7D"),
    ("?d=" + b64("xx")[:3] + b64(f" {REAL}"), "?d="),
    ("?d=" + base64.b64encode(b"\x01\xff <" + REAL.encode() + b">").decode(), "?d="),
    (f"?e={b64('anna@doe.example')}", None),
    ("/articles/how-to-write-long-names_in_links/YWJjZGVmZ2hpams=", None),
]


@pytest.mark.parametrize(("tail", "expected"), CASES)
@pytest.mark.parametrize("frame", ["See {}.", '<a href="{}">x</a>', "<{}>"])
def test_a_token_is_written_anew_or_cut(tail: str, expected: str | None, frame: str) -> None:
    text = frame.format(f"https://x.example{tail}")
    wanted = text if expected is None else frame.format(f"https://x.example{expected}")
    result = links.mask_links(text, MASK)
    assert result == wanted
    assert (result is text) == (expected is None)


KNOWN = Masker({"john@kdoe.example": ALIAS, "ann@xn--bcher-kva.example": ALIAS})
SPELLED = (
    "john@kdoe.example",
    "JOHN@KDOE.EXAMPLE",
    "john@\u212adoe.example",
    "john@kdoe.example".replace("i", "\u0130"),
    "john@kd\u00adoe.exa\u200bmple",
    "john@kdoe\u2060.example",
    "ann@b\u00fccher.example",
    "ANN@B\u00dcCHER.example",
    "ann@xn--bcher-kva.example",
)


ENCODED = [
    *(each.encode() for each in SPELLED),
    # What is no text is looked through for what stands in clear.
    *(each.encode(codec) for each in SPELLED[:2] for codec in ("utf-16-le", "utf-16-be")),
]


@pytest.mark.parametrize("data", ENCODED)
@pytest.mark.parametrize("offset", range(4))
def test_no_spelling_is_missed_when_tokens_are_looked_at_together(data: bytes, offset: int) -> None:
    token = "abcd"[:offset] + base64.b64encode(data).decode().rstrip("=")
    text = f"https://x.example/some-long-word/{token}/another-word-of-some-length"
    assert links.mask_links(text, KNOWN) != text


@pytest.mark.parametrize("spelled", SPELLED)
def test_no_spelling_is_missed_when_pieces_are_looked_at_together(spelled: str) -> None:
    written = "".join(f"%{octet:02x}" for octet in spelled.encode())
    text = f"https://x.example/a%20b?c=%20d&e={written}&f=1"
    assert links.mask_links(text, KNOWN) == f"https://x.example/a%20b?c=%20d&e={ALIAS}&f=1"


@given(
    st.lists(st.sampled_from([*SPELLED, "x", "ann", "@", "\0", "id:", ">", "\u00ff"]), max_size=6)
)
def test_what_is_looked_at_together_shows_all_that_is_masked(words: list[str]) -> None:
    whole = "".join(words).encode()
    text = f"https://x.example/{base64.b64encode(whole).decode()}?e={quote(whole)}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(links, "_may_hold_tokens", lambda _tokens, _mask: True)
        patch.setattr(Masker, "may_change", lambda _self, _octets: True)
        apart = links.mask_links(text, KNOWN)
    assert links.mask_links(text, KNOWN) == apart


def test_base64_outside_a_link_stays() -> None:
    text = f"Token {b64(REAL)}, see https://x.example/"
    assert links.mask_links(text, MASK) is text


@pytest.mark.parametrize("media", [b"text/plain", b"text/html", b"text/calendar"])
def test_links_are_masked_in_bodies(media: bytes) -> None:
    body = f"URL:https://x.example/?a&e={b64(REAL)}\r\n".encode()
    result = message_body.mask_body(
        message_body.read_structure([(b"Content-Type", media)], body), body, MASK
    )
    assert result == f"URL:https://x.example/?a&e={b64(ALIAS)}\r\n".encode()


@given(st.text(max_size=20), st.text(max_size=20), st.booleans(), st.booleans())
def test_what_is_masked_comes_back(before: str, after: str, url: bool, padded: bool) -> None:
    """With the mask of the other direction, every byte is as it was, padding apart."""
    token = b64(json.dumps({"a": before, "e": REAL, "z": after}), url=url, padded=padded)
    link = f"https://x.example/?t={token}"
    sent = links.mask_links(link, MASK)
    assert sent != link
    assert links.mask_links(sent, MASK) is sent
    if url or not set("+/") & set(token + sent.partition("t=")[2]):
        assert links.mask_links(sent, BACK).rstrip("=") == link.rstrip("=")


@given(st.text(st.sampled_from("ab0/?&=%4@:-_+ \n"), max_size=100))
def test_any_text_raises_nothing_and_stays_without_a_hit(text: str) -> None:
    links.mask_links(f"https://{text}", MASK)
    link = f"https://{text} {b64(REAL)}"
    assert links.mask_links(link, FunctionMask(lambda each: each)) is link


@pytest.mark.parametrize(
    "unit", ["://aaaaaaaa", "://", "%40", "://x/" + "YUBi" * 100 + " ", "://" + "%61" * 9 + "/"]
)
def test_hostile_links_take_bounded_time(unit: str) -> None:
    text = "https://" + unit * (500_000 // len(unit))
    within(8, lambda: links.mask_links(text, MASK))
