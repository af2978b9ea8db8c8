"""Large parts, gone through in windows: the same comes out as from what is taken as a whole.

The limits are a few hundred octets here, so that every text is large.
"""

import base64
import quopri
import random
import weakref
from collections.abc import Iterable
from dataclasses import replace

import pytest
from builders import BUYER, CARRIER, EVERYBODY, B, S, hard, mail, order, person
from cost import within
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversation_tracker.core.base import limits, octets
from conversation_tracker.core.base.limits import Limits
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.part import large, message_body
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.scanning import windows
from conversation_tracker.core.syntax import delimiters, quoted_printable, transfer
from conversation_tracker.core.syntax import mime as structure
from conversation_tracker.milter.spool import Spool, collect
from conversation_tracker.milter.time_limit import begin_time

LIMIT = 400
WORDS = st.sampled_from(
    [
        "some words",
        BUYER,
        f"<{CARRIER}>",
        "\n",
        "\n ",
        " \n",
        "x@doe.example",
        "<b>",
        "=",
        "é",
        "&#64;",
    ]
)
LABELS = st.sampled_from(["utf-8", "iso-8859-1", "utf-16", "utf-16-le", "iso-2022-jp", ""])
TYPES = st.sampled_from(["text/plain", "text/html", "application/octet-stream", "image/png"])


@pytest.fixture(scope="module")
def tiny() -> None:
    """Make a few hundred octets a large part."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (large, quoted_printable, windows, structure, delimiters):
            patch.setattr(module, "LARGE", LIMIT)
        patch.setattr(large, "MAX_LINE", 2 * LIMIT)
        patch.setattr(
            large,
            "iter_windows",
            lambda data, start, end: octets.iter_windows(data, start, end, LIMIT),
        )
        patch.setattr(transfer, "iter_windows", large.iter_windows)
        patch.setattr(windows, "_OVERLAP", 100)
        yield


def planned(raw: bytes) -> Plan:
    """Plan a message to the shop, its body in a file."""
    sent = mail(raw, EVERYBODY, to=S, sender=BUYER)
    message = replace(
        sent.message, body=collect([sent.message.body]), limits=Limits(begin_time(), collect)
    )
    return replace(sent, message=message).plan()


def letter(kind: str, label: str, encoding: str, content: bytes) -> bytes:
    head = f"From: {BUYER}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
    kind = f"{kind}; charset={label}" if label else kind
    head += f"Content-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n"
    return head.encode() + content + b"\n--b--\n"


def encoded(content: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        return base64.encodebytes(content)
    return quopri.encodestring(content) if encoding == "quoted-printable" else content


@given(
    st.lists(WORDS, min_size=100, max_size=300).map(" ".join),
    st.sampled_from(["base64", "quoted-printable", "8bit"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_windows_mask_as_a_whole_does(text: str, encoding: str) -> None:
    raw = letter("text/plain", "utf-8", encoding, encoded(text.encode(), encoding))
    whole = mail(raw, EVERYBODY, to=S, sender=BUYER).plan()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large, "LARGE", LIMIT)
        patch.setattr(quoted_printable, "LARGE", LIMIT)
        patch.setattr(large, "MAX_LINE", 2 * LIMIT)
        parted = planned(raw)
    if parted.reply is None:
        assert contents(parted, raw) == contents(whole, raw)
    else:
        assert parted.reply == replies.CANNOT_MASK


def contents(plan: Plan, raw: bytes) -> bytes:
    """Return the decoded content of the one part that is recorded."""
    headers = [(b"Content-Type", b"multipart/mixed; boundary=b")]
    data = bytes(plan.records[0].raw[:]).partition(b"\r\n\r\n")[2]
    [part] = message_body.read_structure(headers, data).children
    return transfer.decode(data[slice(*part.content)], part.encoding).replace(b"\r\n", b"\n")


@pytest.mark.usefixtures("tiny")
@given(st.lists(WORDS, min_size=60, max_size=200).map(" ".join), TYPES, LABELS)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_window_hides_an_address(text: str, kind: str, label: str) -> None:
    """Whatever the part is: the address is gone, or the message is refused."""
    content = text.encode(label or "utf-8", "replace")
    done = planned(letter(kind, label, "base64", encoded(content, "base64")))
    if done.reply is not None:
        assert done.reply == replies.CANNOT_MASK
    else:
        left = bytes(done.records[0].raw[:])
        assert b"Content-Type: multipart" not in left or BUYER not in contents(done, b"").decode(
            label or "utf-8", "replace"
        ).replace("\n", " ")


def test_a_large_text_is_masked_line_by_line() -> None:
    line = b"2026-11-24 something happened\n"
    raw = f"From: {BUYER}\n\n".encode() + line * 80_000 + f"I am {BUYER}\n".encode() + line * 20_000
    done = within(5, lambda: planned(raw))
    assert done.reply is None
    kept = done.records[0].raw
    assert isinstance(kept, Spool)
    assert kept.find(BUYER.encode()) < 0 < kept.find(f"I am {B}".encode())
    assert kept[:].count(line) == 100_000


def test_many_addresses_in_quoted_printable_cost_little() -> None:
    """Each line of a window is written anew without a look at all others."""
    line = b"2026=20" + BUYER.encode() + b" did some=\nthing=C3=A9 there\n"
    raw = letter("text/plain", "utf-8", "quoted-printable", line * 20_000)
    done = within(5, lambda: planned(raw))
    assert done.reply is None
    assert done.records[0].raw.find(BUYER.encode()) < 0


@pytest.mark.parametrize("blank", [" ", "\n"])
def test_addresses_in_text_of_any_script_are_masked_as_alone(blank: str) -> None:
    """What stands before a blank makes no difference to what stands behind."""
    lines = [BUYER, f"x{BUYER}", f"я{BUYER}", f"中{BUYER}", f"bounce-{BUYER}", f"y.{BUYER}"]
    masker = Masker({BUYER: B})
    alone = [masker(line) for line in lines]
    assert alone[0] == B
    assert masker(blank.join(lines * 9)) == blank.join(alone * 9)


def test_a_large_text_without_any_line_is_refused() -> None:
    assert planned(f"From: {BUYER}\n\n".encode() + b"a" * (3 << 20)).reply == replies.CANNOT_MASK


def test_a_large_text_of_words_may_be_one_line() -> None:
    done = planned(f"From: {BUYER}\n\n".encode() + b"words and " * 300_000)
    assert done.reply is None


@pytest.mark.parametrize("data", [b"", b"a", b"abc" * 1000])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_base64_in_pieces_is_base64(data: bytes, line_end: bytes) -> None:
    pieces = [data[at : at + 100] for at in range(0, len(data), 100)]
    written = b"".join(transfer.encode_base64(pieces, line_end, b"\n"))
    assert transfer.decode(written, "base64") == data
    assert max(map(len, written.split(line_end))) <= 77


@given(st.binary(max_size=300), st.integers(1, 50))
def test_decoding_in_pieces_decodes_the_same(data: bytes, size: int) -> None:
    """Padding in the middle and stray octets among it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            transfer,
            "iter_windows",
            lambda data, start, end: octets.iter_windows(data, start, end, size),
        )
        for raw in (base64.encodebytes(data), base64.b64encode(data) * 2, data):
            found = b"".join(transfer.decode_pieces(raw, 0, len(raw), "base64"))
            assert found == transfer.decode(raw, "base64")
            assert b"".join(windows.decode(raw, 0, len(raw), b"")) == raw


def test_a_file_gives_what_was_put_in() -> None:
    data = bytes(range(256)) * 20_000
    spool = collect([data[:300_000], data[300_000:]])
    assert isinstance(spool, Spool)
    assert (len(spool), spool[:], spool[5:700]) == (len(data), data, data[5:700])
    assert spool.startswith((b"x", b"\0\1"))
    assert spool.startswith(b"\5\6", 5)
    assert not spool.startswith(b"\5\6", 5, 6)
    assert spool.endswith(b"\xff")
    assert spool.endswith(b"\4", 0, 5)
    assert not spool.endswith(b"\3\4", 4, 5)
    assert isinstance(collect([b"few"]), bytes)


ORDERS = 6
CONTENT = {
    "no address": b"".join(b"%064d\r\n" % n for n in range(20_000)),
    "an address now and then": b"".join(
        b"%060d %s\r\n" % (n, BUYER.encode() if n % 500 == 0 else b"-") for n in range(20_000)
    ),
    "an attachment": b"\r\n".join(
        (b"--b", b"Content-Type: text/plain", b"", b"To " + BUYER.encode(), b"--b",
         b"Content-Type: image/png", b"Content-Transfer-Encoding: base64", b"",
         base64.encodebytes(random.Random(3).randbytes(900_000)).replace(b"\n", b"\r\n"),
         b"--b--", b"")
    ),
}  # fmt: skip


class Room:
    """Where large octets are kept; `most` tells how many there were at once."""

    def __init__(self) -> None:
        self.most = 0
        self._live: dict[int, weakref.ref[Spool]] = {}

    def store(self, pieces: Iterable[bytes]) -> octets.Octets:
        """Keep octets, and see how many are kept by now."""
        found = collect(pieces)
        if isinstance(found, Spool):
            self._live[id(found)] = weakref.ref(found)
        left = [spool for each in self._live.values() if (spool := each()) is not None]
        self.most = max(self.most, sum(map(len, left)))
        return found


@pytest.mark.slow
@pytest.mark.parametrize("content", CONTENT)
def test_a_large_message_of_many_orders_does_not_lie_there_once_for_each(content: str) -> None:
    """Each order has its own record, with its own aliases, and they share what is the same."""
    people = [(f"{n:x}" * 32, f"{n + 1:031x}f") for n in range(1, ORDERS + 1)]
    orders = [
        order(
            person(BUYER, "buyer", buyer), person(CARRIER, "partner", carrier), id=n, ref=f"{n:012}"
        )
        for n, (buyer, carrier) in enumerate(people, 1)
    ]
    kind = "multipart/mixed; boundary=b" if content == "an attachment" else "text/plain"
    head = f"From: {CARRIER}\nContent-Type: {kind}\n\n".encode()
    sent = mail(head, *orders, to=[hard(buyer) for buyer, _ in people], sender=CARRIER)
    room, size = Room(), len(CONTENT[content])
    message = replace(
        sent.message,
        body=collect([CONTENT[content]]),
        limits=Limits(limits.UNLIMITED.check, room.store),
    )
    plan = replace(sent, message=message).plan()
    assert len(plan.records) == ORDERS
    assert room.most < 4 * size
    for record in plan.records:
        assert BUYER.encode() not in record.raw[:]
    alone = replace(message, recipients=message.recipients[-1:])
    [whole] = replace(sent, message=alone, conversations=(orders[-1],)).plan().records
    assert plan.records[-1].raw[:] == whole.raw[:]
    assert len(plan.records[-1].raw) == len(whole.raw)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_large_message_in_quoted_printable_is_masked(end: str) -> None:
    inside = f"From: {CARRIER}\nTo: x@y.example\nSubject: Hello\n\n"
    inside += f"-- \nWrite to {CARRIER} = soon, \u00e9 \t\n" * 30_000
    inside = inside.replace("\n", end)
    written = quopri.encodestring(inside.encode()).decode()
    head = f"From: {CARRIER}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
    head += "Content-Type: application/octet-stream; name=a.eml\n"
    head += "Content-Transfer-Encoding: quoted-printable\n\n"
    raw = head.replace("\n", end) + written + f"{end}--b--{end}"
    given = mail(raw, order(BUYER, CARRIER), to=B)
    copy = given.sent().body[:]
    assert max(map(len, copy.splitlines())) <= 78
    content = copy.partition(b"quoted-printable" + 2 * end.encode())[2].rpartition(b"--b--")[0]
    shown = quopri.decodestring(content).decode().removesuffix(end)
    assert shown == inside.replace(CARRIER, hard("a" * 32))
