"""The local parts at one domain, found before it by comparison, from their last character back.

Each order has names of its own, and compiling a pattern for them takes longer than all the rest of
the search. What is found is what the pattern of `address_forms` finds, in its order. All texts are
lower case here, and reversed. Nothing here raises.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from urllib.parse import quote

_PLAIN = re.compile(r"[a-z0-9._\-]+")  # nothing in it is ever written as an escape
_ATEXT = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~\-]+")  # RFC 5322 section 3.2.3, and dots
_FEW = 16  # names to compare one by one


class BackwardNames:
    """The local parts at a domain.

    Args:
        names: the local parts, those of most letters first.
        locals_: what replaces each address; None where it stays.
        exact: the names that are meant before any other where they are spelled so.
        dotted: dots count nothing, as at Gmail.
    """

    def __init__(
        self,
        names: Sequence[str],
        locals_: Mapping[str, str | None],
        exact: Collection[str],
        *,
        dotted: bool,
    ) -> None:
        self._locals = locals_
        self._exact = exact
        self._dotted = dotted
        self._alike: dict[int, dict[str, str]] = {}
        self._lasts: set[str] = set()  # characters of names
        # By the last character that each may be written with, in their order.
        self._in_turn: dict[str, list[tuple[str, list[tuple[str, ...]]]]] = {}
        if dotted and not all(name.strip(".") for name in names):
            return
        if not all(map(_PLAIN.fullmatch, names)):
            if len(names) > _FEW or not all(map(_ATEXT.fullmatch, names)):
                return
            for name in names:
                forms = _find_forms(name, dotted=dotted)
                for first in dict.fromkeys([form[0] for form in forms[0]]):
                    self._in_turn.setdefault(first, []).append((name, forms))
        for name in names:
            shown = name.replace(".", "") if dotted else name
            self._alike.setdefault(len(shown), {}).setdefault(shown[::-1], name)
            self._lasts.add(shown[-1:])

    def __bool__(self) -> bool:
        """Return whether these names can be compared: no quoted ones, nor others than in ASCII."""
        return bool(self._alike)

    def iter_at(self, backward: str, start: int) -> Iterator[tuple[int, str | None]]:
        """Yield where each name ends that begins in a place, and what replaces it, longest first.

        Args:
            backward: what is before the domain, reversed.
            start: the place.
        """
        last = backward[start : start + 1]
        if self._dotted and last == ".":
            last = backward[start:].lstrip(".")[:1]
        if self._in_turn and "%" in backward:  # else nothing is encoded
            yield from self._iter_in_turn(backward, start, last)
        elif last not in self._lasts:
            return
        elif self._dotted:
            yield from self._iter_dotted(backward, start)
        else:
            for length, alike in self._alike.items():
                if (name := backward[start : start + length]) in alike:
                    yield start + length, self._locals[alike[name]]

    def _iter_dotted(self, backward: str, start: int) -> Iterator[tuple[int, str | None]]:
        ends = _find_letters(backward, start, next(iter(self._alike)))
        whole = "".join([backward[end - 1] for end in ends])
        for length, alike in self._alike.items():
            if length <= len(ends) and (shown := whole[:length]) in alike:
                end = ends[length - 1]
                yield end, self._replace(backward[start:end], alike[shown])

    def _iter_in_turn(
        self, backward: str, start: int, last: str
    ) -> Iterator[tuple[int, str | None]]:
        for name, forms in self._in_turn.get(last, ()):
            end = self._compare(backward, start, forms)
            if end >= 0:
                yield end, self._replace(backward[start:end], name)

    def _compare(self, backward: str, at: int, forms: Sequence[tuple[str, ...]]) -> int:
        """Return where a name ends that begins in a place; less than 0 if it does not."""
        for some in forms:
            while self._dotted and backward.startswith(".", at):
                at += 1
            for form in some:
                if backward.startswith(form, at):
                    at += len(form)
                    break
            else:
                return -1
        return at

    def _replace(self, backward: str, name: str) -> str | None:
        spelled = backward[::-1]
        return self._locals[spelled if spelled in self._exact else name]


def list_forms(character: str) -> tuple[str, ...]:
    """Return how a character may be written, reversed: as it is, percent-encoded once or twice."""
    once = quote(character, safe="").lower()
    if once == character:
        return (character,)
    return tuple(form[::-1] for form in (character, once, once.replace("%", "%25")))


def _find_forms(name: str, *, dotted: bool) -> list[tuple[str, ...]]:
    """Return in which forms each piece of a name may be written: what has one only is one piece."""
    found: list[tuple[str, ...]] = []
    for each in reversed(name.replace(".", "") if dotted else name):
        forms = list_forms(each)
        if found and len(forms) == len(found[-1]) == 1 and not dotted:
            found[-1] = (found[-1][0] + each,)
        else:
            found.append(forms)
    return found


def _find_letters(backward: str, start: int, most: int) -> list[int]:
    """Return where each character ends that is no dot, of those from a place on."""
    found: list[int] = []
    for at in range(start, len(backward)):
        if len(found) == most:
            break
        if backward[at] != ".":
            found.append(at + 1)
    return found
