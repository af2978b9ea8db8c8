"""Whole messages from choices: header fields, and trees of parts in every encoding, also broken.

Bytes with LF or CRLF, as a client may send them. Nothing here knows how a message is read.
"""

import base64
import binascii
import quopri

import files
from calendars import invitation
from choices import Choices
from spelling import address, mailbox, spelled, text, word

_CHARSETS = (
    "utf-8", "us-ascii", "iso-8859-1", "windows-1252", "utf-16", "utf-16-le", "utf-7",
    "iso-2022-jp", "koi8-r", "x-unknown", "",
)  # fmt: skip
_TYPES = (
    "text/plain", "text/html", "text/plain; format=flowed", "text/plain; format=flowed; delsp=yes",
    "text/calendar", "text/vcard", "application/json", "application/xml", "text/rtf", "text/css",
    "application/octet-stream", "image/png", "text", "a/b/c", "", "TEXT/PLAIN",
    "message/delivery-status", "text/rfc822-headers", "application/ics",
)  # fmt: skip
_ARMOUR = ("BEGIN PGP SIGNED MESSAGE", "BEGIN PGP SIGNATURE", "END PGP SIGNATURE")
_CODES = ("iQEzBAEBCAAdFiEE", "am9obkBkb2UuZXhhbXBsZQ==\n=aBcD", "x y", "")
_MULTIPARTS = ("mixed", "alternative", "related", "digest", "signed", "report", "x", "")
_FIELDS = (
    "To", "Cc", "Subject", "Reply-To", "Sender", "Bcc", "Comments", "References", "In-Reply-To",
    "Message-ID", "Received", "X-Sender", "List-Unsubscribe", "Disposition-Notification-To",
    "Return-Path", "X-Custom", "Autocrypt", "Resent-From", "Thread-Index", "Keywords",
)  # fmt: skip
_TEXTS = ("Subject", "Comments", "X-Custom", "Keywords")  # nobody joins an order by these
_ADDRESSES = ("To", "Cc", "Reply-To", "Sender", "Bcc", "Resent-From", "Disposition-Notification-To")
_REPORTED = (
    *("Final-Recipient", "Original-Recipient", "Action", "Status", "Diagnostic-Code"),
    *("Remote-MTA", "X-Y", ""),
)
_TOLD = ("", "rfc822; ", "smtp; 550 5.1.1 ", "utf-8; ", "failed", "5.1.1 ", "delayed")
_SUBJECTS = ("Undelivered Mail Returned to Sender", "failure notice")
_WORDS = (
    *("Hi. This is the qmail-send program", "The following address(es) failed:"),
    "550 5.1.1 User unknown",
)


def field(choices: Choices) -> str:
    """Write one header field."""
    name = choices.of(_TEXTS if choices.strangers_only else _FIELDS)
    if name in _ADDRESSES:
        value = choices.of((", ", ",\n ", ",,", " ")).join(
            [mailbox(choices), *choices.some(lambda: mailbox(choices), 2)]
        )
    elif name in ("References", "In-Reply-To", "Message-ID"):
        value = choices.of(
            (
                f"<{address(choices)}>",
                f"<1.{address(choices)}>",
                f"<x@{address(choices)[-11:]}> <a@b>",
            )
        )
    else:
        shown = text(choices, most=3)
        value = choices.of(
            (shown, word(choices, shown or "x"), f"x {word(choices, shown or 'x')} y")
        )
    value = value.replace("\r", "").replace("\n", "\n ")
    return f"{name}: {value}\n"


def part(choices: Choices, depth: int = 0) -> bytes:
    """Write a part with its header block."""
    kind = choices.number(9)
    if kind < 2 and depth < 4:
        return multipart(choices, depth)
    if kind == 2 and depth < 4:
        return _attached(choices, depth)
    return leaf(choices)


def leaf(choices: Choices) -> bytes:
    """Write a part that holds no other."""
    if choices.chance(8):
        return files.leaf(choices)
    type_ = choices.of(_TYPES)
    label = choices.of(_CHARSETS if type_.lower().startswith("text/") else _CHARSETS[:4])
    shown = (
        invitation(choices)
        if "calendar" in type_ or "ics" in type_
        else text(choices, markup="html" in type_ or "xml" in type_, most=8)
    )
    if choices.chance(10):
        shown = _signed(choices, shown)
    if type_ == "text/html":
        shown = f"<html><body>{shown}</body></html>"
    data = _in_charset(shown, label)
    if choices.chance(10):
        data += choices.bytes(40)
    if type_.startswith("message/"):
        # Many look for no encoding there, and see each line of one by itself.
        encoding, data = choices.of((("", data), ("quoted-printable", data.replace(b"=", b"=3D"))))
    else:
        encoding, data = _transferred(choices, data)
    fields = f"Content-Type: {type_}{f'; charset={label}' if label else ''}{_name(choices)}\n"
    if encoding:
        fields += f"Content-Transfer-Encoding: {encoding}\n"
    if choices.chance(4):
        fields += f"Content-Disposition: attachment; filename={_quoted(spelled(choices))}\n"
    if choices.chance(6):
        told = f"Content-Description: {text(choices, most=2)}\n".replace("\n\n", "\n")
        # Somebody's domain alone is enough for an identifier to be replaced.
        identifier = "1@host.invalid" if choices.strangers_only else address(choices)
        fields += f"Content-ID: <{identifier}>\n{told}"
    return _folded(fields) + b"\n" + data


def _signed(choices: Choices, shown: str) -> str:
    """Write armour lines around a text and in it, in the order of clear-signed text or in none."""
    begin, code, end = (f"-----{each}-----" for each in _ARMOUR)
    before, between = choices.of(("", "> ", "- ", "<p>")), choices.of(("\n", "\n\n", "<br>\n"))
    inner = _signed(choices, shown) if choices.chance(4) else shown
    fields = choices.of(("Hash: SHA256", "", f"Comment: {spelled(choices)}"))
    # One of these names somebody: a signature goes for it.
    codes = _CODES[::2] if choices.strangers_only else _CODES
    pieces = [begin, fields, "", inner, code, fields, "", choices.of(codes), end]
    if choices.chance(4):
        pieces.pop(choices.number(len(pieces) - 1))
    return between.join(before + piece for piece in pieces) + "\n" + text(choices, most=3)


def multipart(choices: Choices, depth: int) -> bytes:
    """Write a multipart, mostly with its delimiters where they belong."""
    # One boundary at two depths is read in two ways, and by no sender meant so.
    boundary = choices.of(("frontier", "a b", "=_x", "")) + str(depth)
    lost = choices.chance(12) and not choices.strangers_only  # each program then sees another text
    declared = "other" if lost else boundary
    sub = choices.of(_MULTIPARTS)
    out = f'Content-Type: multipart/{sub}; boundary="{declared}"\n\n'.encode()
    if choices.chance(3):
        out += text(choices, most=3).encode() + b"\n"
    for each in choices.some(lambda: part(choices, depth + 1), 3):
        out += f"--{boundary}\n".encode() + each + choices.of((b"\n", b"\n\n"))
    if not choices.chance(8):
        out += f"--{boundary}--\n".encode()
    if choices.chance(3):
        out += text(choices, most=3).encode() + b"\n"
    return out


def message(choices: Choices, author: str) -> bytes:
    """Write a whole message of somebody."""
    shape = choices.of(
        (author, f"<{author}>", f"Me <{author}>", f'"{author}" <{author}>', f"{author} (Me)")
    )
    head = f"From: {shape}\n" + "".join(choices.some(lambda: field(choices), 5))
    whole = head.encode("utf-8", "surrogateescape") + part(choices)
    # In UTF-16 a line end is more than these bytes.
    return whole.replace(b"\n", b"\r\n") if choices.chance(2) and b"\0" not in whole else whole


def report(choices: Choices) -> bytes:
    """Write a delivery status notification, RFC 3464, or what a server takes for one."""

    def told() -> str:
        name, sign = choices.of(_REPORTED), choices.of((": ", ":", " : ", ""))
        return f"{name}{sign}{choices.of(_TOLD)}{spelled(choices)}\n"

    fields = "".join(told() for _ in range(1 + choices.number(6)))
    author = choices.of(("MAILER-DAEMON@mx.example", "Postmaster <>", mailbox(choices)))
    subject = choices.of((*_SUBJECTS, text(choices, most=2)))
    head = _folded(f"From: {author}\nSubject: {subject}\n".replace("\r", ""))
    if choices.chance(3):
        words = choices.of(_WORDS)
        return head + b"\n" + f"{words}\n\n{text(choices)}\n{fields}".encode()
    kind = choices.of(("delivery-status", "disposition-notification", "feedback-report"))
    returned = choices.of((b"message/rfc822", b"text/rfc822-headers"))
    pieces = [
        head + f"Content-Type: multipart/report; report-type={kind}; boundary=b\n".encode(),
        b"\n" + text(choices).encode() + b"\n",
        b"Content-Type: message/delivery-status\n\n" + fields.encode() + b"\n",
        b"Content-Type: " + returned + b"\n\n" + message(choices, address(choices)),
    ]
    return b"\n--b\n".join(pieces) + b"\n--b--\n"


def _attached(choices: Choices, depth: int) -> bytes:
    head = "".join(choices.some(lambda: field(choices), 3)).encode("utf-8", "surrogateescape")
    inner = (
        f"From: {mailbox(choices)}\n".replace("\r", "").encode() + head + part(choices, depth + 1)
    )
    kind = choices.of(("message/rfc822", "message/global", "application/octet-stream"))
    encoding, data = choices.of(
        (("", inner), ("base64", base64.encodebytes(inner)), ("7bit", inner))
    )
    fields = f"Content-Type: {kind}{_name(choices)}\n" + (
        f"Content-Transfer-Encoding: {encoding}\n" if encoding else ""
    )
    return _folded(fields) + b"\n" + data


def _transferred(choices: Choices, data: bytes) -> tuple[str, bytes]:
    way = choices.number(7)
    if way == 1:
        return "base64", base64.encodebytes(data)
    if way == 2:
        return "quoted-printable", quopri.encodestring(data)
    if way == 3:
        return "BASE64", base64.b64encode(data)  # one line
    if way == 4:
        lines = [binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)]
        return "x-uuencode", b"begin 644 file\n" + b"".join(lines) + b"`\nend\n"
    if way == 5:
        soft = b"=\n".join(data[at : at + 7] for at in range(0, len(data), 7))
        return "quoted-printable", soft if b"=" not in data else quopri.encodestring(
            data, quotetabs=True
        )
    return choices.of(("", "8bit", "7bit", "binary", "x-unknown")), data


def _in_charset(shown: str, label: str) -> bytes:
    try:
        return shown.encode(label or "utf-8", "replace")
    except LookupError:
        return shown.encode("latin-1", "replace")


def _name(choices: Choices) -> str:
    if not choices.chance(4):
        return ""
    shown = spelled(choices).replace("\n", "")
    star = "".join(f"%{b:02X}" for b in shown.encode())
    half = len(shown) // 2
    return choices.of(
        (
            f"; name={_quoted(shown)}",
            f"; name*=utf-8''{star}",
            f"; name*0={_quoted(shown[:half])}; name*1={_quoted(shown[half:])}",
            f"; name*0*=utf-8''{star[: 3 * half]}; name*1*={star[3 * half :]}",
            f"; name={_quoted(word(choices, shown))}",
            f"; name={shown}",
        )
    )


def _quoted(shown: str) -> str:
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _folded(fields: str) -> bytes:
    """Write fields; a line end that a value brought is a fold."""
    lines = [line for line in fields.split("\n") if line.strip()]
    out = [
        line if n == 0 or ":" in line.split(" ")[0] else f" {line}" for n, line in enumerate(lines)
    ]
    return ("\n".join(out) + "\n").encode("utf-8", "surrogateescape")
