r"""What else a text may be read as: by scripts, styles, RTF, terminals, gateways, and in tags.

`decodings` reads what most mail has; here is what few messages have, most of it told by a sign that
stands in no others. Written apart from the masking code. Every reading costs time linear in the
text's length. Nothing here raises.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from conversation_tracker.core.scanning.text import characters, decodings

_ROUNDS = 3
_SEQUENCE = re.compile(
    r"\x1b(?:(?P<two>(?:\$\(?[@a-f]|\(i)[^\x1b\r\n]+)|\[[0-?]*[ -/]*[@-~]"
    r"|\][^\x07\x1b\r\n]{0,200}\x07?|[ -/]*[0-~])"
    r"|\x9b[0-?]*[ -/]*[@-~]|\x0e|\x0f|\^\[\[[0-9;]*[a-z]|#033\[[0-9;]*[a-z]"
)
_IN_SCRIPT = re.compile(
    r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|u\{0{0,8}([0-9a-f]{1,6})\}|([0-3]?[0-7]{2})|(e(?=\[)))"
)
_IN_STYLE = re.compile(r"\\([0-9a-f]{1,6})(?:\r\n|[ \t\r\n\f])?")
_GOES_ON = re.compile(r"\\\r?\n")
_IN_RTF = re.compile(
    r"\\'([0-9a-f]{2})|\\u(-?[1-9][0-9]{0,4}) ?\??"
    r"|\\(?:rtf|par|pard|line|tab|cell|row)(?![a-z])-?[0-9]* ?|\\~"
    r"|(\\(?:[a-z]{1,32}(?:-?[0-9]{1,10})? ?|-)|[{}])"
)
_NUMBERED = re.compile(r"\\(?:uc([0-9]{1,2}) ?|u(-?[0-9]{1,5}) ?|bin([0-9]{1,6}) ?|[{}\\])|[{}]")
_FALLBACK = re.compile(
    r"[\r\n]{0,4}(?:\\'[0-9a-f]{2}|\\[a-z]{1,32}(?:-?[0-9]{1,10})? ?|\\[^a-z]|[^\\{}])"
)
_HAS_FALLBACK = re.compile(r"\\(?:uc|bin|u-?[1-9][0-9]{1,4} ?[^\s{}?])")
_SIGNS = ("\\x40", "\\u0040", "\\100")
_NO_SIGN = re.compile(r"[^\s<>@]{0,64}@")  # before what is an address without it
_RTF = re.compile(r"\\(?:rtf(?<=\{\\rtf)|'[0-9a-f]{2}|u-?[1-9][0-9]{1,4}(?![0-9a-f]))")
_ESCAPED_HEX = re.compile(r"\\(?:x[0-9a-f]|u[0-9a-f{]|[0-9a-f])")
_NOT_SHOWN = re.compile(
    r"\s{0,8}\\(?:\*|(?:v|xe|tc|pict|object|info|fonttbl|colortbl|stylesheet|footnote|annotation"
    r"|bkmkstart|bkmkend)(?![a-z0-9]))"
)
_BRACES = re.compile(r"(?<!\\)(?:\\\\)*([{}])")
_UNTIL_SHOWN = re.compile(
    r"\\v(?![a-z0-9])(?>(?:[^{}\\]|\\(?!v(?![a-z])|plain)){0,400})\\(?:v0|plain)(?![a-z0-9]) ?"
)
_SOFT = re.compile(
    r"=(?<=[\w@.+-]=)[ \t]{0,8}\r?\n(?:[ \t]{0,8}[>|][>| \t]{0,80})?(?=[ \t]{0,8}[\w@.=])"
)
_TWICE_QUOTED = re.compile(r"=3d(?=[2-7][0-9a-f])")
_ENCAPSULATED = re.compile(r"imcea[a-z]{1,12}-([a-z0-9+_=./-]{1,320})@")
_PLUS = re.compile(r"\+([2-7][0-9a-f])")
_SEVEN = re.compile(r"\+ae([a-p])-")
_PERCENT_U = re.compile(r"%u00([2-7][0-9a-f])")
_MARKUP = re.compile(
    r"<(?:!--[^<>]{0,400}--|(?P<unseen>param|comment)>[^<>]{0,300}</(?P=unseen)"
    r"|/?[a-z][a-z0-9:_-]{0,40}(?:[\s/][^<>]{0,400})?|/?x-[a-z0-9.:_-]{1,40})>"
)
_TOUCHED = re.compile(r"<(?<=[\w@.;]<)(?:/?[a-z]|!--)")
_SECOND = re.compile(r"urldefense[a-z.-]{0,40}/v2/url\?[^\s<>\"']{0,60}?u=([^&\s<>\"';]+)")
_THIRD = re.compile(
    r"urldefense[a-z.-]{0,40}/v3/__((?:[^\s<>\"'/]|/(?!v3/__)){1,4096}?)__;([a-z0-9_-]{0,4096})",
    re.IGNORECASE,
)
_HIDDEN = re.compile(
    r"(?:cfemail|email-protection)(?:&#?[a-z0-9]{1,8};|[=%][23][0-9a-f]|[^0-9a-f<>&]){1,12}?"
    r"((?:[0-9a-f]{2}){4,1000})(?![0-9a-f])"
)
_TURNED = ("\u202e", "bidi-override", "<bdo", "8238", "x202e")  # text is shown from its end
_SEQUENCES = ("\x1b", "\x9b", "^[[", "#033[")
_TELLING = (
    *_TURNED,
    *("\x1b", "\x0e", "\x0f", "^[[", "#033[", "imcea"),
    *("cfemail", "email-protection", "urldefense"),
)
_LENGTHS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def iter_readings(text: str, low: str, read: str, *, markup: bool = False) -> Iterator[str]:
    """Yield what else a text may be read as, in lower case.

    Args:
        text: the text.
        low: the same in lower case.
        read: the last of what `decodings.iter_readings` gives.
        markup: what stands in tags has been left out already.
    """
    base = read
    known: dict[str, str] = {}
    for _ in range(_ROUNDS):
        changed = _unescape_twice(base)
        if changed == base:
            known[base] = base
            break
        base = changed
        yield base
    if "=" in low and "=3d" in low:  # quoted-printable of quoted-printable
        yield from decodings.iter_readings(_TWICE_QUOTED.sub("=", low))
    if "cfemail" in low or "email-protection" in low:
        yield from _strip_tags(low)
    if "urldefense" in low:
        yield from _decode_gateway_links(text)
        yield from _decode_gateway_links(base)
    if "\\" in low:
        yield from _unescape(low, known)
    if "\\" in base and base != low:
        yield from _unescape(base, known)
    if is_turned(low):
        yield low[::-1]
        yield decodings.decode_references(_MARKUP.sub("", low))[::-1]
    if not markup and "<" in low and _TOUCHED.search(low):
        for each in dict.fromkeys((low, base)):
            yield decodings.decode_references(_MARKUP.sub("", each))


def is_turned(low: str) -> bool:
    """Return whether something in a lower-case text may have it shown from its end."""
    return any(sign in low for sign in _TURNED)


def bears_far(readings: Iterable[str], *, markup: bool = False) -> bool:
    """Return whether one place of a text may bear on how others far away from it are read.

    RTF anywhere has braces and line ends left out everywhere; so has a tag that touches a word tags
    of what is no HTML. Sequences of terminals and links of gateways have any length.

    Args:
        readings: all that the text was read as, in lower case, as it stands the first.
        markup: it is HTML.
    """
    for each in readings:
        if "\\" in each and _RTF.search(each) is not None:
            return True
        if any(sign in each for sign in _SEQUENCES):
            return True
        if "urldefense" in each if markup else "<" in each and _TOUCHED.search(each) is not None:
            return True
    return False


def may_be_escaped(low: str) -> bool:
    """Return, cheaply, whether `iter_readings` might give something for a lower-case text in ASCII.

    Backslashes, references and percent escapes apart: where these stand, `decodings` tells it.
    """
    for word in _TELLING:
        if word in low:
            return True
    if "=" in low and _SOFT.search(low) is not None:
        return True
    if "+" in low and "+ae" in low:
        return True
    return "<" in low and _TOUCHED.search(low) is not None


def _unescape_twice(low: str) -> str:
    """Read a text once more: what escapes hide may be escapes."""
    if "%" in low or "&" in low:
        low = decodings.decode_percent(decodings.decode_references(low))
    if "%" in low and "%u00" in low:
        low = _PERCENT_U.sub(lambda found: chr(int(found[1], 16)), low)
    if "=" in low and _SOFT.search(low):
        *_, low = decodings.iter_readings(_SOFT.sub("", low))
    if "imcea" in low:
        low = _ENCAPSULATED.sub(_decode_encapsulated, low)
    if "+" in low and "+ae" in low:
        low = _SEVEN.sub(lambda found: chr(0x40 + ord(found[1]) - ord("a")).lower(), low)
    # A sign of one character is found at many times the speed of a longer one.
    colours = "[" in low and (("^" in low and "^[[" in low) or "#033[" in low)
    if "\x1b" in low or "\x9b" in low or colours:
        low = _drop_sequences(low)
    return low.replace("\x0e", "").replace("\x0f", "")


def _drop_sequences(low: str) -> str:
    # A function for each of those in octets that are no text costs as much as all the rest.
    pieces = _SEQUENCE.split(low)
    pieces[1::2] = ["\u4e00" if two else "" for two in pieces[1::2]]
    return "".join(pieces)


def _decode_encapsulated(found: re.Match[str]) -> str:
    return f" {_PLUS.sub(lambda sign: chr(int(sign[1], 16)).lower(), found[1])}@"


def _read_on(low: str, known: dict[str, str]) -> str:
    """Read a text once more, as above, but each only once."""
    if (read := known.get(low)) is None:
        read = known[low] = _unescape_twice(low)
    return read


def _unescape(low: str, known: dict[str, str]) -> Iterator[str]:
    if _GOES_ON.search(low):
        low = _GOES_ON.sub("", low)
        yield low
    if _ESCAPED_HEX.search(low):
        shown = _IN_SCRIPT.sub(_decode_script, low)
        yield (again := _read_on(shown, known))
        if not again.isascii() and (meant := characters.drop_invisible(again)) != again:
            yield meant
        if "\\" in again:
            yield _read_on(_IN_SCRIPT.sub(_decode_script, again), known)
        style = _IN_STYLE.sub(lambda found: _make_character(int(found[1], 16)), low)
        yield _read_on(style, known)
    if _RTF.search(low):
        rich = _IN_RTF.sub(_decode_rtf, low)
        if not rich.isascii():
            *_, rich = decodings.iter_readings(rich)
        yield _read_on(rich, known)
        if "\n" in rich:
            yield _read_on(rich.replace("\r", "").replace("\n", ""), known)
        if _HAS_FALLBACK.search(low):
            rich = _IN_RTF.sub(_decode_rtf, _decode_numbered(low))
            yield _read_on(rich, known)
            yield _read_on(rich.replace("\r", "").replace("\n", ""), known)
        if (shown := _drop_hidden(low)) != low:
            rich = _IN_RTF.sub(_decode_rtf, shown)
            yield _read_on(rich.replace("\r", "").replace("\n", ""), known)


def _decode_numbered(low: str) -> str:
    """Decode the characters by number in RTF, and leave out what stands for each elsewhere."""
    pieces: list[str] = []
    counts = [1]
    done = 0
    for word in _NUMBERED.finditer(low):
        at = word.end()
        if word.start() < done:
            continue
        if word[1]:
            counts[-1] = min(int(word[1]), 8)
        elif word[2] or word[3]:
            pieces.append(low[done : word.start()])
            if word[2]:
                pieces.append(_make_character(int(word[2]) % 0x10000))
                for _ in range(counts[-1]):
                    if fallback := _FALLBACK.match(low, at):
                        at = fallback.end()
            else:
                at += int(word[3])
            done = at
        elif word[0] == "{":
            counts.append(counts[-1])
        elif word[0] == "}" and len(counts) > 1:
            counts.pop()
    return "".join(pieces) + low[done:]


def _drop_hidden(low: str) -> str:
    """Leave out what RTF does not show: destinations, and hidden groups and runs."""
    pieces: list[str] = []
    nested = hidden = done = 0  # groups around here, and of these the first that is hidden
    for brace in _BRACES.finditer(low):
        at = brace.start(1)
        if brace[1] == "{":
            nested += 1
            if not hidden and _NOT_SHOWN.match(low, at + 1):
                pieces.append(low[done:at])
                hidden = nested
        elif nested:
            if hidden == nested:
                hidden, done = 0, at + 1
            nested -= 1
    return _UNTIL_SHOWN.sub("", "".join(pieces) + (low[done:] if not hidden else ""))


def _decode_script(found: re.Match[str]) -> str:
    if found[5]:
        return "\x1b"
    if found[0] in _SIGNS and _NO_SIGN.match(found.string, found.end()):
        return found[0]
    if found[4]:
        return chr(int(found[4], 8)).lower()
    return _make_character(int(found[1] or found[2] or found[3], 16))


def _decode_rtf(found: re.Match[str]) -> str:
    if found[1]:
        return _make_character(int(found[1], 16))
    if found[2]:
        return _make_character(int(found[2]) % 0x10000)
    return "" if found[3] else " "


def _make_character(number: int) -> str:
    return chr(number).lower() if number < 0x110000 and not 0xD800 <= number < 0xE000 else " "


def _decode_gateway_links(text: str, inside: int = _ROUNDS) -> Iterator[str]:
    low = text.lower()
    for link in _SECOND.findall(low):
        if "/" not in link and "%" not in link:
            for shown in _decode_link(link.replace("-", "%").replace("_", "/")):
                yield shown
                if inside and "/v2/url?" in shown:
                    yield from _decode_gateway_links(shown, inside - 1)
    # In any letter case, a pattern is looked for at each character.
    for link, code in _THIRD.findall(text) if "/v3/__" in low else ():
        yield from _decode_link(_restore(link, code).lower())
        yield from _decode_link(link.replace("*", "%").lower())


def _decode_link(link: str) -> Iterator[str]:
    for _ in range(_ROUNDS):
        yield link
        link = decodings.decode_percent(link)


def _restore(link: str, code: str) -> str:
    """Put back what version 3 of URL Defense takes out of a link."""
    taken = ""
    with suppress(binascii.Error, ValueError):
        taken = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)).decode("utf-8", "replace")
    pieces, rest = [], taken
    for part in re.split(r"(\*\*[\w-]|\*)", link):
        if part[:1] != "*":
            pieces.append(part)
            continue
        size = _LENGTHS.find(part[2]) + 2 if len(part) > 1 else 1
        pieces.append(rest[:size])
        rest = rest[size:]
    return "".join(pieces)


def _strip_tags(low: str) -> Iterator[str]:
    for digits in _HIDDEN.findall(low):
        key, *octets = bytes.fromhex(digits)
        yield bytes(each ^ key for each in octets).decode("utf-8", "replace").lower()
