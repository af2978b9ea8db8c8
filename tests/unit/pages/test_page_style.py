"""The style sheet and the script: readable in light and dark, and nothing from elsewhere."""

import re

import pytest

from conversation_tracker.pages.static import read_static

SHEET = read_static("page.css")
SCRIPT = read_static("page.js")
COLOUR = re.compile(r"--([a-z-]+):\s*#([0-9a-f]{6});")

# What stands on what: text needs 4.5 to 1, what is no text 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11).
TEXT = [
    *[(ink, ground) for ink in ("ink", "quiet", "link") for ground in ("page", "card")],
    *[(ink, f"{way}-tint") for way in ("inbound", "outbound", "internal") for ink in (way, "ink")],
    *[(way, "card") for way in ("inbound", "outbound", "internal", "bad", "doubt", "good")],
    *[(each, f"{each}-tint") for each in ("bad", "doubt")],
    ("good", "outbound-tint"),
    ("quiet", "inbound-tint"),
    ("link", "inbound-tint"),
    ("doubt", "inbound-tint"),
    ("bad", "inbound-tint"),
    ("on-link", "link"),
    ("bad", "page"),
    ("doubt", "page"),
]
EDGES = [("edge", "page"), ("edge", "card"), ("inbound", "page"), ("outbound", "page")]


def colours(text: str) -> dict[str, str]:
    return dict(COLOUR.findall(text))


LIGHT = colours(SHEET.partition("@media")[0])
DARK = LIGHT | colours(
    re.findall(r"@media \(prefers-color-scheme: dark\) \{(.*?)\n\}\n", SHEET, re.S)[0]
)
PAPER = LIGHT | colours(SHEET.partition("@media print")[2])


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_computed_as_it_is_defined() -> None:
    assert contrast("ffffff", "000000") == pytest.approx(21)
    assert contrast("ffffff", "767676") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("colours", [LIGHT, DARK, PAPER], ids=["light", "dark", "paper"])
@pytest.mark.parametrize(("ink", "ground"), TEXT)
def test_text_can_be_read(colours: dict[str, str], ink: str, ground: str) -> None:
    assert contrast(colours[ink], colours[ground]) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("edge", "ground"), EDGES)
def test_edges_can_be_seen(colours: dict[str, str], edge: str, ground: str) -> None:
    assert contrast(colours[edge], colours[ground]) >= 3


def test_dark_changes_every_colour() -> None:
    assert [name for name in LIGHT if LIGHT[name] == DARK[name]] == []
    assert len(LIGHT) > 15


def test_every_variable_is_set_and_used() -> None:
    used = set(re.findall(r"var\(--([a-z-]+)\)", SHEET))
    written = set(re.findall(r"^\s*--([a-z-]+):", SHEET, re.MULTILINE))
    assert used == written


@pytest.mark.parametrize(
    "wanted",
    ["prefers-color-scheme: dark", "prefers-reduced-motion", "forced-colors", "print", "max-width"],
)
def test_it_minds_how_people_look(wanted: str) -> None:
    assert re.search(rf"@media[^{{]*{wanted}", SHEET)


@pytest.mark.parametrize("text", [SHEET, SCRIPT], ids=["style", "script"])
def test_nothing_is_from_elsewhere(text: str) -> None:
    assert not re.search(
        r"https?:|//[a-z]+\.|@import|url\(", re.sub(r"^\s*//.*", "", text, flags=re.M)
    )


def test_the_script_makes_no_markup_and_runs_no_text() -> None:
    for name in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval",
        "Function(",
    ):
        assert name not in SCRIPT
    assert not re.search(r"setTimeout\(\s*[\"'`]", SCRIPT)
    assert '"use strict";' in SCRIPT
