"""The tables refuse what must not be, by constraints whose names say why."""

import datetime
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from stores import add, change, refused

if TYPE_CHECKING:
    from tests.database.conftest import Shop

DEFAULTS = {
    "mask": "hard",
    "issuer_mask": "soft",
    "sender_domains": [],
    "order_header": "X-Order-Id",
    "alias_lifetime": "2 mons",
    "close_grace": None,
    "wake_for": "1 day",
    "message_retention": "2 years",
    "mask_body": True,
    "attachments_with_address": "flag",
    "unknown_senders": "accept",
    "spoofed_senders": "flag",
    "hourly_limit": 100,
    "participant_limit": 100,
    "guest_limit": 20,
    "active": True,
    "submitters": [],
    "unnamed_mail": "pass",
}

LABEL = "l" * 63
A_LONG_DOMAIN = ".".join([LABEL] * 3) + ".example.net"

GOOD = [
    ("name", "Schöne Dinge GmbH & Co. (Köln)"),
    ("alias_domain", "ct.example.org"),
    ("alias_domain", "xn--bcher-kva.example"),
    ("alias_domain", "_t.example.net"),
    ("mask", "soft"),
    ("issuer_mask", "hard"),
    ("sender_domains", ["a.example", "b.example", "a.example"]),
    ("order_header", "X-Commande"),
    ("alias_lifetime", "1 second"),
    ("close_grace", "0"),
    ("close_grace", None),
    ("wake_for", "0"),
    ("message_retention", "100 years"),
    ("mask_body", False),
    ("attachments_with_address", "remove"),
    ("attachments_with_address", "refuse"),
    ("unknown_senders", "reject"),
    ("spoofed_senders", "reject"),
    ("hourly_limit", 1),
    ("participant_limit", 2),
    ("guest_limit", 0),
    ("active", False),
    ("submitters", ["shop", "Shop@mail.example.com", "b\u00fccher"]),
    ("submitters", []),
    ("unnamed_mail", "reject"),
]

SUBMITTERS = "stores_submitters_are_a_list_of_names"
NAME = "stores_name_is_1_to_100_printable_characters"
ALIAS = "stores_alias_domain_is_a_lower_case_domain_name"
SENDERS = "stores_sender_domains_are_lower_case_domain_names"
HEADER = "stores_order_header_is_a_header_name_of_its_own"

BAD = [
    *(("name", value, NAME) for value in ("", " shop", "shop ", "a\nb", "a\x7f", "x" * 101)),
    ("name", "*", "stores_name_is_not_the_sign_for_every_store"),
    *(
        ("alias_domain", value, ALIAS)
        for value in (
            "",
            "example",
            "CT.example.com",
            "ct.example.com.",
            ".ct.example.com",
            "ct..example.com",
            "-ct.example.com",
            "ct-.example.com",
            "bücher.example",
            "ct.example.com\n",
            "@ct.example.com",
            "[192.0.2.1]",
            f"l{LABEL}.example.com",
            f"{A_LONG_DOMAIN}.{LABEL}",
        )
    ),
    ("alias_domain", A_LONG_DOMAIN, "stores_alias_domain_leaves_room_for_an_alias"),
    ("mask", "Soft", "stores_mask_is_hard_or_soft"),
    ("mask", "", "stores_mask_is_hard_or_soft"),
    ("issuer_mask", "none", "stores_issuer_mask_is_hard_or_soft"),
    *(
        ("sender_domains", value, SENDERS)
        for value in ([""], ["Example.com"], ["a.example", "x@b.example"], [None], ["localhost"])
    ),
    *(
        ("order_header", value, HEADER)
        for value in (
            "",
            "X Order",
            "X-Order:",
            "X-Örder",
            "x" * 71,
            "Subject",
            "FROM",
            "message-id",
            "Content-Type",
            "X-Conversation-Hops",
            "Resent-To",
        )
    ),
    ("alias_lifetime", "0", "stores_alias_lifetime_is_positive"),
    ("alias_lifetime", "-1 day", "stores_alias_lifetime_is_positive"),
    ("alias_lifetime", "101 years", "stores_alias_lifetime_is_at_most_100_years"),
    ("close_grace", "-1 second", "stores_close_grace_is_not_negative"),
    ("close_grace", "300000 years", "stores_close_grace_is_at_most_100_years"),
    ("wake_for", "-1 second", "stores_wake_for_is_not_negative"),
    ("wake_for", "300000 years", "stores_wake_for_is_at_most_100_years"),
    ("message_retention", "0", "stores_message_retention_is_positive"),
    ("message_retention", "300000 years", "stores_message_retention_is_at_most_100_years"),
    (
        "attachments_with_address",
        "drop",
        "stores_attachments_with_address_is_flag_remove_or_refuse",
    ),
    ("unknown_senders", "flag", "stores_unknown_senders_is_accept_or_reject"),
    ("spoofed_senders", "accept", "stores_spoofed_senders_is_flag_or_reject"),
    ("hourly_limit", 0, "stores_hourly_limit_is_positive"),
    ("hourly_limit", -1, "stores_hourly_limit_is_positive"),
    ("participant_limit", 1, "stores_participant_limit_is_at_least_2"),
    *(
        ("submitters", value, SUBMITTERS)
        for value in ([""], ["a", ""], ["a", None], [["a"], ["b"]])
    ),
    ("submitters", ["a\nb"], "stores_submitters_are_printable"),
    ("submitters", ["a", "\x7f"], "stores_submitters_are_printable"),
    ("unnamed_mail", "refuse", "stores_unnamed_mail_is_pass_or_reject"),
    ("guest_limit", -1, "stores_guest_limit_is_0_to_1000"),
    ("guest_limit", 1001, "stores_guest_limit_is_0_to_1000"),
]


def test_a_store_needs_a_name_and_an_alias_domain_and_has_defaults_for_the_rest(
    shop: "Shop",
) -> None:
    row = shop.row("SELECT * FROM tracker.stores WHERE name = %s", shop.name)
    expected = DEFAULTS | {"name": shop.name, "alias_domain": shop.alias_domain}
    assert set(row) == set(expected)
    for column, value in expected.items():
        if isinstance(row[column], datetime.timedelta):
            query = f"SELECT {column}::text FROM tracker.stores WHERE name = %s"
            row[column] = shop.one(query, shop.name)
        assert row[column] == value, column


@pytest.mark.parametrize(("column", "value"), GOOD)
def test_a_good_value_is_taken(shop: "Shop", column: str, value: object) -> None:
    change(shop, column, value)
    kept = shop.row(
        "SELECT * FROM tracker.stores WHERE alias_domain IN (%s, %s)", shop.alias_domain, str(value)
    )[column]
    assert kept == value or isinstance(kept, datetime.timedelta)
    change(shop, "sender_domains", [])


@pytest.mark.parametrize(("column", "value", "constraint"), BAD)
def test_a_bad_value_is_refused_by_a_constraint_that_names_its_column(
    shop: "Shop", column: str, value: object, constraint: str
) -> None:
    assert constraint.startswith(f"stores_{column}_")
    with refused(constraint):
        change(shop, column, value)


def test_every_constraint_of_stores_is_tried(shop: "Shop") -> None:
    """With a value that breaks it."""
    query = (
        "SELECT conname FROM pg_constraint"
        " WHERE conrelid = 'tracker.stores'::regclass AND contype = 'c'"
    )
    assert {name for (name,) in shop.rows(query)} == {constraint for *_, constraint in BAD}


@pytest.mark.parametrize("column", [*DEFAULTS, "name", "alias_domain"])
def test_only_close_grace_may_be_null(shop: "Shop", column: str) -> None:
    if column == "close_grace":
        change(shop, column, None)
    else:
        with pytest.raises(psycopg.errors.NotNullViolation) as caught:
            change(shop, column, None)
        assert caught.value.diag.column_name == column


@pytest.mark.parametrize("number", ["", " 1", "1 ", "1\n2", "\x7f", "9" * 201])
def test_an_orders_number_is_1_to_200_printable_characters(shop: "Shop", number: str) -> None:
    """The table says so, and what integrators call says it before, by an SQLSTATE of its own."""
    with refused("orders_number_is_1_to_200_printable_characters"):
        shop.rows("SELECT tracker.open_order(%s, %s, false)", shop.name, number)
    for call in ("mask(%s, %s, 'john@doe.example')", "close_order(%s, %s)"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="order_number must be"):
            shop.rows(f"SELECT tracker.{call}", shop.name, number)


# Renaming and deleting ----------------------------------------------------------------------------


def test_renaming_a_store_takes_everything_along(shop: "Shop") -> None:
    own = f"own-{shop.alias_domain}"
    change(shop, "sender_domains", [own])
    alias = shop.mask("john@doe.example")
    change(shop, "name", f"{shop.name} renamed")
    shop.name = f"{shop.name} renamed"
    assert shop.mask("john@doe.example") == alias
    assert shop.one("SELECT store FROM tracker.sender_domains WHERE name = %s", own) == shop.name
    change(shop, "sender_domains", [own, f"more-{own}"])


def test_a_store_with_orders_is_not_deleted(shop: "Shop") -> None:
    shop.mask("john@doe.example")
    delete = sql.SQL("DELETE FROM tracker.stores WHERE name = {}").format(shop.name)
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="still referenced from table"):
        shop.connection.execute(delete)


def test_a_store_without_orders_is_deleted_and_frees_its_sender_domains(shop: "Shop") -> None:
    own = f"own-{shop.alias_domain}"
    change(shop, "sender_domains", [own])
    shop.connection.execute("DELETE FROM tracker.stores WHERE name = %s", (shop.name,))
    add(shop.connection, shop.name, shop.alias_domain, own)
