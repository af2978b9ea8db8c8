"""The signature of a webhook, as Standard Webhooks 1.0.0 says (symmetric, `v1`).

Whoever receives it computes the same from their secret, over the identifier, the time of the try
and the body, and takes no other body and no old one.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable

PREFIX = "whsec_"


def sign(secrets: Iterable[str], identifier: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header webhook-signature.

    Args:
        secrets: the secret, and while it is changed the former one too, as the table has them.
        identifier: what goes into webhook-id; without a full stop.
        timestamp: of this try, seconds since 1970.
        body: as it is sent, octet for octet.

    Raises:
        ValueError: a secret is no base64.
    """
    content = b"%b.%d.%b" % (identifier.encode("ascii"), timestamp, body)
    return " ".join(
        f"v1,{base64.b64encode(hmac.digest(_read_secret(each), content, 'sha256')).decode()}"
        for each in secrets
    )


def _read_secret(text: str) -> bytes:
    try:
        return base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a webhook's secret is no base64") from None  # the driver would quote it
