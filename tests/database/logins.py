"""A login that is a member of one role, and what it may do."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.database.conftest import Shop


class Role:
    """A login that is a member of one role only, and was granted this store if it needs that."""

    def __init__(self, shop: "Shop", uri: str, connection: psycopg.Connection) -> None:
        self.shop = shop
        self.uri = uri
        self.connection = connection
        self.alias = shop.mask("john@doe.example")

    def run(self, statement: str) -> None:
        """Run a statement, with this store's values in its braces."""
        token, _, domain = self.alias.partition("@")
        values = {"store": self.shop.name, "alias": self.alias, "token": token, "domain": domain}
        text = statement.format(**values).encode()
        if text.startswith(b"COPY"):
            with self.connection.cursor().copy(text) as copy:
                assert list(copy)
        else:
            self.connection.execute(text)

    def may_not(self, statement: str) -> None:
        """Expect that a statement is refused for want of privilege."""
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            self.run(statement)


LogIn = Callable[[str | None], Role]
"""Logs in as a new member of a role, or of none."""
