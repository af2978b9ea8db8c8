"""By what known addresses are looked for in words: the ends of local parts, and first labels.

Both stand as they are wherever an address is written for people. Nothing here raises.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from conversation_tracker.core.masking.address.address_forms import Domain
from conversation_tracker.core.masking.address.spellings import GMAIL

Endings = dict[str, tuple[str, ...]]
"""Runs of letters and digits, with the local parts that end with each."""

_RUNS = re.compile(r"[^\W_]+")


def find_labels(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the first labels of the domains that have more than one, with these."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        label, dot, _ = name.partition(".")
        if dot:
            found[label] = (*found.get(label, ()), name)
    return found


def find_endings(domains: Mapping[str, Domain]) -> Endings:
    """Return the last runs in the local parts at domains, tags left out or not."""
    found: Endings = {}
    for known in domains.values():
        for local in _iter_locals(known):
            for run in _RUNS.findall(local)[-1:]:
                found[run] = (*found.get(run, ()), local)
    return found


def find_dotted_endings(domains: Mapping[str, Domain]) -> Endings:
    """Return the same, and of local parts at Gmail, which have no dots here, all that may be last.

    A dot may stand before each of their letters.
    """
    found = find_endings(domains)
    for name in GMAIL:
        for local in _iter_locals(domains[name]) if name in domains else ():
            plain = local.replace(".", "")
            for run in _RUNS.findall(plain)[-1:]:
                for at in range(len(run)):
                    found[run[at:]] = (*found.get(run[at:], ()), plain)
    return found


def _iter_locals(known: Domain) -> Iterator[str]:
    for local in known.locals:
        yield local
        base, plus, _ = local.partition("+")
        if plus:
            yield base
