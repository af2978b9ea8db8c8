"""Alias domains and sender domains never meet, and each sender domain belongs to one store."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest
from stores import add, change, refused

from private import processes

if TYPE_CHECKING:
    from tests.database.conftest import Shop

Work = Callable[[psycopg.Connection], object]


# Alias domains ------------------------------------------------------------------------------------

INSIDE = "alias_domain_is_never_inside_another"


@pytest.mark.parametrize("below", ["a.", "a.b.", "x-x.", "_."])
@pytest.mark.parametrize("outer_first", [True, False])
def test_an_alias_domain_is_never_inside_another(
    shop: "Shop", below: str, outer_first: bool
) -> None:
    inner = below + shop.alias_domain
    if outer_first:
        with refused(INSIDE):
            add(shop.connection, "inner", inner)
    else:
        change(shop, "alias_domain", inner)
        with refused(INSIDE):
            add(shop.connection, "outer", inner.partition(".")[2])


def test_an_alias_domain_that_merely_ends_like_another_is_taken(shop: "Shop") -> None:
    add(shop.connection, f"{shop.name}b", f"x{shop.alias_domain}")
    add(shop.connection, f"{shop.name}c", f"{shop.alias_domain}.example")


def test_several_stores_share_an_alias_domain(shop: "Shop") -> None:
    add(shop.connection, f"{shop.name}b", shop.alias_domain)
    first = shop.mask("john@doe.example")
    other = shop.one("SELECT tracker.mask(%s, '1', 'john@doe.example')", f"{shop.name}b")
    assert other != first
    assert shop.unmask(other) == shop.unmask(first) == "john@doe.example"


def running(query: str, *values: object) -> Work:
    return lambda connection: connection.execute(query.encode(), values)


def at_once(uri: str, first: Work, second: Work) -> None:
    """Let one session do its work, a second wait for it, the first commit; raise what it raises."""
    with psycopg.connect(uri) as one, psycopg.connect(uri) as other, ThreadPoolExecutor() as pool:
        first(one)

        def work() -> None:
            second(other)
            other.commit()

        job = pool.submit(work)
        assert processes.until(lambda: waits(uri, other.info.backend_pid), 5.0)
        one.commit()
        job.result(5.0)


def waits(uri: str, pid: int) -> bool:
    with psycopg.connect(uri) as connection:
        row = connection.execute("SELECT cardinality(pg_blocking_pids(%s))", (pid,)).fetchone()
        return row is not None and row[0] > 0


@pytest.mark.parametrize(
    ("first", "second", "constraint"),
    [
        (("{d}",), ("a.{d}",), INSIDE),
        (("a.{d}",), ("{d}",), INSIDE),
        (("a.{d}", "{d}"), ("b.{d}", "{d}"), "sender_domain_belongs_to_one_store"),
        (("{d}",), ("o{d}", "mail.{d}"), "stores_sender_domains_lie_outside_alias_domains"),
        (("o{d}", "mail.{d}"), ("{d}",), "stores_sender_domains_lie_outside_alias_domains"),
    ],
)
def test_two_rows_written_at_once_see_each_other(
    shop: "Shop", first: tuple[str, ...], second: tuple[str, ...], constraint: str
) -> None:
    domain = f"once-{shop.alias_domain}"

    def adding(name: str, domains: tuple[str, ...]) -> Work:
        given = [each.format(d=domain) for each in domains]
        return lambda connection: add(connection, f"{shop.name}{name}", *given)

    with refused(constraint):
        at_once(shop.uri, adding("a", first), adding("b", second))


def test_stores_made_at_once_may_share_an_alias_domain(shop: "Shop") -> None:
    domain = f"once-{shop.alias_domain}"
    at_once(
        shop.uri,
        lambda connection: add(connection, f"{shop.name}a", domain),
        lambda connection: add(connection, f"{shop.name}b", domain),
    )
    assert shop.one("SELECT count(*) FROM tracker.stores WHERE alias_domain = %s", domain) == 2


def domains(shop: "Shop") -> set[str]:
    """Return the alias domains that have to do with this shop."""
    query = "SELECT name FROM tracker.alias_domains WHERE name LIKE %s"
    return {name for (name,) in shop.rows(query, f"%{shop.alias_domain}")}


def test_a_mistyped_alias_domain_can_be_corrected_and_does_not_stay(shop: "Shop") -> None:
    change(shop, "alias_domain", f"a.{shop.alias_domain}")
    change(shop, "alias_domain", shop.alias_domain)
    assert domains(shop) == {shop.alias_domain}


def test_an_alias_domain_goes_with_its_last_store(shop: "Shop") -> None:
    add(shop.connection, f"{shop.name}b", shop.alias_domain)
    shop.connection.execute("DELETE FROM tracker.stores WHERE name = %s", (shop.name,))
    assert domains(shop) == {shop.alias_domain}
    shop.connection.execute("DELETE FROM tracker.stores WHERE name = %s", (f"{shop.name}b",))
    assert domains(shop) == set()


def test_orders_keep_the_alias_domain_they_began_with(shop: "Shop") -> None:
    old = shop.mask("john@doe.example")
    change(shop, "alias_domain", f"new-{shop.alias_domain}")
    assert domains(shop) == {shop.alias_domain, f"new-{shop.alias_domain}"}
    assert shop.mask("john@doe.example") == old
    assert shop.unmask(old) == "john@doe.example"
    assert shop.mask("jane@doe.example").endswith(f"@{shop.alias_domain}")
    assert shop.mask("john@doe.example", "2").endswith(f"@new-{shop.alias_domain}")


def test_an_order_made_while_the_alias_domain_changes_gets_the_new_one(shop: "Shop") -> None:
    new = f"new-{shop.alias_domain}"
    at_once(
        shop.uri,
        running("UPDATE tracker.stores SET alias_domain = %s WHERE name = %s", new, shop.name),
        running("SELECT tracker.mask(%s, '1', 'john@doe.example')", shop.name),
    )
    assert shop.order()["alias_domain"] == new


# Sender domains -----------------------------------------------------------------------------------

OUTSIDE = "stores_sender_domains_lie_outside_alias_domains"


def test_a_sender_domain_belongs_to_one_store(shop: "Shop") -> None:
    own = f"own-{shop.alias_domain}"
    change(shop, "sender_domains", ["other.example", own])
    with refused("sender_domain_belongs_to_one_store"):
        add(shop.connection, f"{shop.name}b", f"b-{shop.alias_domain}", own)
    change(shop, "sender_domains", ["other.example"])
    add(shop.connection, f"{shop.name}b", f"b-{shop.alias_domain}", own)
    with refused("sender_domain_belongs_to_one_store"):
        change(shop, "sender_domains", [own])
    change(shop, "sender_domains", [])


@pytest.mark.parametrize("below", ["", "mail.", "a.b."])
def test_a_sender_domain_lies_outside_every_alias_domain(shop: "Shop", below: str) -> None:
    with refused(OUTSIDE):
        change(shop, "sender_domains", [below + shop.alias_domain])
    with refused(OUTSIDE):
        add(shop.connection, "b", f"b-{shop.alias_domain}", below + shop.alias_domain)


@pytest.mark.parametrize("below", ["", "mail.", "a.b."])
def test_no_alias_domain_is_added_around_a_sender_domain(shop: "Shop", below: str) -> None:
    later = f"later-{shop.alias_domain}"
    change(shop, "sender_domains", [below + later])
    with refused(OUTSIDE):
        add(shop.connection, "b", later)
    with refused(OUTSIDE):
        change(shop, "alias_domain", later)


def test_a_sender_domain_may_lie_above_or_beside_an_alias_domain(shop: "Shop") -> None:
    parent = f"parent-{shop.alias_domain}"
    change(shop, "alias_domain", f"a_b.{parent}")
    change(shop, "sender_domains", [parent, f"mail.acb.{parent}", f"xa_b.{parent}"])


# Many at once -------------------------------------------------------------------------------------

MANY = """
INSERT INTO tracker.stores (name, alias_domain, sender_domains)
SELECT 's' || n, 'ct' || n || '.example.com', ARRAY['a' || n || '.example', 'b' || n || '.example']
  FROM generate_series(%s::integer, %s::integer) AS n
"""
READ = """
SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)
  FROM pg_stat_xact_user_tables
 WHERE schemaname = 'tracker' AND relname IN ('stores', 'alias_domains', 'sender_domains')
"""
CHANGES = [
    "UPDATE tracker.stores SET sender_domains = sender_domains || ('c.' || alias_domain || '.org')",
    "UPDATE tracker.stores SET alias_domain = 'x' || alias_domain",
]


@pytest.mark.parametrize("known", [True, False])
def test_thousands_of_stores_are_written_without_reading_each_others_domains(
    database: str, *, known: bool
) -> None:
    """Whatever was known of the tables; plans are kept that were made when there was one store."""
    many = 300
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(MANY, (1, 1))
        if known:
            connection.execute("ANALYZE")
        for statement in (MANY, *CHANGES):
            with connection.transaction():
                connection.execute(statement.encode(), (2, many) if statement is MANY else None)
                read = dict(connection.execute(READ).fetchall())
            assert max(read.values()) < 20 * many, (statement, read)
