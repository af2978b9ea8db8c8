"""An integrator of one store, who is a good PostgreSQL programmer, learns nothing of another's.

`THEIRS` is what must not be found: names, numbers, tokens and words of the other store.
"""

import re
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from records import make_record
from stores import add

from conversation_tracker.core.model.plan import Refusal

if TYPE_CHECKING:
    from tests.database.conftest import Shop

    from conversation_tracker.database.repository import Database
    from private.postgres import Postgres

# The tables and views that an integrator reads, and a column of each that holds something to learn.
READ = {
    "stores": "name",
    "alias_domains": "name",
    "sender_domains": "name",
    "orders": "number",
    "messages": "subject",
    "deliveries": "reason",
    "refusals": "subject",
    "participants": "role",
    "timeline": "subject",
    "timeline_rows": "subject",
    "waiting": "subject",
}
LEAK = """
    CREATE OR REPLACE FUNCTION pg_temp.leak(value text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE COST 0.0000001 PARALLEL SAFE AS
    $$ BEGIN RAISE NOTICE 'leak: %', value; RETURN true; END $$"""
# Everything that may be selected, each with the columns of it.
READABLE = """
    SELECT c.oid::regclass::text,
           (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
              FROM pg_attribute AS a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               AND has_column_privilege(c.oid, a.attnum, 'SELECT')) AS columns
      FROM pg_class AS c
     WHERE c.relnamespace IN ('tracker'::regnamespace, 'pg_catalog'::regnamespace,
                              'information_schema'::regnamespace)
       AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
       AND has_schema_privilege(c.relnamespace, 'USAGE')
       AND has_any_column_privilege(c.oid, 'SELECT')"""
# Functions that run with their owner's rights and are given a store.
FUNCTIONS = """
    SELECT p.oid::regprocedure::text, p.proname,
           ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) AS t),
           array_position(p.proargnames, 'store') - 1
      FROM pg_proc AS p
     WHERE p.pronamespace = 'tracker'::regnamespace AND p.prosecdef
       AND has_function_privilege(p.oid, 'EXECUTE')
       AND 'store' = ANY (p.proargnames[:p.pronargs])"""


# All that may be called, and a value of each type.
CALLABLE = """
    SELECT p.oid::regprocedure::text, p.proname,
           ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) AS t)
      FROM pg_proc AS p
     WHERE p.pronamespace = 'tracker'::regnamespace AND p.prorettype <> 'trigger'::regtype
       AND has_function_privilege(p.oid, 'EXECUTE')"""
GIVEN: dict[str, object] = {
    "text": "a store",
    "bigint": "a message",
    "jsonb": "[]",
    "uuid": str(uuid.UUID(int=1)),
    "timestamp with time zone": "2020-01-01",
}


class World:
    """Two stores with mail, and the session of an integrator who was granted one of them."""

    def __init__(self, shop: "Shop", theirs: str, secrets: set[str]) -> None:
        self.shop, self.theirs, self.secrets = shop, theirs, secrets
        self.heard: list[str] = []

    def open(self, uri: str) -> psycopg.Connection:
        """Open a session of the integrator, and keep what the server says in it."""
        self.uri = uri
        connection = psycopg.connect(uri, autocommit=True)
        connection.add_notice_handler(lambda said: self.heard.append(str(said.message_primary)))
        self.session = connection
        return connection

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query as the integrator."""
        return self.session.execute(query.encode(), values).fetchall()

    def explain(self, query: str, options: str = "COSTS") -> str:
        """Return a plan, without times."""
        return "\n".join(str(line) for (line,) in self.rows(f"EXPLAIN ({options}) {query}"))

    def finds_nothing(self, *texts: object) -> None:
        """Fail if a secret is in what was read or heard."""
        said = "\n".join([*map(str, texts), *self.heard])
        assert [secret for secret in self.secrets if secret in said] == []


def fill(shop: "Shop", database: "Database", name: str) -> set[str]:
    """Give a store an order with a message and a refused one; return what is to be kept secret."""
    number = f"N{uuid.uuid4().hex}" if name != shop.name else "1"
    aliases = [
        str(shop.one("SELECT tracker.mask(%s, %s, %s, %s)", name, number, address, role))
        for address, role in ((f"buyer@{name}.example", "buyer"), ("a@carrier.example", "partner"))
    ]
    buyer, partner = (alias.partition("@")[0] for alias in aliases)
    [(order, ref)] = shop.rows(
        "SELECT id, ref FROM tracker.orders WHERE store = %s AND number = %s", name, number
    )
    mine = name == shop.name
    words = {key: "1" if mine else f"{key}-{uuid.uuid4().hex}" for key in ("subject", "words")}
    record = make_record(
        order,
        buyer,
        (partner,),
        direction="inbound",
        subject=words["subject"],
        first_words=words["words"],
        raw=words["words"].encode(),
        message_id=f"<{words['words']}@x.example>",
        queue_id=f"mx/{words['words']}",
        sender_name=words["words"],
    )
    assert database.record([record])[0] == "done"
    shop.one(
        "SELECT tracker.refuse(%s, %s, %s, %s, %s, '550 5.7.1 no')::text",
        order,
        bytes(32),
        partner,
        buyer,
        words["subject"],
    )
    return {name, number, ref, buyer, str(uuid.UUID(buyer)), *words.values()}


@pytest.fixture
def world(postgres: "Postgres", shop: "Shop", opened: "Database") -> Iterator[World]:
    theirs, clerk = f"theirs{uuid.uuid4().hex}", f"clerk_{uuid.uuid4().hex}"
    domain = f"{theirs}.example.com"
    add(shop.connection, theirs, domain, f"{theirs}.sender.example")
    fill(shop, opened, shop.name)
    found = World(shop, theirs, fill(shop, opened, theirs) | {domain})
    name = sql.Identifier(clerk)
    member = "CREATE ROLE {} LOGIN IN ROLE tracker_integrator, tracker_reader"
    shop.connection.execute(sql.SQL(member).format(name))
    shop.one("SELECT tracker.grant_store(%s, %s)", clerk, shop.name)
    with found.open(postgres.uri(shop.connection.info.dbname, clerk)):
        yield found
    shop.connection.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(name))
    shop.connection.execute(sql.SQL("DROP ROLE {}").format(name))


def test_all_that_can_be_selected(world: World) -> None:
    """Our tables and views, and the server's: statistics, activity, locks, settings."""
    world.shop.connection.execute("ANALYZE")
    readable = world.rows(READABLE)
    assert {f"tracker.{name}" for name in READ} <= {name for name, _columns in readable}
    for name, columns in readable:
        try:
            rows = world.rows(f"SELECT {columns} FROM {name}")
        except psycopg.Error as error:
            world.finds_nothing(error)
        else:
            world.finds_nothing(name, rows)


@pytest.mark.parametrize("table", READ)
def test_what_is_selected_is_ones_own(world: World, table: str) -> None:
    assert world.rows(f"SELECT {READ[table]} FROM tracker.{table}") or table == "sender_domains"
    world.finds_nothing(world.rows(f"SELECT {READ[table]} FROM tracker.{table}"))


@pytest.mark.parametrize("table", READ)
@pytest.mark.parametrize(
    "condition",
    [
        "pg_temp.leak({})",
        "pg_temp.leak({}) AND {} = '{theirs}'",
        "({})::integer > 0",
        "1 / (length({}) - length({})) > 0 OR true",
        "{} ~ ('^(' || {})",
        "{} OPERATOR(pg_temp.=) '{theirs}'",
        "EXISTS (SELECT FROM pg_class WHERE pg_temp.leak(t.{}::text))",
    ],
)
def test_conditions_of_ones_own(world: World, table: str, condition: str) -> None:
    """Cheap functions, casts and operators whose error or notice names the value."""
    world.session.execute(LEAK.encode())
    world.session.execute(
        b"CREATE OR REPLACE FUNCTION pg_temp.same(a text, b text) RETURNS boolean LANGUAGE plpgsql"
        b" COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'same: %', a; RETURN a = b; END $$;"
        b" CREATE OPERATOR pg_temp.= (FUNCTION = pg_temp.same, LEFTARG = text, RIGHTARG = text)"
    )
    column = f"{READ[table]}"
    where = condition.replace("{theirs}", world.theirs).replace("{}", column)
    for planner in ("on", "off"):
        world.session.execute(f"SET enable_indexscan = {planner}".encode())
        try:
            said: object = world.rows(f"SELECT {column} FROM tracker.{table} AS t WHERE {where}")
        except psycopg.Error as error:
            said = error
        world.finds_nothing(said)
    if "leak({})" in condition and "AND" not in condition and table != "sender_domains":
        assert any(text.startswith("leak: ") for text in world.heard)


def test_months_by_themselves_also_where_somebody_granted_all_tables(world: World) -> None:
    months = world.rows(
        "SELECT inhrelid::regclass::text FROM pg_inherits"
        " WHERE inhparent IN ('tracker.messages'::regclass, 'tracker.deliveries'::regclass)"
    )
    assert len(months) >= 12
    for (month,) in months:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            world.rows(f"SELECT 1 FROM {month}")
    who = sql.Identifier(world.session.info.user)
    grant = sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA tracker TO {}").format(who)
    world.shop.connection.execute(grant)
    for (month,) in months:
        assert world.rows(f"SELECT 1 FROM {month}") == []
    for table in READ:
        world.finds_nothing(world.rows(f"SELECT * FROM tracker.{table}"))
    assert world.rows("SELECT tracker.may_read(%s)", world.theirs) == [(False,)]


def test_a_new_month_hides_its_rows_and_is_sampled_as_little(world: World) -> None:
    world.shop.one("SELECT tracker.make_month('2001-01-01')::text")
    hidden = world.shop.rows(
        "SELECT c.relrowsecurity, a.attstattarget FROM pg_class AS c"
        " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname IN ('subject', 'reason')"
        " WHERE c.relname IN ('messages_2001_01', 'deliveries_2001_01')"
    )
    assert hidden == [(True, 0), (True, 0)]


def test_nothing_that_is_granted_is_without_a_policy(world: World) -> None:
    """Of all tables a reader or integrator reaches, those of other topics too."""
    bare = world.shop.rows(
        "SELECT c.relname, r.rolname FROM pg_class AS c, pg_roles AS r"
        " WHERE c.relnamespace = 'tracker'::regnamespace AND c.relkind IN ('r', 'p')"
        " AND r.rolname IN ('tracker_reader', 'tracker_integrator')"
        " AND has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')"
        " AND NOT (c.relrowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid))"
    )
    assert bare == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT FROM tracker.stores WHERE name = '{}'",
        "SELECT FROM tracker.stores WHERE name >= '{}' AND name < '{}x'",
        "SELECT FROM tracker.sender_domains WHERE store = '{}'",
        "SELECT FROM tracker.orders WHERE store = '{}'",
        "SELECT FROM tracker.orders WHERE store = '{}' AND number = 'NUMBER'",
        "SELECT FROM tracker.orders WHERE store = '{}' AND number > 'A'",
        "SELECT FROM tracker.timeline WHERE store = '{}' AND order_number = 'NUMBER'",
        "SELECT FROM tracker.messages WHERE subject >= 'SUBJECT'",
        "SELECT FROM tracker.refusals WHERE subject >= 'SUBJECT'",
        "SELECT FROM tracker.timeline WHERE subject >= 'SUBJECT'",
        "SELECT FROM tracker.timeline WHERE notes IS NULL AND subject = 'SUBJECT'",
        "SELECT FROM tracker.timeline_rows WHERE verdict = 'unverified' AND subject >= 'SUBJECT'",
        "SELECT FROM tracker.waiting WHERE store = '{}' AND order_number = 'NUMBER'",
        "SELECT FROM tracker.waiting WHERE subject >= 'SUBJECT'",
        "SELECT 1 FROM tracker.participants WHERE role = 'buyer' AND order_id IN"
        " (SELECT id FROM tracker.orders WHERE number = 'NUMBER')",
        "SELECT FROM tracker.messages AS m JOIN tracker.orders AS o ON o.id = m.order_id"
        " WHERE o.number = 'NUMBER' AND m.first_words >= 'SUBJECT'",
    ],
)
@pytest.mark.parametrize("scan", ["on", "off"])
def test_plans_of_what_is_there_and_of_what_is_not(world: World, query: str, scan: str) -> None:
    """Estimates come from samples of all rows, and what was run counts the rows it dropped."""
    order = world.shop.one("SELECT id FROM tracker.orders WHERE store = %s", world.theirs)
    world.shop.connection.execute(
        "INSERT INTO tracker.orders (store, number, ref, alias_domain, expires_at)"
        " SELECT store, number || n, tracker.random_ref(), alias_domain, expires_at"
        " FROM tracker.orders, generate_series(1, 300) AS n WHERE id = %s",
        (order,),
    )
    world.shop.connection.execute("ANALYZE")
    number = world.shop.one("SELECT min(number) FROM tracker.orders WHERE store = %s", world.theirs)
    subject = world.shop.one("SELECT subject FROM tracker.messages WHERE order_id = %s", order)
    world.session.execute(f"SET enable_seqscan = {scan}".encode())

    def plan(store: str, number: str, subject: str, options: str) -> str:
        text = query.replace("{}", store).replace("NUMBER", number).replace("SUBJECT", subject)
        found = world.explain(text, options)
        return found.replace(store, "").replace(number, "").replace(subject, "")

    nobody = world.theirs.replace("theirs", "nobody")
    for options in ("COSTS", "ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF"):
        there = plan(world.theirs, number, subject, options)
        absent = plan(nobody, "N" + "0" * 33, "subject-" + "z" * 32, options)
        assert there == absent


def test_functions_with_their_owners_rights_ask_for_the_grant_first(world: World) -> None:
    """All there are, each with nothing but the store given, and in the same words."""
    found = world.rows(FUNCTIONS)
    asked = [row for row in found if row[1] not in ("may_read", "require_grant")]
    assert {"mask", "close_order"} <= {row[1] for row in asked}
    said = {}
    for store in (world.theirs, "no such store"):
        for signature, name, types, place in asked:
            given = [f"NULL::{each}" for each in types]
            given[place] = "%s"
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
                world.rows(f"SELECT * FROM tracker.{name}({', '.join(given)})", store)
            about = caught.value.diag
            assert about.message_primary == f"no grant on store {store}", signature
            text = f"{about.message_primary}{about.message_detail}{about.context}"
            assert said.setdefault(signature, text.replace(store, "")) == text.replace(store, "")


def test_plans_that_are_printed_hold_no_value_of_anothers(world: World) -> None:
    """Those of statements within functions too, made for the values at hand."""
    said: list[str] = []
    world.session.add_notice_handler(
        lambda told: said.append(f"{told.message_primary}\n{told.message_detail}")
    )
    for name in ("parse", "rewritten", "plan"):
        world.session.execute(f"SET debug_print_{name} = on".encode())
    world.session.execute("SET debug_pretty_print = off")
    world.session.execute("SET client_min_messages = debug5")
    world.session.execute("SET plan_cache_mode = force_custom_plan")
    [(theirs,)] = world.shop.rows(
        "SELECT m.id FROM tracker.messages AS m JOIN tracker.orders AS o ON o.id = m.order_id"
        " WHERE o.store = %s",
        world.theirs,
    )
    refused = 0
    for table in READ:
        world.rows(f"SELECT {READ[table]} FROM tracker.{table}")
    for signature, name, types in world.rows(CALLABLE):
        for given in ([None] * len(types), [GIVEN.get(kind, 1) for kind in types]):
            values = [theirs if value == "a message" else value for value in given]
            values = [world.shop.name if value == "a store" else value for value in values]
            holes = ", ".join(f"%s::{kind}" for kind in types)
            try:
                world.rows(f"SELECT * FROM tracker.{name}({holes})", *values)
            except psycopg.Error as error:
                refused += 1
                said.append(f"{signature}: {error}")
    assert refused
    printed = "\n".join(said)
    assert printed.count("PLANNEDSTMT") > 50
    values = re.findall(r"constvalue\s+\d+\s+\[([-0-9\s]+)\]", printed)
    decoded = [bytes(int(octet) % 256 for octet in value.split()) for value in values]
    shown = b"\n".join(decoded).decode("latin-1")
    assert world.shop.name in shown
    world.finds_nothing(printed, shown)


def test_copy_follows_the_same_rules(world: World) -> None:
    whole = ("orders", "refusals", "stores")
    queries = [f"(SELECT * FROM tracker.{table})" for table in ("messages", "timeline")]
    for table in (*(f"tracker.{table}" for table in whole), *queries):
        with world.session.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copy:
            found = b"".join(bytes(each) for each in copy)
        assert found, table
        world.finds_nothing(found.decode())
    for table in ("participants", "deliveries", "secrets"):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            world.session.cursor().copy(f"COPY tracker.{table} TO STDOUT".encode()) as copy,
        ):
            list(copy)


def test_views_of_ones_own_and_names_that_shadow(world: World) -> None:
    who = sql.Identifier(world.session.info.user)
    evil = f"evil_{uuid.uuid4().hex}"
    make = sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(sql.Identifier(evil), who)
    world.shop.connection.execute(make)
    for statement in (
        f"SET search_path = {evil}, pg_temp, tracker, pg_catalog",
        f"CREATE FUNCTION {evil}.pg_has_role(name, oid, text) RETURNS boolean"
        " LANGUAGE sql AS 'SELECT true'",
        f"CREATE FUNCTION {evil}.readable_stores() RETURNS text[]"
        f" LANGUAGE sql AS $$ SELECT '{{{world.theirs}}}'::text[] $$",
        f"CREATE FUNCTION {evil}.may_read_all() RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        "CREATE TEMP TABLE pg_roles AS TABLE pg_catalog.pg_roles",
        f"CREATE TEMP TABLE grants AS SELECT current_user AS role, '{world.theirs}' AS store",
        "CREATE TEMP TABLE grants_in_force AS SELECT * FROM grants, pg_roles",
        f"CREATE VIEW {evil}.mine AS SELECT * FROM tracker.orders",
        f"CREATE VIEW {evil}.all_mail AS SELECT * FROM tracker.timeline WHERE true",
    ):
        world.session.execute(statement.encode())
    for table in ("mine", "all_mail", "tracker.orders", "tracker.messages", "tracker.timeline"):
        world.finds_nothing(world.rows(f"SELECT * FROM {table}"))
    assert world.rows("SELECT tracker.may_read(%s)", world.theirs) == [(False,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        world.rows("SELECT tracker.mask(%s, '1', 'x@y.example')", world.theirs)


def test_how_the_caller_writes_strings_changes_nothing(world: World) -> None:
    """With standard_conforming_strings off, a function's text would be read without backslashes."""
    mine = world.shop.name
    wanted = '[{"order_number": "3", "address": "J.D@gmail.com"}]'
    calls = {
        "mask(%s, '2', 'john@doe.example')": (mine,),
        "mask(%s, %s::jsonb)": (mine, wanted),
        "find_orders(%s, 'john@doe.example')": (mine,),
        "conversation(%s, '1')": (mine,),
        "search(%s, %s)": (mine, f" {uuid.uuid4().hex} "),
        "events(%s, 0, 1)": (mine,),
        "close_order(%s, '2')": (mine,),
    }
    expected = {}
    for setting in ("on", "off"):
        with psycopg.connect(world.uri, autocommit=True) as session:
            session.execute(f"SET standard_conforming_strings = {setting}".encode())
            for call, values in calls.items():
                found = session.execute(f"SELECT * FROM tracker.{call}".encode(), values).fetchall()
                assert expected.setdefault(call, found) == found, call
    assert (
        world.shop.unmask(expected["mask(%s, '2', 'john@doe.example')"][0][0]) == "john@doe.example"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM tracker.orders FOR UPDATE",
        "SELECT * FROM tracker.orders FOR KEY SHARE",
        "BEGIN; LOCK TABLE tracker.orders IN ROW SHARE MODE",
        "INSERT INTO tracker.stores SELECT * FROM tracker.stores",
        "UPDATE tracker.orders SET number = number",
        "DELETE FROM tracker.refusals",
        "CREATE TABLE tracker.mine (store text REFERENCES tracker.stores)",
        "ALTER TABLE tracker.orders DISABLE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON tracker.orders USING (true)",
        "SELECT token FROM tracker.participants",
        "SELECT bounce FROM tracker.deliveries",
        "SELECT 1 FROM tracker.participants WHERE token < gen_random_uuid()",
        "SELECT * FROM tracker.grants_in_force",
        "SELECT * FROM pg_statistic",
        "SELECT last_value FROM tracker.orders_id_seq",
        "SET SESSION AUTHORIZATION postgres",
        "SET ROLE tracker_service",
    ],
)
def test_nothing_is_locked_written_or_taken(world: World, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        world.session.execute(statement.encode())
    world.finds_nothing(caught.value)


def test_turning_the_rules_off_is_an_error(world: World) -> None:
    world.session.execute("SET row_security = off")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        world.rows("SELECT * FROM tracker.orders")


def test_no_lock_of_another_store_is_waited_for(world: World) -> None:
    """Whether one waits would tell whether the order is there, and whether mail comes in."""
    with psycopg.connect(world.shop.uri) as mail:
        mail.execute("SELECT FROM tracker.orders WHERE store = %s FOR UPDATE", (world.theirs,))
        mail.execute("SELECT FROM tracker.stores WHERE name = %s FOR UPDATE", (world.theirs,))
        world.session.execute("SET lock_timeout = '1ms'")
        for call in ("mask(%s, '1', 'x@y.example')", "close_order(%s, '1')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                world.rows(f"SELECT tracker.{call}", world.theirs)


def test_a_lock_that_whoever_may_take_changes_no_reply_to_mail(
    world: World, opened: "Database"
) -> None:
    """That of another store's refusals: whoever was refused is told so, and it is written down."""
    order = world.shop.one("SELECT id FROM tracker.orders WHERE store = %s", world.theirs)
    world.rows("SELECT pg_advisory_lock(hashtextextended('tracker.refusals', %s))::text", order)
    for number in (1, 2):
        opened.refuse(Refusal(order, bytes([number]) * 32, None, None, "Hello", "550 5.7.1 no"))
    query = "SELECT count(*) FROM tracker.refusals WHERE order_id = %s AND subject = 'Hello'"
    assert world.shop.one(query, order) == 2


def revoke(world: World) -> None:
    who = world.session.info.user
    assert world.shop.one("SELECT tracker.revoke_store(%s, %s)", who, world.shop.name)


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
def test_a_prepared_statement_ends_with_the_grant(world: World, mode: str) -> None:
    world.session.execute(f"SET plan_cache_mode = {mode}".encode())
    for name, table in (("a", "orders"), ("b", "messages"), ("c", "timeline")):
        world.session.execute(f"PREPARE {name} AS SELECT * FROM tracker.{table}".encode())
        for _ in range(6):
            assert world.rows(f"EXECUTE {name}")
    revoke(world)
    for name in "abc":
        assert world.rows(f"EXECUTE {name}") == []


def test_a_prepared_statement_is_another_one_under_another_role(world: World) -> None:
    """What was planned as one role is not run as another."""
    service = f"service_{uuid.uuid4().hex}"
    world.shop.connection.execute(f"CREATE ROLE {service} IN ROLE tracker_service".encode())
    try:
        with psycopg.connect(world.shop.uri, autocommit=True) as session:
            who = world.session.info.user
            session.execute(f"SET SESSION AUTHORIZATION {service}".encode())
            session.execute("PREPARE a AS SELECT store FROM tracker.orders")
            assert (world.theirs,) in session.execute("EXECUTE a").fetchall()
            session.execute(f'SET SESSION AUTHORIZATION "{who}"'.encode())
            assert set(session.execute("EXECUTE a").fetchall()) == {(world.shop.name,)}
    finally:
        world.shop.connection.execute(f"DROP ROLE {service}".encode())


def test_a_cursor_ends_with_its_transaction(world: World) -> None:
    with world.session.transaction():
        world.session.execute("DECLARE c CURSOR FOR SELECT * FROM tracker.orders")
        revoke(world)
        world.finds_nothing(world.rows("FETCH ALL FROM c"))
        assert world.rows("SELECT * FROM tracker.orders") == []
    assert world.rows("SELECT * FROM tracker.orders") == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM tracker.conversation_of_hard(gen_random_uuid(), 'ct.example.com')",
        "SELECT * FROM tracker.conversation_of_soft('a@b', '123456789012', 'ct.example.com')",
        "SELECT * FROM tracker.messages WHERE order_id = 1 AND digest = 'x'",
        "UPDATE tracker.deliveries SET state = 'sent' WHERE bounce = gen_random_uuid()",
        "SELECT * FROM tracker.stores",
    ],
)
def test_nothing_of_the_rules_is_left_in_the_services_plans(world: World, query: str) -> None:
    """Mail pays nothing for them, whether the service is the owner or in `tracker_service`."""
    with psycopg.connect(world.shop.uri) as session:
        plans = []
        for role in ("none", "tracker_service"):
            session.execute(f"SET ROLE {role}".encode())
            plans.append(session.execute(f"EXPLAIN {query}".encode()).fetchall())
    assert plans[0] == plans[1]
    assert re.search("may_read|readable", str(plans)) is None
