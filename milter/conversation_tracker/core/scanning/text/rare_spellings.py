r"""What else a text may be read as: by scripts, styles, RTF, terminals, gateways, and in tags.

`decodings` reads what most mail has; here is what few messages have, most of it told by a sign that
stands in no others. Written apart from the masking code. Every reading costs time linear in the
text's length. Nothing here raises.
"""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from urllib.parse import unquote

from conversation_tracker.core.scanning.text import characters, decodings, rich_text

_ROUNDS = 3
_IN_SCRIPT = re.compile(
    r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|u\{0{0,8}([0-9a-f]{1,6})\}|([0-3]?[0-7]{2})|(e(?=\[)))"
)
# In JSON a backslash is doubled.
_IN_STYLE = re.compile(r"\\{1,4}([0-9a-f]{1,6})(?:\r\n|[ \t\r\n\f])?")
_GOES_ON = re.compile(r"\\\r?\n")
_SIGNS = ("\\x40", "\\u0040", "\\100")
_NO_SIGN = re.compile(r"[^\s<>@]{0,64}@")  # before what is an address without it
_ESCAPED_HEX = re.compile(r"\\(?:x[0-9a-f]|u[0-9a-f{]|[0-9a-f])")
_SOFT = re.compile(
    r"=(?<=[\w@.+-]=)[ \t]{0,8}\r?\n(?:[ \t]{0,8}[>|][>| \t]{0,80})?(?=[ \t]{0,8}[\w@.=])"
)
_TWICE_QUOTED = re.compile(r"=3d(?=[2-7][0-9a-f])")
_ENCAPSULATED = re.compile(r"imcea[a-z]{1,12}-([a-z0-9+_=./-]{1,320})@")
_PLUS = re.compile(r"\+([2-7][0-9a-f])")
_SEVEN_SIGN = "+aea-"
# Characters of ASCII in UTF-7: of three, these are the eight letters.
_SEVEN_EACH = "A[A-H][AEIMQUYcgkosw048]", "A[A-Za-f][AQgw]", "[AB][A-Za-z0-9+/,]"
_SEVEN = re.compile(
    rf"[+&]((?>(?:{''.join(_SEVEN_EACH)})*)(?:{_SEVEN_EACH[0]}(?:{_SEVEN_EACH[1]})?)?)(?<=\w)"
    r"(?:-|(?![A-Za-z0-9+/]))"
)
_MAY_BE_SEVEN = (
    re.compile(r"\+a[a-h][aeimquycgkosw048](?![b-z0-9+/])"),
    re.compile(r"&a[a-h][aeimquycgkosw048](?![b-z0-9+/])"),
)
# As a form sends what people say.
_IN_FORM = re.compile(
    r"\+([(\[{<\"]{0,2}(?:\u00e4t|at|arroba|arobase|chez|dot|pun[kc]?to?|ponto|point)[)\]}>\"]{0,2})\+"
)
_ALL_QUOTED = re.compile(r"=[2-7][0-9a-f]=[2-7][0-9a-f]=[2-7][0-9a-f]")
# What is quoted so begins an escape of another kind.
_QUOTED_ESCAPE = re.compile(
    r"=(25(?=[2-7][0-9a-f])|26(?=\#|[a-z]{2,8};)|5c(?=u00|u\{|x[2-7]|[01][0-7]))"
)
# Signs of an address as names of files and of columns have them, and by their number.
_UNDERLINED = re.compile(r"_(?:40(?![0-9]{1,60}\.)(?=[a-z0-9-]{1,63}(?:\.|_2e)[a-z]))")
_UNDERLINED_SIGN = re.compile(r"_(2[bde]|5f)")
# Before what is an address without it, it is no at sign.
_QUOTED = re.compile(r"=(?!40[^\s<>@]{0,64}@)([2-7][0-9a-f])")
# A letter or a sign of an address, amid one: attributes and links have numbers so.
_QUOTED_LETTER = re.compile(
    r"=(?:(?:[46][1-9a-f]|[57][0-9a]|5f|2[bde])(?=[a-z.=@_+-])|25[2-7]|26[#a-z]|5c[ux01])"
)
_NEAR = 100  # characters before a domain, and behind it, in which an address is
_PERCENT_U = re.compile(r"%u00([2-7][0-9a-f])")
_MARKUP = re.compile(
    r"<(?:!--[^<>]{0,400}--|(?P<unseen>param|comment)>[^<>]{0,300}</(?P=unseen)"
    r"|/?[a-z][a-z0-9:_-]{0,40}(?:[\s/][^<>]{0,400})?|/?x-[a-z0-9.:_-]{1,40})>"
)
_TOUCHED = re.compile(r"<(?<=[\w@.;]<)(?:/?[a-z]|!--)")
_WRITTEN_TAG = re.compile(r"&(?:lt|#0*60|#x0*3c);?(?:/?[a-z]|!--)")
_SECOND = re.compile(r"urldefense[a-z.-]{0,40}/v2/url\?[^\s<>\"']{0,60}?u=([^&\s<>\"';]+)")
_THIRD = re.compile(
    r"urldefense[a-z.-]{0,40}/v3/__((?:[^\s<>\"'/]|/(?!v3/__)){1,4096}?)__;([a-z0-9_-]{0,4096})",
    re.IGNORECASE,
)
_HIDDEN = re.compile(
    r"(?:cfemail|email-protection)(?:&#?[a-z0-9]{1,8};|[=%][23][0-9a-f]|[^0-9a-f<>&]){1,12}?"
    r"((?:[0-9a-f]{2}){4,1000})(?![0-9a-f])"
)
_TURNED = ("\u202e", "bidi-override", "<bdo", "x202e")  # text is shown from its end
# The same as a number, unless digits or letters before it make it another one, or none: a sign that
# is escaped may end with a three.
_TURNED_NUMBER = re.compile(r"8238(?<![124-9a-tv-z]8238)(?<![^24]38238)")
_SEQUENCES = ("\x1b", "\x9b", "^[[", "#033[")
# One of these is in whatever else is written so, but for what has a bracket, or is of Cloudflare.
_TELLING = (
    *("\u202e", "bidi-override", "x202e"),
    *("\x1b", "\x0e", "\x0f", "urldefense"),
)
_LENGTHS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def iter_readings(
    text: str,
    low: str,
    read: str,
    *,
    markup: bool = False,
    quoted: bool = False,
    tells: Callable[[str, str], bool] | None = None,
    again: bool = False,
) -> Iterator[str]:
    """Yield what else a text may be read as, in lower case.

    Args:
        text: the text.
        low: the same in lower case.
        read: the last of what `decodings.iter_readings` gives.
        markup: what stands in tags has been left out already.
        quoted: quoted-printable that nobody undid is read, as `is_quoted_near` tells.
        tells: returns whether quoted-printable may show somebody, in the text in lower case or in
            what that is read as without its other escapes; None where it is read in any case.
        again: it was given already what the text may be read as with another `read`.
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
    sources = (base,) if again else tuple(dict.fromkeys((low, base)))
    if not again and _may_be_seven(low) and (shown := _SEVEN.sub(_decode_seven, text)) != text:
        yield from decodings.iter_readings(shown)
    quotes = "=" in low and (quoted or _ALL_QUOTED.search(low) is not None)
    twice = "=" in low and "=3d" in low and not again  # quoted-printable of quoted-printable
    if (quotes or twice) and (tells is None or tells(low, base)):
        for each in sources if quotes else ():
            yield from decodings.iter_readings(_QUOTED.sub(_decode_quoted, each))
        if twice:
            once = _TWICE_QUOTED.sub("=", low)
            yield from decodings.iter_readings(once)
            yield from decodings.iter_readings(_QUOTED.sub(_decode_quoted, once))
    if not again and ("cfemail" in low or "email-protection" in low):
        yield from _strip_tags(low)
    if "urldefense" in low:
        for each in (base,) if again else (text, base):
            yield from _decode_gateway_links(each)
    if not again and "\\" in low:
        yield from _unescape(low, known)
    if "\\" in base and base != low:
        yield from _unescape(base, known)
    if not again and is_turned(low):
        yield low[::-1]
        yield decodings.decode_references(_MARKUP.sub("", low))[::-1]
    if "<" in low or "<" in base:
        # Of HTML, what is escaped twice, as where a page is shown as text in another.
        tagged = dict.fromkeys((low, base)) if not markup else (base,) if base != read else ()
        yield from _drop_markup(tagged, quoted=quoted)


def _drop_markup(readings: Collection[str], *, quoted: bool) -> Iterator[str]:
    if any(_TOUCHED.search(each) is not None for each in readings):
        for each in readings:
            shown = decodings.decode_references(_MARKUP.sub("", each))
            yield shown
            if quoted or "=40" in shown:
                yield decodings.decode_signs(_QUOTED.sub(_decode_quoted, shown))


def is_quoted_near(low: str, words: Iterable[str]) -> bool:
    """Return whether in a lower-case text something in quoted-printable is near one of some words.

    Else nobody has it: links have an equals sign before any number.
    """
    if "=" not in low or _QUOTED_LETTER.search(low) is None:
        return False
    for word in words:
        at = low.find(word) if word in low else -1
        while at >= 0:
            if _QUOTED_LETTER.search(low, max(0, at - _NEAR), at + _NEAR) is not None:
                return True
            at = low.find(word, at + _NEAR)
    return False


def undo_quoted(low: str) -> Iterator[str]:
    """Yield a lower-case text, and all that quoted-printable in it, or that of it, is read as."""
    for once in dict.fromkeys((low, _TWICE_QUOTED.sub("=", low))):
        for whole in (once, _QUOTED.sub(_decode_quoted, once)):
            yield from decodings.iter_readings(whole)


def is_turned(low: str) -> bool:
    """Return whether something in a lower-case text may have it shown from its end."""
    if "8238" in low and _TURNED_NUMBER.search(low) is not None:
        return True
    return any(map(low.__contains__, _TURNED))


def is_touched(low: str) -> bool:
    """Return whether what may be a tag touches a word in a lower-case text."""
    return "<" in low and _TOUCHED.search(low) is not None


def bears_far(readings: Iterable[str], *, markup: bool = False) -> bool:
    """Return whether one place of a text may bear on how others far away from it are read.

    RTF anywhere has braces and line ends left out everywhere; so has a tag that touches a word tags
    of what is no HTML, and of HTML such as are escaped twice. Sequences of terminals and links of
    gateways have any length.

    Args:
        readings: all that the text was read as, in lower case, as it stands the first.
        markup: it is HTML.
    """
    for number, each in enumerate(readings):
        if "\\" in each and rich_text.is_one(each):
            return True
        if any(map(each.__contains__, _SEQUENCES)):
            return True
        if not markup and is_touched(each):
            return True
        if markup and ("urldefense" in each or (number and _WRITTEN_TAG.search(each) is not None)):
            return True
    return False


def may_be_escaped(low: str, *, page: bool = False) -> bool:
    """Return, cheaply, whether `iter_readings` might give something for a lower-case text in ASCII.

    Backslashes, references and percent escapes apart: where these stand, `decodings` tells it.

    Args:
        low: the text.
        page: it is HTML, and what stands in tags is left out elsewhere.
    """
    for word in _TELLING:
        if word in low:
            return True
    if "\b" in low and characters.is_overstruck(low):
        return True
    if "@" in low and "imcea" in low:
        return True
    if "8238" in low and _TURNED_NUMBER.search(low) is not None:
        return True
    if "[" in low and ("^[[" in low or "#033[" in low):
        return True
    if "email" in low and ("cfemail" in low or "email-protection" in low):
        return True
    if "=" in low and (_SOFT.search(low) or _ALL_QUOTED.search(low)) is not None:
        return True
    if "+" in low and "u+0040" in low:
        return True
    if "_" in low and "_40" in low and _UNDERLINED.search(low) is not None:
        return True
    if ("+" in low or "&" in low) and _may_be_seven(low):
        return True
    if "+" in low and _IN_FORM.search(low) is not None:
        return True
    if page or "<" not in low:
        return "<bdo" in low
    return "<bdo" in low or _TOUCHED.search(low) is not None


def _may_be_seven(low: str) -> bool:
    """Return, cheaply, whether a lower-case text may have characters in UTF-7."""
    plus, ampersand = _MAY_BE_SEVEN
    if "+" in low and plus.search(low) is not None:
        return True
    return "&" in low and ampersand.search(low) is not None


def _unescape_twice(low: str) -> str:
    """Read a text once more: what escapes hide may be escapes."""
    if "%" in low or "&" in low:
        low = decodings.decode_percent(decodings.decode_references(low))
    if "%" in low and "%u00" in low:
        low = _PERCENT_U.sub(lambda found: chr(int(found[1], 16)), low)
    if "=" in low and _SOFT.search(low):
        *_, low = decodings.iter_readings(_SOFT.sub("", low))
    if "=40" in low:
        low = decodings.decode_signs(low)
    if "=" in low and _QUOTED_ESCAPE.search(low) is not None:
        low = _QUOTED_ESCAPE.sub(_decode_quoted, low)
    if "u+0040" in low:
        low = low.replace("u+0040", "@")
    if "_40" in low and _UNDERLINED.search(low) is not None:
        low = _UNDERLINED_SIGN.sub(_decode_quoted, _UNDERLINED.sub("@", low))
    if "imcea" in low:
        low = _ENCAPSULATED.sub(_decode_encapsulated, low)
    if "+" in low:
        low = low.replace(_SEVEN_SIGN, "@")
        low = _IN_FORM.sub(r" \1 ", low)
    # A sign of one character is found at many times the speed of a longer one.
    colours = "[" in low and (("^" in low and "^[[" in low) or "#033[" in low)
    if "\b" in low:
        low = characters.drop_overstruck(low)
    if "\x1b" in low or "\x9b" in low or colours:
        *_, low = decodings.iter_readings(characters.drop_sequences(low))
    return low.replace("\x0e", "").replace("\x0f", "")


def _decode_seven(found: re.Match[str]) -> str:
    code = found[1].replace(",", "/")
    return binascii.a2b_base64(code + "=" * (-len(code) % 4)).decode("utf-16-be", "replace")


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
        style = _IN_STYLE.sub(lambda found: rich_text.make_character(int(found[1], 16)), low)
        yield _read_on(style, known)
    if rich_text.is_one(low):
        for rich in rich_text.iter_readings(low):
            yield _read_on(rich, known)


def _decode_script(found: re.Match[str]) -> str:
    if found[5]:
        return "\x1b"
    if found[0] in _SIGNS and _NO_SIGN.match(found.string, found.end()):
        return found[0]
    if found[4]:
        return chr(int(found[4], 8)).lower()
    return rich_text.make_character(int(found[1] or found[2] or found[3], 16))


def _decode_quoted(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)).lower()


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
        whole = _restore(link, code)
        yield from _decode_link(whole.lower())
        yield from _decode_link(link.replace("*", "%").lower())
        if inside and "urldefense" in whole.lower():
            yield from _decode_gateway_links(whole, inside - 1)
    if inside and "2fv3%" in low:  # what it takes out is in base64, where letter case counts
        yield from _decode_gateway_links(unquote(text), inside - 1)


def _decode_link(link: str) -> Iterator[str]:
    for _ in range(_ROUNDS):
        yield link
        if not link.isascii() and (seen := characters.drop_invisible(link)) != link:
            yield seen
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
