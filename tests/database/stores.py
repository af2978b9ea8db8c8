"""Rows of tracker.stores that tests add and change, and the constraints that refuse them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.database.conftest import Shop


def add(connection: psycopg.Connection, name: str, domain: str, *senders: str) -> None:
    """Add a store with an alias domain and some sender domains."""
    connection.execute(
        "INSERT INTO tracker.stores (name, alias_domain, sender_domains) VALUES (%s, %s, %s)",
        (name, domain, list(senders)),
    )


def change(shop: "Shop", column: str, value: object) -> None:
    """Set one column of a store's row."""
    shop.set(**{column: value})


@contextmanager
def refused(constraint: str) -> Iterator[None]:
    """Expect a refusal by this constraint."""
    with pytest.raises(psycopg.errors.IntegrityError) as caught:
        yield
    assert caught.value.diag.constraint_name == constraint
