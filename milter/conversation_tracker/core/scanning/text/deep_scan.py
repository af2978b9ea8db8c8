"""Addresses in words, or in readings of a text that few programs have, for the final scan.

Nothing here raises, but what the time for a message raises.
"""

from collections.abc import Callable, Iterator

from conversation_tracker.core.base.lower_case import lower_case
from conversation_tracker.core.scanning.text import (
    characters,
    decodings,
    quotation,
    rare_spellings,
)
from conversation_tracker.core.scanning.text.address_matcher import AddressMatcher

_MANY = 64  # words that are not worth looking for one by one


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
    if (markup and "<" in text) or len(matcher.words) > _MANY:
        return False
    if near and rare_spellings.is_quoted_near(lower_case(text), near):
        return False
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


def _is_plain(low: str, matcher: AddressMatcher) -> bool:
    """Return whether in a lower-case text no domain may begin, and nothing may be escaped."""
    return not (matcher.may_begin(low) or _may_be_escaped(low))


def _may_be_escaped(low: str) -> bool:
    return decodings.may_be_escaped(low) or rare_spellings.may_be_escaped(low)


def _is_quoted(low: str, matcher: AddressMatcher, near: tuple[str, ...]) -> bool:
    """Return whether quoted-printable that nobody undid may be part of somebody's address."""
    words = (*matcher.words, *near)
    return len(matcher.words) <= _MANY and rare_spellings.is_quoted_near(low, words)


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
                yield from matcher.find(shown)
                yield from quotation.find_owners(shown, matcher, check)
    quoted = any(_is_quoted(each, matcher, near) for each in dict.fromkeys((low, *reads)))
    for read in reads:
        for other in rare_spellings.iter_readings(text, low, read, markup=markup, quoted=quoted):
            check()
            for each in dict.fromkeys((other, characters.drop_controls(other))):
                if each not in seen:
                    seen[each] = None
                    yield from matcher.find(each)
                    yield from quotation.find_owners(each, matcher, check, rare=True)
