"""A private PostgreSQL with one store, and an alias in each of many orders.

It writes as a careful administrator has it: fsync and synchronous commit are on.
"""

from pathlib import Path
from typing import Self

import psycopg

from bench.mail import SENDER
from conversation_tracker.database.migrate import migrate
from private.postgres import Postgres

DOMAIN = "ct.example.com"

_STORE = (
    "INSERT INTO tracker.stores (name, alias_domain, sender_domains, hourly_limit)"
    " VALUES ('shop', 'ct.example.com', '{shop.example}', %s)"
)
# Each conversation is under way: the store, the buyer and the carrier take part.
_ORDERS = (
    "SELECT tracker.mask('shop', n::text, 'orders@shop.example', 'store'),"
    " tracker.mask('shop', n::text, 'parcels@carrier.example', 'partner'),"
    " tracker.mask('shop', n::text, 'buyer' || n || '@customers.example')"
    " FROM generate_series(1, %s) AS n"
)
# In hard form both: it always resolves, and is as long as the marks in the letters.
_PAIRS = (
    "SELECT string_agg(replace(token::text, '-', '') || '@ct.example.com', ' ' ORDER BY role)"
    " FROM tracker.participants WHERE role IN ('buyer', 'store') GROUP BY order_id"
    " HAVING count(*) = 2 ORDER BY order_id"
)
_STRANGERS = 1000


class World:
    """The database, from `with` to the end of the block, and lists of whom to write to.

    `uri` is the database's. `many`, `one` and `plain` are files with recipients, one in a line:
    aliases of as many orders, one alias, and addresses that are no aliases. `pairs` and
    `plain_pairs` have two in a line: the buyer's and the store's alias in an order, and two others.
    """

    def __init__(self, folder: Path, orders: int, hourly_limit: int = 1000) -> None:
        """Prepare it.

        Args:
            folder: where the lists are to lie.
            orders: how many there are to be.
            hourly_limit: the store's; one sender may use half of it.
        """
        self._orders, self._hourly_limit = orders, hourly_limit
        names = ("many", "one", "plain", "pairs", "plain_pairs")
        self.many, self.one, self.plain, self.pairs, self.plain_pairs = (
            folder / name for name in names
        )

    def __enter__(self) -> Self:
        self.postgres = Postgres(fsync=True)
        try:
            self.postgres.start()
            self.uri = self.postgres.create_database("tracker")
            migrate(self.uri)
            self._fill()
        except BaseException:
            self.postgres.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.postgres.close()

    def take_one(self) -> Path:
        """Have another alias stand in `one`: an order has only so many messages in an hour."""
        self.one.write_text(self._aliases.pop())
        return self.one

    def _fill(self) -> None:
        assert SENDER == "parcels@carrier.example"
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(_STORE, (self._hourly_limit,))
            self._aliases = [row[2] for row in connection.execute(_ORDERS, (self._orders,))]
            pairs = connection.execute(_PAIRS).fetchall()
            connection.execute("VACUUM ANALYZE")
        self.pairs.write_text("\n".join(pair for (pair,) in pairs))
        self.many.write_text("\n".join(self._aliases))
        strangers = [f"stranger{number:024d}@customers.example" for number in range(_STRANGERS)]
        self.plain.write_text("\n".join(strangers))
        couples = zip(strangers[::2], strangers[1::2], strict=True)
        self.plain_pairs.write_text("\n".join(map(" ".join, couples)))
