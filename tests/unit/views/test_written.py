"""The reader's own address is not counted in a body that stays as it came."""

import pytest
from builders import BUYER, SHOP, Mail, hard, mail, order
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversation_tracker.core.model.plan import Edit
from conversation_tracker.core.scanning.content_scan import ContentScan
from conversation_tracker.core.scanning.scan import Scanner

ALIAS = hard("b")
KNOWN = order(BUYER, SHOP)
LINES = [
    *(f"To {BUYER}", f"<a href='mailto:{BUYER}'>{BUYER}</a>", f"https://x.example/?e={BUYER}"),
    *(f"See {ALIAS}", f"<a href='mailto:{ALIAS}'>x</a>", f"https://x.example/?e={ALIAS}"),
    *(f"From {SHOP}", "words of a line", f"<!-- {BUYER} -->", "am9obkBkb2UuZXhhbXBsZQ=="),
]
TYPES = ["text/plain", "text/html", "text/x-log", f'text/plain; name="{BUYER}"']
TYPES += [f'text/html; name="{SHOP}"', "application/octet-stream"]


def write(type: str, lines: list[str], subject: str = "x") -> Mail:
    """Write a message of the store to the buyer."""
    text = "\n".join(lines)
    head = f"From: {SHOP}\nSubject: {subject}\nContent-Type: {type}"
    return mail(f"{head}\n\n{text}\n", KNOWN, to=ALIAS)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note of which content it is asked what nobody reads of it."""
    asked: list[str] = []
    extract = ContentScan._extract_hidden

    def note(self: ContentScan, declared: object, data: bytes) -> str:
        asked.append(data.decode())
        return extract(self, declared, data)  # type: ignore[arg-type]

    monkeypatch.setattr(ContentScan, "_extract_hidden", note)
    return asked


@pytest.mark.parametrize("type", ["text/plain", "text/html"])
def test_what_nobody_reads_of_a_body_that_stays_is_not_asked(type: str, counted: list[str]) -> None:
    mail = write(type, LINES[:3] * 9, subject=f"https://x.example/?e={BUYER}")
    assert mail.sent().body is mail.message.body
    assert counted == []


@pytest.mark.parametrize("type", ["text/plain", "text/html"])
def test_it_is_asked_where_something_of_it_changed(type: str, counted: list[str]) -> None:
    mail = write(type, [*LINES[:3], f"See {ALIAS}"])
    assert f"See {BUYER}" in bytes(mail.sent().body).decode()
    assert any(counted)


def plan_edits(written: Mail, *, always: bool) -> tuple[Edit, ...]:
    """Plan a message, counting the reader's address in what stays as well."""
    look = Scanner.look
    with pytest.MonkeyPatch.context() as patch:
        if always:
            patch.setattr(
                Scanner, "look", lambda *given, written=False, **more: look(*given, **more)
            )
        return written.plan().edits


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(TYPES),
    st.lists(st.sampled_from(LINES), max_size=4),
    st.sampled_from(["x", f"of {BUYER}", f"https://x.example/?e={ALIAS}", f"mailto:{BUYER}"]),
)
@example(TYPES[3], [LINES[2]], "x")
def test_a_copy_is_the_same_as_if_it_were_counted(
    type: str, lines: list[str], subject: str
) -> None:
    made = plan_edits(write(type, lines, subject), always=False)
    assert made == plan_edits(write(type, lines, subject), always=True)
