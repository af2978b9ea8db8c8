"""Characters beside and inside an address that mail programs show as a blank, or not at all.

Line ends and blanks that few programs write, and control characters: wherever one stands, the copy
and the record have the alias, and the final scan sees the address in the message as it came.
"""

import pytest
from builders import CARRIER, A, hard, mail
from cost import linear
from message_places import JOHN, PEOPLE, PLACES, check_masked

from conversation_tracker.core.model.message import Header, parse
from conversation_tracker.core.scanning.scan import Scanner

LINE_ENDS = ["\x85", "\u2028", "\u2029"]
BLANKS = ["\u2800", "\u1680", "\u2000", "\u2001", "\u202f", "\u205f"]
CONTROLS = ["\0", "\x02", "\x07", "\b", "\v", "\f", "\x0e", "\x0f", "\x1f", "\x7f", "\x80", "\x9b"]
NO_WIDTH = ["\ufff0", "\ufffc", "\U0001bca0", "\U0001d173"]

BESIDE = [
    "john.doe{0}@{0}home.example",
    "john.doe@{0}home.example",
    "john.doe ({0}at{0}) home.example",
    "john{0}.doe@home.{0}example",
    "x {0}john.doe (at) home.example{0} y",
]
AS_BLANKS = ["john.doe{0}at{0}home{0}dot{0}example"]
INSIDE = [
    "jo{0}hn.doe@home.exam{0}ple",
    "jo{0}hn.doe (at) home.exam{0}ple",
    "john.doe (a{0}t) ho{0}me.example",
]
WRITTEN = [
    *(each.format(sign) for sign in LINE_ENDS + BLANKS for each in BESIDE + AS_BLANKS),
    *(each.format(sign) for sign in CONTROLS[:-5] for each in BESIDE),
    *(each.format(sign) for sign in CONTROLS + LINE_ENDS for each in INSIDE),
    *(each.format(sign) for sign in NO_WIDTH for each in BESIDE + INSIDE),
    *("jo&#7;hn.doe@home.exam&#x7f;ple", "jo\x1bhn.doe@home.ex\x1bample"),
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", WRITTEN)
def test_what_is_shown_as_a_blank_or_not_at_all_hides_nobody(text: str, place: str) -> None:
    check_masked(PLACES[place](text))


@pytest.mark.parametrize(
    "text",
    [
        "He\0llo jane\x07.doe@home.example",
        "Hello jo\0hn.doe@home.example.org",
        "Caf\x85 home\u2028example john doe",
        "john.doe\0\0\0\0example",
    ],
)
def test_other_text_with_such_characters_stays_as_it_is(text: str) -> None:
    raw = f"From: {JOHN}\nContent-Type: text/plain; charset=utf-8\n\n{text}\n".encode()
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    assert sent.sent().body == parse(raw)[1]


@pytest.mark.parametrize("name", ["Message-ID", "References", "Subject"])
@pytest.mark.parametrize("value", ["<john.doe@home.example>{0}", "x {0} <john.doe@home.example>"])
@pytest.mark.parametrize("sign", ["\0", "\x07"])
def test_what_stands_in_clear_beside_one_is_masked_as_elsewhere(
    name: str, value: str, sign: str
) -> None:
    """An identifier has its stand-in, and no null is written into a field."""

    def read(sign: str) -> list[bytes]:
        raw = f"From: {JOHN}\n{name}: {value.format(sign)}\n\nHello\n".encode()
        copy = mail(raw, PEOPLE, to=A, sender=JOHN).sent()
        return [each.value.replace(b"\x07", b" ") for each in copy.headers if each.name != b"Date"]

    assert read(sign) == read(" ")


@pytest.mark.parametrize("run", ["jo\0hn.doe@home.", "\x85> ", "john\0@\0", "\x07", "home.\x85> "])
def test_such_characters_are_read_in_linear_time(run: str) -> None:
    def plan(size: int) -> None:
        text = run * (size // len(run))
        head = f"From: {CARRIER}\nTo: {hard('b')}\nContent-Type: text/plain; charset=utf-8\n\n"
        sent = mail((head + text).encode(), PEOPLE, to=hard("b"), sender=CARRIER)
        assert sent.plan().reply is None

    linear(plan, 16_000)


def test_the_scan_sees_an_address_with_one_in_a_large_text() -> None:
    """In whatever window, and where nothing else tells that it may be there."""
    text = "Nothing to see here.\n" * 60_000 + "jo\x07hn.doe@ho\x07me.example\n"
    field = Header(b"Content-Type", b"text/plain")
    assert Scanner({JOHN: "b" * 32}).scan([field], text.encode())
