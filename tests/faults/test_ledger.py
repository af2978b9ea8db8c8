"""The books see every kind of fault: else all that is counted here would prove nothing."""

import pytest

from private.sink import Mail, Path

from .ledger import Ledger, Letter, Outcome, Timeline

ALIAS, READER, SENDER = "1f@ct.example.com", "john@doe.example", "desk@carrier.example"
KEY = ("one", READER)


def letter(*tried: Outcome, foreign: bool = False, first: float = 100.0) -> Ledger:
    """Return books with one letter, and what became of its attempts."""
    secrets = frozenset({SENDER, READER})
    sent = Letter("one", SENDER, {ALIAS: READER}, b"", False, secrets, foreign, first=first)
    books = Ledger()
    books.add(sent)
    for each in tried:
        sent.noted(ALIAS, each)
    return books


def copy(text: str = "", to: str = READER, at: float = 100.0, subject: str = "one") -> Mail:
    data = f"From: 2e@ct.example.com\r\nSubject: {subject}\r\n\r\n{text}\r\n".encode()
    return Mail(Path("bounce-1@ct.example.com", {}), (Path(to, {}),), data, "mail", at)


def wrong(books: Ledger, copies: int, messages: int, deliveries: int) -> bool:
    """Return whether the books find fault with so many copies and records."""
    told = Timeline({"one": messages} if messages else {}, {KEY: deliveries} if deliveries else {})
    return books.faults([copy()] * copies, told) != []


TAKEN: Outcome = "taken"
REFUSED: Outcome = "refused"
UNKNOWN: Outcome = "unknown"


@pytest.mark.parametrize(
    ("tried", "copies", "messages", "fine"),
    [
        ([TAKEN], 1, 1, True),
        ([TAKEN], 0, 1, False),
        ([TAKEN], 2, 1, False),
        ([TAKEN], 1, 0, False),
        ([TAKEN], 1, 2, False),
        ([REFUSED], 0, 0, True),
        ([REFUSED], 0, 1, True),
        ([REFUSED], 1, 1, False),
        ([REFUSED, TAKEN], 1, 1, True),
        ([REFUSED, TAKEN], 2, 1, False),
        ([UNKNOWN], 0, 0, True),
        ([UNKNOWN], 0, 1, True),
        ([UNKNOWN], 1, 1, True),
        ([UNKNOWN], 1, 0, False),
        ([UNKNOWN], 2, 1, False),
        ([UNKNOWN, TAKEN], 1, 1, True),
        ([UNKNOWN, TAKEN], 2, 1, True),
        ([UNKNOWN, TAKEN], 2, 2, False),
        ([UNKNOWN, TAKEN], 3, 1, False),
        ([UNKNOWN, TAKEN], 0, 1, False),
    ],
)
def test_sent_delivered_and_recorded_must_agree(
    tried: list[Outcome], copies: int, messages: int, fine: bool
) -> None:
    assert wrong(letter(*tried), copies, messages, min(messages, 1)) is not fine


@pytest.mark.parametrize(("deliveries", "fine"), [(0, False), (1, True), (2, False)])
def test_the_timeline_has_one_delivery(deliveries: int, fine: bool) -> None:
    assert wrong(letter(TAKEN), 1, 1, deliveries) is not fine


@pytest.mark.parametrize(("cut", "fine"), [(99.0, False), (103.0, True), (120.0, False)])
def test_one_copy_more_for_each_cut_while_it_was_under_way(cut: float, fine: bool) -> None:
    books = letter(TAKEN)
    books.cuts.append(cut)
    copies = [copy(at=102.5), copy(at=105.0)]
    assert (books.faults(copies, Timeline({"one": 1}, {KEY: 1})) == []) is fine
    assert books.faults([*copies, copy()], Timeline({"one": 1}, {KEY: 1})) != []


@pytest.mark.parametrize(
    "text", [SENDER, SENDER.upper(), "desk=40carrier.example", "desk@carrier=\r\n.example"]
)
def test_a_copy_that_shows_an_address_is_seen(text: str) -> None:
    told = Timeline({"one": 1}, {KEY: 1})
    assert letter(TAKEN).faults([copy(f"by {READER}")], told) == []
    assert letter(TAKEN).faults([copy(f"by {text}")], told) != []


def test_mail_that_nobody_sent_is_seen() -> None:
    told = Timeline({"one": 1}, {KEY: 1})
    assert letter(TAKEN).faults([copy(), copy(to="x@y.example")], told) != []
    assert letter(TAKEN).faults([copy(), copy(subject="two")], told) != []
    assert letter(TAKEN).faults([copy()], Timeline({"one": 1, "two": 1}, {KEY: 1})) != []


def test_mail_that_is_none_of_ours_is_not_recorded() -> None:
    assert letter(TAKEN, foreign=True).faults([copy(SENDER)], Timeline({}, {})) == []
    assert wrong(letter(TAKEN, foreign=True), 1, 1, 0)
