"""What a text costs in which an address is replaced at thousands of places, all in one line."""

import pytest
from builders import BUYER, CARRIER, SHOP, B, mail, order
from cost import linear

from conversation_tracker.core.masking.text.escape_syntaxes import find_double

KNOWN = order(BUYER, SHOP, CARRIER)


@pytest.mark.parametrize("escape", ["+AEA-", "\\'40"])
def test_escapes_beside_addresses_cost_what_their_number_is(escape: str) -> None:
    text = f"{CARRIER}{escape}"

    def plan(size: int) -> None:
        letter = mail(f"Content-Type: text/plain\n\n{text * (size // len(text))}", KNOWN, to=B)
        decided = letter.plan()
        assert decided.reply is None
        assert CARRIER.encode() not in decided.records[0].raw[:]

    linear(plan, 192 * 1024)


@pytest.mark.parametrize("begin", ["", "\x1b$B", "\x1b(B"])
def test_what_a_place_is_amid_costs_the_same_in_a_text_of_any_length(begin: str) -> None:
    def find(size: int) -> None:
        text = begin + "#j" * (size // 2)
        for place in range(0, size, 32):
            find_double(text, place)

    assert find_double(f"{begin}#j#o", len(begin) + 2) == ("\x1b$B" if begin == "\x1b$B" else "")
    linear(find, 512 * 1024)
