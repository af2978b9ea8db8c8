"""Addresses in codes that nobody declared: what is written around them, and what is no address.

That they are masked and found in all places is tried in `test_rare_spellings`.
"""

import pytest
from builders import A, mail
from cost import linear
from spellings import JOHN, PEOPLE, double

from conversation_tracker.core.model.message import parse
from conversation_tracker.core.scanning.scan import Scanner

OURS = ("b" * 32 + "@ct.example.com").encode()


def send(text: str, type_: str = "text/plain") -> bytes:
    """Return the body of a copy of a message with a text in it."""
    raw = f"From: {JOHN}\nContent-Type: {type_}\n\n{text}\n".encode()
    return bytes(mail(raw, PEOPLE, to=A, sender=JOHN).sent().body)


@pytest.mark.parametrize("call", ["$B", "$@"])
def test_an_alias_amid_double_bytes_is_in_ascii_and_the_rest_is_not(call: str) -> None:
    """Whoever reads the text as ISO-2022-JP sees what was around the address, and the alias."""
    new = send(f"\x1b{call}$3$s{double(JOHN)}$K$A\x1b(B")
    japanese = new.decode("iso-2022-jp")
    assert japanese == f"\u3053\u3093{OURS.decode()}\u306b\u3061\n"


def test_an_address_with_one_double_letter_has_an_alias_in_ascii() -> None:
    assert send("x jo\x1b$B#h\x1b(Bn.doe@home.example") == b"x " + OURS + b"\x1b(B\n"


@pytest.mark.parametrize("type_", ["text/plain", "text/html"])
@pytest.mark.parametrize(
    "text",
    [
        "\x1b$B#j#o#h#n!w#d#o#e\x1b(B and \x1b$B$3$s!w!%!%\x1b(B",
        f"\x1b$B#x{double(JOHN)}\x1b(B",
        f"\x1b$B!{double(JOHN)}\x1b(B",  # not where a letter begins
        "https://c.example/doe/at/home.example",
        "https://c.example/john.doe/at/home.example.org",
        "https://c.example/john.doe/at/home",
        "john.doe/or/home.example",
        "at 12:at:home.example",
        "john.doe:home.example",
        "https://c.example/?q=doe+at+home.example",
        "https://c.example/?q=john.doe+or+home.example",
        "john.doe \u24d1 home.example",
        "+AGoAbwBoAG4- at home, +AGoAbwBoAG4",
        "+AGo- &AGo- +ABC +add &aeg-",
        "=6A=6F=68=6E and a=20 b=61",
        "report john.doe (at) home.example.org.pdf",
    ],
)
def test_what_is_no_address_stays_as_it_is(text: str, type_: str) -> None:
    raw = f"From: {JOHN}\nContent-Type: {type_}; charset=utf-8\n\n{text}\n".encode()
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    assert sent.sent().body == parse(raw)[1]
    assert not Scanner({JOHN: "b" * 32}).scan([], parse(raw)[1])


NAMES = [
    "john.doe (at) home.example.pdf",
    "mail of john.doe [at] home [dot] example.tar.gz",
    "john.doe+at+home.example.txt",
    "=6Aohn.doe at home.example.eml",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", ["quoted", "extended", "in pieces", "in encoded pieces"])
def test_a_file_is_not_named_after_somebody_in_words(name: str, way: str) -> None:
    """Its extension is no label of the domain, however the name is written (RFC 2231)."""
    code = "".join(f"%{each:02X}" for each in name.encode())
    written = {
        "quoted": f'filename="{name}"',
        "extended": f"filename*=utf-8''{code}",
        "in pieces": f'filename*0="{name[:9]}";\n filename*1="{name[9:]}"',
        "in encoded pieces": f"filename*0*=utf-8''{code[:30]};\n filename*1*={code[30:]}",
    }[way]
    raw = (
        f"From: {JOHN}\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
        f"Content-Type: application/pdf\nContent-Disposition: attachment;\n {written}\n\nx\n--b--\n"
    ).encode()
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    done = sent.plan()
    assert done.reply is None
    copy = sent.sent(done)
    for left in (bytes(copy.body), bytes(done.records[0].raw)):
        assert b"b" * 32 in left
        assert b"doe" not in left.partition(b"\n\n")[2]
    assert Scanner({JOHN: "b" * 32}).scan(*parse(raw.partition(b"\n")[2]))


@pytest.mark.parametrize(
    "run",
    [
        "\x1b$B#j#o",
        "#j#o!w",
        "\x1b$B",
        "+AGoAbwBo",
        "+AGo-",
        "&AGo",
        "+at+",
        "/at/",
        "john.doe/at/",
        "john.doe+at+home.",
        "\u24d0 ",
        "john.doe \u24d0 ",
        "=6A=6F",
        ":dot:",
        "john.doe (at) home.example.pdf",
        "home.example.pdf.pdf",
    ],
)
def test_such_text_is_read_in_linear_time(run: str) -> None:
    def plan(size: int) -> None:
        head = f"From: {JOHN}\nContent-Type: text/plain; charset=utf-8\n\n"
        text = "x \x1b$B" + run * (size // len(run))
        assert mail((head + text).encode(), PEOPLE, to=A, sender=JOHN).plan().reply is None

    linear(plan, 8_000)
