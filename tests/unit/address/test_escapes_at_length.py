"""Addresses behind escapes that few programs write: masked where the final scan reads them.

Tags in the words of an address that is spelled out, characters of another width or without any as
JSON and scripts write them, control characters as references: none has the mail refused, nor the
field or part cut in which it stands.
"""

import pytest
from builders import A, mail
from message_places import JOHN, PEOPLE, PLACES, check_masked

from conversation_tracker.core.model.message import parse

WIDE = "".join(f"\\u{0xFEE0 + ord(each):04x}" if each.isalpha() else each for each in JOHN)

WRITTEN = [
    # Tags inside the words.
    "jo<b>hn.d</b>oe (at) home.example",
    "john.doe (at) ho<i></i>me.example",
    "john.doe (a<b></b>t) home.example",
    "jo<!-- x -->hn.doe (at) home.ex<!-- y -->ample",
    "john.doe (at) home (d<b>o</b>t) example",
    "john%2edoe(a<i>t</i>)home%2eexample",
    "john.doe=40ho<b></b>me.example",
    "john.do<!-- -->e (at) home\u2024example",
    "john\\u002edoe (a\x07t) home\\u002eexample",
    # Characters by their numbers, or names.
    '{"a":"john.doe\\uff20home.example"}',
    '{"a":"john.doe\\ufe6bhome.example"}',
    f'{{"a":"{WIDE}"}}',
    '{"a":"john.doe@home\\u2024example"}',
    '{"a":"jo\\u00adhn.doe@home.example"}',
    '{"a":"jo\\u0007hn.doe@home.example"}',
    "a='jo\\x07hn.doe@home.example'",
    "'jo\\0hn.doe@home.example'",
    "content:'jo\\7 hn.doe@home.example'",
    "'john.doe\\f@\\fhome.example'",
    "jo&ZeroWidthSpace;hn.doe@home.example",
    "jo&#8203;hn.doe (at) ho&#8203;me.example",
    "https://x.example/?e=jo%00hn.doe@home.example",
    "https://x.example/?e=john.doe%E2%80%A8@home.example",
    "https://x.example/?e=john.doe%C2%85@home.example",
    # What quoted-printable writes, and nobody decoded.
    "x=40john.doe@home.example",
    "bounce-john.doe=40home.example@list.example",
]
QUOTES = [each for each in WRITTEN if '"' in each or "\\" in each or "<" in each]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", WRITTEN)
def test_it_is_masked_and_nothing_else_goes(text: str, place: str) -> None:
    if place == "a name" and text in QUOTES:
        return  # a quotation mark ends a name, a backslash is none, and a bracket begins an address
    check_masked(PLACES[place](text))


@pytest.mark.parametrize(
    "text",
    [
        "x=40jane@home.example",
        "x=40john.doe@home.example.org",
        '{"a":"john.doe\\uff21home.example"}',
        "john.doe&#133;home.example",
        "jo<b>hn.d</b>oe (at) home for example",
    ],
)
def test_what_is_somebody_else_stays(text: str) -> None:
    raw = PLACES["html"](text)
    sent = mail(f"From: {JOHN}\n".encode() + raw, PEOPLE, to=A, sender=JOHN)
    assert sent.sent().body == parse(raw)[1]
