"""Tokens of links that hold another token, or what is compressed: newsletters behind a gateway.

A gateway writes the link of a newsletter in base64, and that has the reader's address in base64
itself; others pack what they know of a reader with zlib. The address is masked where it is, what is
around it stays, and the scan sees it.
"""

import base64
import gzip
import json
import zlib
from urllib.parse import quote

import pytest
from builders import A, mail
from cost import linear
from spellings import ALIAS, JOHN, PEOPLE

from conversation_tracker.core.model.message import parse
from conversation_tracker.core.scanning.scan import Scanner

KNOWN = json.dumps({"id": 7, "r": JOHN, "u": "https://shop.example/o?n=1001"})


def code(data: str | bytes) -> str:
    """Write base64 for links, without padding."""
    octets = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def undo(token: str) -> bytes:
    """Read it again."""
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def usual(data: str) -> str:
    """Pack with zlib, and write the base64 that is not for links: a slash is a letter of it."""
    return base64.b64encode(zlib.compress(data.encode())).decode()


SLASHED = next(each for n in range(99) if "/" in usual(each := f"{JOHN} {n}")[4:])
"""What has a slash in its base64 when it is packed."""

LINKS = {
    "packed": f"https://email.mg.example/c/{code(zlib.compress(KNOWN.encode()))}",
    "packed best": f"https://email.mg.example/c/{code(zlib.compress(KNOWN.encode(), 9))}?x=1",
    "packed fast": f"https://t.example/{code(zlib.compress(KNOWN.encode(), 1))}/end",
    "packed, behind a path": f"https://t.example/c/{usual(SLASHED)}",
    "packed, amid a path": f"https://t.example/c/{usual(SLASHED)}/end",
    "packed, in a link": f"https://gw.example/{code(f'https://t.example/c/{usual(SLASHED)}')}",
    "packed by gzip": f"https://t.example/?d={code(gzip.compress(KNOWN.encode(), mtime=0))}&e=1",
    "twice": f"https://t.example/o/{code(code(JOHN))}",
    "twice, padded": "https://t.example/o?d="
    + quote(base64.b64encode(base64.b64encode(JOHN.encode())).decode()),
    "three times": "https://gw.example/o/"
    + code(f"https://t.example/?u={code(f'https://n.example/?u={code(JOHN)}')}"),
    "in JSON": f"https://t.example/o?d={code(json.dumps({'d': code(KNOWN)}))}",
    "wide": f"https://t.example/o/{code(JOHN.encode('utf-16-le'))}",
    "wide, the other way": f"https://t.example/o/{code(JOHN.encode('utf-16-be'))}/x",
    "digits": f"https://t.example/o?d={code(JOHN.encode().hex())}",
    "link of a newsletter": f"https://gw.example/?u={code('https://n.example/x/' + code(JOHN))}",
    "packed in a link": "https://gw.example/?u="
    + code(f"https://n.example/c/{code(zlib.compress(KNOWN.encode()))}"),
    "escaped": "https://gw.example/?url="
    + quote(f"https://n.example/c/{code(zlib.compress(KNOWN.encode()))}", safe=""),
    "escaped twice": "https://gw.example/?url="
    + quote(quote(f"https://n.example/o?d={code(code(JOHN))}", safe=""), safe=""),
}
TYPES = ["text/plain", "text/html", "application/json"]


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("name", LINKS)
def test_a_token_inside_another_is_masked(name: str, type_: str) -> None:
    text = f'<a href="{LINKS[name]}">x</a>' if type_ == "text/html" else f"see {LINKS[name]} now"
    raw = f"From: {JOHN}\nContent-Type: {type_}\n\n{text}\n".encode()
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    done = sent.plan()
    assert done.reply is None
    token = LINKS[name].rpartition("://")[2].partition("/")[2].encode()
    for left in (bytes(sent.sent(done).body), bytes(done.records[0].raw)):
        assert token not in left
        assert LINKS[name][: LINKS[name].index(".example/") + 9].encode() in left
    assert Scanner({JOHN: "b" * 32}).scan(*parse(raw.partition(b"\n")[2]))


def body_of(link: str) -> bytes:
    raw = f"From: {JOHN}\n\nsee {link} now\n".encode()
    return bytes(mail(raw, PEOPLE, to=A, sender=JOHN).sent().body)


@pytest.mark.parametrize(
    "packed",
    [zlib.compress(KNOWN.encode()), gzip.compress(KNOWN.encode(), mtime=0)],
    ids=["zlib", "gzip"],
)
def test_what_was_packed_is_packed_again(packed: bytes) -> None:
    """Whose link it is can read it, with the alias in it."""
    new = body_of(f"https://t.example/c/{code(packed)}").split()[1].rpartition(b"/")[2]
    assert zlib.decompress(undo(new.decode()), 47).decode() == KNOWN.replace(JOHN, ALIAS)


def test_what_is_packed_behind_a_path_is_packed_again() -> None:
    new = body_of(LINKS["packed, behind a path"]).split()[1].partition(b"/c/")[2]
    octets = base64.urlsafe_b64decode(new + b"==") if b"/" not in new else base64.b64decode(new)
    assert zlib.decompress(octets).decode() == SLASHED.replace(JOHN, ALIAS)


def test_a_link_in_a_link_has_the_alias_in_its_token() -> None:
    new = body_of(LINKS["link of a newsletter"]).split()[1].rpartition(b"=")[2]
    inner = undo(new.decode()).decode()
    assert inner.startswith("https://n.example/x/")
    assert undo(inner.rpartition("/")[2]).decode() == ALIAS


@pytest.mark.parametrize(
    "link",
    [
        f"https://t.example/c/{code(zlib.compress(b'nothing to see here, at all'))}",
        f"https://t.example/c/{code(zlib.compress(KNOWN.encode()))[:-30]}#",
        "https://t.example/c/eJwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/H4sIAAAAAAAAAAAAAAAA",
        f"https://t.example/o/{code(code('jane.doe@home.example'))}",
        f"https://t.example/o/{code(code('john.doe@home.example.org'))}",
    ],
)
def test_other_tokens_stay_as_they_are(link: str) -> None:
    if link.endswith("#"):  # cut short: what of it can be read may name somebody
        assert code(zlib.compress(KNOWN.encode())) not in body_of(link).decode()
        return
    assert body_of(link) == f"see {link} now\n".encode()
    assert not Scanner({JOHN: "b" * 32}).scan([], f"see {link} now\n".encode())


@pytest.mark.parametrize(
    "run",
    [
        f"https://t.example/c/{code(zlib.compress(bytes(4000)))} ",
        f"https://t.example/c/{code(zlib.compress(KNOWN.encode() * 20))} ",
        f"https://t.example/c/{code(code(code(JOHN)))} ",
        "https://t.example/eJw",
        "/eJwAAAA",
        f"/{code(zlib.compress(bytes(4000)))}",
        f"/{code(JOHN)}",
        "://" + "QUFB" * 5,
    ],
)
def test_tokens_inside_each_other_are_read_in_linear_time(run: str) -> None:
    def plan(size: int) -> None:
        text = "x https://t.example/" + run * (size // len(run) + 1)
        raw = f"From: {JOHN}\n\n{text}\n".encode()
        assert mail(raw, PEOPLE, to=A, sender=JOHN).plan().reply is None

    linear(plan, 16_000)
