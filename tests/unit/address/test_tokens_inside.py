"""Tokens of links that hold another token, or what is compressed: newsletters behind a gateway.

A gateway writes the link of a newsletter in base64, and that has the reader's address in base64
itself; others pack what they know of a reader with zlib. The address is masked where it is, what is
around it stays, and the scan sees it.
"""

import base64
import gzip
import json
import zlib
from urllib.parse import quote, unquote

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


SPELLED = {
    "dots": "john.doe@home..example",
    "words": "john.doe (at) home.example",
    "words between lines": "john.doe_at_home.example",
    "blanks": "john.doe @ home.example",
    "an envelope": "bounce-john.doe=home.example",
    "a reference": "john.doe&#64;home.example",
    "a style": "john.doe\\40 home.example",
    "UTF-7": "john.doe+AEA-home.example",
    "escaped, wide": "john.doe%EF%BC%A0home.example",
    "tags": "john.doe<b></b>@home.example",
    "escaped letters": "john.doe%40h%6fme.ex%61mple",
    "references": "john.doe@h&#111;me.example",
}
UNPOINTED = {"dots", "escaped letters", "references"}
"""Outside of links, what points to a token is a domain as it is."""
AROUND = {
    "path": "see https://t.example/c/{} now",
    "Sophos": "see https://eu.protection.sophos.com/?d=c.example&u={}&i=NWY now",
    "escaped": "see https://gw.example/?url=https%3A%2F%2Ft.example%2F%3Fu%3D{} now",
    "id": '{{"id": "{}"}}',
    "digits": "see https://t.example/?h={} now",
}


CASES = [
    (name, around)
    for name in SPELLED
    for around in AROUND
    if name not in UNPOINTED or around not in ("id", "digits")
]


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize(("name", "around"), CASES)
def test_an_address_in_a_token_is_masked_however_it_is_written(
    name: str, around: str, type_: str
) -> None:
    """As a link behind a gateway that writes it in base64."""
    held = f"https://n.example/unsubscribe?e={SPELLED[name]}&x=1"
    token = held.encode().hex() if around == "digits" else code(held)
    raw = f"From: {JOHN}\nContent-Type: {type_}\n\n{AROUND[around].format(token)}\n".encode()
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    done = sent.plan()
    assert done.reply is None, done.reply
    first, last = AROUND[around].format("\n").encode().split(b"\n")
    for left in (bytes(sent.sent(done).body), bytes(done.records[0].raw)):
        assert token.encode() not in left
        new = left.partition(first)[2].partition(last)[0].decode()
        shown = bytes.fromhex(new) if around == "digits" else undo(unquote(new).rstrip("="))
        assert shown.startswith(b"https://n.example/unsubscribe?e=")
        assert ALIAS.split("@")[0].encode() in shown
    assert Scanner({JOHN: "b" * 32}).scan(*parse(raw.partition(b"\n")[2]))


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", SPELLED)
def test_the_address_of_somebody_else_in_a_token_stays(name: str, around: str) -> None:
    held = f"https://n.example/unsubscribe?e={SPELLED[name].replace('john', 'joan')}&x=1"
    token = held.encode().hex() if around == "digits" else code(held)
    body = f"{AROUND[around].format(token)} and john dot doe at home.example\n".encode()
    sent = mail(f"From: {JOHN}\n\n".encode() + body, PEOPLE, to=A, sender=JOHN).sent()
    assert body.rpartition(b" and ")[0] in sent.body


@pytest.mark.parametrize("before", ["xy/", "x_", "a-b-c", "0"])
@pytest.mark.parametrize("name", SPELLED)
def test_what_stands_before_a_token_refuses_nothing(name: str, before: str) -> None:
    text = f'x "id": "{before}{code(SPELLED[name] + " of a friend")}" y'
    sent = mail(f"From: {JOHN}\n\n{text}\n", PEOPLE, to=A, sender=JOHN)
    assert sent.plan().reply is None


@pytest.mark.parametrize("name", SPELLED)
def test_spelled_addresses_in_tokens_are_read_in_linear_time(name: str) -> None:
    run = f"https://t.example/c/{code(SPELLED[name])}/{code('home doe ' * 9)} "

    def plan(size: int) -> None:
        raw = f"From: {JOHN}\n\n{run * (size // len(run))}\n".encode()
        assert mail(raw, PEOPLE, to=A, sender=JOHN).plan().reply is None

    linear(plan, 8_000)
