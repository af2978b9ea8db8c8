"""Text in the format "flowed" (RFC 3676) as it is read: paragraphs in one line each.

Nothing here raises.
"""

from collections.abc import Iterator

_SIGNATURE = "-- "


def join_lines(text: str, *, delsp: bool = False) -> str:
    """Join the lines that soft line breaks divide.

    Args:
        text: decoded text with LF.
        delsp: whether DelSp=yes is declared: else the blank before a soft break is text.

    Returns:
        The text; quoted lines begin with a mark for each depth and a blank.
    """
    return "\n".join(_iter_paragraphs(text.split("\n"), delsp))


def _iter_paragraphs(lines: list[str], delsp: bool) -> Iterator[str]:
    """Yield each paragraph; a line of another quote depth begins a new one (section 4.5)."""
    held: list[str] = []
    depth = 0
    for line in lines:
        bare = line.lstrip(">")
        deep = len(line) - len(bare)
        bare = bare.removeprefix(" ")
        if held and (deep != depth or bare == _SIGNATURE):
            yield _quote("".join(held), depth)
            held = []
        depth = deep
        flows = bare.endswith(" ") and bare != _SIGNATURE
        held.append(bare[:-1] if flows and delsp else bare)
        if not flows:
            yield _quote("".join(held), depth)
            held = []
    if held:
        yield _quote("".join(held), depth)


def _quote(text: str, depth: int) -> str:
    return f"{'>' * depth} {text}" if depth and text else ">" * depth + text
