"""The page of an order: what is shown, in which words, and that nothing is markup of others."""

import re
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from cost import linear
from hypothesis import given
from hypothesis import strategies as st
from page_orders import BUYER, NOW, OTHER, PARTNER, PLACED, STORE, make_delivery, make_message
from page_orders import make_order as order
from page_reader import Element, list_faults, read_page

from conversation_tracker.pages.beside import Beside, OrderPages
from conversation_tracker.pages.links import Links
from conversation_tracker.pages.order import render_order

HTML = '<p style="color:red">Hello "John" &amp; <b>others</b></p>'
HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;{{ 7 * 7 }}{% x %}"
    "\x00\x1b[31m\x9b\u202e\u2066\u200f\udcff\ufffe\u061c</style></title>--><![CDATA["
)


def write(found: dict[str, Any], **options: Any) -> str:
    return "".join(render_order(found, Links("/t"), **{"now": NOW, **options}))


def read(*messages: dict[str, Any], **options: Any) -> Element:
    page = read_page(write(order(*messages), **options))
    assert list_faults(page) == []
    return page


def article(message: dict[str, Any], **options: Any) -> Element:
    [found] = read(message, **options).find("article")
    return found


def answers(page: Element) -> list[str]:
    return [
        each.attributes["href"] or ""
        for each in page.find("a")
        if (each.attributes["href"] or "").startswith("mailto:")
    ]


# What is shown


def test_facts_and_people_stand_first() -> None:
    page = read(make_message())
    assert page.find("h1")[0].words == "Order 1001"
    facts = page.find("section", class_="facts")[0]
    said = {each.find("dt")[0].words: each.find("dd")[0].words for each in facts.find("div")}
    assert said == {
        "Store": "mystore",
        "Placed": "23 Nov 2026, 17:23 UTC",
        "Closed": "no",
        "Aliases work until": "22 Jan 2027, 17:23 UTC",
    }
    people = [each.words for each in facts.find("li")]
    assert people == [
        f"Customer John Doe {BUYER} Write to Customer",
        f"Store {STORE}",
        f"Partner 1 {PARTNER} Write to Partner 1",
        f"Partner 2 guest: named by a stranger {OTHER} Write to Partner 2",
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Open; aliases work until 22 Jan 2027, 17:23 UTC"),
        (
            {"closed": PLACED.isoformat()},
            "Closed on 23 Nov 2026, 17:23 UTC; aliases work until 22 Jan 2027, 17:23 UTC",
        ),
        ({"expires": NOW.isoformat()}, "Aliases stopped working on 26 Nov 2026, 17:23 UTC"),
        ({"expires": "infinity"}, "Open; aliases work until never"),
    ],
)
def test_the_state_of_an_order_in_words(changes: dict[str, Any], words: str) -> None:
    page = read_page(write(order(**changes)))
    assert page.find("p", class_="state")[0].words == words


ASKED = make_message(1)
ASKED_AGAIN = make_message(3)
ANSWERED = make_message(2, direction="outbound", from_=STORE, fromRole="store")
STILL = "The customer has waited for an answer for 2 days"


@pytest.mark.parametrize(
    ("messages", "changes", "words"),
    [
        ([ASKED], {}, f"{STILL} 23 hours"),
        ([ASKED, ASKED_AGAIN], {}, f"{STILL} 23 hours"),
        ([ASKED, ANSWERED], {}, ""),
        ([ASKED, ANSWERED, ASKED_AGAIN], {}, f"{STILL} 21 hours"),
        ([ANSWERED], {}, ""),
        ([], {}, ""),
        ([ASKED | {"automatic": True}], {}, ""),
        ([ASKED | {"verdict": "flagged"}], {}, ""),
        ([ASKED | {"state": "refused"}], {}, ""),
        ([ASKED | {"fromRole": "partner"}], {}, ""),
        ([ASKED, ANSWERED | {"automatic": True}], {}, f"{STILL} 23 hours"),
        ([ASKED, ANSWERED | {"direction": "internal"}], {}, f"{STILL} 23 hours"),
        ([ASKED], {"closed": NOW.isoformat()}, ""),
        ([ASKED], {"closed": PLACED.isoformat()}, f"{STILL} 23 hours"),
        ([ASKED], {"expires": NOW.isoformat()}, ""),
    ],
)
def test_it_says_how_long_the_customer_has_waited(
    messages: list[dict[str, Any]], changes: dict[str, Any], words: str
) -> None:
    page = read_page(write(order(*messages, **changes)))
    assert "".join(each.words for each in page.find("p", class_="waits")) == words


@pytest.mark.parametrize("asked", ["before", "after"])
def test_an_older_page_does_not_know_who_waits(asked: str) -> None:
    assert read(ASKED, **{asked: "x"}).find("p", class_="waits") == []


def test_many_people_are_folded() -> None:
    people = [
        {"role": "partner", "alias": f"{number:032x}@ct.example.com", "introduced": True}
        for number in range(3000)
    ]
    page = read_page(write(order(people=people)))
    assert list_faults(page) == []
    assert [each.words for each in page.find("summary")] == ["2,992 more people"]
    assert page.text.count("@ct.example.com") == 3000


@pytest.mark.parametrize(
    ("changes", "direction", "words"),
    [
        ({}, "inbound", "Customer John Doe wrote to Store (from the customer)"),
        (
            {
                "direction": "outbound",
                "from_": STORE,
                "fromRole": "store",
                "fromName": "",
                "deliveries": [make_delivery(BUYER, "buyer"), make_delivery(OTHER, "partner")],
            },
            "outbound",
            "Store wrote to Customer, Partner 2 (to the customer)",
        ),
        (
            {
                "direction": "internal",
                "from_": PARTNER,
                "fromRole": "partner",
                "fromName": "Parcels",
            },
            "internal",
            "Partner 1 Parcels wrote to Store (between store and partners)",
        ),
        (
            {"from_": "", "fromRole": "unknown", "state": "refused", "id": None},
            "inbound",
            "Unknown sender John Doe tried to write to Store (from the customer)",
        ),
        (
            {"deliveries": [make_delivery("x@y", "partner")] * 12 + [make_delivery()]},
            "inbound",
            "Customer John Doe wrote to Partner, Store (from the customer)",
        ),
    ],
)
def test_who_wrote_to_whom(changes: dict[str, Any], direction: str, words: str) -> None:
    message = make_message(**changes)
    page = read(message)
    [entry] = page.find("li", class_="entry")
    assert direction in (entry.attributes["class"] or "").split()
    assert entry.find("p", class_="who")[0].words == words
    assert entry.find("use")[0].attributes["href"] == f"#i-{direction}"


def test_of_a_text_that_is_cut_the_whole_is_a_click_away() -> None:
    def links(message: dict[str, Any], **options: Any) -> list[str | None]:
        found = article(message, **options).find("a")
        return [each.attributes["href"] for each in found if each.words == "The whole text"]

    date = make_message()["date"]
    cut = make_message(body="x" * 1000, marks=["cut"])
    assert links(cut) == [Links("/t").order("mystore", "1001", at=date)]
    assert links(make_message(body="x" * 1000)) == []
    assert links(cut, at=date) == []
    assert links(cut, alone=True) == []
    # More was never kept.
    assert links(make_message(body="x" * 1_000_000, marks=["cut"])) == []


def test_a_message_by_itself_leads_to_those_around_it() -> None:
    message = make_message()
    found = read(message, at=message["date"])
    said = {each.words: each.attributes["href"] for each in found.find("a")}
    order = partial(Links("/t").order, "mystore", "1001")
    assert said["Older messages"] == order(before=message["date"])
    assert said["Newer messages"] == order(after=message["date"])
    assert said["Newest messages"] == order()
    # Nothing new appears there.
    assert "data-live" not in found.find("ol")[0].attributes


def test_a_name_without_end_is_cut() -> None:
    name = article(make_message(fromName="John " * 5_000)).find("bdi", class_="name")[0]
    assert name.text == f"{'John ' * 40}…"


def test_the_time_is_for_machines_and_people() -> None:
    [time] = article(make_message()).find("time")
    assert time.attributes == {
        "datetime": "2026-11-23T18:23:59.123Z",
        "title": "2026-11-23 18:23:59 UTC",
    }
    assert time.words == "23 Nov 2026, 18:23 UTC"


def test_history_is_folded_and_the_answer_is_not() -> None:
    body = "It has not come.\n\nOn 23 Nov 2026, at 17:23, Ann <a@b> wrote:\n> It left.\n-- \nJ"
    found = article(make_message(body=body)).find("div", class_="body")[0]
    shown = [each for each in found.inside if isinstance(each, Element)]
    assert [each.tag for each in shown] == ["div", "details", "details"]
    assert [each.find("summary")[0].words for each in shown[1:]] == [
        "Earlier messages 2 lines",
        "Signature 2 lines",
    ]
    assert "open" not in shown[1].attributes
    joined = "\n".join(each.text for each in found.walk() if each.attributes.get("dir") == "auto")
    assert joined.replace("\n", "") == body.replace("\n", "")


def test_what_is_forwarded_without_a_word_is_open() -> None:
    found = article(make_message(body="---------- Forwarded message ---------\nFrom: x\n\nHello"))
    assert "open" in found.find("details", class_="fold")[0].attributes
    said = article(make_message(body="Hello\n-- \nJohn"))
    assert "open" not in said.find("details", class_="fold")[0].attributes
    long = article(make_message(body="> x\n" * 10_000))
    assert "open" not in long.find("details", class_="fold")[0].attributes


def test_a_very_long_text_begins_and_is_folded() -> None:
    body = "".join(f"line {number}\n" for number in range(100_000))
    found = article(make_message(body=body))
    beginning, rest = found.find("div", class_="text")
    assert 10_000 < len(beginning.text) <= 20_000
    assert f"{beginning.text}\n{rest.text}" == body.strip("\n")
    line = article(make_message(body="x" * 1_000_000)).find("div", class_="text")
    assert "".join(each.text for each in line) == "x" * 1_000_000


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        ("waiting", "These are its first words. The whole text appears here in a moment."),
        ("unreadable", "This message cannot be read as a whole. These are its first words."),
        ("cut", "The text is longer: what is behind this is left out here."),
        ("no html", "Its HTML is too large or too complicated to be shown."),
    ],
)
def test_what_is_not_shown_is_said(marks: str, said: str) -> None:
    found = article(make_message(marks=[marks]))
    assert said in found.words
    assert ("data-waiting" in found.attributes) == (marks == "waiting")


def test_a_message_without_text_says_so() -> None:
    assert "This message has no text." in article(make_message(body="")).words
    assert "(no subject)" in article(make_message(subject="")).words


@pytest.mark.parametrize(
    ("verdict", "automatic", "said"),
    [
        ("trusted", False, []),
        ("verified", False, []),
        ("verified", True, ["Written by a program"]),
        ("unverified", False, ["We could not verify who sent this."]),
        (
            "failed",
            False,
            ["This may not be from who it says: the sender's own domain disowns it."],
        ),
    ],
)
def test_verdicts_in_words(verdict: str, automatic: bool, said: list[str]) -> None:
    found = article(make_message(verdict=verdict, automatic=automatic))
    assert [li.words for each in found.find("ul", class_="marks") for li in each.find("li")] == said
    assert len(found.find("li", class_="doubt")) == (verdict == "failed")


@pytest.mark.parametrize(
    ("author", "said"),
    [
        (BUYER, "Claims to be the customer, but is not: do not trust."),
        (STORE, "Claims to be the store, but is not: do not trust."),
        (OTHER, "Claims to be the partner 2, but is not: do not trust."),
        ("", "Claims to be the sender, but is not: do not trust."),
    ],
)
def test_a_false_claim_stands_first(author: str, said: str) -> None:
    found = article(make_message(verdict="flagged", fromRole=None, from_=author))
    assert "alarm" in (found.attributes["class"] or "")
    assert found.find("p", class_="who")[0].find("strong")[0].words == said
    assert answers(found) == []


# What became of it


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (
            "5.2.2",
            "552 5.2.2 <[name]>: over quota",
            "Customer: Not delivered. The mailbox is full.",
        ),
        ("5.1.1", "user unknown", "Customer: Not delivered. No such mailbox."),
        ("", "", "Customer: Not delivered. The recipient's mail system did not take it."),
    ],
)
def test_why_it_did_not_arrive(status: str, reason: str, words: str) -> None:
    copy = make_delivery(BUYER, "buyer", state="bounced", status=status, reason=reason)
    [trouble] = article(make_message(deliveries=[copy])).find("ul", class_="trouble")
    said = f" {reason}" if status in reason else f" {status} {reason}"
    assert trouble.words == f"{words}{said}".rstrip()


@pytest.mark.parametrize(
    ("changes", "still"),
    [
        ({}, False),
        ({"marks": ["waiting"]}, True),
        ({"deliveries": [make_delivery(), make_delivery(state="accepted")]}, True),
        ({"deliveries": [make_delivery(state="delayed")]}, True),
        ({"deliveries": [make_delivery(state="bounced")]}, False),
    ],
)
def test_the_script_asks_again_for_what_may_change(changes: dict[str, Any], still: bool) -> None:
    assert ("data-open" in article(make_message(**changes)).attributes) == still


def test_what_is_told_above_is_not_told_below() -> None:
    bounced = make_delivery(BUYER, "buyer", state="bounced", status="5.1.1")
    assert article(make_message(deliveries=[bounced])).find("details", class_="copies") == []
    [copies] = article(make_message(deliveries=[bounced, make_delivery()])).find(
        "details", class_="copies"
    )
    assert copies.find("summary")[0].words == "Not delivered: 1, delivered: 1"
    assert len(copies.find("li")) == 2


def test_a_refused_message_says_why_in_our_words_and_those_of_the_reply() -> None:
    copy = make_delivery(
        state="refused", status="5.6.0", reason="554 5.6.0 This message cannot be masked safely"
    )
    found = article(make_message(None, state="refused", body="", deliveries=[copy]))
    assert found.find("ul", class_="trouble")[0].words == (
        "Store: Refused. Somebody's address is in it and cannot be hidden."
        " 554 5.6.0 This message cannot be masked safely"
    )
    assert "This message has no text." not in found.words
    assert not found.find("details")


def test_refused_messages_of_one_moment_have_names_of_their_own() -> None:
    refused = [make_message(None, state="refused", subject=each) for each in "abc"]
    names = [each.attributes["id"] for each in read(*refused).find("article")]
    assert len(set(names)) == 3


def test_thousands_of_recipients_are_folded() -> None:
    people = [
        make_delivery(f"{number:032x}@ct.example.com", "partner", state=state, status="5.1.1")
        for number in range(2000)
        for state in ("sent", "bounced")
    ]
    found = article(make_message(deliveries=people))
    assert len(found.find("ul", class_="trouble")[0].find("li")) == 10
    [copies] = found.find("details", class_="copies")
    assert copies.find("summary")[0].words == "Not delivered: 2,000, delivered: 2,000"
    assert len(copies.find("li")) == 4000


# Files, HTML and notes


def test_files_can_be_downloaded() -> None:
    files = [
        {"number": 1, "name": "Invoice 1.pdf", "type": "application/pdf", "size": 183_204},
        {"number": 2, "name": "door.jpg", "type": "image/jpeg", "size": 1},
    ]
    names = ["Invoice 1.pdf", "old.zip", "door.jpg", "old.zip"]
    [listed] = article(make_message(attachments=files, attachmentNames=names)).find(
        "ul", class_="files"
    )
    assert [each.words for each in listed.find("li")] == [
        "Invoice 1.pdf PDF document, 183 kB",
        "door.jpg Picture (JPEG), 1 byte",
        "old.zip not kept",
        "old.zip not kept",
    ]
    links = [each.attributes for each in listed.find("a")]
    assert [each["href"] for each in links] == [
        "/t/orders/mystore/1001/attachments/1/1",
        "/t/orders/mystore/1001/attachments/1/2",
    ]
    # The answer says that it is one. Said here as well, what says why there is none would be kept.
    assert not any("download" in each for each in links)


def test_html_is_shown_in_a_frame_that_may_do_nothing() -> None:
    [frame] = article(make_message(hasHtml=True)).find("iframe")
    assert frame.attributes == {
        "sandbox": "",
        "loading": "lazy",
        "referrerpolicy": "no-referrer",
        "title": "The layout of this message",
        "src": "/t/orders/mystore/1001/messages/1",
    }


def test_links_in_a_text_are_text() -> None:
    found = article(make_message(body="See https://evil.example/x and www.evil.example"))
    assert not any("evil" in (each.attributes.get("href") or "") for each in found.walk())


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("left out: 1", "1 person was left out of the copies: the order has too many strangers"),
        (
            "left out: 3000",
            "3,000 people were left out of the copies: the order has too many strangers",
        ),
        (
            "2 application/zip archive flagged",
            "An archive or document (part 2, application/zip) holds an address and was passed on"
            " as it is",
        ),
        (
            "2.1 application/pdf archive removed",
            "An archive or document (part 2.1, application/pdf) was removed: it held an address",
        ),
        (
            "3 image/png media",
            "A picture, sound or film (part 3, image/png) held an address, which was written over",
        ),
        (
            "4 application/pgp-signature signature",
            "A signature (part 4, application/pgp-signature) was removed:"
            " it, or what it signed, held an address",
        ),
        ("something new <b>", "something new <b>"),
    ],
)
def test_notes_in_words(note: str, said: str) -> None:
    [notes] = article(make_message(notes=[note])).find("ul", class_="notes")
    assert notes.words == said


# Answers


@pytest.mark.parametrize(
    ("changes", "alias", "words"),
    [
        ({}, BUYER, "Answer"),
        ({"from_": PARTNER, "fromRole": "partner"}, PARTNER, "Answer"),
        (
            {
                "from_": STORE,
                "fromRole": "store",
                "deliveries": [make_delivery(PARTNER, "partner"), make_delivery(BUYER, "buyer")],
            },
            BUYER,
            "Write again",
        ),
        (
            {
                "from_": STORE,
                "fromRole": "store",
                "deliveries": [make_delivery(), make_delivery(PARTNER, "partner")],
            },
            PARTNER,
            "Write again",
        ),
        ({"from_": STORE, "fromRole": "store"}, None, ""),
        ({"automatic": True}, None, ""),
        ({"verdict": "flagged"}, None, ""),
        ({"from_": "", "fromRole": "unknown"}, None, ""),
    ],
)
def test_answers_go_to_an_alias(changes: dict[str, Any], alias: str | None, words: str) -> None:
    found = article(make_message(subject="Äpfel & Birnen?\r\nBcc: x@y", **changes))
    assert [unquote(urlsplit(each).path) for each in answers(found)] == ([alias] if alias else [])
    for each in answers(found):
        subject = "Re: Äpfel & Birnen? Bcc: x@y"
        assert parse_qs(urlsplit(each).query) == {"subject": [subject]}
        assert found.find("a", class_="button")[0].words == words
        assert re.fullmatch(
            r"mailto:[0-9a-f]{32}@ct\.example\.com\?subject=[A-Za-z0-9%._~-]+", each
        )


@pytest.mark.parametrize("subject", ["Re: x", "RE:x", "AW: x", "sv : x", "回复\uff1ax"])
def test_an_answer_to_an_answer_is_marked_once(subject: str) -> None:
    [link] = answers(article(make_message(subject=subject)))
    assert parse_qs(urlsplit(link).query)["subject"] == [subject]


def test_an_expired_order_is_not_answered() -> None:
    page = read(make_message(), now=NOW + timedelta(days=365))
    assert answers(page) == []
    assert "no longer arrives" in page.words


# Pages


@pytest.mark.parametrize(
    ("options", "more", "older", "newer"),
    [
        ({}, False, False, False),
        ({}, True, True, False),
        ({"before": "x"}, False, False, True),
        ({"before": "x"}, True, True, True),
        ({"after": "x"}, False, True, False),
        ({"after": "x"}, True, True, True),
    ],
)
def test_pages_lead_to_each_other(
    options: dict[str, str], more: bool, older: bool, newer: bool
) -> None:
    messages = [make_message(1), make_message(2)]
    page = read_page(write(order(*messages, more=more), **options))
    assert list_faults(page) == []
    before = "/t/orders/mystore/1001?before=2026-11-23T18%3A23%3A59.123456%2B00%3A00"
    after = "/t/orders/mystore/1001?after=2026-11-23T19%3A23%3A59.123456%2B00%3A00"
    for tag in ("a", "link"):
        assert [e.attributes["href"] for e in page.find(tag, rel="prev")] == [before] * older
        assert [e.attributes["href"] for e in page.find(tag, rel="next")] == [after] * newer
    [timeline] = page.find("ol", class_="timeline")
    assert ("data-live" in timeline.attributes) == (not newer)


@pytest.mark.parametrize(
    ("count", "after", "words"),
    [(2, "", []), (3, "", ["Newest message"]), (3, "x", ["Last on this page"])],
)
def test_a_link_leads_to_the_last_message(count: int, after: str, words: list[str]) -> None:
    messages = [make_message(number) for number in range(1, count + 1)]
    page = read_page(write(order(*messages, more=bool(after)), after=after))
    assert list_faults(page) == []
    assert [each.words for each in page.find("a", href="#end")] == words


def test_an_empty_page_says_so() -> None:
    page = read()
    assert page.find("ol", class_="timeline")[0].words == "No messages."


# A page alone


def test_a_page_alone_needs_nothing_else() -> None:
    files = [{"number": 1, "name": "a.pdf", "type": "application/pdf", "size": 10}]
    message = make_message(hasHtml=True, attachments=files, attachmentNames=["a.pdf"])
    page = read(message, alone=True, html={1: HTML}.get)
    assert not {each.tag for each in page.walk()} & {"script", "link", "a", "img", "form", "input"}
    assert [each.words for each in page.find("ul", class_="files")] == [
        "a.pdf PDF document, 10 bytes"
    ]
    [policy] = [each for each in page.find("meta") if "http-equiv" in each.attributes]
    assert policy.attributes["content"] == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    )
    [frame] = page.find("iframe")
    assert (frame.attributes["sandbox"], frame.attributes["referrerpolicy"]) == ("", "no-referrer")
    assert frame.attributes["loading"] == "lazy"
    shown = frame.attributes["srcdoc"] or ""
    assert shown.endswith(HTML)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in shown
    [style] = page.find("style")
    assert "</" not in style.text
    assert not re.search(r"@import|url\(", style.text)


def test_a_page_beside_others_leads_to_them_and_to_its_messages() -> None:
    files = [{"number": 1, "name": "a.pdf", "type": "application/pdf", "size": 10}]
    messages = [
        make_message(1, attachments=files, attachmentNames=["a.pdf"]),
        make_message(2, attachmentNames=["not kept.pdf"]),
    ]

    def links(older: str, newer: str) -> list[tuple[str, str | None]]:
        pages = OrderPages(older, newer, orders="../index.html")
        beside = Beside(pages, "messages/{}.eml".format)
        page = read(*messages, alone=True, beside=beside)
        assert not {each.tag for each in page.walk()} & {"script", "link"}
        return [(each.words, each.attributes["href"]) for each in page.find("a")]

    message = ("The message with its files, for a mail program", "messages/1.eml")
    index = ("All orders", "../index.html")
    older, newer = ("Older messages", "1.html"), ("Newer messages", "3.html")
    assert links("", "") == [index, message, index]
    assert links("", "3.html") == [index, message, newer, index]
    assert links("1.html", "") == [index, older, message, index]


def test_a_page_alone_is_written_as_its_messages_come() -> None:
    asked = []

    def messages() -> Any:
        for number in range(1, 1000):
            asked.append(number)
            yield make_message(number, body="x" * 5_000)

    pieces = render_order(
        order() | {"messages": messages()}, Links(), alone=True, html=lambda _number: None, now=NOW
    )
    next(pieces)
    assert len(asked) < 20
    assert sum(1 for _ in pieces) > 10


# What others wrote


def hostile(text: str) -> dict[str, Any]:
    people = [{"role": text, "alias": text, "introduced": False}]
    copy = make_delivery(text, text, state="bounced", status=text, reason=text)
    file = {"number": 1, "name": text, "type": text, "size": 1}
    message = make_message(
        subject=text, body=text, fromName=text, fromRole=text, from_=text, deliveries=[copy],
        direction=text, verdict=text, notes=[text], marks=[text],
        attachmentNames=[text, text + "x"], attachments=[file], hasHtml=True, firstWords=text,
        date=text,
    )  # fmt: skip
    refused = make_message(None, state="refused", date=text, subject=text)
    return order(
        message, refused, store=text, number=text, people=people, placed=text, expires=text
    )


@given(st.text())
@pytest.mark.parametrize("alone", [False, True])
def test_nothing_is_markup_but_our_own(alone: bool, text: str) -> None:
    """What messages say adds no element, no attribute, no control character."""
    options: dict[str, Any] = {"alone": alone, "html": lambda _number: text or "x"}
    page, plain = (write(hostile(each), **options) for each in (f"y{text}", "y"))
    shape = [[(e.tag, sorted(e.attributes)) for e in read_page(p).walk()] for p in (page, plain)]
    if (
        len(text) < 200
        and "\n" not in text
        and not re.search(r"[>\uff1e:\uff1a=_\u2013\u2014-]", text)
    ):
        assert shape[0] == shape[1]
    assert {tag for tag, _ in shape[0]} <= {tag for tag, _ in shape[1]} | {"blockquote"}
    assert not set(page) & set("\x00\x1b\x9b\u202e\u2066\u200f\ufffe")
    page.encode()


@pytest.mark.parametrize("alone", [False, True])
def test_hostile_values_in_every_field(alone: bool) -> None:
    page = write(hostile(HOSTILE), alone=alone, html=lambda _number: HOSTILE)
    page.encode()
    read = read_page(page)
    assert list_faults(read) == []
    assert len(read.find("script")) == (0 if alone else 1)
    assert not read.find("img")
    assert not any(name.startswith("on") for each in read.walk() for name in each.attributes)
    assert "{{ 7 * 7 }}" in read.text
    assert not set(page) & set("\x00\x1b\x9b\u202e\u2066\u200f\ufffe")


@pytest.mark.parametrize("text", ["<", "&", "> x\n", "-- \n", "\n", "On 2026 <a> wrote:\n"])
def test_a_page_costs_no_more_than_its_length_allows(text: str) -> None:
    linear(
        lambda size: write(order(make_message(body=text * (size // len(text)), subject=text * 50))),
        200_000,
    )
