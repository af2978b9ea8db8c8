"""Hostile shapes: what parsers know as delimiters, in runs, alternations and nestings of any size.

For what must cost time and memory in proportion to its input, whatever that is. Nothing here knows
how anything is parsed; `samples` reads a regular expression and gives what it is made of.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

try:
    from re import _parser as sre_parse  # type: ignore[attr-defined]
except ImportError:  # before Python 3.11
    import sre_parse

ADDRESS = "john@doe.example"
SOFT = "@x.example-123456789012b.ct.example.com"
SIGNS = (
    *""" . , ; : = @ % & # + - _ / \\ ' " ( ) < > [ ] { } * ? ! | ~ ^ ` $ a 0 Z e
    =? ?= =?utf-8?q? =?utf-8?b? =?x =40 %40 %25 %3d &#64; &amp; &#x & &lt; \\u0040 \\" \\\\ +40 ..
    -- --b :// http:// www. cid: mid: mailto: <a <a> </ </a> <!-- --> <! <? <script> <style </style>
    <p> <br> ;name=x ;name*0=x ;a*1*=% ;a*1=x ;boundary=b ;x*= (x) (x) ;(x) \\( <x> <@a,@b:
    -123456789012b. @x-123456789012b. x@y y= =y@ y! doe.example @doe.example john@ john= b+
    doe.example=john@ am9obkBkb2UuZXhhbXBsZQ== am9obkBkb2UuZXhhbXBsZQ/ ZG9lLmV4YW1wbGU
    6a6f686e40646f652e6578616d706c65 id: message-id: ;B ;B: ENCODING= ;QUOTED-PRINTABLE
    ;ENCODING=BASE64: :data:x;base64, ;CHARSET= dkim=pass spf=pass i=x= header.d= 550 5.1.1 #5.0.0
    PK\3\4 %PDF- endstream BT (x)Tj <41>Tj >> << q@q, @b.c a@b= xn--a. 1.2.3.4 a.b bounce- prvs=
    SRS0= {\\rtf \\'40 \\x40 \\n =3D ?b? ?q? *0* **""".split(),
    " ", "\t", "\n", "\r\n", "\r", "\n ", "\r\n\t", "\0", "\x1b", "\u00e9", "\u200b", "\u4e00",
    "\uff20", "\u0130", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "\udcff",
    "a ", "a\n", "=\n", "= \n", " \n", "> ", " \n> ", "\n\n", "--b\n", "--b--\n", "\n--b\nX: y\n\n",
    "From ", "From: ", "From: x\n", "From: x\n y\n", "From x\n", "Content-Type: text/html\n",
    "Content-Type: message/rfc822\n\n", "Content-Type: multipart/mixed; boundary=b\n\n--b\n",
    "=?utf-8?q?a?= ", "=?utf-8?b?YQ==?= ", "=?utf-8?q?=C3?= ", "begin 644 x\n", "end\n", "`\nend\n",
    "#0V%T\n", "BEGIN:VCARD\n", "X;B:aaaa\n", "-----BEGIN PGP MESSAGE-----\n", "-----END x-----\n",
    "-----BEGIN X-----\n\n", "stream\n", "stream\r\nendstream\n", "\x30\x80", "\x24\x80",
    "\x04\x01x",  "\x30\x82", "\x06\x09", "Final-Recipient: rfc822; x@y\n", "Status: 5.1.1\n",
    "<x@y>: host a said: 550 x\n",
    f"{ADDRESS} ", f"{ADDRESS}, ", f"<{ADDRESS}>", f"{ADDRESS}\n", f"a{ADDRESS} ", f"{SOFT} ", SOFT,
    f"x {SOFT}, ", "a" * 60 + "\n", "QUJD" * 19 + "\n", "=C3=A9", "a" * 75 + "=\n", "a, ", "a; ",
    "a <b@c.d>, ", '"a" <b@c.d>, ', "(a) ", "a: b;", "<a@b.c> ", "to=<", ": ",
    ", relay=", " status=sent", "{\\*\\a ", "\\v ", "\\v0 ", "@=\n", "(at) ", " at doe dot ",
    "@ doe ", "&amp;#64;", "\\u64?", "\\40 ", "\x1b(B", "+AEA-", "%2540", "cfemail=4f",
    "urldefense.com/v3/__*",
)  # fmt: skip
"""What headers, parameters, texts, markup and structures are parted by, and some words."""

PAIRS = ("()", "<>", "[]", '""', "{}", ("<a>", "</a>"), ("<!--", "-->"), ("=?", "?="), (":", ";"),
         ("(\\", ")"), ("<", ">,"), ('"(', ')"'), ("((", ")"), (";(", ")"))  # fmt: skip
"""What opens and closes."""


class Shape(NamedTuple):
    """A text of any size: its name, and what makes it of about so many characters."""

    name: str
    make: Callable[[int], str]


def filled(*pieces: str) -> Callable[[int], str]:
    """Repeat pieces up to a size."""
    whole = "".join(pieces) or "x"
    return lambda size: whole * max(1, size // len(whole))


def runs(signs: Sequence[str] = SIGNS) -> Iterator[Shape]:
    """Each sign over and over; and one sign before, or behind, a run of another."""
    for sign in signs:
        yield Shape(f"{sign!r} over and over", filled(sign))


def nestings() -> Iterator[Shape]:
    """What is opened as often as it is closed, never closed, or never opened."""
    for opens, closes in PAIRS:
        yield Shape(f"{opens!r} and as many {closes!r}", _nested(opens, closes))
        yield Shape(f"{opens!r} with a letter, then {closes!r}", _nested(opens + "a", closes + "b"))


def led(first: Sequence[str], signs: Sequence[str], last: Sequence[str] = ("",)) -> Iterator[Shape]:
    """One sign, a run of another, and perhaps one more."""
    for before in first:
        for sign in signs:
            for behind in last:
                name = f"{before!r}, then {sign!r} over and over, then {behind!r}"
                yield Shape(name, _led(before, sign, behind))


def alternations(
    chance: random.Random, number: int, signs: Sequence[str] = SIGNS
) -> Iterator[Shape]:
    """So many mixtures of two or three signs, some led by one and ended by another."""
    for _ in range(number):
        pieces = chance.sample(signs, 2 + chance.randrange(2))
        before, behind = (chance.choice(signs) if chance.randrange(2) else "" for _ in range(2))
        name = f"{before!r}, then {' '.join(map(repr, pieces))} over and over, then {behind!r}"
        yield Shape(name, _led(before, "".join(pieces), behind))


def numbered(form: str) -> Shape:
    """A shape that is nowhere the same: `form` with a number in it."""

    def make(size: int) -> str:
        return "".join(form % n for n in range(max(1, size // (len(form) + 2))))

    return Shape(f"{form!r} with numbers", make)


def _led(before: str, sign: str, behind: str) -> Callable[[int], str]:
    return lambda size: before + filled(sign)(size) + behind


def _nested(opens: str, closes: str) -> Callable[[int], str]:
    def make(size: int) -> str:
        number = max(1, size // (len(opens) + len(closes)))
        return opens * number + closes * number

    return make


# What a pattern is made of


def samples(pattern: str, flags: int = 0, most: int = 9) -> list[str]:
    """Return what a regular expression is made of: what it matches, its words, and its signs.

    Args:
        pattern: the expression, as text.
        flags: its flags.
        most: how many at most; the longer ones first.
    """
    tree = sre_parse.parse(pattern, flags & ~re.DEBUG)
    found: dict[str, None] = {_example(tree): None}
    _collect(tree, found)
    kept = [each for each in found if each]
    return kept[:most]


def _collect(tree: Any, found: dict[str, None]) -> None:
    word = ""
    for kind, value in tree:
        name = str(kind)
        if name == "LITERAL":
            word += chr(value)
            continue
        if word:
            found[word] = None
            word = ""
        for inner in _inner(name, value):
            _collect(inner, found)
        if name in ("IN", "NOT_LITERAL", "ANY", "CATEGORY"):
            found[_example([(kind, value)])] = None
    if word:
        found[word] = None


def _inner(name: str, value: Any) -> list[Any]:
    if name == "BRANCH":
        return list(value[1])
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return [value[2]]
    if name == "SUBPATTERN":
        return [value[3]]
    if name == "ATOMIC_GROUP":
        return [value]
    if name in ("ASSERT", "ASSERT_NOT"):
        return [value[1]]
    return [each for each in value[1:] if each] if name == "GROUPREF_EXISTS" else []


_KINDS = {
    "SPACE": " ",
    "DIGIT": "7",
    "WORD": "w",
    "NOT_SPACE": "x",
    "NOT_DIGIT": "x",
    "NOT_WORD": "-",
}


def _example(tree: Any) -> str:
    """Return a text that a part of an expression matches, more or less."""
    pieces = []
    for kind, value in tree:
        name = str(kind)
        if name == "LITERAL":
            pieces.append(chr(value))
        elif name in ("ANY", "NOT_LITERAL"):
            pieces.append("x" if value != ord("x") else "y")
        elif name == "CATEGORY":
            pieces.append(_category(value))
        elif name == "IN":
            pieces.append(_one_of(value))
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, _, inner = value
            pieces.append(_example(inner) * min(max(1, int(least)), 40))
        elif name == "BRANCH":
            pieces.append(_example(value[1][0]))
        elif name not in ("ASSERT", "ASSERT_NOT", "AT", "GROUPREF"):
            pieces += [_example(inner) for inner in _inner(name, value)[:1]]
    return "".join(pieces)


def _category(value: Any) -> str:
    return _KINDS.get(str(value).removeprefix("CATEGORY_"), "x")


def _one_of(items: Any) -> str:
    first, *_ = items
    if str(first[0]) == "NEGATE":
        out = {chr(v) for k, v in items[1:] if str(k) == "LITERAL"}
        return next(each for each in "xyzXYZ0189-" if each not in out)
    if str(first[0]) == "LITERAL":
        return chr(first[1])
    return chr(first[1][0]) if str(first[0]) == "RANGE" else _category(first[1])
