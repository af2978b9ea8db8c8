"""Fresh random tokens, for aliases and bounce addresses that nobody can guess."""

import uuid


def make_token() -> str:
    """Make a token: 32 lower-case hexadecimal digits, 122 bits of them random (RFC 9562)."""
    return uuid.uuid4().hex
