"""Addresses in words, or in readings of a text that few programs have, for the final scan.

Nothing here raises, but what the time for a message raises.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache, partial

from conversation_tracker.core.base.lower_case import lower_case
from conversation_tracker.core.scanning.text import (
    characters,
    decodings,
    known_texts,
    quotation,
    rare_spellings,
)
from conversation_tracker.core.scanning.text.address_matcher import MANY, AddressMatcher

_ESCAPING = "&%\\"  # with which escapes of other kinds than quoted-printable begin


def shows_nothing(
    text: str, matcher: AddressMatcher, *, markup: bool = False, near: tuple[str, ...] = ()
) -> bool:
    """Return, cheaply, that no reading of a text shows an address: tokens in it apart.

    Without escapes, a domain stands as it is, whatever stands for its dots and at sign, or with
    characters beyond ASCII in it that mean its letters, or none.

    Args:
        text: the text.
        matcher: knows whom to look for.
        markup: it is HTML.
        near: words beside which quoted-printable is read, besides those of domains.
    """
    if len(matcher.words) > MANY:
        return False
    if near and rare_spellings.is_quoted_near(lower_case(text), near):
        return False
    if markup and "<" in text:
        return not near and _is_plain_page(text, matcher)
    if text.isascii():
        low = text.lower()
        return _is_plain(low, matcher) and _is_plain_bare(low, matcher)
    low = lower_case(text)
    if "\x9b" in low or not _is_plain(low, matcher):
        return False
    shown = characters.drop_invisible(low)
    if shown is not low and not _is_plain(shown, matcher):
        return False
    return _is_plain_bare(shown, matcher)


def _is_plain_page(text: str, matcher: AddressMatcher) -> bool:
    """Return the same as below of a page as it stands and without the tags inside words.

    Where nothing else is escaped in either, it is read in no other way.
    """
    if not text.isascii() or characters.has_controls(text):
        return False
    low = text.lower()
    if not _is_plain(low, matcher, page=True):
        return False
    shown = decodings.drop_tags(low)
    return shown == low or _is_plain(shown, matcher, page=True)


def _is_plain_bare(low: str, matcher: AddressMatcher) -> bool:
    """Return the same as below of a text without its control characters."""
    bare = characters.drop_controls(low)
    return bare is low or _is_plain(bare, matcher)


def reads_as_it_stands(
    text: str, matcher: AddressMatcher, *, markup: bool = False, near: tuple[str, ...] = ()
) -> bool:
    """Return, cheaply, that a text has no reading but itself in lower case; arguments as above."""
    if not text.isascii() or (markup and "<" in text) or characters.has_controls(text):
        return False
    low = text.lower()
    return not (_may_be_escaped(low) or _is_quoted(low, matcher, near))


def _is_plain(low: str, matcher: AddressMatcher, *, page: bool = False) -> bool:
    """Return whether in a lower-case text no domain may begin, and nothing may be escaped."""
    begins = matcher.has_word(low) if page else matcher.may_begin(low)
    if begins and (quotation.may_part(low) or matcher.may_begin_apart(low)):
        return False
    return not _may_be_escaped(low, page=page)


def _may_be_escaped(low: str, *, page: bool = False) -> bool:
    return decodings.may_be_escaped(low) or rare_spellings.may_be_escaped(low, page=page)


def _is_quoted(low: str, matcher: AddressMatcher, near: tuple[str, ...]) -> bool:
    """Return whether quoted-printable that nobody undid may be part of somebody's address."""
    words = (*matcher.words, *near)
    return len(matcher.words) <= MANY and rare_spellings.is_quoted_near(low, words)


def find_owners(
    text: str,
    low: str,
    reads: tuple[str, ...],
    matcher: AddressMatcher,
    check: Callable[[], None],
    *,
    markup: bool = False,
    seen: dict[str, None] | None = None,
    near: tuple[str, ...] = (),
) -> Iterator[str]:
    """Yield the tokens of those whose address a text shows so.

    Args:
        text: the text.
        low: the same in lower case.
        reads: the last of its readings that were looked at already (`decodings.iter_readings`).
        matcher: knows whom to look for.
        check: raises when the time for the message is over.
        markup: it is HTML, and the first of `reads` has no tags inside words.
        seen: gets all that it is read as, as it stands the first.
        near: as of `shows_nothing`.
    """
    seen = {} if seen is None else seen
    for each in dict.fromkeys((low, *reads)):
        seen[each] = None
        yield from quotation.find_owners(each, matcher, check)
    for each in tuple(seen):
        if (bare := characters.drop_controls(each)) is each:
            continue
        for shown in (bare, decodings.drop_tags(bare)) if markup else (bare,):
            if shown not in seen:
                seen[shown] = None
                reads = (*reads, shown)
                yield from _find(shown, matcher, check)
    tells = None
    if _is_told_by_lines(text, low, matcher, markup=markup):
        tells = partial(_may_show_quoted, matcher=matcher)
    quoted = any(_is_quoted(each, matcher, near) for each in seen)
    for number, read in enumerate(reads):
        again = number > 0
        for other in rare_spellings.iter_readings(
            text, low, read, markup=markup, quoted=quoted, tells=tells, again=again
        ):
            check()
            for each in dict.fromkeys((other, characters.drop_controls(other))):
                if each not in seen:
                    seen[each] = None
                    yield from _find(each, matcher, check, rare=True)


def _is_told_by_lines(text: str, low: str, matcher: AddressMatcher, *, markup: bool) -> bool:
    """Return whether it is worth asking a text's lines what of it is quoted-printable.

    What is so large is never remembered, so nobody asks for all of its readings.
    """
    if len(text) <= known_texts.MOST or len(matcher.words) > MANY or not text.isascii():
        return False
    return not (characters.has_controls(text) or (not markup and rare_spellings.is_touched(low)))


def _may_show_quoted(low: str, base: str, matcher: AddressMatcher) -> bool:
    """Return whether a text may show somebody as quoted-printable, in any way undone.

    No reading joins lines. So only those are read in which what is quoted is a sign of an address,
    or goes on being an escape, or something else is one. In all others whatever stands there is
    what stood there.

    Args:
        low: the text in lower case.
        base: what it is read as without its other escapes.
        matcher: knows whom to look for.
    """
    clear = tuple(dict.fromkeys((low, base)))
    read: dict[str, None] = {}
    for each in clear:
        lines = "\n".join(_find_lines(each, matcher.signs))
        for shown in rare_spellings.undo_quoted(lines):
            read |= {shown: None, characters.drop_controls(shown): None}
    return matcher.may_show(clear, read)


def _find_lines(low: str, signs: frozenset[str]) -> Iterator[str]:
    """Yield the lines of a text in which quoted-printable may give one of some signs."""
    pattern = _compile_quoted(signs, alone=not any(each in low for each in _ESCAPING))
    found = pattern.search(low)
    while found is not None:
        end = low.find("\n", found.start())
        end = len(low) if end < 0 else end
        yield low[low.rfind("\n", 0, found.start()) + 1 : end]
        found = pattern.search(low, end)


@lru_cache(maxsize=64)
def _compile_quoted(signs: frozenset[str], *, alone: bool) -> re.Pattern[str]:
    """Compile what tells such a line; `alone` where no other escapes are in the text."""
    numbers = {f"{ord(each):02x}" for each in signs.union(_ESCAPING, "=\x7f") if each.isascii()}
    codes = "|".join(
        f"{first}[{''.join(sorted(n[1] for n in numbers if n[0] == first))}]"
        for first in sorted({n[0] for n in numbers})
    )
    return re.compile(f"=(?:{codes})" if alone else rf"[={re.escape(_ESCAPING)}](?:(?<!=)|{codes})")


def _find(
    low: str, matcher: AddressMatcher, check: Callable[[], None], *, rare: bool = False
) -> Iterator[str]:
    """Yield the tokens of those whose address a lower-case text shows, in clear or in words."""
    if matcher.has_word(low):
        yield from matcher.find(low)
        yield from quotation.find_owners(low, matcher, check, rare=rare)
