"""The command `erase`: what it did and what stays, in plain lines; the list of erasures as a file.

A list is text: a line that says of which database it is, then one line for each erasure, and one at
its end that says how many there are: a part of a list is none. What is added by hand stands behind
that. It holds no address, but digests keyed with the database's secret.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from conversation_tracker.base.failure import USAGE, Failure
from conversation_tracker.database.person.erasing import ErasedItem, Erasure

_HEAD = "conversation-tracker erasures"
_END = "end of list, erasures:"
_KINDS = ("address", "identifier")
_DIGEST = 64  # hexadecimal digits
_LONGEST = 1_000_000  # lines


def describe_erasure(done: Erasure, *, messages: bool) -> Iterator[str]:
    """Yield what was done, and then what stays and why.

    Args:
        done: what was done.
        messages: whether the person's messages were to be deleted too.
    """
    yield f"erased from {_count(done.orders, 'order')}"
    if done.aliases:
        verb = "stops" if done.aliases == 1 else "stop"
        yield f"  {_count(done.aliases, 'alias', 'aliases')} {verb} working (550 5.2.1)"
    if done.return_paths:
        where = "Reply-To address or return path", "Reply-To addresses and return paths"
        yield f"  {_count(done.return_paths, *where)} emptied"
    if done.identifiers:
        yield f"  {_count(done.identifiers, 'message identifier')} deleted"
    if done.names:
        yield f"  the name taken out of {_count(done.names, 'recorded message')}"
    if messages:
        yield f"  {_count(done.deleted, 'recorded message')} deleted, which they wrote or got"
    yield "what stays, and why:"
    yield from _describe_rest(done, messages=messages)


def _describe_rest(done: Erasure, *, messages: bool) -> Iterator[str]:
    if done.kept and done.kept_until is not None:
        more = "" if messages else "; erase --messages would have deleted what they wrote or got"
        yield (
            f"  {_count(done.kept, 'recorded message')} of these orders, masked, until"
            f" {done.kept_until:%Y-%m-%d} (the store's message_retention), with what people wrote"
            f" in them, names too{more}"
        )
    if done.unmaskings:
        yield (
            f"  {_count(done.unmaskings, 'note')} that an alias was unmasked, by whom and why:"
            " the trace is for whoever audits"
        )
    if done.tagged:
        yield (
            f"  {_count(done.tagged, 'address', 'addresses')} like this one with a +tag: each is"
            " a person of its own, erase it by itself"
        )
    yield "  Postfix's log and queue have addresses until they are rotated and empty"
    yield "  mail that was delivered is in others' mailboxes"
    yield (
        "  backups: keep the list of erasures apart from them (erase --list FILE), and after a"
        " restore erase again (erase --again FILE)"
    )


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"


def write_list(key: str, items: Iterable[ErasedItem]) -> Iterator[str]:
    """Yield the lines of a list, each with its line end.

    Args:
        key: what says of which database it is.
        items: what was erased.
    """
    yield f"{_HEAD} {key}\n"
    count = 0
    for item in items:
        count += 1
        yield f"{_write_time(item.at)} {_write_time(item.keep_until)} {item.kind} {item.digest}\n"
    yield f"{_END} {count}\n"


def read_list(text: str, key: str) -> list[ErasedItem]:
    """Read a list.

    Args:
        text: the whole of it; several, one behind the other, count as one. Lines behind the end
            are erasures too.
        key: what says of which database it must be.

    Raises:
        Failure: it is none, that of another database, or not whole.
    """
    lines = text.splitlines()
    if not lines or not lines[0].startswith(f"{_HEAD} "):
        raise Failure(USAGE, f"this is no list of erasures: it does not begin with '{_HEAD}'")
    if len(lines) > _LONGEST:
        raise Failure(USAGE, f"more than {_LONGEST} lines are no list of erasures")
    items: list[ErasedItem] = []
    begun: int | None = None  # how many items there were before the list that is being read
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if line.startswith(f"{_HEAD} "):
            _check_head(line, number, key, within=begun is not None)
            begun = len(items)
        elif line.startswith(_END):
            _check_end(line, number, None if begun is None else len(items) - begun)
            begun = None
        else:
            items.append(_read_item(line, number))
    if begun is not None:
        raise Failure(USAGE, f"the list is not whole: its last line, '{_END} ...', is missing")
    return items


def _check_head(line: str, number: int, key: str, *, within: bool) -> None:
    if line.removeprefix(f"{_HEAD} ") != key:
        raise Failure(USAGE, f"line {number}: the list is of another database: other key")
    if within:
        raise Failure(USAGE, f"line {number}: the list before it is not whole: no '{_END} ...'")


def _check_end(line: str, number: int, count: int | None) -> None:
    if count is None:
        raise Failure(USAGE, f"line {number}: the end of a list that does not begin")
    said = line.removeprefix(_END).strip()
    if said != str(count):
        raise Failure(
            USAGE,
            f"line {number}: the list is not whole, or lines were added before its end: it has"
            f" {_count(count, 'erasure')}, and its end says {said[:20]}",
        )


def _read_item(line: str, number: int) -> ErasedItem:
    words = line.split()
    try:
        at, until, kind, digest = words
        if kind not in _KINDS or len(digest) != _DIGEST:
            raise ValueError
        bytes.fromhex(digest)
        return ErasedItem(kind, digest, _read_time(at), _read_time(until))
    except ValueError:
        raise Failure(USAGE, f"line {number} of the list is no erasure") from None


def _write_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_time(word: str) -> datetime:
    at = datetime.fromisoformat(word)
    if at.tzinfo is None:
        raise ValueError
    return at
