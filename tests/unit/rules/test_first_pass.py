"""What the first pass tells the second: signed, and believed only then."""

from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.core.model.first_pass import FirstPass, sign, verify

DIGESTS = st.binary(min_size=32, max_size=32)
SECRETS = st.binary(min_size=32, max_size=32)  # as the database has it
VERDICTS = st.sampled_from(["trusted", "verified", "unverified", "failed"])


@given(DIGESTS, VERDICTS, SECRETS)
def test_what_was_written_is_read_again(digest, verdict, secret) -> None:
    first_pass = FirstPass(digest, verdict)
    assert verify(sign(first_pass, secret), secret) == first_pass


@given(DIGESTS, VERDICTS, SECRETS, SECRETS)
def test_nobody_else_can_write_it(digest, verdict, secret, other) -> None:
    """With another secret, or none, nothing is believed."""
    value = sign(FirstPass(digest, verdict), other)
    assert other == secret or verify(value, secret) is None
    assert verify(value, b"") is None


@given(DIGESTS, SECRETS, st.integers(min_value=0, max_value=140), st.integers(1, 255))
def test_a_changed_byte_spoils_it(digest, secret, at, by) -> None:
    value = bytearray(sign(FirstPass(digest, "failed"), secret))
    at %= len(value)
    value[at] ^= by
    assert verify(bytes(value), secret) is None


@given(st.binary(max_size=300), SECRETS)
def test_nothing_raises(value, secret) -> None:
    assert verify(value, secret) is None


def test_without_the_header_nothing_is_known() -> None:
    assert verify(None, b"secret") is None
