"""Each way to write a character, by itself: what a reading changes, its cheap test lets pass.

`test_cheap_masking` mixes them at random. Here every one is tried at each place of an address where
it counts, so that no cheap test can lose one unseen.
"""

import base64
from collections.abc import Callable, Iterator

import pytest
from builders import A

from conversation_tracker.core.base.lower_case import lower_case
from conversation_tracker.core.masking.address import munged
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.text import (
    encoded,
    escape_signs,
    escapes,
    html,
    links,
    rare_spellings,
)

PEOPLE = ["john.doe@home.example", "jo_k+x@web.example", "ann@firm.co.uk", "jan.d@gmail.com"]
MASK = Masker(dict.fromkeys(PEOPLE, A))
WRITTEN: dict[str, Callable[[str], str]] = {
    "percent": lambda c: f"%{ord(c):02x}",
    "percent twice": lambda c: f"%25{ord(c):02X}",
    "percent unicode": lambda c: f"%u00{ord(c):02x}",
    "reference": lambda c: f"&#{ord(c)};",
    "hexadecimal reference": lambda c: f"&#x{ord(c):X};",
    "reference of a reference": lambda c: f"&amp;#{ord(c)};",
    "quoted-printable": lambda c: f"={ord(c):02X}",
    "quoted-printable twice": lambda c: f"=3D{ord(c):02X}",
    "hexadecimal escape": lambda c: f"\\x{ord(c):02x}",
    "unicode escape": lambda c: f"\\u00{ord(c):02x}",
    "unicode escape in braces": lambda c: f"\\u{{{ord(c):x}}}",
    "wide escape": lambda c: f"\\u{0xFEE0 + ord(c):04x}",
    "octal escape": lambda c: f"\\{ord(c):03o}",
    "style escape": lambda c: f"\\{ord(c):06x}",
    "RTF escape": lambda c: f"\\'{ord(c):02x}",
    "wide": lambda c: chr(0xFEE0 + ord(c)),
    "tag": lambda c: f"<b>{c}</b>",
    "comment": lambda c: f"<!-- x -->{c}",
    "tag with attributes": lambda c: f'<font color="x">{c}</font>',
    "soft hyphen": lambda c: f"{c}&shy;",
    "colour": lambda c: f"\x1b[1m{c}\x1b[0m",
    "colour in letters": lambda c: f"^[[1m{c}",
    "soft break": lambda c: f"=\n{c}",
}
SIGNS = [
    *("+AEA-", "%40", "%2540", "=40", "&commat;", "\\@", "\\100", " @ ", "(at)", " at ", " [at] "),
    *("\uff20", "&#64;", "<b>@</b>", "\n> @", "..@", "<!-- x -->@", "#at#"),
]
AROUND = ["x {} y", "<{}>", "https://x.example/a?u={}&v=1", "{}", "<p>{}</p>"]


def iter_addresses() -> Iterator[str]:
    """Yield each address, written in each way at each place that counts."""
    for person in PEOPLE:
        at, dot = person.index("@"), person.rindex(".")
        for write in WRITTEN.values():
            yield "".join(map(write, person))
            for place in {0, at - 1, at, at + 1, dot, len(person) - 1}:
                yield person[:place] + write(person[place]) + person[place + 1 :]
        yield from (person.replace("@", sign) for sign in SIGNS)
        local, _, domain = person.partition("@")
        yield f"IMCEASMTP-{local.replace('.', '+2E').replace('_', '+5F')}+40{domain}@x.example"
        for octets in (person.encode(), f"id=1&to={person}&x".encode(), person.encode("utf-16-le")):
            token = base64.b64encode(octets).decode()
            yield from (token, token.rstrip("="), base64.urlsafe_b64encode(octets).decode())
            yield octets.hex()


TEXTS = [around.format(address) for address in iter_addresses() for around in AROUND]
CLEARED = [MASK(text) for text in TEXTS]
DECODED = [
    escapes.mask_escapes(encoded.mask_encodings(links.mask_links(text, MASK), MASK), MASK)
    for text in CLEARED
]
"""The same as they come to the last reading."""


def read_deep(text: str) -> str:
    """Mask what escapes and words show."""
    return rare_spellings._mask_readings(text, MASK, deep=True, tagged=False)


def may_be_deep(text: str) -> bool:
    """Return what tells that."""
    low = lower_case(text)
    return escape_signs.is_deep(low, MASK) or munged.may_hold_munged(low, MASK)


PAIRS: dict[str, tuple[Callable[[str], str], Callable[[str], bool]]] = {
    "in clear": (MASK, lambda text: MASK.possible(text.encode())),
    "in octets": (MASK, lambda text: MASK.may_change(text.encode())),
    "escapes": (
        lambda text: escapes.mask_escapes(text, MASK) if text.isascii() else text,
        lambda text: escapes.possible(text.encode()),
    ),
    "tokens": (
        lambda text: encoded.mask_encodings(text, MASK),
        lambda text: encoded.possible(text.encode(), MASK) or "://" in text,
    ),
    "deep": (read_deep, may_be_deep),
    "rare": (read_deep, lambda text: rare_spellings.may_hide(text.encode(), MASK)),
}


@pytest.mark.parametrize("reading", PAIRS)
def test_what_is_read_in_one_way_is_told_before(reading: str) -> None:
    read, may_be_there = PAIRS[reading]
    texts = {MASK: TEXTS, read_deep: DECODED}.get(read, CLEARED)
    changed = [text for text in texts if read(text) != text]
    assert len(changed) > 20
    assert [text for text in changed if not may_be_there(text)] == []


def compare(
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[str], str],
    place: object,
    name: str,
    told: bool,
) -> None:
    """Read all texts; and again where one cheap test tells that something may be in each."""
    found = [read(text) for text in CLEARED]
    assert sum(new != old for new, old in zip(found, CLEARED, strict=True)) > 20
    monkeypatch.setattr(place, name, lambda *_a, **_k: told)
    again = [read(text) for text in CLEARED]
    pairs = zip(CLEARED, found, again, strict=True)
    assert [text for text, old, new in pairs if old != new] == []


def test_tokens_in_links_are_decoded_wherever_somebody_is_in_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compare(monkeypatch, lambda text: links.mask_links(text, MASK), links, "_may_hold_tokens", True)


def test_tags_are_looked_behind_wherever_somebody_is(monkeypatch: pytest.MonkeyPatch) -> None:
    compare(monkeypatch, lambda text: html.mask_html(text, MASK), html, "_is_whole", False)


def test_tags_in_text_are_left_out_wherever_somebody_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(text: str) -> str:
        if "&" in text:  # what references show is shown elsewhere, too
            return text
        return rare_spellings._mask_readings(text, MASK, deep=False, tagged=True)

    compare(monkeypatch, read, escape_signs, "is_tagged", True)


def test_short_texts_are_read_as_long_ones_are(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [rare_spellings.mask_readings(text, MASK) for text in CLEARED]
    monkeypatch.setattr(rare_spellings, "_SHORT", 0)
    assert found == [rare_spellings.mask_readings(text, MASK) for text in CLEARED]
