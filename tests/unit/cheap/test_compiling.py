"""Each order has people of its own: a pattern compiled of their names costs more than a message."""

import re
from unittest import mock

import pytest
from builders import DOMAIN, mail, order, person

READER = "b" * 32
BODY = (
    "Hello {local}, write to {address} or {local} (at) {domain}.\n\n"
    "> {local} wrote from {domain}\n> see https://www.{domain}/{local}\n"
)


def plan(local: str, domain: str, *, html: bool) -> None:
    """Plan a message of somebody new that names them in most ways."""
    address = f"{local}@{domain}"
    body = BODY.format(local=local, domain=domain, address=address)
    kind = "html" if html else "plain"
    text = (
        f"From: {local} <{address}>\nTo: {address}\nMessage-ID: <1.{local}@{domain}>\n"
        f"Subject: {local} at {domain}\nContent-Type: text/{kind}\n\n{body}"
    )
    people = order(person("joe@web.example", "buyer", READER), person(address, "partner", "c" * 32))
    mail(text, people, to=f"{READER}@{DOMAIN}").plan()


@pytest.mark.parametrize("html", [False, True])
def test_no_pattern_is_compiled_of_the_names_of_an_order(
    html: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        plan(f"mary.roe{number}", f"first{number}.example", html=html)
        plan(f"mary{number}+news", f"second{number}.example", html=html)
        plan(f"mary.roe{number}+x", "gmail.com", html=html)
        if not number:  # what is compiled once was
            monkeypatch.setattr(re, "compile", mock.Mock(side_effect=AssertionError))
