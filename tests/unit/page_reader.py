"""Reads a page strictly: what is opened is closed, and what is named is there."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

VOID = {"br", "hr", "img", "input", "link", "meta", "wbr"}
EMPTY_SHAPES = {"path", "circle", "use"}  # of SVG, written <path/>


@dataclass
class Element:
    """An element of a page."""

    tag: str
    attributes: dict[str, str | None]
    inside: list["Element | str"] = field(default_factory=list)

    def walk(self) -> Iterator["Element"]:
        """Go through it and all elements within, in order."""
        yield self
        for each in self.inside:
            if isinstance(each, Element):
                yield from each.walk()

    def find(self, tag: str, **attributes: str) -> list["Element"]:
        """Return the elements within of a tag and with attributes; `class_` is one of classes."""
        wanted = attributes.pop("class_", None)
        return [
            each
            for each in self.walk()
            if each.tag == tag
            and (wanted is None or wanted in (each.attributes.get("class") or "").split())
            and all(each.attributes.get(name) == value for name, value in attributes.items())
        ]

    @property
    def text(self) -> str:
        """Return all text within, as it stands there."""
        return "".join(each if isinstance(each, str) else each.text for each in self.inside)

    @property
    def words(self) -> str:
        """Return all text within, on one line."""
        return " ".join(self.text.split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _value in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice: {names}"
        element = Element(tag, dict(attrs))
        self.open[-1].inside.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in EMPTY_SHAPES
        self.open[-1].inside.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"{tag} is closed within {self.open[-1].tag}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def read_page(text: str) -> Element:
    """Read a page.

    Raises:
        AssertionError: its elements do not fit into each other.
    """
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert len(reader.open) == 1, f"not closed: {[each.tag for each in reader.open]}"
    return reader.open[0]


def list_faults(page: Element) -> list[str]:
    """Return what keeps people from using a page who do not see it, or have no mouse."""
    found = []
    everything = list(page.walk())
    ids = [each.attributes["id"] for each in everything if "id" in each.attributes]
    found += [f"twice: {each}" for each in set(ids) if ids.count(each) > 1]
    for element in everything:
        for name in ("for", "aria-labelledby", "aria-describedby"):
            found += [
                f"{name} leads nowhere: {each}"
                for each in (element.attributes.get(name) or "").split()
                if each not in ids
            ]
        link = element.attributes.get("href") or ""
        if link.startswith("#") and link[1:] not in ids:
            found.append(f"href leads nowhere: {link}")
        named = element.tag in ("a", "button", "summary", "h1", "h2", "h3", "dt", "title")
        if named and not element.words and "hidden" not in element.attributes:
            found.append(f"without words: {element.tag}")
        if element.tag == "iframe" and not element.attributes.get("title"):
            found.append("a frame without a title")
    labelled = {each.attributes.get("for") for each in page.find("label")}
    for tag in ("input", "select"):
        found += [
            f"without a label: {each.attributes}"
            for each in page.find(tag)
            if each.attributes.get("type") != "hidden" and each.attributes.get("id") not in labelled
        ]
    levels = [int(each.tag[1]) for each in everything if each.tag in ("h1", "h2", "h3", "h4")]
    if levels[:1] != [1] or levels.count(1) != 1:
        found.append(f"headings begin with no h1, or have several: {levels}")
    found += [f"h{b} behind h{a}" for a, b in pairwise(levels) if b > a + 1]
    if len(page.find("main")) != 1 or page.find("html")[0].attributes.get("lang") != "en":
        found.append("no main, or no language")
    for tag in ("ul", "ol"):
        found += [
            f"in a {tag}: {child.tag}"
            for each in page.find(tag)
            for child in each.inside
            if isinstance(child, Element) and child.tag != "li"
        ]
    return found
