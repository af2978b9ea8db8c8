"""A display name goes with its own mailbox; all other mailboxes of a header keep theirs."""

import pytest
from cost import within
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.masking.header.display_names import remove_name
from conversation_tracker.core.model.address import find_mailboxes

HIM = "b" * 32 + "@ct.example.com"
HER = "ann@friends.example"


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (f"John Doe <{HIM}>", f"<{HIM}>"),
        (f'"Doe, John" <{HIM}>', f"<{HIM}>"),
        (f"=?utf-8?q?J=C3=B6hn?= <{HIM}>", f"<{HIM}>"),
        (f"J\u00f6hn <{HIM}>", f"<{HIM}>"),
        (f"{HIM} (John Doe)", f"<{HIM}>"),
        (f"John Doe\n\t<{HIM}>", f"<{HIM}>"),
        (HIM, f"<{HIM}>"),
        (f"<{HIM}>", f"<{HIM}>"),
        (f"John Doe, <{HIM}>", f"<{HIM}>"),
        (f"Ann <{HER}>, John <{HIM}>", f'"Ann" <{HER}>,\n <{HIM}>'),
        (f'"A \\"B\\"" <{HER}>, {HIM}', f'"A \\"B\\"" <{HER}>,\n <{HIM}>'),
        (f"=?utf-8?q?=C3=84nn?= <{HER}>, {HIM}", f"=?utf-8?q?=C3=84nn?= <{HER}>,\n <{HIM}>"),
        (f"Friends: John <{HIM}>, {HER};", f"<{HIM}>,\n <{HER}>"),
        (f"Ann <{HER}>", f"Ann <{HER}>"),
        ("John Doe", "John Doe"),
        ("", ""),
    ],
)
def test_only_this_mailbox_loses_its_name(value: str, left: str) -> None:
    assert remove_name(value.encode(), HIM).decode().lower() == left.lower()


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (f"John Doe <{HER}>", f"<{HER}>"),
        (f'"Doe, John" <{HER}>, Ann <{HIM}>', f"<{HER}>,\n <{HIM}>"),
        (f"=?utf-8?q?john_DOE?= <{HER}>", f"<{HER}>"),
        (f"{HER} (John Doe)", f"<{HER}>"),
        (f"John <{HER}>", f"John <{HER}>"),
        (f"John Doe jr <{HER}>", f"John Doe jr <{HER}>"),
        (f"<{HER}>", f"<{HER}>"),
    ],
)
def test_the_name_goes_from_other_addresses_too(value: str, left: str) -> None:
    """A Reply-To most often has the name of From."""
    assert remove_name(value.encode(), HIM, "John Doe").decode() == left
    assert remove_name(value.encode(), HIM, "").decode().count("@") == value.count("@")


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_name_stays_and_the_addresses_do(name: str, other: str) -> None:
    quoted = ['"' + each.replace("\\", "").replace('"', "") + '"' for each in (name, other)]
    value = f"{quoted[0]} <{HIM}>, {quoted[1]} <{HER}>".encode("utf-8", "replace")
    before = [str(box.address) for box in find_mailboxes(value) if box.address]
    found = find_mailboxes(remove_name(value, HIM))
    if HIM in before:
        assert [str(box.address) for box in found] == before
        assert [box.name for box in found if str(box.address) == HIM] == [""]


@pytest.mark.parametrize("piece", ["John <x@y.example>, ", "a, ", '"', "(", "<", "=?utf-8?q?x?= "])
def test_time_grows_with_the_length_only(piece: str) -> None:
    value = (piece * (100_000 // len(piece)) + f"<{HIM}>").encode()
    within(2.0, lambda: remove_name(value, HIM))
