r"""Addresses written as people say them, for the final scan: `john (at) doe [dot] example`.

What is before the first label of a domain is brought to a simple form: no tags, one blank for each
run of blanks, line ends and marks of quoted text. If that ends with what stands for an at sign, the
words before it and the words from the label on are joined at their dots and looked up. Where that
is done is told by `munged_places`. Written apart from the masking code. Time is linear. Nothing
here raises.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice

from conversation_tracker.core.scanning.text.local_parts import EXTENSION, UNCASED, ignores_dots
from conversation_tracker.core.scanning.text.munged_places import (
    BEFORE,
    BEHIND,
    WatchedAddresses,
    iter_places,
)
from conversation_tracker.core.scanning.text.munged_words import (
    AT_END,
    BLANKS,
    DOT,
    LONGEST_SIGN,
    NAMED,
    NAMES,
    QUOTING,
    TAG,
    TIGHT_DOT,
    WORDS,
)

_ENDING_WORD = re.compile(rf"[^\W_{UNCASED}](?:(?:[^\W{UNCASED}]|[+-]){{0,80}}[^\W{UNCASED}])?\Z")
_LONGEST_WORD = 82  # characters that `_ENDING_WORD` may have
# Before an address, what a mailing list's return path begins with, or a number in it.
_RETURN_PATH = re.compile(r"\b(?:bounces?|returns?|unsub(?:scribe)?|verp|[0-9]+)-\Z")
_LEADING_WORD = re.compile(r"[^\W_](?:[\w-]{0,80}[^\W_])?")
_CASED = re.compile(rf"[^\W_{UNCASED}](?:(?:[^\W{UNCASED}]|-){{0,80}}[^\W_{UNCASED}])?")
_MOST = 32  # labels and words: as many as 64 octets hold
# Escapes beside an address: the text is read again with these decoded, and found then.
_ESCAPED_BEHIND = re.compile(
    r"%(?:25)*[0-9a-f]{2}|&(?:#|amp|period|hyphen|dash|lowbar)|=[0-9a-f]{2}"
    r"|\\(?![,;:!?\"()<>\[\]{}|]|'(?![0-9a-f]{2})|\\*(?:\s|\Z))"
)
_ESCAPED_BEFORE = re.compile(r"(?:%(?:25)*[0-9a-f]{2}|&\#?\w{1,8};|\\(?:u00|x)[0-9a-f]{2})\Z")


def find_owners(
    low: str, known: WatchedAddresses, check: Callable[[], None] = lambda: None
) -> Iterator[str]:
    """Yield the tokens of those whose address a lower-case text spells so.

    Args:
        low: the text.
        known: whom to look for.
        check: raises when the time for the message is over.
    """
    for at, names in iter_places(low, known, check):
        yield from _read_owner(low, at, known, names)


def _read_owner(
    low: str, at: int, known: WatchedAddresses, names: tuple[str, ...]
) -> Iterator[str]:
    """Yield the tokens of those whose address is spelled around the beginning of a domain."""
    before, behind = low[max(0, at - BEFORE) : at], low[at : at + BEHIND]
    yield from _read_as(before, behind, known, names, QUOTING)
    if NAMES.search(before) is not None or NAMES.search(behind) is not None:
        yield from _read_as(before, behind, known, names, NAMED)


def _read_as(
    before: str,
    behind: str,
    known: WatchedAddresses,
    names: tuple[str, ...],
    quoting: re.Pattern[str],
) -> Iterator[str]:
    """Yield them as they are read with these marks of quoted text."""
    # What is most often wrong is looked at first: the domain.
    behind = _simplify(behind, quoting)
    if all(_goes_wrong(behind, name) for name in names):
        return
    before = _simplify(before, quoting)
    if (sign := AT_END.search(before, max(0, len(before) - LONGEST_SIGN))) is None:
        return
    written = before[: sign.start()]
    words = WORDS.findall(written)
    # A local part may end with a tag, of whatever words.
    ends = words and (words[-1] in known.endings or ignores_dots(names))
    if not words or not (ends or "+" in written):
        return
    tight = sign[0] in ("@", "\uff20", "\ufe6b")
    dot = TIGHT_DOT if sign["free"] else DOT
    domains = [each for each in _find_domains(behind, dot) if each[0] in names]
    routed = sign[0] == "="
    for local, whole in _find_locals(written, dot, routed=routed) if domains else ():
        if routed and not _is_routed(written, local):
            continue
        if "/" in sign[0] and local.isalnum() and written[: -len(local)].endswith("/"):
            continue  # a link may go so
        for domain, plain in domains:
            # What stands in clear is found by the matcher, not here.
            token = None if tight and plain and whole else known.owner(local, domain)
            if token is not None:
                yield token


def _goes_wrong(behind: str, name: str) -> bool:
    """Return, cheaply, that a simple text does not begin with a domain, whatever its dots are."""
    first, *rest = name.split(".")
    at = len(first)
    for label in rest:
        dot = DOT.match(behind, at)
        if dot is None or not behind.startswith(label, dot.end()):
            return True
        at = dot.end() + len(label)
    return False


def _is_routed(written: str, local: str) -> bool:
    """Return whether what an equals sign ends is a local part, and no name in a program."""
    if not local.isalnum():
        return True
    before = written[: len(written) - len(local)]
    return before[-1:] in ("+", "=") or _RETURN_PATH.search(before[-_LONGEST_WORD:]) is not None


def _simplify(text: str, quoting: re.Pattern[str]) -> str:
    return BLANKS.sub(" ", TAG.sub(" ", quoting.sub(" ", text)))


def _find_locals(text: str, dot: re.Pattern[str], *, routed: bool) -> Iterator[tuple[str, bool]]:
    """Yield what may be the local part that ends a text; tell if its dots stand in clear."""
    parts, joints = _split_at_dots(text, dot)
    name, plain = "", True
    if len(parts) > 1 and not parts[-1]:  # surplus dots at its end
        name, parts, joints = joints[-1].strip(), parts[:-1], joints[:-1]
    for number in range(len(parts) - 1, max(-1, len(parts) - 1 - _MOST), -1):
        word = _find_ending_word(parts[number])
        if word is None:
            if name[:1] not in ("", ".") and number < len(joints) and _is_dots(joints[number]):
                yield joints[number].strip() + name, plain
            return
        joint = joints[number].strip() if number < len(joints) else ""
        name = word[0] + ((joint if _is_dots(joint) else ".") + name if joint else name)
        whole = word.start() == 0
        joined = number > 0 and _find_ending_word(parts[number - 1]) is not None
        goes_on = number > 0 and (
            _is_dots(joints[number - 1], clear=True) or (joined and _is_said(joints[number - 1]))
        )
        begins = not whole or not goes_on
        if begins and not _ESCAPED_BEFORE.search(parts[number][: word.start()]):
            yield name, plain
        if routed:
            cut = max(word[0].rfind(sign) for sign in "+-") + 1
            if cut and name[cut:]:
                yield name[cut:], plain
        if not whole:
            return
        plain = plain and number > 0 and _is_dots(joints[number - 1], clear=True)


def _find_ending_word(part: str) -> re.Match[str] | None:
    """Find the word that ends a part, as long as such a word may be: from no place before that."""
    return _ENDING_WORD.search(part, max(0, len(part) - _LONGEST_WORD))


def _is_dots(joint: str, *, clear: bool = False) -> bool:
    """Return whether a joint is dots alone; `clear` without blanks."""
    dots = joint if clear else joint.strip()
    return bool(dots) and not dots.strip(".")


def _is_said(joint: str) -> bool:
    """Return whether a joint is a word or brackets for a dot, at which no sentence ends."""
    return bool(joint.strip(" .\u3002\uff0e"))


def _find_domains(text: str, dot: re.Pattern[str]) -> Iterator[tuple[str, bool]]:
    """Yield what may be the domain that begins a text; tell if its dots stand in clear."""
    parts, joints = _split_at_dots(text, dot, _MOST)
    name, plain, at = "", True, 0
    for number, part in enumerate(parts[:_MOST]):
        word = _LEADING_WORD.match(part)
        if word is None:
            return
        at += len(part)
        name = f"{name}.{word[0]}" if name else word[0]
        whole = word.end() == len(part)
        plain = plain and (not number or joints[number - 1] == ".")
        ends = not whole or number == len(joints) or not _continues_domain(parts, joints, number)
        ends = ends or EXTENSION.match(text, at) is not None
        behind = part[word.end() :] + "".join(joints[number : number + 1])
        if number and ends and not _ESCAPED_BEHIND.match(behind):
            yield name, plain
        cased = _CASED.match(part)
        if number and cased is not None and cased.end() < word.end():
            yield name[: len(name) - len(word[0])] + cased[0], plain
        if not whole:
            return
        at += len(joints[number]) if number < len(joints) else 0


def _continues_domain(parts: list[str], joints: list[str], number: int) -> bool:
    """Return whether a domain surely goes on behind one of its labels."""
    return (joints[number] == "." or _is_said(joints[number])) and _LEADING_WORD.match(
        parts[number + 1]
    ) is not None


def _split_at_dots(text: str, dot: re.Pattern[str], most: int = 0) -> tuple[list[str], list[str]]:
    """Cut a text at its dots, and give these; at no more than so many, where that is not 0."""
    parts: list[str] = []
    joints: list[str] = []
    done = 0
    for found in islice(dot.finditer(text), most or None):
        parts.append(text[done : found.start()])
        joints.append(found[0])
        done = found.end()
    return [*parts, text[done:]], joints
