"""Whose share of the hour a message uses, in words."""

from dataclasses import replace

from conversation_tracker.database.hourly_usage import HourlyUsage

SHARES = HourlyUsage(limit=5, own=4, others=3, strangers=2, sender=1, stranger=False)


def test_the_stores_own_is_the_whole_number() -> None:
    assert SHARES.describe(own=True) == "the store's own, 4 of 5 used"


def test_of_all_other_mail_a_sender_has_half_rounded_up() -> None:
    said = "the sender's, 1 of 3 used, that of all but the store, 3 of 5 used"
    assert SHARES.describe(own=False) == said


def test_a_stranger_uses_the_strangers_half_as_well() -> None:
    said = "the sender's, 1 of 3 used, the strangers', 2 of 3 used,"
    said += " that of all but the store, 3 of 5 used"
    assert replace(SHARES, stranger=True).describe(own=False) == said
