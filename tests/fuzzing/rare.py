r"""Ways to write an address that few use and anybody reads: words, escapes, tags, gateways' links.

Nothing here knows how they are found again.
"""

import base64
import re
from collections.abc import Callable
from urllib.parse import quote

from choices import Choices

_SIMPLE = re.compile(r"[a-z0-9]+(?:\.[a-z0-9]+)*@[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_QUOTE = (
    *("> ", ">> ", "> > > ", "| ", "JD> ", "", "Anna > ", "\u2502 ", "// ", "! "),
    *("> " * 30, ">" * 90 + " ", "} ", "] ", "~ ", "\u258c ", "> JD> "),
)
_UNSEEN = (
    *("\u200b", "\u00ad", "\u2060", "\ufeff", "\u034f", "\u200f", "\ufe0f", "\u3164", "\u17b4"),
    *("\U000e0041", "\U000e0100", "\x7f", "\b", "\x1f", "\x85", "\x0b", "\u2028"),
)
"""What shows nothing, or a control character, inside an address."""


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
            *(
                "#at#",
                "!at!",
                "^at^",
                ")at(",
                "\u300cat\u300d",
                "@@",
                "\u2605",
                " \uace8\ubc45\uc774 ",
                "(\u827e\u7279)",
            ),
        )
    )
    dot = choices.of(
        (".", " [dot] ", " dot ", "(dot)", " punkt ", " -dot- ", "(te\u010dka)", "#dot#")
    )
    if at in (" at ", " arroba ") and dot == ".":
        dot = " dot "  # else it may be two sentences
    said = domain.replace(".", dot)
    written = local.replace(".", dot) if choices.chance(2) else local
    return written + at + said


def _blanks(choices: Choices, local: str, domain: str) -> str:
    gap = choices.of((" ", "\u00a0", " \t", "'", "\u200b", "\u2800", "\u3000", "\u202f", "\x0c"))
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
        (
            *("<b></b>", "<wbr>", "</bold>", "<x-tad>", "<i class='x'>", "<!-- x -->"),
            *("<x-my.own>", "<i\nclass=x>", "<b><i><u>", "<span style='a:b;c:d' id=\"e\">"),
        )
    )
    at = choices.number(2)
    return (
        f"{local}{tag}@{domain}",
        f"{local}@{tag}{domain}",
        _within(choices, f"{local}@{domain}", tag),
    )[at]


def _within(choices: Choices, address: str, what: str) -> str:
    """Put something between two characters of an address."""
    at = 1 + choices.number(len(address) - 2)
    return address[:at] + what + address[at:]


def _unseen(choices: Choices, local: str, domain: str) -> str:
    written = _within(choices, f"{local}@{domain}", choices.of(_UNSEEN))
    return _within(choices, written, choices.of(_UNSEEN)) if choices.chance(3) else written


def _surplus(choices: Choices, local: str, domain: str) -> str:
    # Before the sign they are another address, which some providers give.
    return choices.of((f".{local}@{domain}", f"{local}@{domain.replace('.', '..', 1)}"))


def _backward(choices: Choices, local: str, domain: str) -> str:
    turned = f"{local}@{domain}"[::-1]
    return choices.of(
        (
            f"\u202e{turned}\u202c",
            f"&#8238;{turned}&#8236;",
            f"<bdo dir=rtl>{turned}</bdo>",
            f"<i style='unicode-bidi:bidi-override;direction:rtl'>{turned}</i>",
        )
    )


def _some_escaped(choices: Choices, local: str, domain: str) -> str:
    """Write a letter or dot in an escape, and the sign in any way."""
    form = choices.of(("\\x{:02x}", "&#{};", "&#x{:x};", "%{:02X}", "\\u{:04x}", "\\u{{{:x}}}"))
    at = choices.number(len(local) - 1)
    written = local[:at] + form.format(ord(local[at])) + local[at + 1 :]
    return written + choices.of(("@", " @ ", " (at) ", "(at)", "%40", "&#64;", "\uff20")) + domain


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
    taken_whole = base64.urlsafe_b64encode(
        f"https://c.example/t?e={local}@{domain}".encode()
    ).decode()
    taken = base64.b64encode(b"@").decode().rstrip("=")
    return choices.of(
        (
            f"https://urldefense.proofpoint.com/v2/url?u={second}&d=D",
            f"https://urldefense.com/v3/__https://c.example/t?e={local}*{domain}__;{taken}!!Ab!x$",
            f"https://urldefense.com/v3/__https://c.example/t?e={local}*40{domain}__;!!Ab!x$",
            f"https://x.safelinks.protection.outlook.com/?url={link}&data=5",
            f"https://secure-web.cisco.com/1abc/{link}",
            f"https://urldefense.proofpoint.com/v1/url?u={link}&k=1",
            f"https://linkprotect.cudasvc.com/url?a={link.lower()}&c=E,1",
            f"https://eu.protection.sophos.com/?d=c.example&u={taken_whole}",
            f"https://clicktime.symantec.com/3x?u={link}",
            f"https://protect2.fireeye.com/url?k=1&u={link}",
            f"https://www.google.com/url?q={link}&sa=D",
            f"https://x.safelinks.protection.outlook.com/?url={quote(link, safe='')}&data=5",
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


_Way = Callable[[Choices, str, str], str]
_WAYS: tuple[_Way, ...] = (
    _words,
    _blanks,
    _wrapped,
    _tags,
    _escapes,
    _all_escaped,
    _some_escaped,
    _unseen,
    _surplus,
    _backward,
    _rich,
    _terminal,
    _gateway,
    _hidden,
    _routed,
    _other_letters,
)
