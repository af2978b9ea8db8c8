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
from spellings import BODIES, FIELDS, SPELLINGS

from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.address.names import Runs
from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.masking.part import leaf
from conversation_tracker.core.masking.text import absence as text_absence
from conversation_tracker.core.masking.text.absence import (
    BETWEEN,
    names_nobody,
    text_names_nobody,
)
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.scanning.text import (
    decodings,
    deep_scan,
    rare_spellings,
    text_search,
)
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


def change(how: leaf.Leaf, text: str, mask: Masker) -> bool:
    """Return whether masking a text changes it, whatever is proved of it."""
    data = text.encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_absence, "text_names_nobody", lambda *_a, **_k: False)
        return how(data, "utf-8", mask)[0] != data


def plain(text: str) -> bool:
    """Return whether masking a plain text changes it."""
    return change(leaf.mask_plain, text, masker())


def page(text: str) -> bool:
    """Return whether masking a page changes it."""
    return change(leaf.mask_page, text, masker())


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

    @settings(max_examples=300, deadline=None)
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


# What stands for letters, signs or nothing, and what does not.
OTHERS = [
    *("\u00e9", "\u00a0", "\u4f8b", "\u201c", "\u2026", "\u20ac", "\u2122", "\u00b9", "\u00aa"),
    *("\u00ad", "\u200b", "\u200d", "\ufe0f", "\ufeff", "\u2060", "\u0301", "e\u0301", "\u0338"),
    *("\uff48", "\uff4f\uff4d\uff45", "\u2091", "\U0001d428", "\u24de", "\u212a", "\u0130"),
    *("\u2024", "\u3002", "\uff0e", "\uff61", "\u037e", "\u037e\u0301", "\u1fef", "\u2488"),
    *("\x9b", "\x9b0m", "\x1b[3", "\uff13m", "\x0e", "\x0b", "\0", "\udc80", "\x85", "\u2028"),
    *("\uff20", "\uff06", "&#", "104", "#104", ";", "&fflig;", "&sup1;", "&amp;#104;", "%E2%80%8B"),
    *("\\e(B", "\\", "\\'68", "\\u104?", "=\u200b\n", "=\n", "=%20\n", "%3D", "\uff05", "%20"),
    *(
        "m\u00fcnchen",
        "mu\u0308nchen",
        "M\u00dcNCHEN",
        "m\u00fc",
        "nchen.example",
        "xn--mnchen-3ya",
    ),
    *("kim", "k-mail", "\u212a-mail.example", "kim@k-ma\u0130l.example", "\u4f8b\u3048.jp", "bob@"),
]
SEVERAL = {JOHN: A, "jo@m\u00fcnchen.example": B, "kim@k-mail.example": B, "bob@\u4f8b\u3048.jp": B}
INVISIBLE = [
    "",
    "",
    "",
    "",
    "\u00ad",
    "\u200b",
    "\ufe0f",
    "=\n",
    "<b>",
    "&shy;",
    "\n",
    "\u0301",
    "\\",
]


def spell(character: str) -> st.SearchStrategy[str]:
    """Write a character in one of many ways, with something behind it or not."""
    code = ord(character)
    wide = chr(code - 0x21 + 0xFF01) if 0x21 <= code < 0x7F else character
    ways = [*[character] * 6, wide, f"&#{code};", f"%{code:02x}", f"={code:02X}", f"\\u{code:04x}"]
    written = st.sampled_from([*ways, character.upper(), f"&#x{code:x}", f"\\{code:02x} "])
    return st.tuples(written, st.sampled_from(INVISIBLE)).map("".join)


SPELLED = st.sampled_from([*SEVERAL]).flatmap(lambda key: st.tuples(*map(spell, key)).map("".join))
BEYOND = st.lists(PIECE | st.sampled_from(OTHERS), min_size=1, max_size=8).map("".join)
FEW = st.lists(st.sampled_from([*OTHERS, *"hom@. x", "home", "example"]), max_size=6).map("".join)
WRITTEN = FEW | st.tuples(BEYOND, SPELLED | BEYOND, BEYOND).map("".join)


@pytest.mark.parametrize("how", [leaf.mask_plain, leaf.mask_page])
def test_what_names_nobody_in_any_script_is_not_changed(how: leaf.Leaf) -> None:
    seen = [0, 0]

    @settings(max_examples=300, deadline=None)
    @given(WRITTEN)
    @example("\x1b[\uff13m john.doe@home\x1b[\uff13m.example")
    @example("\u00e9 john.doe@ho&#109\u037e\u0301e.example")
    @example("\u00e9 john.doe@hom=\u200b\ne.example")
    @example("\u200b john.doe@hom\\e(Be.example")
    @example("\u00e9 kim@\u212a-mail.example")
    @example("\u00e9 kim@k-ma\u0130l.example")
    @example("\u00e9 bob@\u4f8b\u3048.jp")
    def check(text: str) -> None:
        known = Masker(SEVERAL, watched=("ct.example.com",))
        absent = text_names_nobody(text, known, markup=how is leaf.mask_page)
        changed = change(how, text, known)
        seen[0] += absent and not text.isascii()
        seen[1] += changed
        assert not (absent and changed), text

    check()
    assert min(seen) > 10


@settings(max_examples=300, deadline=None)
@given(TEXTS | WRITTEN)
@example("\u00e9 see home.example")
def test_what_the_scan_takes_for_nothing_shows_nothing(text: str) -> None:
    """Read in every other way all the same."""
    scanner = Scanner(SEVERAL)
    for markup in (False, True):
        told = deep_scan.shows_nothing(text, scanner.matcher, markup=markup)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(text_search.deep_scan, "shows_nothing", lambda *_a, **_k: False)
            search = text_search.TextSearch(scanner, None)
            tokens = set(search.find_in_tokens(scanner.tokens.decode(text)))
            found = set(search.find(text, markup=markup))
        assert not told or found == tokens


@settings(max_examples=300, deadline=None)
@given(
    TEXTS | WRITTEN, st.sampled_from(["", "<b>", "\n> ", "\x1b[1m", "=\n", "%40", "\\", "+aeA-"])
)
@example("see home.example", "")
def test_what_the_scan_takes_as_it_stands_has_no_other_reading(text: str, more: str) -> None:
    text += more
    for markup in (False, True):
        if not deep_scan.reads_as_it_stands(text, Scanner(SEVERAL).matcher, markup=markup):
            continue
        low = text.lower()
        assert {*decodings.iter_readings(text, markup=markup)} == {low}
        assert {low, *rare_spellings.iter_readings(text, low, low, markup=markup)} == {low}
        assert not rare_spellings.bears_far([low], markup=markup)


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
            for module in (absence, text_absence):
                patch.setattr(module, "text_names_nobody", lambda *_a, **_k: False)
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
