"""Return paths of lists (VERP) without the domain of the list: in links, logs and reports.

An equals sign behind a word is mostly an assignment, so a local part that is one word counts only
behind what begins such a path.
"""

import pytest
from builders import BUYER, CARRIER, SHOP, A, hard, mail, order

from conversation_tracker.core.scanning.scan import Scanner

PEOPLE = order(BUYER, SHOP, CARRIER)  # john@doe.example
PATHS = ["bounce-{}", "bounces-{}", "returns-{}", "unsub-{}", "list-bounces-{}", "bounce-12-{}"]
PLACES = [
    "see {} now",
    "https://c.example/?x={}&y=1",
    "https://c.example/verp/{}/x",
    "https://x.safelinks.protection.outlook.com/?url=https%3A%2F%2Fc.example%2F%3Fx%3D{}&data=05",
]


@pytest.mark.parametrize("type_", ["text/plain", "text/html"])
@pytest.mark.parametrize("sign", ["=", "%3D"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("path", PATHS)
def test_a_person_in_one_is_masked(path: str, place: str, sign: str, type_: str) -> None:
    text = place.format(path.format(f"john{sign}doe.example"))
    raw = f"From: {BUYER}\nContent-Type: {type_}\n\n{text}\n".encode()
    sent = mail(raw, PEOPLE, to=A, sender=BUYER)
    done = sent.plan()
    for left in (bytes(sent.sent(done).body), bytes(done.records[0].raw).partition(b"\r\n\r\n")[2]):
        assert hard("b").partition("@")[0].encode() in left
        assert b"john" not in left
    assert Scanner({BUYER: "b" * 32}).scan([], text.encode())


@pytest.mark.parametrize(
    "text",
    [
        *("john=doe.example", "/john=doe.example", "data-john=doe.example"),
        "x_bounce_john=doe.example",
        *("debounce-john=doe.example", "bounce-xjohn=doe.example", "bounce-john=doe.example.org"),
        *("bounce-john = doe.example", "bounce john=doe.example", "bounce=doe.example"),
    ],
)  # fmt: skip
def test_an_assignment_is_none(text: str) -> None:
    raw = f"From: {BUYER}\n\nx {text} y\n".encode()
    assert mail(raw, PEOPLE, to=A, sender=BUYER).sent().body == f"x {text} y\n".encode()
    assert not Scanner({BUYER: "b" * 32}).scan([], f"x {text} y\n".encode())
