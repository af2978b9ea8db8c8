"""Recording: once for each message, complete, within limits, and announced by aliases only."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aging
import pytest
from psycopg.conninfo import make_conninfo
from records import make_record

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.alias import Hard, Soft
from conversation_tracker.core.model.conversation import Conversation, MappedId, Participant
from conversation_tracker.core.model.plan import Record
from conversation_tracker.database import recording
from conversation_tracker.database.recording import name_queue_id
from conversation_tracker.database.repository import Database
from private import processes

if TYPE_CHECKING:
    from tests.database.conftest import Shop

Notified = Callable[[str], AbstractContextManager[list[str]]]

TIMELINE = [
    "store", "order_number", "at", "direction", "sender_role", "sender_alias", "sender_name",
    "recipient_alias", "recipient_role", "subject", "first_words", "has_attachment", "state",
    "status", "reason", "notes", "message_id",
]  # fmt: skip


def token() -> str:
    return uuid.uuid4().hex


def person(address: str, role: Any = "partner") -> Participant:
    known = role != "return"
    return Participant(token(), role, Address.parse(address), False, known, handed_out=False)


def to(*people: Participant | str) -> tuple[tuple[str, str], ...]:
    """Return recipients with a fresh bounce token each."""
    return tuple((p if isinstance(p, str) else p.token, token()) for p in people)


class Order:
    """An order of a shop with John, its buyer, and Ann, who writes."""

    def __init__(self, shop: "Shop", database: Database, number: str) -> None:
        self.shop = shop
        self.database = database
        self.number = number
        self.john, self.ann = (
            shop.mask(f"{name}@doe.example", number, role).partition("@")[0]
            for name, role in (("john", "buyer"), ("ann", "partner"))
        )
        self.id = shop.order(number)["id"]

    def message(self, digest: bytes = b"1", **changes: Any) -> Record:
        """Return what one message from Ann to John would leave behind."""
        told: dict[str, Any] = {
            "digest": digest.ljust(32),
            "queue_id": "4ABC",
            "sender_name": "Ann",
            "message_id": "<1@ct.example.com>",
            "subject": "Hello",
            "first_words": "How are you?",
            "size": 1234,
            "raw": b"Subject: Hello\r\n\r\nHow are you?\xff",
        }
        return make_record(self.id, self.ann, (self.john,), **told | changes)

    def record(self, digest: bytes = b"1", **changes: Any) -> tuple[str, dict[str, str]]:
        return self.database.record([self.message(digest, **changes)])

    def count(self) -> int:
        query = "SELECT count(*) FROM tracker.messages WHERE order_id = %s"
        return int(self.shop.one(query, self.id))

    def conversation(self) -> Conversation:
        found = self.database.again(self.id)
        assert found is not None
        return found.conversation

    def timeline(self) -> list[tuple[Any, ...]]:
        query = "SELECT * FROM tracker.timeline WHERE store = %s AND order_number = %s"
        return self.shop.rows(query, self.shop.name, self.number)


@pytest.fixture
def order(shop: "Shop", opened: Database) -> Order:
    opened._announcer.flush()  # what other tests have recorded
    return Order(shop, opened, "1")


def test_a_message_is_kept_as_it_was_given(order: Order) -> None:
    back = person("bounces@doe.example", "return")
    message = order.message(
        joined=(back,),
        return_path=back.token,
        attachment_names=("a.pdf", "ü\n.zip"),
        automatic=True,
    )
    outcome, bounces = order.database.record([message])
    assert (outcome, bounces) == ("done", dict(message.recipients))
    row = order.shop.row("SELECT * FROM tracker.messages WHERE order_id = %s", order.id)
    for column in (
        "direction", "sender_name", "message_id", "subject", "first_words",
        "size", "automatic", "auto_reply", "verdict", "raw",
    ):  # fmt: skip
        assert row[column] == getattr(message, column), column
    assert row["queue_id"] == name_queue_id(message.queue_id)
    assert row["attachment_names"] == ["a.pdf", "ü\n.zip"]
    assert row["digest"] == order.shop.one("SELECT tracker.keyed(%s)", message.digest)
    assert row["digest"] != message.digest
    who = "SELECT role FROM tracker.participants WHERE id = %s"
    assert order.shop.one(who, row["sender_id"]) == "partner"
    assert order.shop.one(who, row["return_id"]) == "return"


def test_the_columns_are_named_in_the_order_that_the_database_has_them_in(shop: "Shop") -> None:
    query = (
        "SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = 'tracker.new_message'::regclass AND NOT attisdropped"
    )
    assert shop.one(query) == list(recording._NEW_MESSAGE)


def test_empty_texts_and_the_null_sender_are_kept(order: Order) -> None:
    texts = dict.fromkeys(("queue_id", "sender_name", "message_id", "subject", "first_words"), "")
    assert order.record(**texts, raw=b"", size=0)[0] == "done"
    row = order.shop.row("SELECT * FROM tracker.messages WHERE order_id = %s", order.id)
    assert {name: row[name] for name in texts} == texts | {"queue_id": name_queue_id("")}
    assert row["return_id"] is None


def test_thirty_megabytes_are_recorded(order: Order) -> None:
    raw = bytes(range(256)) * (30 * 4096)
    assert order.record(raw=raw, size=len(raw))[0] == "done"
    query = "SELECT md5(raw) = md5(%s::bytea) FROM tracker.messages WHERE order_id = %s"
    assert order.shop.one(query, raw, order.id)


def test_a_message_id_may_be_as_long_as_a_header(order: Order) -> None:
    long = f"<{'1' * 60_000}@doe.example>"
    assert order.record(message_id=long)[0] == "done"
    found = order.database.find_by_reply(order.shop.name, ["<2@doe.example>", long])
    assert found is not None
    assert found.conversation.order.id == order.id


def test_the_same_message_again_gives_the_same_answer_and_changes_nothing(
    order: Order, notified: Notified
) -> None:
    first = order.message()
    again = replace(first, recipients=to(order.john), queue_id="5DEF", raw=b"other")
    with notified(order.shop.uri) as payloads:
        for message in (first, again, again):
            assert order.database.record([message]) == ("done", dict(first.recipients))
        order.database._announcer.flush()
    assert len(payloads) == 1
    assert order.count() == len(order.timeline()) == 1
    assert order.shop.one(
        "SELECT queue_id FROM tracker.messages WHERE order_id = %s", order.id
    ) == name_queue_id("4ABC")


def test_a_delivery_knows_the_queue_id_of_the_copy_that_leaves(order: Order) -> None:
    first = order.record()[1]
    assert order.record(queue_id="5DEF")[1] == first
    query = "SELECT d.queue_id FROM tracker.deliveries AS d JOIN tracker.messages AS m"
    query += " ON m.id = d.message_id WHERE m.order_id = %s"
    assert order.shop.one(query, order.id) == name_queue_id("5DEF")


def test_a_repeat_to_another_recipient_adds_a_delivery(order: Order) -> None:
    """A message that was split gives one message, and one delivery for each recipient."""
    jane = order.shop.mask("jane@doe.example").partition("@")[0]
    first = order.record()[1]
    outcome, both = order.record(recipients=to(jane))
    assert outcome == "done"
    assert both == first | {jane: both[jane]}
    assert order.count() == 1
    assert len(order.timeline()) == 2


def test_a_copy_of_a_message_that_is_there_adds_its_delivery_alone(order: Order) -> None:
    jane = order.shop.mask("jane@doe.example").partition("@")[0]
    first = order.record()[1]
    left_out = dict.fromkeys(("sender_name", "message_id", "subject", "first_words"), "")
    copy = {"again": True, "raw": b"", "first_pass": False, **left_out}
    outcome, both = order.record(recipients=to(jane), queue_id="5DEF", **copy)
    assert (outcome, both) == ("done", first | {jane: both[jane]})
    row = order.shop.row("SELECT * FROM tracker.messages WHERE order_id = %s", order.id)
    assert (row["subject"], row["raw"]) == ("Hello", order.message().raw)
    assert len(order.timeline()) == 2


def test_a_copy_of_a_message_that_is_not_there_leaves_nothing_behind(order: Order) -> None:
    """It must come whole: else the timeline would show an empty one."""
    joe = person("joe@doe.example")
    copy = order.message(again=True, raw=b"", first_pass=False, joined=(joe,))
    for _ in range(2):
        assert order.database.record([copy]) == ("unknown", {})
    assert order.count() == 0
    assert joe.token not in {each.token for each in order.conversation().participants}
    assert order.record(first_pass=False)[0] == "done"
    assert order.record(again=True, raw=b"", first_pass=False)[0] == "done"
    assert order.count() == 1


def test_recording_at_once_gives_one_message(order: Order) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: order.record(), range(8)))
    assert order.count() == len(order.timeline()) == 1
    assert {outcome for outcome, _ in answers} == {"done"}
    assert len({bounces[order.john] for _, bounces in answers}) == 1


def test_digests_are_each_orders_own(order: Order, opened: Database) -> None:
    other = Order(order.shop, opened, "2")
    outcome, bounces = opened.record([order.message(), other.message()])
    assert (outcome, set(bounces)) == ("done", {order.john, other.john})
    assert order.count() == other.count() == 1


def test_of_several_orders_all_are_recorded_or_none(order: Order, opened: Database) -> None:
    other = Order(order.shop, opened, "2")
    order.shop.expire("2")
    assert opened.record([order.message(), other.message()]) == ("expired", {})
    assert order.count() == other.count() == 0


def test_orders_are_locked_in_one_sequence_whatever_a_message_names_first(
    order: Order, opened: Database
) -> None:
    other = Order(order.shop, opened, "2")
    lock = "SELECT FROM tracker.orders WHERE id = %s FOR NO KEY UPDATE NOWAIT"
    waiting = "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
    waiting += " WHERE NOT l.granted AND a.datname = current_database()"
    with ThreadPoolExecutor() as pool, order.shop.connection.transaction():
        order.shop.rows(lock, order.id)
        job = pool.submit(opened.record, [other.message(), order.message()])
        assert processes.until(lambda: order.shop.one(waiting) == 1, 5.0)
        order.shop.rows(lock, other.id)
    assert job.result()[0] == "done"


def test_whoever_joined_is_there_afterwards(order: Order) -> None:
    jim, back = person("Jim@Doe.example"), person("bounces@doe.example", "return")
    order.record(joined=(jim, back), sender=jim.token, return_path=back.token)
    known = order.conversation()
    assert known.find_exact(Address.parse("JIM@doe.example")) == replace(jim, recorded=True)
    assert known.find_by_token(back.token) == replace(back, recorded=True)
    assert known.apart == (replace(back, recorded=True),)
    assert order.record(joined=(jim, back), sender=jim.token)[0] == "done"
    assert order.conversation() == known


def test_a_return_address_becomes_a_participant_who_is_introduced_once(order: Order) -> None:
    """A guest's role is nobody's word; who is introduced keeps theirs."""
    back = replace(person("bounces@doe.example", "return"), owner=order.ann)
    order.record(joined=(back,), return_path=back.token)
    assert order.conversation().find_by_token(back.token) == replace(back, recorded=True)
    steps = [("partner", False, "partner"), ("store", True, "store"), ("partner", True, "store")]
    for number, (role, introduced, becomes) in enumerate(steps):
        joining = replace(back, role=role, introduced=introduced, owner=None)  # type: ignore[arg-type]
        order.record(b"%d" % number, joined=(joining,), sender=back.token)
        expected = replace(joining, role=becomes, recorded=True)  # type: ignore[arg-type]
        assert order.conversation().find_by_token(back.token) == expected
    assert order.conversation().apart == ()


def test_guests_are_counted_for_themselves(order: Order) -> None:
    """However many there are, whoever is introduced joins; who is named has to find room."""
    order.shop.set(participant_limit=3, guest_limit=2)
    guests = [replace(person(f"{n}@far.example"), introduced=False) for n in range(5)]
    named = [replace(each, named=True) for each in guests]
    assert order.record(b"1", joined=tuple(named[:2]))[0] == "done"
    assert order.record(b"2", joined=(named[2],))[0] == "stale"
    assert order.record(b"2", joined=(guests[2],))[0] == "done"
    assert order.record(b"3", joined=(person("jim@doe.example"),))[0] == "done"
    assert order.record(b"4", joined=(person("joe@doe.example"),))[0] == "stale"
    order.shop.set(participant_limit=4)
    introduced = replace(guests[0], introduced=True)
    assert order.record(b"4", joined=(introduced,))[0] == "done"
    found = order.conversation()
    assert [str(p.address) for p in found if p.is_guest] == ["2@far.example", "1@far.example"]
    assert found.find_by_token(guests[0].token) == replace(introduced, recorded=True)


def test_whom_a_message_mentions_and_the_order_knows_is_told(order: Order) -> None:
    """The look-up does not bring all former guests and return addresses."""
    order.shop.set(guest_limit=1)
    guests = [replace(person(f"{n}@far.example"), introduced=False) for n in range(3)]
    returns = [person(f"b{n}@far.example", "return") for n in range(6)]
    assert order.record(b"1", joined=(*guests, *returns))[0] == "done"
    mentioned = ("0@far.example", "b0@far.example", "b5@far.example", "who@far.example")
    assert order.record(b"2", mentioned=mentioned) == ("stale", {})
    again = order.database.again(order.id, mentioned)
    assert again is not None
    known = again.conversation
    assert [p.token for p in known if p.is_guest] == [guests[2].token, guests[0].token]
    assert {p.token for p in known.apart} == {p.token for p in (*returns[2:], returns[0])}
    # Who is planned with a token of their own is another one's by then.
    twice = replace(guests[1], token=token())
    assert order.record(b"2", joined=(twice,)) == ("stale", {})
    assert order.record(b"2", mentioned=("who@far.example",))[0] == "done"


def test_a_copy_that_shows_a_soft_alias_hands_it_out(order: Order) -> None:
    """In the same call, and for a message that is recorded already as well."""
    guest = replace(person("far@far.example"), introduced=False)
    assert order.record(b"1", joined=(guest,))[0] == "done"
    out = "SELECT p.handed_out FROM tracker.participants AS p WHERE p.token = %s::uuid"
    for message, shown in (((b"1", order.john)), ((b"2", order.ann))):
        assert order.shop.one(out, shown) is False
        assert order.record(message, shown=(shown,), first_pass=False)[0] == "done"
        assert order.shop.one(out, shown) is True
    assert order.record(b"3", shown=(guest.token,))[0] == "done"
    assert order.shop.one(out, guest.token) is False


def test_a_delivery_may_go_to_a_return_address(order: Order) -> None:
    """In the timeline it went to whoever gave that address."""
    back = replace(person("desk@far.example", "return"), owner=order.john)
    assert order.record(b"1", joined=(back,))[0] == "done"
    assert order.record(b"2", recipients=to(back))[0] == "done"
    row = order.timeline()[-1]
    assert row[TIMELINE.index("recipient_alias")].startswith(back.token)
    assert row[TIMELINE.index("recipient_role")] == "buyer"


def test_who_only_claims_to_be_the_store_has_no_role(order: Order) -> None:
    store = person("sales@doe.example", "store")
    for digest, verdict in ((b"1", "trusted"), (b"2", "flagged")):
        assert (
            order.record(digest, joined=(store,), sender=store.token, verdict=verdict)[0] == "done"
        )
    assert [row[TIMELINE.index("sender_role")] for row in order.timeline()] == ["store", None]


def test_somebody_who_joined_meanwhile_under_another_alias_makes_it_stale(order: Order) -> None:
    jim = person("JIM@doe.example")
    order.shop.mask("jim@DOE.example")
    assert order.record(joined=(jim,), recipients=to(jim)) == ("stale", {})
    assert order.count() == 0
    assert len(order.conversation().participants) == 3


def test_messages_planned_at_once_do_not_pass_the_participant_limit(order: Order) -> None:
    order.shop.set(participant_limit=3)
    jim, joe = person("jim@doe.example"), person("joe@doe.example")
    back = person("bounces@doe.example", "return")
    assert order.record(b"1", joined=(jim,))[0] == "done"
    assert order.record(b"2", joined=(joe,))[0] == "stale"
    promoted = replace(back, role="partner", introduced=True)
    assert order.record(b"2", joined=(promoted,))[0] == "stale"
    assert order.record(b"3", joined=(back,))[0] == "done"
    order.shop.set(participant_limit=2)
    assert order.record(b"1", joined=(jim,))[0] == "done"
    assert order.record(b"4")[0] == "done"


def test_an_expired_order_takes_no_message(order: Order) -> None:
    order.shop.expire()
    assert order.record() == ("expired", {})
    assert order.count() == 0


def test_an_order_that_is_gone_is_expired(order: Order, opened: Database) -> None:
    order.shop.rows("DELETE FROM tracker.orders WHERE id = %s RETURNING 1", order.id)
    assert order.record() == ("expired", {})
    assert opened.again(order.id) is None


def test_beyond_the_hourly_limit_no_messages_are_taken_but_copies_are(order: Order) -> None:
    order.shop.set(hourly_limit=4)
    assert [order.record(digest)[0] for digest in (b"1", b"2", b"3")] == ["done", "done", "limited"]
    for digest in (b"1", b"2"):
        assert order.record(digest, first_pass=False)[0] == "done"
    first = "order_id = %(order)s AND digest = tracker.keyed(%(digest)s)"
    values = {"order": order.id, "digest": b"1".ljust(32)}
    assert aging.move(order.shop.uri, "at - interval '1 hour'", first, values) == 1
    assert order.record(b"3")[0] == "done"
    assert order.record(b"4")[0] == "limited"


def test_a_client_that_repeats_one_message_for_ever_is_limited(order: Order) -> None:
    """Trying again costs nothing; but the limit is not to be had around by repetition."""
    outcomes = [order.record(b"1")[0] for _ in range(21)]
    assert outcomes == ["done"] * 20 + ["limited"]
    assert order.record(b"1", first_pass=False)[0] == "done"


def test_a_mail_server_that_tries_for_days_is_not_limited(order: Order) -> None:
    """A milter behind us may refuse all the while: the message must get through in the end."""
    for _ in range(21):
        order.record(b"1")
    values = {"order": order.id}
    assert aging.move(order.shop.uri, "at - interval '1 hour'", "order_id = %(order)s", values) == 1
    outcomes = [order.record(b"1")[0] for _ in range(5)]
    assert outcomes == ["done"] * 4 + ["limited"]


def test_the_same_message_a_week_later_is_another_one(order: Order) -> None:
    order.record(b"1")
    aging.move(order.shop.uri, "at - interval '8 days'")
    assert order.record(b"1")[0] == "done"
    count = "SELECT count(*) FROM tracker.messages WHERE order_id = %s"
    assert order.shop.one(count, order.id) == 2


def test_what_only_its_client_tells_apart_is_another_message_ten_minutes_later(
    order: Order,
) -> None:
    """A client tries again within minutes; a notice that comes each hour is one each time."""
    first = order.record(b"1", brief=True)[1]
    aging.move(order.shop.uri, "at - interval '9 minutes'")
    assert order.record(b"1", brief=True)[1] == first
    aging.move(order.shop.uri, "at - interval '2 minutes'")
    second = order.record(b"1", brief=True)[1]
    assert second != first
    assert order.count() == 2
    # The splitter's copies know neither client nor time; each finds the newest, however late.
    aging.move(order.shop.uri, "at - interval '1 day'")
    assert order.record(b"1", first_pass=False)[1] == second
    assert order.count() == 2


def test_whoever_was_erased_meanwhile_gets_nothing(order: Order) -> None:
    """The plan is made again, and then refuses."""
    jim = person("jim@doe.example")
    order.record(b"0", joined=(jim,))
    order.shop.one("SELECT tracker.erase('jim@doe.example')")
    assert order.record(b"1", recipients=to(jim))[0] == "stale"


def test_a_machine_that_answers_again_and_again_is_looping(order: Order) -> None:
    for number in range(5):
        assert order.record(bytes([number]), auto_reply=True)[0] == "done"
    assert order.record(b"six", auto_reply=True) == ("looping", {})
    assert order.record(bytes([0]), auto_reply=True)[0] == "done"
    assert order.record(b"person")[0] == "done"
    other = order.record(b"other", auto_reply=True, sender=order.john, recipients=to(order.ann))
    assert other[0] == "done"


def test_a_notification_names_the_message_by_aliases_only(order: Order, notified: Notified) -> None:
    order.shop.set(mask="soft", issuer_mask="soft")
    with notified(order.shop.uri) as payloads:
        order.record()
        order.database._announcer.flush()
    assert [json.loads(payload) for payload in payloads] == [
        {
            "id": order.timeline()[0][-1],
            "store": order.shop.name,
            "order": "1",
            "direction": "outbound",
            "from": f"{order.ann}@{order.shop.alias_domain}",
            "to": [f"{order.john}@{order.shop.alias_domain}"],
        }
    ]


def test_a_notification_is_never_too_long_to_be_sent(
    order: Order, opened: Database, notified: Notified
) -> None:
    long = f"{'l' * 63}.{'m' * 63}.long-{order.shop.alias_domain}"
    order.shop.set(alias_domain=f"{'d' * (199 - len(long))}.{long}", participant_limit=200)
    order.shop.set(name="\U0001f600" * 100)
    order.shop.name = "\U0001f600" * 100
    other = Order(order.shop, opened, '"' * 200)
    third = Order(order.shop, opened, "\U0001f600" * 200)
    crowd = tuple(person(f"p{n}@doe.example") for n in range(100))
    for each in (other, third):
        crowd = tuple(replace(one, token=token()) for one in crowd)
        with notified(order.shop.uri) as payloads:
            assert each.record(joined=crowd, recipients=to(*crowd))[0] == "done"
            opened._announcer.flush()
        assert len(payloads[0].encode()) < 8000
        assert json.loads(payloads[0])["order"] == each.number
        assert len(json.loads(payloads[0])["to"]) > 10
        assert len(each.timeline()) == 100


def test_the_timeline_has_one_row_for_each_recipient_in_hard_form_only(order: Order) -> None:
    order.shop.set(mask="soft", issuer_mask="soft")
    jane = order.shop.one(
        "INSERT INTO tracker.participants (order_id, token, role, address)"
        " VALUES (%s, gen_random_uuid(), 'store', 'jane@doe.example') RETURNING token", order.id
    ).hex  # fmt: skip
    order.record(recipients=to(order.john, jane), attachment_names=("a.pdf",))
    query = "SELECT * FROM tracker.timeline WHERE store = %s"
    columns = [
        each.name for each in order.shop.connection.execute(query.encode(), ("",)).description or ()
    ]
    assert columns == TIMELINE
    at = order.shop.one("SELECT at FROM tracker.messages WHERE order_id = %s", order.id)
    number = order.shop.one("SELECT id FROM tracker.messages WHERE order_id = %s", order.id)
    domain = order.shop.alias_domain
    assert sorted(order.timeline()) == sorted(
        (order.shop.name, "1", at, "outbound", "partner", f"{order.ann}@{domain}", "Ann",
         f"{who}@{domain}", role, "Hello", "How are you?", True, "accepted", "", "", [], number)
        for who, role in ((order.john, "buyer"), (jane, "store"))
    )  # fmt: skip


def test_a_real_address_stands_in_one_column_only(order: Order) -> None:
    jim = person(f"jim@secret-{order.shop.name}.example")
    order.record(joined=(jim,), recipients=to(jim))
    tables = order.shop.rows(
        "SELECT c.oid::regclass::text FROM pg_class AS c"
        " WHERE c.relnamespace = 'tracker'::regnamespace AND c.relkind = 'r'"
    )
    assert len(tables) >= 8
    for (table,) in tables:
        holding = order.shop.rows(
            f"SELECT e.key FROM {table} AS t, jsonb_each(to_jsonb(t)) AS e"
            " WHERE e.value::text LIKE %s",
            f"%secret-{order.shop.name}%",
        )
        assert holding == ([("address",)] if table == "tracker.participants" else [])


def test_erasing_takes_the_names_from_what_was_recorded(order: Order) -> None:
    """And the identifiers that revealed a person; those of others stay."""
    move = "UPDATE tracker.participants SET address = %s WHERE token = %s::uuid RETURNING 1"
    order.shop.rows(move, f"ann@{order.shop.name}.example", order.ann)
    order.record(identifiers=(MappedId("<a@ct>", "<1.ann@doe.example>", order.ann),))
    john = MappedId("<b@ct>", "<2.john@doe.example>", order.john)
    order.record(
        b"2", sender=order.john, sender_name="John", recipients=to(order.ann), identifiers=(john,)
    )
    assert set(order.database.identifiers(order.id, ["<a@ct>", "<b@ct>"])) == {"<a@ct>", "<b@ct>"}
    order.shop.one("SELECT tracker.erase(%s)", f"ANN@{order.shop.name}.example")
    assert order.database.identifiers(order.id, ["<a@ct>", "<b@ct>"]) == {"<b@ct>": john}
    assert sorted((row[4], row[6]) for row in order.timeline()) == [
        ("buyer", "John"),
        ("partner", ""),
    ]


@pytest.mark.parametrize("count", [0, 1, 50])
def test_identifiers_come_with_the_conversation(order: Order, count: int) -> None:
    mapped = [
        MappedId(f"<m-{n}@ct>", f'<{n} a\r\n\t"b@x.example>', order.ann) for n in range(count)
    ]
    order.record(identifiers=tuple(mapped))
    found = order.database.again(order.id)
    assert found is not None
    assert found.conversation.identifiers is not None
    assert sorted(found.conversation.identifiers, key=str) == sorted(mapped, key=str)


@pytest.mark.parametrize(("count", "size"), [(51, 1), (3, 4000)])
def test_identifiers_that_are_too_many_are_asked_for_later(
    order: Order, count: int, size: int
) -> None:
    mapped = [MappedId(f"<m-{n}@ct>", f"<{n}{'x' * size}>", order.ann) for n in range(count)]
    order.record(identifiers=tuple(mapped))
    found = order.database.again(order.id)
    assert found is not None
    assert found.conversation.identifiers is None
    assert order.database.identifiers(order.id, ["<m-1@ct>"]) == {"<m-1@ct>": mapped[1]}


def test_recording_and_looking_up_need_no_search_path(order: Order) -> None:
    """Their functions set none, so whatever the connection's says must not matter."""
    database = Database(make_conninfo(order.shop.uri, options="-c search_path=''"))
    database.open()
    order.shop.hand_out()
    try:
        join = person("new@doe.example")
        mapped = MappedId("<ours@x.example>", "<1@doe.example>", order.john)
        message = order.message(joined=(join,), identifiers=(mapped,))
        for _again in range(2):
            assert database.record([message]) == ("done", dict(message.recipients))
        hard = database.find(Hard(join.token, order.shop.alias_domain))
        ref = order.shop.order("1")["ref"]
        soft = database.find(Soft("john@doe.example", ref, order.shop.alias_domain))
        for found in (hard, soft, database.again(order.id)):
            assert found is not None
            assert found.conversation.order.id == order.id
        assert soft is not None
        assert soft.token == order.john
    finally:
        database.close()
