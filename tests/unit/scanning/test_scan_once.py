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


CODED = f"{JOHN} and more words\n".encode()
NEEDY = [
    (2, "+AGo-ohn.doe@home.example\n"),
    (4, binascii.b2a_base64(CODED).decode()),
    (5, "BEGIN:VCALENDAR\njohn.doe@ho\n me.example\n"),
    (6, "john.doe@ho \nme.example\n"),
    (9, "john.do=\ne@home.example\n"),
]


@pytest.mark.parametrize(("number", "text"), NEEDY)
@pytest.mark.parametrize("place", range(4))
def test_each_message_of_a_mailbox_is_read_as_it_says(number: int, text: str, place: int) -> None:
    messages = [make_message(0, "Words of a line\n")] * 3
    messages.insert(place, make_message(number, text))
    assert scan("text/plain", "\n".join(messages), {JOHN: "j"})


@pytest.mark.parametrize(("number", "text"), NEEDY[:1] + NEEDY[2:])
def test_a_message_that_is_no_mailbox_is_read_to_its_end(number: int, text: str) -> None:
    whole = make_message(number, "Words\n\nFrom x\nSubject: is no field\n\n" + text)
    _, _, message = whole.partition("\n")
    assert scan("text/plain", message, {JOHN: "j"})


@pytest.mark.parametrize("number", range(len(HEADS)))
@pytest.mark.parametrize("begins", [True, False])
def test_no_text_is_looked_at_as_the_end_of_each_message_before_it(
    number: int, begins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    real = TextSearch.find
    monkeypatch.setattr(
        TextSearch, "find", lambda self, text, **how: looked.append(text) or real(self, text, **how)
    )
    last = "caf=E9 <b>last</b> line\n"
    mailbox = "\n".join([make_message(number, "=41 <b>line</b>\n")] * 40) + last
    mailbox = mailbox if begins else mailbox.partition("\n")[2]
    assert not scan("text/plain", mailbox, {JOHN: "j"})
    # By itself, as the end of the first message, and that decoded.
    most = 1 if begins else 4 if "quoted" in HEADS[number] else 3
    assert 0 < sum("last" in each for each in looked) <= most
    assert sum(map(len, looked)) < (most + 0.1) * len(mailbox)


def test_a_mailbox_of_more_messages_than_are_opened_is_not_read_again_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("conversation_tracker.core.scanning.scan_pass.MOST", 10)
    mailbox = "\n".join([make_message(9, "=41\n")] * 200)
    looked: list[str] = []
    real = TextSearch.find
    monkeypatch.setattr(
        TextSearch, "find", lambda self, text, **how: looked.append(text) or real(self, text, **how)
    )
    assert not scan("text/plain", mailbox, {JOHN: "j"})
    assert [len(each) for each in looked if len(each) > len(mailbox) // 2] == [len(mailbox)]
    assert len(looked) < 100
