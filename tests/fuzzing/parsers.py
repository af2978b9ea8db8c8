"""Every parser of the package as a function of one text, to be tried with hostile shapes.

What each may raise by its documentation is let pass. Nothing here knows what is right, only how to
call; `measured` tells what takes longer than its input allows.
"""

import hashlib
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from builders import BUYER, CARRIER, DOMAIN, EVERYBODY, SHOP, S, order, person
from cost import Endless, proportionate

from conversation_tracker.core.base.ciphers import apply_rc4
from conversation_tracker.core.base.limits import UNLIMITED, no_limit
from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.address.mask import FunctionMask, Masker
from conversation_tracker.core.masking.container import compound, seven_zip, tnef
from conversation_tracker.core.masking.container.search import holds_address
from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.masking.header.headers import mask_mailboxes, mask_text
from conversation_tracker.core.masking.header.phrases import quote_names
from conversation_tracker.core.masking.part import (
    binary_values,
    calendar,
    certificates,
    clear_signed,
    large,
    media,
    opaque_signature,
    readable_text,
)
from conversation_tracker.core.masking.part.line_length import shorten_lines
from conversation_tracker.core.masking.text import (
    cloudflare,
    encoded,
    escapes,
    flowed,
    gateway_links,
    links,
    obfuscated,
    rare_spellings,
)
from conversation_tracker.core.masking.text.html import mask_html, strip_tags
from conversation_tracker.core.model.address import Address, AddressError, find_mailboxes
from conversation_tracker.core.model.alias import NotAnAlias, decode
from conversation_tracker.core.model.first_pass import verify as passed
from conversation_tracker.core.model.message import Arrival, Header, Message, parse
from conversation_tracker.core.reading import files, text
from conversation_tracker.core.reading.flowed import join_lines
from conversation_tracker.core.reports import (
    bounce,
    bounce_text,
    delivery_status,
    maillog,
    notice,
    remote_words,
    report,
)
from conversation_tracker.core.rules.authentication import find_verdict
from conversation_tracker.core.scanning import parts, windows
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.scanning.text import charsets, content_lines, decodings, deep_scan
from conversation_tracker.core.syntax import (
    charset,
    control_sequences,
    fields,
    folding,
    mime,
    parameters,
    tokens,
    transfer,
    uuencoding,
)
from conversation_tracker.core.syntax import encoded_words as words
from conversation_tracker.core.syntax.controls import clean_text
from conversation_tracker.core.views import message_ids
from conversation_tracker.core.views.view import View
from conversation_tracker.pages.history import fold
from shapes import Shape

Parser = Callable[[str], object]

HUNDRED = "a@" + ".".join("bcdefghij"[n % 9] for n in range(100))
"""An address at a domain of a hundred labels."""
ODD = (
    "x@y",
    "a@b.c",
    "me@bc",
    HUNDRED,
    "j.d@gmail.com",
    "max+shop@tag.example",
    '"j d"@doe.example',
)
PEOPLE = order(
    BUYER,
    SHOP,
    CARRIER,
    *(person(each, "partner", f"{n:032x}") for n, each in enumerate(ODD)),
    participant_limit=1_000,
)
"""An order with odd people beside the usual ones."""

_KEYS = {p.address.key: f"{p.token}@{DOMAIN}" for p in PEOPLE if p.address is not None}
MASK = Masker(_KEYS)
_PEOPLE = People(_KEYS)
_RECORD = View(PEOPLE, None, alias_domains=(DOMAIN,))
_COPY = View(PEOPLE, PEOPLE.participants[1])
_SCANNER = Scanner({key: key for key in _KEYS})
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_RESULT = ", relay=mx[1.2.3.4]:25, delay=1, dsn=5.1.1, status=bounced ("
_LINE = f"postfix/smtp[1]: 4ZJXYz0abcz1: to=<a@b>{_RESULT}"
_DELIVERY = bounce.Delivery(
    "0" * 32, EVERYBODY, "b" * 32, "5" * 32, "5" * 32, _NOW, "Hello", "<1@x>", "sent"
)


def _octets(parser: Callable[[bytes], object]) -> Parser:
    return lambda text: parser(text.encode("utf-8", "surrogatepass"))


def _suppressed(
    parser: Callable[[Any], object], *errors: type[Exception]
) -> Callable[[Any], object]:
    def work(value: Any) -> object:
        with suppress(*errors):
            return parser(value)
        return None

    return work


def _message(body: bytes, *headers: Header) -> Message:
    return Message(None, (), (Header(b"From", b"a@b.c"), *headers), body, Arrival("Q"))


def _structure(type_: bytes) -> Parser:
    def work(data: bytes) -> object:
        part = mime.read_structure([(b"Content-Type", type_)], data)
        readable_text.find_attachment_names(part, part)
        files.list_files(part, data)
        text.read_text(part, data)
        return clean_text(readable_text.find_text(part, data)[1])

    return _octets(_suppressed(work, mime.TooComplex))


def _transferred(encoding: str) -> Parser:
    def work(data: bytes) -> None:
        old = transfer.decode(data, encoding)
        b"".join(transfer.decode_pieces(data, 0, len(data), encoding))
        for new in (old + b"x", b"x" + old, old.replace(b"a", b"bb"), old.replace(b"\n", b"")):
            transfer.encode(data, old, new, encoding)
        list(windows.split(windows.decode(data, 0, len(data), encoding.encode())))
        windows.decode_transfer(data, encoding.encode())

    return _octets(work)


def _in_charset(label: str) -> Parser:
    def work(data: bytes) -> None:
        charset.decode_text(data, label)
        charset.change_text(data, label, lambda text: text.replace("a", "\u4e00"))
        list(charsets.read_texts(data, label))

    return _octets(work)


def _scanned(type_: bytes, encoding: bytes = b"") -> Parser:
    headers = [Header(b"Content-Type", type_), Header(b"Content-Transfer-Encoding", encoding)]
    return _octets(lambda data: Scanner(dict.fromkeys(_KEYS, "x")).scan(headers, data))


def _readings(text: str) -> None:
    for each in decodings.iter_readings(text, markup=True):
        list(_SCANNER.matcher.find(each))
    list(decodings.iter_header_readings(text))
    decodings.decode_encoded_words(text)
    decodings.unflow(content_lines.unfold(text))
    list(_SCANNER.tokens.decode(text))


def _look_deeper(text: str) -> None:
    list(deep_scan.find_owners(text, text, (text,), _SCANNER.matcher, no_limit))


def _read_octets(data: bytes) -> None:
    list(decodings.decode_blocks(data))
    list(_SCANNER.matcher.find_in_bytes(data))
    list(_SCANNER.tokens.decode_in_bytes(data))
    parts.is_message(data)
    parts.Declared.of(data, "text/plain")
    declared = parts.Declared([(b"Content-Type", data)], "text/plain")
    _ = (declared.boundary, declared.charset, declared.delsp)
    part = parts.Entity(data, 0, len(data))
    parts.find_delimiters(part, b"b", part.content)


def _encoded_again(text: str) -> None:
    value = words.encode_words(text)
    words.decode_words(value)
    words.cut_units(value, 0, len(value))


def _spans(text: str) -> None:
    value = text.encode("utf-8", "surrogatepass")
    for change in (MASK, lambda each: each.replace("a", "bb"), lambda each: each[: len(each) // 2]):
        mask = FunctionMask(change)
        mask_text(value, mask)
        mask_mailboxes(value, lambda address: "x@y.z" if "a" in address.local else None, mask)


def _identifiers(text: str) -> None:
    value = text.encode("utf-8", "surrogatepass")
    message = _message(b"", Header(b"Message-ID", value), Header(b"References", value))
    message_ids.find_references(message)
    list(message_ids.map_ids(message, PEOPLE))
    message_ids.show_ids(value, PEOPLE, None, {})
    _RECORD.identifiers(value)


def _told(data: bytes) -> None:
    for headers in ((), (Header(b"Content-Type", b"multipart/report; boundary=b"),)):
        found = report.read_report(_message(data, *headers))
        bounce.mark(_DELIVERY, found)
    message = _message(b"", Header(b"Subject", data), Header(b"X-Failed-Recipients", data))
    report.read_report(message)


def _noticed(text: str) -> None:
    notice.write_notice(
        alias=S, to=text, reporter=text, domain=DOMAIN, status=text, diagnostic=text, subject=text,
        message_id=text, arrived=_NOW, now=_NOW, token="0" * 32,
    )  # fmt: skip


def _logged(text: str) -> None:
    for line in (text, _LINE + text, "postfix/smtp[1]: 4ZJXYz0abcz1: to=<" + text + _RESULT + text):
        if (sent := maillog.parse_line(line)) is not None:
            bounce.redact_reason(_DELIVERY, sent.status, sent.text)
    bounce.redact_reason(_DELIVERY, "5.1.1", text)


def _verified(data: bytes) -> None:
    for value in (data, b"mx; " + data):
        find_verdict(_message(b"", Header(b"Authentication-Results", value)), "mx")


def _header(name: str) -> Parser:
    key = name.encode()

    def work(data: bytes) -> None:
        for view in (_RECORD, _COPY):
            view.headers(_message(b"", Header(key, data)), protected=False)

    return _octets(work)


_NO_PASSWORD = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
_LOCKED = b"%%PDF-1.4\ntrailer <</Encrypt <</Filter /Standard /V 1 /R 2 /P 0 /O () /U <%s>>>>>" % (
    apply_rc4(hashlib.md5(_NO_PASSWORD + bytes(4)).digest()[:5], _NO_PASSWORD).hex().encode()
)

CONTAINERS = {
    "pdf": (b"%PDF-1.4\n", b""),
    "locked pdf": (_LOCKED, b"endobj"),
    "string of a locked pdf": (_LOCKED + b"1 0 obj(", b") endobj"),
    "stream of a locked pdf": (_LOCKED + b"1 0 obj stream\n", b"endstream endobj"),
    "pdf page": (b"%PDF-\nstream\nBT ", b"endstream"),
    "zip": (b"PK\3\4", b""),
    "document": (b"<x>", b""),
    "gzip": (b"\x1f\x8b\x08\x1e\0\0\0\0\0\0", b""),
    "bzip2": (b"BZh9\x31\x41\x59\x26\x53\x59", b""),
    "xz": (b"\xfd7zXZ\0\0\4", b""),
    "zstandard": (b"\x28\xb5\x2f\xfd\4\x58", b""),
    "lzma": (b"\x5d\0\0\x80\0" + b"\xff" * 8, b""),
    "zlib": (b"\x78\x9c", b""),
    "tar": (b"a".ljust(257, b"\0") + b"ustar\x0000".ljust(255, b"\0"), b""),
    "ar": (b"!<arch>\n", b""),
    "7z": (seven_zip.MAGIC + b"\0\4", b""),
    "compound file": (compound.MAGIC.ljust(512, b"\0"), b""),
    "tnef": (tnef.MAGIC + b"\1\0", b""),
    "database": (
        b"SQLite format 3\0\1\0".ljust(100, b"\0") + b"\r\0\0\xff\xff\0\x10\0" + b"\1\0" * 9_000,
        b"",
    ),
    "cabinet": (
        b"MSCF\0\0\0\0".ljust(26, b"\0")
        + b"\1\0\1\0\0\0"
        + bytes(4)
        + b"\x2c\0\0\0\xff\xff\1\0"
        + b"\0\0\0\0\3\0\0\0CK",
        b"CK",
    ),
    "compress": (b"\x1f\x9d\x90", b""),
    "LZW": (b"%PDF-\n/LZW stream\n\x80", b"endstream"),
    "run lengths": (b"%PDF-\n/RL stream\n", b"endstream"),
    "BinHex": (b"(This file must be converted with BinHex 4.0)\n:", b":"),
    "yEnc": (b"=ybegin line=128 size=9 name=a\n", b"\n=yend"),
    "object in RTF": (b"{\\rtf1{\\objdata 0105", b"}}"),
    "lzip": (b"LZIP\1\x10", b""),
    "midst of a program": (b"MZ\0", b"\x1f\x8b\x08\x1e"),
    "picture": (b"\x89PNG\r\n\x1a\n", b"\0zTXt"),
    "OpenPGP": (b"\xa3\1", b""),
    "OpenPGP in pieces": (b"\xc8\xe1\1", b""),
    "UTF-16": (b"\xff\xfe<\0", b""),
    "folds": (b"x\n", b"\n @"),
}
"""How each format begins, and what stands behind the text that follows."""


def _contained(before: bytes, after: bytes, data: bytes) -> None:
    """Look for somebody in a file that begins like one of a format: in a copy, and in the scan."""
    file = before + data + after
    holds_address(file, _PEOPLE)
    _SCANNER.scan([Header(b"Content-Type", b"application/octet-stream")], file)


def _windows(data: bytes) -> None:
    for quoted in (False, True):
        with suppress(large.Unparted):
            list(large.split_spans(data, 0, len(data), quoted=quoted))


def _fold(data: bytes) -> None:
    for name in (b"X", b"Subject", b"To"):
        folding.fold_header(name, data)
    folding.break_line(data, b"\n")
    folding.make_safe(data)
    transfer.encode_anew(data)


def _shorten(data: bytes) -> None:
    """Take the lines for masked ones, of one part and of several."""
    parted = b"--b\n\n" + data + b"\n--b\n" + data
    shorten_lines([], data, b"", "ct.example.com", UNLIMITED)
    shorten_lines([(b"Content-Type", b"a/b; boundary=b")], data, data, "ct.example.com", UNLIMITED)
    shorten_lines([(b"Content-Type", b"multipart/x; boundary=b")], parted, b"", "x", UNLIMITED)


def _signed(head: str) -> Parser:
    """Try a text that may be clear-signed, as a whole that changed and as a piece."""

    def parse(text: str) -> None:
        data = f"{head}{text}".encode("utf-8", "replace")
        clear_signed.unsign((data, ""), (b"x" + data + b"x", ""))
        clear_signed.strip(data, "")
        clear_signed.end_before_signature(data)

    return parse


PARSERS: dict[str, Parser] = {
    "address": _suppressed(Address.parse, AddressError),
    "flowed lines": join_lines,
    "repeated text": fold,
    "alias": _suppressed(lambda t: decode(Address("a", t + ".ct.x"), ("ct.x",)), NotAnAlias),
    "mailboxes": _octets(find_mailboxes),
    "tokens": _octets(tokens.split_tokens),
    "words": _octets(lambda data: words.cut_units(data, 0, len(data))),
    "words written": _encoded_again,
    "header values": _spans,
    "parameters": _octets(
        lambda data: parameters.mask_parameters(b"x/y" + data, lambda text: text + "y")
    ),
    "parameters behind a sign": _octets(lambda data: parameters.parse(b"x/y;" + data)),
    "content type": _suppressed(
        lambda text: mime.read_structure(
            [(b"Content-Type", text.encode("utf-8", "replace"))], b"x"
        ),
        mime.TooComplex,
    ),
    "structure, mixed": _structure(b"multipart/mixed; boundary=b"),
    "structure, lost boundary": _structure(b"multipart/digest"),
    "structure, message": _structure(b"message/rfc822"),
    "structure, file": _structure(b"application/octet-stream"),
    "fields": _octets(lambda data: [*fields.iter_fields(data)]),
    "folding": _octets(_fold),
    "lines": _octets(_shorten),
    "message": _octets(parse),
    "base64": _transferred("base64"),
    "quoted-printable": _transferred("quoted-printable"),
    "uuencoding": _transferred("x-uuencode"),
    "uuencoded block": _octets(lambda data: uuencoding.decode(b"begin 644 x\n" + data)),
    "no charset": _in_charset(""),
    "utf-7": _in_charset("utf-7"),
    "iso-2022-jp": _in_charset("iso-2022-jp"),
    "utf-16": _in_charset("utf-16"),
    "big5": _in_charset("big5"),
    "flowed": lambda text: flowed.mask_soft_breaks(MASK(text), MASK, delsp=True),
    "calendar": _octets(
        lambda data: (
            calendar.mask_calendar(data, "utf-8", MASK),
            [*binary_values.decode_values(b"base64" + data)],
        )
    ),
    "clear-signed": _signed(""),
    "clear-signed, begun": _signed("-----BEGIN PGP SIGNED MESSAGE-----"),
    "clear-signed, signature": _signed("-----BEGIN PGP SIGNATURE-----"),
    "markup": lambda text: (mask_html(text, MASK), strip_tags(text)),
    "markup with an address": lambda text: mask_html(f"jo&#104;n@doe.example {text}", MASK),
    "links": lambda text: links.mask_links(f"https://t.example/{text}", MASK),
    "link of a token": lambda text: links.mask_links(
        f"https://am9obkBkb2UuZXhhbXBsZQ/{text}", MASK
    ),
    "encoded": lambda text: encoded.mask_encodings(text, MASK),
    "escapes": lambda text: escapes.mask_escapes(f"jo%68n@doe.example {text}", MASK),
    "obfuscated": lambda text: obfuscated.mask_obfuscations(text, MASK),
    "spelled": lambda text: rare_spellings.mask_readings(text, MASK),
    "spelled, spoken": lambda text: rare_spellings.mask_readings(
        f"john (at) doe.example {text}", MASK
    ),
    "spelled, escaped": lambda text: rare_spellings.mask_readings(
        f"\\x40 \x1b[ &amp;#64; {text}", MASK
    ),
    "spelled, RTF": lambda text: rare_spellings.mask_readings(
        "{\\rtf1 john\\'40doe.example " + text, MASK
    ),
    "spelled, labels": lambda text: rare_spellings.mask_readings(text.replace("a", "@ doe "), MASK),
    "URL Defense": lambda text: (
        gateway_links.mask_version_3(f"urldefense.com/v3/__{text}__;JQ!!", MASK),
        [*gateway_links.find_pieces(f"urldefense.com/v2/url?u={text}")],
    ),
    "Cloudflare": lambda text: cloudflare.mask_cfemail(f"cfemail={text}", MASK),
    "sequences": _octets(
        lambda d: (control_sequences.decode_japanese(b"\x1b$B" + d), words.decode_bytes(d, "x"))
    ),
    "deeper": _look_deeper,
    "deeper, escaped": lambda text: _look_deeper(f"\\x40 &#64; \x1b[ {{\\rtf urldefense {text}"),
    "deeper, labels": lambda text: _look_deeper(text.replace("a", "@ doe ")),
    "part header": _octets(lambda data: part_header.mask_header(b"X-Y: " + data, MASK)),
    "part parameters": _octets(
        lambda data: part_header.mask_header(b"Content-Type: a/b;" + data, MASK)
    ),
    "part charset": _octets(lambda data: part_header.set_charset(b"Content-Type:" + data, "x")),
    "people": _octets(lambda data: (_PEOPLE.in_bytes(data), _PEOPLE.overwrite(data))),
    "media": _octets(lambda data: media.overwrite_addresses(b"\x89PNG\r\n\x1a\n" + data, _PEOPLE)),
    **{
        f"container, {name}": _octets(partial(_contained, before, after))
        for name, (before, after) in CONTAINERS.items()
    },
    "identity": _octets(
        lambda d: (certificates.holds_address(d, _PEOPLE), certificates.remove_blocks(d, _PEOPLE))
    ),
    "certificate": _octets(lambda data: certificates.holds_address(b"\x30\x80" + data, _PEOPLE)),
    "opaque": _octets(lambda data: opaque_signature.extract_content(b"\x30\x80" + data)),
    "windows": _octets(_windows),
    "text": lambda text: (_RECORD.text(text), _COPY.text(text), MASK.amid(text)),
    "text with a soft alias": lambda text: _RECORD.text(f"a@b-123456789012b.{DOMAIN} {text}"),
    "header Subject": _header("Subject"),
    "header To": _header("To"),
    "header From": _header("From"),
    "header References": _header("References"),
    "header Content-Disposition": _header("Content-Disposition"),
    "identifiers": _identifiers,
    "first_pass": _octets(lambda data: passed(data, b"secret")),
    "Authentication-Results": _octets(_verified),
    "report": _octets(_told),
    "delivery status": _octets(delivery_status.parse),
    "display names": _octets(quote_names),
    "remote words": remote_words.cut,
    "bounce text": lambda text: bounce_text.read_bounce(text, text, loosely=True),
    "notice": _noticed,
    "log line": _logged,
    "scan of headers": _octets(lambda data: _SCANNER.scan([Header(b"Subject", data)], b"")),
    "scan of text": _scanned(b"text/plain; format=flowed; delsp=yes"),
    "scan of markup": _scanned(b"text/html; charset=utf-7"),
    "scan of a calendar": _scanned(b"text/calendar"),
    "scan of octets": _scanned(b"application/octet-stream"),
    "scan of base64": _scanned(b"application/octet-stream", b"base64"),
    "scan of quoted-printable": _scanned(b"text/plain", b"quoted-printable"),
    "scan of parts": _scanned(b"multipart/mixed; boundary=b"),
    "scan of a message": _scanned(b"message/rfc822"),
    "readings": _readings,
    "readings of octets": _octets(_read_octets),
}  # fmt: skip
"""Each parser by its name."""


def measured(
    work: Callable[[Any], object], shape: Shape, size: int, *, octets: bool = False
) -> str:
    """Return what takes longer than its input allows; "" where nothing does.

    Args:
        work: takes a text, or octets.
        shape: makes the text.
        size: characters of it; four times as many where what is measured is in doubt.
        octets: what it takes is octets, one for each character, UTF-8 for what has none.
    """

    @cache
    def make(size: int) -> Any:
        text = shape.make(size)
        return text.encode("utf-8", "surrogatepass") if octets else text

    try:
        return proportionate(work, size, make)
    except Endless as endless:
        return str(endless)


def noise(size: int, seed: int = 1) -> bytes:
    """Make octets that are as good as random."""
    return random.Random(seed).randbytes(size)
