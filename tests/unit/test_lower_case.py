"""Lower case is as the standard library makes it, but for one letter."""

from hypothesis import example, given
from hypothesis import strategies as st

from conversation_tracker.core.base.lower_case import lower_case

TEXTS = st.text(st.characters(exclude_categories=[]) | st.sampled_from("aAzZ İIıſKéÉΣςσß€\ud83d"))


@given(TEXTS, st.sampled_from([0, 1, 100]))
@example("İ", 0)
@example("ΑΣ", 100)
def test_each_character_is_one_in_lower_case(text: str, times: int) -> None:
    whole = text + "Ordinary " * times + text
    low = lower_case(whole)
    assert low == whole.replace("İ", "i").lower()
    assert len(low) == len(whole)
