"""What is looked at of a copy shows whomever all of it shows, if the record showed nobody."""

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.scanning.text import known_texts
from conversation_tracker.core.scanning.text.known_texts import REACH, KnownTexts
from conversation_tracker.core.scanning.text.text_search import TextSearch

JOHN = "john.doe@home.example"
PEOPLE = {JOHN: "j", "ann@web.example": "a", "bob+x@mail.shop.co.uk": "b"}
ALIAS = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb@ct.example.com"
WORDS = "one thing of many, packed by hand and shipped to the customer. "
ROW = f'<tr><td class="cell">{WORDS}</td></tr>\n'

NEAR = [
    *("john", "doe", ".", "@", "home", ".example", "ann", "web", "bob", "+x", "mail.shop.co.uk"),
    *(JOHN, "ann@web.example", "john.doe@", "@home.example", "x", " ", "\n", "\n> ", ", "),
    *(" at ", " (at) ", " [dot] ", "&lt;at&gt;", " dot ", "%40", "&#64;", "&amp;", "&#106;ohn"),
    *("&amp;lowbar;", "&amp;#64;", "%2540", "=40", "\\u0040", "%u0040", "+AEA-", "=\n", "\u00ad"),
    *("<b>", "</b>", "<i x='y'>", "<p>", "<br>", "<!-- x -->", "<a href='", "'>", "</a>", "<", ">"),
    *('<span style="display:none">', "</span>", f"<b title='{'x' * 3000}'></b>", "\u200b" * 1500),
    *("am9obi5kb2VAaG9tZS5leGFtcGxl", "6a6f686e2e646f6540686f6d652e6578616d706c65", "\x1b[0m"),
    *("imceaex-john+2Edoe", "{\\rtf1 ", "{\\*", "}", "\\'40", "https://x.example/?u=", "=3D40"),
    *(f"<i>{' ' * 700}</i>", "> " * 90, "<b></b>" * 300, "&shy;" * 400, "\u0301", "e\u0301"),
]
FAR = [
    *("", "", "", "&amp;amp;", "x=\ny", "{\\rtf1 {\\*", "\x1b$B", "%41"),
    *("<span style='display:none'>", "<bdo dir='rtl'>"),
]
CHANGES = st.lists(st.sampled_from(NEAR), max_size=4).map("".join)


GAPS = [
    *("<b></b>", "<i>", "<br>", "\n> ", " ", "\u00ad", "&shy;" * 300, "\u200b" * 1500),
    *(f"<b title='{'x' * 3000}'></b>", "<!-- -->" * 300, f"<u>{' ' * 90}</u>", "&amp;shy;", "=\n"),
    *("\n" + "> " * 90, '<span style="display:none">no</span>' * 40),
]
SPELLED = [
    ["john", ".", "doe", "@", "home", ".", "example"],
    ["john", " dot ", "doe", " (at) ", "home", " [dot] ", "example"],
    ["john", "&#46;", "doe", "%40", "home", "&period;", "example"],
    ["john.doe", "&amp;amp;amp;amp;#64;", "home.example"],
    ["ann", " at ", "web", " dot ", "example"],
    ["elpmaxe", ".", "emoh", "@", "eod", ".nhoj"],
    ["bob", "@", "mail", ".", "shop", ".", "co", ".", "uk"],
    ["am9o", "bi5k", "b2VAaG9t", "ZS5leGFtcGxl"],
]


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a piece of a record and of a copy: an address of which the record lacks a word."""
    words = list(draw(st.sampled_from(SPELLED)))
    for _ in range(draw(st.integers(0, 3))):
        words.insert(draw(st.integers(0, len(words))), draw(st.sampled_from(GAPS)))
    number = draw(st.integers(0, len(words) - 1))
    lacking = draw(st.sampled_from([ALIAS, "x", "", "/", "n" * 700]))
    beside = draw(st.sampled_from(["", " ", "x", "<p>", "\n"]))
    record = "".join([*words[:number], lacking, *words[number + 1 :]])
    return beside + record, beside + "".join(words)


ANY_CHANGES = st.tuples(CHANGES, CHANGES, CHANGES).map(
    lambda each: (each[0] + ALIAS + each[2], "".join(each))
)


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, str, bool]:
    """Draw a record's text and a copy's, that differ in a few places, and whether they are HTML."""
    markup = draw(st.booleans())
    line = ROW if markup else WORDS + "\n"
    record = copy = ""
    for _ in range(draw(st.integers(1, 3))):
        same = line * draw(st.integers(0, 40)) + draw(st.sampled_from(FAR)) + line * 40
        old, new = draw(changes() | changes() | ANY_CHANGES)
        record += same + old
        copy += same + new
    end = line * draw(st.integers(0, 60)) + draw(st.sampled_from(FAR))
    return record + end, copy + end, markup


def find_all(text: str, *, markup: bool) -> set[str]:
    """Return whom a text shows, in all of it."""
    return set(TextSearch(Scanner(PEOPLE), None).find(text, markup=markup))


def remember(text: str, *, markup: bool) -> KnownTexts | None:
    """Return what is known once a text was looked at; None if it showed somebody."""
    known, search = KnownTexts(), TextSearch(Scanner(PEOPLE), None)
    if list(search.find(text, markup=markup)):
        return None
    if not search.bears_far:
        known.remember(text, markup=markup)
    return known


def find_pieces(known: KnownTexts, text: str, *, markup: bool) -> list[str] | None:
    """Return the pieces of a text that are looked at; None where all of it is."""
    spans = known.find_differences(text, markup=markup)
    return None if spans is None else [text[start:end] for start, end in spans]


@settings(max_examples=40, deadline=None)
@given(texts())
@example((ROW * 90 + ALIAS + ROW * 90, ROW * 90 + JOHN + ROW * 90, True))
@example((WORDS * 200 + ALIAS, WORDS * 200, False))
# A soft break anywhere has all of a text decoded once more; so has a reference what is in tags.
@example(
    (
        "x=\ny" + ROW * 90 + ALIAS + ROW * 90,
        "x=\ny" + ROW * 90 + "john.doe&amp;amp;amp;amp;#64;home.example" + ROW * 90,
        True,
    )
)
@example(
    (
        "&amp;" + ROW * 90 + f"<a title='{ALIAS}'>" + ROW * 90,
        "&amp;" + ROW * 90 + "<a title='john.doe%u0040home.example'>" + ROW * 90,
        True,
    )
)
def test_what_differs_shows_whomever_all_of_a_text_shows(both: tuple[str, str, bool]) -> None:
    record, copy, markup = both
    if (known := remember(record, markup=markup)) is None:
        return
    pieces = find_pieces(known, copy, markup=markup)
    event("all" if pieces is None else "pieces")
    if pieces is not None:
        shown = {token for each in pieces for token in find_all(each, markup=markup)}
        assert find_all(copy, markup=markup) <= shown


@pytest.mark.parametrize("markup", [True, False])
@pytest.mark.parametrize("mark", ["", "<b></b>", "\n> ", "\u200b", "&shy;"])
@pytest.mark.parametrize("size", [1, 40, 600])
def test_an_address_is_seen_with_all_that_may_be_in_it(mark: str, size: int, markup: bool) -> None:
    """What is in the middle of it counts by what it shows."""
    line = ROW if markup else WORDS + "\n"
    for number in (8, 13):
        written = JOHN[:number] + mark * size + JOHN[number:]
        for at in (0, len(written) - 1):
            record = line * 120 + written[:at] + "!" + written[at + 1 :] + line * 120
            copy = line * 120 + written + line * 120
            known = KnownTexts()
            if find_all(record, markup=markup):
                continue
            known.remember(record, markup=markup)
            pieces = find_pieces(known, copy, markup=markup)
            shown = {t for each in pieces or [copy] for t in find_all(each, markup=markup)}
            assert shown >= find_all(copy, markup=markup)


@pytest.mark.parametrize("markup", [True, False])
def test_little_is_looked_at_of_a_text_that_differs_little(markup: bool) -> None:
    line = ROW if markup else WORDS + "\n"
    known = KnownTexts()
    known.remember(line * 600 + ALIAS + line * 600, markup=markup)
    pieces = find_pieces(known, line * 600 + JOHN + line * 600, markup=markup)
    assert pieces is not None
    assert JOHN in pieces[0]
    assert 2 * REACH < sum(map(len, pieces)) < 12 * REACH


ROWS = [f"<p>{number} {WORDS}" for number in range(300)]


@pytest.mark.parametrize(
    "copy",
    [
        [*ROWS[:150], *ROWS[150:]],
        [*ROWS[:150], ROWS[150] + JOHN, *ROWS[151:]],
        [*ROWS[:150], JOHN, *ROWS[151:]],
        [*ROWS[:149], ALIAS, *ROWS[150:]],
        [*ROWS[:150], ALIAS, JOHN + "<p>", *ROWS[150:]],
        [ALIAS, *ROWS],
        [*ROWS, "<"],
        [*ROWS[1:]],
        ["x"],
        [],
    ],
)
def test_what_came_and_what_went_is_looked_at(copy: list[str]) -> None:
    """The pieces and what is between them are the text; outside of them, it is the record's."""
    record, text = "".join([*ROWS[:150], ALIAS, *ROWS[150:]]), "".join(copy)
    known = KnownTexts()
    known.remember(record, markup=True)
    spans = known.find_differences(text, markup=True)
    if spans is None:
        return
    assert spans
    done = 0
    for start, end in spans:
        assert text[done:start] in record
        done = end
    assert text[done:] in record


HTML = [Header(b"Content-Type", b"text/html; charset=utf-8")]
ANGLES = [
    "&lt;",
    "&#60;",
    "&LT",
    "mailto:",
    "https://",
    " ",
    "<a href='",
    "'>",
    "</a>",
    '"',
    "&gt;",
]
SHOWN = [
    *(JOHN, f"<p>{JOHN}</p>", f"&lt;{JOHN}&gt;", f"x/{JOHN}", f"<b title='{JOHN}'>", "<!--", "-->"),
    *(
        "<style>",
        "</style>",
        "<select>",
        "</select>",
        "<option>",
        "x" * 700,
        "<3",
        '<p title="',
        "'",
    ),
    *ANGLES,
]


LEADS = ["", " ", "https://x.example/", "www.x.example?q=" + f"{'y' * 99},<b></b>" * 30]


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["", "<html>", "<html><style>p {}<!-- x --></style><body>", "<!--<body>"]),
    st.lists(st.lists(st.sampled_from(SHOWN), max_size=4).map("".join), min_size=1, max_size=3),
    st.lists(st.lists(st.sampled_from(ANGLES), max_size=2).map("".join), min_size=4, max_size=4),
    st.integers(0, 40),
    st.sampled_from(LEADS),
)
@example("", ["<a href='", JOHN], [""] * 4, 40, "")
@example("", [JOHN], ["&lt;https://x.example ", "", "", ""], 40, "")
@example("", [JOHN], ["&lt<i></i>https://x.example ", "", "", ""], 40, "")
@example("<html><style>p {}<!-- x --></style><body>", [f"<p title='{JOHN}'>"], [""] * 4, 0, "")
@example("", [JOHN], [""] * 4, 40, LEADS[-1])
def test_the_readers_own_is_counted_in_pieces_as_in_all_of_a_page(
    head: str, shown: list[str], beside: list[str], rows: int, lead: str
) -> None:
    """Where nobody reads it, as often."""
    record = copy = head + ROW * rows
    for each, near in zip(shown, beside, strict=False):
        record += near + ROW * 60 + lead + ALIAS + ROW * 60
        copy += near + ROW * 60 + lead + each + ROW * 60
    scanner = Scanner(PEOPLE)
    if scanner.scan(HTML, record.encode()):
        return
    found = scanner.look(HTML, copy.encode(), "j")
    again = Scanner(PEOPLE).look(HTML, copy.encode(), "j")
    assert found == again


READER = "web.example@io.example"
LONG = "<b></b>".join(["x" * 100] * 40)
RTF = "{\\rtf1 of many}\n" + (WORDS + "\n") * 60
OVER_LINES = f"ann@{'<b x>' * 40}" + (f"\n{'<b x>' * 40}" * 20)
LINK = "https://urldefense.com/v2/url?u=https-3A__x.example_"


@pytest.mark.parametrize(
    ("kind", "before"),
    [
        ("plain", RTF + "ann@{"),  # a brace is no sign in RTF, wherever that begins
        ("plain", RTF.replace("\\", "&amp;amp;amp;bsol;") + "ann@{"),
        ("plain", f"a\\'41\n{RTF[18:]}ann@}}"),
        ("plain", OVER_LINES),  # nor is a tag, where one touches a word
        ("html", f"ann@\x1b[{'<' * 3000}m"),  # nor what is said to a terminal
        ("html", f"ann@\x9b{'<' * 3000}m"),
        ("html", f"{LINK}{LONG}_ann-40"),  # how a link is written, its beginning tells
    ],
)
def test_what_far_places_bear_on_is_looked_for_in_all_of_a_text(kind: str, before: str) -> None:
    """What comes to a text stands for itself, and is somebody else's address where it stands."""
    line = ROW if kind == "html" else WORDS + "\n"
    record, copy = (line * 200 + before + who + "\n" + line * 200 for who in (ALIAS, READER))
    header = [Header(b"Content-Type", f"text/{kind}".encode())]
    people = {"ann@web.example": "a", READER: "r"}
    scanner = Scanner(people)
    assert not scanner.scan(header, record.encode())
    assert {hit.token for hit in Scanner(people).scan(header, copy.encode(), "r")} == {"a"}
    assert {hit.token for hit in scanner.scan(header, copy.encode(), "r")} == {"a"}


@pytest.mark.parametrize("token", ["YUBiLmM", "6140622e63"])
def test_links_are_looked_at_in_text_that_was_an_attachment_before(token: str) -> None:
    """In what is attached, so short an address may be chance."""
    text = WORDS * 100 + f"\nhttps://x.example/u/{token} \n" + WORDS * 100
    header = [Header(b"Content-Type", b'multipart/mixed; boundary="x"')]
    head = "--x\nContent-Type: application/octet-stream\n\n"
    body = f"{head}{text}\n--x\nContent-Type: text/plain\n\n{text}\n--x--\n"
    hits = Scanner({"a@b.c": "s"}).scan(header, body.encode())
    assert [hit.channel for hit in hits] == ["part 3 text/plain"]


def test_many_differences_are_found_in_proportion() -> None:
    line = WORDS * 40 + "\n"
    for often in (100, known_texts._OFTEN + 1):
        known = KnownTexts()
        known.remember((line + ALIAS + "\n") * often, markup=False)
        pieces = known.find_differences((line + JOHN + "\n") * often, markup=False)
        assert pieces is None


def test_a_text_nothing_alike_is_told_after_a_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the parts of one message are, each of which is held against the ones before."""
    compared: list[object] = []
    count_same = known_texts._count_same
    monkeypatch.setattr(
        known_texts, "_count_same", lambda *where: compared.append(where) or count_same(*where)
    )
    texts = KnownTexts()
    texts.remember("".join(f"line {n} of one text\n" for n in range(800)), markup=False)
    assert (
        texts.find_differences("".join(f"{n}th of another\n" for n in range(800)), markup=False)
        is None
    )
    assert 0 < len(compared) < 16
