"""A message is shown with what the tracker changed standing out, in colours only where wanted."""

import io

import pytest

from private.display import COLOURS, Display, Style, style

SENT = ["From: Carrier <a@x.example>", "Subject: Hello", "", "Write to a@x.example."]
RECEIVED = ["From: Carrier <1@ct.example>", "Subject: Hello", "", "Write to 1@ct.example."]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "expected"),
    [
        (Terminal(), {"TERM": "xterm"}, COLOURS),
        (Terminal(), {"NO_COLOR": ""}, COLOURS),
        (Terminal(), {"NO_COLOR": "1"}, Style()),
        (Terminal(), {"TERM": "dumb"}, Style()),
        (io.StringIO(), {"TERM": "xterm"}, Style()),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    stream: io.StringIO, environ: dict[str, str], expected: Style
) -> None:
    assert style(stream, environ) == expected


def shown(style: Style) -> list[str]:
    stream = io.StringIO()
    display = Display(stream, style)
    display.sent("the carrier", SENT, RECEIVED)
    display.received("the buyer", RECEIVED, SENT)
    return stream.getvalue().splitlines()


def test_changed_lines_have_a_mark_and_all_others_a_bar() -> None:
    assert shown(Style()) == [
        "  Sent by the carrier:",
        "  - From: Carrier <a@x.example>",
        "  | Subject: Hello",
        "  |",
        "  - Write to a@x.example.",
        "",
        "  Received by the buyer:",
        "  + From: Carrier <1@ct.example>",
        "  | Subject: Hello",
        "  |",
        "  + Write to 1@ct.example.",
        "",
    ]


def test_only_changed_words_are_coloured() -> None:
    lines = shown(Style(gone="[", come="{", plain="]"))
    assert lines[1] == "  - From: Carrier <[a@x.example]>"
    assert lines[7] == "  + From: Carrier <{1@ct.example]>"
    assert lines[2] == "  | Subject: Hello"


def test_line_of_known_words_in_another_place_is_coloured_whole() -> None:
    stream = io.StringIO()
    Display(stream, Style(come="{", plain="]")).received("b", ["two one", "x"], ["x", "one two"])
    assert stream.getvalue().splitlines()[1] == "  + {two]{ ]{one]"
