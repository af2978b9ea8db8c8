"""Known addresses in running text: where they begin and end, and how they are spelled."""

import re
from urllib.parse import unquote

import pytest
from cost import linear
from hypothesis import example, given
from hypothesis import strategies as st

from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.scanning.text.address_matcher import AddressMatcher

REAL = "john@doe.example"
ALIAS = "ff2e@ct.example.com"
MASK = Masker(
    {
        REAL: ALIAS,
        "mary@doe.example": "aa11@ct.example.com",
        "max@gmail.com": "bb22@ct.example.com",
        "ida@xn--mller-kva.example": "cc33@ct.example.com",
        "otto+shop@doe.example": "dd44@ct.example.com",
        '"jo hn"@doe.example': "ee55@ct.example.com",
    }
)

FOUND = [
    ("john@doe.example", "ff2e@ct.example.com"),
    ("<John@DOE.example>", "<ff2e@ct.example.com>"),
    ("mailto:john@doe.example?subject=x", "mailto:ff2e@ct.example.com?subject=x"),
    ("Write to john@doe.example.", "Write to ff2e@ct.example.com."),
    ("john@doe.example, mary@doe.example", "ff2e@ct.example.com, aa11@ct.example.com"),
    ("'john@doe.example'", "'ff2e@ct.example.com'"),
    ('"john@doe.example"', '"ff2e@ct.example.com"'),
    # A quotation mark parts even from a letter that it touches.
    ('b"john"@doe.example', 'b"ff2e@ct.example.com'),
    ('b"max"@gmail.com', 'b"bb22@ct.example.com'),
    ("m.ax.@gmail.com", "bb22@ct.example.com"),
    ('x "john"@doe.example', "x ff2e@ct.example.com"),
    ("_john@doe.example_", "_ff2e@ct.example.com_"),
    ("-john@doe.example- ", "-ff2e@ct.example.com- "),
    ("john@doe.example--", "ff2e@ct.example.com--"),
    ("> On Monday john@doe.example\n> wrote", "> On Monday ff2e@ct.example.com\n> wrote"),
    # What joins no name to another.
    ("Write to--john@doe.example", "Write to--ff2e@ct.example.com"),
    ("Name...john@doe.example", "Name...ff2e@ct.example.com"),
    ("E-Mail____john@doe.example", "E-Mail____ff2e@ct.example.com"),
    ("a%2D%2Djohn%40doe.example", "a%2D%2Dff2e%40ct.example.com"),
    # What a machine puts before an address.
    ("<0489.john@doe.example>", "<0489.ff2e@ct.example.com>"),
    ("<email-john@doe.example>", "<email-ff2e@ct.example.com>"),
    ("<1a2b3c4d.john@doe.example>", "<1a2b3c4d.ff2e@ct.example.com>"),
    ("Message-ID: <abc.john@doe.example>", "Message-ID: <abc.ff2e@ct.example.com>"),
    ("prvs=12ab=john@doe.example", "prvs=12ab=ff2e@ct.example.com"),
    # Spellings of the separator.
    ("?to=john%40doe.example&x", "?to=ff2e%40ct.example.com&x"),
    ("%3cJOHN%2540doe.example%3e", "%3cff2e%2540ct.example.com%3e"),
    ("mailto:%20john@doe.example", "mailto:%20ff2e@ct.example.com"),
    ("=3Cjohn=40doe.example=3E", "=3Cff2e=40ct.example.com=3E"),
    ("rfc822;john+40doe.example", "rfc822;ff2e+40ct.example.com"),
    (r"\u003cjohn\u0040doe.example\u003e", r"\u003cff2e\u0040ct.example.com\u003e"),
    (r"Hello\njohn@doe.example", r"Hello\nff2e@ct.example.com"),
    ("john\uff20doe.example", "ff2e@ct.example.com"),
    # Routed, bounced, rewritten.
    ("bounce+john=doe.example@lists.example", "bounce+ff2e=ct.example.com@lists.example"),
    ("bounce-7-john=doe.example@lists.example", "bounce-7-ff2e=ct.example.com@lists.example"),
    ("b%2Bjohn%3Ddoe.example%40lists.example", "b%2Bff2e%3dct.example.com%40lists.example"),
    ("john%doe.example@relay.example", "ff2e%ct.example.com@relay.example"),
    ("SRS0=HH=TT=doe.example=john@fwd.example", "SRS0=HH=TT=ct.example.com=ff2e@fwd.example"),
    ("doe.example!john@relay.example", "ct.example.com!ff2e@relay.example"),
    ("x!Doe.Example!John--", "x!ct.example.com!ff2e--"),
    # Variants of the address.
    ("john+news@doe.example", "ff2e@ct.example.com"),
    ("otto@doe.example", "dd44@ct.example.com"),
    ("otto%2Bshop%40doe.example", "dd44%40ct.example.com"),
    ("m.ax+a@GoogleMail.com", "bb22@ct.example.com"),
    ("ida@müller.example", "cc33@ct.example.com"),
    ("ida@XN--mller-kva.example", "cc33@ct.example.com"),
    ('"john"@doe.example', "ff2e@ct.example.com"),
    ('"Jo hn"@doe.example', "ee55@ct.example.com"),
    ("jo\u200bhn@do\u00ade.example", "ff2e@ct.example.com"),
    ("\u0130stanbul john@doe.example", "\u0130stanbul ff2e@ct.example.com"),
    # Text without spaces, file names.
    ("john@doe.example.Über uns", "ff2e@ct.example.com.Über uns"),
    ("john@doe.example.こちら", "ff2e@ct.example.com.こちら"),
    ("john@doe.example-é.x", "ff2e@ct.example.com-é.x"),
    ("連絡はjohn@doe.exampleまで", "連絡はff2e@ct.example.comまで"),
    ("john@doe.example.pdf", "ff2e@ct.example.com.pdf"),
    (
        "john@doe.example.bin john@doe.example.tar.gz",
        "ff2e@ct.example.com.bin ff2e@ct.example.com.tar.gz",
    ),
    ("john@doe.example-0x12-pub.asc", "ff2e@ct.example.com-0x12-pub.asc"),
]

OTHERS = [
    "",
    "no address at all",
    "doe.example",
    "@doe.example",
    "joh@doe.example",
    "xjohn@doe.example",
    "éjohn@doe.example",
    "mary.john@doe.example",
    "anna-john@doe.example",
    "anna+john@doe.example",
    "anna.john=doe.example@lists.example",
    "%41john@doe.example",
    "anna%2Ejohn%40doe.example",
    "john@doe.example.br",
    "john@doe.example.mov john@doe.example.ps",
    "john@doe.example2",
    "john@doe.examples",
    "john@x.doe.example",
    "john@xdoe.example",
    "john%40doe.example%2Ebr",
    "john@doe.example.pdf.example.org",
    "john@doe.example-207700027841b.ct.example.com",
    "john@doe.example-207700027841b",
    "jo hn@doe.example",
    "x.doe.example=john@fwd.example",
    "m.ax@mail.com",
    "x.doe.example!john",
    "doe.example!johnny doe.example!john.x doe.example!john-x doe.example!anna doe.example!john!x",
]


@pytest.mark.parametrize(("text", "expected"), FOUND)
def test_a_known_address_is_replaced_in_every_spelling(text: str, expected: str) -> None:
    assert MASK(text) == expected


@pytest.mark.parametrize("text", OTHERS)
def test_what_only_resembles_an_address_stays_the_same_object(text: str) -> None:
    assert MASK(text) is text


def test_nothing_is_replaced_without_known_addresses() -> None:
    text = "john@doe.example"
    assert Masker({})(text) is text
    assert not Masker({}).possible("jöhn".encode())


def test_a_key_that_is_no_address_is_an_error_that_does_not_name_it() -> None:
    with pytest.raises(ValueError, match=r"^a key is no address$"):
        Masker({"john": ALIAS})


def test_the_longest_known_address_wins() -> None:
    both = Masker({REAL: "short@ct.example", "0489.john@doe.example": "long@ct.example"})
    assert both("0489.john@doe.example john@doe.example") == "long@ct.example short@ct.example"


def test_an_untagged_address_of_two_tagged_ones_is_the_firsts() -> None:
    two = Masker({"a+1@doe.example": "x@ct.example", "a+2@doe.example": "y@ct.example"})
    assert two("a+2@doe.example a@doe.example") == "y@ct.example x@ct.example"


@pytest.mark.parametrize(
    ("other", "own", "masked", "stays"),
    [
        ("a+1@doe.example", "a@doe.example", "a+1@ A%2B1%40", "a@ a+2@ a%40 A+2%40 doe.example=a@"),
        ("a@doe.example", "a+1@doe.example", "a@ a+2@ A%40", "a+1@ A+1@ a%2B1%40"),
        ("a+1@doe.example", "a+2@doe.example", "a+1@", "a+2@ a@ a+3@"),
        ("ab@gmail.com", "a.b@gmail.com", "ab@ AB%40", "a.b@ A.B@ a.b+x@ a..b@"),
        ("a.b@gmail.com", "ab@googlemail.com", "a.b@ A.b%40", "ab@ ab+x@"),
        ("a.b+1@gmail.com", "ab@gmail.com", "a.b+1@ ab+1@", "ab@ a.b@ a.b+2@"),
        ("abc@gmail.com", "a.bc+1@gmail.com", "abc@ abc+2@", "a.bc+1@ abc+1@ ab.c@ a.bc@"),
    ],
)
def test_a_variant_of_ones_own_address_stays(other: str, own: str, masked: str, stays: str) -> None:
    """It is no secret to whoever reads it; only what is exactly somebody else's is masked."""
    mask = Masker({other: ALIAS}, kept=[own])
    watch = AddressMatcher({own: "own", other: "other"})
    domain = other.rpartition("@")[2]
    for each in masked.split():
        text = f"<{each}{domain}>"
        assert ALIAS.partition("@")[0] in mask(text)
        assert set(watch.find(unquote(text.lower()))) == {"other"}
    for each in stays.split():
        text = f"<{each}{domain}>" if "=" not in each else f"<{each}>"
        assert mask(text) is text
        assert set(watch.find(unquote(text.lower()))) <= {"own"}


def test_an_alias_can_be_turned_back_into_the_address() -> None:
    soft = "john@doe.example-207700027841b.ct.example.com"
    back = Masker({soft: REAL, "ff2e@ct.example.com": REAL})
    assert back(f"<{soft}> ff2e%40ct.example.com") == "<john@doe.example> john%40doe.example"


def test_a_local_part_outside_ascii_is_not_found_inside_a_longer_one() -> None:
    mask = Masker({"太郎@doe.example": ALIAS})
    assert mask("<太郎@doe.example>") == f"<{ALIAS}>"
    assert mask("山田太郎@doe.example") == "山田太郎@doe.example"


def test_a_domain_of_one_label_or_a_literal_is_found_at_its_own_end() -> None:
    mask = Masker({"root@localhost": "a@ct.example", "root@[192.0.2.1]": "b@ct.example"})
    assert mask("root@localhost root@localhost-2") == "a@ct.example root@localhost-2"
    assert mask("<root@[192.0.2.1]>") == "<b@ct.example>"


@pytest.mark.parametrize(("text", "expected"), FOUND)
def test_possible_is_true_wherever_something_is_found(text: str, expected: str) -> None:
    assert text != expected
    assert MASK.possible(text.encode())


def test_possible_is_false_without_the_domain() -> None:
    assert not MASK.possible(b"john@other.example and much else " * 100)


PIECES = st.sampled_from(
    [
        *(REAL, "john", "@", "doe.example", "a@b.example", "207700027841b", ".ct", "0489", "mary"),
        *("=", "%40", "%", "3c", ".", "-", "+", "_", " ", "<", ">", '"', "x", "\n"),
        *("\u200b", "é", "は"),
    ]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=60)
# The boundaries once more, in the plainest case: nothing beside the address that could join it.
BARE = re.compile(r"(?i)(?<![^\s<>\"])john@doe\.example(?![^\s<>\"])")


@given(TEXTS)
def test_no_known_address_is_left(text: str) -> None:
    """What stands alone between blanks, brackets or quotes is always gone."""
    assert not BARE.search(Masker({REAL: ALIAS})(text))


@given(TEXTS)
@example("john@doe.example@doe.example")
def test_masking_twice_changes_nothing_more(text: str) -> None:
    mask = Masker({REAL: ALIAS})
    once = mask(text)
    assert mask(once) is once


@given(st.text(st.characters(exclude_characters="@=%+\\"), max_size=200))
def test_text_without_a_separator_stays_the_same_object(text: str) -> None:
    lone = text.replace("\uff20", "").replace("\ufe6b", "")
    assert MASK(lone) is lone


@given(TEXTS)
def test_impossible_bytes_hold_nothing_to_mask(text: str) -> None:
    mask = Masker({REAL: ALIAS})
    assert mask.possible(text.encode("utf-8", "replace")) or mask(text) is text


@given(TEXTS, TEXTS)
def test_text_around_an_address_stays(before: str, after: str) -> None:
    """Between blanks, the address is replaced and its surroundings are as without it."""
    mask = Masker({REAL: ALIAS})
    left, right = before + " \n", "\n " + after
    assert mask(left + REAL + right) == mask(left) + ALIAS + mask(right)


@pytest.mark.parametrize(
    "piece",
    [
        "lorem ipsum dolor sit amet\n",
        "@doe.example",
        "+@doe.example",
        "." * 500 + "@doe.example",
        "a+" * 200 + "@doe.example",
        "-" * 40 + "@doe.example-",
        "message-id:" * 40 + "anna.john@doe.example",
        "=doe.example",
        "\u200bj@doe.example",
        "john@doe.example ",
    ],
)
def test_a_long_text_takes_linear_time(piece: str) -> None:
    mask = Masker({f"user{n}@doe.example": ALIAS for n in range(100)} | {REAL: ALIAS})
    linear(lambda size: mask(piece * (size // len(piece))), 400_000)
