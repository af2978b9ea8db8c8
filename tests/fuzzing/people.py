"""Who takes part: anybody with an address that mail can have, few or thousands of them.

Nothing here knows how an address is found again.
"""

from builders import BUYER, CARRIER, SHOP, person

from choices import Choices
from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.core.model.conversation import Participant

GMAIL = "anna.lee@gmail.com"
IDN = "ida@b\u00fccher.example"
TAGGED = "max+shop@tag.example"

USUAL = (
    person(BUYER),
    person(SHOP),
    person(CARRIER),
    person(GMAIL, "partner", "c" * 32),
    person(IDN, "partner", "e" * 32),
    person(TAGGED, "partner", "d" * 32),
)
"""Six people, one of each common kind."""

STRANGERS = ("zoe@elsewhere.example", "bob@friends.example")

MOST = 3_000
"""Participants, where they are many."""

_LOCALS = (
    "john", "j", "jo.hn", "john..doe", "john.", "o'hara", "a" * 64, "john+shop", "john+", "+",
    "sales", "mary.john", "xjohn", "johnx", "1", "0489", "bounce", "e-mail", "john=doe",
    "john!", "john%doe", "#$&*/?^`{|}~", "j\u00f6rg", "\u6d4b\u8bd5", 'a"b', "a\\b",
    "a@b", "", "john.doe.example", "=40", "deadbeef" * 4, "mailto", "id", ".john",
)  # fmt: skip
_DOMAINS = (
    "doe.example", "doe", "y", "doe.example.org", "e.example", "shop.example", "x.shop.example",
    "gmail.com", "googlemail.com", "b\u00fccher.example", "xn--bcher-kva.example", "a.b",
    "[192.0.2.1]", "[IPv6:2001:db8::1]", ".".join("a" * 100), f"{'d' * 63}.example", "1.2",
    "example", "com", "doe-example.com", "\u4f8b\u3048.jp", "_dmarc.doe.example", "xn--a.example",
    f"{'x' * 63}.{'y' * 63}.{'z' * 63}.{'w' * 61}", "doe.zip", "0.b", "-doe.example",
)  # fmt: skip


def cast(choices: Choices) -> tuple[Participant, ...]:
    """Choose who takes part, mostly the usual ones; `choices` then names them."""
    people = list(USUAL)
    if choices.chance(3):
        people += _others(choices, 1 + choices.number(5))
    if choices.chance(100):
        people += _crowd(choices)
    choices.people = tuple(str(each.address.key) for each in people if each.address is not None)
    return tuple(people)


def address(choices: Choices) -> Address | None:
    """Write an address of any valid kind, mostly; None where it is none."""
    local, domain = choices.of(_LOCALS), choices.of(_DOMAINS)
    if choices.chance(8):
        local = choices.bytes(64).decode("latin-1")
    if choices.chance(8):
        domain = ".".join("abcd"[n % 4] * (1 + n % 3) for n in range(1 + choices.number(120)))
    try:
        return Address.parse(str(Address(local, domain)))
    except (AddressError, UnicodeError):
        return None


def _others(choices: Choices, number: int) -> list[Participant]:
    found: dict[str, Participant] = {}
    known = {each.address.key for each in USUAL if each.address is not None}
    for count in range(number):
        one = address(choices)
        if one is not None and one.key not in known:
            token = f"{count + 0xF00:032x}"
            role = choices.of(("partner", "partner", "buyer"))
            found.setdefault(one.key, Participant(token, role, one))  # type: ignore[arg-type]
    return list(found.values())


def _crowd(choices: Choices) -> list[Participant]:
    """Return very many at once, of one pattern."""
    pattern = choices.of(("p{}@crowd.example", "p@{}.example", "p{}@d{}.example", "{}@b"))
    role = choices.of(("partner", "return"))
    return [
        Participant(
            f"{number + 0xF0000:032x}",
            role,
            Address.parse(pattern.replace("{}", f"{number}")),  # type: ignore[arg-type]
        )
        for number in range(choices.number(MOST))
    ]
