"""What an alias or an order's number leads to, and when an order opens again."""

import json
import uuid
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
    shop.hand_out()
    [found] = by_hard(shop, alias)
    assert by_soft(shop, "john@doe.example") == [found]
    state, token, order, number, ref, domain, people = found
    row = shop.order()
    assert (state, token.hex) == ("live", alias.partition("@")[0])
    assert (order, number, ref, domain) == (row["id"], "1", row["ref"], shop.alias_domain)
    assert people.replace("-", "").split("\n") == [
        f"{alias.partition('@')[0]} handedout buyer John@doe.example",
        f"{other.partition('@')[0]} handedout partner sales@pay.example",
    ]


def test_a_soft_alias_leads_nowhere_until_it_is_handed_out(shop: "Shop") -> None:
    """Else whoever knows an order's reference could confirm a guessed address."""
    alias = shop.mask("john@doe.example")
    assert by_soft(shop, "john@doe.example") == by_soft(shop, "guess@doe.example") == []
    assert [found[0] for found in by_hard(shop, alias)] == ["live"]
    shop.set(mask="soft")
    assert by_soft(shop, "john@doe.example") == []
    soft = shop.mask("john@doe.example")
    assert soft.startswith("john@doe.example-")
    shop.set(mask="hard")
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
    shop.hand_out()
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


def apart(shop: "Shop", address: str) -> str:
    """Let an address lie apart, as a message's return path does, and give its hard alias."""
    token = uuid.uuid4().hex
    joined = [{"token": token, "role": "return", "address": address, "introduced": False}]
    joins = "SELECT tracker.join_order(%s, 100, 20, %s)"
    assert shop.one(joins, shop.order()["id"], json.dumps(joined)) is True
    return f"{token}@{shop.alias_domain}"


def test_a_return_address_answers_to_its_hard_alias_alone(shop: "Shop") -> None:
    shop.mask("john@doe.example")
    alias = apart(shop, "bounces@doe.example")
    [found] = by_hard(shop, alias)
    assert (found[0], f"{found[1].hex}@{shop.alias_domain}") == ("live", alias)
    assert found[-1].split("\n")[-1].endswith(" - return bounces@doe.example")
    assert by_soft(shop, "bounces@doe.example") == []
    assert shop.people() == [("buyer", "john@doe.example"), ("return", None)]
    assert shop.unmask(alias) == "bounces@doe.example"


def test_a_return_address_becomes_a_participant_with_the_alias_it_has(shop: "Shop") -> None:
    shop.mask("john@doe.example")
    alias = apart(shop, "bounces@doe.example")
    assert shop.mask("Bounces@doe.example", role="partner") == alias
    assert shop.people()[1:] == [("partner", "Bounces@doe.example")]
    assert status(by_hard(shop, alias)) == "live"
    query = "SELECT count(*) FROM tracker.return_addresses WHERE order_id = %s"
    assert shop.one(query, shop.order()["id"]) == 0


def test_an_erased_return_address_has_expired(shop: "Shop") -> None:
    shop.mask("john@doe.example")
    address = f"bounces@{shop.name}.example"
    alias = apart(shop, address)
    assert shop.one("SELECT tracker.erase(%s)", address) == 1
    assert status(by_hard(shop, alias)) == "expired"
    assert shop.one("SELECT tracker.erase(%s)", address) == 0


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
