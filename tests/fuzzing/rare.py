r"""Ways to write an address that few use and anybody reads: words, escapes, tags, gateways' links.

Nothing here knows how they are found again.
"""

import base64
import email
import email.header
import email.policy
import quopri
import re
from collections.abc import Callable, Sequence
from urllib.parse import quote

from choices import Choices

_SIMPLE = re.compile(r"[a-z0-9]+(?:\.[a-z0-9]+)*@[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_QUOTE = (
    *("> ", ">> ", "> > > ", "| ", "JD> ", "", "Anna > ", "\u2502 ", "// ", "! "),
    *("> " * 30, ">" * 90 + " "),
)


def is_simple(address: str) -> bool:
    """Return whether an address is one of letters, digits and dots, as people spell out."""
    return _SIMPLE.fullmatch(address) is not None


def write_text(choices: Choices, address: str) -> str:
    """Write a simple address in such a way for running text."""
    local, _, domain = address.rpartition("@")
    return choices.of(_WAYS)(choices, local, domain)


def _words(choices: Choices, local: str, domain: str) -> str:
    at = choices.of(
        (
            *(" (at) ", "(at)", " [at] ", "{at}", " at ", "_at_", " <at> ", " arroba "),
            *(" -at- ", "|at|", "'at'", " \u201cat\u201d ", "\u3010at\u3011", "_@_", " (kukac) "),
            *("(@)", " [apenstaartje] ", " {\u0441\u043e\u0431\u0430\u043a\u0430} ", " <arroba> "),
        )
    )
    dot = choices.of((".", " [dot] ", " dot ", "(dot)", " punkt ", " -dot- ", "(te\u010dka)"))
    if at in (" at ", " arroba ") and dot == ".":
        dot = " dot "  # else it may be two sentences
    said = domain.replace(".", dot)
    written = local.replace(".", dot) if choices.chance(2) else local
    return written + at + said


def _blanks(choices: Choices, local: str, domain: str) -> str:
    gap = choices.of((" ", "\u00a0", " \t", "'", "\u200b"))
    return local + choices.of((f"{gap}@{gap}", f"{gap}@", f"@{gap}")) + domain


def _wrapped(choices: Choices, local: str, domain: str) -> str:
    mark = choices.of(_QUOTE)
    end = "\n" + mark
    first, _, rest = domain.partition(".")
    return mark + choices.of(
        (f"{local}@{end}{domain}", f"{local}{end}@{domain}", f"{local}@{first}.{end}{rest}")
    )


def _tags(choices: Choices, local: str, domain: str) -> str:
    tag = choices.of(
        ("<b></b>", "<wbr>", "</bold>", "<x-tad>", "<i class='x'>", "<!-- x -->", "<x-my.own>")
    )
    return choices.of((f"{local}{tag}@{domain}", f"{local}@{tag}{domain}"))


def _escapes(choices: Choices, local: str, domain: str) -> str:
    sign = choices.of(
        (
            *("\\x40", "\\u{40}", "\\100", "\\40 ", "\\000040", "+AEA-", "%2540", "&amp;#64;"),
            *("&#37;40", "=3D40", "&#92;40 ", "&#0000000000064;", "'+'&#64;'+'", " %40 ", "\\\n@"),
        )
    )
    return f"{local}{sign}{domain}"


def _all_escaped(choices: Choices, local: str, domain: str) -> str:
    form = choices.of(("\\x{:02x}", "\\u{:04x}", "&#{};", "%{:02X}", "\\{:x} "))
    return "".join(form.format(ord(each)) for each in f"{local}@{domain}")


def _rich(choices: Choices, local: str, domain: str) -> str:
    sign = choices.of(("\\'40", "\\u64?", "\\u64 ", "}@{\\i0 ", "{\\b @}", "{\\*\\x y}@", "\\u64x"))
    if choices.chance(4):
        count = choices.number(3)
        instead = choices.of(("?", "x", "\\'3f")) * count
        return f"{{\\rtf1 \\uc{count} {local}\\u64 {instead}{domain} }}"
    return f"{{\\rtf1 {{{local}{sign}{domain} }}}}"


def _terminal(choices: Choices, local: str, domain: str) -> str:
    code = choices.of(("\x1b[1m", "\x1b(B", "\x1b(J", "\x1b[0;31m"))
    return choices.of(
        (f"{code}{local}@{domain}", f"{local}{code}@{domain}", f"{local}@{code}{domain}")
    )


def _gateway(choices: Choices, local: str, domain: str) -> str:
    link = quote(f"https://c.example/t?e={local}@{domain}", safe="")
    second = link.replace("%2F", "_").replace("-", "-2D").replace("%", "-")
    taken = base64.b64encode(b"@").decode().rstrip("=")
    return choices.of(
        (
            f"https://urldefense.proofpoint.com/v2/url?u={second}&d=D",
            f"https://urldefense.com/v3/__https://c.example/t?e={local}*{domain}__;{taken}!!Ab!x$",
            f"https://urldefense.com/v3/__https://c.example/t?e={local}*40{domain}__;!!Ab!x$",
            f"https://x.safelinks.protection.outlook.com/?url={link}&data=5",
            f"https://secure-web.cisco.com/1abc/{link}",
        )
    )


def _hidden(choices: Choices, local: str, domain: str) -> str:
    key = choices.number(255)
    octets = bytes((key, *(key ^ each for each in f"{local}@{domain}".encode())))
    return choices.of(('<a data-cfemail="{}">', "/cdn-cgi/l/email-protection#{}")).format(
        octets.hex()
    )


def _routed(choices: Choices, local: str, domain: str) -> str:
    before = choices.of(("bounce+", "x=", "https://c.example/verp/bounce+"))
    return f"{before}{local}={domain}"


def _other_letters(choices: Choices, local: str, domain: str) -> str:
    sign = choices.of(("\uff20", "\ufe6b", "\u00ad@"))
    if choices.chance(2):
        return f"{local}{sign}{domain}"
    return (
        "".join(chr(ord(each) + 0xFEE0) if each.isalpha() else each for each in local)
        + f"@{domain}"
    )


_TYPES = (
    *("text/plain; charset=utf-8", "text/html; charset=utf-8", "text/enriched; charset=utf-8"),
    *("application/octet-stream", "text/rtf", "text/x-unknown; charset=utf-8"),
)
_NOISE = (
    *(
        "Hello",
        "a=b",
        "100 %",
        "&amp;",
        "\\",
        "=3D",
        "{",
        "}",
        "<b>",
        "</b>",
        "caf\u00e9",
        "\x1b[0m",
    ),
    *("https://shop.example/?q=1", "\u3053\u3093", "--", "xjohn@doe.example", "*", "\u00ad", "+"),
)
_APART = ("\n", " ", ", ", "\t", "\n\n", ": ", "; ")


def write_message(choices: Choices, people: Sequence[str]) -> tuple[bytes, list[str]]:
    """Write a message of one text, or a Subject, with such addresses apart from what is beside.

    Args:
        choices: what is chosen.
        people: the simple addresses of who may stand in it.

    Returns:
        The message, and each address as it stands there.
    """
    type_ = choices.of(_TYPES)
    planted: list[str] = []

    def piece() -> str:
        if choices.chance(3):
            return choices.of(_NOISE)
        one = write_text(choices, choices.of(people))
        if "<at>" not in one or "html" not in type_:
            planted.append(one)
        return one

    written = choices.of(_APART).join([piece(), *choices.some(piece, 6)])
    head = f"From: {people[0]}\nContent-Type: {type_}\n"
    if choices.chance(8):
        planted = [each for each in planted if "\n" not in each]
        word = base64.b64encode(written.replace("\n", " ").encode()).decode()
        return f"{head}Subject: =?utf-8?B?{word}?=\n\nHello\n".encode(), planted
    data = f"Hello\n{written}\nBye\n".encode()
    code, encode = choices.of(_CODES)
    return f"{head}Content-Transfer-Encoding: {code}\n\n".encode() + encode(data), planted


def read_message(raw: bytes) -> str:
    """Return what a message says once its transfer encodings and encoded words are undone."""
    read = email.message_from_bytes(raw, policy=email.policy.compat32)
    words = email.header.decode_header(str(read["Subject"] or ""))
    texts = [
        word if isinstance(word, str) else word.decode("utf-8", "replace") for word, _ in words
    ]
    content = read.get_payload(decode=True)
    assert isinstance(content, bytes)
    return "\n".join([*texts, content.decode("utf-8", "replace").replace("\r\n", "\n")])


_CODES: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("8bit", bytes),
    ("quoted-printable", quopri.encodestring),
    ("base64", base64.encodebytes),
)
_Way = Callable[[Choices, str, str], str]
_WAYS: tuple[_Way, ...] = (
    _words,
    _blanks,
    _wrapped,
    _tags,
    _escapes,
    _all_escaped,
    _rich,
    _terminal,
    _gateway,
    _hidden,
    _routed,
    _other_letters,
)
