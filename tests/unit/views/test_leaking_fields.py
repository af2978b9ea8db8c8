"""Fields in which only the final scan finds somebody: what of them may leave."""

import base64
from typing import Any

import pytest
from builders import BUYER, CARRIER, SHOP, A, order, own, written
from spellings import JOHN

from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.views import copies
from conversation_tracker.core.views.leaking_fields import LeakingFields
from conversation_tracker.core.views.view import View

BEFORE = [b"\xc2\x9b1m", b"\x1b[1m", b"\x1b$B$*\x1b(B", b"=?utf-8?q?=5Ce=5B1m?=", b"=?a?q?=1B=5B?="]


@pytest.mark.parametrize("name", [b"Subject", b"To", b"X-Any"])
@pytest.mark.parametrize("before", BEFORE)
def test_what_is_written_anew_has_the_address_in_no_longer_one(before: bytes, name: bytes) -> None:
    """What is not seen before it is lost there: the rest would stand as more of the address."""
    value = before + JOHN.encode() + b" <x@y.example>"
    [left] = LeakingFields(Scanner({JOHN: "b"}), None).cut_fields([Header(name, value)], [value])
    assert left == (b"<x@y.example>" if name == b"To" else None)


@pytest.mark.parametrize("name", [b"Subject", b"X-Any"])
def test_the_readers_own_address_cuts_nothing(name: bytes) -> None:
    value = b"\x1b[1m" + JOHN.encode()
    [left] = LeakingFields(Scanner({JOHN: "b"}), "b").cut_fields([Header(name, value)], [value])
    assert left is value


def blind_masking(monkeypatch: pytest.MonkeyPatch) -> str:
    """Let masking see nothing hidden; give a letter of the store's with a key that names one."""
    monkeypatch.setattr(part_header, "may_hide", lambda _value, _mask, **_: False)
    key = base64.b64encode(b"\0" * 7 + BUYER.encode() + b"\0" * 7).decode()
    return written(SHOP, f"Autocrypt: addr=x; keydata={key}", "X-Other: stays")


def test_a_field_that_nobody_needs_goes_before_all_else_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The copy is made anew without it; the record's view is another one."""
    text, made = blind_masking(monkeypatch), list[View]()
    without = View.without

    def note(view: View, condemned: frozenset[int]) -> View:
        made.append(view)
        return without(view, condemned)

    monkeypatch.setattr(View, "without", note)
    sent = own(text, order(BUYER, SHOP, CARRIER), to=A).sent()
    names = {header.name for header in sent.headers}
    assert b"X-Other" in names
    assert b"Autocrypt" not in names
    assert [view for view in made if view.to is not None] == []


def test_fields_are_looked_at_one_by_one_only_where_the_scan_finds_somebody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the store's mail as well, of which all fields are kept: that costs a scan of them."""
    asked: list[View] = []
    drop = copies._drop_leaking_fields

    def note(message: Any, values: Any, view: View, scanner: Scanner) -> Any:
        asked.append(view)
        return drop(message, values, view, scanner)

    monkeypatch.setattr(copies, "_drop_leaking_fields", note)
    own(written(SHOP, "X-Other: stays"), order(BUYER, SHOP, CARRIER), to=A).sent()
    assert asked == []
    own(blind_masking(monkeypatch), order(BUYER, SHOP, CARRIER), to=A).sent()
    assert len(asked) == 1
