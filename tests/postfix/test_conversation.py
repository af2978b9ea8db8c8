"""Whole conversations on a real Postfix, written with mail programs that answer what they got."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from private.sink import Mail

from .leaks import found_in
from .mailclient import Letter, Person, mailboxes, text_of
from .stage import DOMAIN, Order, Stage, stage

if TYPE_CHECKING:
    from private.postgres import Postgres

BUYER = Person("johndoe@buyer.example", "John Doe")
CARRIER = Person("tracking@carrier.example", "The carrier")


@pytest.fixture(scope="module")
def host(postgres: "Postgres", migrated: str) -> Iterator[Stage]:
    """One mail host for all of them."""
    with stage(postgres, migrated) as found:
        yield found


def posted(stage: Stage, letter: Letter, *, trusted: bool = False) -> dict[str, Mail]:
    """Hand a letter in, which must be taken; give the copies that left, by whom they reached."""
    came = stage.carried(letter.sender, letter.recipients, letter.data, trusted=trusted)
    copies = {mail.addresses[0]: mail for mail in came}
    assert len(copies) == len(came)
    return copies


def told(mail: Mail, order: Order) -> list[str]:
    """Return the addresses of others that a copy tells, soft aliases apart."""
    people = order.people()
    others = [p.address for p in people if p.address.lower() != mail.addresses[0].lower()]
    return found_in(mail.data, others, [p.soft for p in people if p.soft])


@pytest.mark.parametrize("masks", [["hard"], ["soft"], ["hard", "soft"]])
def test_three_answer_all_through_the_tracker(host: Stage, masks: list[str]) -> None:
    """Whoever answers to all reaches everybody else, also while the store changes its aliases."""
    forms = itertools.cycle(masks)
    shop = host.shop(mask=next(forms))
    order = shop.order("1001", buyer=BUYER.address)
    store = Person(f"orders@{shop.domain}", "The shop")
    people = {each.address: each for each in (BUYER, store, CARRIER)}
    letter = store.write([BUYER.address], "Parcel", "Dear all,", cc=[CARRIER.mailbox])
    data = b"X-Order-Id: 1001\r\n" + letter.data
    came = host.carried(letter.sender, letter.recipients, data, trusted=True)
    copies = {mail.addresses[0]: mail for mail in came}
    for who in (BUYER, CARRIER, store, CARRIER, BUYER):
        others = people.keys() - {who.address}
        mail = copies[who.address]
        shop.set(mask=next(forms))
        answer = who.answer_all(mail, f"{who.address} agrees.")
        assert len(answer.recipients) == 2
        assert all(re.search(rf"[@.]{DOMAIN}$", address) for address in answer.recipients)
        fresh = posted(host, answer, trusted=who is store)
        assert fresh.keys() == others
        copies |= fresh
        for mail in fresh.values():
            assert not told(mail, order)
            assert f"{order.alias(who.address)} agrees." in mail.body.decode()
            assert mailboxes(mail, "From") == [(who.name, order.alias(who.address))]
    assert len(order.people()) == 3
    assert len(order.timeline()) == 12
    host.rest([shop])


def test_two_ticket_robots_that_do_not_say_so_are_stopped(host: Stage) -> None:
    """Each answers all it gets with a ticket of its own; people of the order go on writing."""
    shop = host.shop()
    robots = (CARRIER, Person("help@payment.example", "Help desk"))
    order = shop.order(
        "1001", buyer=BUYER.address, **{f"r{n}": r.address for n, r in enumerate(robots)}
    )
    letter = robots[0].write([order.alias(robots[1].address)], "Ticket", "Thank you for writing.")
    for number in range(1, 20):
        who = robots[number % 2]
        [mail] = posted(host, letter).values()
        letter = who.answer_all(mail, f"Thank you for writing: ticket {number}.")
    for _ in range(2):
        reply = host.send(letter.sender, letter.recipients, letter.data).final
        assert str(reply).startswith("554 5.4.6")
    for robot in robots:
        assert posted(
            host, robot.write([order.alias(BUYER.address)], "Parcel", "It is on its way.")
        )
        assert posted(host, BUYER.write([order.alias(robot.address)], "Parcel", "Where is it?"))
    states = [line.state for line in order.timeline()]
    assert states.count("refused") == 1
    assert len(states) == 19 + 4 + 1
    host.rest([shop])


def test_fifty_recipients(host: Stage) -> None:
    """Each of fifty gets a copy of their own with their own address, and 49 aliases."""
    shop = host.shop()
    people = [Person(f"reader{number}@reader.example", f"Reader {number}") for number in range(50)]
    order = shop.order("1001", **{f"reader{n}": each.address for n, each in enumerate(people)})
    aliases = {each.address: order.alias(each.address) for each in people}
    letter = CARRIER.write(aliases.values(), "To all", "Good morning.")
    came = host.carried(letter.sender, letter.recipients, letter.data)
    assert {mail.addresses for mail in came} == {(each.address,) for each in people}
    for mail in came:
        [mine] = mail.addresses
        shown = {address for _, address in mailboxes(mail, "To")}
        assert shown == {mine} | {alias for each, alias in aliases.items() if each != mine}
        assert not told(mail, order)
    assert len({mail.sender.address for mail in came}) == 50
    assert len(order.timeline()) == 50
    host.rest([shop])


def test_what_our_host_adds_is_the_same_in_each_copy(host: Stage) -> None:
    """A message without Message-ID and Date gets them once, not once for each copy."""
    shop = host.shop()
    order = shop.order("1001", buyer=BUYER.address, carrier=CARRIER.address)
    store = Person(f"orders@{shop.domain}", "The shop")
    letter = store.write(map(order.alias, (BUYER.address, CARRIER.address)), "Order", "Text.")
    data = re.sub(rb"(Message-ID|Date): [^\r]*\r\n", b"", letter.data)
    replies, came = host.play(letter.sender, letter.recipients, data, signed_in=True)
    assert replies.ok
    assert len(came) == 2
    for name in ("Message-ID", "Date"):
        [value] = {tuple(mail.header(name)) for mail in came}
        assert len(value) == 1
    host.rest([shop])


def test_thread_holds_on_both_sides(host: Stage) -> None:
    """Both mail programs see one thread, whatever the subjects say; nobody sees the other's ids."""
    shop = host.shop()
    order = shop.order("1001", buyer=BUYER.address)
    store = Person(f"orders@{shop.domain}", "The shop")
    first = store.write([order.alias(BUYER.address)], "Your order", "Thank you!")
    [came] = posted(host, first, trusted=True).values()
    assert text_of(came, "Message-ID") == first.message_id
    second = BUYER.answer(came, "Where is it?", subject="Hello")
    [came] = posted(host, second).values()
    masked = text_of(came, "Message-ID")
    assert re.fullmatch(rf"<m-[0-9a-f]{{32}}@{DOMAIN}>", masked)
    assert text_of(came, "References") == text_of(came, "In-Reply-To") == first.message_id
    third = store.answer(came, "Here it is.", subject="Found")
    [came] = posted(host, third, trusted=True).values()
    assert text_of(came, "In-Reply-To") == second.message_id
    assert text_of(came, "References") == f"{first.message_id} {second.message_id}"
    fourth = BUYER.answer(came, "Thanks.", subject="")
    [came] = posted(host, fourth).values()
    assert text_of(came, "In-Reply-To") == third.message_id
    assert text_of(came, "References") == f"{first.message_id} {masked} {third.message_id}"
    # The store's other system answers the buyer's real address, and names the order by nothing
    # else than what it answers.
    fifth = Person(f"erp@{shop.domain}").write(
        [BUYER.mailbox], "Invoice", "Pay.", In_Reply_To=masked
    )
    [came] = posted(host, fifth, trusted=True).values()
    assert text_of(came, "In-Reply-To") == second.message_id
    assert mailboxes(came, "From") == [("", order.alias(f"erp@{shop.domain}"))]
    assert [line.subject for line in order.timeline()] == [
        *("Your order", "Hello", "Found", "", "Invoice")
    ]
    host.rest([shop])


@pytest.mark.parametrize(
    "address",
    [
        "desk@example.com",
        "desk@ct-desk.example.com",
        "desk@buyer.example",
        "desk@mail.buyer.example",
        "desk@carrier.example",
    ],
)
def test_thread_holds_whatever_domain_somebody_writes_from(host: Stage, address: str) -> None:
    """In the alias domain's parent, beside it, in the buyer's own, elsewhere; for several too."""
    partner, third = Person(address, "Desk"), Person("pay@payment.example", "Payment")
    shop = host.shop()
    order = shop.order("1001", buyer=BUYER.address, desk=partner.address, payment=third.address)
    names = {each.address: each for each in (BUYER, partner, third)}
    own: dict[str, dict[str, str]] = {who: {} for who in names}
    letter = partner.write([*map(order.alias, (BUYER.address, third.address))], "Parcel", "Hello.")
    chain = []
    for who in (partner, BUYER, third, partner, BUYER):
        copies = posted(host, letter)
        assert copies.keys() == names.keys() - {who.address}
        chain.append((who.address, letter.message_id))
        for reader, mail in copies.items():
            seen = text_of(mail, "Message-ID")
            own[reader][letter.message_id] = seen
            expected = [i if w == reader else own[reader][i] for w, i in chain[:-1]]
            assert text_of(mail, "References").split() == expected
            assert [text_of(mail, "In-Reply-To")] == (expected[-1:] or [""])
        writer = {partner.address: BUYER, BUYER.address: third, third.address: partner}[who.address]
        if who is BUYER and len(chain) == 5:
            break
        letter = writer.answer_all(copies[writer.address], "Yes.")
    # A report of failure names the message as its author knows it.
    lost = partner.write([order.alias(BUYER.address)], "Lost", "Hello.")
    posted(host, lost)
    report = b"From: MAILER-DAEMON@mx.buyer.example\r\n\r\n"
    [notice] = host.carried("", order.bounce(BUYER.address), report)
    assert notice.addresses == (partner.address,)
    assert text_of(notice, "In-Reply-To") == lost.message_id
    host.rest([shop])


def test_identifiers_of_public_providers_stay(host: Stage) -> None:
    """A large provider's domain tells nobody apart; an address in an identifier does."""
    shop = host.shop()
    buyer = Person("johndoe@gmail.com", "John")
    order = shop.order("1001", buyer=buyer.address, carrier=CARRIER.address)
    letter = buyer.write([order.alias(CARRIER.address)], "Hello", "Text.")
    [came] = posted(host, letter).values()
    assert text_of(came, "Message-ID") == letter.message_id
    telling = {"Message_ID": "<1.johndoe@gmail.com>"}
    letter = buyer.write([order.alias(CARRIER.address)], "Hello", "Text.", **telling)
    [came] = posted(host, letter).values()
    assert re.fullmatch(rf"<m-[0-9a-f]{{32}}@{DOMAIN}>", text_of(came, "Message-ID"))
    host.rest([shop])


def test_forwarding_to_the_own_alias_ends(host: Stage) -> None:
    """Whoever forwards what they get back to their alias is stopped within the hop limit."""
    shop = host.shop()
    order = shop.order("1001", buyer=BUYER.address)
    alias = order.alias(BUYER.address)
    letter = CARRIER.write([alias], "Parcel", "Text.")
    mail = posted(host, letter)[BUYER.address]
    # As it is, with From in our domain: at once.
    replies, came = host.play(mail.sender.address, alias, mail.data)
    assert (str(replies.final)[:9], came) == ("554 5.4.6", [])
    # As a list does, from an address of its own.
    rounds = 0
    while replies.ok or rounds == 0:
        data = re.sub(rb"\r\nFrom: [^\r]*", b"\r\nFrom: forwarder@buyer.example", mail.data)
        replies, came = host.play("forwarder@buyer.example", alias, data)
        mail = came[0] if replies.ok else mail
        rounds += 1
        assert rounds <= 5
    assert (str(replies.final)[:9], came) == ("554 5.4.6", [])
    refused = [line for line in order.timeline() if line.state == "refused"]
    assert {(line.status, line.said[:9]) for line in refused} == {("5.4.6", "554 5.4.6")}
    host.rest([shop])


@pytest.mark.parametrize("null", [True, False])
def test_two_that_answer_automatically_end(host: Stage, null: bool) -> None:
    """Two programs that answer each other come to an end, and the timeline says so."""
    shop = host.shop()
    order = shop.order("1001", buyer=BUYER.address, carrier=CARRIER.address)
    people = {each.address: each for each in (BUYER, CARRIER)}
    letter = CARRIER.write([order.alias(BUYER.address)], "Parcel", "Text.")
    [mail] = posted(host, letter).values()
    for rounds in range(1, 30):
        who = people[mail.addresses[0]]
        answer = who.answer(mail, f"Round {rounds}")
        data = b"Auto-Submitted: auto-replied\r\n" + answer.data
        replies, came = host.play("" if null else answer.sender, answer.recipients, data)
        if not replies.ok:
            break
        [mail] = came
    assert str(replies.final).startswith("554 5.4.6")
    assert rounds <= 11
    *_, last = order.timeline()
    assert last.state == "refused"
    assert last.said.startswith("554 5.4.6")
    host.rest([shop])


def test_five_thousand_addresses(host: Stage) -> None:
    """One message does not fill an order: a stranger's names are left out, the store's refused."""
    shop = host.shop()
    order = shop.order("1001", buyer=BUYER.address)
    store = Person(f"orders@{shop.domain}", "The shop")
    crowd = [f"reader{number}@reader.example" for number in range(5000)]
    for who in (CARRIER, store):
        letter = who.write([order.alias(BUYER.address), *crowd], "To all", "Text.")
        trusted = who is store
        replies, came = host.play(
            who.address, order.alias(BUYER.address), letter.data, trusted=trusted
        )
        if trusted:
            assert str(replies.final).startswith("550 5.7.1 Too many addresses")
            assert came == []
        else:
            [mail] = came
            aliases = {order.alias(each) for each in crowd[:19]}
            assert {a for _, a in mailboxes(mail, "To")} == {BUYER.address, *aliases}
        assert len(order.people()) == 1 + 20
    taken, refused = order.timeline()
    assert (taken.state, refused.state, refused.subject) == ("accepted", "refused", "To all")
    host.rest([shop])


def test_ninety_eight_names_of_a_stranger_shut_an_order_for_nobody(host: Stage) -> None:
    """The store's own mail, its people's, new aliases: all goes on as before."""
    shop = host.shop(participant_limit=4)
    order = shop.order("1001", buyer=BUYER.address, carrier=CARRIER.address)
    store = Person(f"orders@{shop.domain}", "The shop")
    stranger = Person("eve@far.example", "Eve")
    crowd = [f"n{number}@far.example" for number in range(98)]
    alias = order.alias(BUYER.address)
    for _ in range(2):
        letter = stranger.write([alias, *crowd], "To all", "Text.")
        assert len(host.carried(stranger.address, alias, letter.data)) == 1
    for who in (store, CARRIER):
        came = posted(host, who.write([alias], "Your order", "Thank you!"), trusted=who is store)
        assert came.keys() == {BUYER.address}
    assert order.mask("jane@buyer.example", "partner").endswith(DOMAIN)
    answer = posted(host, BUYER.write([order.alias(crowd[0])], "Who are you?", "Text."))
    assert answer.keys() == {crowd[0]}
    host.rest([shop])


def test_timeline_command_tells_a_whole_order(host: Stage) -> None:
    """`timeline --json` tells every message, every recipient, bounces and refusals; no address."""
    shop = host.shop()
    order = shop.order("1001", buyer=BUYER.address, gone="gone@carrier.example")
    store = Person(f"orders@{shop.domain}", "The shop")
    everybody = [order.alias(BUYER.address), order.alias("gone@carrier.example")]
    host.host.sink.reply("gone@carrier.example", "550 5.1.1 gone@carrier.example is unknown")
    came = posted(host, store.write(everybody, "Your order", "Thank you!"), trusted=True)
    host.host.sink.reply("gone@carrier.example")
    assert came.keys() == {BUYER.address, store.address}
    posted(host, BUYER.answer(came[BUYER.address], "Where is it?"))
    forged = Person(order.person(BUYER.address).hard, "Nobody").write(
        everybody[:1], "Forged", "Text."
    )
    replies, _ = host.play("evil@evil.example", forged.recipients, forged.data)
    assert not replies.ok
    done = host.host.tracker.run("timeline", shop.name, "1001", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads(done.stdout)
    told_of = [(row["direction"], row["fromRole"], row["subject"], row["state"]) for row in rows]
    assert told_of == [
        ("outbound", "store", "Your order", "bounced"),
        ("inbound", "buyer", "Re: Your order", "accepted"),
        ("outbound", "unknown", "Forged", "refused"),
    ]
    states = [[each["state"] for each in row["recipients"]] for row in rows]
    assert states == [["accepted", "bounced"], ["accepted"], ["refused"]]
    assert "> Thank you!" in rows[1]["body"]
    real = [person.address for person in order.people()]
    assert not found_in(done.stdout.encode(), real)
    host.rest([shop])


def test_long_line_of_addresses_stays_whole(host: Stage) -> None:
    """Aliases are longer than most addresses; a line of them is not cut within one."""
    shop = host.shop(guest_limit=200)
    order = shop.order("1001", buyer=BUYER.address)
    crowd = ", ".join(f"r{number}@reader.example" for number in range(40))
    letter = CARRIER.write([order.alias(BUYER.address), crowd], "To all", "Text.")
    [mail] = host.carried(CARRIER.address, order.alias(BUYER.address), letter.data)
    shown = {address for _, address in mailboxes(mail, "To")}
    assert shown == {BUYER.address, *(order.alias(f"r{n}@reader.example") for n in range(40))}
    assert max(map(len, mail.data.split(b"\r\n"))) <= 998
    host.rest([shop])
