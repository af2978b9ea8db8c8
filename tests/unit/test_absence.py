"""What is proved to name nobody, at one look, names nobody, whichever way it is masked or scanned.

Texts are put together at random from all rare spellings of an address, pieces of them, and what may
stand in the midst of a word or before a domain.
"""

import base64
import re
from collections.abc import Callable

import pytest
from builders import CARRIER, SHOP, A, B, mail, order, person
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_rare_spellings import BODIES, FIELDS, SPELLINGS

from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.address.names import Runs
from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.masking.part import leaf
from conversation_tracker.core.masking.text.absence import BETWEEN, names_nobody
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.scanning.text import deep_scan, text_search
from conversation_tracker.core.views import absence

JOHN = "john.doe@home.example"
PEOPLE = order(person(JOHN, "buyer", "b" * 32), SHOP, CARRIER)
# Pieces that are joined to one text: of addresses, of escapes, of what may part a word.
PIECES = [
    *("john.doe", "@", "home.example", "home", "me.example", ".example", "ho", "john", "."),
    *("www.", "mail.", "x.home.example", "shop.home.example=", "=john.doe@", "!john.doe", "%"),
    *(" ", "\n", "\r\n", "\n ", "\r\n\t", " \n> ", "\n> ", "|", "=\n", "= \r\n", "\n| ", ",\n"),
    *("&#104;", "&shy;", "&zwnj;", "&ZeroWidthSpace;", "&amp;", "&nbsp;", "&lt;", "<b>", "</b>"),
    *("<!-- > -->", "%68", "%2568", "%25", "=68", "=3D", "\\x68", "\\u0068", "\\68 ", "+AGg-", "+"),
    *("=?utf-8?q?", "home=40", "?=", "am9obi5kb2VAaG9tZS5leGFtcGxl", "aG9tZS5leGFt", "cGxl", "://"),
    *("https://c.example/", "/", "?e=", "6a6f686e2e646f6540", "686f6d652e6578616d706c65", "cid:"),
    *("\u00ad", "\u200b", "\uff48", "h\u0308", "\x1b(B", "\0", "\x0e", "\u017f", "(at)", " dot "),
]
# As many spellings as other pieces: of each text with a spelling, something tells.
PIECE = st.sampled_from(PIECES) | st.sampled_from([*SPELLINGS.values()])
TEXTS = st.lists(PIECE, min_size=1, max_size=7).map("".join)


def masker() -> Masker:
    """Make a mask for John."""
    return Masker({JOHN: A}, watched=("ct.example.com",))


def plain(text: str) -> bool:
    """Return whether masking a plain text changes it."""
    data = text.encode()
    return leaf.mask_plain(data, "utf-8", masker())[0] != data


def page(text: str) -> bool:
    """Return whether masking a page changes it."""
    data = text.encode()
    return leaf.mask_page(data, "utf-8", masker())[0] != data


def block(text: str) -> bool:
    """Return whether masking a header block changes it."""
    data = b"Content-Description: " + text.encode() + b"\n"
    return part_header.is_plain(data) and part_header.mask_header(data, masker()) != data


def value(text: str) -> bool:
    """Return whether masking the value of a field that is text changes it."""
    for name in (b"subject", b"content-type", b"x-other"):
        if part_header.is_text(name, text.encode()):
            new = part_header.mask_value(name, text.encode(), masker())
            if new != text.encode():
                return True
    return False


@pytest.mark.parametrize("changes", [plain, page, block, value])
@pytest.mark.parametrize("name", SPELLINGS)
def test_no_rare_spelling_is_told_to_be_absent(name: str, changes: Callable[[str], bool]) -> None:
    text = SPELLINGS[name]
    if changes(text):
        assert not names_nobody(text.encode(), masker(), markup=changes is page)


TOKEN = base64.b64encode("x john.doe@ho\u200bme.example".encode()).decode()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (plain, "x john.doe@h%6fme.example"),
        (plain, "x john.doe@hom\\u0065.example"),
        (plain, f"https://c.example/{TOKEN}"),
        (plain, JOHN.encode("utf-16-le").decode()),
        (plain, "john.doe@home.exam\x1b[1mple"),
        (page, "x john.doe@h<b>o</b>me.example"),
        (page, "x john.doe@ho<!-- > -->me.example"),
        (page, "x john.doe@h&#111;me.example"),
        (page, "x john.doe@ho&ZeroWidthSpace;me.example"),
        (block, "x john.doe@ho\n me.example"),
        (value, "x john.doe@ho\n\tme.example"),
        (value, "x john.doe@=?utf-8?q?home?=.example"),
    ],
)
def test_a_domain_of_which_no_piece_stands_in_clear_is_not_absent(
    changes: Callable[[str], bool], text: str
) -> None:
    assert changes(text)
    assert not names_nobody(text.encode(), masker(), markup=changes is page)


@pytest.mark.parametrize("as_page", [False, True])
@pytest.mark.parametrize(
    "text", ["x john.doe@hom%E2%80%8Be.example", "%x john.doe@hom+AGU-.example"]
)
def test_what_is_escaped_to_some_people_alone_is_not_absent(text: str, as_page: bool) -> None:
    """Most orders have nobody for whose sake it is looked behind octets of UTF-8."""
    known = Masker({JOHN: A, "jo@m\u00fcnchen.example": B, "jo@john.net": B})
    mask = leaf.mask_page if as_page else leaf.mask_plain
    assert mask(text.encode(), "utf-8", known)[0] != text.encode()
    assert not names_nobody(text.encode(), known, markup=as_page)


def test_a_word_that_an_order_lets_be_read_is_masked_and_not_refused() -> None:
    """The final scan reads it in every order."""
    people = order(
        person(JOHN, "buyer", "b" * 32),
        person("jo@m\u00fcnchen.example", "partner", "c" * 32),
        *(SHOP, CARRIER),
    )
    raw = f"From: {JOHN}\nSubject: x\n\nwrite to john.doe@hom%E2%80%8Be.example now\n"
    assert mail(raw, people, to=A, sender=JOHN).sent().body == f"write to {B} now\n".encode()


@pytest.mark.parametrize("comment", ["(x)", "(x)(y)", "(a (b))"])
def test_a_comment_amid_a_domain_parts_it_in_an_attached_message(comment: str) -> None:
    data = f"To: john.doe@ho{comment}me.example, x@www.home.example\n".encode()
    assert part_header.mask_header(data, masker()) != data
    assert not (part_header.is_plain(data) and names_nobody(data, masker()))
    assert part_header.is_plain(b"Received: from x.example (y [192.0.2.1]) by z.example\n")


@pytest.mark.parametrize("changes", [plain, page, block, value])
def test_what_names_nobody_is_not_changed(changes: Callable[[str], bool]) -> None:
    seen = [0, 0]

    @settings(max_examples=400, deadline=None)
    @given(TEXTS)
    @example("home.example=john.doe@x")
    @example("home.exam\n ple!john.doe")
    @example("x <ho<b>me.example")
    def check(text: str) -> None:
        absent = names_nobody(text.encode(), masker(), markup=changes is page)
        changed = changes(text)
        seen[0] += absent
        seen[1] += changed
        assert not (absent and changed), text

    check()
    assert min(seen) > 10  # neither is told of everything


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, min_size=2, max_size=4))
def test_texts_that_are_looked_at_together_name_whom_each_names(texts: list[str]) -> None:
    whole = BETWEEN.join([each.encode() for each in texts])
    if names_nobody(whole, masker()):
        assert not any(map(plain, texts))


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_what_the_scan_takes_for_nothing_shows_nothing(text: str) -> None:
    """Read in every other way all the same."""
    scanner = Scanner({JOHN: "b" * 32})
    for markup in (False, True):
        told = deep_scan.shows_nothing(text, scanner.matcher, markup=markup)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(text_search.deep_scan, "shows_nothing", lambda *_a, **_k: False)
            search = text_search.TextSearch(scanner, None)
            tokens = set(search.find_in_tokens(scanner.tokens.decode(text)))
            found = set(search.find(text, markup=markup))
        assert not told or found == tokens


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("see www.home.example", False),
        ("see home.example", True),
        ("see x.home.example and @home.example", True),
        ("at home, for example", True),
        ("at home", False),
        ("an example", False),
    ],
)
def test_a_domain_stands_where_all_of_it_does_and_no_longer_one(text: str, may: bool) -> None:
    low = text.encode()
    assert Runs(["home.example"], []).may_stand_in(low, low.replace(b" ", b"")) is may


def test_a_domain_in_other_letters_may_stand_anywhere() -> None:
    assert Runs(["\u043f\u043e\u0447\u0442\u0430"], []).may_stand_in(b"x", b"x")
    assert Runs([], ["\u043f\u043e\u0447\u0442\u0430.example"]).may_stand_in(b"x", b"x")


PLACES = {**BODIES, **FIELDS}
BESIDE = "Content-Type: multipart/mixed; boundary=qq\n\n--qq\n\nHi\n--qq\n{}\n--qq--\n"


@pytest.mark.parametrize("place", ["plain", "html", "plain, quoted-printable", "flowed", "Subject"])
@settings(max_examples=20, deadline=None)
@given(TEXTS)
def test_a_plan_is_the_same_without_the_proof(place: str, text: str) -> None:
    if place == "Subject":
        text = re.sub(r"\r?\n(?![ \t])|\0", " ", text)
    raw = PLACES[place](text)
    for whole in (raw, f"From: {JOHN}\n".encode() + BESIDE.encode().replace(b"{}", raw)):
        sent = mail(whole, PEOPLE, to=A, sender=JOHN)
        done = sent.plan()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(absence, "names_nobody", lambda *_a, **_k: False)
            again = mail(whole, PEOPLE, to=A, sender=JOHN).plan()
        assert repr(done) == repr(again)


def test_a_message_that_names_nobody_is_not_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = (
        f"From: {JOHN}\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nHello, 100 %\n"
        "--b\nContent-Type: text/html\n\n<p>Hello &amp; bye: https://www.home.example/x</p>\n--b--\n"
    ).encode()
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    done = sent.plan()
    assert sent.sent(done).body == sent.message.body
    monkeypatch.setattr(absence.message_body, "mask_body", None)  # so it would raise
    assert repr(mail(raw, PEOPLE, to=A, sender=JOHN).plan()) == repr(done)
