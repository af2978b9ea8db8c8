"""Fields that masking makes longer than a milter can give: cut, so that the message is taken."""

import pytest
from builders import BUYER, CARRIER, EVERYBODY, SHOP, A, B, mail, own, written
from hypothesis import example, given
from hypothesis import strategies as st

from conversation_tracker.core.base.header_names import ADDRESS_HEADERS
from conversation_tracker.core.base.limits import no_limit
from conversation_tracker.core.masking.header.field_length import shorten_value
from conversation_tracker.core.model.plan import AddHeader, ChangeHeader
from conversation_tracker.core.syntax.folding import MAX_VALUE

NAMES = ["references", "in-reply-to", "to", "from", "content-type", "subject", "x-any"]
MANY = 2600  # addresses that fit into a field, while as many aliases do not


@given(st.sampled_from(NAMES), st.binary(max_size=300), st.integers(1, 2000))
@example("references", b" " * 300, 2000)
def test_a_value_is_never_too_long_and_stays_if_it_is_not(name: str, piece: bytes, n: int) -> None:
    value = piece * n
    new = shorten_value(name.encode(), value, no_limit)
    assert len(new) <= MAX_VALUE
    if len(value) <= MAX_VALUE:
        assert new is value


@pytest.mark.parametrize("name", [b"references", b"in-reply-to"])
def test_the_first_and_the_last_identifiers_are_kept(name: bytes) -> None:
    """RFC 5537 section 3.4.4: a thread is found by them."""
    every = [b"<%d@x.example>" % number for number in range(10_000)]
    kept = shorten_value(name, b"\n ".join(every), no_limit).split()
    assert kept[0] == every[0]
    assert kept[1:] == every[1 - len(kept) :]
    assert len(kept) > 1000


@pytest.mark.parametrize("name", sorted(ADDRESS_HEADERS))
def test_addresses_are_kept_without_names_each_once(name: bytes) -> None:
    value = b'"%s" <a@x.example>, b@x.example, a@x.example' % (b"name " * 20_000)
    assert shorten_value(name, value, no_limit) == b"<a@x.example>,\n <b@x.example>"


@pytest.mark.parametrize("blank", [b" ", b"\t", b"\n "])
def test_a_text_ends_with_a_whole_word(blank: bytes) -> None:
    kept = shorten_value(b"subject", blank.join([b"Re:", *[B.encode()] * 2000]), no_limit)
    assert len(kept) > MAX_VALUE - 100
    assert set(kept.split()) == {b"Re:", B.encode()}


def test_a_part_keeps_its_type_and_what_it_is_read_by() -> None:
    value = b'multipart/mixed; name="%s;\\"x"; boundary=b; filename*0=%s' % (b"n" * 60_000, b"m")
    assert shorten_value(b"content-type", value, no_limit) == b"multipart/mixed; boundary=b"


@pytest.mark.parametrize(
    "field",
    [
        "References: " + "\n ".join(f"<{number}.{BUYER}>" for number in range(1500)),
        "In-Reply-To: " + "\n ".join(f"<{number}.{BUYER}>" for number in range(1500)),
        "Subject: " + f"{BUYER} " * MANY,
        "To: " + ",\n ".join([BUYER] * MANY),
        "Cc: " + ",\n ".join([CARRIER] * MANY),
        "Reply-To: " + ",\n ".join([BUYER] * MANY),
        "Content-Description: " + f"{BUYER} " * MANY,
        f'Content-Disposition: attachment; filename="{BUYER * MANY}"',
        f'Content-Disposition: attachment; filename="{f"{BUYER} " * MANY}"',
    ],
    ids=lambda field: field.partition(":")[0],
)
def test_no_edit_is_longer_than_a_milter_gives_it(field: str) -> None:
    sent = mail(written(BUYER, field), EVERYBODY, to=A, sender=BUYER)
    done = sent.plan()
    assert done.reply is None
    edits = [each for each in done.edits if isinstance(each, ChangeHeader | AddHeader)]
    assert max(len(each.value or b"") for each in edits) <= MAX_VALUE
    assert BUYER.encode() not in b"".join(each.value or b"" for each in edits)


def test_an_author_with_a_long_name_keeps_the_alias() -> None:
    text = written(f'"{f"{BUYER} " * MANY}" <{BUYER}>')
    sent = mail(text, EVERYBODY, to=A, sender=BUYER)
    done = sent.plan()
    assert done.reply is None
    [value] = [h.value for h in sent.sent(done).headers if h.key == b"from"]
    assert value == f"<{B}>".encode()


def test_a_field_of_the_stores_choice_is_cut_as_well() -> None:
    text = written(SHOP, "X-All: " + f"{CARRIER} " * MANY)
    sent = own(text, EVERYBODY, to=B)
    done = sent.plan()
    assert done.reply is None
    edits = [each for each in done.edits if isinstance(each, ChangeHeader | AddHeader)]
    assert 0 < max(len(each.value or b"") for each in edits) <= MAX_VALUE
