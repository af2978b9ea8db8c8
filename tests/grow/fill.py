"""Fills a database with orders, aliases and messages, as fast as PostgreSQL takes them.

Each order has a buyer and a partner, whose tokens follow from the order's id (`token`). Messages
are spread over two years. Nothing here is how the tracker writes: foreign keys are not looked at,
and the indexes of participants are made at the end.
"""

import hashlib
from collections.abc import Callable

import psycopg
from psycopg import sql

DOMAIN = "ct.example.com"
STORE = "shop"
MONTHS = 24
_CHUNK = 100_000
_SLOW = """
SELECT indexdef, indexname FROM pg_indexes
 WHERE schemaname = 'tracker' AND indexname = ANY (%s)
"""
_INDEXES = [
    "participants_address_is_once_per_order",
    "participants_address",
    "participants_of_store",
]
_ORDERS = """
INSERT INTO tracker.orders (id, store, number, ref, alias_domain, placed_at, expires_at)
OVERRIDING SYSTEM VALUE
SELECT n, 'shop', n::text, lpad(n::text, 12, '0'), 'ct.example.com', now() - interval '24 months',
       now() + CASE WHEN n <= %(expired)s THEN interval '-1 hour' ELSE interval '2 months' END
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
"""
_PARTICIPANTS = """
INSERT INTO tracker.participants (id, order_id, token, role, address, store_number)
OVERRIDING SYSTEM VALUE
SELECT 2 * n - (role = 'buyer')::integer, n, md5(role || n)::uuid, role,
       role || n || '@' || role || (n %% 5000) || '.example',
       (SELECT number FROM tracker.store_numbers WHERE store = 'shop')
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n,
       unnest(ARRAY['buyer', 'partner']) AS role
"""
_MESSAGES = """
INSERT INTO tracker.messages (id, order_id, digest, at, queue_id, direction, sender_id, sender_name,
                              message_id, subject, first_words, size, attachment_names, automatic,
                              auto_reply, verdict, notes, raw)
OVERRIDING SYSTEM VALUE
SELECT n, 1 + n %% %(orders)s, sha256(n::text::bytea),
       now() - interval '2 years' * (1 - n::float8 / %(messages)s),
       'Q' || n, 'outbound', 2 * (1 + n %% %(orders)s), 'Anna Lee', '<' || n || '@partner.example>',
       'Your order ' || n, 'Dear customer, your parcel is on its way to you.', 1024, '{}', false,
       false, 'verified', '{}', convert_to(repeat(md5(n::text), 32), 'UTF8')
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
"""
_DELIVERIES = """
INSERT INTO tracker.deliveries (message_id, message_at, recipient_id, bounce, queue_id, state)
SELECT n, now() - interval '2 years' * (1 - n::float8 / %(messages)s),
       2 * (1 + n %% %(orders)s) - 1, md5('bounce' || n)::uuid, 'Q' || n, 'sent'
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
"""


def token(role: str, order: int) -> str:
    """Return the token of an order's buyer or partner."""
    return hashlib.md5(f"{role}{order}".encode(), usedforsecurity=False).hexdigest()


def fill(
    uri: str,
    *,
    orders: int,
    messages: int,
    expired: int,
    say: Callable[[str], object] = lambda _line: None,
) -> None:
    """Fill a migrated database.

    Args:
        uri: the database, as its owner.
        orders: how many orders; each has two aliases.
        messages: how many messages, each with one delivery.
        expired: so many of the orders have just expired.
        say: called with how far it is.
    """
    sizes = {"orders": orders, "messages": messages, "expired": expired}
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain) VALUES (%s, %s)", (STORE, DOMAIN)
        )
        connection.execute(
            "SELECT tracker.make_month((now() - n * interval '1 month')::date)"
            " FROM generate_series(1, %s) AS n",
            (MONTHS if messages else 0,),
        )
        connection.execute("SET session_replication_role = replica")
        indexes = connection.execute(_SLOW, (_INDEXES,)).fetchall()
        for _, name in indexes:
            connection.execute(sql.SQL("DROP INDEX tracker.{}").format(sql.Identifier(name)))
        for statements, count in (
            ((_ORDERS, _PARTICIPANTS), orders),
            ((_MESSAGES, _DELIVERIES), messages),
        ):
            for first in range(1, count + 1, _CHUNK):
                values = {**sizes, "first": first, "last": min(count, first + _CHUNK - 1)}
                with connection.transaction():
                    for statement in statements:
                        connection.execute(statement.encode(), values)
                say(f"{values['last']} of {count}")
        for definition, name in indexes:
            connection.execute(definition.encode())
            say(name)
        for table in ("orders", "participants", "messages"):
            connection.execute(
                f"SELECT setval(pg_get_serial_sequence('tracker.{table}', 'id'), 1 +"
                f" (SELECT coalesce(max(id), 0) FROM tracker.{table}))".encode()
            )
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
