"""The ways in which an address may be written in a text, a header or markup.

Nothing here knows how an address is found again.
"""

import base64
import html
import quopri
import re
from collections.abc import Sequence
from urllib.parse import quote

import rare
from choices import Choices
from people import STRANGERS, USUAL

_USUAL = tuple(each.address.key for each in USUAL if each.address is not None)
# Dots make no other one at Gmail; behind a domain of one label, more may follow than is told here.
_PLAIN = re.compile(r"[a-z0-9]+@(?!g(?:oogle)?mail\.com)[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_TAG = re.compile(r"\+[^@]*(?=@)")
_WORDS = (
    *("hello", "On Monday", "wrote:", "Best regards", " gr\u00fc\u00dfe ", " \u3053\u3093 ", "=3D"),
    *("100 %", "&amp;", "a=b", "<b>", "--", "> quoted", "https://shop.example/?q=1", "\t"),
    *("caf\u00e9 ", "=?utf-8?q?x?=", "@", "%40"),
)
_BEFORE = (
    "",
    " ",
    "<",
    "(",
    '"',
    "'",
    "[",
    ":",
    "mailto:",
    ";",
    ",",
    "/",
    "?to=",
    "=",
    "\n",
    "\t",
    ">",
    "\u3053",
)
_AFTER = (
    "",
    " ",
    ">",
    ")",
    '"',
    "'",
    "]",
    ":",
    ";",
    ",",
    "/",
    "?subject=x",
    "&",
    "\n",
    "\t",
    "<",
    ".",
    "!",
    "\u3053",
)


def address(choices: Choices) -> str:
    """Choose somebody's address, mostly a participant's; now and then one of the reader's."""
    people = choices.people or _USUAL
    if choices.strangers_only:
        return choices.of(_lookalikes(people))
    if choices.chance(8):
        return choices.of(STRANGERS)
    if choices.own and choices.chance(8):
        return choices.of(choices.own)
    return choices.of(people)


def _lookalikes(people: Sequence[str]) -> list[str]:
    """Return others than these; cut anywhere, some of them would be one of these."""
    known = {variant for each in people for variant in (each, _TAG.sub("", each))}
    near = [*STRANGERS, "john@shop.example"]
    for each in filter(_PLAIN.fullmatch, people[:8]):
        near += f"x{each}", f"{each}.org", f"{each}.com", f"mary.{each}"
    return [each for each in near if each not in known]


def spelled(choices: Choices, *, markup: bool = False) -> str:
    """Write somebody's address in one of the ways a reader understands."""
    plain = address(choices)
    local, _, domain = plain.rpartition("@")
    if choices.chance(5) and rare.is_simple(plain):
        return rare.write_text(choices, plain)
    ways = [
        plain,
        plain.upper(),
        plain.title(),
        f"{local}%40{domain}",
        f"{local}=40{domain}",
        f"{local}\u200b@{domain}",
        f"{local}@\u00ad{domain}",
        f"bounce+{local}={domain}@list.example",
        f"SRS0=abcd=xy={domain}={local}@srs.example",
        f"{local}%{domain}@relay.example",
        f"{local}\\u0040{domain}",
        f"{local}+tag@{domain}" if "+" not in local else plain,
        f"{local}@{_unicode(domain)}",
        f"0489.{plain}",
        f"email-{plain}",
        quote(plain, safe=""),
        f"https://t.example/?u={quote(plain, safe='')}&v=1",
        f"https://t.example/{base64.urlsafe_b64encode(plain.encode()).decode().rstrip('=')}",
        f"@relay.example:{plain}",
    ]
    if "+" not in local and domain == "gmail.com":
        ways += [f"an.na.lee@{domain}", "annalee@googlemail.com"]
    if markup:
        ways += [
            html.escape(plain).replace("@", "&#64;"),
            plain.replace("@", "&#x40;").replace(".", "&#46;"),
            f"{local}<b>@</b>{domain}",
            f'<a href="mailto:{quote(plain)}">{local}</a>',
            f"<!-- {plain} -->",
            f"{local}<wbr>@{domain}",
            plain.replace("@", "&commat;"),
            "".join(f"&#{ord(c)};" for c in plain),
        ]
    return choices.of(ways)


def text(choices: Choices, *, markup: bool = False, most: int = 6) -> str:
    """Write words with addresses among them."""

    def piece() -> str:
        if choices.chance(2):
            before, after = choices.of(_BEFORE), choices.of(_AFTER)
            return before + spelled(choices, markup=markup) + after
        return choices.of(_WORDS)

    return choices.of((" ", "", "\n")).join(choices.some(piece, most))


def mailbox(choices: Choices) -> str:
    """Write a mailbox of a header, RFC 5322 section 3.4, also in the odd and obsolete forms."""
    plain = address(choices)
    local, _, domain = plain.rpartition("@")
    other = address(choices).replace('"', "").replace("\\", "")  # it stands in quotes as well
    return choices.of(
        [
            plain,
            f"<{plain}>",
            f"Somebody <{plain}>",
            f'"{other}" <{plain}>',
            f"{plain} ({other})",
            f"({other}) {plain}",
            f"=?utf-8?q?{other.replace('@', '=40')}?= <{plain}>",
            f"{word(choices, other)} <{plain}>",
            f'"{local}"@{domain}',
            f"<@relay.example:{plain}>",
            f"team: {plain}, {other};",
            f"undisclosed-recipients:;, {plain}",
            f"{local} @ {domain}",
            f"{local}@{domain} <{other}>",
            f"Some\n body\n <{plain}>",
            f"'{other}' via List <{plain}>",
            f"{plain}, {other}",
            f"<{plain}> <{other}>",
            f"{plain} {other}",
            f'"a\\"b {other}" <{plain}>',
            f"<{plain}",
            f"({other} <{plain}>",
            f'"{other} <{plain}>',
        ]
    )


def word(choices: Choices, shown: str) -> str:
    """Write an encoded word, RFC 2047; a long one in two."""
    label = choices.of(("utf-8", "iso-8859-1", "UTF-8*en", "us-ascii", "utf-16-be", "x-unknown"))
    codec = {"UTF-8*en": "utf-8", "x-unknown": "latin-1"}.get(label, label)
    data = shown.encode(codec, "replace")
    if choices.chance(2):
        half = choices.number(len(data)) if choices.chance(3) else len(data)
        parts = [base64.b64encode(each).decode() for each in (data[:half], data[half:]) if each]
        return choices.of((" ", "\n ")).join(f"=?{label}?B?{each}?=" for each in parts)
    text = quopri.encodestring(data, header=True).decode("latin-1").replace("=\n", "")
    return f"=?{label}?q?{text.replace('?', '=3F')}?="


def _unicode(domain: str) -> str:
    try:
        return domain.encode("ascii").decode("idna")
    except UnicodeError:
        return domain
