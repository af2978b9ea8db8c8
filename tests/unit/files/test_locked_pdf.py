"""PDF files that open without a password though they are encrypted: by masking and by the scan."""

from collections.abc import Callable

import pytest
from both_sides import RAW, REAL, masking, scanning
from cost import within
from locked_pdf import WAYS, Locked, lock

from conversation_tracker.core.base import ciphers
from conversation_tracker.core.base.limits import UNLIMITED, Limits, Overdue
from conversation_tracker.core.masking.container.budget import Unpacking
from conversation_tracker.core.masking.container.document import pdf
from conversation_tracker.core.scanning.carving import Carver

PAGE = b"BT (Statement for ) Tj 0 -12 Td (john@) Tj (doe.example) Tj ET"


@pytest.mark.parametrize("finds", [masking, scanning])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "made",
    [
        lambda how: lock(PAGE, how),
        lambda how: lock(b"", how, author=RAW),
        lambda how: lock(b"", how, author=b"\xfe\xff" + REAL.encode("utf-16-be")),
        lambda how: lock(b"", how, objects=b"8 0 <</V(john\\100doe.example)>>"),
        lambda how: lock(PAGE, how).replace(b"14 0 R", how.tell()).replace(b"/ID", b"/A 1/ID"),
        lambda how: (
            lock(PAGE, how)
            + b"trailer\n<</Encrypt 14 0 R/ID[<%s>]>>\n" % b"name of file".hex().encode()
        ),
        lambda how: b"%PDF-1.7\n%/Encrypt 99 0 R\n" + lock(PAGE, how) + b"%/Encrypt 99 0 R\n",
        lambda how: lock(PAGE, how).replace(b"stream\r\n", b"stream \r"),
        lambda how: (
            b"%PDF-1.7\n" + b"%/Encrypt 99 0 R\n" * 9 + lock(PAGE, how) + b"%/Encrypt 98 0 R\n" * 9
        ),
    ],
    ids=[
        *("page", "author", "author in UTF-16", "object", "no object of its own", "two trailers"),
        *("words of another", "a blank behind a word", "many false words"),
    ],
)
def test_what_opens_without_a_password_is_read(
    finds: Callable[[bytes], bool], way: str, made: Callable[[Locked], bytes]
) -> None:
    data = made(WAYS[way])
    assert RAW not in data
    assert finds(data)


@pytest.mark.parametrize("finds", [masking, scanning])
@pytest.mark.parametrize("revision", [2, 3, 4, 5, 6])
def test_what_needs_a_password_shows_nothing(finds: Callable[[bytes], bool], revision: int) -> None:
    assert not finds(lock(PAGE, Locked(revision, password=b"1979")))


@pytest.mark.parametrize("finds", [masking, scanning])
def test_metadata_in_clear_are_read_as_they_stand(finds: Callable[[bytes], bool]) -> None:
    data = lock(b"", Locked(4, metadata=False))
    clear = b"9 0 obj\n<</Type/Metadata>>\nstream\n<a>john@<b/>doe.example</a>\nendstream\nendobj\n"
    assert finds(data.replace(b"trailer", clear + b"trailer").replace(b"@<b/>", b"@"))


@pytest.mark.parametrize("finds", [masking, scanning])
@pytest.mark.parametrize(
    "change",
    [
        (b"/V 5", b"/V 9"),
        (b"/CFM/AESV3", b"/CFM/None"),
        (b"/Standard", b"/Adobe.PubSec"),
        (b"/U<", b"/U<00"),
        (b"/UE(", b"/UE()/X("),
        (b"/Encrypt 14 0 R", b"/Encrypt 15 0 R"),
        (b"14 0 obj", b"14 0 object"),
        (b"/StmF/StdCF/StrF/StdCF", b""),
        (b"stream\r\n", b"stream\r\nx"),
    ],
)
def test_what_is_broken_raises_nothing(
    finds: Callable[[bytes], bool], change: tuple[bytes, bytes]
) -> None:
    for way in WAYS.values():
        data = lock(PAGE, way)
        finds(data.replace(*change))
        finds(data[: len(data) // 2] + data[-60:])


@pytest.mark.parametrize("finds", [masking, scanning])
@pytest.mark.parametrize("method", [b"AESV2", b"AESV3", b"RC6", b"None"])
def test_a_method_that_its_version_does_not_know_raises_nothing(
    finds: Callable[[bytes], bool], method: bytes
) -> None:
    filters = b"/V 1/CF<</StdCF<</CFM/%s>>>>/StmF/StdCF/StrF/StdCF" % method
    finds(lock(PAGE, Locked(2), author=RAW).replace(b"/V 1", filters))


@pytest.mark.parametrize("finds", [masking, scanning])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_line_may_end_inside_a_string(finds: Callable[[bytes], bool], line_end: bytes) -> None:
    for way in WAYS.values():
        data = lock(b"", way, author=RAW)
        assert finds(data.replace(b"/Author(", b"/Author(\\" + line_end))


BOMBS: dict[str, Callable[[], bytes]] = {
    "strings": lambda: b"1 0 obj\n" + b"(abc)" * 400_000,
    "strings without end": lambda: b"1 0 obj\n" + b"(a(\\)" * 400_000,
    "objects": lambda: b"1 0 obj(x)" * 200_000,
    "streams": lambda: b"1 0 obj\nstream\nx\nendstream" * 200_000,
    "streams without end": lambda: b"1 0 obj\nstream\n" * 200_000,
    "one large stream": lambda: b"1 0 obj\nstream\n" + bytes(20_000_000) + b"endstream",
    "numbers": lambda: b"1 " * 2_000_000,
    "digits": lambda: b"1" * 4_000_000,
    "references": lambda: b"/Encrypt 14 0 R" * 300_000,
    "other objects": lambda: b"114 0 obj" * 300_000 + b"/Encrypt 14 0 R",
}


@pytest.mark.parametrize("finds", [masking, scanning])
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_looked_at_within_bounded_time(finds: Callable[[bytes], bool], name: str) -> None:
    file = lock(b"", Locked(3))
    data = file.replace(b"trailer", BOMBS[name]() + b"\ntrailer")
    assert not within(10, lambda: finds(data))


def test_the_time_is_asked_for() -> None:
    def overdue() -> None:
        raise Overdue(hopeless=False)

    for go in (
        lambda limits: [*pdf.open_pdf(lock(PAGE, Locked(3)), Unpacking(limits))],
        lambda limits: [*Carver(limits).iter_contents(lock(PAGE, Locked(3)))],
    ):
        go(UNLIMITED)
        with pytest.raises(Overdue):
            go(Limits(check=overdue))


def test_ciphers_know_the_examples_of_their_standards() -> None:
    """RC4 of RFC 6229's kind, AES of FIPS 197 and SP 800-38A."""
    assert ciphers.apply_rc4(b"Key", b"Plaintext").hex() == "bbf316e8d940af0ad3"
    assert ciphers.apply_rc4(bytes(range(1, 6)), bytes(8)).hex() == "b2396305f03dc027"
    key, plain = (
        bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"),
        bytes.fromhex("6bc1bee22e409f96e93d7e117393172a"),
    )
    packed = ciphers.encrypt_cbc(key, bytes(range(16)), plain + b"rest")
    assert packed.hex() == "7649abac8119b246cee98e9b12e9197d"
    assert ciphers.decrypt_cbc(key, bytes(range(16)), packed + b"rest") == plain
