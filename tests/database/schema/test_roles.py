"""Each role may do what it is for, and nothing else."""

import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
from logins import LogIn
from psycopg import sql
from records import make_record

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.alias import Bounce, Hard, Soft
from conversation_tracker.core.model.conversation import Participant
from conversation_tracker.database.migrate import verify
from conversation_tracker.database.repository import Database

if TYPE_CHECKING:
    from tests.database.conftest import Shop


ROLES = ("tracker_service", "tracker_reader", "tracker_integrator")

READ = {
    "stores": "SELECT * FROM tracker.stores",
    "orders": "SELECT store, number, ref, placed_at, closed_at, expires_at FROM tracker.orders",
    "messages": "SELECT * FROM tracker.messages",
    "deliveries": "SELECT message_id, message_at, recipient_id, queue_id, state, status, reason,"
    " changed_at FROM tracker.deliveries",
    "timeline": "SELECT * FROM tracker.timeline",
    "alias domains": "SELECT * FROM tracker.alias_domains, tracker.sender_domains",
    "waiting": "SELECT * FROM tracker.waiting",
    "participants": "SELECT id, order_id, role, joined_at FROM tracker.participants",
}
# What a message can be sent to: only the service reads it from a table.
TOKENS = {
    "of people": "SELECT token FROM tracker.participants",
    "of bounces": "SELECT bounce FROM tracker.deliveries",
    "all of a delivery": "SELECT * FROM tracker.deliveries",
}
ADDRESSES = {
    "participants": "SELECT * FROM tracker.participants",
    "identifiers": "SELECT original FROM tracker.message_ids",
    "the column": "SELECT address FROM tracker.participants",
    "a condition": "SELECT id FROM tracker.participants WHERE address IS NULL",
    "a copy": "COPY tracker.participants TO STDOUT",
    "unmaskings": "SELECT * FROM tracker.unmaskings",
    "lookups": "SELECT * FROM tracker.lookups",
    "lookup_digest": "SELECT tracker.lookup_digest('john@doe.example')",
    "unmask": "SELECT tracker.unmask('{alias}', 'curious')",
    "participant_of": "SELECT tracker.participant_of('{alias}')",
    "conversation_with": "SELECT tracker.conversation_with(1, NULL)",
    "conversation_of_hard": "SELECT tracker.conversation_of_hard('{token}', '{domain}')",
    "exports": "SELECT * FROM tracker.exports",
    "erasures": "SELECT * FROM tracker.erasures",
    "export": "SELECT tracker.export_person('john@doe.example')",
    "erase": "SELECT tracker.erase('john@doe.example')",
    "erase_person": "SELECT tracker.erase_person('john@doe.example')",
    "erase_messages": "SELECT tracker.erase_messages(1, 1, '-infinity', 'infinity')",
    "erase_recorded": "SELECT tracker.erase_recorded(1, 1, '{token}', 'infinity', '-infinity')",
    "hold_orders": "SELECT tracker.hold_orders('{{1}}')",
    "erase_again": "SELECT tracker.erase_again('{{}}', '{{}}', '{{}}')",
}
WRITES = {
    "a store": "UPDATE tracker.stores SET active = true",
    "an order": "DELETE FROM tracker.orders",
    "people": "DELETE FROM tracker.participants",
    "a message": "DELETE FROM tracker.messages",
    "audit": "DELETE FROM tracker.unmaskings",
    "a domain": "INSERT INTO tracker.alias_domains VALUES ('ct.example.net')",
    "tables": "CREATE TABLE tracker.mine ()",
    "a month": "SELECT tracker.make_month('2001-01-01')",
    "the past": "SELECT tracker.drop_month('2001-01-01', now())",
    "open_order": "SELECT tracker.open_order('{store}', '1', true)",
}
MASK = {
    "mask": "SELECT tracker.mask('{store}', '1', 'jane@doe.example')",
    "mask many": "SELECT tracker.mask('{store}', '[]')",
    "close_order": "SELECT tracker.close_order('{store}', '1')",
}


@pytest.mark.parametrize("what", READ)
@pytest.mark.parametrize("role", ROLES)
def test_every_role_reads_what_holds_no_address(login: LogIn, role: str, what: str) -> None:
    login(role).run(READ[what])


@pytest.mark.parametrize("what", TOKENS)
@pytest.mark.parametrize("role", ["tracker_reader", "tracker_integrator"])
def test_only_the_service_reads_tokens(login: LogIn, role: str, what: str) -> None:
    login(role).may_not(TOKENS[what])


@pytest.mark.parametrize("what", ADDRESSES)
@pytest.mark.parametrize("role", ["tracker_reader", "tracker_integrator"])
def test_only_the_service_learns_an_address(login: LogIn, role: str, what: str) -> None:
    login(role).may_not(ADDRESSES[what])


@pytest.mark.parametrize("what", ADDRESSES)
def test_the_service_reads_addresses(login: LogIn, what: str) -> None:
    login("tracker_service").run(ADDRESSES[what])


@pytest.mark.parametrize("what", TOKENS)
def test_the_service_reads_tokens(login: LogIn, what: str) -> None:
    login("tracker_service").run(TOKENS[what])


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize("role", ["tracker_reader", "tracker_integrator"])
def test_reader_and_integrator_write_nothing_themselves(login: LogIn, role: str, what: str) -> None:
    login(role).may_not(WRITES[what])


@pytest.mark.parametrize("role", ROLES)
def test_nobody_reads_a_month_but_through_the_whole_table(login: LogIn, role: str) -> None:
    clerk = login(role)
    months = clerk.shop.rows(
        "SELECT relid::text FROM pg_partition_tree('tracker.messages')"
        " WHERE isleaf UNION SELECT relid::text FROM pg_partition_tree('tracker.deliveries')"
        " WHERE isleaf"
    )
    assert len(months) == 12
    for (month,) in months:
        clerk.may_not(f"SELECT FROM {month}")


@pytest.mark.parametrize("what", MASK)
def test_the_integrator_masks_and_closes(login: LogIn, what: str) -> None:
    login("tracker_integrator").run(MASK[what])


@pytest.mark.parametrize("what", MASK)
def test_the_reader_neither_masks_nor_closes(login: LogIn, what: str) -> None:
    login("tracker_reader").may_not(MASK[what])


@pytest.mark.parametrize("role", [*ROLES, "tracker_auditor"])
@pytest.mark.parametrize("what", ["UPDATE", "DELETE", "TRUNCATE"])
@pytest.mark.parametrize("audit", ["tracker.unmaskings", "tracker.lookups", "tracker.exports"])
def test_no_role_rewrites_the_audit(shop: "Shop", role: str, audit: str, what: str) -> None:
    assert not shop.one("SELECT has_table_privilege(%s, %s, %s)", role, audit, what)


@pytest.mark.parametrize("role", ROLES)
def test_whoever_reads_looks_up_orders(login: LogIn, role: str) -> None:
    """And leaves a trace, under the name that logged in."""
    clerk = login(role)
    clerk.run("SELECT * FROM tracker.find_orders('{store}', 'john@doe.example')")
    trace = clerk.shop.rows(
        "SELECT db_user, found FROM tracker.lookups WHERE store = %s", clerk.shop.name
    )
    assert trace == [(clerk.connection.info.user, 1)]


TRACE = {
    "unmaskings": "SELECT id, at, db_user, actor, alias, reason FROM tracker.unmaskings",
    "lookups": "SELECT id, at, db_user, actor, store, digest, found FROM tracker.lookups",
    "exports": "SELECT id, at, db_user, actor, digest, found FROM tracker.exports",
    "erasures": "SELECT id, at, db_user, actor, kind, digest, keep_until FROM tracker.erasures",
}


@pytest.mark.parametrize("what", TRACE)
def test_the_auditor_reads_the_trace_of_all_stores(login: LogIn, what: str) -> None:
    auditor = login("tracker_auditor")
    auditor.shop.unmask(auditor.alias)
    auditor.shop.rows(
        "SELECT * FROM tracker.find_orders(%s, 'john@doe.example')", auditor.shop.name
    )
    auditor.shop.rows("SELECT * FROM tracker.export_person('john@doe.example')")
    auditor.shop.rows("SELECT tracker.erase('nobody@doe.example')")
    auditor.run(TRACE[what])
    rows = auditor.connection.execute(f"SELECT count(*) FROM tracker.{what}".encode()).fetchone()
    assert rows is not None
    assert rows[0] > 0


def test_the_auditor_does_nothing_else(login: LogIn) -> None:
    """Neither the rest of what there is, nor a change of what is read."""
    auditor = login("tracker_auditor")
    others = {
        name: said
        for name, said in (READ | TOKENS | ADDRESSES | WRITES | MASK).items()
        if name not in TRACE
    }
    for statement in others.values():
        auditor.may_not(statement)
    for audit in TRACE:
        for change in ("DELETE FROM {}", "UPDATE {} SET actor = ''", "TRUNCATE {}",
                       "INSERT INTO {} (actor) VALUES ('')",
                       "SELECT nextval('{}_id_seq')", "COMMENT ON TABLE {} IS ''"):  # fmt: skip
            auditor.may_not(change.format(f"tracker.{audit}"))
    readable = auditor.connection.execute(
        b"SELECT c.relname::text FROM pg_class AS c WHERE c.relnamespace = 'tracker'::regnamespace"
        b" AND c.relkind IN ('r', 'p', 'v', 'S') AND (has_any_column_privilege(c.oid, 'SELECT')"
        b" OR has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'))"
    ).fetchall()
    assert sorted(name for (name,) in readable) == sorted(TRACE)
    callable_ones = auditor.connection.execute(
        b"SELECT p.oid::regprocedure::text FROM pg_proc AS p"
        b" WHERE p.pronamespace = 'tracker'::regnamespace"
        b"   AND has_function_privilege(p.oid, 'EXECUTE')"
    ).fetchall()
    assert callable_ones == []


def test_a_grant_makes_no_reader_of_the_auditor(login: LogIn) -> None:
    auditor = login("tracker_auditor")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="tracker_auditor is granted no"):
        auditor.shop.one("SELECT tracker.grant_store('tracker_auditor', '*')")
    auditor.shop.one("SELECT tracker.grant_store(%s, '*')", auditor.connection.info.user)
    for statement in READ.values():
        auditor.may_not(statement)


def test_a_stranger_may_nothing(login: LogIn) -> None:
    stranger = login(None)
    for statement in (READ | ADDRESSES | WRITES | MASK).values():
        stranger.may_not(statement)


def test_nothing_is_granted_to_public(shop: "Shop") -> None:
    functions = shop.rows(
        "SELECT p.oid::regprocedure::text FROM pg_proc AS p"
        " WHERE p.pronamespace = 'tracker'::regnamespace AND (p.proacl IS NULL"
        "    OR EXISTS (SELECT FROM aclexplode(p.proacl) AS a WHERE a.grantee = 0))"
    )
    assert functions == []
    tables = shop.rows(
        "SELECT c.oid::regclass::text FROM pg_class AS c, aclexplode(c.relacl) AS a"
        " WHERE c.relnamespace = 'tracker'::regnamespace AND a.grantee = 0"
    )
    assert tables == []
    assert not shop.one("SELECT has_schema_privilege('public', 'tracker', 'USAGE')")


def test_the_service_does_all_that_mail_needs(login: LogIn) -> None:
    clerk = login("tracker_service")
    clerk.shop.hand_out()
    token, _, domain = clerk.alias.partition("@")
    database = Database(clerk.uri, size=1)
    database.open()
    try:
        found = database.find(Hard(token, domain))
        assert found is not None
        order = found.conversation.order
        assert database.find(Soft("john@doe.example", order.ref, domain)) == found
        assert database.again(order.id) is not None
        assert database.open_order(clerk.shop.name, "2").status == "live"
        assert domain in database.directory().alias_domains
        ann = Participant(uuid.uuid4().hex, "partner", Address.parse("ann@doe.example"), False)
        bounce = uuid.uuid4().hex
        record = make_record(
            order.id,
            ann.token,
            (),
            joined=(ann,),
            queue_id="",
            recipients=((token, bounce),),
            size=0,
        )
        assert database.record([record]) == ("done", {token: bounce})
        assert database.delivery(Bounce(bounce, domain)) is not None
    finally:
        database.close()
    assert clerk.shop.mask("john@doe.example") == clerk.alias
    clerk.run(MASK["mask"])
    verify(clerk.connection)


# Functions that run with their owner's rights -----------------------------------------------------


# What every message calls: setting a search path costs more than some of them do themselves.
HOT = {"conversation_of_hard", "conversation_of_soft", "conversation_with"}
HOT |= {"record", "record_again", "join_order", "known_of"}
HOT |= {"limit_reached", "used", "used_of", "times_of", "is_stranger"}
HOT |= {"address_key", "gmail_key", "mailbox_key"}


def test_every_function_has_a_search_path_of_its_own(shop: "Shop") -> None:
    """But for those that every message calls; these never run with their owner's rights."""
    loose = shop.rows(
        "SELECT proname, prosecdef FROM pg_proc AS p JOIN pg_language l ON l.oid = prolang"
        " WHERE pronamespace = 'tracker'::regnamespace AND lanname IN ('sql', 'plpgsql')"
        " AND 'search_path=pg_catalog, pg_temp' <> ALL (coalesce(proconfig, '{}'))"
    )
    assert {name for name, _ in loose} == HOT
    assert not any(definer for _, definer in loose)


def test_no_plan_is_compiled_for_whoever_calls_a_function_that_avoids_reading_tables_through(
    shop: "Shop",
) -> None:
    """A table without an index that serves seems so dear then that PostgreSQL compiles each call.

    Our own connections compile nothing; others set what they like.
    """
    query = """SELECT p.oid::regprocedure::text FROM pg_proc AS p
        WHERE p.pronamespace = 'tracker'::regnamespace
          AND 'enable_seqscan=off' = ANY (p.proconfig) AND 'jit=off' <> ALL (p.proconfig)
          AND (p.prorettype = 'trigger'::regtype
               OR has_function_privilege('tracker_integrator', p.oid, 'EXECUTE')
               OR has_function_privilege('tracker_reader', p.oid, 'EXECUTE'))"""
    assert shop.rows(query) == []


def test_a_functions_caller_cannot_slip_it_tables_or_functions_of_theirs(login: LogIn) -> None:
    clerk = login("tracker_integrator")
    clerk.shop.set(participant_limit=2)
    clerk.shop.connection.execute(
        sql.SQL("CREATE SCHEMA IF NOT EXISTS evil AUTHORIZATION {}").format(
            sql.Identifier(clerk.connection.info.user)
        )
    )
    for name in ("stores", "orders", "participants", "alias_domains", "messages"):
        clerk.run(f"CREATE TEMP TABLE {name} AS SELECT")
    for function in ("btrim(text)", "length(text)", "canonical_address(text)", "normalize(text)"):
        for schema in ("evil", "pg_temp"):
            body = "BEGIN RAISE EXCEPTION ''fooled as %'', current_user; END"
            result = "integer" if function.startswith("length") else "text"
            clerk.run(
                f"CREATE FUNCTION {schema}.{function} RETURNS {result} LANGUAGE plpgsql AS '{body}'"
            )
    clerk.run("SET search_path = pg_temp, evil, tracker, pg_catalog")
    clerk.run("SELECT tracker.mask('{store}', '1', ' jane@doe.example ')")
    clerk.run("SELECT tracker.close_order('{store}', '1')")
    assert [address for _, address in clerk.shop.people()] == [
        "john@doe.example",
        "jane@doe.example",
    ]
