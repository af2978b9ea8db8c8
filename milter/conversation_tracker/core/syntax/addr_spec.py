"""One e-mail address as a value (RFC 5321, RFC 5322, RFC 6531; domains by IDNA 2008 and UTS 46).

Identity is decided here: two addresses are one person if and only if their keys are equal. Header
values with names, comments and lists are the business of `address`, through which all the rest of
the package uses this module.

`Address.parse` raises `AddressError` and nothing else, with a message that never holds the
address.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

_ATEXT = r"-A-Za-z0-9!#$%&'*+/=?^_`{|}~"
_NAME = r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*"
_SIMPLE = re.compile(rf"([{_ATEXT}]+(?:\.[{_ATEXT}]+)*)@({_NAME})\.?")
_DOT_ATOM = re.compile(rf"[{_ATEXT}\x80-\U0010ffff]+(?:\.[{_ATEXT}\x80-\U0010ffff]+)*")
# Words and dots in any order: `john..doe@` is no dot-atom, but some providers gave such addresses.
# Atomic, not possessive: (?:...)*+ matches wrongly before Python 3.11.5.
_WORD = rf'(?:"[^"\\]*+(?>(?:\\.[^"\\]*+)*)"|[{_ATEXT}\x80-\U0010ffff]*+)'
_GENERAL = re.compile(rf"((?>{_WORD}(?:\.{_WORD})*))@([^@]*|\[[^@]*\])")
_STRING_IN_LOCAL = re.compile(r'"((?>[^"\\]*+(?:\\.[^"\\]*+)*))"?')  # each is closed
_LITERAL = re.compile(r"\[[!-Z^-~]+\]")
_HOST = re.compile(_NAME)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PAIR = re.compile(r"\\(.)", re.DOTALL)

_MAX_INPUT, _MAX_LOCAL, _MAX_DOMAIN, _MAX_LABEL, _MAX_WHOLE = 1000, 64, 253, 63, 320


class AddressError(ValueError):
    """The text is no e-mail address."""


@dataclass(frozen=True, slots=True)
class Address:
    """One e-mail address.

    Attributes:
        local: the local part as meant: without quotes and escapes, in NFC, its case kept.
        domain: in lower case, with A-labels, or a literal like `[192.0.2.1]`.
        key: its identity: two addresses are one person if and only if their keys are equal.
    """

    local: str
    domain: str
    key: str = field(init=False, repr=False, compare=False)
    _text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Keep how it is written, and its identity: every rule asks for them."""
        text = f"{self.local}@{self.domain}"
        if not _DOT_ATOM.fullmatch(self.local):
            escaped = self.local.replace("\\", "\\\\").replace('"', '\\"')
            text = f'"{escaped}"@{self.domain}'
        low = text.lower()
        key = low if low.isascii() else unicodedata.normalize("NFC", low)
        object.__setattr__(self, "_text", text)
        object.__setattr__(self, "key", key)

    @classmethod
    def parse(cls, text: str | bytes) -> "Address":
        """Read one bare address, without blanks or comments around or inside it.

        Args:
            text: an addr-spec (RFC 5321 section 4.1.2, RFC 5322 section 3.4.1, RFC 6531); bytes are
                UTF-8. The domain may be international in either form and end in a dot. Surplus
                dots in the local part are accepted, as most servers do.

        Returns:
            The address.

        Raises:
            AddressError: it is no address, holds control characters, or is too long.
        """
        return _parse(text)

    def __str__(self) -> str:
        """Write it as an addr-spec; the local part is quoted where it is no dot-atom."""
        return self._text


@lru_cache(maxsize=4096)
def _parse(text: str | bytes) -> Address:
    if len(text) > _MAX_INPUT:
        raise AddressError("the address is too long")
    if not isinstance(text, str):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError:
            raise AddressError("the address is not UTF-8") from None
    simple = _SIMPLE.fullmatch(text)
    address = Address(simple[1], simple[2].lower()) if simple else _parse_general(text)
    _check(address)
    return address


def _parse_general(text: str) -> Address:
    if _CONTROL.search(text):
        raise AddressError("the address holds a control character")
    match = _GENERAL.fullmatch(text)
    if match is None:
        raise AddressError("the address is not of the form local@domain")
    local = _STRING_IN_LOCAL.sub(lambda string: _PAIR.sub(r"\1", string[1]), match[1])
    if not match[1]:
        raise AddressError("the address has no local part")
    return Address(unicodedata.normalize("NFC", local), _normalise_domain(match[2]))


def _check(address: Address) -> None:
    if len(address.local.encode()) > _MAX_LOCAL:
        raise AddressError("the local part is longer than 64 octets")
    if len(address.domain) > _MAX_DOMAIN:
        raise AddressError("the domain is longer than 253 octets")
    if len(str(address).encode()) > _MAX_WHOLE:
        raise AddressError("the address is longer than 320 octets")


@lru_cache(maxsize=1024)
def _normalise_domain(text: str) -> str:
    """Normalise a domain: lower case, A-labels, no dot at its end."""
    if _LITERAL.fullmatch(text):
        return text.lower()
    if not text.isascii():
        # It takes a third of a megabyte of each worker, and few domains need it: here and below.
        from idna import uts46_remap

        try:
            text = uts46_remap(text, std3_rules=False, transitional=False)
        except UnicodeError:  # idna.IDNAError among them
            raise AddressError("the domain is no domain name") from None
    name = ".".join(_normalise_label(label) for label in text.removesuffix(".").split("."))
    if not _HOST.fullmatch(name):
        raise AddressError("the domain is no domain name")
    return name


def _normalise_label(label: str) -> str:
    """Return the A-label of one label after the mapping of UTS 46.

    Labels that IDNA 2008 forbids but the mapping lets pass, such as pictures, are in use and
    readers of mail send to them, so they get the A-label they would have. An A-label stays as it
    is, valid or not: the name is what DNS is asked for.
    """
    if label.isascii():
        return label.lower()
    from idna import alabel

    try:
        return alabel(label).decode("ascii")
    except UnicodeError:
        pass
    if label.startswith("xn--") or unicodedata.category(label[0]).startswith("M"):
        raise AddressError("the domain is no domain name")
    return "xn--" + label.encode("punycode").decode("ascii")
