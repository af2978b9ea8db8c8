"""Text in UTF-16 and UTF-32, and text with control characters, whatever its type says of it.

It is masked in every spelling that text in other charsets is, and never taken for a file.
"""

import base64
import codecs
from functools import partial

import pytest
from builders import CARRIER, SHOP, A, mail, order, person
from cost import least
from spellings import JOHN, SPELLINGS

from conversation_tracker.core.model.message import parse, render
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.syntax import charset

ALIAS = "b" * 32
CODECS = {
    "UTF-16LE": ("utf-16-le", b""),
    "UTF-16BE": ("utf-16-be", b""),
    "UTF-16LE, marked": ("utf-16-le", codecs.BOM_UTF16_LE),
    "UTF-16BE, marked": ("utf-16-be", codecs.BOM_UTF16_BE),
    "UTF-32LE": ("utf-32-le", b""),
    "UTF-32BE, marked": ("utf-32-be", codecs.BOM_UTF32_BE),
    "UTF-8": ("utf-8", b""),
}
TYPES = {
    "octets": "application/octet-stream",
    "octets, labelled": "application/octet-stream; charset=utf-16",
    "an unknown type": "foo/bar; name=x.txt",
    "no label": "text/plain",
    "called UTF-8": "text/plain; charset=utf-8",
    "called latin-1": "text/plain; charset=iso-8859-1",
    "html": "text/html",
}
FEW = ("at and dot", "surplus dots in the domain", "quotes", "script, x", "bold", "blanks")
FEW = (*FEW, "all full width", "golbaengi", "percent", "colours within", "css, dots")
ENCODED = ("sophos", "cloudflare", "cloudflare, link")  # so is the alias then
AROUND = {
    "plain": "Hello\n{}\nBye, until soon\n",
    "Japanese": "\u6ce8\u6587\u756a\u53f7\u3067\u3059\u3002\r\n\u9023\u7d61 {} \u307e\u3067\r\n",
    "Russian": "\u041f\u0438\u0448\u0438\u0442\u0435 {} \u0441\u0440\u0430\u0437\u0443.\n",
    "bell": "log \a {}\nBye\n",
    "title of a terminal": "\x1b]0;title here\a {} \nBye\n",
    "form feed": "page\f {} \f page\n",
    "overstrikes": "N\bNA\bAM\bME\bE {} \n_\bx_\by\n",
    "end of a file in DOS": "hello {} bye\r\n\x1a",
    "padding": "hello {} bye\n\0\0\0\0",
    "delete": "a\x7f {} b\n",
}


def make(type_: str, data: bytes) -> bytes:
    """Make a message of one part."""
    head = f"From: {JOHN}\nContent-Type: {type_}\nContent-Transfer-Encoding: base64\n\n"
    return head.encode() + base64.encodebytes(data)


def read(raw: bytes) -> bytes:
    """Return the content of such a message."""
    return base64.b64decode(parse(raw)[1][:])


def plan_all(raw: bytes) -> tuple[bytes, bytes]:
    """Return what becomes of a message of the buyer's: the copy, and the record."""
    people = order(person(JOHN, "buyer", "b" * 32), SHOP, CARRIER)
    sent = mail(raw, people, to=A, sender=JOHN)
    done = sent.plan()
    assert done.reply is None, done.reply
    copy = sent.sent(done)
    return render(copy.headers, copy.body)[:], done.records[0].raw[:]


def check(type_: str, codec: str, text: str, spelled: str, mark: bytes = b"") -> None:
    """Check that copy and record have the alias, and that the scan takes what it finds for text."""
    raw = make(type_, mark + text.encode(codec))
    copy, record = plan_all(raw)
    for left in (copy, record):
        data = read(left)
        assert data.startswith(mark)
        shown = data[len(mark) :].decode(codec)
        assert spelled not in shown
        assert ALIAS in shown or spelled in [SPELLINGS[name] for name in ENCODED]
    scanner = Scanner({JOHN: "b" * 32})
    headers, body = parse(raw)
    hits = scanner.scan([each for each in headers if each.key != b"from"], body)
    assert hits
    assert not any(hit.in_file for hit in hits)
    headers, body = parse(copy)
    assert not scanner.scan([each for each in headers if each.key != b"from"], body)


@pytest.mark.parametrize("codec", ["UTF-16LE", "UTF-16BE, marked"])
@pytest.mark.parametrize("name", SPELLINGS)
def test_a_spelling_in_utf_16_that_is_called_octets_is_masked(name: str, codec: str) -> None:
    text = AROUND["plain"].format(SPELLINGS[name])
    check(TYPES["octets"], CODECS[codec][0], text, SPELLINGS[name], CODECS[codec][1])


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("type_", TYPES)
def test_wide_text_of_any_type_is_masked(type_: str, codec: str) -> None:
    if codec == "UTF-8" and "utf-16" in TYPES[type_]:
        codec = "UTF-16LE"
    for name in FEW:
        if name in SPELLINGS:
            text = AROUND["plain"].format(SPELLINGS[name])
            check(TYPES[type_], CODECS[codec][0], text, SPELLINGS[name], CODECS[codec][1])


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("around", AROUND)
def test_text_of_any_script_and_logs_of_terminals_are_masked(around: str, codec: str) -> None:
    """A bell, an overstrike or a form feed makes no file of a text."""
    for name in ("at and dot", "surplus dots in the domain", "quotes", "blanks"):
        text = AROUND[around].format(SPELLINGS[name])
        for type_ in ("octets", "no label"):
            check(TYPES[type_], CODECS[codec][0], text, SPELLINGS[name], CODECS[codec][1])


@pytest.mark.parametrize(
    "line",
    [
        "Lorem ipsum dolor sit amet.\r\n",
        "\u0421\u044a\u0435\u0448\u044c \u0435\u0449\u0451 \u0431\u0443\u043b\u043e\u043a.\n",
    ],
)
@pytest.mark.parametrize("codec", ["UTF-16LE", "UTF-16BE, marked", "UTF-32LE"])
def test_large_wide_text_is_masked_on_both_sides_of_where_it_is_parted(
    codec: str, line: str
) -> None:
    spelled = SPELLINGS["blanks"]
    many = line * (600_000 // len(line.encode(CODECS[codec][0])))
    text = f"Hello {spelled} so\n{many}Hello {spelled} so\n{many}Hello {spelled} so\n"
    check(TYPES["octets"], CODECS[codec][0], text, spelled, CODECS[codec][1])


@pytest.mark.parametrize(
    "data",
    [
        b"\x01\0\x02\0" * 20 + "john.doe@home.example".encode("utf-16-le") + b"\3\0" * 20,
        b"\x7fELF\x02\x01\x01" + bytes(40) + b"john.doe @ home.example" + bytes(40) + b"\x05",
    ],
)
def test_other_octets_stay_a_file(data: bytes) -> None:
    """They pass and are flagged, or go, as the store wants."""
    people = order(person(JOHN, "buyer", "b" * 32), SHOP, CARRIER)
    done = mail(make(TYPES["octets"], data), people, to=A, sender=JOHN).plan()
    assert done.reply is None
    assert b"home" not in done.records[0].raw
    headers, body = parse(make(TYPES["octets"], data))
    hits = Scanner({JOHN: "b" * 32}).scan(headers[1:], body)
    assert all(hit.in_file for hit in hits)


@pytest.mark.parametrize(
    "text",
    [
        "\u041f\u0440\u0438\u0432\u0435\u0442, john.doe@home.example!\n",
        "\u6ce8\u6587\n\u304a\u77e5\u3089\u305b a@b.example\n",
    ],
)
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_the_byte_order_is_told_in_any_script(codec: str, text: str) -> None:
    assert charset.is_wide(text.encode(codec))
    assert charset.find_codec(text.encode(codec), "") == codec


LOG = "2026-11-30 worker 17 took job 48213, 12.5\u202fms \u2013 done\r\n"


@pytest.mark.parametrize(
    ("more", "read_also"),
    [
        (b"", set[str]()),
        (JOHN.encode(), {"latin-1"}),
        (b"jo\0hn\0@h\0om\0e.\0ex\0am\0pl\0e\0", {"latin-1"}),
        (JOHN.encode("utf-16-be"), {"utf-16-be"}),
        ("".join(chr(ord(each) + 0xFEE0) for each in JOHN).encode("utf-16-be"), {"utf-16-be"}),
    ],
)
def test_text_in_utf_16_is_read_otherwise_where_that_may_show_something(
    more: bytes, read_also: set[str]
) -> None:
    data = (LOG * 40).encode("utf-16-le") + more + b" " * (len(more) % 2) + LOG.encode("utf-16-le")
    seen: list[str] = []
    charset.change_text(data, "", lambda text: seen.append(text) or text)
    assert seen[0] == data.decode("utf-16-le")
    assert read_also <= {name for name in ("latin-1", "utf-16-be") if data.decode(name) in seen}
    assert len(seen) == 1 or read_also


@pytest.mark.parametrize(
    "inside", [JOHN.encode(), JOHN.encode("utf-16-be"), b"john.doe@home..example"]
)
def test_an_address_in_other_octets_amid_utf_16_does_not_leave(inside: bytes) -> None:
    log = (LOG * 40).encode("utf-16-le")
    raw = make("application/octet-stream", log + b" \n" + inside + b"\n " + log)
    for left in plan_all(raw):
        assert inside not in read(left)


def test_a_spelling_in_large_text_in_utf_16_costs_about_what_it_does_in_ascii() -> None:
    text = LOG * 1500 + "see john.doe@home..example\n" + LOG * 1500
    narrow, wide = (
        least(partial(plan_all, make("application/octet-stream", text.encode(codec))), 2)
        for codec in ("utf-8", "utf-16-le")
    )
    assert wide < 5 * narrow
