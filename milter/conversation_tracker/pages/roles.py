"""Who takes part in an order, in plain words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_ROLES = {"buyer": "Customer", "store": "Store", "partner": "Partner", "unknown": "Unknown sender"}


@dataclass(frozen=True, slots=True)
class ShownPerson:
    """Somebody who takes part.

    Attributes:
        role: buyer, store or partner.
        title: the role in words, numbered where several have it.
        alias: in hard form.
        guest: a stranger named them, nobody introduced them.
    """

    role: str
    title: str
    alias: str
    guest: bool


def name_role(role: str | None) -> str:
    """Return a role in words; whoever has none is not known."""
    return _ROLES.get(role or "unknown", "Somebody")


def show_people(people: Iterable[Mapping[str, Any]]) -> dict[str, ShownPerson]:
    """Return who takes part, by alias, in the order in which they joined."""
    listed = [(each["role"], each["alias"], not each["introduced"]) for each in people]
    counts: dict[str, int] = {}
    for role, _alias, _guest in listed:
        counts[role] = counts.get(role, 0) + 1
    seen: dict[str, int] = {}
    found = {}
    for role, alias, guest in listed:
        seen[role] = seen.get(role, 0) + 1
        number = f" {seen[role]}" if counts[role] > 1 else ""
        found[alias] = ShownPerson(role, f"{name_role(role)}{number}", alias, guest)
    return found
