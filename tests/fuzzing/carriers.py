"""Messages around one text: in a body of any type and charset, a part, a field of one.

What they say is read again by the standard library alone. Nothing here knows how one is masked.
"""

import base64
import contextlib
import email
import email.header
import email.message
import email.policy
import html
import json
import quopri
import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

import rare
from choices import Choices

_TYPES = (
    *("text/plain", "text/html", "text/enriched", "application/octet-stream", "text/rtf"),
    *("text/x-unknown", "text/markdown", "text/csv", "application/json", "application/xml"),
    *("text/css", "text/vcard", "text/plain; format=flowed", "text/calendar"),
    "text/calendar; method=REQUEST",
)
_CHARSETS = (
    *("utf-8", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "iso-8859-1"),
    *("windows-1252", "koi8-r", "iso-2022-jp", "iso-2022-kr", "shift_jis", "euc-jp", "gb18030"),
    *("big5", "us-ascii", "macintosh", "iso-8859-15"),
)
_NOISE = (
    *(
        "Hello",
        "a=b",
        "100 %",
        "&amp;",
        "\\",
        "=3D",
        "{",
        "}",
        "<b>",
        "</b>",
        "caf\u00e9",
        "\x1b[0m",
    ),
    *("https://shop.example/?q=1", "\u3053\u3093", "--", "xjohn@doe.example", "*", "\u00ad", "+"),
)
_TWICE = re.compile(r"[\\<&\0-\x08\x0b-\x1f\x7f]")
_APART = ("\n", " ", ", ", "\t", "\n\n", ": ", "; ")
_CODES: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("8bit", bytes),
    ("quoted-printable", quopri.encodestring),
    ("base64", base64.encodebytes),
)


def write(choices: Choices, people: Sequence[str]) -> tuple[bytes, list[str]]:
    """Write a message with addresses as few write them, apart from what is beside.

    Args:
        choices: what is chosen.
        people: the simple addresses of who may stand in it; the first wrote it.

    Returns:
        The message, and each address as it can be read there.
    """
    planted: list[str] = []

    def piece() -> str:
        if choices.chance(3):
            return choices.of(_NOISE)
        planted.append(rare.write_text(choices, choices.of(people)))
        return planted[-1]

    text = choices.of(_APART).join([piece(), *choices.some(piece, 6)])
    raw = _carried(choices, people[0], text)
    said = read(raw)
    # In a page, the word is an element.
    shown = [each for each in planted if b"html" not in raw or "<at>" not in each]
    return raw, [each for each in shown if each in said]


def _carried(choices: Choices, author: str, text: str) -> bytes:
    head = f"From: {author}\n"
    flat = text.replace("\n", " ")
    if choices.chance(6):
        return (head + _field(choices, flat) + "\nHello\n").encode()
    if choices.chance(8):
        told = _parameter(choices, flat)
        parts = f"Content-Type: multipart/mixed; boundary=b\n\n--b\n{told}\nHello\n--b--\n"
        return (head + parts).encode()
    part = _part(choices, text)
    if choices.chance(4):
        kind = choices.of(("mixed", "alternative", "related"))
        first = b"Content-Type: text/plain\n\nHello\n"
        pieces = b"".join(b"--b\n" + each + b"\n" for each in (first, part))
        head += f"Content-Type: multipart/{kind}; boundary=b\n\n"
        return head.encode() + pieces + b"--b--\n"
    if choices.chance(6):
        inner = f"From: {author}\n".encode() + part
        return head.encode() + b"Content-Type: message/rfc822\n\n" + inner
    return head.encode() + part


def read(raw: bytes) -> str:
    """Return what a message says once transfer encodings, charsets and encoded words are undone."""
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    return "\n".join(_texts(message)).replace("\r\n", "\n")


def _texts(message: email.message.Message) -> Iterator[str]:
    for part in message.walk():
        for name, value in part.items():
            yield f"{name}: {_words(str(value))}"
        with contextlib.suppress(ValueError, AttributeError):
            yield str(part.get_filename())
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            for label in (str(part.get_content_charset("utf-8")), "utf-8"):
                with contextlib.suppress(LookupError):
                    yield from _shown(part.get_content_type(), content.decode(label, "replace"))


def _shown(type_: str, text: str) -> Iterator[str]:
    """Yield what a text says, and what of it is encoded or escaped as its type says."""
    yield text
    text = text.replace("\r\n", "\n")
    for shown in _undone(type_, text):
        # What is escaped twice, and tags and references that are, nobody reads.
        yield _TWICE.sub("\ufffd", shown)


def _undone(type_: str, text: str) -> Iterator[str]:
    if "html" in type_ or "xml" in type_:
        yield html.unescape(text)
    elif "json" in type_:
        with contextlib.suppress(ValueError):
            yield "\n".join(map(str, json.loads(text).values()))
    elif "calendar" in type_:
        whole = re.sub(r"\n[ \t]", "", text)
        yield re.sub(r"\\(.)", lambda escaped: escaped[1].replace("n", "\n"), whole)


def _written(choices: Choices, type_: str, text: str) -> str:
    """Write a text as its type wants it, or as people send one in it.

    One with escapes of its own is written as it is: escaped twice, nobody reads it.
    """
    if _TWICE.search(text) is not None:
        return text
    if "calendar" in type_:
        escaped = re.sub(r"([\\,;])", r"\\\1", text.rstrip("\n")).replace("\n", "\\n")
        line = f"{choices.of(('DESCRIPTION', 'SUMMARY', 'COMMENT'))}:{escaped}"
        folded = "\n ".join(line[at : at + 70] for at in range(0, len(line), 70))
        return f"BEGIN:VCALENDAR\nBEGIN:VEVENT\n{folded}\nEND:VEVENT\nEND:VCALENDAR\n"
    if "json" in type_ and choices.chance(2):
        return json.dumps({"text": text}, ensure_ascii=False)
    if ("html" in type_ or "xml" in type_) and choices.chance(2):
        return f"<p>{html.escape(text)}</p>"
    return choices.of((_as_is, _as_is, _as_is, _quoted, _signed))(text)


def _as_is(text: str) -> str:
    return text


def _quoted(text: str) -> str:
    return "".join(f"> {line}\n" for line in text.splitlines())


def _signed(text: str) -> str:
    begin = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
    end = "-----BEGIN PGP SIGNATURE-----\n\niQEzBAEBCAAdFiEE\n-----END PGP SIGNATURE-----\n"
    return begin + text + end


def _words(value: str) -> str:
    try:
        return str(email.header.make_header(email.header.decode_header(value)))
    except (LookupError, ValueError, email.errors.HeaderParseError):
        return value


def _part(choices: Choices, text: str) -> bytes:
    type_ = choices.of(_TYPES)
    label = choices.of(_CHARSETS)
    whole = _written(choices, type_, f"Hello\n{text}\nBye\n")
    data = _encoded(whole, label)
    if data is None:
        label, data = "utf-8", whole.encode()
    code, encode = choices.of(_CODES)
    if code != "base64" and label.startswith(("utf-16", "utf-32")):  # line ends are more than one
        code, encode = _CODES[2]
    # What says in its first octets how it is to be read is typed as anything.
    told = "" if type_.startswith("application/o") else f"; charset={label}"
    fields = f"Content-Type: {type_}{told}\nContent-Transfer-Encoding: {code}\n\n"
    return fields.encode() + encode(data)


def _encoded(text: str, label: str) -> bytes | None:
    """Encode a text, if it is still the same when it is read."""
    try:
        data = text.encode(label)
        return data if data.decode(label) == text else None
    except UnicodeError:
        return None


def _field(choices: Choices, text: str) -> str:
    data = base64.b64encode(text.encode()).decode()
    word = choices.of((f"=?utf-8?B?{data}?=", f"=?utf-8?q?{_q(text)}?="))
    return choices.of(
        (
            f"Subject: {word}\n",
            f"To: {word} <x@stranger.example>\n",
            f"Comments: {word}\n",
            f"X-Custom: {word}\n",
            f"Cc: x@stranger.example ({word})\n",
            f"Keywords: a,\n {word}\n",
        )
    )


def _parameter(choices: Choices, text: str) -> str:
    data = base64.b64encode(text.encode()).decode()
    star = quote(text, safe="")
    half = star.find("%", len(star) // 2)
    return choices.of(
        (
            f"Content-Disposition: attachment; filename*=utf-8''{star}\n",
            f'Content-Type: text/plain; name="=?utf-8?B?{data}?="\n',
            f"Content-Description: =?utf-8?q?{_q(text)}?=\n",
            f"Content-Disposition: attachment; filename*0*=utf-8''{star[:half]};\n"
            f" filename*1*={star[half:]}\n",
        )
    )


def _q(text: str) -> str:
    return "".join(
        chr(each) if chr(each).isalnum() and each < 128 else f"={each:02X}"
        for each in text.encode()
    )
