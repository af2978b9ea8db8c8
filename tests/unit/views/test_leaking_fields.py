"""Fields in which only the final scan finds somebody: what of them may leave."""

import pytest
from spellings import JOHN

from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.views.leaking_fields import LeakingFields

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
