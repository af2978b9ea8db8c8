"""The search for addresses finds what is planted, in every form, and takes nobody else for it."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leak_audit import Gathered, named, words

JOHN = "john@doe.example"
ENCODED = base64.b64encode(f"to {JOHN} now".encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        JOHN,
        "JOHN@Doe.Example",
        f"RCPT TO:<{JOHN}>",
        f"({JOHN}).",
        f"email-{JOHN}, 0489.{JOHN}",
        f"Key (order_id, address)=(1, {JOHN}) already exists.",
        f"mailto:{quote(JOHN, safe='')}?subject=x",
        "john=40doe.example",
        "jo=\r\nhn=40doe.exam=\r\nple",
        "john+40doe.example",
        "john&#64;doe.example",
        '"john\\u0040doe.example"',
        "b'john\\x40doe.example'",
        "bounce-john=doe.example@mx.example.net",
        ENCODED,
        f"token={ENCODED[3:]}",
        base64.urlsafe_b64encode(b"\xfb\xff<" + JOHN.encode() + b">\xfe\xff").decode(),
        base64.encodebytes(b"x " * 25 + JOHN.encode() + b" x" * 40).decode(),
        base64.b64encode(base64.b64encode(f"<{JOHN}>".encode())).decode(),
        f"\\x{f'say {JOHN}'.encode().hex()}",
        f"=?utf-8?q?john=40doe.example?= =?utf-8?b?{ENCODED}?=",
        f'{{"to": "{JOHN}"}}',
    ],
)
def test_an_address_is_found_in_every_form(text: str) -> None:
    assert named(text, [JOHN]) == [JOHN]
    assert named(text.encode(), [JOHN]) == [JOHN]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "john at doe.example",
        "xjohn@doe.example",
        "john@doe.example.net",
        "john@doe.example-207700027841b.ct.example.com",
        "john@doe.examples",
        "ohn@doe.example",
        "0123456789abcdef0123456789abcdef@ct.example.com",
    ],
)
def test_others_are_not_taken_for_it(text: str) -> None:
    assert named(text, [JOHN]) == []


def test_addresses_of_rare_forms_are_found() -> None:
    rare = ['"john doe"@doe.example', "jörg@doe.example", "a@[192.0.2.1]", "o'neil@doe.example"]
    for address in rare:
        assert named(f"unknown: <{address}>, sorry", rare) == [address]


@given(st.text())
def test_any_text_can_be_searched(text: str) -> None:
    assert all(word.count("@") for word in words(text))


def test_what_is_said_before_the_address_is_known_counts_too() -> None:
    gathered = Gathered()
    gathered.say("log", "a test", f"sent to {JOHN}")
    assert gathered.leaks() == []
    gathered.use(f"<{JOHN.upper()}>")
    [leak] = gathered.leaks()
    assert (leak.address, leak.source) == (JOHN, "log (a test)")


def test_what_is_allowed_to_one_is_not_to_another() -> None:
    gathered = Gathered()
    gathered.use(JOHN)
    gathered.say("reply", "a test", f"<{JOHN}>: Relay access denied", [f"RCPT TO:<{JOHN}>"])
    assert gathered.leaks() == []
    gathered.say("log", "a test", f"<{JOHN}>: Relay access denied")
    assert len(gathered.leaks()) == 1


def test_aliases_are_no_real_addresses() -> None:
    gathered = Gathered(domains={"ct.example.com"})
    hard = f"{'0a' * 16}@elsewhere.example"
    for alias in (hard, "a@b.example-123456789012b.elsewhere.example", "postmaster@ct.example.com"):
        gathered.use(alias)
        gathered.say("log", "a test", alias)
    assert gathered.addresses == frozenset()
    assert gathered.leaks() == []
