"""Whose a message identifier is, and what stands for it."""

import pytest
from builders import BUYER, CARRIER, DOMAIN, hard, mail, order, person

from conversation_tracker.core.model.conversation import Mapped
from conversation_tracker.core.views import message_ids

PARENT = DOMAIN.partition(".")[2]


@pytest.mark.parametrize("host", [DOMAIN, f"207700027841b.{DOMAIN}"])
def test_an_identifier_of_ours_reveals_nobody_of_the_parent_domain(host: str) -> None:
    """Else it would be replaced once more, and not be the one that is mapped back."""
    desk = person(f"desk@{PARENT}", "partner", "d" * 32)
    talk = order(person(BUYER), desk)
    assert message_ids.revealed(f"<m-0@{host}>".encode(), talk) is None
    assert message_ids.revealed(f"<1@mail.{PARENT}>".encode(), talk) == desk
    assert message_ids.revealed(f"<desk@{PARENT}@{host}>".encode(), talk) == desk


def test_an_identifier_of_a_shared_domain_is_the_authors() -> None:
    """Who wrote the message made it, of two in one domain; what is mapped stays its owner's."""
    first, second = person(BUYER), person(BUYER.replace("john", "ann"), "partner", "d" * 32)
    talk = order(first, second, person(CARRIER))
    identifier = b"<1@" + BUYER.partition("@")[2].encode() + b">"
    assert message_ids.revealed(identifier, talk) == first
    assert message_ids.revealed(identifier, talk, second) == second
    ours = message_ids.ours(identifier, talk.order)
    known = {ours: Mapped(ours, identifier.decode(), second.token)}
    assert message_ids.stands_for(identifier, talk, second, known, first) is None
    assert message_ids.stands_for(identifier, talk, first, known, first) == ours
    assert message_ids.stands_for(ours.encode(), talk, second, known) == identifier.decode()
    assert message_ids.stands_for(ours.encode(), talk, first, known) is None


def test_a_sender_makes_the_database_look_up_few_identifiers() -> None:
    """The nearest of others, and all of ours, which are told apart by their domain alone."""
    talk = order(BUYER, CARRIER)
    references = " ".join(f"<{number}@elsewhere.example>" for number in range(5_000))
    text = f"From: {CARRIER}\nIn-Reply-To: <m-1@{DOMAIN}>\nReferences: {references}\n\nHello.\n"
    found = message_ids.to_look_up(mail(text, talk, to=hard("b")).message, talk.order)
    assert found[0] == f"<m-1@{DOMAIN}>"
    assert len(found) == 101
    assert found[1] == message_ids.ours(b"<4999@elsewhere.example>", talk.order)
