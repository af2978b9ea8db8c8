"""A copy for one recipient: one row for each behaviour, with the edits that it takes."""

import base64
from dataclasses import dataclass, field

import pytest
from builders import (
    ANN,
    BUYER,
    CARRIER,
    EVERYBODY,
    SHOP,
    A,
    B,
    Mail,
    S,
    edits,
    fresh,
    hard,
    mail,
    order,
    own,
    person,
    soft,
    written,
)

HOP = "add header X-Conversation-Hops: 1"
TO_BUYER = [f"delete recipient <{B}>", f"add recipient <{BUYER}>"]
TO_CARRIER = [f"delete recipient <{A}>", f"add recipient <{CARRIER}>"]
TO_SHOP = [f"delete recipient <{S}>", f"add recipient <{SHOP}>"]
SOFTLY = order(BUYER, SHOP, CARRIER, mask="soft")
SHOPS_HEADER = order(BUYER, SHOP, order_header="X-Shop")
FROM_CARRIER = [f"change header From 1: {A}"]
FROM_BUYER = [f"change header From 1: {B}"]
FROM_SHOP = [f"change header From 1: {soft(SHOP)}"]


@dataclass(frozen=True)
class Row:
    """One behaviour: what comes, the edits, and where it matters the body that leaves."""

    it: str
    mail: Mail
    edits: list[str]
    body: str | None = field(default=None, kw_only=True)


DIRECTIONS = [
    Row(
        "a partner's mail reaches the buyer, who sees no partner's address",
        mail(written(CARRIER, f"To: {B}"), EVERYBODY, to=B),
        [f"change header To 1: {BUYER}", *FROM_CARRIER, HOP, *TO_BUYER],
    ),
    Row(
        "the store's mail to an alias reaches the buyer; the store is masked softly",
        own(written(SHOP, f"To: {B}"), EVERYBODY, to=B),
        [f"change header To 1: {BUYER}", *FROM_SHOP, HOP, *TO_BUYER],
    ),
    Row(
        "the buyer's mail reaches a partner masked",
        mail(written(f"John <{BUYER}>", f"To: Desk <{A}>"), EVERYBODY, to=A, sender=BUYER),
        [
            f"change header To 1: Desk <{CARRIER}>",
            f"change header From 1: John <{B}>",
            HOP,
            *TO_CARRIER,
        ],
    ),
    Row(
        "the buyer's mail reaches the store with the order's number",
        mail(written(BUYER, f"To: {S}"), EVERYBODY, to=S, sender=BUYER),
        [f"change header To 1: {SHOP}", *FROM_BUYER, HOP, "add header X-Order-Id: 1001", *TO_SHOP],
    ),
    Row(
        "the store's own mail to a real buyer stays addressed to them, from an alias",
        own(written(SHOP, f"To: {BUYER}", "X-Order-Id: 1001")),
        ["delete header X-Order-Id 1", *FROM_SHOP, HOP],
    ),
    Row(
        "in a soft store a partner is masked softly",
        mail(written(CARRIER, f"To: {B}"), SOFTLY, to=B),
        [f"change header To 1: {BUYER}", f"change header From 1: {soft(CARRIER)}", HOP, *TO_BUYER],
    ),
    Row(
        "a soft alias in RCPT leads to the same person, in any letter case",
        mail(written(CARRIER), SOFTLY, to=soft(BUYER).upper()),
        [
            f"change header From 1: {soft(CARRIER)}",
            HOP,
            f"delete recipient <{soft(BUYER).upper()}>",
            f"add recipient <{BUYER}>",
        ],
    ),
    Row(
        "with issuer_mask hard the store is masked like everybody",
        own(written(SHOP), order(BUYER, SHOP, issuer_mask="hard"), to=B),
        [f"change header From 1: {S}", HOP, *TO_BUYER],
    ),
    Row(
        "with issuer_mask hard a soft store's own address is hard",
        own(written(SHOP), order(BUYER, SHOP, mask="soft", issuer_mask="hard"), to=B),
        [f"change header From 1: {S}", HOP, *TO_BUYER],
    ),
    Row(
        "an order number beyond ASCII is written as UTF-8",
        mail(written(BUYER), order(BUYER, SHOP, number="Nº 7"), to=S),
        [*FROM_BUYER, HOP, "add header X-Order-Id: Nº 7", *TO_SHOP],
    ),
    Row(
        "another order header is the one that counts",
        mail(
            written(BUYER, "X-Order-Id: 6", "x-shop: 5"),
            order(BUYER, SHOP, order_header="X-Shop"),
            to=S,
        ),
        [
            "delete header x-shop 1",
            "delete header X-Order-Id 1",
            *FROM_BUYER,
            HOP,
            "add header X-Shop: 1001",
            *TO_SHOP,
        ],
    ),
]

OWN_ADDRESS = [
    Row(
        "the recipient's alias is unmasked wherever it stands, nobody else's is",
        mail(
            written(
                CARRIER,
                f"To: John <{B}>, {S}",
                f"Cc: {A}",
                f"Subject: For {B} from {A}",
                body=f"{B} {S} {A}\n",
            ),
            EVERYBODY,
            to=B,
        ),
        [
            f"change header Subject 1: For {BUYER} from {A}",
            f"change header To 1: John <{BUYER}>, {S}",
            *FROM_CARRIER,
            HOP,
            "replace body",
            *TO_BUYER,
        ],
        body=f"{BUYER} {S} {A}\n",
    ),
    Row(
        "the recipient's own address stays, everybody else's is masked",
        mail(
            written(CARRIER, f"To: {BUYER}, {SHOP}", body=f"{BUYER} {SHOP} {CARRIER}\n"),
            EVERYBODY,
            to=B,
        ),
        [
            f"change header To 1: {BUYER}, {soft(SHOP)}",
            *FROM_CARRIER,
            HOP,
            "replace body",
            *TO_BUYER,
        ],
        body=f"{BUYER} {soft(SHOP)} {A}\n",
    ),
    Row(
        "both forms of the recipient's alias are theirs",
        mail(written(CARRIER, f"To: {soft(BUYER)}, {B}"), EVERYBODY, to=B),
        [f"change header To 1: {BUYER}, {BUYER}", *FROM_CARRIER, HOP, *TO_BUYER],
    ),
    Row(
        "an alias of another order is no business of this one",
        mail(written(CARRIER, f"To: {hard('c')}, {soft(BUYER, '9' * 12)}"), EVERYBODY, to=B),
        [*FROM_CARRIER, HOP, *TO_BUYER],
    ),
    Row(
        "with mask_body off the body passes as it is",
        mail(written(CARRIER, body=f"{CARRIER}\n"), order(BUYER, CARRIER, mask_body=False), to=B),
        [*FROM_CARRIER, HOP, *TO_BUYER],
        body=f"{CARRIER}\n",
    ),
    Row(
        "an address of somebody who is not of the order stays in the text",
        mail(written(CARRIER, "Subject: ask x@y.example", body=f"{ANN}\n"), EVERYBODY, to=B),
        [*FROM_CARRIER, HOP, *TO_BUYER],
    ),
]

SENDERS = [
    Row(
        "of several authors the first goes out, masked",
        mail(written(f"{CARRIER}, {SHOP}"), EVERYBODY, to=B),
        [f"change header From 1: {A}", HOP, *TO_BUYER],
    ),
    Row(
        "of several From fields the first goes out, masked",
        mail(written(CARRIER, f"From: {SHOP}", "from: x@y.example"), EVERYBODY, to=B),
        ["delete header from 3", "delete header From 2", *FROM_CARRIER, HOP, *TO_BUYER],
    ),
    Row(
        "without From the envelope sender's alias is put there",
        mail("Subject: x\n\nHello\n", EVERYBODY, to=B, sender=CARRIER),
        [HOP, f"add header From: {A}", *TO_BUYER],
    ),
    Row(
        "without From the one of Sender is put there",
        mail(f"Sender: {CARRIER}\n\nHello\n", EVERYBODY, to=B),
        ["delete header Sender 1", HOP, f"add header From: {A}", *TO_BUYER],
    ),
    Row(
        "a From without an address gets the envelope sender's alias",
        mail(written("Carrier's desk"), EVERYBODY, to=B, sender=CARRIER),
        [*FROM_CARRIER, HOP, *TO_BUYER],
    ),
    Row(
        "a From that cannot be read whole is replaced whole",
        mail(written(f"Desk <desk@>, {CARRIER}"), EVERYBODY, to=B),
        [*FROM_CARRIER, HOP, *TO_BUYER],
    ),
    Row(
        "an answer goes to aliases only",
        own(written(SHOP, f"Reply-To: {CARRIER}", f"Sender: {SHOP}"), EVERYBODY, to=B),
        [
            f"change header Sender 1: {soft(SHOP)}",
            f"change header Reply-To 1: {A}",
            *FROM_SHOP,
            HOP,
            *TO_BUYER,
        ],
    ),
    Row(
        "a Reply-To that cannot be read goes",
        own(written(SHOP, "Reply-To: the desk"), EVERYBODY, to=B),
        ["delete header Reply-To 1", *FROM_SHOP, HOP, *TO_BUYER],
    ),
    Row(
        "a stranger joins, and is masked by a fresh alias",
        mail(written(ANN), EVERYBODY, to=B, sender=ANN),
        [f"change header From 1: {hard(fresh(1))}", HOP, *TO_BUYER],
    ),
    Row(
        "whoever is named in To or Cc joins and is masked",
        mail(written(CARRIER, f"To: {B}", f"Cc: {ANN}"), EVERYBODY, to=B),
        [
            f"change header Cc 1: {hard(fresh(1))}",
            f"change header To 1: {BUYER}",
            *FROM_CARRIER,
            HOP,
            *TO_BUYER,
        ],
    ),
]

HEADERS = [
    Row(
        "of a person to protect only what a reader needs is kept",
        mail(
            written(
                BUYER,
                "Received: from home.example",
                "Subject: x",
                "X-Mailer: y",
                "DKIM-Signature: z",
                "Date: today",
                "User-Agent: a",
            ),
            EVERYBODY,
            to=A,
        ),
        [
            "delete header User-Agent 1",
            "delete header DKIM-Signature 1",
            "delete header X-Mailer 1",
            "delete header Received 1",
            *FROM_BUYER,
            HOP,
            *TO_CARRIER,
        ],
    ),
    Row(
        "of the store's mail the rest is kept, but for broken signatures",
        own(
            written(SHOP, "X-Mailer: y", "DKIM-Signature: z", "ARC-Seal: i=1", "Return-Path: <>"),
            EVERYBODY,
            to=B,
        ),
        [
            "delete header Return-Path 1",
            "delete header ARC-Seal 1",
            "delete header DKIM-Signature 1",
            *FROM_SHOP,
            HOP,
            *TO_BUYER,
        ],
    ),
    Row(
        "blind copies stay blind",
        own(written(SHOP, f"Bcc: {ANN}"), EVERYBODY, to=B),
        ["delete header Bcc 1", *FROM_SHOP, HOP, *TO_BUYER],
    ),
    Row(
        "an order header of a stranger goes",
        mail(written(BUYER, "X-Order-Id: 666"), EVERYBODY, to=S),
        ["delete header X-Order-Id 1", *FROM_BUYER, HOP, "add header X-Order-Id: 1001", *TO_SHOP],
    ),
    Row(
        "forged headers of ours go, and hops are counted on",
        mail(
            written(
                CARRIER,
                "X-Conversation-Pass: " + "0" * 64 + " trusted",
                "X-Conversation-Hops: 3",
                "x-conversation-pass: 1",
            ),
            EVERYBODY,
            to=B,
        ),
        [
            "delete header x-conversation-pass 2",
            "delete header X-Conversation-Hops 1",
            "delete header X-Conversation-Pass 1",
            *FROM_CARRIER,
            "add header X-Conversation-Hops: 4",
            *TO_BUYER,
        ],
    ),
    Row(
        "repeated headers are each counted for themselves",
        own(
            written(
                SHOP,
                f"X-Note: {CARRIER}",
                "X-Note: none",
                f"x-note: {SHOP}",
                "Bcc: a",
                "bcc: b",
            ),
            EVERYBODY,
            to=B,
        ),
        [
            "delete header bcc 2",
            "delete header Bcc 1",
            f"change header x-note 3: {soft(SHOP)}",
            f"change header X-Note 1: {A}",
            *FROM_SHOP,
            HOP,
            *TO_BUYER,
        ],
    ),
]

LONG = "l" * 60 + "@" + ".".join(["d" * 59] * 4)  # 300 characters, and an address
ADDRESS_SHAPES = [
    (f"Friends: {CARRIER}, Shop <{SHOP}>;", f"Friends: {A}, Shop <{soft(SHOP)}>;"),
    ("undisclosed-recipients:;", None),
    (f"{CARRIER} (the {CARRIER} desk)", f"{A} (the {A} desk)"),
    (f'"{CARRIER}" <{CARRIER}>', f'"{A}" <{A}>'),
    (f'"desk"@carrier.example, "Doe, J" <{SHOP}>', f'{A}, "Doe, J" <{soft(SHOP)}>'),
    (f"<@relay.example:{CARRIER}>", f"<{A}>"),
    (f"Jörg <{CARRIER}>", f"=?utf-8?b?SsO2cmc=?= <{A}>"),
    (f"=?iso-8859-1?q?J=F6rg?= <{CARRIER}>", f"=?iso-8859-1?q?J=F6rg?= <{A}>"),
    (LONG, hard(fresh(1))),
    ("nobody", None),
    (f"{CARRIER.upper()}, <{CARRIER}>", f"{A}, <{A}>"),
    (f"{CARRIER},\n\t{SHOP}", f"{A}, {soft(SHOP)}"),
]


@pytest.mark.parametrize(
    "row", [*DIRECTIONS, *OWN_ADDRESS, *SENDERS, *HEADERS], ids=lambda row: row.it
)
def test_a_message_is_made_its_recipients_own(row: Row) -> None:
    plan = row.mail.plan()
    assert edits(plan) == row.edits
    assert plan.reply is None
    assert not plan.split
    if row.body is not None:
        assert row.mail.sent().body == row.body.encode()


@pytest.mark.parametrize(("value", "leaves"), ADDRESS_SHAPES)
def test_addresses_are_found_in_every_shape(value: str, leaves: str | None) -> None:
    """Everything around them stays: names, comments, groups, folds."""
    plan = own(written(SHOP, f"To: {value}"), EVERYBODY, to=B).plan()
    to = [] if leaves is None else [f"change header To 1: {leaves}"]
    assert edits(plan) == [*to, *FROM_SHOP, HOP, *TO_BUYER]


def test_a_folded_list_stays_folded() -> None:
    message = own(written(SHOP, f"To: {CARRIER},\n\t{SHOP}"), EVERYBODY, to=B).sent()
    assert message.first(b"to") == f"{A},\n\t{soft(SHOP)}".encode()


def test_raw_8_bit_before_an_address_is_encoded() -> None:
    message = mail(b"From: J\xf6rg <desk@carrier.example>\n\nHi\n", EVERYBODY, to=B).sent()
    assert message.first(b"from") == b"=?utf-8?b?SsO2cmc=?= <" + A.encode() + b">"


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("o'neil@doe.example", "o'neil&#64;doe.example"),
        ("o'neil@doe.example", "o&#39;neil@doe.example"),
        ('"john..doe"@doe.example', "&quot;john..doe&quot;&#64;doe.example"),
        # Not yet so: a blank, or a plain quote beside a reference, hides the address.
        ('"john..doe"@doe.example', '"john..doe"&#64;doe.example'),
        ('"jo hn"@doe.example', "&quot;jo hn&quot;@doe.example"),
        ('"jo hn"@doe.example', '"jo hn"&#64;doe.example'),
    ],
)
def test_no_character_of_an_address_hides_it_in_html(address: str, source: str) -> None:
    somebody = person(address, "partner", "c" * 32)
    text = written(CARRIER, "Content-Type: text/html", body=f"<p>{source}</p>\n")
    message = mail(text, order(BUYER, CARRIER, somebody), to=B).sent()
    assert message.body == f"<p>{hard('c')}</p>\n".encode()


@pytest.mark.parametrize("body", ["text/rfc822-headers", "message/rfc822"])
def test_a_fold_with_its_blanks_hides_no_address(body: str) -> None:
    """Some programs leave both out when they unfold."""
    fold = "Subject: from john\n @doe.example, and\n mary\nKeywords: one,\n two\n"
    text = f"From: {BUYER}\nTo: {S}\n{fold}Content-Type: {body}\n\n{fold}\nbye\n"
    sent = mail(text, EVERYBODY, to=S).sent()
    assert f"from {B}, and\n mary" in sent.body.decode()
    assert "Keywords: one,\n two\n" in sent.body.decode()
    assert sent.first(b"subject") == f"from {B}, and\n mary".encode()


@pytest.mark.parametrize("place", range(57))
def test_a_soft_alias_in_base64_stays_wherever_a_line_ends(place: int) -> None:
    """What stands of it in one line may read as the address; the next line has the rest."""
    content = base64.encodebytes(f"{'.' * place} {soft(CARRIER)}\n".encode()).decode()
    fields = ("Content-Type: text/plain", "Content-Transfer-Encoding: base64")
    sent = mail(written(CARRIER, *fields, body=content), order(BUYER, SHOP, CARRIER), to=B).sent()
    assert sent.body == content.encode()


@pytest.mark.parametrize(
    "type",
    [
        *("(a page) text/html", "text(x)/html", '"text"/html', "text//html", "html", "text/html/"),
        *("text/plain, text/html", "text/plain;text/html", "text/plain(text/html)"),
        *("text/plain\nContent-Type: text/html", "text/plain; name=a.txt; name=a.html"),
    ],
)
def test_what_some_programs_read_as_a_page_is_masked_as_one(type: str) -> None:
    """Of a type that is not clear, each program reads another one."""
    page = "john<b>&#64;</b>doe.exa<i>mple</i>, john&commat;doe.example\n"
    part = f"--x\nContent-Type: {type}\n\n{page}--x--\n"
    for fields in (
        f"Content-Type: {type}\n\n{page}",
        f"Content-Type: multipart/mixed; boundary=x\n\n{part}",
    ):
        left = mail(f"From: {CARRIER}\n{fields}", EVERYBODY, to=S).sent()
        assert left.body[:].count(B.encode()) == 2
