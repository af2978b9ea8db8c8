"""Characters that stand for others are read alike, few kinds of them in a text or many."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.address.reading import Reading
from conversation_tracker.core.masking.text import composed_characters, escape_syntaxes
from conversation_tracker.core.scanning.text import decodings

UNSEEN = "\u00ad\u200b\u2060\ufe0f"
PIECES = st.sampled_from(
    [
        *"ab.@ ",
        *"\u00e9\u00df\u03b1\u0431\u6f22\u304b\uac00\udc80\u2019",  # as they are
        *"\u0301\u0308\u0327\u3099\u1161\u11a8\u09be",  # make others with what is before
        "\u1100\u1161",
        "\u09c7\u09be",
        *"\u00a0\u2026\u2122\uff21\uff20\u24d0\ufb01\u00b4\u3002",  # of another width
        *"\u2126\uf900\u03a3\U0001d6ba",
        *UNSEEN,
    ]
)
MANY = "".join(chr(0x1D400 + each) for each in range(100))  # kinds of letters, all of them wide


def read(text: str) -> str:
    return Reading(text, escape_syntaxes.find_pieces(text, escape_syntaxes.COMMON)).text


def with_letter(shown: str) -> str:
    """Write an a for each that stands in a circle, as Unicode does."""
    return unicodedata.normalize("NFKC", shown.replace("(at)", "a"))


@pytest.mark.parametrize("behind", ["", MANY])
@given(pieces=st.lists(PIECES, max_size=12))
def test_masking_reads_what_normalising_the_whole_gives(behind: str, pieces: list[str]) -> None:
    text = "".join(pieces) + behind
    shown = read(text)
    assert not any(each in shown for each in "\u200b\uff21\uff20\u24d0\U0001d400")
    whole = unicodedata.normalize("NFKC", text.translate(dict.fromkeys(map(ord, UNSEEN))))
    again = with_letter(read(shown).translate(dict.fromkeys(map(ord, UNSEEN))))
    assert again == whole.replace("\u3002", ".")
    assert composed_characters.holds_composed(text) or shown == text


@pytest.mark.parametrize("behind", ["", MANY])
@pytest.mark.parametrize(
    "address", ["jo\u0308rg@doe.example", "j\uff4f@doe.example", "j\u00ad@doe"]
)
@given(before=st.lists(PIECES, max_size=6))
def test_an_address_is_read_whatever_is_before(
    behind: str, address: str, before: list[str]
) -> None:
    text = f"{''.join(before)} {address} {behind}"
    meant = unicodedata.normalize("NFKC", address.replace("\u00ad", ""))
    assert composed_characters.holds_composed(text)
    assert f" {meant} " in read(text)


@pytest.mark.parametrize("behind", ["", MANY])
@given(pieces=st.lists(PIECES, max_size=12))
def test_the_scan_reads_what_normalising_the_whole_gives(behind: str, pieces: list[str]) -> None:
    low = ("".join(pieces) + behind).lower()
    whole = unicodedata.normalize("NFKC", low.translate(dict.fromkeys(map(ord, UNSEEN)))).lower()
    *_, last = decodings.iter_readings(low)
    assert with_letter(last) == whole.replace("\u3002", ".")


@pytest.mark.parametrize("before", ["", "x", " ", "\u200b"])
def test_an_a_in_a_circle_is_an_at_sign_but_in_words_of_such_letters(before: str) -> None:
    *_, scanned = decodings.iter_readings(f"{before}\u24d0x")
    assert read(f"{before}\u24b6x").endswith("(at)x")
    assert scanned.endswith("(at)x")
    *_, scanned = decodings.iter_readings(f"{before}\u24d1\u24d0\u24d3")
    assert read(f"{before}\u24d1\u24d0\u24d3").endswith("bad")
    assert scanned.endswith("bad")
