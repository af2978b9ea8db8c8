"""What the tracker did to a message, in plain words."""

import re

_PART = re.compile(
    r"(\S{1,100}) (\S{1,200}) (identity|archive|encrypted|media|signature|property|binary)"
    r"(?: (flagged|removed|refused))?\Z"
)
_LEFT_OUT = re.compile(r"left out: (\d{1,9})\Z", re.ASCII)
_WHAT = {
    "identity": "A key, certificate or contact",
    "archive": "An archive or document",
    "encrypted": "An encrypted part",
    "media": "A picture, sound or film",
    "signature": "A signature",
    "property": "An entry of a calendar or contact",
    "binary": "A file",
}
_ALWAYS = {
    "identity": "was removed: it held an address",
    "media": "held an address, which was written over",
    "signature": "was removed: it, or what it signed, held an address",
    "property": "was removed: it held an address",
}
_FATE = {
    "flagged": "holds an address and was passed on as it is",
    "removed": "was removed: it held an address",
    "refused": "held an address, and the message was refused",
    None: "holds an address",
}


def explain_note(note: str) -> str:
    """Say in words what a note of the timeline means; one that is not known is told as it is."""
    left_out = _LEFT_OUT.match(note)
    if left_out is not None:
        count = int(left_out[1])
        if count == 1:
            return "1 person was left out of the copies: the order has too many strangers"
        return f"{count:,} people were left out of the copies: the order has too many strangers"
    part = _PART.match(note)
    if part is None:
        return note
    number, type, kind, fate = part.groups()
    said = _ALWAYS.get(kind) or _FATE[fate]
    return f"{_WHAT[kind]} (part {number}, {type}) {said}"
