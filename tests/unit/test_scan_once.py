"""Messages inside a file are not looked at again where all of it was read as their text is."""

import binascii

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning import kinds
from conversation_tracker.core.scanning.hits import Hit
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.scanning.text.text_search import TextSearch

JOHN = "john.doe@home.example"
SHORT = "a@b.c"
HEADS = [
    *("", "Content-Type: text/plain\n", "Content-Type: text/plain; charset=utf-7\n"),
    *("Content-Type: text/html\n", "Content-Transfer-Encoding: base64\n"),
    *("Content-Type: text/calendar\n", "Content-Type: text/plain; format=flowed; delsp=yes\n"),
    *("Content-Type: message/rfc822\n", "Content-Type: text/rfc822-headers\n"),
    *("Content-Transfer-Encoding: quoted-printable\n", "Content-Type: text/x-log; name=a.html\n"),
    *("Content-Type: text/plain; charset=utf-8\n", "Content-Type: text/plain; charset=koi8-r\n"),
    "Content-Type: text/plain; charset=shift_jis\n",
]
LINES = [
    *(JOHN, SHORT, "john.doe", "@home.example", "john.doe (at) home.example", "john.doe@home. \n"),
    *("am9obi5kb2VAaG9tZS5leGFtcGxl\n", "john=2Edoe=40home=2Eexample", "+AGo-ohn.doe@home.example"),
    *("john<b></b>.doe@home.example", "john.doe\n @home.example", "=?utf-8?q?john=2Edoe?=@home"),
    *("https://x.example/?u=YUBiLmM=", " ", "\n", "\nFrom a\n", "Words of a line\n"),
    *("begin 644 a\n", "BEGIN:VCALENDAR\n", "john.d&#111;e@home.example", ">", ".example", "\0"),
    *("\u00e4", "\x1b$B", "\uff4aohn.doe@home.example", "\u00f6@"),
]
TEXTS = st.lists(st.sampled_from(LINES), max_size=6).map("".join)
UU = binascii.b2a_uu(f"{JOHN}\n".encode()).decode()


def make_message(number: int, text: str) -> str:
    return f"From x Mon Nov 23 12:00:00 2026\nFrom: a\nSubject: b\n{HEADS[number]}\n{text}\n"


MESSAGES = st.builds(make_message, st.integers(0, len(HEADS) - 1), TEXTS)
TYPES = st.sampled_from(["application/mbox", "application/octet-stream", "text/x-log", "x/y"])


def scan(kind: str, text: str, known: dict[str, str]) -> list[Hit]:
    header = Header(b"Content-Type", kind.encode())
    return Scanner(known).scan([header], text.encode("utf-8", "surrogateescape"))


@given(TYPES, st.lists(MESSAGES, min_size=1, max_size=3).map("".join), st.booleans())
@example("application/mbox", make_message(5, "john.doe\n @home.example\n"), False)
@example("application/mbox", make_message(2, "+AGo-ohn.doe@home.example\n"), False)
@example("application/mbox", make_message(6, "john.doe@ho \nme.example\n"), False)
@example("application/mbox", make_message(8, "X: john.doe@ho\n me.example\n"), False)
@example("application/mbox", make_message(0, "https://x.example/?u=YUBiLmM=\n"), True)
@example("application/mbox", make_message(0, f"begin 644 a\n{UU}`\nend\n\x01\n"), False)
@example("application/mbox", make_message(13, "\udc82\udc8aohn.doe@home.example\n"), False)
def test_who_is_seen_does_not_depend_on_it(kind: str, text: str, short: bool) -> None:
    known = {JOHN: "j", SHORT: "s"} if short else {JOHN: "j"}
    found = {hit.token for hit in scan(kind, text, known)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "name_charset", lambda _: "")
        assert found == {hit.token for hit in scan(kind, text, known)}


def test_the_text_of_a_mailbox_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    real = TextSearch.find
    monkeypatch.setattr(
        TextSearch, "find", lambda self, text, **how: looked.append(text) or real(self, text, **how)
    )
    line = "The words of this line st\u00e4nd in it once.\n"
    text = f"From x Mon Nov 23 12:00:00 2026\nFrom: a\nSubject: b\n\n{line}"
    assert not scan("application/mbox", text * 3, {JOHN: "j"})
    # Besides, the end of each message is before the fields of the next one.
    assert [each for each in looked if each.count(line) > 1] == [text * 3]
