"""mask, unmask, close_order and erase: what integrators and support call."""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.database.conftest import Shop

HARD = re.compile(r"[0-9a-f]{32}@")
NO_DATA = "P0002"
INVALID = "22023"
EXPIRED = "55000"
TOO_MANY = "54000"
LABEL = "l" * 63


@contextmanager
def refused(sqlstate: str, *secrets: str) -> Iterator[None]:
    """Expect a refusal with this SQLSTATE that names none of these, in any of its fields."""
    with pytest.raises(psycopg.Error) as caught:
        yield
    assert caught.value.sqlstate == sqlstate
    diag = caught.value.diag
    fields = (diag.message_primary, diag.message_detail, diag.message_hint, diag.context)
    assert not any(secret in field for secret in secrets for field in fields if field)


# Mask ---------------------------------------------------------------------------------------------


def test_the_first_mask_makes_order_participant_and_alias(shop: "Shop") -> None:
    alias = shop.mask("John@Doe.example", "A 1")
    assert HARD.sub("", alias) == shop.alias_domain
    assert shop.people("A 1") == [("buyer", "John@doe.example")]
    order = shop.order("A 1")
    assert order["expires_at"] > order["placed_at"] + timedelta(days=58)
    assert order["closed_at"] is order["emptied_at"] is None


@pytest.mark.parametrize("form", ["hard", "soft"])
@pytest.mark.parametrize(
    "spellings",
    [
        ["j.doe@doe.example", "J.DOE@DOE.Example", '"j.doe"@doe.example', "j.doe@doe.example."],
        ["j@ü.test", "j@xn--tda.test", "j@XN--TDA.TEST", "j@Ü.test", "j@u\u0308.test"],
        ['"a b"@doe.example', '"A\\ b"@doe.example', ' "a b"@doe.example '],
        ["j\u00f6rg@doe.example", "J\u00d6RG@doe.example", "jo\u0308rg@doe.example"],
        ["john@[IPv6:2001:DB8::1]", "john@[ipv6:2001:db8::1]"],
    ],
)  # fmt: skip
def test_every_spelling_of_an_address_has_one_alias_forever(
    shop: "Shop", form: str, spellings: list[str]
) -> None:
    shop.set(mask=form)
    for number, order in enumerate((spellings, spellings[::-1])):
        assert len({shop.mask(each, str(number)) for each in order}) == 1


@pytest.mark.parametrize(
    ("first", "same", "other"),
    [
        ("j.d.o.e@gmail.com", "JDoe@googlemail.com", "jdoe+x@gmail.com"),
        ("j.doe+x@gmail.com", "jdoe+X@googlemail.com", "jdoe+y@gmail.com"),
        ("j.doe@doe.example", "J.Doe@DOE.example", "jdoe@doe.example"),
        ("john+x@doe.example", "JOHN+X@doe.example", "john@doe.example"),
        ('"j.d"@gmail.com', "jd@gmail.com", "j.d.@gmail.com.example"),
    ],
)
def test_gmails_spellings_are_one_and_a_tag_makes_another(
    shop: "Shop", first: str, same: str, other: str
) -> None:
    alias = shop.mask(first)
    assert shop.mask(same) == alias
    assert shop.mask(other) != alias
    assert len(shop.people()) == 2


@pytest.mark.parametrize("address", ["john@doe", "x@y", "john@xn--tda"])
def test_a_single_label_is_no_mail_address(shop: "Shop", address: str) -> None:
    with refused(INVALID, address):
        shop.mask(address)
    with pytest.raises(psycopg.Error, match="not a valid mail address") as caught:
        shop.mask(address)
    assert caught.value.diag.message_hint == "Give one bare address, such as name@example.com."


def test_mask_introduces_a_guest_under_the_role_that_it_gives(shop: "Shop") -> None:
    shop.set(mask="soft", participant_limit=2)
    shop.mask("john@doe.example", role="partner")
    for number in range(3):
        shop.rows(
            "INSERT INTO tracker.participants (order_id, token, role, address, introduced)"
            " VALUES (%s, gen_random_uuid(), 'partner', %s, false) RETURNING 1",
            shop.order()["id"],
            f"guest{number}@far.example",
        )
    assert shop.mask("Guest0@far.example").startswith("guest0@far.example-")
    query = "SELECT role, introduced, handed_out FROM tracker.participants WHERE address ~ %s"
    assert shop.rows(query, "^guest0@") == [("buyer", True, True)]
    assert shop.rows(query, "^guest1@") == [("partner", False, False)]
    with refused(TOO_MANY, "guest1@far.example"):
        shop.mask("guest1@far.example")
    assert shop.mask("guest0@far.example", role="partner").startswith("guest0@")
    assert shop.rows(query, "^guest0@") == [("buyer", True, True)]


def test_a_soft_alias_that_was_never_handed_out_unmasks_nobody(shop: "Shop") -> None:
    shop.mask("john@doe.example")
    with refused(NO_DATA):
        shop.unmask(f"john@doe.example-{shop.order()['ref']}b.{shop.alias_domain}")


def test_each_order_gives_another_alias(shop: "Shop") -> None:
    shop.set(mask="soft")
    soft = {shop.mask("john@doe.example", str(number)) for number in range(3)}
    shop.set(mask="hard")
    hard = {shop.mask("john@doe.example", str(number)) for number in range(3)}
    assert len(soft | hard) == 6


def test_an_alias_has_the_form_the_store_wants_today_and_both_resolve(shop: "Shop") -> None:
    hard = shop.mask("John@Doe.Example")
    shop.set(mask="soft")
    soft = shop.mask("John@Doe.Example")
    assert soft == f"john@doe.example-{shop.order()['ref']}b.{shop.alias_domain}"
    assert shop.unmask(hard) == shop.unmask(soft) == "John@doe.example"
    shop.set(mask="hard")
    assert shop.mask("John@Doe.Example") == hard
    assert shop.unmask(soft) == "John@doe.example"


@pytest.mark.parametrize("mask", ["hard", "soft"])
@pytest.mark.parametrize("issuer_mask", ["hard", "soft"])
def test_the_stores_own_addresses_follow_issuer_mask(
    shop: "Shop", mask: str, issuer_mask: str
) -> None:
    own = f"own-{shop.alias_domain}"
    shop.set(mask=mask, issuer_mask=issuer_mask, sender_domains=[own])
    forms = {"hard": HARD, "soft": re.compile(r"[a-z]+@[a-z0-9.-]+-[0-9]{12}b\.")}
    assert forms[issuer_mask].match(shop.mask(f"sales@{own}"))
    assert forms[issuer_mask].match(shop.mask("till@pos.example", role="store"))
    assert forms[mask].match(shop.mask("john@doe.example"))
    assert forms[mask].match(shop.mask("bank@pay.example", role="partner"))
    assert [role for role, _ in shop.people()] == ["store", "store", "buyer", "partner"]


def test_a_role_once_given_stays(shop: "Shop") -> None:
    alias = shop.mask("john@doe.example", role="buyer")
    assert shop.mask("john@doe.example", role="partner") == alias
    assert shop.people() == [("buyer", "john@doe.example")]


@pytest.mark.parametrize(
    "address",
    [
        f"john@doe.{'t' * 50}",
        f"john@{'.'.join([LABEL] * 3)}.{'d' * 30}.example",
        f"{'j' * 64}@{LABEL}.{LABEL}.{'d' * 30}.example",
        '"john doe"@doe.example',
        "jörg@doe.example",
        "john%doe@doe.example",
        "doe!john@doe.example",
        "john@doe.xn--p1ai",
        "john@[192.0.2.1]",
    ],
)
def test_an_address_that_cannot_be_carried_softly_is_masked_hard(
    shop: "Shop", address: str
) -> None:
    shop.set(mask="soft")
    alias = shop.mask(address)
    assert HARD.sub("", alias) == shop.alias_domain
    assert shop.unmask(alias) == address


@pytest.mark.parametrize("role", ["return", "Buyer", "", None])
def test_a_bad_role_is_refused(shop: "Shop", role: str | None) -> None:
    with refused(INVALID, "doe.example"):
        shop.one("SELECT tracker.mask(%s, '1', 'john@doe.example', %s)", shop.name, role)


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        " ",
        "jack",
        "jack@",
        "@roe.example",
        "jack@roe example",
        "jack roe@roe.example",
        "<jack@roe.example>",
        "John <jack@roe.example>",
        "jack@roe.example, jane@roe.example",
        "jack@roe.example\n",
        "jo\nhn@roe.example",
        "jack@roe@example",
        "jack@roe..example",
        f"jack@{LABEL}x.example",
        f"jack@{'.'.join([LABEL] * 4)}",
        f"{'j' * 65}@roe.example",
        '"jack@roe.example',
        '"jack"roe@roe.example',
        "jack@[roe",
        "jack@xn--ü.example",
        "j" * 100_000 + "@roe.example",
        "jack@" + "ü" * 100_000 + ".example",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(shop: "Shop", address: str | None) -> None:
    with refused(INVALID, "roe", "jack"):
        shop.mask(address)
    assert shop.rows("SELECT FROM tracker.orders WHERE store = %s", shop.name) == []


@pytest.mark.parametrize("below", ["", "x.", "doe.example-123456789012b."])
def test_an_address_in_an_alias_domain_is_not_masked_again(shop: "Shop", below: str) -> None:
    with refused(INVALID, "john"):
        shop.mask(f"john@{below.upper()}{shop.alias_domain}")


@pytest.mark.parametrize("store", ["no such shop", None])
def test_an_unknown_store_is_no_data(shop: "Shop", store: str | None) -> None:
    with refused(NO_DATA, "doe.example"):
        shop.one("SELECT tracker.mask(%s, '1', 'john@doe.example')", store)


def test_an_expired_order_gives_no_alias(shop: "Shop") -> None:
    shop.mask("john@doe.example")
    shop.expire()
    for address in ("john@doe.example", "jane@doe.example"):
        with refused(EXPIRED, "doe.example"):
            shop.mask(address)


def test_an_order_has_no_more_participants_than_the_store_allows(shop: "Shop") -> None:
    shop.set(participant_limit=2)
    known = shop.mask("john@doe.example"), shop.mask("jane@doe.example")
    with refused(TOO_MANY, "jim@doe.example"):
        shop.mask("jim@doe.example")
    assert (shop.mask("john@doe.example"), shop.mask("jane@doe.example")) == known
    assert shop.mask("jim@doe.example", "2")


def test_masking_at_once_gives_one_order_and_one_alias_each(shop: "Shop") -> None:
    """Twenty sessions ask for the same address and for two hundred others of a new order."""
    query = "SELECT tracker.mask(%s, 'new', %s)"

    def work(worker: int) -> list[str]:
        addresses = [
            "john@doe.example",
            *(f"p{(worker * 5 + n) % 50}@doe.example" for n in range(10)),
        ]
        with psycopg.connect(shop.uri, autocommit=True) as connection:
            found = [connection.execute(query, (shop.name, a)).fetchone() for a in addresses]
        return [f"{address} {row}" for address, row in zip(addresses, found, strict=True)]

    with ThreadPoolExecutor(20) as pool:
        answers = {line for lines in pool.map(work, range(20)) for line in lines}
    assert len(answers) == len(shop.people("new")) == 51
    assert shop.one("SELECT count(*) FROM tracker.orders WHERE store = %s", shop.name) == 1


def test_refs_are_twelve_random_digits(shop: "Shop") -> None:
    refs = [
        ref for (ref,) in shop.rows("SELECT tracker.random_ref() FROM generate_series(1, 2000)")
    ]
    assert len(set(refs)) == 2000
    assert all(re.fullmatch("[0-9]{12}", ref) for ref in refs)
    for place in range(12):
        digits = Counter(ref[place] for ref in refs)
        assert min(digits[digit] for digit in "0123456789") > 100


# Unmask -------------------------------------------------------------------------------------------


def audit(shop: "Shop") -> list[tuple[str, ...]]:
    query = "SELECT db_user, actor, alias, reason FROM tracker.unmaskings WHERE alias LIKE %s"
    return shop.rows(query, f"%{shop.alias_domain}")


@pytest.mark.parametrize("spelled", [str, str.upper, str.title, " {} ".format])
def test_both_forms_resolve_in_any_spelling_and_are_audited(shop: "Shop", spelled: type) -> None:
    hard = shop.mask("John@bücher.example")
    shop.set(mask="soft")
    for alias in (hard, shop.mask("John@bücher.example")):
        assert shop.unmask(spelled(alias), "court order 7") == "John@xn--bcher-kva.example"
    assert audit(shop) == [("postgres", "postgres", hard, "court order 7")] * 2


def test_a_soft_alias_of_an_international_domain_resolves_as_people_see_it(shop: "Shop") -> None:
    shop.set(mask="soft")
    alias = shop.mask("john@bücher.example")
    assert shop.unmask(alias.replace("xn--bcher-kva", "BÜCHER")) == "john@xn--bcher-kva.example"


def test_the_audit_names_the_person_behind_a_shared_login(shop: "Shop") -> None:
    alias = shop.mask("john@doe.example")
    with shop.connection.transaction():
        shop.one("SELECT set_config('tracker.actor', 'eve', true)")
        shop.unmask(alias)
    shop.unmask(alias)
    assert [row[:2] for row in audit(shop)] == [("postgres", "eve"), ("postgres", "postgres")]


@pytest.mark.parametrize(
    "reason",
    [
        None,
        "",
        "  ",
        "\n\t",
        "it is john@doe.example",
        "re: JOHN@Doe.Example!",
        "john@doe.example-1b",
    ],
)
def test_a_reason_is_needed_and_must_not_hold_the_address(shop: "Shop", reason: str | None) -> None:
    alias = shop.mask("john@doe.example")
    with refused(INVALID, "john", "doe.example"):
        shop.unmask(alias, reason)
    assert audit(shop) == []


def test_what_is_huge_is_refused_and_takes_no_memory(shop: "Shop") -> None:
    """As any other value: PostgreSQL's own functions would give up with an internal error."""
    alias = shop.mask("john@doe.example")
    text = "repeat('x', 140000000)"
    for call, state in (
        (f"mask('{shop.name}', '1', {text})", INVALID),
        (f"find_orders('{shop.name}', {text})", INVALID),
        (f"unmask({text}, 'why')", NO_DATA),
        (f"unmask('{alias}', {text})", INVALID),
    ):
        with refused(state):
            shop.rows(f"SELECT tracker.{call}")
    for text in ("'x'", "' '", "chr(228)"):
        assert shop.rows(f"SELECT tracker.search('{shop.name}', repeat({text}, 140000000))") == []


def test_what_is_no_alias_is_no_data(shop: "Shop") -> None:
    hard = shop.mask("john@doe.example")
    shop.set(mask="soft")
    soft = shop.mask("john@doe.example")
    bounce = f"bounce-{hard}"
    strangers = [
        None, "", "nonsense", "@", "john@doe.example", "0" * 32 + f"@{shop.alias_domain}", bounce,
        hard.replace("@", "@x."), hard.replace(shop.alias_domain, "ct.example.org"),
        soft.replace("john", "jane"), soft.replace("b.ct", "c.ct"), f"x{soft}",
        soft.replace(shop.alias_domain, "ct.example.org"),
        soft.replace(shop.order()["ref"], "000000000000"),
    ]  # fmt: skip
    for alias in strangers:
        with refused(NO_DATA, "john"):
            shop.unmask(alias)
    assert audit(shop) == []


def test_an_alias_is_never_resolved_across_alias_domains(shop: "Shop") -> None:
    """The same local part or reference at another store's alias domain is nobody's alias."""
    other = f"other-{shop.alias_domain}"
    shop.one(
        "INSERT INTO tracker.stores (name, alias_domain) VALUES (%s, %s) RETURNING 1", other, other
    )
    hard = shop.mask("john@doe.example")
    shop.set(mask="soft")
    for alias in (hard, shop.mask("john@doe.example")):
        assert shop.unmask(alias) == "john@doe.example"
        with refused(NO_DATA):
            shop.unmask(alias.replace(shop.alias_domain, other))


@pytest.mark.parametrize("emptied", [False, True])
@pytest.mark.parametrize("form", ["hard", "soft"])
def test_an_expired_alias_is_not_unmasked(shop: "Shop", form: str, emptied: bool) -> None:
    shop.set(mask=form)
    alias = shop.mask("john@doe.example")
    shop.expire()
    if emptied:
        shop.rows("UPDATE tracker.participants SET address = NULL WHERE order_id = %s RETURNING 1",
                  shop.order()["id"])  # fmt: skip
    with refused(NO_DATA, "doe.example"):
        shop.unmask(alias)
    assert audit(shop) == []


# Close --------------------------------------------------------------------------------------------


def close(shop: "Shop", number: str = "1") -> object:
    return shop.one("SELECT tracker.close_order(%s, %s)", shop.name, number)


def test_closing_does_not_shorten_without_close_grace(shop: "Shop") -> None:
    shop.mask("john@doe.example")
    before = shop.order()["expires_at"]
    assert close(shop) == before
    assert shop.order()["closed_at"] is not None


def test_closing_shortens_to_close_grace_and_never_prolongs(shop: "Shop") -> None:
    shop.mask("john@doe.example")
    shop.mask("john@doe.example", "2")
    shop.set(close_grace="7 days")
    assert close(shop) == shop.order()["closed_at"] + timedelta(days=7)
    shop.expire("2")
    ended = shop.order("2")["expires_at"]
    assert close(shop, "2") == ended


def test_closing_twice_changes_nothing(shop: "Shop") -> None:
    shop.mask("john@doe.example")
    shop.set(close_grace="7 days")
    close(shop)
    once = shop.order()
    shop.set(close_grace="1 day")
    close(shop)
    assert shop.order() == once


def test_a_grace_of_nothing_ends_an_order_at_once(shop: "Shop") -> None:
    alias = shop.mask("john@doe.example")
    shop.set(close_grace="0")
    close(shop)
    with refused(NO_DATA):
        shop.unmask(alias)


def test_an_order_that_is_not_there_is_no_data(shop: "Shop") -> None:
    with refused(NO_DATA):
        close(shop, "none")
    shop.mask("john@doe.example")
    with refused(NO_DATA):
        shop.one("SELECT tracker.close_order('no such shop', '1')")


def test_a_new_alias_lifetime_is_for_new_orders_only(shop: "Shop") -> None:
    shop.mask("john@doe.example")
    before = shop.order()["expires_at"]
    shop.set(alias_lifetime="1 day")
    shop.mask("john@doe.example")
    shop.mask("john@doe.example", "2")
    assert shop.order()["expires_at"] == before
    assert shop.order("2")["expires_at"] == shop.order("2")["placed_at"] + timedelta(days=1)


# Erase --------------------------------------------------------------------------------------------


def test_erasing_takes_an_address_out_of_every_order_in_any_spelling(shop: "Shop") -> None:
    address = f"john@{shop.name}.example"
    aliases = [shop.mask(address, str(number)) for number in range(3)]
    shop.mask("jane@doe.example", "0")
    assert shop.one("SELECT tracker.erase(%s)", f' "JOHN"@{shop.name}.EXAMPLE.') == 3
    assert shop.people("0") == [("buyer", None), ("buyer", "jane@doe.example")]
    for alias in aliases:
        with refused(NO_DATA):
            shop.unmask(alias)
    assert shop.one("SELECT tracker.erase(%s)", address) == 0


def test_an_erased_person_who_comes_back_gets_a_new_alias(shop: "Shop") -> None:
    address = f"john@{shop.name}.example"
    alias = shop.mask(address)
    shop.one("SELECT tracker.erase(%s)", address)
    assert shop.mask(address) != alias


def test_erasing_nonsense_is_refused(shop: "Shop") -> None:
    with refused(INVALID, "nonsense"):
        shop.one("SELECT tracker.erase('nonsense')")


def test_what_recording_calls_keeps_its_plans(shop: "Shop") -> None:
    """A function in SQL is planned anew for each message."""
    found = shop.rows("""
        WITH RECURSIVE called AS (
            SELECT 'tracker.record'::regproc::oid AS oid
            UNION
            SELECT p.oid FROM called JOIN pg_proc AS c ON c.oid = called.oid
              JOIN pg_proc AS p ON p.pronamespace = 'tracker'::regnamespace
               AND c.prosrc ~ ('\\mtracker\\.' || p.proname || '\\(')
        )
        SELECT p.proname, l.lanname FROM called JOIN pg_proc AS p USING (oid)
          JOIN pg_language AS l ON l.oid = p.prolang
    """)
    assert len(found) > 5
    assert [name for name, language in found if language == "sql"] == []
