"""A DKIM signer behind the tracker: what leaves in our domain is signed as it leaves."""

import email
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from private.sink import Mail

from .mailclient import Person, mailboxes
from .signer import Signer
from .stage import DOMAIN, Stage, stage

if TYPE_CHECKING:
    from private.postgres import Postgres

BUYER = "johndoe@buyer.example"
CARRIER = Person("tracking@carrier.example", "Träger")
TEXT = "Größe: 8 Bit\njohndoe@buyer.example, tracking@carrier.example\n.\n..dots\n\nblanks \t\n\n\n"
Signed = tuple[Stage, Signer]


@pytest.fixture(scope="module")
def signed(postgres: "Postgres", migrated: str) -> Iterator[Signed]:
    """A mail host with a signer behind its tracker."""
    with Signer(DOMAIN) as signer, stage(postgres, migrated, signer=signer.socket) as host:
        yield host, signer


def assert_signed(mail: Mail, signer: Signer) -> None:
    """Check that a copy is signed once, by us, for a domain that From is aligned with."""
    [signature] = mail.header("DKIM-Signature")
    assert re.search(rb"\bd=%b;" % DOMAIN.encode(), signature)
    [(_, author)] = mailboxes(mail, "From")
    domain = author.rpartition("@")[2]
    assert domain == DOMAIN or domain.endswith("." + DOMAIN)
    assert signer.verifies(mail.data)


@pytest.mark.parametrize("mask", ["hard", "soft"])
@pytest.mark.parametrize("count", [1, 2])
def test_copies_verify(signed: Signed, mask: str, count: int) -> None:
    """From hard and soft aliases, to one recipient and through the splitter."""
    host, signer = signed
    shop = host.shop(mask=mask)
    order = shop.order("1001", buyer=BUYER, other="pay@payment.example")
    to = [order.alias(BUYER), order.alias("pay@payment.example")][:count]
    letter = CARRIER.write(to, "Größe", TEXT, DKIM_Signature="v=1; d=carrier.example; b=AA==")
    came = host.carried(letter.sender, letter.recipients, letter.data)
    assert len(came) == count
    for mail in came:
        assert_signed(mail, signer)
    host.rest([shop])


def test_an_offer_to_leave_by_one_request_is_signed(signed: Signed) -> None:
    """A page is asked only if the signature covers both fields (RFC 8058 section 4)."""
    host, signer = signed
    shop = host.shop()
    order = shop.order("1001", buyer=BUYER)
    letter = Person(f"news@{shop.domain}", "Shop").write(
        [order.alias(BUYER)],
        "News",
        TEXT,
        List_Unsubscribe=f"<https://{shop.domain}/leave/1>",
        List_Unsubscribe_Post="List-Unsubscribe=One-Click",
    )
    [mail] = host.carried(letter.sender, letter.recipients, letter.data, trusted=True)
    assert_signed(mail, signer)
    [signature] = mail.header("DKIM-Signature")
    covered = re.search(rb"\bh=([^;]*)", signature)
    assert covered is not None
    names = re.sub(rb"\s", b"", covered[1]).lower().split(b":")
    assert {b"list-unsubscribe", b"list-unsubscribe-post"} <= {*names}
    host.rest([shop])


@pytest.mark.parametrize("count", [1, 2])
def test_a_copy_whose_lines_masking_lengthens_verifies(signed: Signed, count: int) -> None:
    """Postfix would break the line after the signer, inside an alias."""
    host, signer = signed
    shop = host.shop()
    order = shop.order("1001", buyer=BUYER, other="pay@payment.example")
    to = [order.alias(BUYER), order.alias("pay@payment.example")][:count]
    table = f"{CARRIER.address};" * 30 + "\n" + f'"{BUYER}",' * 40 + "\n"
    letter = CARRIER.write(to, "csv", table, X_Long=f"<{CARRIER.address}>" * 40)
    came = host.carried(letter.sender, letter.recipients, letter.data)
    assert len(came) == count
    for mail in came:
        assert_signed(mail, signer)
        content = email.message_from_bytes(mail.data).get_payload(decode=True)
        assert isinstance(content, bytes)
        author = order.alias(CARRIER.address).encode()
        assert content.splitlines()[0] == (author + b";") * 30
    host.rest([shop])


def test_store_mail_to_real_addresses_verifies(signed: Signed) -> None:
    """The store's own mail leaves from its soft alias, signed by us alone."""
    host, signer = signed
    shop = host.shop()
    shop.order("1001")
    letter = Person(f"orders@{shop.domain}").write([BUYER], "Order", TEXT, X_Order_Id="1001")
    [mail] = host.carried(letter.sender, letter.recipients, letter.data, trusted=True)
    assert_signed(mail, signer)


def test_notice_verifies(signed: Signed) -> None:
    """The notice of a bounce is ours, and signed."""
    host, signer = signed
    shop = host.shop()
    order = shop.order("1001", gone="gone@buyer.example")
    host.host.sink.reply("gone@buyer.example", "550 5.1.1 unknown")
    letter = CARRIER.write([order.alias("gone@buyer.example")], "Größe", TEXT)
    [notice] = host.carried(letter.sender, letter.recipients, letter.data)
    host.host.sink.reply("gone@buyer.example")
    assert notice.addresses == (CARRIER.address,)
    assert_signed(notice, signer)


def test_other_mail_is_not_signed(signed: Signed) -> None:
    """What is none of our business gets no signature of ours."""
    host, _ = signed
    letter = CARRIER.write(["bob@nowhere.example"], "Hello", TEXT)
    [mail] = host.carried(letter.sender, letter.recipients, letter.data, trusted=True)
    assert mail.header("DKIM-Signature") == []
