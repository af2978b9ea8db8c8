"""The remote's words about a delivery, in which nobody and no host is named.

A remote names a recipient by address, or by what stands before its at sign alone: "No such user
john.doe1977 here". Either goes, of everybody in the order, in any spelling that a server may use:
letter case, dots set otherwise, without the tag, with another one.

A local part that is an ordinary word of such replies, or as short as one, would take the sense out
of every sentence and says nothing of a person: it goes only where it is quoted, as a name is.
Pure; time is linear in the text, and in the number of participants.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from conversation_tracker.core.masking.text.obfuscated import mask_block
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.views.view import View

LONGEST = 500
"""Characters of a reason."""

_LOOKED_AT = 4_000  # characters of the remote's words
_NAME = "[name]"
_CODE = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
# Which hosts receive a person's mail tells their provider, or their own domain. An alias stays.
_HOST = re.compile(
    r"(?<![@\w.-])(?:[a-z0-9_-]+\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]+)(?![\w@-])"
    r"|(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])"
    r"|(?:[0-9a-f]{1,4}:){1,7}(?::[0-9a-f]{1,4}){1,7}|(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}",
    re.IGNORECASE,
)
# The remote may know the recipient by another address than we do.
_ADDRESS = re.compile(r"(?<![^\s<>(),;:\"'])[^\s<>(),;:\"'@]*@[^\s<>(),;:\"']*")
# Letters and digits that stand together, or one character of any other kind.
_ATOM = re.compile(r"[^\W_]+|.", re.DOTALL)
_OPENING, _CLOSING = frozenset("<\"'`([{=\xab\u201c\u2018"), frozenset(">\"'`)]}\xbb\u201d\u2019")
_AFTER_TAG = frozenset(" \t<>()[]\"',;:@")
_WORDS = frozenset(
    """
    accept accepted access account action address again all and any are authentication available
    because been blocked bounce bounced box can cannot client closed closing command connect
    connection contact content could data delayed deliver delivered delivery denied disabled disk
    does domain email error exceeded exist exists expired failed failure file for forward found
    from full greylisted greylisting has have help here host inactive inbox input internal invalid
    later limit list local lookup mail mailbox mailer message messages more name network none not
    over parameter password permanent permission please policy queue queued quota receive received
    recipient recipients refused rejected relay remote reply requested response retry said security
    see send sender sending sent server service size smtp space spam such suspended system table
    temporarily temporary text than that the this timeout too transaction try unable unavailable
    unknown user users valid verify virtual virus was web with you your
    """.split()
)


def clean_status(status: str) -> str:
    """Return an enhanced status code (RFC 3463) as it is, and "" for what is none."""
    return status if _CODE.fullmatch(status) else ""


def redact(conversation: Conversation, said: str) -> str:
    """Return the remote's words without anybody's name.

    Args:
        conversation: the order they are about.
        said: the words; they may name anybody, also by an address that we do not know.

    Returns:
        Everybody of the order in hard form where their address stood, and `[name]` where only its
        local part did; any other address as `[address]`, any host as `[host]`.
    """
    ours = conversation.order.alias_domain

    def unnamed(found: re.Match[str]) -> str:
        # Of two run together, the second alone may be ours.
        _, *domains = found[0].split("@")
        return found[0] if [each.rstrip(".") for each in domains] == [ours] else "[address]"

    masked = mask_block(said[:_LOOKED_AT], View(conversation, None))
    text = _ADDRESS.sub(unnamed, masked)
    text = _HOST.sub("[host]", text)
    locals = [p.address.local for p in conversation if p.address is not None]
    # What was put there by now is nobody's name.
    put = re.compile(rf"([0-9a-f]{{32}}@{re.escape(ours)}|\[address\]|\[host\])")
    pieces = put.split(text)
    pieces[::2] = [redact_names(piece, locals) for piece in pieces[::2]]
    return "".join(pieces)[:LONGEST]


def redact_names(text: str, locals: Iterable[str]) -> str:
    """Replace local parts that stand alone, in any spelling, by `[name]`.

    Args:
        text: any text.
        locals: local parts of addresses, as meant.
    """
    forms = {form for local in locals for form in _forms(local)}
    if not forms:
        return text
    longest = max(map(len, forms))
    atoms = _ATOM.findall(unicodedata.normalize("NFC", text))
    return "".join(_replace_names(atoms, forms, longest))


def _forms(local: str) -> Iterator[str]:
    """Yield what a local part is known by: with its tag and without, dots left out."""
    for form in (local, local.partition("+")[0]):
        if plain := _plain(form):
            yield plain


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text.lower()).replace(".", "")


def _replace_names(atoms: Sequence[str], forms: set[str], longest: int) -> Iterator[str]:
    plain = [_plain(atom) for atom in atoms]  # "" for a dot
    firsts = {form[0] for form in forms}
    at = 0
    while at < len(atoms):
        end = _find_end(plain, at, forms, longest) if plain[at][:1] in firsts else 0
        if end and atoms[end : end + 1] == ["+"]:
            end = next((n for n in range(end, len(atoms)) if atoms[n] in _AFTER_TAG), len(atoms))
        yield _NAME if end else atoms[at]
        at = end or at + 1


def _find_end(plain: Sequence[str], at: int, forms: set[str], longest: int) -> int:
    """Return where the longest local part that begins at an atom ends; 0 if none does."""
    key, end = "", 0
    for place in range(at, min(len(plain), at + 2 * longest)):
        key += plain[place]
        if len(key) > longest:
            break
        if plain[place] and key in forms and (_is_telling(key) or _is_quoted(plain, at, place + 1)):
            end = place + 1
    return end


def _is_telling(key: str) -> bool:
    """Return whether a local part is none of the words that every remote uses."""
    return len(key) > (3 if key.isdecimal() else 2) and key not in _WORDS


def _is_quoted(plain: Sequence[str], start: int, end: int) -> bool:
    inside = start > 0 and end < len(plain)
    return inside and plain[start - 1] in _OPENING and plain[end] in _CLOSING
