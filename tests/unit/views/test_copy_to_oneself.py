"""Copies that go to whoever wrote the message."""

from dataclasses import replace

import pytest
from builders import BUYER, CARRIER, SHOP, hard, mail, order, person, soft

from conversation_tracker.core.model.plan import Plan

COPY = "From: {0} <{0}>\nTo: {0}\nCc: {0}\nSender: {0}\nSubject: Note\n\n{0}\n"


@pytest.mark.parametrize("who", [BUYER, SHOP, CARRIER])
@pytest.mark.parametrize("mask", ["hard", "soft"])
def test_the_author_is_an_alias_in_a_copy_to_themselves_too(who: str, mask: str) -> None:
    """What signs for the alias domain signs it; everywhere else stands what they wrote."""
    author = person(who)
    talk = order(BUYER, SHOP, CARRIER, mask=mask, issuer_mask=mask)
    alias = hard(author.token) if mask == "hard" else soft(who)
    letter = mail(COPY.format(who), talk, to=hard(author.token), sender=who, trusted=True)
    sent = letter.sent()
    values = {header.name.decode(): header.value.decode() for header in sent.headers}
    assert values["From"] == f'"{who}" <{alias}>'
    assert (values["To"], values["Cc"]) == (who, who)
    assert bytes(sent.body).decode().strip() == who
    assert [str(recipient.address) for recipient in sent.recipients] == [who]


def test_a_copy_to_oneself_without_from_gets_the_alias() -> None:
    """The envelope sender is the author then (RFC 5322 section 3.6.2)."""
    talk = order(BUYER, CARRIER)
    sent = mail("Subject: Note\n\nHello\n", talk, to=hard("a"), sender=CARRIER).sent()
    assert [h.value for h in sent.headers if h.key == b"from"] == [hard("a").encode()]


def test_a_soft_alias_shown_only_to_oneself_is_handed_out() -> None:
    """So an answer to it works."""
    carrier = replace(person(CARRIER), handed_out=False)
    talk = order(BUYER, carrier, mask="soft")
    plan: Plan = mail(COPY.format(CARRIER), talk, to=hard("a"), sender=CARRIER).plan()
    [record] = plan.records
    assert carrier.token in record.shown
