"""A role sees, and acts for, the stores that its login was granted."""

import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from stores import add

from conversation_tracker.database.health import read_state
from conversation_tracker.database.migrate import migrate
from conversation_tracker.database.repository import Database
from private.tracker import Tracker

from ...pages.blocks import ROOT, blocks

if TYPE_CHECKING:
    from tests.database.conftest import Shop

    from private.postgres import Postgres

DENIED = psycopg.errors.InsufficientPrivilege
READERS = ("tracker_reader", "tracker_integrator")
FRESH = "SELECT count(*) FROM tracker.grants"


class Clerk:
    """A role that logs in, and its session."""

    def __init__(self, name: str, connection: psycopg.Connection) -> None:
        self.name = name
        self.connection = connection

    def one(self, query: str, *values: object) -> Any:
        """Run a query and return the first value of its only row."""
        [row] = self.connection.execute(query.encode(), values).fetchall()
        return row[0]

    def stores(self) -> list[str]:
        """Return the stores that it sees."""
        query = "SELECT name FROM tracker.stores ORDER BY name"
        return [row[0] for row in self.connection.execute(query)]


@pytest.fixture
def other(shop: "Shop") -> str:
    """Return another store, with an order of the number that the shop has."""
    name = f"other-{shop.name}"
    add(shop.connection, name, f"other.{shop.alias_domain}".replace("ct", "at"))
    shop.mask("john@doe.example")
    shop.one("SELECT tracker.mask(%s, '1', 'jane@doe.example')", name)
    return name


@pytest.fixture
def roles(shop: "Shop") -> Iterator[Callable[..., str]]:
    """Return a function that makes a role of a new name; all of them are dropped."""
    made: list[str] = []

    def make(*groups: str, options: str = "LOGIN", name: str = "") -> str:
        name = name or f"role_{uuid.uuid4().hex}"
        shop.connection.execute(f'CREATE ROLE "{name}" {options}'.encode())
        made.append(name)
        for group in groups:
            shop.connection.execute(f'GRANT "{group}" TO "{name}"'.encode())
        return name

    yield make
    for name in reversed(made):
        if shop.rows("SELECT FROM pg_roles WHERE rolname = %s", name):
            shop.connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            shop.connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture
def log_in(postgres: "Postgres", shop: "Shop") -> Iterator[Callable[[str], Clerk]]:
    """Return a function that opens a session of a role."""
    opened: list[psycopg.Connection] = []

    def open_session(role: str) -> Clerk:
        uri = postgres.uri(shop.connection.info.dbname, role)
        connection = psycopg.connect(uri, autocommit=True)
        opened.append(connection)
        return Clerk(role, connection)

    yield open_session
    for connection in opened:
        connection.close()


Roles = Callable[..., str]
LogIn = Callable[[str], Clerk]


def grant(shop: "Shop", role: str, store: str) -> Any:
    return shop.one("SELECT tracker.grant_store(%s, %s)", role, store)


def revoke(shop: "Shop", role: str, store: str) -> Any:
    return shop.one("SELECT tracker.revoke_store(%s, %s)", role, store)


def denial(clerk: Clerk, statement: str, *values: object) -> tuple[str | None, ...]:
    """Return all that is said of a refusal."""
    with pytest.raises(DENIED) as caught:
        clerk.connection.execute(statement.encode(), values)
    said = caught.value.diag
    return (said.message_primary, said.message_detail, said.message_hint, said.context)


# What a grant gives ------------------------------------------------------------------------------


@pytest.mark.parametrize("group", READERS)
def test_without_a_grant_there_is_nothing(
    shop: "Shop", other: str, roles: Roles, log_in: LogIn, group: str
) -> None:
    clerk = log_in(roles(group))
    assert clerk.stores() == []
    for table in ("orders", "messages", "refusals", "timeline", "alias_domains", "sender_domains"):
        assert clerk.one(f"SELECT count(*) FROM tracker.{table}") == 0
    for table in ("participants", "deliveries"):
        assert clerk.one(f"SELECT count(1) FROM tracker.{table}") == 0
    assert not clerk.one("SELECT tracker.may_read(%s)", shop.name)
    assert not clerk.one("SELECT tracker.may_read(%s)", other)


@pytest.mark.parametrize("group", READERS)
def test_a_grant_shows_one_store(
    shop: "Shop", other: str, roles: Roles, log_in: LogIn, group: str
) -> None:
    clerk = log_in(roles(group))
    assert grant(shop, clerk.name, shop.name) is True
    assert grant(shop, clerk.name, shop.name) is False
    assert clerk.stores() == [shop.name]
    assert clerk.one("SELECT store FROM tracker.orders") == shop.name
    assert clerk.one("SELECT name FROM tracker.alias_domains") == shop.alias_domain
    orders = "SELECT array_agg(DISTINCT order_id) FROM tracker.participants"
    assert clerk.one(orders) == [shop.order()["id"]]
    assert revoke(shop, clerk.name, shop.name) is True
    assert revoke(shop, clerk.name, shop.name) is False
    assert clerk.stores() == []


def test_the_sign_for_all_shows_every_store_and_those_to_come(
    shop: "Shop", other: str, roles: Roles, log_in: LogIn
) -> None:
    clerk = log_in(roles("tracker_integrator"))
    assert grant(shop, clerk.name, "*") is True
    assert {shop.name, other} <= set(clerk.stores())
    add(shop.connection, f"later-{shop.name}", f"later.{shop.alias_domain}".replace("ct", "lt"))
    assert f"later-{shop.name}" in clerk.stores()
    assert clerk.one("SELECT tracker.may_read('no such store')")
    with pytest.raises(psycopg.errors.NoDataFound):
        clerk.one("SELECT tracker.mask('no such store', '1', 'x@y.example')")


def test_what_was_granted_by_name_stays_when_the_sign_is_revoked(
    shop: "Shop", other: str, roles: Roles, log_in: LogIn
) -> None:
    clerk = log_in(roles("tracker_reader"))
    grant(shop, clerk.name, "*")
    grant(shop, clerk.name, shop.name)
    heard: list[str] = []
    shop.connection.add_notice_handler(lambda said: heard.append(str(said.message_primary)))
    assert revoke(shop, clerk.name, shop.name) is True
    assert heard == [f"{clerk.name} still has every store, by *"]
    assert other in clerk.stores()
    grant(shop, clerk.name, shop.name)
    assert revoke(shop, clerk.name, "*") is True
    assert clerk.stores() == [shop.name]


def test_an_integrator_acts_for_its_store_alone(
    shop: "Shop", other: str, roles: Roles, log_in: LogIn
) -> None:
    clerk = log_in(roles("tracker_integrator"))
    grant(shop, clerk.name, shop.name)
    assert clerk.one("SELECT tracker.mask(%s, '1', 'john@doe.example')", shop.name)
    for call in ("mask({}, '9', 'x@y.example')", "mask({}, NULL, NULL)", "close_order({}, '1')"):
        statement = f"SELECT tracker.{call}".format("%s")
        there = denial(clerk, statement, other)
        assert there[0] == f"no grant on store {other}"
        absent = denial(clerk, statement, "no such store")
        assert absent == tuple(said and said.replace(other, "no such store") for said in there)
    with pytest.raises(DENIED, match=r"^no grant on store NULL"):
        clerk.one("SELECT tracker.close_order(NULL, '1')")
    assert shop.one("SELECT closed_at FROM tracker.orders WHERE store = %s", other) is None


@pytest.mark.parametrize("group", [None, "tracker_service"])
def test_who_needs_no_grant(
    shop: "Shop", other: str, roles: Roles, log_in: LogIn, group: str | None
) -> None:
    clerk = log_in(roles(group) if group else roles(options="LOGIN SUPERUSER"))
    assert {shop.name, other} <= set(clerk.stores())
    assert clerk.one("SELECT tracker.may_read_all()")
    assert clerk.one("SELECT tracker.mask(%s, '1', 'jane@doe.example')", other)


# Whose grant it is -------------------------------------------------------------------------------


def test_a_grant_to_a_group_is_one_to_who_has_its_rights(
    shop: "Shop", roles: Roles, log_in: LogIn
) -> None:
    team = roles("tracker_reader", options="")
    inside = roles(team, options="")
    member, indirect = log_in(roles(team)), log_in(roles(inside))
    loose = log_in(roles(team, options="LOGIN NOINHERIT"))
    grant(shop, team, shop.name)
    assert member.stores() == indirect.stores() == [shop.name]
    loose.connection.execute(f'SET ROLE "{team}"'.encode())
    assert loose.stores() == []
    assert not loose.one("SELECT tracker.may_read(%s)", shop.name)


def test_setting_a_role_neither_widens_nor_narrows(
    shop: "Shop", other: str, roles: Roles, log_in: LogIn
) -> None:
    wide = roles("tracker_integrator")
    clerk = log_in(roles(wide, "tracker_reader", options="LOGIN NOINHERIT"))
    grant(shop, wide, "*")
    grant(shop, clerk.name, shop.name)
    for role in (wide, "tracker_reader"):
        clerk.connection.execute(f'SET ROLE "{role}"'.encode())
        assert clerk.stores() == [shop.name]
    clerk.connection.execute(f'SET ROLE "{wide}"'.encode())
    denial(clerk, "SELECT tracker.mask(%s, '1', 'x@y.example')", other)
    for statement in (f'SET SESSION AUTHORIZATION "{wide}"', f'SET SESSION ROLE "{other}"'):
        with pytest.raises(psycopg.Error):
            clerk.connection.execute(statement.encode())


@pytest.mark.parametrize("role", ["tracker_reader", "tracker_integrator", "tracker_service"])
def test_the_common_roles_are_granted_nothing(shop: "Shop", role: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        grant(shop, role, shop.name)
    assert role in str(caught.value)
    with pytest.raises(psycopg.errors.CheckViolation):
        shop.connection.execute("INSERT INTO tracker.grants VALUES (%s)", (role,))


def test_nor_is_a_role_that_a_common_one_is_in(shop: "Shop", roles: Roles, log_in: LogIn) -> None:
    above = roles(options="")
    clerk = log_in(roles("tracker_reader"))
    grant(shop, above, shop.name)
    join = sql.SQL("GRANT {} TO tracker_reader").format(sql.Identifier(above))
    shop.connection.execute(join)
    assert clerk.stores() == []
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="everybody in tracker_reader"):
        grant(shop, above, shop.name)


def test_what_is_not_there_is_granted_to_nobody(shop: "Shop", roles: Roles) -> None:
    with pytest.raises(psycopg.errors.UndefinedObject, match="no such role: nobody_there"):
        grant(shop, "nobody_there", shop.name)
    for store in ("no such store", None):
        with pytest.raises(psycopg.errors.NoDataFound, match="no such store"):
            shop.one("SELECT tracker.grant_store(%s, %s)", roles(), store)


@pytest.mark.parametrize("group", [*READERS, "tracker_service"])
def test_only_the_owner_grants(shop: "Shop", roles: Roles, log_in: LogIn, group: str) -> None:
    clerk = log_in(roles(group))
    for function in ("grant_store", "revoke_store"):
        denial(clerk, f"SELECT tracker.{function}(%s, '*')", clerk.name)
    for statement in (
        "INSERT INTO tracker.grants VALUES (current_user)",
        "UPDATE tracker.grants SET store = NULL",
        "DELETE FROM tracker.grants",
    ):
        denial(clerk, statement)


def test_a_role_reads_its_own_grants_alone(
    shop: "Shop", other: str, roles: Roles, log_in: LogIn
) -> None:
    clerk = log_in(roles("tracker_reader"))
    denial(clerk, "SELECT * FROM tracker.grants")
    grant(shop, clerk.name, shop.name)
    grant(shop, roles("tracker_reader"), other)
    assert clerk.one("SELECT (role, store)::text FROM tracker.grants") == (
        f"({clerk.name},{shop.name})"
    )


# What becomes of it ------------------------------------------------------------------------------


def test_a_grant_follows_its_store_and_goes_with_it(
    shop: "Shop", roles: Roles, log_in: LogIn
) -> None:
    clerk = log_in(roles("tracker_reader"))
    grant(shop, clerk.name, shop.name)
    shop.set(name=f"{shop.name}-renamed")
    shop.name = f"{shop.name}-renamed"
    assert clerk.stores() == [shop.name]
    shop.connection.execute("DELETE FROM tracker.stores WHERE name = %s", (shop.name,))
    add(shop.connection, shop.name, shop.alias_domain)
    assert clerk.stores() == []


def test_a_role_with_a_grant_is_not_dropped(shop: "Shop", roles: Roles) -> None:
    name = roles("tracker_reader")
    grant(shop, name, shop.name)
    drop = sql.SQL("DROP ROLE {}").format(sql.Identifier(name))
    with pytest.raises(psycopg.errors.DependentObjectsStillExist) as caught:
        shop.connection.execute(drop)
    assert caught.value.diag.message_detail == "privileges for table tracker.grants"
    revoke(shop, name, shop.name)
    shop.connection.execute(drop)


def test_a_new_role_of_a_dropped_ones_name_has_nothing(
    shop: "Shop", other: str, roles: Roles, log_in: LogIn
) -> None:
    name = roles("tracker_reader")
    grant(shop, name, shop.name)
    for statement in ("DROP OWNED BY {}", "DROP ROLE {}"):
        shop.connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
    clerk = log_in(roles("tracker_reader", name=name))
    assert clerk.stores() == []
    grant(shop, name, other)
    assert clerk.stores() == [other]
    assert shop.one("SELECT count(*) FROM tracker.grants WHERE role = %s", name) == 1


def test_a_renamed_role_has_to_be_granted_anew_and_so_has_who_takes_its_name(
    shop: "Shop", other: str, roles: Roles, log_in: LogIn
) -> None:
    name = roles("tracker_reader")
    grant(shop, name, shop.name)
    renamed = f"{name}_old"
    shop.connection.execute(f'ALTER ROLE "{name}" RENAME TO "{renamed}"'.encode())
    successor = log_in(roles("tracker_reader", name=name))
    try:
        assert successor.stores() == []
        grant(shop, name, other)
        assert successor.stores() == [other]
        assert log_in(renamed).stores() == []
    finally:
        shop.connection.execute(f'DROP OWNED BY "{renamed}"; DROP ROLE "{renamed}"'.encode())


def test_a_grant_is_kept_by_a_dump(
    postgres: "Postgres", shop: "Shop", roles: Roles, log_in: LogIn
) -> None:
    kept, dead = roles("tracker_reader"), roles("tracker_reader")
    for name in (kept, dead):
        grant(shop, name, shop.name)
    shop.connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(dead)))
    shop.connection.execute(sql.SQL("GRANT tracker_reader TO {}").format(sql.Identifier(dead)))
    dump = subprocess.run(["pg_dump", shop.uri], capture_output=True, check=True).stdout
    restored = postgres.create_database(f"restored_{shop.name}")
    try:
        subprocess.run(
            ["psql", "-qX", "-v", "ON_ERROR_STOP=1", restored],
            input=dump,
            check=True,
            capture_output=True,
        )
        for name, stores in ((kept, [(shop.name,)]), (dead, [])):
            with psycopg.connect(postgres.uri(f"restored_{shop.name}", name)) as connection:
                assert connection.execute("SELECT name FROM tracker.stores").fetchall() == stores
    finally:
        postgres.drop_database(f"restored_{shop.name}")


def test_two_grants_at_once_wait_for_each_other(shop: "Shop", roles: Roles) -> None:
    first, second = roles("tracker_reader"), roles("tracker_reader")
    with psycopg.connect(shop.uri) as one, psycopg.connect(shop.uri, autocommit=True) as two:
        one.execute("SELECT tracker.grant_store(%s, '*')", (first,))
        two.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            two.execute("SELECT tracker.grant_store(%s, '*')", (second,))
        one.commit()
        assert two.execute("SELECT tracker.grant_store(%s, '*')", (second,)).fetchone() == (True,)


# Announcements -----------------------------------------------------------------------------------


def test_an_announcement_tells_no_more_than_all_who_can_listen_may_read(
    database: str, roles: Roles, notified: Callable[[str], AbstractContextManager[list[str]]]
) -> None:
    whole, short = '{"id" : 7, "store" : "mystore"}', '{"id" : 7}'
    clerk, service = roles("tracker_integrator"), roles("tracker_reader", "tracker_service")

    def announce() -> list[str]:
        access = Database(database, size=1)
        access.open()
        with notified(database) as heard:
            access._announcer.put(whole)
            access.close()
        return heard

    with psycopg.connect(database, autocommit=True) as owner:
        both = sql.SQL(", ").join(map(sql.Identifier, (clerk, service)))
        name = sql.Identifier(owner.info.dbname)
        owner.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, both))
        add(owner, "mystore", "ct.example.com")
        assert announce() == [short]
        owner.execute("SELECT tracker.grant_store(%s, 'mystore')", (clerk,))
        assert announce() == [whole]
        add(owner, "other", "ct.example.net")
        assert announce() == [short]
        owner.execute("SELECT tracker.grant_store(%s, '*')", (clerk,))
        assert announce() == [whole]
        owner.execute("SELECT tracker.revoke_store(%s, '*')", (clerk,))
        assert announce() == [short]
        owner.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(clerk)))
        assert announce() == [whole]
        owner.execute(sql.SQL("REVOKE tracker_service FROM {}").format(sql.Identifier(service)))
        assert announce() == [short]
        owner.execute(sql.SQL("DROP OWNED BY {}").format(both))


def test_an_auditor_hears_no_more_than_numbers(
    database: str, roles: Roles, notified: Callable[[str], AbstractContextManager[list[str]]]
) -> None:
    """Aliases and order numbers are none of the trace."""
    auditor = roles("tracker_auditor")
    with psycopg.connect(database, autocommit=True) as owner:
        name, login = sql.Identifier(owner.info.dbname), sql.Identifier(auditor)
        owner.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, login))
        add(owner, "mystore", "ct.example.com")
        access = Database(database, size=1)
        access.open()
        with notified(database) as heard:
            access._announcer.put('{"id" : 7, "store" : "mystore"}')
            access.close()
        assert heard == ['{"id" : 7}']
        owner.execute(sql.SQL("DROP OWNED BY {}").format(login))


def test_a_stranger_who_cannot_connect_hears_nothing(
    postgres: "Postgres", database: str, roles: Roles
) -> None:
    """By the statements of docs/security.md."""
    [found] = [
        block
        for block in blocks(ROOT / "docs" / "security.md")
        if block.about == "tests/database/schema/test_grants.py"
    ]
    stranger, clerk, service = roles(), roles("tracker_reader"), roles("tracker_service")
    with psycopg.connect(database, autocommit=True) as owner:
        name = owner.info.dbname
        for statement, _role, _error in found.statements():
            owner.execute(statement.replace("conversation_tracker", name).encode())
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(postgres.uri(name, stranger))
    for role in (clerk, service):
        psycopg.connect(postgres.uri(name, role)).close()


def test_check_is_told_who_sees_nothing_and_which_grants_are_dead(
    database: str, roles: Roles
) -> None:
    def found() -> tuple[set[str], set[str]]:
        state = read_state(database)
        assert state.fault is None
        return set(state.ungranted) & {clerk, member}, set(state.dead_grants)

    group = roles("tracker_reader", options="")
    clerk, member = roles("tracker_integrator"), roles(group)
    roles("tracker_reader", options="LOGIN SUPERUSER")
    with psycopg.connect(database, autocommit=True) as owner:
        assert found() == ({clerk, member}, set())
        owner.execute("SELECT tracker.grant_store(%s, '*')", (group,))
        assert found() == ({clerk}, set())
        owner.execute("SELECT tracker.grant_store(%s, '*')", (clerk,))
        assert found() == (set(), set())
        owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(clerk)))
        owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(group)))
        assert found()[1] == {clerk, group}
        owner.execute("SELECT tracker.revoke_store(%s, '*')", (clerk,))
        assert found()[1] == {group}


# Upgrades ----------------------------------------------------------------------------------------


# What makes a database one from before there were grants.
BEFORE = """
    DROP TABLE tracker.grants CASCADE;
    ALTER TABLE tracker.stores DROP CONSTRAINT stores_name_is_not_the_sign_for_every_store;
    DELETE FROM tracker.migrations WHERE name = '0019-grants';
"""


@pytest.fixture
def older(postgres: "Postgres", migrated: str) -> Iterator[str]:
    """Return the URI of a database from before there were grants, with a store."""
    uri = postgres.create_database("before_grants", template=migrated)
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(BEFORE)
        add(connection, "mystore", "ct.example.com")
    yield uri
    postgres.drop_database("before_grants")


def test_an_upgrade_grants_every_store_to_who_could_read_it_and_says_so(
    postgres: "Postgres", roles: Roles, older: str
) -> None:
    group = roles("tracker_reader", options="")
    wanted = {
        roles("tracker_reader"): "none",
        roles("tracker_integrator"): "none",
        roles(group): "none",
        roles("tracker_integrator", options="LOGIN NOINHERIT"): "tracker_integrator",
    }
    others = {
        roles(),
        roles("tracker_service", "tracker_reader"),
        roles("tracker_reader", options="LOGIN SUPERUSER"),
        group,
        "tracker_reader",
        "tracker_integrator",
    }
    with closing(Tracker(older)) as tracker:
        lines = tracker.run("migrate").stdout.splitlines()
        said = [line for line in lines if line.startswith("NOTE: granted every store to ")]
        named = {line.split(": ")[1].rpartition(" ")[2] for line in said}
        assert wanted.keys() <= named
        assert not others & named
        assert all("tracker.revoke_store" in line for line in said)
        again = tracker.run("migrate").stdout
    assert again == "nothing to apply\n"
    with psycopg.connect(older, autocommit=True) as connection:
        rows = connection.execute("SELECT role, store FROM tracker.grants").fetchall()
        assert set(rows) == {(name, None) for name in named}
        for name in wanted:
            with psycopg.connect(postgres.uri("before_grants", name)) as session:
                session.execute(f"SET ROLE {wanted[name]}".encode())
                assert session.execute("SELECT name FROM tracker.stores").fetchall() == [
                    ("mystore",)
                ]
        connection.execute("DELETE FROM tracker.grants")
        later = roles("tracker_reader")
        assert migrate(older) == 0
        assert connection.execute(FRESH).fetchone() == (0,)
        assert later


def test_a_new_database_grants_nobody_anything(
    postgres: "Postgres", shop: "Shop", roles: Roles
) -> None:
    roles("tracker_reader")
    uri = postgres.create_database("new_grants")
    try:
        migrate(uri)
        with psycopg.connect(uri) as connection:
            assert connection.execute(FRESH).fetchone() == (0,)
    finally:
        postgres.drop_database("new_grants")
