"""The addresses of pages: whatever a store or an order is called, it is one segment of a path."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.pages.links import Links, read_segment, write_segment
from conversation_tracker.pages.static import FILES, read_static

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(NAMES, NAMES)
def test_store_and_number_come_back_as_they_were(store: str, number: str) -> None:
    path = urlsplit(Links("/tracker").order(store, number, before="2026-01-02T03:04:05+00:00")).path
    empty, root, orders, *segments = path.split("/")
    assert (empty, root, orders) == ("", "tracker", "orders")
    assert [read_segment(each) for each in segments] == [store, number]


@pytest.mark.parametrize("name", [".", "..", "~", "~.", "/", "a/b", "%2e%2e", "?#\\", "..a"])
def test_no_name_is_a_directory(name: str) -> None:
    """A browser takes `.` and `..` for directories, percent-encoded too."""
    written = write_segment(name)
    assert written.lower().replace("%2e", ".") not in (".", "..")
    assert not set(written) & set("/?#\\")
    assert read_segment(written) == name


def test_what_is_no_character_makes_an_address_all_the_same() -> None:
    assert Links().order("a\udcff", "1") == "/orders/a%3F/1"
    assert Links().orders(words="a\udcff&b") == "/?q=a%3F%26b"
    with pytest.raises(UnicodeDecodeError):
        read_segment("%FF")


@given(st.sampled_from(["orders", "order_json", "html", "attachment"]), NAMES)
def test_an_address_begins_below_the_root(kind: str, name: str) -> None:
    links = Links("/x")
    found = {
        "orders": lambda: links.orders(name, name),
        "order_json": lambda: links.order_json(name, name),
        "html": lambda: links.html(name, name, 1),
        "attachment": lambda: links.attachment(name, name, 1, 2),
    }[kind]()
    assert found.startswith("/x/")
    assert found.isascii()
    assert not set(found) & set(" <>\"'")


def test_files_are_those_there_are() -> None:
    assert all(read_static(name) for name in FILES)
    with pytest.raises(KeyError):
        read_static("../links.py")
