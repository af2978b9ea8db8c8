"""What encoded words cost that follow each other by thousands, or have padding inside."""

from cost import linear

from conversation_tracker.core.scanning.text import decodings
from conversation_tracker.core.syntax import encoded_words


def test_words_that_follow_each_other_cost_what_their_length_is() -> None:
    word = "=?utf-8?q?" + "a" * 60 + "?= "
    linear(lambda size: decodings.decode_encoded_words(word * size), 24_000)


def test_base64_with_padding_inside_costs_what_its_length_is() -> None:
    linear(lambda size: encoded_words.decode_words(b"=?x?b?%s?=" % (b"YQ=" * size)), 240_000)
