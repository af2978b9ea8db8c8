r"""What nobody reads of a text: links, markup, and all that reaches other people's machines.

The reader's own address is looked for there: where the sender did not write it, it must not be.
Written apart from the code that masks; broken markup is read simply here, so it may be taken for
more than it is, and never refuses a message. Time is linear. Nothing here raises.
"""

import re
from collections.abc import Iterable, Iterator

from conversation_tracker.core.base.lower_case import lower_case
from conversation_tracker.core.scanning.text import content_lines, decodings
from conversation_tracker.core.scanning.text.known_texts import Span

IDENTIFIERS = frozenset(
    b"message-id in-reply-to references content-id resent-message-id original-message-id".split()
)
"""Fields in which the reader's own identifiers are theirs again, addresses in them as well."""
READ = frozenset(
    b"""
    from sender reply-to to cc bcc apparently-to errors-to subject comments
    resent-from resent-sender resent-reply-to resent-to resent-cc resent-bcc
    mail-followup-to mail-reply-to
    disposition-notification-to return-receipt-to x-confirm-reading-to x-pmrqc
    """.split()
)
"""Fields that a person reads, links in them apart."""
SHOWN = READ | IDENTIFIERS
"""Fields in which the reader's own address is no surprise."""

_SURE = ("/", "www.", "mailto:", "\\\\")
_ESCAPED = re.compile(r"%[0-9a-f]{2}|&\w+=")
_FRAGMENT = re.compile(r"\.[\w-]{1,63}\.?(?::\d{1,5})?#")
_SCHEMES = (
    "acct aim callto cid facetime facetime-audio gtalk imessage javascript matrix mid msnim pres"
    " sip sips skype urn view-source xmpp ymsgr"
).split()
_CALLING = re.compile(rf"\b(?:{'|'.join(_SCHEMES)}):")
_CALLED = "|".join(rf"(?<=\b{each}:)" for each in _SCHEMES)
# One of these is in each link that has none of `_SURE`. A log has times of day in each line: so a
# colon is asked what is before it.
_TELLING = (
    re.compile(r"%[0-9a-f]{2}"),
    re.compile(r"&\w+="),
    re.compile(r"#(?<=[\w.-]#)"),
    re.compile(rf":(?<=[a-z]:)(?:{_CALLED})"),
    re.compile(r"\?[^\w\s?]*\w"),
)
_BLANK = re.compile(r"\s")
_WORD = re.compile(r"\w")
# Such a link may go on in the next line (RFC 3986 appendix C).
_ANGLED = re.compile(r"<(?:url:)?(?:[a-z][a-z0-9+.-]{0,30}://|www\.|mailto:)[^<>]*+", re.IGNORECASE)
_FOLD = re.compile(r"(?:\r\n|\n)(?=[ \t])")
_FIELD = re.compile(r"([!-9;-~]{1,100})[ \t]*:")
_NEXT = re.compile(r"(?<=\n)(?![ \t])")
_ELEMENTS = "script|style|textarea|select|xmp|iframe|noembed|noframes|noscript|datalist|plaintext"
_TAG = r"(?>(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*)>"
# Each match with its groups: all of it, what holds no text, and what parts no words. In lower case,
# as ignoring case takes twice as long.
_MARKUP = re.compile(
    rf"(<(?:!--.*?(?:-->|\Z)|!\[cdata\[.*?(?:\]\]>|\Z)|({_ELEMENTS})\b.*?(?:</\2\b[^>]*+>?|\Z)"
    r"|option\b.*?(?:</(?:option|select)\b[^>]*+>?|\Z)"
    rf"|(/?(?:a|abbr|b|code|em|font|i|small|span|strong|u|wbr)(?=[\s/>]){_TAG})"
    rf"|[a-z!?/]{_TAG}|[a-z!?/][^>]*+>?))",
    re.DOTALL,
)
_NO_MARKUP = bytes(set(range(256)) - set(b"<>\"'"))
# What begins something else than a tag of a few characters between angle brackets, or what no text
# stands in.
_NOT_PLAIN = re.compile(rf"<(?:(?!/?[a-z])|{_ELEMENTS}|option)")
_ANGLE = re.compile(r"&(?:lt|#0{0,24}60|#x0{0,24}3c)")
# Behind one that begins no link.
_NO_LINK = re.compile(
    rf"{_ANGLE.pattern};?(?:<[^<>]*>)*(?:\s|[a-z0-9_-]{{1,64}}(?:[.+][a-z0-9_-]{{1,64}}){{0,8}}@)"
)
_EDGE = 512  # characters of a run without blanks with which a piece of a page may begin or end
_PEOPLE = re.compile(r"(?:[a-z0-9-]+\.)?(?:organizer|attendee|calendar-address)[;:]", re.IGNORECASE)
_THEIRS = re.compile(
    r";(?:sent-by|delegated-from|delegated-to|member|email)="
    r"(?>(?:mailto:|[\w.+@-]+|\"mailto:[\w.+@-]+\"|[\",])*)(?=[;:])",
    re.IGNORECASE,
)
# As with IDENTIFIERS, the reader's own identifiers are mapped back and may hold their address.
_NAMING = re.compile(r"(?:[a-z0-9-]+\.)?(?:uid|related-to)[;:]", re.IGNORECASE)
_EXTRA = re.compile(r";x-[^;:]*", re.IGNORECASE)
_HEAD = re.compile(r"(?>(?:[^\":]|\"[^\"]*\")*):")
_PARAMETER = re.compile(r";[^=;]*=((?>(?:[^\";]|\"[^\"]*\")*))")
_ITEM = re.compile(r"(?>(?:[^\",]|\"[^\"]*\")+)")
_MAILTO = re.compile(r"[\s\"]*mailto:", re.IGNORECASE)


def extract_links(text: str, local: str = "") -> str:
    """Return the links in a running text.

    Args:
        text: the text.
        local: the local part of the reader's address, whose special characters make no link.
    """
    return " ".join(_find_links(text, local))


def _find_links(text: str, local: str) -> Iterator[str]:
    yield from _ANGLED.findall(text)
    low = lower_case(text)
    whose = f"{local}@"
    done: set[int] = set()
    for sign in (*_SURE, *_TELLING):
        at, last = _find_sign(low, sign, 0), 0
        while at >= 0:
            before = _BLANK.search(low[last:at][::-1])
            start = at - before.start() if before else last
            after = _BLANK.search(low, at)
            last = after.start() if after else len(low)
            if start not in done:
                done.add(start)
                if _is_link(low[start:last].replace(whose, "x@") if local else low[start:last]):
                    yield text[start:last]
            at = _find_sign(low, sign, last)


def _find_sign(low: str, sign: str | re.Pattern[str], at: int) -> int:
    """Find a sign from a place on; -1 where there is none."""
    if isinstance(sign, str):
        return low.find(sign, at)
    found = sign.search(low, at)
    return found.start() if found else -1


def _is_link(run: str) -> bool:
    if any(sign in run for sign in _SURE) or _ESCAPED.search(run) is not None:
        return True
    if _FRAGMENT.search(run) is not None or _CALLING.search(run) is not None:
        return True
    query = run.find("?")
    return query >= 0 and _WORD.search(run, query) is not None


def extract_from_page(source: str, local: str = "") -> str:
    """Return, in lower case, what is no text in a page, and the links in its text."""
    markup, shown = _split_page(source)
    return " ".join([*markup, extract_links(shown, local)])


def _split_page(source: str) -> tuple[list[str], str]:
    """Return, in lower case, what is no text in a page, and its text."""
    # Pages have many thousand tags, so no step is made for each of them.
    pieces: list[str | None] = _MARKUP.split(lower_case(source))
    text = pieces[::2]  # every other one is to be what stands between two texts
    text[1::2] = ["\n" if inline is None else "" for inline in pieces[3::4]]
    shown = decodings.decode_references("".join(map(str, text)))
    return list(map(str, pieces[1::4])), shown


def extract_from_pieces(source: str, spans: Iterable[Span], local: str = "") -> str | None:
    """Return, in lower case, what is no text in pieces of a page, and the links in their text.

    Args:
        source: the page.
        spans: of the pieces, as `known_texts` gives them: none begins or ends in a tag, and what
            they hold of the reader stands far from their ends.
        local: as for `extract_links`.

    Returns:
        As `extract_from_page` gives it of the page, without what it gives of all the rest; None
        where that cannot be told from pieces.
    """
    low = lower_case(source)
    begin = max(0, low.find("<body"))
    for found in _MARKUP.finditer(low):
        if found.start() >= begin:
            break
        if found.end() > begin:
            return None
    if not _is_plain(low[begin:]):
        return None
    rest: list[str] = []
    for start, end in spans:
        if end < begin:
            return None
        # What a head is, is known from its beginning on.
        markup, shown = _split_page(source[0 if start < begin else start : end])
        runs = shown.split()
        if runs and max(len(runs[0]), len(runs[-1])) > _EDGE:
            return None
        rest += *markup, extract_links(shown, local)
    return " ".join(rest)


def _is_plain(low: str) -> bool:
    """Return, cheaply, whether each tag of a page ends with the next angle bracket.

    So it is known of any place whether it is text, by what stands next to it. No link in angle
    brackets goes on behind a blank, either.
    """
    if _NOT_PLAIN.search(low) is not None:
        return False
    signs = low.encode("utf-8", "surrogatepass").translate(None, _NO_MARKUP)
    signs = signs.replace(b'""', b"").replace(b"''", b"")
    if signs.count(b"<") != signs.count(b"<>"):
        return False
    return len(_ANGLE.findall(low)) == len(_NO_LINK.findall(low))


def extract_from_calendar(text: str, local: str = "") -> str:
    """Return what in a calendar does not say who takes part; arguments as for `extract_links`."""
    found: list[str] = []
    for line in content_lines.unfold(text).splitlines():
        if _NAMING.match(line) is not None:
            continue
        if _PEOPLE.match(line) is None:
            found.append(_THEIRS.sub("", line))
        else:
            found += _EXTRA.findall(line)
            found.append(extract_links(_extract_uris(line), local))
    return "\n".join(found)


def _extract_uris(line: str) -> str:
    """Return what a line about people says, without `mailto:` where a value begins with it."""
    head = _HEAD.match(line)
    if head is None:
        return line
    values = [line[head.end() :]]
    for given in _PARAMETER.findall(line[: head.end() - 1]):
        values += _ITEM.findall(given)
    return " ".join([value[_find_begin(value) :] for value in values])


def _find_begin(value: str) -> int:
    found = _MAILTO.match(value)
    return found.end() if found else 0


def extract_from_fields(block: str, local: str = "") -> str:
    """Return what in header fields is not text; arguments as for `extract_links`.

    Args:
        block: fields with their line ends and folds, and lines that are none.
        local: as for `extract_links`.
    """
    found: list[str] = []
    begun = False  # a line that is no field is content to the masking before, and in doubt after
    for line in _FOLD.sub("", block).split("\n"):
        name = _FIELD.match(line)
        begun = begun or name is not None
        key = name[1].lower().encode("latin-1", "replace") if name else b""
        if name is None or key in READ:
            value = line[name.end() :] if name else line
            found.append(
                value
                if name is None and begun
                else extract_links(decodings.decode_encoded_words(value), local)
            )
        elif key not in IDENTIFIERS:
            found.append(line)
    return "\n".join(found)


def undo_read_words(block: str) -> str:
    """Undo the encoded words of the fields that a person reads: no token to them (RFC 2047).

    Args:
        block: as for `extract_from_fields`.

    Returns:
        The fields with their folds; all others as they are.
    """
    fields = _NEXT.split(block)
    for number, field in enumerate(fields):
        name = _FIELD.match(field) if "=?" in field else None
        if name is not None and name[1].lower().encode("latin-1", "replace") in READ:
            fields[number] = decodings.decode_encoded_words(field)
    return "".join(fields)


def extract(type: str, text: str, local: str = "") -> str:
    """Return what nobody reads of a part's text.

    Args:
        type: its media type in lower case.
        text: its decoded text.
        local: as for `extract_links`.
    """
    if type == "text/plain" and not begins_calendar(text):
        return extract_links(text, local)
    if type == "text/html":
        return extract_from_page(text, local)
    if type in ("text/rfc822-headers", "message/global-headers"):
        return extract_from_fields(text, local)
    if "calendar" in type or type.endswith("/ics") or begins_calendar(text):
        return extract_from_calendar(text, local)
    return text


def begins_calendar(text: str) -> bool:
    """Return whether a text begins as a calendar does, whatever its type says."""
    return text[:64].lstrip("\ufeff \t\r\n").lower().startswith("begin:vcalendar")
