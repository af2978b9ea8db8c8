"""The mail to send: one message of each kind, with marks where the generators write.

A run of N becomes the message's number, one of 32 T the recipient's local part, one of 32 U that
of a second one; `letter.h` knows them. All of it is made up here.
"""

import base64
import random

SENDER = "parcels@carrier.example"
STRANGER = "news@stranger.example"
NUMBER = "N" * 10
MAILBOX = "T" * 32
OTHER = "U" * 32

_HEAD = """\
Received: from out.{domain} (out.{domain} [192.0.2.25])
 by relay.{domain} (Postfix) with ESMTPS id 4NNNNNNNNNN
 for <{to}>; Mon, 23 Nov 2026 12:00:00 +0000 (UTC)
From: "Parcel service" <{sender}>
To: {shown}
Reply-To: <{sender}>
Subject: =?utf-8?q?Your_parcel_NNNNNNNNNN_is_on_its_way_=E2=80=93_news?=
Date: Mon, 23 Nov 2026 12:00:00 +0000
Message-ID: <NNNNNNNNNN.20261123@out.{domain}>
X-Mailer: Parcel 4.2
X-Campaign: transactional
MIME-Version: 1.0
"""
_LINE = "Order line {}: one thing of many, packed by hand and shipped to the customer.\n"
_SIGNATURE = "\n--\nParcel service, {sender}, telephone +49 30 5550100\n"


def letters() -> dict[str, bytes]:
    """Return the messages by kind, with CRLF.

    They are text, html, files, several (text for two recipients), and two that are none of ours:
    foreign and foreign files.
    """
    return {
        "text": _message(SENDER, _text(4096, SENDER)),
        "html": _message(SENDER, _html(40 * 1024)),
        "files": _message(SENDER, _files(2 * 1024 * 1024)),
        "several": _message(SENDER, _text(4096, SENDER), other=True),
        "foreign": _message(STRANGER, _text(4096, STRANGER), "customers.example"),
        "foreign files": _message(STRANGER, _files(2 * 1024 * 1024), "customers.example"),
    }


def _message(
    sender: str, content: str, domain: str = "ct.example.com", *, other: bool = False
) -> bytes:
    to = f"{MAILBOX}@{domain}"
    shown = f"<{to}>, <{OTHER}@{domain}>" if other else f"<{to}>"
    head = _HEAD.format(domain=sender.rpartition("@")[2], sender=sender, to=to, shown=shown)
    return (head + content).replace("\n", "\r\n").encode()


def _text(size: int, sender: str) -> str:
    head = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    end = _SIGNATURE.format(sender=sender)
    lines = (size - len(head) - len(end)) // len(_LINE)
    return head + "".join(_LINE.format(number % 10) for number in range(lines)) + end


def _html(size: int) -> str:
    """Return an answer in plain text and html, which quotes what it answers."""
    quoted = f"Sie schrieben ({MAILBOX}@ct.example.com), we wrote ({SENDER}):"
    row = '<tr><td class=3D"cell">Thing</td><td>f=C3=BCr 10,00 =E2=82=AC</td></tr>=\n\n'
    plain = f"{quoted}\n> Where is my parcel?\n" + _SIGNATURE.format(sender=SENDER)
    rows = row * ((size - 2000) // len(row))
    return (
        'Content-Type: multipart/alternative; boundary="=_part"\n\n'
        f"--=_part\nContent-Type: text/plain; charset=utf-8\n\n{plain}"
        "--=_part\nContent-Type: text/html; charset=utf-8\n"
        "Content-Transfer-Encoding: quoted-printable\n\n"
        f"<html><body><p>{quoted}</p><blockquote><table>{rows}</table></blockquote>\n"
        f'<p><a href=3D"mailto:{SENDER}">write to us</a></p></body></html>\n'
        "--=_part--\n"
    )


def _files(size: int) -> str:
    """Return a text with two files that nothing can be seen in."""
    noise = random.Random(5)
    file = base64.encodebytes(noise.randbytes(size * 3 // 8)).decode()
    parts = "".join(
        f'--=_part\nContent-Type: image/jpeg; name="{name}.jpg"\n'
        f'Content-Disposition: attachment; filename="{name}.jpg"\n'
        f"Content-Transfer-Encoding: base64\n\n{file}"
        for name in ("label", "parcel")
    )
    text = _text(2000, SENDER)
    return (
        f'Content-Type: multipart/mixed; boundary="=_part"\n\n--=_part\n{text}{parts}--=_part--\n'
    )
