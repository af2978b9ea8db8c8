"""The header block of a MIME part, masked or edited: what changes is written anew, nothing else.

A block is what `fields` reads. Every other field stays byte for byte. Nothing here raises.
"""

import re
from functools import partial

from conversation_tracker.core.base.header_names import (
    ADDRESS_HEADERS,
    ANSWERED,
    IDENTIFYING,
)
from conversation_tracker.core.base.limits import check_each
from conversation_tracker.core.masking.address.mask import FunctionMask, Mask
from conversation_tracker.core.masking.header.headers import is_clear, mask_text
from conversation_tracker.core.masking.header.raw_sequences import mask_sequences
from conversation_tracker.core.masking.text import obfuscated, rare_spellings
from conversation_tracker.core.syntax import charset, folding, parameters
from conversation_tracker.core.syntax.encoded_words import decode_words
from conversation_tracker.core.syntax.fields import FIELD, iter_field_spans, iter_fields
from conversation_tracker.core.syntax.splicing import splice
from conversation_tracker.core.syntax.tokens import COMMENT, split_tokens

_FOLDS = 50  # that are tried one by one
_TOGETHER, _FEW = 64, 4  # lines that are no fields, mostly of base64, are looked at together
_SIGNED = re.compile(rb"(multipart\s*/\s*)signed", re.IGNORECASE)
_FOLD = re.compile(rb"(?:\r\n|\n)[ \t]+")
_BETWEEN_COLONS = re.compile(rb":[a-z\x80-\xff-]{2,12}:", re.IGNORECASE)
_WITH_PARAMETERS = (b"content-type", b"content-disposition")
_READ = ADDRESS_HEADERS | {b"subject", b"comments"}  # by a person, and by their program
_LOOKED_UP = re.compile(
    rb"^(?:%s)[ \t]*:" % b"|".join(map(re.escape, sorted(IDENTIFYING))),
    re.IGNORECASE | re.MULTILINE,
)
# A comment that touches words on both sides: without it, they are one.
_OPENED, _CLOSED = re.compile(rb"[^\s(]\("), re.compile(rb"\)[^\s)]")
_MAY_NAME = re.compile(rb"[@*\\\x80-\xff]|=\?|%40")  # elsewhere no address is written or encoded


def mask_header(block: bytes, mask: Mask, *, shows: bool = True) -> bytes:
    """Mask a header block: values in decoded form, parameters after RFC 2231, and stray lines.

    Args:
        block: header fields and whatever lines stand between them.
        mask: gives the text with addresses replaced.
        shows: whether its fields show the reader their own address, as `mask_value` does.

    Returns:
        The block; the same object if nothing changed.
    """
    if not block:  # as before the content of most messages
        return block
    hidden = obfuscated.possible(block, mask)
    if _is_clean(block, mask, hidden=hidden):
        return block
    old = [block[start:end] for start, end in iter_field_spans(block, mask.limits.check)]
    new: list[bytes] = []
    for first in range(0, len(old), _TOGETHER):
        lines = old[first : first + _TOGETHER]
        if len(lines) > _FEW and _name_nobody(b"".join(lines), mask):
            new += lines
        else:
            new += [_mask_line(line, mask, shows=shows, hidden=hidden) for line in lines]
    left = block if new == old else b"".join(new)
    # Behind the fields, the text of a message may come, and an address stand in two lines of it.
    return _mask_stray(left, mask) if mask.thorough else left


def looks_up(block: bytes) -> bool:
    """Whether identifiers in a block are looked up: what one view keeps, another may not."""
    return _LOOKED_UP.search(block) is not None


def is_plain(block: bytes) -> bool:
    """Return whether a header block is masked as the one text it is: nothing in it is looked up.

    None of its values may be in pieces (RFC 2231) or have a comment amid a word, hold a link, or a
    parameter that identifies.
    """
    if b"*" in block or b"\\" in block or b"://" in block or looks_up(block):
        return False
    return b"(" not in block or _OPENED.search(block) is None or _CLOSED.search(block) is None


def is_text(name: bytes, value: bytes) -> bool:
    """Return whether a field's value is text alone, without addresses that are looked up.

    Args:
        name: the field's name in lower case.
        value: its raw value.
    """
    if name in ADDRESS_HEADERS or name in IDENTIFYING or name in ANSWERED:
        return False
    return not (name in _WITH_PARAMETERS and _MAY_NAME.search(value))


def mask_value(
    name: bytes,
    value: bytes,
    mask: Mask,
    *,
    shows: bool = True,
    hidden: bool = True,
    sequences: bool = True,
) -> bytes:
    """Mask one field's value: its parameters, where it has such, and what else it says.

    Args:
        name: the field's name in lower case.
        value: its raw value, folded with LF.
        mask: gives the text with addresses replaced. If it has a method `identifiers(bytes) ->
            bytes`, as `View` has, this is asked about identifiers (RFC 5322 section 3.6.4). If it
            has an attribute `unmasker`, the reader's own alias is their address where it is read.
        shows: whether that is so here.
        hidden: as for `may_hide`.
        sequences: False where `mask_sequences` made the value.

    Returns:
        The value; the same object if nothing changed.
    """
    check = mask.limits.check
    value = mask_sequences(value, mask) if sequences else value
    if name in IDENTIFYING:
        value = mask.identifiers(value)
    if name in _WITH_PARAMETERS and _MAY_NAME.search(value):
        value = parameters.mask_parameters(
            value, partial(_mask_parameter, mask=mask), check, mask.identifiers
        )
    new = mask_text(value, mask, check)
    new = _mask_across_folds(name, new, mask) if b"\n" in new else new
    new = _mask_across_comments(new, mask) if name in ADDRESS_HEADERS and b"(" in new else new
    if may_hide(new, mask, hidden=hidden):
        new = mask_text(new, FunctionMask(partial(obfuscated.mask_obfuscations, mask=mask)), check)
    if shows and mask.unmasker is not None and name in _READ:
        return mask_text(new, mask.unmasker, check)
    return new


def _mask_parameter(text: str, mask: Mask) -> str:
    return obfuscated.mask_obfuscations(mask(text), mask)


def may_hide(value: bytes, mask: Mask, *, hidden: bool = True) -> bool:
    """Return, cheaply, whether a value may hold an address that does not stand in clear.

    Args:
        value: a raw value.
        mask: gives the text with addresses replaced.
        hidden: False where no value around it does as it stands, encoded words apart.
    """
    if not hidden and b"=?" not in value and value.isascii():
        return False
    return obfuscated.possible(
        decode_words(value, mask.limits.check).encode("utf-8", "replace"), mask
    )


def _mask_across_folds(name: bytes, value: bytes, mask: Mask) -> bytes:
    """Mask what is an address only to programs that leave out a fold with its blanks."""
    whole = _FOLD.sub(b"", value)
    if b"=?" not in whole and not mask.possible(whole):
        return value
    if mask_text(whole, mask, mask.limits.check) == whole:
        return value
    folds = [match.span() for match in _FOLD.finditer(value)]
    for start, end in reversed(folds[-_FOLDS:]):
        unfolded = value[:start] + value[end:]
        new = mask_text(unfolded, mask, mask.limits.check)
        value = value if new == unfolded else new
    whole = _FOLD.sub(b"", value)
    new = mask_text(whole, mask, mask.limits.check)
    return folding.fold_header(name, value if new == whole else new)


def _mask_across_comments(value: bytes, mask: Mask) -> bytes:
    """Mask what is an address without its comments (RFC 5322 section 3.2.2), which go then."""
    check = mask.limits.check
    found = check_each(split_tokens(value, check), check)
    bare = splice(value, [(start, end, b"") for kind, start, end in found if kind == COMMENT])
    new = mask_text(
        bare, FunctionMask(lambda text: obfuscated.mask_obfuscations(mask(text), mask)), check
    )
    return value if new == bare else new


def set_charset(block: bytes, label: str) -> bytes:
    """Declare another charset in the block's Content-Type, which is added where there is none."""
    parameter = parameters.render("charset", label)
    for field in iter_fields(block):
        if field.name != b"content-type":
            continue
        start = block.index(field.value, block.index(b":", field.start) + 1)
        declared = [p for p in parameters.parse(field.value)[1] if p.name == "charset"]
        if declared:
            first, last = declared[0].spans[0]
            return block[: start + first] + parameter + block[start + last :]
        end = start + len(field.value.rstrip(b"; \t\r\n"))
        type_ = b"" if end > start else b" text/plain"  # what an empty field means
        return block[:end] + type_ + b"; " + parameter + block[end:]
    line_end = folding.find_line_end(block)
    return b"Content-Type: text/plain; " + parameter + line_end + block


def declare_mixed(block: bytes) -> bytes:
    """Declare a multipart/signed as multipart/mixed; the same object if it is none."""
    for field in iter_fields(block):
        if field.name == b"content-type":
            line = block[field.start : field.end]
            new = declare_value_mixed(line)
            return block if new is line else block[: field.start] + new + block[field.end :]
    return block


def declare_value_mixed(value: bytes) -> bytes:
    """Do the same to the value of a Content-Type."""
    new = _SIGNED.sub(rb"\1mixed", value, count=1)
    return value if new == value else new


def _mask_line(line: bytes, mask: Mask, *, shows: bool, hidden: bool) -> bytes:
    """Mask one line; `hidden` as for `may_hide`."""
    match = FIELD.fullmatch(line)
    looked_up = match is not None and match[1].lower() in IDENTIFYING
    if line.isspace() or (not looked_up and _is_clean(line, mask, hidden=hidden)):
        return line
    if match is None:  # some programs end the header here, and read the rest as they please
        return line if _says_nothing(line, mask) else _mask_stray(line, mask)
    hidden = hidden and obfuscated.possible(line, mask)
    name, value = match[1], match[3]
    # An address may stand as a name, as every printable character may be in one.
    name = charset.change_text(name, "", mask)[0] if mask.possible(name) else name
    value = value.replace(b"\r\n", b"\n")
    new = mask_value(name.lower(), value, mask, shows=shows, hidden=hidden)
    if hidden or not new.isascii():
        new = charset.change_text(new, "", lambda text: obfuscated.mask_obfuscations(text, mask))[0]
    if new == value and name == match[1]:
        # Where a colon is part of a word for an at sign, or for a dot, it is no field.
        return _mask_stray(line, mask) if hidden and _BETWEEN_COLONS.search(line) else line
    if b"\r\n" in line:
        new = new.replace(b"\n", b"\r\n")
    return name + match[2] + new + (match[4] or b"")


def _says_nothing(line: bytes, mask: Mask) -> bool:
    """Return, cheaply, whether masking would surely change nothing in a line that is no field."""
    clear = is_clear(line) and b"\0" not in line and not mask.possible(line)
    return clear and not rare_spellings.may_hide(line, mask)


def _name_nobody(lines: bytes, mask: Mask) -> bool:
    """Return, cheaply, whether lines are no fields, and masking would change nothing in any.

    What one line says is in all of them together; what they say together is no line's.
    """
    return b":" not in lines and _says_nothing(lines, mask) and not _holds_label(lines, mask)


def _holds_label(data: bytes, mask: Mask) -> bool:
    """Return, cheaply, whether a domain may begin in ASCII text, however it goes on."""
    low = data.decode("utf-8", "replace").lower()
    return mask.finder is None or any(label in low for label in mask.finder.labels)


def _mask_stray(line: bytes, mask: Mask) -> bytes:
    return charset.change_text(line, "", partial(_mask_text, mask=mask))[0]


def _mask_text(text: str, mask: Mask) -> str:
    return obfuscated.mask_words(rare_spellings.mask_readings(mask(text), mask), mask)


def _is_clean(block: bytes, mask: Mask, *, hidden: bool) -> bool:
    """Whether nothing in a block can be encoded, and the mask finds nothing in it raw."""
    if hidden or b"=?" in block or b"*" in block or b"\\" in block or b"\0" in block:
        return False
    if mask.unmasker is not None and mask.unmasker.possible(block):
        return False
    # A fold may stand inside an address.
    folded = b"\n " in block or b"\n\t" in block
    return not mask.possible(block) and not (folded and mask.possible(_FOLD.sub(b"", block)))
