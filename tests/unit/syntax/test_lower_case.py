"""Lower case is as the standard library makes it, but for one letter."""

from hypothesis import example, given
from hypothesis import strategies as st

from conversation_tracker.core.base.lower_case import lower_case

TEXTS = st.text(
    st.characters(exclude_categories=[])
    | st.sampled_from(
        "aZ I\u0130\u0131\u017f\u212a\u00e9\u00c9\u03a3\u03c3\u03c2\u00df\u20ac\ud83d"
    )
)


@given(TEXTS, st.sampled_from([0, 1, 100]))
@example("\u0130", 0)
@example("\u0391\u03a3", 100)
@example("".join(map(chr, range(0xC0, 0xD0))), 100)
@example("".join(map(chr, range(0xC0, 0xDF))), 100)
def test_each_character_is_one_in_lower_case(text: str, times: int) -> None:
    whole = text + "Ordinary " * times + text
    low = lower_case(whole)
    assert low == whole.replace("\u0130", "i").lower()
    assert len(low) == len(whole)
