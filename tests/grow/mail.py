"""Mail as far as the database has to do with it: an alias is found, and a message recorded."""

import os
import random
import time
import uuid
from collections.abc import Sequence

from conversation_tracker.core.model.alias import Hard
from conversation_tracker.core.model.plan import Record
from conversation_tracker.database.repository import Database
from grow.fill import DOMAIN, token

_RAW = random.Random(1).randbytes(512).hex().encode()


def send(database: Database, order: int) -> float:
    """Send one message from an order's partner to its buyer.

    Returns:
        The seconds that finding and recording took.
    """
    buyer, partner = token("buyer", order), token("partner", order)
    record = Record(
        order=order,
        joined=(),
        digest=os.urandom(32),
        queue_id="4ABC",
        direction="outbound",
        sender=partner,
        return_path=None,
        recipients=((buyer, uuid.uuid4().hex),),
        sender_name="Anna Lee",
        message_id=f"<{uuid.uuid4()}@partner.example>",
        subject="Your order",
        first_words="Dear customer, your parcel is on its way to you.",
        size=len(_RAW),
        attachment_names=(),
        automatic=False,
        auto_reply=False,
        raw=_RAW,
    )
    started = time.perf_counter()
    found = database.find(Hard(buyer, DOMAIN))
    outcome, _ = database.record([record])
    taken = time.perf_counter() - started
    if found is None or found.status != "live" or outcome != "done":
        raise RuntimeError(f"order {order}: {found and found.status}, {outcome}")
    return taken


def quantile(times: Sequence[float], share: float) -> float:
    """Return the time that so large a share of them is within, in milliseconds."""
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000
