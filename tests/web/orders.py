"""Orders with mail in them, as a page shows them: each message takes the program's own way in.

A message is decided on and recorded by the `Filter` that `serve` has, and read by the publisher's
own steps, so that nothing is in the database that mail could not bring there.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from conversation_tracker.base import timeouts
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.message import Arrival, Message, parse
from conversation_tracker.core.model.plan import Refusal
from conversation_tracker.core.reports.bounce import Mark
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.repository import Database
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.transaction import Transaction
from conversation_tracker.publish.feed import Feed
from conversation_tracker.publish.texts import Texts

_STORE = """
INSERT INTO tracker.stores (name, alias_domain, sender_domains, hourly_limit)
VALUES (%s, %s, ARRAY[%s], 1000000)
"""
_DELIVERY = """
SELECT replace(d.bounce::text, '-', '') FROM tracker.deliveries AS d
  JOIN tracker.messages AS m ON m.id = d.message_id AND m.at = d.message_at
 WHERE m.order_id = %s ORDER BY m.id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class File:
    """A file that hangs on a message; `name` stands in its headers as it is."""

    name: bytes
    type: bytes
    content: bytes


_MANY = """
WITH people AS (
    SELECT p.order_id, p.id AS buyer, s.id AS store
      FROM tracker.participants AS p JOIN tracker.participants AS s USING (order_id)
     WHERE p.order_id = %(order)s AND p.role = 'buyer' AND s.role = 'store'
), messages AS (
    INSERT INTO tracker.messages (
        order_id, digest, at, queue_id, direction, sender_id, sender_name, message_id, subject,
        first_words, size, attachment_names, automatic, auto_reply, verdict, notes, raw)
    SELECT order_id, sha256(n::text::bytea), now() - (%(number)s - n) * interval '1 minute',
           'Q' || n,
           CASE n %% 2 WHEN 0 THEN 'outbound' ELSE 'inbound' END,
           CASE n %% 2 WHEN 0 THEN store ELSE buyer END,
           'Anna Lee', '<' || n || '@mail.example>', 'Message ' || n, 'Where is it?', 2000, '{}',
           false, false, 'verified', '{}', convert_to(repeat(md5(n::text), 60), 'UTF8')
      FROM people, generate_series(1, %(number)s) AS n
    RETURNING id, at, order_id, direction
), deliveries AS (
    INSERT INTO tracker.deliveries (message_id, message_at, recipient_id, bounce, queue_id, state)
    SELECT m.id, m.at, CASE m.direction WHEN 'outbound' THEN buyer ELSE store END,
           md5('bounce' || m.id)::uuid, 'Q' || m.id, 'sent'
      FROM messages AS m JOIN people USING (order_id)
)
INSERT INTO tracker.texts (
    message_id, message_at, order_id, body, html, attachments, files, marks, words)
SELECT id, at, order_id, repeat('Where is it? I wait, ' || id || E'.\n', 20)
                         || repeat('> Thank you for your order.' || E'\n', 40),
       '<p>Where is it?</p>', '[]', '{}', '{}', to_tsvector('simple', 'where')
  FROM messages
"""


def compose(
    text: str | None, html: str | bytes | None = None, files: Sequence[File] = ()
) -> tuple[bytes, bytes]:
    """Return the header fields and the body of a message's content."""
    parts = [] if text is None else [_part(b"text/plain; charset=utf-8", text.encode())]
    if html is not None:
        written = html if isinstance(html, bytes) else html.encode()
        parts.append(_part(b"text/html; charset=utf-8", written))
    kind = b"alternative" if len(parts) > 1 else b"mixed"
    inner = _multipart(kind, parts)
    if not files:
        return inner
    hung = [
        _part(
            b'%s; name="%s"' % (each.type, each.name),
            each.content,
            b'Content-Disposition: attachment; filename="%s"\r\n' % each.name,
        )
        for each in files
    ]
    return _multipart(b"mixed", [inner[0] + b"\r\n" + inner[1], *hung])


def _part(kind: bytes, content: bytes, more: bytes = b"") -> bytes:
    lines = base64.encodebytes(content).replace(b"\n", b"\r\n")
    head = b"Content-Type: %s\r\nContent-Transfer-Encoding: base64\r\n%s" % (kind, more)
    return head + b"\r\n" + lines


def _multipart(kind: bytes, parts: Sequence[bytes]) -> tuple[bytes, bytes]:
    mark = uuid4().hex.encode()
    head = b'MIME-Version: 1.0\r\nContent-Type: multipart/%s; boundary="%s"\r\n' % (kind, mark)
    body = b"".join(b"--%s\r\n%s\r\n" % (mark, part) for part in parts)
    return head, body + b"--%s--\r\n" % mark


class Order:
    """One order of a store, and the people who write in it."""

    def __init__(self, shop: "Shop", number: str) -> None:
        """Make it, with the buyer's alias."""
        self.shop, self.number = shop, number
        self.aliases: dict[str, str] = {}
        self.mask(shop.buyer)
        self.mask(shop.desk, "store")
        self.mask(shop.carrier, "partner")
        self.id = shop.order_id(number)

    def mask(self, address: str, role: str = "buyer") -> str:
        """Return somebody's alias in the order."""
        query = "SELECT tracker.mask(%s, %s, %s, %s)"
        [alias] = self.shop.row(query, self.shop.name, self.number, address, role)
        return self.aliases.setdefault(address, str(alias))

    def write(
        self,
        sender: str,
        to: str,
        text: str | None = "Hello.",
        html: str | bytes | None = None,
        files: Sequence[File] = (),
        *,
        subject: bytes = b"Your order",
        name: bytes = b"",
        headers: bytes = b"",
        trusted: bool = False,
    ) -> None:
        """Hand a message in, which must be taken.

        Args:
            sender: the real address of who writes.
            to: the real address of who is written to.
            text: what is written; None for no part of that kind.
            html: the same as HTML.
            files: what hangs on it.
            subject: as it stands in the header.
            name: the author's display name, as it stands in From.
            headers: further fields, each with its line end.
            trusted: it is the store's own mail.
        """
        head, body = compose(text, html, files)
        fields = (
            b"From: %s <%s>" % (name, sender.encode()),
            b"To: <%s>" % self.aliases[to].encode(),
            b"Subject: " + subject,
            b"Message-ID: <%s@mail.example>" % uuid4().hex.encode(),
            headers + head,
            body,
        )
        self.shop.hand_in(sender, self.aliases[to], b"\r\n".join(fields), trusted=trusted)

    def fill(self, number: int) -> None:
        """Put so many messages in at once, a minute apart, as if they had come and been read."""
        self.shop.run("SELECT tracker.make_month((now() - interval '1 month')::date)")
        self.shop.run(_MANY, {"order": self.id, "number": number})
        for table in ("messages", "deliveries", "texts"):
            self.shop.run(f"ANALYZE tracker.{table}")

    def mark(self, state: str, status: str, reason: str) -> None:
        """Have the last message end like this."""
        [token] = self.shop.row(_DELIVERY, self.id)
        self.shop.database.mark(token, Mark(state, status, reason))  # type: ignore[arg-type]

    def refuse(self, subject: str, reply: str) -> None:
        """Have a stranger's message to the buyer been refused."""
        token = self.aliases[self.shop.buyer].partition("@")[0]
        digest = uuid4().bytes + uuid4().bytes
        self.shop.database.refuse(Refusal(self.id, digest, None, token, subject, reply))


class Shop:
    """A store in a migrated database, from `with` to the end of the block."""

    carrier = "desk@carrier.example"

    def __init__(
        self, uri: str, name: str, domain: str, *, buyer: str = "john@doe.example"
    ) -> None:
        """Add the store to the database, of which this is the owner's session."""
        self.name, self.buyer = name, buyer
        senders = f"{domain.split('.')[0]}.example"
        self.desk = f"orders@{senders}"
        self._session = Connection.connect(uri, limits=timeouts.get().publish)
        self._session.execute(_STORE.encode(), (name, domain, senders))
        self.database = Database(uri, size=1)
        self.database.open()
        self._feed, self._texts = Feed(), Texts()

    def close(self) -> None:
        """Close its connections."""
        self._texts.close()
        self.database.close()
        self._session.close()

    def row(self, query: str, *values: object) -> tuple[Any, ...]:
        """Run a query and return its first row."""
        found = self._session.execute(query.encode(), values).fetchone()
        assert found is not None, query
        return tuple(found)

    def order_id(self, number: str) -> int:
        """Return the database's number for one of the store's orders."""
        query = "SELECT id FROM tracker.orders WHERE store = %s AND number = %s"
        [found] = self.row(query, self.name, number)
        return int(found)

    def run(self, statement: str, values: dict[str, object] | None = None) -> None:
        """Run a statement."""
        self._session.execute(statement.encode(), values)

    def hand_in(self, sender: str, to: str, raw: bytes, *, trusted: bool = False) -> None:
        """Hand a message in to one recipient, as Postfix does; it must be taken."""
        directory = self.database.directory()
        tracker = Filter(self.database, lambda: directory)
        transaction = Transaction(trusted=trusted)
        refused = tracker.accept_recipient(transaction, b"<%s>" % to.encode())
        assert refused is None, refused
        headers, body = parse(raw)
        message = Message(
            Address.parse(sender),
            tuple(transaction.recipients),
            headers,
            body,
            Arrival("Q", trusted=trusted),
        )
        reply = tracker.decide(transaction, message).plan.reply
        assert reply is None, reply

    def publish(self) -> None:
        """Have the publisher read all messages there are, and tell of all that happened."""
        while self._feed.publish(self._session) or self._texts.take_out(self._session):
            pass
