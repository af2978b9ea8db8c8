"""Each order has people of its own: a pattern compiled of their names costs more than a message."""

import re

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
    plan("mary.roe", "first.example", html=html)  # what is compiled once, by and by

    def compile_nothing(pattern: str, *_: object) -> None:
        raise AssertionError(pattern)

    monkeypatch.setattr(re, "compile", compile_nothing)
    plan("john_doe-7", "second.example", html=html)
    plan("ann", "third-place.example.co", html=html)
