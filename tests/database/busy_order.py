"""An order in which people write to each other, more than one at a time."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from records import make_record

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import Participant
from conversation_tracker.core.model.plan import Record
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.recording import write_record
from conversation_tracker.database.repository import Database

if TYPE_CHECKING:
    from tests.database.conftest import Shop


def newcomer() -> Participant:
    address = Address.parse(f"{uuid.uuid4().hex}@doe.example")
    return Participant(uuid.uuid4().hex, "partner", address, recorded=False, introduced=True)


class Order:
    """An order with its buyer John, and Ann and Bob, who write to each other."""

    def __init__(self, shop: "Shop", database: Database, number: str = "1") -> None:
        self.shop, self.database, self.number = shop, database, number
        self.john, self.ann, self.bob = (
            shop.mask(f"{name}@doe.example", number, role).partition("@")[0]
            for name, role in (("john", "buyer"), ("ann", "partner"), ("bob", "partner"))
        )
        self.id = shop.order(number)["id"]

    def message(self, **changes: Any) -> Record:
        """Return what a message of Ann's to Bob leaves behind that is like no other."""
        own = {"digest": uuid.uuid4().bytes * 2, "direction": "internal"}
        return make_record(self.id, self.ann, (self.bob,), **own | changes)

    def count(self) -> int:
        query = "SELECT count(*) FROM tracker.messages WHERE order_id = %s"
        return int(self.shop.one(query, self.id))

    def beside(self, **changes: Any) -> str:
        """Record another message without waiting, in a session of its own; give its outcome."""
        with Connection.connect(self.shop.uri) as mine:
            record = self.message(**changes)
            return write_record(mine, record, wait=False, alone=False)[0]

    @contextmanager
    def under_way(self, **changes: Any) -> Iterator[None]:
        """Have a message recorded and not yet committed during the block."""
        with Connection.connect(self.shop.uri) as other, other.transaction():
            record = self.message(**changes)
            assert write_record(other, record, wait=False, alone=False)[0] == "done"
            yield
