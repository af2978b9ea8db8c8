"""What an alias or an order's number leads to, and when an order opens again."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.database.conftest import Shop

HARD = "SELECT status, token, order_id, number, ref, alias_domain, participants"
HARD += " FROM tracker.conversation_of_hard(%s::uuid, %s)"
SOFT = HARD.replace("of_hard(%s::uuid", "of_soft(%s, %s")


def by_hard(shop: "Shop", alias: str) -> list[tuple[Any, ...]]:
    return shop.rows(HARD, *alias.split("@"))


def by_soft(shop: "Shop", key: str, ref: str | None = None) -> list[tuple[Any, ...]]:
    return shop.rows(SOFT, key, ref or shop.order()["ref"], shop.alias_domain)


def status(rows: list[tuple[Any, ...]]) -> str | None:
    return rows[0][0] if rows else None


def test_both_forms_lead_to_the_order_and_all_its_participants(shop: "Shop") -> None:
    alias = shop.mask("John@Doe.example")
    other = shop.mask("sales@pay.example", role="partner")
    [found] = by_hard(shop, alias)
    assert by_soft(shop, "john@doe.example") == [found]
    state, token, order, number, ref, domain, people = found
    row = shop.order()
    assert (state, token.hex) == ("live", alias.partition("@")[0])
    assert (order, number, ref, domain) == (row["id"], "1", row["ref"], shop.alias_domain)
    assert people.replace("-", "").split("\n") == [
        f"{alias.partition('@')[0]} true buyer John@doe.example",
        f"{other.partition('@')[0]} true partner sales@pay.example",
    ]


def test_a_soft_alias_of_whom_only_a_stranger_named_leads_nowhere(shop: "Shop") -> None:
    """Else whoever knows one soft alias could write to everybody they name."""
    alias = shop.mask("john@doe.example")
    shop.rows("UPDATE tracker.participants SET vouched = false RETURNING 1")
    assert by_soft(shop, "john@doe.example") == []
    assert [found[0] for found in by_hard(shop, alias)] == ["live"]
    assert shop.mask("john@doe.example") == alias
    assert [found[0] for found in by_soft(shop, "john@doe.example")] == ["live"]


def test_what_no_order_knows_leads_nowhere(shop: "Shop") -> None:
    alias = shop.mask("john@doe.example")
    assert by_hard(shop, f"{'0' * 32}@{shop.alias_domain}") == []
    assert by_soft(shop, "jane@doe.example") == []
    assert by_soft(shop, "john@doe.example", "000000000000") == []
    for domain in ("ct.example.org", f"x.{shop.alias_domain}"):
        assert by_hard(shop, alias.replace(shop.alias_domain, domain)) == []
        assert shop.rows(SOFT, "john@doe.example", shop.order()["ref"], domain) == []


def test_an_expired_orders_ref_says_expired_whatever_stands_before_it(shop: "Shop") -> None:
    alias = shop.mask("john@doe.example")
    shop.expire()
    order = shop.order()["id"]
    for emptied in (False, True):
        if emptied:
            shop.rows("UPDATE tracker.participants SET address = NULL WHERE order_id = %s"
                      " RETURNING 1", order)  # fmt: skip
        assert status(by_hard(shop, alias)) == "expired"
        assert status(by_soft(shop, "john@doe.example")) == "expired"
        assert status(by_soft(shop, "whoever@else.example")) == "expired"
        assert shop.rows(SOFT, "john@doe.example", shop.order()["ref"], "ct.example.org") == []


def test_an_inactive_stores_aliases_are_inactive_and_expired_ones_expired(shop: "Shop") -> None:
    alias = shop.mask("john@doe.example")
    shop.set(active=False)
    assert status(by_hard(shop, alias)) == status(by_soft(shop, "john@doe.example")) == "inactive"
    assert by_soft(shop, "jane@doe.example") == []
    shop.expire()
    assert status(by_hard(shop, alias)) == "expired"


def test_an_erased_persons_alias_is_expired_and_the_others_live(shop: "Shop") -> None:
    address = f"john@{shop.name}.example"
    alias, other = shop.mask(address), shop.mask("jane@doe.example")
    shop.one("SELECT tracker.erase(%s)", address)
    assert status(by_hard(shop, alias)) == "expired"
    assert by_soft(shop, address) == []
    assert status(by_hard(shop, other)) == "live"


def test_an_envelope_sender_has_no_alias_until_somebody_masks_it(shop: "Shop") -> None:
    alias = shop.mask("bounces@doe.example")
    shop.rows("UPDATE tracker.participants SET role = 'return' WHERE order_id = %s RETURNING 1",
              shop.order()["id"])  # fmt: skip
    assert by_hard(shop, alias) == by_soft(shop, "bounces@doe.example") == []
    assert shop.mask("bounces@doe.example", role="partner") == alias
    assert shop.people() == [("partner", "bounces@doe.example")]
    assert status(by_hard(shop, alias)) == "live"


# Opening an order ---------------------------------------------------------------------------------


def open_order(shop: "Shop", number: str = "1", *, wake: bool = True) -> int:
    return int(shop.one("SELECT tracker.open_order(%s, %s, %s)", shop.name, number, wake))


def left(shop: "Shop") -> timedelta:
    """Return how long the order's aliases still work, to the second."""
    query = "SELECT date_trunc('second', expires_at - now() + '0.5 s') FROM tracker.orders"
    return shop.one(f"{query} WHERE store = %s", shop.name)  # type: ignore[no-any-return]


def test_an_order_is_made_at_first_sight_and_found_ever_after(shop: "Shop") -> None:
    query = "SELECT status, order_id, participants FROM tracker.conversation_of_number(%s, '1')"
    [(state, order, people)] = shop.rows(query, shop.name)
    assert (state, people) == ("live", "")
    assert shop.rows(query, shop.name) == [(state, order, people)]
    assert open_order(shop) == open_order(shop, wake=False) == order
    assert left(shop) > timedelta(days=58)


def test_the_stores_own_mail_opens_an_expired_order_for_wake_for(shop: "Shop") -> None:
    alias = shop.mask("john@doe.example")
    shop.set(wake_for="3 hours")
    shop.expire()
    open_order(shop, wake=False)
    assert status(by_hard(shop, alias)) == "expired"
    open_order(shop)
    assert status(by_hard(shop, alias)) == "live"
    assert left(shop) == timedelta(hours=3)


def test_an_emptied_order_opens_again_and_will_be_emptied_again(shop: "Shop") -> None:
    alias = shop.mask("john@doe.example")
    shop.expire()
    order = shop.order()["id"]
    shop.rows(
        "UPDATE tracker.participants SET address = NULL WHERE order_id = %s RETURNING 1", order
    )
    shop.rows("UPDATE tracker.orders SET emptied_at = now() WHERE id = %s RETURNING 1", order)
    open_order(shop)
    assert shop.order()["emptied_at"] is None
    assert status(by_hard(shop, alias)) == "expired"
    assert shop.mask("john@doe.example") != alias


@pytest.mark.parametrize(
    ("grace", "wake_for", "expected"), [("1 h", "1 day", 24), ("2 days", "1 day", 48)]
)
def test_a_closed_order_is_prolonged_to_wake_for_and_never_shortened(
    shop: "Shop", grace: str, wake_for: str, expected: int
) -> None:
    shop.set(close_grace=grace, wake_for=wake_for)
    shop.mask("john@doe.example")
    shop.one("SELECT tracker.close_order(%s, '1')", shop.name)
    open_order(shop)
    assert left(shop) == timedelta(hours=expected)
    assert shop.order()["closed_at"] is not None


def test_an_open_order_is_not_prolonged(shop: "Shop") -> None:
    shop.set(alias_lifetime="1 hour", wake_for="1 day")
    open_order(shop)
    open_order(shop)
    assert left(shop) == timedelta(hours=1)


def test_with_no_wake_for_an_expired_order_stays_expired(shop: "Shop") -> None:
    shop.set(wake_for="0")
    alias = shop.mask("john@doe.example")
    shop.expire()
    open_order(shop)
    assert status(by_hard(shop, alias)) == "expired"
