"""A remote's words name nobody: neither by address nor by its local part, and keep their sense."""

import pytest
from builders import B, order, person
from cost import within
from hypothesis import given
from hypothesis import strategies as st
from spellings import JOHN as SPELT
from spellings import SPELLINGS

from conversation_tracker.core.reports.redaction import LONGEST, clean_status, redact, redact_names

JOHN = "john.doe1977"


def said(text: str, *addresses: str) -> str:
    """Return the words about mail to the first of these, in an order of all of them."""
    people = [
        person(each, "buyer" if n == 0 else "partner", "b" * 32 if n == 0 else f"{n:032x}")
        for n, each in enumerate(addresses)
    ]
    return redact(order(*people), text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No such user john.doe1977 here", "No such user [name] here"),
        ("No such user 'John.Doe1977'", "No such user '[name]'"),
        ("user johndoe1977 unknown", "user [name] unknown"),
        ("user j.o.h.n.d.o.e.1977 unknown", "user [name] unknown"),
        ("user john..doe1977. Sorry", "user [name]. Sorry"),
        ("john.doe1977+shop: full", "[name]: full"),
        ("john.doe1977+other+tag is full", "[name] is full"),
        ("/home/john.doe1977/Maildir: gone", "/home/[name]/Maildir: gone"),
        ("uid=john.doe1977,ou=people", "uid=[name],ou=people"),
        ("mailbox:JOHN.DOE1977", "mailbox:[name]"),
        ("mail_john.doe1977_x", "mail_[name]_x"),
        ("<john.doe1977@home.example> and john.doe1977", f"<{B}> and [name]"),
        ("xjohn.doe1977 john.doe19770", "xjohn.doe1977 john.doe19770"),
        ("john doe", "john doe"),
        ("relay7 says no to desk", "[name] says no to [name]"),
    ],
)
def test_no_local_part_is_told(text: str, shown: str) -> None:
    people = [f"{JOHN}+shop@home.example", "Desk@carrier.example", "relay7@x.example"]
    found = said(text, *people)
    assert found == shown.replace(B, "[address]") or found == shown


@pytest.mark.parametrize(
    "spelling",
    [
        "blanks at dots",
        "tochka",
        "atto",
        "at mark in kana, tight",
        "amid ideographs",
        "url defense 2",
        "url defense 3",
        "circled a and escapes",
        "double, all",
    ],
)
def test_an_address_is_known_in_any_spelling(spelling: str) -> None:
    found = said(f"5.1.1 {SPELLINGS[spelling]} refused", SPELT)
    letters = "".join(filter(str.isalnum, found.lower()))
    assert "johndoe" not in letters
    assert "home" not in letters
    assert found.startswith("5.1.1 ")
    assert found.endswith(" refused")


@pytest.mark.parametrize(
    ("local", "text", "shown"),
    [
        ("john+a+b", "john+a+b, john+a, john", "[name], [name], [name]"),
        ('"john doe"', "user john doe is unknown", "user [name] is unknown"),
        ("jörg", "Benutzer Jo\u0308rg unbekannt", "Benutzer [name] unbekannt"),
        ("o'neil", "no O'NEIL here", "no [name] here"),
        ("_x_", "no _x_ here", "no [name] here"),
        ("info", "no info here", "no [name] here"),
        ("host", "host mx.doe.example: [host] full", "host [host]: [host] full"),
        ("address", "address <x@y.example> rejected", "address <[address]> rejected"),
        ("1977", "1977 is 19770", "[name] is 19770"),
    ],
)
def test_every_local_part_is_known(local: str, text: str, shown: str) -> None:
    assert said(text, f"{local}@doe.example") == shown


@pytest.mark.parametrize(
    ("local", "text", "shown"),
    [
        ("user", "550 user unknown", "550 user unknown"),
        ("user", "550 <user> unknown", "550 <[name]> unknown"),
        ("mail", 'mail for "Mail" refused', 'mail for "[name]" refused'),
        ("a", "a mailbox (a) is full", "a mailbox ([name]) is full"),
        ("no", "no such user no", "no such user no"),
        ("550", "550 5.1.1 no '550'", "550 5.1.1 no '[name]'"),
        ("5.1.1", "550 5.1.1 no", "550 5.1.1 no"),
        ("42", "42 seconds", "42 seconds"),
    ],
)
def test_an_ordinary_word_goes_only_where_it_is_quoted(local: str, text: str, shown: str) -> None:
    """Else it would take the sense out of every sentence."""
    assert said(text, f"{local}@doe.example") == shown


def test_aliases_and_what_was_put_stay_whole() -> None:
    people = ["example@doe.example", "ct@doe.example", "host@x.example", "bbbb@y.example"]
    text = "<example@doe.example> at mx.example.com, other@z.example: example"
    assert said(text, *people) == f"<{B}> at [host], [address]: [name]"


def test_words_are_not_longer_than_a_timeline_shows() -> None:
    assert len(said("x " * 10_000, "john@doe.example")) == LONGEST


@pytest.mark.parametrize(
    ("status", "known"),
    [("5.1.1", "5.1.1"), ("2.0.0", "2.0.0"), ("", ""), ("5.1", ""), ("9.1.1", ""),
     ("5.1.1 john", ""), ("5.1.1\n", ""), ("5.1.1111", "")],
)  # fmt: skip
def test_a_status_is_a_code_alone(status: str, known: str) -> None:
    assert clean_status(status) == known


@given(
    st.lists(st.text("abc.+'_-1", min_size=1, max_size=8), max_size=5),
    st.text("abc.+'_-1 <>\"@", max_size=80),
)
def test_what_is_replaced_was_a_local_part(locals: list[str], text: str) -> None:
    found = redact_names(text, locals)
    kept = found.split("[name]")
    assert all(piece in text for piece in kept)
    for word in text.split():
        for local in locals:
            if word.replace(".", "") == local.replace(".", "") and len(word.strip(".+")) > 3:
                assert word not in found.split() or not word.strip(".")


@pytest.mark.parametrize("piece", [".", "a", "a.", "+", "a+", "'a", "<a>", "a ", "é", "_"])
@pytest.mark.parametrize("local", ["a" * 64, "a." * 32, "a+" * 32, "_" * 64, "." * 64])
def test_time_grows_with_the_length_only(local: str, piece: str) -> None:
    within(0.5, lambda: redact_names(piece * (20_000 // len(piece)), [local, local[:-1] + "b"]))
