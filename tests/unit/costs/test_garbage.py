"""What a message takes is free as soon as it is done, and waits for no garbage collector.

What refers to itself stays until that comes, with the addresses and texts in it: of fifty messages,
two megabytes. So nothing that is made for a message may do so.
"""

import base64
import gc
from collections import Counter
from dataclasses import replace

import pytest
from attached import part, sent
from builders import BUYER, CARRIER, DOMAIN, SHOP, A, B, Mail, S, mail, order, own, person
from containers import pdf, zipped

PEOPLE = order(BUYER, SHOP, CARRIER)
SHORT = order(person("a@b.cd", "buyer", "b" * 32), SHOP, CARRIER)
HEAD = f"From: Desk <{CARRIER}>\nTo: {B}\nReply-To: {CARRIER}\nSubject: Hello {BUYER}\n"
HTML = (
    f'<p>{B} wrote to <a href="mailto:{CARRIER}?subject=x">us</a>, {BUYER},</p>'
    '<img src="cid:1@carrier.example"><p>john&#64;doe.example, john (at) doe (dot) example</p>'
)
INVITATION = (
    "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:1@carrier.example\n"
    f"ORGANIZER:mailto:{CARRIER}\nATTENDEE;CN=John:mailto:{B}\nEND:VEVENT\nEND:VCALENDAR\n"
)
MAIL = {
    "clear text": mail(f"{HEAD}\nDear {BUYER}, {B}, yours {CARRIER}\n", PEOPLE, to=B),
    "several": mail(f"{HEAD}\nDear {BUYER}, yours {CARRIER}\n", PEOPLE, to=[B, S]),
    "short": mail(f"{HEAD}\nDear a@b.cd, YUBiLmNk and {CARRIER}\n", SHORT, to=B),
    "words": mail(f"{HEAD}\nhe is john (at) doe [dot] example\n", PEOPLE, to=B),
    "html": mail(f"{HEAD}Content-Type: text/html\n\n{HTML}", PEOPLE, to=B),
    "related": mail(
        f"{HEAD}Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n"
        f"{HTML}\n--b\nContent-Type: image/png\nContent-ID: <1@carrier.example>\n\nx\n--b--\n",
        PEOPLE,
        to=B,
    ),
    "base64": mail(
        f"{HEAD}Content-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(f"{B} {BUYER}".encode()).decode(),
        PEOPLE,
        to=B,
    ),
    "invitation": mail(f"{HEAD}Content-Type: text/calendar\n\n{INVITATION}", PEOPLE, to=B),
    "identifiers": mail(
        f"{HEAD}Message-ID: <1@carrier.example>\nReferences: <2@doe.example>\n\nHello\n",
        PEOPLE,
        to=B,
    ),
    "new order": own(f"From: {SHOP}\nSubject: Your order\n\nDear {BUYER}\n"),
    "buyer's": mail(f"From: {BUYER}\nTo: {A}\n\n{A}, {BUYER}\n", PEOPLE, to=A, sender=BUYER),
    "stranger's": mail(f"From: x@y.example\nTo: {B}\n\n{DOMAIN}\n", PEOPLE, to=B),
    "malformed": mail(f"From: <{CARRIER}\nTo: ;\nSubject: =?x?b?=\n\n=?{BUYER}", PEOPLE, to=B),
    **{
        f"{kind}, {policy}": sent(part(data), policy)
        for policy in ("flag", "remove", "refuse")
        for kind, data in {
            "zip": zipped({"a.txt": f"{BUYER} {CARRIER}".encode()}),
            "pdf": pdf(f"({BUYER}) Tj".encode()),
            "octets": f"\0\1{BUYER}\2".encode(),
        }.items()
    },
}


def read_garbage(given: Mail) -> Counter[str]:
    """Plan a message, let go of it, and return what was left, by type."""
    again = replace(given, message=replace(given.message))
    gc.collect()
    gc.disable()
    try:
        again.plan()
        del again
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        return Counter(type(each).__name__ for each in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("kind", MAIL)
def test_a_message_leaves_nothing_behind(kind: str) -> None:
    read_garbage(MAIL[kind])  # what is loaded and remembered once
    assert read_garbage(MAIL[kind]) == {}
