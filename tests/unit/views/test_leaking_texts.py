"""Texts in which only the final scan finds somebody: they are cut there, and not refused.

Masking is made blind here for the content of parts, so that the scan alone sees it.
"""

import base64

import pytest
from builders import BUYER, CARRIER, SHOP, A, B, mail, order, written
from spellings import BODIES, JOHN, PEOPLE, SPELLINGS

from conversation_tracker.core.masking.part import leaf
from conversation_tracker.core.model.message import render
from conversation_tracker.core.scanning.scan import Scanner

EVERYBODY = order(BUYER, SHOP, CARRIER)


@pytest.fixture(name="blind")
def _blind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaf, "mask_leaf", lambda part, data, *_: (data, part.charset))


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize("number", range(len(BODIES)), ids=list(BODIES))
def test_every_spelling_gives_way_to_the_alias(number: int) -> None:
    """A twelfth of them in each place, so that each stands in two; in the copy and the record."""
    place, make = [*BODIES.items()][number]
    for name in [*SPELLINGS][number % 12 :: 12]:
        sent = mail(make(SPELLINGS[name]), PEOPLE, to=A, sender=JOHN)
        done = sent.plan()
        assert done.reply is None, (name, place)
        copy, [record] = sent.sent(done), done.records
        scanner = Scanner({JOHN: "b" * 32})
        assert not scanner.scan(copy.headers, copy.body), (name, place)
        assert not scanner.scan([], record.raw), (name, place)
        assert b"is not kept" not in record.raw[:], (name, place)


def letter(text: str | bytes, type: str = "text/plain; charset=utf-8", **settings: str) -> bytes:
    """Return what becomes of a text from the buyer, beside another; it must not be refused."""
    content = text.encode() if isinstance(text, str) else text
    fields = "Content-Type: multipart/mixed; boundary=b"
    body = b"--b\n\nHello\n--b\nContent-Type: %s\n\n%s\n--b--\n" % (type.encode(), content)
    raw = written(BUYER, fields, body="").encode() + body
    sent = mail(raw, order(BUYER, SHOP, CARRIER, **settings), to=A)
    done = sent.plan()
    assert done.reply is None
    return bytes(sent.sent(done).body[:])


@pytest.mark.usefixtures("blind")
def test_all_else_of_a_text_stays() -> None:
    before, after = "Ä line before,\n\tand <b>more</b>: ", " (and behind)\n"
    new = letter(f"{before}{BUYER}{after}")
    assert f"{before} {B} {after}".encode() in new
    assert letter("Nobody here\n").count(b"Nobody here\n") == 1


@pytest.mark.usefixtures("blind")
def test_a_hundred_times_the_same_is_cut_a_hundred_times() -> None:
    assert letter(f"> {BUYER} wrote\n" * 100).count(f">  {B}  wrote\n".encode()) == 100


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize("label", ["utf-16-le", "utf-16-be", "utf-16", "utf-32", "utf-32-be"])
def test_a_wide_text_has_a_wide_alias(label: str) -> None:
    text = f"Write to {BUYER}, please.\n"
    code = base64.encodebytes(text.encode(label)).decode()
    new = letter(code, f"text/plain; charset={label}\nContent-Transfer-Encoding: base64")
    [part] = [each for each in new.split(b"--b") if b"base64" in each]
    shown = base64.b64decode(part.partition(b"\n\n")[2]).decode(label)
    assert shown == f"Write to  {B} , please.\n"


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize("encoding", ["7bit", "base64"])
def test_a_text_in_an_attached_message_is_cut(encoding: str) -> None:
    inner = written(CARRIER, "Subject: x", body=f"Ask {BUYER}\n").encode()
    if encoding == "base64":
        inner = base64.encodebytes(inner)
    new = letter(inner, f"message/rfc822\nContent-Transfer-Encoding: {encoding}")
    code = new.partition(b"base64\n\n")[2].partition(b"\n--b")[0]
    shown = base64.b64decode(code) if encoding == "base64" else new
    assert f"Ask  {B} \n".encode() in shown


@pytest.mark.usefixtures("blind")
def test_the_reader_keeps_their_own_address() -> None:
    raw = written(BUYER, body=f"{CARRIER} and {BUYER}\n")
    sent = mail(raw, EVERYBODY, to=A)
    assert sent.sent().body == f"{CARRIER} and  {B} \n".encode()
    [record] = sent.plan().records
    assert CARRIER.encode() not in record.raw[:]


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize(
    "text",
    [
        "".join(f"{BUYER.replace('@', f' {sign} ')}\n" for sign in "(at) [at] {at} at".split())
        + "".join(f"{BUYER.replace('.', f' {sign} ')}\n" for sign in "(dot) [dot] dot".split())
        + "".join(f"{BUYER.replace('o', sign)}\n" for sign in ("&#111;", "&#x6f;", "=6f", "%6f")),
        "x" * 200_000 + f" {BUYER}\n",
    ],
    ids=["too many spellings", "too long"],
)
def test_what_cannot_be_cut_is_refused_and_its_body_not_kept(text: str) -> None:
    done = mail(written(BUYER, body=text), EVERYBODY, to=A).plan()
    assert done.reply is not None
    assert done.reply.code == "554"


@pytest.fixture(name="scanned")
def _scanned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    octets: list[int] = []
    scan = Scanner.scan

    def count(self: Scanner, headers: list[object], body: bytes, own: str | None = None) -> object:
        octets.append(len(body))
        return scan(self, headers, body, own)  # type: ignore[arg-type]

    monkeypatch.setattr(Scanner, "scan", count)
    return octets


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize("size", [1_000, 30_000, 120_000])
def test_a_text_is_not_looked_at_more_often_than_its_length_has_digits(
    size: int, scanned: list[int]
) -> None:
    """Binary digits: half of the text is looked at for each of them."""
    letter(f"{'word ' * (size // 10)}{BUYER}{' word' * (size // 10)}\n")
    assert sum(scanned) < size * (size.bit_length() + 12)


@pytest.mark.parametrize(
    ("type", "text"),
    [
        ("text/html", f"<p>&amp;#8238;{BUYER[::-1]}</p>"),
        ("text/plain; charset=utf-8", "h\u00e4 {\\\\rtf1 john\\\\'40doe.example}"),
    ],
    ids=["an escaped turn", "doubled backslashes"],
)
def test_readings_of_the_scan_alone_are_no_reason_to_refuse(type: str, text: str) -> None:
    assert B.encode() in letter(text, type)


def test_a_text_that_a_store_has_not_masked_is_not_cut() -> None:
    """Nor for what is only told in it."""
    raw = written(BUYER, body=f"Ask {BUYER}\n")
    sent = mail(raw, order(BUYER, SHOP, CARRIER, mask_body=False), to=A)
    assert f"Ask {BUYER}\n".encode() in render(sent.sent().headers, sent.sent().body)[:]


@pytest.mark.parametrize(
    "lines",
    [
        f"Note: {BUYER.partition('@')[0]}\nat {BUYER.partition('@')[2]}\n",
        f"Note: {BUYER.partition('@')[0]}\n  @\n{BUYER.partition('@')[2]}\n",
        f"Note: {BUYER.replace('@', ' at').replace('.', chr(10) + 'dot ')}\n".replace(
            "doe", "\ndoe"
        ),
    ],
)
def test_what_shows_somebody_over_lines_of_a_parts_header_goes(lines: str) -> None:
    """A blank line is missing before the text of a part, or lines fell into its header."""
    part = "Content-Type: text/x-any\nContent-Transfer-Encoding: 8bit"
    body = f"--b\n{part}\n{lines}\nHello\n--b--\n"
    sent = mail(
        written(BUYER, "Content-Type: multipart/mixed; boundary=b", body=body), EVERYBODY, to=A
    )
    done = sent.plan()
    assert done.reply is None
    for text in (sent.sent(done).body, done.records[0].raw):
        assert BUYER.partition("@")[2].encode() not in text[:].replace(b"\r", b"")
        assert b"Content-Type: text/x-any" in text[:]
        assert b"Hello" in text[:]
