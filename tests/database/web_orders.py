"""Stores, orders and mail that the web page shows, and a role that may read them."""

from typing import Any
from uuid import uuid4

from publisher import publish
from records import make_record

from conversation_tracker.core.model.plan import Refusal
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.repository import Database
from conversation_tracker.publish.texts import Texts
from private.postgres import Postgres

CUSTOMER = "john.doe@customer.example"
MAIL = b"""From: "John Doe" <%s@ct.example.com>\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/html\r
\r
<p>Where is my <b>parcel</b>? <img src="cid:pic@x"><script>alert(1)</script></p>\r
--b\r
Content-Type: image/png; name="parcel.png"\r
Content-Transfer-Encoding: base64\r
Content-ID: <pic@x>\r
\r
iVBORw==\r
--b\r
Content-Type: text/html; name="page.html"\r
Content-Disposition: attachment; filename*=UTF-8''..%%2F%%E2%%80%%AEgnp.%%C3%%BCber.html\r
\r
<script>alert(1)</script>\r
--b--\r
"""


class Orders:
    """A database with stores, and a session of the schema's owner."""

    def __init__(self, postgres: Postgres, uri: str) -> None:
        """Begin with nothing.

        Args:
            postgres: its server.
            uri: the database, as its owner.
        """
        self.uri = uri
        self._postgres = postgres
        self.connection = Connection.connect(uri)
        self.database = Database(uri, size=1)
        self.database.open()
        self.roles: list[str] = []
        self._count = 0
        self._texts = Texts()

    def close(self) -> None:
        """Drop the roles."""
        for role in self.roles:
            self.sql(f'DROP OWNED BY "{role}"')
            self.sql(f'DROP ROLE "{role}"')
        self._texts.close()
        self.database.close()
        self.connection.close()

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, if it has any."""
        cursor = self.connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def add_store(self, name: str, domain: str = "ct.example.com") -> None:
        """Add a store."""
        self.sql(
            "INSERT INTO tracker.stores (name, alias_domain, hourly_limit)"
            " VALUES (%s, %s, 1000000)",
            name,
            domain,
        )

    def open(self, store: str, number: str, address: str = CUSTOMER) -> str:
        """Open an order with a buyer, a store and a carrier; return the buyer's alias."""
        self.mask(store, number, "desk@carrier.example", "partner")
        self.mask(store, number, "info@shop.example", "store")
        return self.mask(store, number, address)

    def mask(self, store: str, number: str, address: str, role: str = "buyer") -> str:
        """Return somebody's alias."""
        [(alias,)] = self.sql("SELECT tracker.mask(%s, %s, %s, %s)", store, number, address, role)
        return str(alias)

    def find(self, store: str, number: str) -> tuple[int, dict[str, str]]:
        """Return an order's id, and a token of each role."""
        [(order,)] = self.sql(
            "SELECT id FROM tracker.orders WHERE store = %s AND number = %s", store, number
        )
        tokens = self.sql(
            "SELECT role, replace(token::text, '-', '') FROM tracker.participants"
            " WHERE order_id = %s",
            order,
        )
        return order, dict(tokens)

    def write(
        self,
        store: str,
        number: str,
        subject: str = "Where is it?",
        who: str = "buyer",
        **changes: Any,
    ) -> int:
        """Record a message, from the buyer to the store or else to the buyer; return its id."""
        self._count += 1
        order, tokens = self.find(store, number)
        to = "store" if who == "buyer" else "buyer"
        values: dict[str, Any] = {
            "raw": MAIL % tokens[who].encode(), "digest": self._count.to_bytes(32),
            "direction": "inbound" if who == "buyer" else "outbound", "subject": subject,
            "first_words": "Where is my parcel?", "sender_name": "John Doe",
            "own": who == "store",
        }  # fmt: skip
        record = make_record(order, tokens[who], (tokens[to],), **(values | changes))
        outcome, _ = self.database.record([record])
        assert outcome == "done"
        [(message,)] = self.sql("SELECT max(id) FROM tracker.messages WHERE order_id = %s", order)
        return int(message)

    def bounce(self, message: int, reason: str = "mailbox full") -> None:
        """Have a message bounce."""
        self.sql(
            "SELECT tracker.mark_delivery(bounce, 'bounced', '5.2.2', %s)"
            " FROM tracker.deliveries WHERE message_id = %s",
            reason,
            message,
        )

    def refuse(
        self,
        store: str,
        number: str,
        reply: str = "550 5.7.1 refused",
        subject: str = "Spam",
        who: str | None = "buyer",
    ) -> None:
        """Have a message to the store refused, of somebody or, with None, of a stranger."""
        self._count += 1
        order, tokens = self.find(store, number)
        author = tokens[who] if who else None
        digest = self._count.to_bytes(32)
        self.database.refuse(Refusal(order, digest, author, tokens["store"], subject, reply))

    def publish(self) -> None:
        """Have read and told what happened."""
        while self._texts.take_out(self.connection):
            pass
        publish(self.uri)

    def add_reader(self, *stores: str, group: str = "tracker_reader") -> str:
        """Make a role that was granted these stores; return the URI of the database for it."""
        role = f"web_{uuid4().hex}"
        self.sql(f'CREATE ROLE "{role}" LOGIN IN ROLE {group}')
        self.roles.append(role)
        for store in stores:
            self.sql("SELECT tracker.grant_store(%s, %s)", role, store)
        return self._postgres.uri(self.connection.info.dbname, role)
