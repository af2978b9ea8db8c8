"""docs/privacy.md names every column that can hold something of a person, and no column besides."""

import re
from typing import TYPE_CHECKING

import pytest

from ...pages.blocks import ROOT, blocks

if TYPE_CHECKING:
    from tests.database.conftest import Shop

PAGE = ROOT / "docs" / "privacy.md"
# Of whatever type may hold letters, or what stands for somebody: all but numbers, times and truths.
COLUMNS = """
    SELECT c.relname || '.' || a.attname
      FROM pg_attribute AS a
      JOIN pg_class AS c ON c.oid = a.attrelid
      JOIN pg_type AS t ON t.oid = a.atttypid
     WHERE c.relnamespace = 'tracker'::regnamespace AND c.relkind IN ('r', 'p', 'm', 'f')
       AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
       AND coalesce(nullif(t.typbasetype, 0), a.atttypid) <> ALL (%s::regtype[])"""
HARMLESS = "{bigint,integer,smallint,boolean,timestamptz,date,interval,xid8}"
COLUMN = re.compile(r"`([a-z_]+\.[a-z_]+)`")
# What the page says of it is wrong if the column is not among those that are emptied.
EMPTIED = {"participants.address", "return_addresses.address", "message_ids.original"}


def rows() -> list[list[str]]:
    """Return the rows of the table: columns, what is in them, what for, and until when."""
    found = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return [[cell.strip(" |") for cell in row] for row in found if len(row) == 4]


def personal() -> dict[str, str]:
    """Return the columns of the table, each with until when its row says it is kept."""
    return {column: row[-1] for row in rows() for column in COLUMN.findall(row[0])}


def harmless() -> list[str]:
    """Return the columns that the page says hold nothing of a person."""
    [block] = [each for each in blocks(PAGE) if each.text.startswith("alias_domains.name")]
    return block.text.split()


def test_every_column_is_named_once(shop: "Shop") -> None:
    there = {name for (name,) in shop.rows(COLUMNS, HARMLESS)}
    named = [*personal(), *harmless()]
    assert sorted(named) == sorted(set(named)), "named twice"
    assert there - set(named) == set(), "a new column: name it in docs/privacy.md"
    assert set(named) - there == set(), "no such column"


def test_a_new_column_would_be_seen(shop: "Shop") -> None:
    with shop.connection.transaction(force_rollback=True):
        shop.connection.execute("ALTER TABLE tracker.orders ADD COLUMN phone varchar(20)")
        shop.connection.execute("CREATE TABLE tracker.faces (id bigint, picture bytea, at inet)")
        there = {name for (name,) in shop.rows(COLUMNS, HARMLESS)}
    assert there - {*personal(), *harmless()} == {"orders.phone", "faces.picture", "faces.at"}


def test_each_has_a_purpose_and_an_end(shop: "Shop") -> None:
    assert all(all(row) for row in rows())
    assert {name for name, end in personal().items() if end == "order, erase"} == EMPTIED


@pytest.mark.parametrize("what", ["expiry", "erase"])
def test_real_addresses_end_as_the_page_says(shop: "Shop", what: str) -> None:
    address = "john.doe@home.example"
    shop.mask(address)
    shop.mask("desk@carrier.example")
    order = shop.order()["id"]
    shop.connection.execute(
        "INSERT INTO tracker.message_ids SELECT order_id, 'x', %s, id FROM tracker.participants"
        " WHERE order_id = %s AND address = %s",
        (f"<{address}>", order, address),
    )
    if what == "erase":
        assert shop.one("SELECT tracker.erase(%s)", address) == 1
    else:
        from conversation_tracker.database.expiry_steps import EMPTY

        values = {"ids": [order], "now": "now"}
        shop.connection.execute(EMPTY.act.encode(), values)
    held = shop.rows(
        "SELECT 1 FROM tracker.participants WHERE order_id = %s AND address = %s"
        " UNION ALL SELECT 1 FROM tracker.message_ids WHERE order_id = %s",
        order,
        address,
        order,
    )
    assert held == []
