"""Which orders an address has a part in: found in every spelling, and never without a trace."""

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.database.conftest import Shop

    from private.postgres import Postgres

FIND = "SELECT order_number, role FROM tracker.find_orders(%s, %s)"
TRACE = "SELECT db_user, actor, digest, found FROM tracker.lookups WHERE store = %s ORDER BY id"


def find(shop: "Shop", address: str | None) -> list[tuple[Any, ...]]:
    """Look up an address."""
    return shop.rows(FIND, shop.name, address)


def test_the_newest_come_first_with_role_and_times(shop: "Shop") -> None:
    shop.mask("john@doe.example", "1")
    shop.mask("john@doe.example", "2", "partner")
    shop.mask("jane@doe.example", "3")
    shop.connection.execute(
        "UPDATE tracker.orders SET placed_at = placed_at - interval '1 day' WHERE number = '1'"
    )
    found = shop.rows("SELECT * FROM tracker.find_orders(%s, 'john@doe.example')", shop.name)
    expected = [
        (number, role, shop.order(number)["placed_at"], shop.order(number)["expires_at"])
        for number, role in (("2", "partner"), ("1", "buyer"))
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("there", "same", "other"),
    [
        ("John@doe.example", "JOHN@DOE.example", "john+x@doe.example"),
        ("j@\u00fc.test", "J@xn--tda.test", "j@u.test"),
        ("j.d.o.e@gmail.com", "JDoe@googlemail.com", "jdoe+x@gmail.com"),
        ("j.doe+x@gmail.com", "jdoe+X@googlemail.com", "jdoe@gmail.com"),
        ("j.doe@doe.example", " J.Doe@DOE.example ", "jdoe@doe.example"),
    ],
)
def test_an_address_is_found_in_every_spelling_that_mask_takes_for_the_same(
    shop: "Shop", there: str, same: str, other: str
) -> None:
    shop.mask(there)
    assert find(shop, there) == find(shop, same) == [("1", "buyer")]
    assert find(shop, other) == []
    digests = [digest for _user, _actor, digest, _found in shop.rows(TRACE, shop.name)]
    assert digests[0] == digests[1] != digests[2]


def test_guests_and_reply_to_addresses_are_found(shop: "Shop") -> None:
    """The latter with the role of whoever gave them."""
    shop.mask("john@doe.example")
    order = shop.order()["id"]
    owner = shop.one("SELECT id FROM tracker.participants WHERE order_id = %s", order)
    query = (
        "INSERT INTO tracker.participants (order_id, token, role, address, introduced, owner_id)"
        " VALUES (%s, gen_random_uuid(), %s, %s, false, %s) RETURNING id"
    )
    shop.one(query, order, "partner", "guest@far.example", None)
    for address, whose in (("back@doe.example", owner), ("bounces@far.example", None)):
        apart = shop.one(query, order, "return", None, whose)
        shop.one(
            "INSERT INTO tracker.return_addresses VALUES (%s, %s, %s) RETURNING 1",
            apart,
            order,
            address,
        )
    assert find(shop, "guest@far.example") == [("1", "partner")]
    assert find(shop, "Back@doe.example") == [("1", "buyer")]
    assert find(shop, "bounces@far.example") == [("1", "partner")]


def test_only_the_stores_own_live_orders_are_told(shop: "Shop") -> None:
    shop.connection.execute(
        "INSERT INTO tracker.stores (name, alias_domain) VALUES (%s, %s)",
        (f"{shop.name} b", shop.alias_domain),
    )
    shop.rows("SELECT tracker.mask(%s, 'x', 'john@doe.example')", f"{shop.name} b")
    for number in ("live", "expired", "closed"):
        shop.mask("john@doe.example", number)
    shop.expire("expired")
    shop.one("SELECT tracker.close_order(%s, 'closed')", shop.name)
    assert {number for number, _ in find(shop, "john@doe.example")} == {"live", "closed"}
    shop.one("SELECT tracker.erase('john@doe.example')")
    assert find(shop, "john@doe.example") == []


def test_of_very_many_the_newest_thousand_are_told(shop: "Shop") -> None:
    shop.rows(
        "SELECT count(*) FROM tracker.mask(%s, (SELECT jsonb_agg(jsonb_build_object("
        "'order_number', n::text, 'address', 'desk@carrier.example', 'role', 'partner'))"
        " FROM generate_series(1, 1001) AS n))",
        shop.name,
    )
    assert len(find(shop, "desk@carrier.example")) == 1000
    [(_user, _actor, _digest, found)] = shop.rows(TRACE, shop.name)
    assert found == 1000


def test_a_trace_tells_who_and_how_many_and_not_the_address(shop: "Shop") -> None:
    shop.mask("john@doe.example")
    with shop.connection.transaction():
        shop.connection.execute("SET LOCAL tracker.actor = 'anna'")
        find(shop, "john@doe.example")
    find(shop, "jane@doe.example")
    rows = shop.rows(TRACE, shop.name)
    user = shop.connection.info.user
    assert [(row[0], row[1], row[3]) for row in rows] == [(user, "anna", 1), (user, user, 0)]
    whole = str(shop.rows("SELECT l::text FROM tracker.lookups AS l"))
    assert "john" not in whole
    assert "jane" not in whole
    digest = shop.one("SELECT tracker.lookup_digest('JOHN@doe.example')")
    assert digest == rows[0][2]
    assert digest != shop.one("SELECT sha256('lookup john@doe.example')")


def test_what_is_rolled_back_stands_in_the_servers_log(shop: "Shop", postgres: "Postgres") -> None:
    shop.mask("mary.roe@home.example")
    with shop.connection.transaction(force_rollback=True):
        shop.connection.execute("SELECT set_config('tracker.actor', E'anna\nbert', true)")
        assert find(shop, "mary.roe@home.example") == [("1", "buyer")]
    assert shop.rows(TRACE, shop.name) == []
    digest = shop.one("SELECT encode(tracker.lookup_digest('mary.roe@home.example'), 'hex')")
    [line] = [each for each in postgres.log_text().splitlines() if str(digest) in each]
    assert line.endswith(
        f"LOG:  conversation tracker: orders of store {shop.name} looked up by address,"
        f" role {shop.connection.info.user}, actor anna bert, digest {digest}, found 1"
    )
    assert "mary.roe@home.example" not in postgres.log_text()


def test_of_an_actor_as_much_is_kept_as_a_name_has(shop: "Shop") -> None:
    """Whoever reads may say anything, and what they say is kept."""
    with shop.connection.transaction():
        shop.connection.execute("SELECT set_config('tracker.actor', repeat('x', 20000000), true)")
        find(shop, "john@doe.example")
    assert shop.rows("SELECT actor FROM tracker.lookups WHERE store = %s", shop.name) == [
        ("x" * 1000,)
    ]


@pytest.mark.parametrize(
    "address",
    [None, "", "john", "john@doe.example, x@y.example", "x" * 10_000_000, "%", "*@doe.example%"],
)
def test_what_is_no_address_is_refused(shop: "Shop", address: str | None) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not a valid mail address"):
        find(shop, address)
    assert shop.rows(TRACE, shop.name) == []


def test_an_unknown_store_is_refused(shop: "Shop") -> None:
    with pytest.raises(psycopg.errors.NoDataFound, match="no such store: nowhere"):
        shop.rows(FIND, "nowhere", "john@doe.example")


def test_a_look_up_reads_the_orders_of_the_address_and_no_others(shop: "Shop") -> None:
    shop.connection.execute(
        "INSERT INTO tracker.orders (store, number, ref, alias_domain, expires_at)"
        " SELECT name, n::text, tracker.random_ref(), alias_domain, now() + interval '1 month'"
        " FROM tracker.stores, generate_series(1, 20000) AS n WHERE name = %s",
        (shop.name,),
    )
    shop.connection.execute(
        "INSERT INTO tracker.participants (order_id, token, role, address)"
        " SELECT id, gen_random_uuid(), 'buyer', 'john' || number || '@doe.example'"
        " FROM tracker.orders WHERE store = %s",
        (shop.name,),
    )
    shop.connection.execute("ANALYZE tracker.orders, tracker.participants")
    read = (
        "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'orders'"
    )
    with shop.connection.transaction():
        before = shop.one(read)
        assert find(shop, "john77@doe.example") == [("77", "buyer")]
        assert shop.one(read) - before < 10
