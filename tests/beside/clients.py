"""Mail programs of people and of stores: what they make of our mail, and we of theirs."""

from contextlib import closing

from tests.postfix.leaks import found_in
from tests.postfix.mailclient import Person
from tests.postfix.stage import Order

from beside import mail_clients, mailers
from beside.mailers import Letter
from beside.row import Row
from beside.site import Bench, Site, set_up
from private.sink import Mail

BUYER = Person("john@buyer.example", "John Doe")
CARRIER = Person("desk@carrier.example", "The carrier")
INSURER = Person("claims@insurer.example", "The insurer")
# Whoever connects from this host is a stranger here, as people's programs are elsewhere.
STRANGERS = {"trusted_networks": "192.0.2.1/32"}
OUTSIDE = {"mynetworks": "192.0.2.1/32"}


def try_answers(bench: Bench) -> str:
    """The buyer's mail program answers to all what two partners got as well."""
    for program in mail_clients.ALL:
        with set_up(bench, settings=OUTSIDE, options=STRANGERS) as site:
            order = _order(site)
            first = _write(site, order)
            [mail] = site.host.sink.to(BUYER.address)
            with closing(program(BUYER, site.host.postfix.port)) as client:
                client.answer_all(mail)
            site.stage.settle()
            name = program.command
            [answer] = _fresh(site, CARRIER)
            [other] = site.host.sink.to(INSURER.address)[1:]
            for copy in (answer, other):
                _look_at(copy, order, name)
            named = b" ".join(answer.header("In-Reply-To") + answer.header("References"))
            assert first.encode() in named, (name, answer.data)
            assert [line.direction for line in order.timeline()][-2:] == ["inbound"] * 2, name
            # And back: the carrier's answer names what the buyer's program wrote.
            letter = CARRIER.answer_all(answer, "Noted.")
            site.stage.carried(letter.sender, letter.recipients, letter.data)
            mail = site.host.sink.to(BUYER.address)[-1]
            assert b"buyer.example" in mail.header("In-Reply-To")[0], (name, mail.data)
    return "work: answers to all reach all, masked, with nothing of the machine; threads hold"


def try_redirects(bench: Bench) -> str:
    """The buyer's mail program sends a partner's mail on to the store's alias."""
    for program in mail_clients.ALL:
        with set_up(bench, settings=OUTSIDE, options=STRANGERS) as site:
            order = _order(site)
            store = f"orders@{order.shop.domain}"
            _write(site, order)
            [mail] = site.host.sink.to(BUYER.address)
            order.mask(store, "store")
            with closing(program(BUYER, site.host.postfix.port)) as client:
                client.redirect(mail, order.alias(store))
            site.stage.settle()
            [copy] = site.host.sink.to(store)
            _look_at(copy, order, program.command)
            told = order.timeline()[-1]
            assert (told.sender_role, told.recipient_role) == ("buyer", "store"), told
    return (
        "work: what a customer sends on to the store's alias is recorded as theirs, and forwarded"
    )


def try_shell_programs(bench: Bench) -> str:
    """The buyer writes to two partners by programs that read no mail."""
    for send in mailers.IN_A_SHELL:
        with set_up(bench, settings=OUTSIDE, options=STRANGERS) as site:
            order = _order(site)
            to, cc = order.alias(CARRIER.address), order.alias(INSURER.address)
            text = f"Ask me at {BUYER.address}."
            send(site.host.postfix.port, Letter(BUYER.address, (to,), (cc,), "Where is it?", text))
            site.stage.settle()
            for who in (CARRIER, INSURER):
                [copy] = site.host.sink.to(who.address)
                _look_at(copy, order, send.__name__)
                assert f"Ask me at {order.alias(BUYER.address)}.".encode() in copy.body
            directions = [line.direction for line in order.timeline()]
            assert directions == ["inbound"] * 2, (send.__name__, directions)
    return "work"


def try_libraries(bench: Bench) -> str:
    """The store's program writes to buyer and carrier at their real addresses, HTML and a file."""
    for send in mailers.LIBRARIES:
        with set_up(bench) as site:
            shop = site.shop(issuer_mask="hard")
            order, store = shop.order("1001"), f"orders@{shop.domain}"
            text = f"Grüße. Write to {store}, {BUYER.address} or {CARRIER.address}."
            headers = {"X-Order-Id": "1001"}
            send(
                site.host.postfix.port,
                Letter(store, (BUYER.address,), (CARRIER.address,), "Bestellung Ä", text, headers),
            )
            site.stage.settle()
            roles = {person.address: person.role for person in order.people()}
            assert roles == {store: "store", BUYER.address: "buyer", CARRIER.address: "partner"}
            for who in (BUYER, CARRIER):
                [copy] = site.host.sink.to(who.address)
                others = {store, BUYER.address, CARRIER.address} - {who.address}
                told = found_in(copy.data, others)
                assert not told, (send.__name__, told, copy.data)
                assert not copy.header("X-Order-Id"), copy.data
            site.stage.rest([shop])
    return "work: each copy masked in text, HTML and attached file, the order's header gone"


def _order(site: Site) -> Order:
    people = {"buyer": BUYER, "carrier": CARRIER, "insurer": INSURER}
    return site.shop().order("1001", **{name: each.address for name, each in people.items()})


def _write(site: Site, order: Order) -> str:
    """Let the carrier write to buyer and insurer; return the Message-ID that they gave it."""
    to = [order.alias(BUYER.address), order.alias(INSURER.address)]
    letter = CARRIER.write(to, "Parcel ÄÖ", "Dear both,\nit is on its way.")
    site.stage.carried(letter.sender, letter.recipients, letter.data)
    return letter.message_id


def _fresh(site: Site, person: Person) -> list[Mail]:
    return [mail for mail in site.host.sink.to(person.address) if mail.sender.address]


def _look_at(copy: Mail, order: Order, name: str) -> None:
    """See that a copy is the buyer's, by their alias, and tells nothing else of them."""
    assert order.alias(BUYER.address).encode() in copy.header("From")[0], (name, copy.data)
    mine = {address.lower() for address in copy.addresses}
    others = [person.address for person in order.people() if person.address not in mine]
    told = found_in(copy.data, [*others, "pc.buyer.example", "root@"])
    assert not told, (name, told, copy.data)


ROWS = (
    Row(
        "mutt, s-nail and Emacs (message-mode): answers to all",
        try_answers,
        (),
        tuple(each.command for each in mail_clients.ALL),
    ),
    Row(
        "the same: mail sent on (`Resent-From`)",
        try_redirects,
        (),
        tuple(each.command for each in mail_clients.ALL),
    ),
    Row(
        "swaks, msmtp, git send-email",
        try_shell_programs,
        (),
        ("swaks", "msmtp", "/usr/lib/git-core/git-send-email"),
    ),
    Row(
        "PHPMailer, nodemailer, Python's smtplib: a store's programs",
        try_libraries,
        (),
        ("php", "/usr/share/php/libphp-phpmailer", "node", "/usr/share/nodejs/nodemailer"),
    ),
)
