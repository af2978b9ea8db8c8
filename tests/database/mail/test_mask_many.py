"""tracker.mask for many: the same as one by one, all or nothing, and no two wait for each other."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.pq import DiagnosticField

if TYPE_CHECKING:
    from tests.database.conftest import Shop

INVALID = "22023"
TOO_MANY = "54000"
EXPIRED = "55000"
NO_DATA = "P0002"
SECRET = "secret.person"
MANY = "SELECT * FROM tracker.mask(%s, %s::jsonb)"


def one(
    number: object = "1", address: object = "john@doe.example", **more: object
) -> dict[str, object]:
    """Return an object that names one address."""
    return {"order_number": number, "address": address, **more}


def mask(shop: "Shop", wanted: object) -> list[tuple[Any, ...]]:
    """Mask many."""
    return shop.rows(MANY, shop.name, json.dumps(wanted))


def refuse(shop: "Shop", wanted: object) -> psycopg.Error:
    """Expect that nothing is masked, and that no field of the error holds the address."""
    before = everything(shop)
    with pytest.raises(psycopg.Error) as caught:
        mask(shop, wanted)
    diag = caught.value.diag
    fields = (diag.message_primary, diag.message_detail, diag.message_hint, diag.context)
    assert not any(SECRET in field for field in fields if field)
    assert everything(shop) == before
    return caught.value


def everything(shop: "Shop") -> list[tuple[Any, ...]]:
    """Return the store's orders and who takes part."""
    return shop.rows(
        "SELECT o.number, o.expires_at, p.role, p.address, p.introduced, p.handed_out"
        "  FROM tracker.orders AS o LEFT JOIN tracker.participants AS p ON p.order_id = o.id"
        " WHERE o.store = %s ORDER BY o.id, p.id",
        shop.name,
    )


def test_each_object_gives_a_row_in_the_order_they_stand_in(shop: "Shop") -> None:
    found = mask(
        shop,
        [
            one("2", "jane@doe.example"),
            one("1", "desk@carrier.example", role="partner"),
            one("2", "till@pos.example", role="store"),
            one("1", "john@doe.example"),
        ],
    )
    assert [(number, role) for number, role, _alias in found] == [
        ("2", "buyer"),
        ("1", "partner"),
        ("2", "store"),
        ("1", "buyer"),
    ]
    assert shop.people("1") == [("partner", "desk@carrier.example"), ("buyer", "john@doe.example")]
    assert [alias for *_, alias in found] == [
        shop.mask("jane@doe.example", "2"),
        shop.mask("desk@carrier.example", "1"),
        shop.mask("till@pos.example", "2"),
        shop.mask("john@doe.example", "1"),
    ]
    assert mask(shop, []) == []


@pytest.mark.parametrize("form", ["hard", "soft"])
def test_it_does_what_one_by_one_does(shop: "Shop", form: str) -> None:
    """The same people, roles and forms; in orders that are there already, and in new ones."""
    shop.set(mask=form, sender_domains=[f"own-{shop.alias_domain}"])
    people = [
        ("J.Doe@gmail.com", "partner"),
        ("jdoe@googlemail.com", "buyer"),
        ("jdoe+x@gmail.com", "buyer"),
        ("john@Ü.test", "buyer"),
        ("JOHN@xn--tda.test", "partner"),
        ('"a b"@doe.example', "buyer"),
        (f"sales@own-{shop.alias_domain}", "buyer"),
        ("guest@far.example", "partner"),
        ("back@far.example", "buyer"),
    ]
    for number in ("one", "many"):
        shop.mask("first@doe.example", number)
        order = shop.order(number)["id"]
        query = (
            "INSERT INTO tracker.participants (order_id, token, role, address, introduced)"
            " VALUES (%s, gen_random_uuid(), %s, %s, false) RETURNING id"
        )
        shop.one(query, order, "partner", "guest@far.example")
        apart = shop.one(query, order, "return", None)
        shop.one(
            "INSERT INTO tracker.return_addresses VALUES (%s, %s, 'back@far.example') RETURNING 1",
            apart,
            order,
        )
    for number in ("one", "one new"):
        for address, role in people:
            shop.mask(address, number, role)
    wanted = [
        one(number, address, role=role)
        for address, role in people
        for number in ("many", "many new")
    ]
    found = mask(shop, wanted)
    query = (
        "SELECT role, address, introduced, handed_out, owner_id FROM tracker.participants"
        " WHERE order_id = %s ORDER BY id"
    )
    for single, many in (("one", "many"), ("one new", "many new")):
        there = shop.rows(query, shop.order(many)["id"])
        assert there == shop.rows(query, shop.order(single)["id"])
        assert len(there) >= 7
    assert shop.rows(
        "SELECT count(*) FROM tracker.return_addresses WHERE order_id = %s",
        shop.order("many")["id"],
    ) == [(0,)]
    for (number, role, alias), each in zip(found, wanted, strict=True):
        assert alias == shop.mask(str(each["address"]), number)
        assert shop.unmask(alias)
        assert role == shop.one("SELECT role FROM tracker.participant_of(%s)", alias)


def test_the_same_again_gives_the_same_and_who_takes_part_keeps_their_role(shop: "Shop") -> None:
    wanted = [one(role="partner"), one(role="buyer"), one("2"), one(role="store")]
    found = mask(shop, wanted)
    assert {(number, role) for number, role, _ in found} == {("1", "partner"), ("2", "buyer")}
    assert len({alias for *_, alias in found}) == 2
    assert mask(shop, wanted) == found
    assert shop.people() == [("partner", "john@doe.example")]


WRONG = {
    "a number": (5, "it is no object"),
    "null": (None, "it is no object"),
    "an array": ([one()], "it is no object"),
    "no order": ({"address": f"{SECRET}@doe.example"}, "order_number must be a string"),
    "a number as order": (one(7, SECRET), "order_number must be a string"),
    "null as order": (one(None, SECRET), "order_number must be a string"),
    "no address": ({"order_number": "1"}, "address must be a string"),
    "a list of addresses": (one("1", [SECRET]), "address must be a string"),
    "another key": (one("1", SECRET, adress="x"), "it has keys other than order_number, address"),
    "an address as key": (one() | {SECRET: 1}, "it has keys other than order_number, address"),
    "null as role": (one("1", SECRET, role=None), "role must be buyer, store or partner"),
    "another role": (one(role=SECRET), "role must be buyer, store or partner"),
    "the role return": (one(role="return"), "role must be buyer, store or partner"),
    "an empty order": (one(""), "order_number must be 1 to 200 printable characters"),
    "a blank order": (one(" 1"), "order_number must be 1 to 200 printable characters"),
    "a long order": (one("1" * 201), "order_number must be 1 to 200 printable characters"),
    "a line break": (one("1\n2"), "order_number must be 1 to 200 printable characters"),
    "no mail address": (one("1", f"{SECRET} at doe.example"), "not a valid mail address"),
    "two": (one("1", f"{SECRET}@a.example, b@b.example"), "not a valid mail address"),
    "a single label": (one("1", f"{SECRET}@doe"), "not a valid mail address: its domain is a"),
    "a huge one": (one("1", f"{SECRET}{'x' * 20_000_000}@doe.example"), "not a valid mail address"),
    "a huge order": (one("1" * 20_000_000), "order_number must be 1 to 200 printable"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_one_is_told_by_its_place_and_nothing_is_done(
    shop: "Shop", what: str
) -> None:
    wrong, words = WRONG[what]
    error = refuse(shop, [one("1"), one("2"), wrong, one("3")])
    assert error.sqlstate == INVALID
    assert str(error.diag.message_primary).startswith(f"object 3: {words}")


def test_an_alias_is_not_masked_again(shop: "Shop") -> None:
    error = refuse(shop, [one(), one("1", f"{SECRET}@{shop.alias_domain}")])
    assert error.sqlstate == INVALID
    assert "object 2: an address in an alias domain" in str(error)


def test_an_expired_order_and_a_full_one_are_told_by_place(shop: "Shop") -> None:
    shop.set(participant_limit=2)
    shop.mask("john@doe.example", "old")
    shop.expire("old")
    error = refuse(shop, [one("1"), one("old", f"{SECRET}@doe.example")])
    assert error.sqlstate == EXPIRED
    assert error.diag.message_primary == f"object 2: order old of store {shop.name} has expired"
    full = [one("1"), one("2"), one("1", "b@doe.example"), one("1", f"{SECRET}@doe.example")]
    error = refuse(shop, full)
    assert error.sqlstate == TOO_MANY
    assert str(error).startswith(f"object 4: order 1 of store {shop.name} has reached")
    assert len(mask(shop, full[:3])) == 3


@pytest.mark.parametrize("wanted", ["{}", "null", "5", '"x"', None, '{"order_number": "1"}'])
def test_what_is_no_array_is_refused(shop: "Shop", wanted: str | None) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="wanted must be an array"):
        shop.rows(MANY, shop.name, wanted)


def test_more_than_a_hundred_thousand_are_refused_before_anything_is_done(shop: "Shop") -> None:
    error = refuse(shop, [one(str(number)) for number in range(100_001)])
    assert error.sqlstate == TOO_MANY
    assert error.diag.message_primary == "wanted has more than 100000 objects"


@pytest.mark.parametrize(
    ("wanted", "sqlstate"),
    [(b'["\xff"]', "22021"), (rb'["\u0000"]', "22P05"), (b"[", "22P02"), (b"[" * 100_000, "54001")],
)
def test_what_is_no_json_never_comes_so_far(shop: "Shop", wanted: bytes, sqlstate: str) -> None:
    result = shop.connection.pgconn.exec_params(
        b"SELECT tracker.mask($1, $2::jsonb)", [shop.name.encode(), wanted]
    )
    assert result.error_field(DiagnosticField.SQLSTATE) == sqlstate.encode()


def test_an_unknown_store_and_none(shop: "Shop") -> None:
    for store in ("nowhere", None, "x" * 1_000_000):
        with pytest.raises(psycopg.Error, match=r"no such store: \w{,100}\n") as caught:
            shop.rows(MANY, store, json.dumps([one()]))
        assert caught.value.sqlstate == NO_DATA


# At once ----------------------------------------------------------------------------------------


@contextmanager
def masking(shop: "Shop", wanted: object) -> Iterator["Future[list[tuple[Any, ...]]]"]:
    """Mask many in another session, which waits for a lock within the block."""

    def run() -> list[tuple[Any, ...]]:
        with psycopg.connect(shop.uri, application_name="batch") as connection:
            connection.execute("SET lock_timeout = '30s'")  # should the block fail
            return connection.execute(MANY, (shop.name, json.dumps(wanted))).fetchall()

    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'batch'"
        " AND datname = current_database() AND wait_event_type = 'Lock'"
    )
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(run)
        while shop.one(query) == 0:
            assert not found.done()
            time.sleep(0.01)
        yield found


def take(shop: "Shop", number: str) -> None:
    """Mask in an order in a session of its own, which must not have to wait, and undo it."""
    with psycopg.connect(shop.uri) as connection:
        connection.execute("SET lock_timeout = '5s'")
        connection.execute("SELECT tracker.mask(%s, %s, 'x@doe.example')", (shop.name, number))
        connection.rollback()


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("numbers", [["a", "b"], ["b", "a"]])
def test_orders_are_taken_in_one_sequence(
    shop: "Shop", there: bool, numbers: Sequence[str]
) -> None:
    """Whoever waits for the first holds none of the others."""
    if there:
        mask(shop, [one("a"), one("b")])
    with psycopg.connect(shop.uri) as first:
        first.execute("SELECT tracker.mask(%s, 'a', 'z@doe.example')", (shop.name,))
        with masking(shop, [one(number) for number in numbers]) as found:
            take(shop, "b")
            first.rollback()
            assert [number for number, *_ in found.result()] == numbers


def test_two_that_mask_the_same_orders_in_other_sequences_both_end(shop: "Shop") -> None:
    """Some of the orders are there, and some are new to both."""
    mask(shop, [one(f"{number:03}") for number in range(0, 300, 3)])
    numbers = [f"{number:03}" for number in range(300)]

    def run(numbers: Sequence[str]) -> list[tuple[Any, ...]]:
        wanted = json.dumps([one(number, f"{number}@doe.example") for number in numbers])
        with psycopg.connect(shop.uri) as connection:
            return connection.execute(MANY, (shop.name, wanted)).fetchall()

    sequences = [numbers, numbers[::-1], numbers[150:] + numbers[:150], numbers[::-2] + numbers]
    with ThreadPoolExecutor(4) as pool:
        found = [set(rows) for rows in pool.map(run, sequences)]
    assert found == [found[0]] * 4
    assert len(found[0]) == 300


def test_many_at_once_take_less_than_one_by_one(shop: "Shop") -> None:
    """A fifth of the time; half of it may be noise."""
    wanted = [one(f"m{number}", f"{number}@doe.example") for number in range(1000)]
    begun = time.perf_counter()
    for number in range(1000):
        shop.mask(f"{number}@doe.example", f"s{number}")
    between = time.perf_counter()
    mask(shop, wanted)
    assert time.perf_counter() - between < 0.7 * (between - begun)
