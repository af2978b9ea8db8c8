"""Control sequences that begin in one encoded word and end in another (RFC 2047, ECMA-48, 35).

A reader joins the words, and what follows ESC is not seen. What is left of a sequence, were it cut,
would stand right before the address as more of it.
"""

import pytest
from builders import CARRIER, A, S, mail
from cost import linear
from spellings import ALIAS, JOHN, PEOPLE

from conversation_tracker.core.model.message import parse
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.syntax.encoded_words import decode_words

BEFORE = {
    "colour": "\x1b[1m",
    "long colour": "\x1b[38;5;12m",
    "one character": "\x9b1m",
    "Japanese": "\x1b$B$*Ld\x1b(B",
    "katakana": "\x1b(I12\x1b(J",
    "of a terminal": "\x1b]0;x\x07",
}
FIELDS = ["Subject: {}", "To: {} <x@stranger.example>", "To: x@stranger.example ({})"]


def word(text: str, label: str = "utf-8") -> str:
    """Write a text as one encoded word."""
    return f"=?{label}?q?" + "".join(f"={each:02X}" for each in text.encode(label)) + "?="


CASES = [(name, at) for name, begun in BEFORE.items() for at in range(1, len(begun) + 2)]


@pytest.mark.parametrize("other", ["utf-8", "us-ascii"])
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(("name", "at"), CASES)
def test_a_sequence_cut_in_two_hides_nobody(name: str, at: int, field: str, other: str) -> None:
    """Also where the charsets of the words differ, which few programs write."""
    text = BEFORE[name] + JOHN
    value = f"{word(text[:at])}\n {word(text[at:], other)}"
    raw = f"From: {JOHN}\n{field.format(value)}\n\nHello\n".encode()
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    done = sent.plan()
    copy = {each.name: decode_words(each.value) for each in sent.sent(done).headers}
    left = (copy[field.partition(":")[0].encode()], done.records[0].subject or "")
    assert ALIAS in left[0]
    assert not any("doe@" in each for each in left)
    assert Scanner({JOHN: "b" * 32}).scan(*parse(raw.partition(b"\n")[2]))


@pytest.mark.parametrize("begun", BEFORE.values(), ids=BEFORE)
def test_one_in_many_words_hides_nobody(begun: str) -> None:
    value = " ".join(map(word, begun + JOHN))
    raw = f"From: {JOHN}\nSubject: {value}\n\nHello\n".encode()
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    subject = next(each.value for each in sent.sent().headers if each.name == b"Subject")
    assert decode_words(subject).endswith(ALIAS)


@pytest.mark.parametrize("begun", BEFORE.values(), ids=BEFORE)
def test_words_that_name_nobody_stay_as_they_are(begun: str) -> None:
    value = " ".join(map(word, f"{begun}jane@home.example"))
    raw = f"From: {JOHN}\nSubject: {value}\n\nHello\n".encode()
    sent = mail(raw, PEOPLE, to=A, sender=JOHN)
    subject = next(each.value for each in sent.sent().headers if each.name == b"Subject")
    assert subject.strip() == value.encode()


@pytest.mark.parametrize(
    "run", ["\x1b", "\x1b[", "\x1b]", "1", "\x1b$B", "\x1b$B$*", "\x1b]xx", "\x9b;"]
)
def test_words_with_parts_of_sequences_are_read_in_linear_time(run: str) -> None:
    linear(lambda size: decode_words(" ".join([word(run)] * (size // 16)).encode()), 40_000)
    once = word("\x1b]")
    linear(lambda size: decode_words((once + f" {word(run)}" * (size // 16)).encode()), 40_000)


@pytest.mark.parametrize(
    "field", ["Subject: {}", 'To: "{}" <x@stranger.example>', 'From: "{}" <{w}>']
)
@pytest.mark.parametrize("octets", [b"\xc2\x9b", b"\x9b"])
def test_a_sequence_that_begins_with_one_octet_hides_nobody(octets: bytes, field: str) -> None:
    """In raw text, as most programs send it that send such; in latin-1 it is one octet."""
    author = "" if field.startswith("From") else f"From: {CARRIER}\n"
    raw = f"{author}{field.replace('{w}', CARRIER)}\n\nHello\n".encode()
    raw = raw.replace(b"{}", octets + b"1m" + JOHN.encode())
    sent = mail(raw, PEOPLE, to=S, sender=CARRIER)
    done = sent.plan()
    name = field.partition(":")[0].encode()
    left = next(decode_words(each.value) for each in sent.sent(done).headers if each.name == name)
    assert ALIAS in left
    record = done.records[0]
    assert not any(
        "doe@" in each for each in (left, record.subject or "", record.sender_name or "")
    )


@pytest.mark.parametrize("written", ["\\e[0m{}", "\\033[0m{}", "\\x1b[0m{}", "a\\b {}"])
@pytest.mark.parametrize("field", ["To: {} <x@stranger.example>", "From: {} <{w}>"])
def test_backslashes_in_encoded_words_are_no_quoted_pairs(field: str, written: str) -> None:
    """They stay where a name is written anew, as it is with octets beyond ASCII in it."""
    text = written.replace("{}", JOHN) + "\u00e4"
    value = word(text).replace("=C3=A4", "\u00e4")
    author = "" if field.startswith("From") else f"From: {CARRIER}\n"
    raw = f"{author}{field.replace('{}', value).replace('{w}', CARRIER)}\n\nHello\n".encode()
    sent = mail(raw, PEOPLE, to=S, sender=CARRIER)
    name = field.partition(":")[0].encode()
    left = next(decode_words(each.value) for each in sent.sent().headers if each.name == name)
    assert ALIAS in left
    assert "doe@" not in left
    assert written.partition("{")[0].rpartition("[")[0] in left
