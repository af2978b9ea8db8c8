"""By what known addresses are looked for in words: the ends of local parts, and first labels.

Both stand as they are wherever an address is written for people. Nothing here raises.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

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
    # An address and its soft alias have the same local part at two domains.
    for local in dict.fromkeys([each for known in domains.values() for each in known.locals]):
        for run, ended in _find_ends(local):
            found[run] = (*found.get(run, ()), ended)
    return found


@lru_cache(maxsize=1024)
def _find_ends(local: str) -> tuple[tuple[str, str], ...]:
    """Return the last run in a local part with that, and the same without its tag."""
    return tuple([(run, each) for each in _iter_bases(local) for run in _RUNS.findall(each)[-1:]])


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
        yield from _iter_bases(local)


def _iter_bases(local: str) -> Iterator[str]:
    yield local
    base, plus, _ = local.partition("+")
    if plus:
        yield base
