"""Characters that stand for others, or for none, and what terminals and printers are told.

For the final scan. Written apart from the masking code. Time is linear in the text's length.
Nothing here raises.
"""

import re
import unicodedata

_ASCII_ONLY = bytes(range(128))
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]+"
)
# Control characters, and line ends that few programs know, most of which show nothing.
_CONTROLS = bytes((*range(9), 11, 12, *range(14, 32), 127))
_NO_CONTROLS = bytes(set(range(256)).difference(_CONTROLS))
# The same beyond ASCII in UTF-8.
_MORE_CONTROLS = re.compile(rb"\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]")

# What follows ESC.
_SEQUENCE = re.compile(
    r"\x1b(?:(?P<two>(?:\$\(?[@a-f]|\(i)[^\x1b\r\n]+)|\[[0-?]*[ -/]*[@-~]"
    r"|\][^\x07\x1b\r\n]{0,200}\x07?|[ -/]*[0-~])"
    r"|\x9b[0-?]*[ -/]*[@-~]|\x0e|\x0f|\^\[\[[0-9;]*[a-z]|#033\[[0-9;]*[a-z]"
)
# Double bytes that are letters of ASCII, or signs of an address, in the character sets that mail
# has; and all others, of which any number is one letter.
_PAIR = re.compile(r"#([!-~])|!([%w2\]\\])|(?:(?!#[!-~]|![%w2\]\\])[!-~]{2})+|[^!-~]+")
_PAIR_SIGNS = {"%": ".", "w": "@", "2": "_", "]": "-", "\\": "+"}
# Printers write a character over another: bold, or with a line below, whichever comes first.
_OVERSTRUCK = re.compile(r"[^\b\r\n]\x08(?!_)|\x08_")
# The same of what may be an address: octets that are no text have any number of these.
_IS_STRUCK = re.compile(r"\x08(?:(?<=([\w@.+-])\x08)\1|(?<=_\x08)[\w@.+-]|_(?<=[\w@.+-]\x08_))")

# Letters and signs that stand for themselves, whatever is beside them.
_SURE = re.compile(
    "[\x80-\x9f\xa1-\xa7\xa9\xab\xac\xae\xb0\xb1\xb6\xb7\xbb\xbf-\u0131\u0134-\u013e\u0141-\u0148\u014a-\u017e"
    "\u0391-\u03a1\u03a3-\u03ce\u0400-\u0481\u048a-\u052f\u2012-\u2016\u2018-\u2023\u2030-\u2032\u2039\u203a"
    "\u20ac\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\udc80-\udcff]+"
)
# What stands for an at sign, but in words of letters in circles.
_CIRCLED_A = re.compile("\u24d0(?<![\u24d1-\u24e9].)(?![\u24d1-\u24e9])")
_FEW_KINDS = 16
_FIRST_MARK, _LAST_MARK, _MORE_MARKS = "\u0300", "\u036f", "\u0483"


def drop_invisible(low: str) -> str:
    """Leave out what has no width, and read what has another one; the same object if nothing."""
    kinds = "" if low.isascii() else _find_unsure(low)
    if "\u24d0" in kinds:
        low = _CIRCLED_A.sub("(at)", low)
    if not kinds or _is_plain(low, kinds):
        return low
    if len(kinds) <= _FEW_KINDS and all(map(_stands_alone, kinds)):
        for each in kinds:  # mostly a blank that does not break, or dots: far cheaper so
            low = low.replace(each, _normalise_alone(each))
        return low
    plain = unicodedata.normalize("NFKC", _UNSEEN.sub("", low)).lower()
    return plain.replace("\u3002", ".")


def drop_controls(low: str) -> str:
    """Leave out control characters but tabs and line ends; the same object if there are none."""
    if low.isascii():
        octets = low.encode()
        if not octets.translate(None, _NO_CONTROLS):
            return low
        return octets.translate(None, _CONTROLS).decode()
    octets = shown = low.encode("utf-8", "surrogatepass")
    if octets.translate(None, _NO_CONTROLS):  # which is far faster than to leave them out
        shown = octets.translate(None, _CONTROLS)
    if b"\xc2" in shown or b"\xe2\x80" in shown:
        shown = _MORE_CONTROLS.sub(b"", shown)
    return shown.decode("utf-8", "surrogatepass") if len(shown) < len(octets) else low


def has_controls(text: str) -> bool:
    """Return, cheaply, whether control characters are in a text, tabs and line ends apart."""
    return drop_controls(text) is not text


def drop_sequences(low: str) -> str:
    """Leave out what terminals are told in a lower-case text, and show its double bytes."""
    # A function for each of those in octets that are no text costs as much as all the rest.
    pieces = _SEQUENCE.split(low)
    pieces[1::2] = [_show_pairs(two) if two else "" for two in pieces[1::2]]
    return "".join(pieces)


def _show_pairs(called: str) -> str:
    """Show double bytes, behind what calls for them, as far as they are letters of ASCII."""
    if called[0] != "$" or not ("#" in called or "!" in called):
        return "\u4e00"
    start = 3 if called[1] == "(" else 2
    return "".join(
        pair[1] or _PAIR_SIGNS.get(pair[2], "\u4e00") for pair in _PAIR.finditer(called, start)
    )


def is_overstruck(low: str) -> bool:
    """Return, cheaply, whether in a lower-case text words are written twice, or with a line."""
    return _IS_STRUCK.search(low) is not None


def drop_overstruck(low: str) -> str:
    """Leave out what another character is written over; the same object if nothing is."""
    return _OVERSTRUCK.sub("", low) if is_overstruck(low) else low


def _find_unsure(low: str) -> str:
    """Return, each once, the characters of a text that may stand for others."""
    others = low.encode("utf-8", "surrogatepass").translate(None, _ASCII_ONLY)
    # To decode lone surrogates again would be slow.
    return _SURE.sub("", "".join(set(others.decode("utf-8", "ignore"))))


def _stands_alone(character: str) -> bool:
    """Return whether a character means the same whatever is beside it.

    So do those whose meaning begins with a letter of a script that writes no letter in two parts.
    """
    first = _normalise_alone(character)[:1]
    return unicodedata.combining(character) == 0 and (
        first < _FIRST_MARK or (_LAST_MARK < first < _MORE_MARKS)
    )


def _normalise_alone(character: str) -> str:
    if _UNSEEN.match(character):
        return ""
    return "." if character == "\u3002" else unicodedata.normalize("NFKC", character).lower()


def _is_plain(low: str, kinds: str) -> bool:
    """Return cheaply that nothing but ASCII and whole letters of other scripts is in a text.

    Args:
        low: the text.
        kinds: those of its characters that may be something else.
    """
    if _UNSEEN.search(kinds) or "\u3002" in kinds or any(map(unicodedata.combining, kinds)):
        return False
    others = low.encode("utf-8", "surrogatepass").translate(None, _ASCII_ONLY)
    return unicodedata.is_normalized("NFKC", others.decode("utf-8", "ignore"))
