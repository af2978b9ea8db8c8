"""Guests and return addresses stop nobody, whoever causes them and however many they are."""

from typing import TYPE_CHECKING

import psycopg
import pytest

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.alias import Hard
from conversation_tracker.core.model.message import Arrival, Message, parse
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.repository import Database
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.transaction import Transaction

if TYPE_CHECKING:
    from tests.database.conftest import Shop

JOHN, DESK, EVE = "john@doe.example", "desk@carrier.example", "eve@far.example"
MANY = """
INSERT INTO tracker.participants (order_id, token, role, address, introduced)
SELECT %(order)s, md5('guest' || n || '.' || %(order)s)::uuid, 'partner',
       'guest' || n || '@far.example', false
  FROM generate_series(1, 10000) AS n;
INSERT INTO tracker.participants (order_id, token, role, introduced)
SELECT %(order)s, md5('return' || n || '.' || %(order)s)::uuid, 'return', false
  FROM generate_series(1, 20000) AS n;
INSERT INTO tracker.return_addresses (participant_id, order_id, address)
SELECT p.id, p.order_id, 'return' || row_number() OVER (ORDER BY p.id) || '@far.example'
  FROM tracker.participants AS p WHERE p.order_id = %(order)s AND p.role = 'return';
"""
READ = """
SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))
  FROM pg_stat_xact_user_tables WHERE schemaname = 'tracker'
"""


class Post:
    """One order of a shop, and the tracker that takes mail for it."""

    def __init__(self, shop: "Shop", database: Database) -> None:
        self.shop, self.database = shop, database
        domain = f"{shop.name}.example"
        shop.set(sender_domains=[domain], hourly_limit=10_000)
        self.own = f"orders@{domain}"
        self.john = shop.mask(JOHN)
        self.desk = shop.mask(DESK, role="partner")
        directory = database.directory()
        self.tracker = Filter(database, lambda: directory)
        self.number = 0

    def send(
        self,
        author: str,
        *fields: str,
        to: str | list[str] = "",
        sender: str = "",
        body: str = "Hello\n",
    ) -> Plan:
        """Take one message to aliases, John's if none is named, and give its plan."""
        self.number += 1
        transaction = Transaction(trusted=author == self.own)
        for each in [to or self.john] if isinstance(to, str) else to:
            assert self.tracker.accept_recipient(transaction, f"<{each}>".encode()) is None
        text = "\n".join([f"From: {author}", *fields, f"Subject: {self.number}", "", body])
        headers, content = parse(text.encode())
        arrival = Arrival(f"Q{self.number}", trusted=transaction.trusted, client="192.0.2.1")
        message = Message(
            Address.parse(sender or author),
            tuple(transaction.recipients),
            headers,
            content,
            arrival,
        )
        return self.tracker.decide(transaction, message).plan

    def count(self, which: str) -> int:
        """Count participants."""
        query = f"SELECT count(*) FROM tracker.participants AS p WHERE p.order_id = %s AND {which}"
        return int(self.shop.one(query, self.shop.order()["id"]))

    def crowd(self) -> None:
        """Let the order have had ten thousand guests, and twice as many return addresses."""
        order = self.shop.order()["id"]
        for statement in MANY.split(";")[:-1]:
            self.shop.connection.execute((statement % {"order": order}).encode())
        self.shop.connection.execute("ANALYZE")


@pytest.fixture
def post(shop: "Shop", opened: Database) -> Post:
    return Post(shop, opened)


def test_ninety_eight_names_of_a_stranger_shut_nothing(post: Post) -> None:
    """Neither the store's own mail, nor its people's, nor mask()."""
    names = ", ".join(f"n{number}@far.example" for number in range(98))
    for _again in range(2):
        assert post.send(EVE, f"To: {post.john}, {names}").reply is None
    assert post.count("NOT p.introduced") == 20
    notes = post.shop.rows("SELECT notes FROM tracker.messages ORDER BY id")
    assert [each for (each,) in notes][-2:] == [["left out: 79"], ["left out: 79"]]
    post.shop.set(participant_limit=5)
    assert post.send(post.own, f"To: {post.john}").reply is None
    assert post.send(DESK, f"To: {post.john}").reply is None
    alias = post.shop.mask("jane@doe.example")
    assert post.shop.unmask(alias) == "jane@doe.example"
    assert post.send("late@far.example").reply is None
    assert post.shop.mask("n97@far.example").endswith(post.shop.alias_domain)
    with pytest.raises(psycopg.errors.ProgramLimitExceeded):
        post.shop.mask("n96@far.example")


def test_a_new_reply_to_and_return_path_for_each_message_shut_nothing(post: Post) -> None:
    post.shop.set(participant_limit=3, guest_limit=0)
    for number in range(12):
        sender = f"bounce-{number}@mailer.example"
        plan = post.send(DESK, f"Reply-To: t{number}@carrier.example", sender=sender)
        assert plan.reply is None
    assert (post.count("p.introduced"), post.count("p.role = 'return'")) == (2, 24)
    query = "SELECT replace(p.token::text, '-', '') FROM tracker.people AS p"
    query += " WHERE p.order_id = %s AND p.address = 't0@carrier.example'"
    token = post.shop.one(query, post.shop.order()["id"])
    plan = post.send(JOHN, to=f"{token}@{post.shop.alias_domain}")
    assert "add recipient <t0@carrier.example>" in [str(edit) for edit in plan.edits]
    # An address that came before has the alias it had.
    plan = post.send(DESK, "Reply-To: t0@carrier.example")
    assert any(token in str(edit) for edit in plan.edits)
    assert post.count("p.role = 'return'") == 24


def test_a_former_guest_is_masked_wherever_a_message_names_them(post: Post) -> None:
    """The look-up does not bring them; the record tells, and the message is planned once more."""
    post.crowd()
    query = "SELECT replace(p.token::text, '-', '') FROM tracker.people AS p"
    query += " WHERE p.order_id = %s AND p.address = 'guest1@far.example'"
    token = post.shop.one(query, post.shop.order()["id"])
    alias = f"{token}@{post.shop.alias_domain}"
    for fields, body in (
        (("Cc: guest1@far.example",), "Hello\n"),
        (("Subject: guest1@far.example",), "Hello\n"),
        ((), "Ask guest1@far.example.\n"),
    ):
        plan = post.send(DESK, *fields, body=body)
        shown = [str(edit) for edit in plan.edits]
        if body == "Hello\n":
            assert any(alias in each for each in shown)
        assert post.shop.one(
            "SELECT position(%s IN convert_from(raw, 'UTF8')) > 0 FROM tracker.messages"
            " ORDER BY id DESC LIMIT 1",
            alias,
        )
    assert post.send("guest1@far.example").reply is None
    assert post.count("NOT p.introduced AND p.role <> 'return'") == 10_000
    plan = post.send(JOHN, to=alias)
    assert "add recipient <guest1@far.example>" in [str(edit) for edit in plan.edits]
    before = post.count("p.role = 'return'")
    assert post.send(DESK, "Cc: return7@far.example", sender="return8@far.example").reply is None
    assert post.count("p.role = 'return'") == before


def test_mail_to_several_who_are_not_read_with_the_order_reaches_each(post: Post) -> None:
    """Each look-up brings whom it asks for, and the next one must not lose them."""
    post.crowd()
    tokens = post.shop.rows(
        "SELECT replace(p.token::text, '-', '') FROM tracker.people AS p WHERE p.order_id = %s"
        " AND p.address ~ '^(guest1|guest2|return1|return2)@' ORDER BY p.address",
        post.shop.order()["id"],
    )
    aliases = [f"{token}@{post.shop.alias_domain}" for (token,) in tokens]
    # Somebody else is named whom the order knows, so it is planned twice.
    plan = post.send(JOHN, "Cc: guest3@far.example", to=[*aliases, post.desk])
    assert (plan.reply, plan.split) == (None, True)
    query = "SELECT count(*) FROM tracker.deliveries AS d JOIN tracker.messages AS m"
    query += " ON m.id = d.message_id WHERE m.order_id = %s"
    assert post.shop.one(query, post.shop.order()["id"]) == 5


def test_an_identifier_of_a_return_path_is_its_owners(post: Post) -> None:
    """It was made at the host that takes the bounces, and a thread must hold."""
    number = "<1@mailer.example>"
    plan = post.send(DESK, f"Message-ID: {number}", sender="b1@mailer.example")
    [ours] = [str(e).partition(": ")[2] for e in plan.edits if "Message-ID" in str(e)]
    assert ours.endswith(f"@{post.shop.alias_domain}>")
    answer = post.send(JOHN, f"In-Reply-To: {ours}", to=post.desk)
    assert f"change header In-Reply-To 1: {number}" in [str(edit) for edit in answer.edits]


def test_ten_thousand_former_guests_and_answers_are_not_read(post: Post) -> None:
    """What a message reads in such an order is little more than in a new one."""
    post.crowd()
    token, _, domain = post.john.partition("@")
    read = {}
    for number in ("1", "2"):
        alias = post.john if number == "1" else post.shop.mask(JOHN, "2")
        with Connection.connect(post.shop.uri) as connection, connection.transaction():
            [row] = connection.execute(
                "SELECT participants FROM tracker.conversation_of_hard(%s::uuid, %s)",
                (alias.partition("@")[0], domain),
            ).fetchall()
            read[number] = connection.execute(READ).fetchall()[0][0]
            assert len(row[0].split("\n")) <= 26
    assert read["1"] <= read["2"] + 60
    found = post.database.find(Hard(token, domain))
    assert found is not None
    guests = [str(each.address) for each in found.conversation if each.is_guest]
    assert guests == [f"guest{n}@far.example" for n in range(10_000, 9_980, -1)]
    assert len(found.conversation.apart) == 4


def test_two_strangers_at_once_do_not_fill_one_place_twice(post: Post) -> None:
    post.shop.set(guest_limit=2)
    assert post.send(EVE, "Cc: a@far.example").reply is None
    for name in ("b", "c"):
        assert post.send(f"{name}@far.example", "Cc: d@far.example").reply is None
    assert post.count("NOT p.introduced") == 4


def test_who_an_introduced_and_verified_author_names_is_introduced_for_good(post: Post) -> None:
    post.shop.set(guest_limit=1)
    assert post.send(DESK, "Cc: ann@far.example").reply is None
    assert post.count("NOT p.introduced") == 1
    assert post.send(post.own, "Cc: ann@far.example").reply is None
    assert (post.count("NOT p.introduced"), post.count("p.introduced")) == (0, 4)


@pytest.mark.parametrize("field", ["Cc", "Reply-To"])
def test_a_tagged_spelling_of_a_guest_joins_beside_them(post: Post, field: str) -> None:
    """Whom a stranger named stays a guest apart, and the order's mail to the other one passes."""
    assert post.send(EVE, f"{field}: kim@x.example", "Cc: lee@x.example").reply is None
    assert post.send(JOHN, f"{field}: lee@x.example").reply is None
    number = f"X-Order-Id: {post.shop.order()['number']}"
    for address in ("kim+shop@x.example", "lee+shop@x.example"):
        assert post.send(post.own, f"To: {address}").reply is None
        assert post.send(post.own, number, "Cc: kim+2@x.example").reply is None
        assert post.send(post.own, number, f"To: {address}", "Cc: lee+3@x.example").reply is None


def test_an_author_with_a_third_tag_writes_to_an_order_of_two(post: Post) -> None:
    for address in ("ann+1@x.example", "ann+2@x.example"):
        post.shop.mask(address, role="partner")
    assert post.send("ann@x.example").reply is None
    assert post.send("ann+3@x.example").reply is None


def test_more_answer_addresses_than_take_part_pass_in_any_order(post: Post) -> None:
    """Those beyond the tenth are known from before, and each is shown by the alias it has."""
    many = [f"r{number}@far.example" for number in range(12)]
    assert post.send(EVE, f"Reply-To: {', '.join(many)}").reply is None
    plan = post.send(EVE, f"Reply-To: {', '.join(reversed(many))}")
    assert plan.reply is None
    assert "far.example" not in str([str(edit) for edit in plan.edits if "Reply-To" in str(edit)])
    links = [f"<mailto:s{number}@far.example>" for number in range(12)]
    for each in (links, links[::-1]):
        assert post.send(post.own, f"List-Unsubscribe: {', '.join(each)}").reply is None


@pytest.mark.parametrize(
    ("takes_part", "to", "found"),
    [
        (JOHN, "JOHN@doe.example", True),
        (JOHN, "john+news@doe.example", True),
        ("jo.hn@gmail.com", "john@gmail.com", True),
        ("jo.hn@gmail.com", "J.ohn+news@googlemail.com", True),
        ("john@googlemail.com", "jo.hn@gmail.com", True),
        ("jo.hn+shop@gmail.com", "john+shop@gmail.com", True),
        ("ann+shop@doe.example", "ann@doe.example", True),
        ("Ann+Shop@doe.example", "ann+other@DOE.example", True),
        ("a.nn+shop@googlemail.com", "ann@gmail.com", True),
        ("ann+shop@b\u00fccher.example", "ann@xn--bcher-kva.example", True),
        ('"ann+shop"@doe.example', "ann@doe.example", True),
        ("ann+shop@doe.example", "annshop@doe.example", False),
        ("ann+shop@doe.example", "ann@doe.example.org", False),
        ("+ann@doe.example", "ann@doe.example", False),
        ("ki.m@doe.example", "kim@doe.example", False),
        (JOHN, "johnny@doe.example", False),
    ],
)
def test_unnamed_mail_knows_who_takes_part_in_every_spelling(
    post: Post, takes_part: str, to: str, found: bool
) -> None:
    post.shop.mask(takes_part)
    other = Address.parse("nobody@else.example")
    addresses = [other, Address.parse(to)]
    assert post.database.takes_part(post.shop.name, addresses) is found
    assert not post.database.takes_part(post.shop.name, [other])
    assert not post.database.takes_part("other", addresses)
