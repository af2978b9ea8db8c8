"""Whose a message identifier is, and what stands for it."""

import pytest
from builders import BUYER, CARRIER, DOMAIN, SHOP, hard, mail, order, person

from conversation_tracker.core.model.conversation import MappedId
from conversation_tracker.core.views import message_ids

PARENT = DOMAIN.partition(".")[2]


@pytest.mark.parametrize("host", [DOMAIN, f"207700027841b.{DOMAIN}"])
def test_an_identifier_of_ours_reveals_nobody_of_the_parent_domain(host: str) -> None:
    """Else it would be replaced once more, and not be the one that is mapped back."""
    desk = person(f"desk@{PARENT}", "partner", "d" * 32)
    talk = order(person(BUYER), desk)
    assert message_ids.find_person(f"<m-0@{host}>".encode(), talk) is None
    assert message_ids.find_person(f"<1@mail.{PARENT}>".encode(), talk) == desk
    assert message_ids.find_person(f"<desk@{PARENT}@{host}>".encode(), talk) == desk


def test_an_identifier_of_a_shared_domain_is_the_authors() -> None:
    """Who wrote the message made it, of two in one domain; what is mapped stays its owner's."""
    first, second = person(BUYER), person(BUYER.replace("john", "ann"), "partner", "d" * 32)
    talk = order(first, second, person(CARRIER))
    identifier = b"<1@" + BUYER.partition("@")[2].encode() + b">"
    assert message_ids.find_person(identifier, talk) == first
    assert message_ids.find_person(identifier, talk, second) == second
    ours = message_ids.make_identifier(identifier, talk.order)
    known = {ours: MappedId(ours, identifier.decode(), second.token)}
    assert message_ids.find_stand_in(identifier, talk, second, known, first) is None
    assert message_ids.find_stand_in(identifier, talk, first, known, first) == ours
    assert message_ids.find_stand_in(ours.encode(), talk, second, known) == identifier.decode()
    assert message_ids.find_stand_in(ours.encode(), talk, first, known) is None


def test_a_sender_makes_the_database_look_up_few_identifiers() -> None:
    """The nearest of others, and all of ours, which only their domain distinguishes."""
    talk = order(BUYER, CARRIER)
    references = " ".join(f"<{number}@elsewhere.example>" for number in range(5_000))
    text = f"From: {CARRIER}\nIn-Reply-To: <m-1@{DOMAIN}>\nReferences: {references}\n\nHello.\n"
    found = message_ids.to_look_up(mail(text, talk, to=hard("b")).message, talk.order)
    assert found[0] == f"<m-1@{DOMAIN}>"
    assert len(found) == 101
    assert found[1] == message_ids.make_identifier(b"<4999@elsewhere.example>", talk.order)


def test_what_a_receipt_names_in_its_body_is_looked_up() -> None:
    """Programs that write no In-Reply-To name there what their receipt is for."""
    talk = order(BUYER, CARRIER)
    ours = [f"<m-{number:032x}@{DOMAIN}>" for number in range(300)]
    lines = "".join(f"Original-Message-ID:\n {each}\n" for each in (ours[0], ours[0], *ours))
    text = f"From: {CARRIER}\nReferences: {ours[1]}\n\n<m-1@x.example> <1@{DOMAIN}>\n{lines}"
    found = message_ids.to_look_up(mail(text, talk, to=hard("b")).message, talk.order)
    assert found[:2] == [ours[1], ours[0]]
    assert len(found) == len(set(found)) == 98  # of 100, two come again


def test_whoever_claims_the_stores_domain_does_not_own_it() -> None:
    """One forged From must not take the store's threads away from it."""
    evil = person("evil@shop.example", "partner", "e" * 32)
    talk = order(BUYER, SHOP, evil)
    assert message_ids.find_person(b"<s1@shop.example>", talk) is None
    assert message_ids.find_person(b"<s1@mail.shop.example>", talk, evil) is None


def test_an_address_in_an_identifier_tells_more_than_who_wrote_it() -> None:
    """At a public provider everybody shares the domain."""
    ann, bob = (person(f"{name}@gmail.com", "partner", name[0] * 32) for name in ("ann", "bob"))
    talk = order(ann, bob)
    assert message_ids.find_person(b"<1.bob@gmail.com>", talk, ann) == bob
    assert message_ids.find_person(b"<1@mail.gmail.com>", talk, ann) is None


def test_a_content_id_of_a_shared_domain_is_the_authors() -> None:
    """As the Message-ID beside it is, and the link to it."""
    ann, bob = (person(f"{name}@corp.example", "partner", name[0] * 32) for name in ("ann", "bob"))
    text = (
        "From: bob@corp.example\nMessage-ID: <1@corp.example>\nMIME-Version: 1.0\n"
        "Content-Type: text/html\nContent-ID: <img@corp.example>\n\n"
        "<img src='cid:img@corp.example'>\n"
    )
    sent = mail(text, order(ann, bob), to=hard("a"), sender="bob@corp.example").sent()
    assert b"corp.example" not in b"".join(h.value for h in sent.headers if h.key != b"to")
    assert b"corp.example" not in bytes(sent.body)


def test_a_receipt_names_an_identifier_as_a_thread_does() -> None:
    """RFC 8098 section 3.2.5: whoever asked for it looks for their message by that."""
    lines = [
        "In-Reply-To: <1@home.example>",
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=b",
    ]
    body = (
        "--b\n\nread\n--b\nContent-Type: message/disposition-notification\n\n"
        "Final-Recipient: rfc822; john@home.example\nOriginal-Message-ID: <1@home.example>\n"
        "Disposition: manual-action/MDN-sent-manually; displayed\n--b--\n"
    )
    people = order(
        person("john@home.example", "buyer", "b" * 32), person("x@y.example", "partner", "a" * 32)
    )
    text = "\n".join(["From: john@home.example", *lines, "", body])
    copy = mail(text, people, to=hard("a"), sender="john@home.example").sent()
    [answered] = [each.value for each in copy.headers if each.key == b"in-reply-to"]
    assert answered.startswith(b"<m-")
    assert b"Original-Message-ID: " + answered + b"\n" in bytes(copy.body)
    assert b"home.example" not in bytes(copy.body)
