"""The header block of a MIME part, masked or edited: what changes is written anew, nothing else.

A block is what `fields` reads. Every other field stays byte for byte. Nothing here raises.
"""

import re
from collections.abc import Callable
from functools import partial

from conversation_tracker.core.base.header_names import IDENTIFYING
from conversation_tracker.core.base.means import check_of
from conversation_tracker.core.masking.header.headers import ADDRESS_HEADERS, masked_text
from conversation_tracker.core.masking.header.raw_sequences import mask_sequences
from conversation_tracker.core.masking.text import obfuscated
from conversation_tracker.core.masking.text.eyes import Eyes
from conversation_tracker.core.masking.text.spelled import mask_spelled
from conversation_tracker.core.syntax import charset, folding, parameters
from conversation_tracker.core.syntax.encoded_words import decoded
from conversation_tracker.core.syntax.fields import FIELD, fields, unfolded

_FOLDS = 50  # that are tried one by one
_SIGNED = re.compile(rb"(multipart\s*/\s*)signed", re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]+")
_WITH_PARAMETERS = (b"content-type", b"content-disposition")
_READ = ADDRESS_HEADERS | {b"subject", b"comments"}  # by a person, and by their program
_LOOKED_UP = re.compile(
    rb"^(?:%s)[ \t]*:" % b"|".join(map(re.escape, sorted(IDENTIFYING))),
    re.IGNORECASE | re.MULTILINE,
)
_MAY_NAME = re.compile(rb"[@*\\\x80-\xff]|=\?|%40")  # elsewhere no address is written or encoded


def masked(block: bytes, mask: Callable[[str], str], *, shows: bool = True) -> bytes:
    """Mask a header block: values in decoded form, parameters after RFC 2231, and stray lines.

    Args:
        block: header fields and whatever lines stand between them.
        mask: gives the text with addresses replaced.
        shows: whether its fields show the reader their own address, as `value_masked` does.

    Returns:
        The block; the same object if nothing changed.
    """
    hidden = obfuscated.possible(block, mask)
    if _surely_clean(block, mask, hidden=hidden):
        return block
    old = [block[start:end] for start, end in unfolded(block, check_of(mask))]
    new = [_masked_line(line, mask, shows=shows, hidden=hidden) for line in old]
    return block if new == old else b"".join(new)


def looks_up(block: bytes) -> bool:
    """Whether identifiers in a block are looked up: what one view keeps, another may not."""
    return _LOOKED_UP.search(block) is not None


def value_masked(
    name: bytes,
    value: bytes,
    mask: Callable[[str], str],
    *,
    shows: bool = True,
    hidden: bool = True,
) -> bytes:
    """Mask one field's value: its parameters, where it has such, and what else it says.

    Args:
        name: the field's name in lower case.
        value: its raw value, folded with LF.
        mask: gives the text with addresses replaced. If it has a method `identifiers(bytes) ->
            bytes`, as `View` has, this is asked about identifiers (RFC 5322 section 3.6.4). If it
            has an attribute `eyes`, the reader's own alias is their address where it is read.
        shows: whether that is so here.
        hidden: as for `may_hide`.

    Returns:
        The value; the same object if nothing changed.
    """
    value = mask_sequences(value, mask)
    identifiers = getattr(mask, "identifiers", None)
    if identifiers is not None and name in IDENTIFYING:
        value = identifiers(value)
    if name in _WITH_PARAMETERS and _MAY_NAME.search(value):
        value = parameters.masked(value, mask)
    check = check_of(mask)
    new = masked_text(value, mask, check)
    new = _joined(name, new, mask) if b"\n" in new else new
    if may_hide(new, mask, hidden=hidden):
        new = masked_text(new, partial(obfuscated.masked, mask=mask), check)
    eyes: Eyes | None = getattr(mask, "eyes", None)
    return masked_text(new, eyes, check) if shows and eyes is not None and name in _READ else new


def may_hide(value: bytes, mask: Callable[[str], str], *, hidden: bool = True) -> bool:
    """Tell cheaply whether a value may hold an address that does not stand in clear.

    Args:
        value: a raw value.
        mask: gives the text with addresses replaced.
        hidden: False where no value around it does as it stands, encoded words apart.
    """
    if not hidden and b"=?" not in value and value.isascii():
        return False
    return obfuscated.possible(decoded(value, check_of(mask)).encode("utf-8", "replace"), mask)


def _joined(name: bytes, value: bytes, mask: Callable[[str], str]) -> bytes:
    """Mask what is an address only to programs that leave out a fold with its blanks."""
    whole = _FOLD.sub(b"", value)
    possible: Callable[[bytes], bool] | None = getattr(mask, "possible", None)
    if possible is not None and b"=?" not in whole and not possible(whole):
        return value
    if masked_text(whole, mask, check_of(mask)) == whole:
        return value
    folds = [match.span() for match in _FOLD.finditer(value)]
    for start, end in reversed(folds[-_FOLDS:]):
        unfolded = value[:start] + value[end:]
        new = masked_text(unfolded, mask, check_of(mask))
        value = value if new == unfolded else new
    whole = _FOLD.sub(b"", value)
    new = masked_text(whole, mask, check_of(mask))
    return folding.header(name, value if new == whole else new)


def with_charset(block: bytes, label: str) -> bytes:
    """Declare another charset in the block's Content-Type, which is added where there is none."""
    parameter = parameters.rendered("charset", label)
    for field in fields(block):
        if field.name != b"content-type":
            continue
        start = field.start + block[field.start : field.end].index(field.value)
        declared = [p for p in parameters.parse(field.value)[1] if p.name == "charset"]
        if declared:
            first, last = declared[0].spans[0]
            return block[: start + first] + parameter + block[start + last :]
        end = start + len(field.value.rstrip(b"; \t\r\n"))
        return block[:end] + b"; " + parameter + block[end:]
    line_end = b"\r\n" if b"\r\n" in block else b"\n"
    return b"Content-Type: text/plain; " + parameter + line_end + block


def unsigned(block: bytes) -> bytes:
    """Declare a multipart/signed as multipart/mixed; the same object if it is none."""
    for field in fields(block):
        if field.name == b"content-type":
            line = block[field.start : field.end]
            new = unsigned_value(line)
            return block if new is line else block[: field.start] + new + block[field.end :]
    return block


def unsigned_value(value: bytes) -> bytes:
    """Do the same to the value of a Content-Type."""
    new = _SIGNED.sub(rb"\1mixed", value, count=1)
    return value if new == value else new


def _masked_line(line: bytes, mask: Callable[[str], str], *, shows: bool, hidden: bool) -> bytes:
    """Mask one line; `hidden` as for `may_hide`."""
    if line.isspace() or (not looks_up(line) and _surely_clean(line, mask, hidden=hidden)):
        return line
    hidden = hidden and obfuscated.possible(line, mask)
    match = FIELD.fullmatch(line)
    if match is None:  # some programs end the header here, and read the rest as they please
        return charset.changed(line, "", lambda text: mask_spelled(mask(text), mask))[0]
    name, value = match[1], match[3]
    # An address may stand as a name, as every printable character may be in one.
    name = charset.changed(name, "", mask)[0]
    value = value.replace(b"\r\n", b"\n")
    new = value_masked(name.lower(), value, mask, shows=shows, hidden=hidden)
    if hidden or not new.isascii():
        new = charset.changed(new, "", lambda text: obfuscated.masked(text, mask))[0]
    if new == value and name == match[1]:
        return line
    if b"\r\n" in line:
        new = new.replace(b"\n", b"\r\n")
    return name + match[2] + new + (match[4] or b"")


def _surely_clean(block: bytes, mask: Callable[[str], str], *, hidden: bool) -> bool:
    """Whether nothing in a block can be encoded, and the mask finds nothing in it raw."""
    possible: Callable[[bytes], bool] | None = getattr(mask, "possible", None)
    if possible is None or hidden or b"=?" in block or b"*" in block or b"\\" in block:
        return False
    eyes: Eyes | None = getattr(mask, "eyes", None)
    if eyes is not None and eyes.possible(block):
        return False
    # An address may be folded in its midst.
    folded = b"\n " in block or b"\n\t" in block
    return not possible(block) and not (folded and possible(_FOLD.sub(b"", block)))
