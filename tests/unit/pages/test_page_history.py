"""What a text repeats is found, and nothing of the text is lost."""

# ruff: noqa: RUF001 (letters of other alphabets are meant)

import pytest
from cost import linear
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.pages import history_words as words
from conversation_tracker.pages.history import MAX_LINES, MAX_PIECES, TextPiece, fold

WROTE = "On Mon, Nov 23, 2026 at 5:23 PM Ann <ann@ct.example> wrote:"
LINES = [
    "", " ", ">", "> ", "> quoted", ">> twice", "said", "-- ", "--", WROTE, "wrote:", ":", "_" * 32,
    "-----Original Message-----", "-------- Weitergeleitete Nachricht --------", "From: x",
    "Sent: y", "To: z", "Subject: q", "*Von:* x", "2026-11-23 17:23 GMT <x>:", "\uff1e", "-" * 99,
]  # fmt: skip


@given(st.lists(st.sampled_from(LINES) | st.text(max_size=20)), st.sampled_from(["\n", "\n\n"]))
def test_nothing_is_lost_reordered_or_doubled(lines: list[str], end: str) -> None:
    text = end.join(lines)
    pieces = fold(text)
    assert "".join(each.text for each in pieces) == text
    assert all(each.text for each in pieces)


@given(st.text())
def test_any_text_is_whole(text: str) -> None:
    assert "".join(each.text for each in fold(text)) == text


@given(st.lists(st.text(st.characters(categories=["L", "Zs"]), min_size=1)))
def test_words_alone_are_never_folded(lines: list[str]) -> None:
    assert {each.kind for each in fold("\n".join(lines))} <= {"text"}


def kinds(text: str) -> list[tuple[str, str]]:
    return [(each.kind, each.shown) for each in fold(text)]


@pytest.mark.parametrize(
    "introduction",
    [
        WROTE,
        "On 23 Nov 2026, at 17:23, Ann Long Name of a Company with a long name\n<a@b> wrote:",
        "Am 23.11.26 um 17:23 schrieb Ann:",
        "Am Mo., 23. Nov. 2026 um 17:23 Uhr schrieb Ann <ann@ct.example>:",
        "Le lun. 23 nov. 2026 à 17:23, Ann <ann@ct.example> a écrit :",
        "El lun, 23 nov 2026 a las 17:23, Ann (<ann@ct.example>) escribió:",
        "Il giorno lun 23 nov 2026 alle ore 17:23 Ann <ann@ct.example> ha scritto:",
        "Op ma 23 nov. 2026 om 17:23 schreef Ann <ann@ct.example>:",
        "Em seg., 23 de nov. de 2026 às 17:23, Ann <ann@ct.example> escreveu:",
        "pon., 23 lis 2026 o 17:23 Ann <ann@ct.example> napisał(a):",
        "Den mån 23 nov. 2026 kl 17:23 skrev Ann <ann@ct.example>:",
        "po 23. 11. 2026 v 17:23 odesílatel Ann <ann@ct.example> napsal:",
        "ma 23. marrask. 2026 klo 17.23 Ann (ann@ct.example) kirjoitti:",
        "пн, 23 нояб. 2026 г. в 17:23, Ann <ann@ct.example>:",
        "23 Kas 2026 Pzt, saat 17:23 tarihinde Ann <ann@ct.example> şunu yazdı:",
        "2026年11月23日(月) 17:23 Ann <ann@ct.example>:",
        "Ann <ann@ct.example> 于2026年11月23日周一 17:23写道：",
        "2026년 11월 23일 (월) 오후 5:23, Ann <ann@ct.example>님이 작성:",
        "2026-11-23 17:23 GMT+01:00 Ann <ann@ct.example>:",
        "Ann wrote:",
    ],
)
@pytest.mark.parametrize("gap", ["\n", "\n\n", "\n \n\n"])
def test_a_quote_is_folded_with_who_wrote_it(introduction: str, gap: str) -> None:
    quote = f"{introduction}{gap}> Where is it?\n>\n> Ann"
    assert kinds(f"It is here.\n\n{quote}\n") == [("text", "It is here."), ("history", quote)]


@pytest.mark.parametrize("word", sorted(words.WROTE))
def test_who_wrote_is_understood_in_every_language(word: str) -> None:
    quote = f"Ann {word}:\n> a"
    assert kinds(f"b\n\n{quote}") == [("text", "b"), ("history", quote)]


@pytest.mark.parametrize(
    "rest",
    [
        "-----Original Message-----\nFrom: Ann\nWhere?",
        "-----Ursprüngliche Nachricht-----\nVon: Ann\n\n> a",
        "-------- Message d'origine --------\nOriginal",
        "______________\nVon: Ann <a@b>\nGesendet: Montag\nAn: x\nBetreff: q\n\nWo?",
        "From: Ann\nSent: Monday, November 23, 2026 5:23 PM\nTo: x\nSubject: q\n\nWhere?",
        "*De :* Ann\n*Envoyé :* lundi\n*À :* x\n*Objet :* q\n\nOù ?",
        "发件人: Ann\n发送时间: 2026年11月23日\n收件人: x\n主题: q\n\n?",
        f"{WROTE}\n\nbare text, without a mark\n\nand more",
        "Am 23.11.2026 um 17:23 schrieb Ann <a@b>:\nbare text",
    ],
)
def test_all_behind_an_introduction_is_folded(rest: str) -> None:
    assert kinds(f"It is here.\n\n{rest}\n") == [("text", "It is here."), ("history", rest)]


@pytest.mark.parametrize(
    "rest",
    [
        "---------- Forwarded message ---------\nFrom: x\nSubject: q\n\n> Where?",
        "-------- Weitergeleitete Nachricht --------\nBetreff: q\n\nWo?",
        "Begin forwarded message:\n\nFrom: x\n\nWhere?",
        "Anfang der weitergeleiteten Nachricht:\n\nVon: x",
    ],
)
def test_what_is_forwarded_is_folded(rest: str) -> None:
    assert kinds(f"Look:\n\n{rest}") == [("text", "Look:"), ("forwarded", rest)]
    assert kinds(rest) == [("forwarded", rest)]


def test_short_quotes_with_answers_below_stay() -> None:
    text = "> Which one?\n\nThe red one.\n\nAnn wrote:\n> And when?\n\nToday.\n\n-- \nJohn\n\n> old"
    assert kinds(text) == [
        ("quote", "> Which one?"),
        ("text", "The red one."),
        ("quote", "Ann wrote:\n> And when?"),
        ("text", "Today."),
        ("signature", "-- \nJohn"),
        ("history", "> old"),
    ]


def test_a_long_quote_above_the_answer_is_folded() -> None:
    quote = "\n".join(["> line"] * 7)
    assert kinds(f"{quote}\nanswer") == [("history", quote), ("text", "answer")]


@pytest.mark.parametrize(
    "text",
    [
        "On 5 May you wrote:\n\nthat it comes tomorrow. It did not.",
        "I will go\nFrom: Berlin\nTo: Munich\nDate: 5 May\nand back.",
        "Dear Ann,\n\n--\n" + "a line\n" * 13,
        "Items:\n\n- one\n- two",
        "a > b, and\n--- maybe ---\nno",
        "We wrote:\n\nnothing",
        "10:30 <- that is when I wrote\nor later",
    ],
)
def test_what_only_looks_so_is_not_folded(text: str) -> None:
    assert kinds(text) == [("text", text.strip("\n"))]


def test_a_text_in_very_many_pieces_has_one_for_the_rest() -> None:
    text = "> a\nb\n" * 1000
    assert len(fold(text)) <= MAX_PIECES + 2
    assert "".join(each.text for each in fold(text)) == text


def test_lines_beyond_are_not_looked_at() -> None:
    text = "a\n" * MAX_LINES + "> a\n" * 10
    assert fold(text) == [TextPiece("text", text)]


def test_a_piece_counts_its_lines() -> None:
    piece = TextPiece("history", "\n\n> a\n>\n> b\n\n")
    assert (piece.lines, piece.shown) == (3, "> a\n>\n> b")


@pytest.mark.parametrize(
    "piece",
    [
        *LINES,
        ">" * 50,
        "On ",
        "a:",
        "From:\nTo:",
        "From: x\nSubject: y",
        "wrote: ",
        "\u00a0",
        "<2026 1:23>:",
    ],
)
@pytest.mark.parametrize("end", ["\n", "", "\n\n\n", "\n2026 <x>:\n"])
def test_no_text_costs_more_than_its_length_allows(piece: str, end: str) -> None:
    linear(lambda size: fold((piece + end) * (size // (len(piece + end) or 1))), 100_000)
