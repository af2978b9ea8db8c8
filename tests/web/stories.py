"""What is in the orders that the tests look at: everyday mail, and mail that means harm."""

import zipfile
from io import BytesIO

from .hostile import BROKEN, MARKUP, OTHERS, RAN, RAW, TEXTS, WAYS, ask
from .orders import File, Order, Shop

PDF = File(b"label.pdf", b"application/pdf", b"%PDF-1.4\n" + bytes(range(256)) * 40)
PICTURE = File(
    b"parcel.png",
    b"image/png",
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
        "08d763f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
    ),
)
UMLAUTS = File("Rücksendung Größe.txt".encode(), b"text/plain", "Größe 42\n".encode())
HOSTILE_STORE = f"""<img class=intruder src=x onerror="{RAN}">/.. & 'Sons' %2F?#"""
HOSTILE_NUMBER = f"""../<script>{RAN}</script>"'&?#%00 \u202e/12\u202c"""
_HISTORY = """\
On Monday, {name} <{alias}> wrote:
> Hello John,
>
> thank you for your order 1001. It leaves us tomorrow.
>
> > What would you like to know?
>
> Your team
"""
_LETTER = """\
<html><head><style>p { margin: 1em }</style></head><body bgcolor="#eeeeee">
<table width="600" cellpadding="10" bgcolor="#ffffff"><tr><td>
<h1 style="color: #225588">Thank you!</h1><p>Your order <b>1001</b> was received.</p>
<img src="https://pictures.shop.example/logo.png" alt="Shop">
<p><a href="https://shop.example/orders/1001">See your order</a></p>
</td></tr></table></body></html>
"""


def play_everyday(shop: Shop, number: str = "1001") -> Order:
    """Play an order with whatever an everyday one has."""
    order = Order(shop, number)
    buyer, desk, carrier = shop.buyer, shop.desk, shop.carrier
    order.write(
        desk, buyer, "Hello John,\n\nthank you for your order 1001. It leaves us tomorrow.\n",
        _LETTER, name=b"Shop orders", subject=b"Your order 1001", trusted=True,
    )  # fmt: skip
    order.write(
        carrier, buyer,
        f"Your parcel left our depot. Questions? Write to {carrier}.\n\n"
        "Track it at https://carrier.example/track?parcel=0123456789012345678901234567890123456789\n",
        name=b"Carrier", subject=b"Your parcel is on its way", files=[PDF, PICTURE],
    )  # fmt: skip
    order.mark("sent", "2.0.0", "250 2.0.0 Ok")
    order.write(
        buyer, desk,
        f"Where is it? I am at home until noon.\n\nJohn\n\n"
        f"{_HISTORY.format(name='Shop orders', alias=order.aliases[desk])}",
        name=b"John Doe", subject=b"Re: Your order 1001",
        headers=b"In-Reply-To: <1@mail.example>\r\n",
    )  # fmt: skip
    order.write(desk, carrier, "Please deliver before noon.\n", trusted=True,
                name=b"Shop orders", subject=b"Order 1001")  # fmt: skip
    order.write(
        buyer, desk, "I am away until Monday.\n", name=b"John Doe",
        subject=b"Automatic reply", headers=b"Auto-Submitted: auto-replied\r\n",
    )  # fmt: skip
    order.write(
        carrier, buyer, None, "<p>Nobody was at home.</p><p>We come again <b>tomorrow</b>.</p>",
        name=b"Carrier", subject=b"We missed you", files=[UMLAUTS, _archive(buyer)],
    )  # fmt: skip
    order.mark("bounced", "5.2.2", "552 5.2.2 Mailbox full")
    order.write(desk, buyer, "Please confirm your password.\n", name=b"Shop orders",
                subject=b"Urgent")  # fmt: skip
    order.refuse("Cheap watches", "550 5.7.1 Sender refused")
    order.write(buyer, desk, "Hello? Is anybody there?\n", name=b"John Doe", subject=b"Parcel?")
    return order


def play_hostile(shop: Shop) -> Order:
    """Play an order in which every field means harm."""
    order = Order(shop, HOSTILE_NUMBER)
    buyer, carrier = shop.buyer, shop.carrier
    for text in TEXTS:
        header = text.encode()
        file = File(header.replace(b'"', b"'"), b"text/html", text.encode())
        order.write(carrier, buyer, text, subject=header, name=_quote(header), files=[file])
    for octets in RAW:
        file = File(octets, b"image/svg+xml", octets)
        order.write(buyer, carrier, "x", octets, subject=octets, name=_quote(octets), files=[file])
    for text in MARKUP:
        order.write(carrier, buyer, None, text, subject=b"=?utf-8?q?=3Cb_class=3Dintruder=3E?=")
        order.mark("bounced", "5.0.0", f"550 5.0.0 {text}")
        order.refuse(text, f"550 5.7.1 {text}")
    return order


def play_asking(shop: Shop, number: str = "asks") -> Order:
    """Play an order whose mail asks for things of others in every way there is."""
    order = Order(shop, number)
    for ways in (WAYS, OTHERS):
        for each in ways:
            order.write(shop.carrier, shop.buyer, None, ask({each: ways[each]}),
                        subject=each.encode())  # fmt: skip
        order.write(shop.carrier, shop.buyer, ask(ways), ask(ways), subject=b"All of them")
    return order


def play_broken(shop: Shop, number: str = "broken") -> Order:
    """Play an order whose HTML is none."""
    order = Order(shop, number)
    for each in BROKEN:
        order.write(shop.carrier, shop.buyer, None, each, subject=b"Broken")
    return order


def play_large(shop: Shop, number: str = "large", octets: int = 2_000_000) -> Order:
    """Play an order with one message of so many octets, as text and as HTML."""
    order = Order(shop, number)
    line = "All work and no play makes Jack a dull boy, says <b>Jack</b>.\n"
    text = line * (octets // len(line))
    order.write(shop.carrier, shop.buyer, text, subject=b"Large")
    order.write(shop.carrier, shop.buyer, None, f"<p>{text}", subject=b"Large HTML")
    return order


def _quote(octets: bytes) -> bytes:
    """Return a display name as it stands in From."""
    return b'"%s"' % octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def _archive(address: str) -> File:
    """Return an archive that cannot be opened, with somebody's address in it."""
    kept = BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        archive.writestr("note.txt", f"For {address}")
    return File(b"papers.bin", b"application/x-program", b"\0" + address.encode() + kept.getvalue())
