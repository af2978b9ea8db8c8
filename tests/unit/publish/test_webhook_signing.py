"""Signatures as Standard Webhooks 1.0.0 has them."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.publish.webhooks.signing import sign


def compute(key: bytes, content: bytes) -> str:
    """Compute HMAC-SHA256 as RFC 2104 says, with nothing but the hash."""
    key = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(each ^ 0x36 for each in key) + content).digest()
    outer = hashlib.sha256(bytes(each ^ 0x5C for each in key) + inner).digest()
    return "v1," + base64.b64encode(outer).decode()


def test_the_specifications_own_libraries_take_it() -> None:
    """The example that all of them are tested with."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signature = sign([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=24, max_size=64), st.integers(0, 2**40), st.binary(max_size=300))
def test_it_is_what_anybody_computes(key: bytes, timestamp: int, body: bytes) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    content = b"evt_1." + str(timestamp).encode() + b"." + body
    assert sign([secret], "evt_1", timestamp, body) == compute(key, content)


def test_while_a_secret_is_changed_both_sign() -> None:
    new, old = (f"whsec_{base64.b64encode(each * 32).decode()}" for each in (b"n", b"o"))
    both = sign([new, old], "evt_1", 1, b"{}").split(" ")
    assert both == [compute(b"n" * 32, b"evt_1.1.{}"), compute(b"o" * 32, b"evt_1.1.{}")]


def test_an_error_does_not_show_the_secret() -> None:
    with pytest.raises(ValueError, match=r"^a webhook's secret is no base64$") as caught:
        sign(["whsec_c2VjcmV0*"], "evt_1", 1, b"{}")
    assert caught.value.__cause__ is None
