"""Other orders' soft aliases are found in a record, among any number of alias domains."""

import re

from cost import proportionate, within
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.views.other_orders import OtherOrders

DOMAINS = frozenset({"ct.example.com", "ct.example.org", "_t.example.net"})
PIECES = st.lists(
    st.sampled_from(
        [
            *(
                "john@",
                "a.example",
                "-207700027841b.",
                "-207700027842B.",
                "-20770002784b.",
                "-",
                ".",
            ),
            *DOMAINS,
            *("CT.example.COM", "other.example", "x", "_", " ", "<", ">", ",", "@", "9", "b."),
        ]
    ),
    max_size=12,
).map("".join)


def plainly(text: str) -> str:
    """Do it by one pattern that names every alias domain."""
    names = "|".join(re.escape(each) for each in sorted(DOMAINS, key=len, reverse=True))
    pattern = rf"[^\s<>\"(),:;@]+@[a-z0-9._-]+-([0-9]{{12}})b\.({names})(?![a-z0-9-])"
    return re.sub(pattern, r"order-\1@\2", text, flags=re.IGNORECASE)


@given(PIECES)
def test_what_is_found_is_what_a_pattern_with_all_domains_finds(text: str) -> None:
    foreign = OtherOrders(DOMAINS)
    assert foreign(text) == plainly(text)
    if foreign(text) != text:
        assert foreign.possible(text.encode())


def test_ten_thousand_alias_domains_cost_a_message_nothing() -> None:
    domains = frozenset(f"ct.shop{n}.example" for n in range(10_000))
    text = "See https://b.example/web.b.html and ask john@a.example. " * 200
    alias = "john@a.example-207700027841b.ct.shop77.example"

    def work() -> None:
        foreign = OtherOrders(domains)
        assert foreign(text + alias).endswith(" order-207700027841@ct.shop77.example")
        assert foreign(text) == text
        assert not foreign.possible(text.encode())

    within(0.05, work)


def test_what_is_no_soft_alias_costs_its_length() -> None:
    """One soft mark, and a run without blanks; a domain of nothing but marks, or of dots."""
    foreign = OtherOrders(DOMAINS)
    for before, piece, behind in (
        ("", "a", " x@y-123456789012b.ct.example.com"),
        ("x@", "-123456789012b.", ""),
        ("x@a-123456789012b.", "a.", ""),
        ("a-123456789012b.", "@a", ""),
        ("", "a@b-123456789012b.", ""),
    ):

        def work(
            size: int, before: str = before, piece: str = piece, behind: str = behind
        ) -> object:
            return foreign(before + piece * (size // len(piece)) + behind)

        assert not proportionate(work, 64_000)
