"""A message's own pictures stand in its HTML, and nothing is loaded."""

from conversation_tracker.pages.pictures import put_pictures

FILES = {
    1: ("image/PNG", b"\x89PNG"),
    2: ("image/svg+xml", b"<svg onload=alert(1)>"),
    3: ("image/gif", b"x" * 6_000_000),
    4: ("image/jpeg", b"y" * 4_000_000),
    5: ("image/jpeg", b"z" * 4_000_000),
}


def show(html: str) -> str:
    return put_pictures(html, FILES.get)


def test_a_picture_stands_wherever_it_belongs() -> None:
    [one] = [f'<img src="data:image/png;base64,{octets}">' for octets in ["iVBORw=="]]
    assert show('<img src="attachment:1"> <img src="attachment:1">') == f"{one} {one}"


def test_what_is_no_picture_or_too_much_is_an_empty_place() -> None:
    assert show('<img src="attachment:2"><img src="attachment:3"><img src="attachment:9">') == (
        '<img src="">' * 3
    )
    shown = show('<img src="attachment:4"><img src="attachment:5"><img src="attachment:1">')
    assert shown.startswith('<img src="data:image/jpeg;base64,eXl5')
    assert shown.endswith('<img src=""><img src="data:image/png;base64,iVBORw==">')


def test_very_many_are_not_asked_for() -> None:
    asked = []

    def fetch(number: int) -> tuple[str, bytes] | None:
        asked.append(number)
        return None

    put_pictures("".join(f'<img src="attachment:{n}">' for n in range(1, 1000)), fetch)
    assert asked == list(range(1, 51))
