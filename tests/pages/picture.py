"""The picture in README.md: one message as it was handed in, and as each of three people gets it.

It is drawn by a private mail host. What differs from run to run, the random part of an alias, is
replaced by one that is always the same.
"""

import hashlib
import re
from collections.abc import Iterator

import psycopg

from private.mailhost import MailHost
from private.sink import Mail

STORE = """
INSERT INTO tracker.stores (name, alias_domain, sender_domains)
VALUES ('mystore', 'ct.example.com', '{store.example}')
"""
_PEOPLE = {
    "john@customer.example": "The buyer reads:",
    "desk@carrier.example": "The carrier reads:",
    "pay@bank.example": "The payment provider reads:",
}
_SENDER = "orders@store.example"
_SENT = """\
From: Orders <orders@store.example>
To: John Doe <john@customer.example>
Cc: Parcels <desk@carrier.example>, Payments <pay@bank.example>
Subject: Order 1001 of john@customer.example
X-Order-Id: 1001

Buyer:    john@customer.example
Payment:  pay@bank.example
Delivery: desk@carrier.example
"""
_PLACE = re.compile(r"(?<=<!-- picture -->\n).*?(?=<!-- end of picture -->)", re.DOTALL)
_SHOWN = ("From", "To", "Cc", "Subject")
_HARD = re.compile(r"\b[0-9a-f]{32}(?=@ct)")
_REF = re.compile(r"(?<=-)[0-9]{12}(?=b\.ct)")


def prepare(database: str) -> None:
    """Make the store; before the mail host starts, so that it knows it at once."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(STORE)


def draw(host: MailHost) -> str:
    """Hand the message in, and return the picture, indented as Markdown shows text as it is."""
    data = _SENT.replace("\n", "\r\n").encode()
    copies = host.deliver(_SENDER, list(_PEOPLE), data, trusted=True, copies=len(_PEOPLE))
    by_reader = {mail.addresses[0]: mail for mail in copies}
    lines = ["The store hands in:", "", *(f"  {line}" for line in _SENT.rstrip().splitlines())]
    for address, title in _PEOPLE.items():
        lines += ["", title, "", *(f"  {line}" for line in _copy(by_reader[address]))]
    text = _with_fixed_tokens("\n".join(lines))
    return "".join(f"    {line}".rstrip() + "\n" for line in text.splitlines())


def find(page: str) -> str:
    """Return the picture that a page has now."""
    found = _PLACE.search(page)
    return found[0].replace("<!-- output -->", "").strip("\n") + "\n" if found else ""


def put(page: str, picture: str) -> str:
    """Return the page with another picture."""
    return _PLACE.sub(lambda _: f"\n<!-- output -->\n\n{picture}\n", page)


def _copy(mail: Mail) -> Iterator[str]:
    """Yield what a reader sees of their copy."""
    for name in _SHOWN:
        for value in mail.header(name):
            first, *others = " ".join(value.decode().split()).split(", ")
            yield f"{name}: {first}" + ("," if others else "")
            yield from (f"    {each}" for each in others)
    yield ""
    yield from mail.body.decode().rstrip().splitlines()


def _with_fixed_tokens(text: str) -> str:
    """Replace what is random, the same by the same."""
    known: dict[str, str] = {}

    def hard(found: re.Match[str]) -> str:
        number = f"{len(known)}".encode()
        return known.setdefault(found[0], hashlib.sha256(number).hexdigest()[:32])

    return _REF.sub("207700027841", _HARD.sub(hard, text))
