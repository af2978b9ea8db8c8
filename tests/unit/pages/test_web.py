"""What the web page makes of addresses, of what is typed, and of names that strangers chose."""

import asyncio
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_tracker.base import timeouts
from conversation_tracker.pages.links import Links
from conversation_tracker.web.application import Application, Site
from conversation_tracker.web.asked import BadRequest, read_cursor, read_fields, wants_json
from conversation_tracker.web.file_names import choose_type, clean_name
from conversation_tracker.web.headers import guard_data, guard_download, guard_html, guard_page
from conversation_tracker.web.routes import (
    AttachmentPage,
    HomePage,
    HtmlPage,
    NoPage,
    OrderPage,
    StaticFile,
    find_route,
)
from conversation_tracker.web.typed import read_address, read_typed

TOKEN = "0123456789abcdef0123456789ABCDEF"
SOFT = "john@doe.example-123456789012b.ct.example.com"

# Routes


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", HomePage()),
        ("/static/page.css", StaticFile("page.css")),
        ("/static/page%2Ecss", StaticFile("page.css")),
        ("/static/../page.css", NoPage()),
        ("/static/..%2Fpage.css", NoPage()),
        ("/static/", NoPage()),
        ("/orders/shop/1001", OrderPage("shop", "1001")),
        ("/orders/a%2Fb/1%2F2", OrderPage("a/b", "1/2")),
        ("/orders/a%252Fb/%3F", OrderPage("a%2Fb", "?")),
        ("/orders/%C3%BC/~..", OrderPage("ü", "..")),
        ("/orders/shop", NoPage()),
        ("/orders/shop/", NoPage()),
        ("/orders//1", NoPage()),
        ("/orders/shop/1/2", NoPage()),
        ("/orders/shop/1%00", NoPage()),
        ("/orders/shop/%0A", NoPage()),
        ("/orders/shop/" + "1" * 201, NoPage()),
        ("/orders/shop/1/messages/17", HtmlPage("shop", "1", 17)),
        ("/orders/shop/1/messages/0", NoPage()),
        ("/orders/shop/1/messages/-1", NoPage()),
        ("/orders/shop/1/messages/%D9%A1", NoPage()),
        ("/orders/shop/1/messages/9223372036854775807", HtmlPage("shop", "1", 2**63 - 1)),
        ("/orders/shop/1/messages/9223372036854775808", NoPage()),
        ("/orders/shop/1/attachments/17/2", AttachmentPage("shop", "1", 17, 2)),
        ("/orders/shop/1/attachments/17/2147483648", NoPage()),
        ("/orders/shop/1/attachments/17/0", NoPage()),
        ("/orders/shop/1/attachments/17", NoPage()),
        ("http://elsewhere.example/orders/shop/1", NoPage()),
        ("*", NoPage()),
        ("", NoPage()),
    ],
)
def test_a_path_leads_to_one_page_or_nowhere(path: str, route: object) -> None:
    assert find_route(path.encode()) == route


@pytest.mark.parametrize("path", ["/%FF", "/orders/shop/%C3", "/orders/%ED%A0%80/1"])
def test_what_is_no_text_is_no_path(path: str) -> None:
    with pytest.raises(UnicodeDecodeError):
        find_route(path.encode())


NAMES = st.text(
    st.characters(blacklist_categories=("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp", "Zs")),
    min_size=1,
    max_size=50,
)


@given(NAMES, NAMES, st.integers(1, 2**63 - 1), st.integers(1, 2**31 - 1))
def test_every_link_leads_back(store: str, number: str, message: int, file: int) -> None:
    links = Links()
    assert find_route(links.order(store, number).encode()) == OrderPage(store, number)
    assert find_route(links.html(store, number, message).encode()) == HtmlPage(
        store, number, message
    )
    assert find_route(links.attachment(store, number, message, file).encode()) == AttachmentPage(
        store, number, message, file
    )


@given(st.binary(max_size=60).map(lambda octets: re.sub(rb"[^\x21-\x7e]", b"", octets)))
def test_no_path_breaks_it(path: bytes) -> None:
    try:
        find_route(path)
    except ValueError:
        unquote(path, errors="replace")


# What is asked


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        (b"", {}),
        (b"q=a+b&store=", {"q": "a b", "store": ""}),
        (b"q=1&q=2", {"q": "1"}),
        (b"q=%C3%BC", {"q": "ü"}),
    ],
)
def test_fields_are_read(query: bytes, fields: dict[str, str]) -> None:
    assert read_fields(query) == fields


@pytest.mark.parametrize("query", [b"q=%FF", b"q=\xff", b"&".join([b"a=b"] * 21)])
def test_what_is_no_query_is_a_bad_request(query: bytes) -> None:
    with pytest.raises(BadRequest):
        read_fields(query)


def test_cursors_are_times() -> None:
    at = datetime(2026, 11, 29, 12, 0, 0, 123456, tzinfo=UTC)
    assert read_cursor({}).before is None
    assert read_cursor({"before": at.isoformat()}).before == at
    # A + that was not encoded.
    assert read_cursor({"after": at.isoformat().replace("+", " ")}).after == at
    assert read_cursor({"after": "2026-11-29T12:00:00.123456Z"}).after == at


@pytest.mark.parametrize(
    "text",
    ["x", "2026-11-29", "2026-11-29T12:00:00", "infinity", "0001-01-01T00:00:00+14:00", "1" * 5000,
     "9999-12-31T23:59:59-14:00", "2026-11-29T12:00:00+00:00'; --"],
)  # fmt: skip
def test_other_cursors_are_bad_requests(text: str) -> None:
    for name in ("before", "after", "at"):
        with pytest.raises(BadRequest):
            read_cursor({name: text})


def test_before_and_after_together_are_a_bad_request() -> None:
    at = "2026-11-29T12:00:00Z"
    with pytest.raises(BadRequest):
        read_cursor({"before": at, "after": at})
    with pytest.raises(BadRequest):
        read_cursor({"after": at, "at": at})


def test_of_one_time_are_the_messages_of_that_microsecond() -> None:
    after, before = read_cursor({"at": "2026-11-29T12:00:00.000001Z"}).bounds
    assert (after, before) == (
        datetime(2026, 11, 29, 12, 0, 0, 0, tzinfo=UTC),
        datetime(2026, 11, 29, 12, 0, 0, 2, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("fields", "accept", "wanted"),
    [
        ({}, "", False),
        ({}, "*/*", False),
        ({}, "application/json", True),
        ({}, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ({}, "text/html;q=0.5, application/json", True),
        ({}, "application/json;q=0.1, text/html", False),
        ({}, "application/json;q=x, text/html", False),
        ({}, "application/json;q=0", False),
        ({"format": "json"}, "text/html", True),
        ({"format": "html"}, "application/json", False),
    ],
)
def test_json_is_sent_where_it_is_wanted(fields: dict[str, str], accept: str, wanted: bool) -> None:
    assert wants_json(fields, accept) is wanted


def test_there_is_no_other_format() -> None:
    with pytest.raises(BadRequest):
        wants_json({"format": "xml"}, "")


# What is typed


@pytest.mark.parametrize(
    ("text", "kind", "secret"),
    [
        ("", "nothing", False),
        (" \t\0 ", "nothing", False),
        ("1001", "words", False),
        ("where at home", "words", False),
        (TOKEN, "alias", False),
        (f" {TOKEN}@ct.example.com ", "alias", False),
        # As mail programs copy it.
        (f"John Doe <{TOKEN}@ct.example.com>", "alias", False),
        (f"<{TOKEN}@ct.example.com>", "alias", False),
        (f'"Doe, John" <{TOKEN}@ct.example.com>', "alias", False),
        (f"mailto:{TOKEN}@ct.example.com?subject=Re%3A%20x", "alias", False),
        (f"John <{SOFT}>", "alias", True),
        (f"john@doe.example <{TOKEN}@ct.example.com>", "address", True),
        (f"{TOKEN}0", "words", False),
        (SOFT, "alias", True),
        (SOFT.upper(), "alias", True),
        ("john@doe.example", "address", True),
        ("John Doe <john@doe.example>", "address", True),
        (f"{TOKEN} john@doe.example", "address", True),
        ("john%40doe.example", "words", True),
        ("john\N{FULLWIDTH COMMERCIAL AT}doe.example", "words", True),
        ("john (at) doe.example", "words", True),
        ("@", "address", True),
    ],
)
def test_what_is_typed_is_known_for_what_it_is(text: str, kind: str, secret: bool) -> None:
    found = read_typed(text)
    assert (found.kind, found.secret) == (kind, secret)


@pytest.mark.parametrize(
    "text",
    ["John Doe <john@doe.example>", "<john@doe.example>", "< john@doe.example >",
     "mailto:john@doe.example", "MAILTO:john@doe.example?subject=x", " john@doe.example"],
)  # fmt: skip
def test_an_address_is_looked_up_as_mail_programs_copy_it(text: str) -> None:
    for found in (read_typed(text), read_address(text)):
        assert (found.text, found.kind, found.secret) == ("john@doe.example", "address", True)


def test_in_the_field_for_addresses_everything_is_one() -> None:
    assert read_address("john").kind == "address"
    assert read_address(SOFT).kind == read_address(TOKEN).kind == "alias"
    assert read_address("").kind == "nothing"
    assert all(read_address(text).secret for text in ("john", SOFT, TOKEN))


@given(st.text(max_size=1000))
def test_what_is_typed_is_one_short_line(text: str) -> None:
    found = read_typed(text)
    assert found.text.isprintable()
    assert len(found.text) <= 400
    assert found.secret or "@" not in found.text or found.kind == "alias"


# Files


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("parcel.png", "parcel.png"),
        ("Über 漢.pdf", "Über 漢.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\x.exe", "C__x.exe"),
        ('a"b;c%d.txt', "a_b;c%d.txt"),
        ("a\r\nSet-Cookie: x", "aSet-Cookie_ x"),
        ("gnp.\u202eexe", "gnp.exe"),
        ("a\u200b\ufeffb.txt", "ab.txt"),
        (" . ", "attachment-3"),
        ("", "attachment-3"),
        ("CON.txt", "_CON.txt"),
        ("nul", "_nul"),
        ("a.", "a"),
        ("\ud800x", "x"),
    ],
)
def test_a_name_means_a_file_in_one_folder_on_any_system(name: str, cleaned: str) -> None:
    assert clean_name(name, 3) == cleaned


@given(st.text(max_size=700))
def test_no_name_breaks_a_header_or_a_folder(name: str) -> None:
    cleaned = clean_name(name, 1)
    assert 0 < len(cleaned) <= 150
    assert len(cleaned.encode()) <= 200
    assert cleaned == cleaned.strip(". ")
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f]', cleaned)
    header = guard_download(cleaned)["Content-Disposition"]
    assert header.isascii()
    assert header.isprintable()
    plain, exact = re.fullmatch(
        r"attachment; filename=\"([^\"\\]*)\"; filename\*=UTF-8''([\w.~%-]*)", header
    ).groups()  # type: ignore[union-attr]
    assert unquote(exact) == cleaned
    assert len(plain) == len(cleaned)


def test_a_long_name_keeps_its_ending() -> None:
    assert clean_name("x" * 300 + ".pdf", 1).endswith("x.pdf")
    assert clean_name("漢" * 300 + ".pdf", 1).endswith("漢.pdf")


@pytest.mark.parametrize(
    ("declared", "served"),
    [
        ("image/png", "image/png"),
        ("IMAGE/PNG; name=x", "image/png"),
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("application/xhtml+xml", "application/octet-stream"),
        ("text/javascript", "application/octet-stream"),
        ("x\r\ny", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_a_type_that_could_run_is_octets(declared: str, served: str) -> None:
    assert choose_type(declared) == served


# Headers


def test_who_may_embed_is_the_configurations_to_say() -> None:
    policy = "Content-Security-Policy"
    assert guard_page()[policy].endswith("; frame-ancestors 'none'")
    erp = ("https://erp.example.com",)
    assert guard_page(erp)[policy].endswith("; frame-ancestors https://erp.example.com")
    # A message's own page is in a frame of a page of ours, which may be in one of theirs.
    assert guard_html(erp)[policy].endswith("; frame-ancestors 'self' https://erp.example.com")
    assert guard_html(())[policy].endswith("; frame-ancestors 'self'")


def test_nothing_runs_that_is_not_ours() -> None:
    for headers in (guard_page(), guard_html(()), guard_download("x")):
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-eval" not in policy
        assert "'unsafe-inline'" not in policy.replace("style-src 'unsafe-inline'", "")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
    for headers in (guard_html(()), guard_download("x")):
        assert headers["Content-Security-Policy"].startswith("sandbox;")


@pytest.mark.parametrize(
    ("headers", "beside"),
    [
        (guard_page(), set()),
        (guard_page(["https://erp.example.com"]), {"frame-ancestors https://erp.example.com"}),
        (guard_html(()), {"style-src 'unsafe-inline'", "img-src data:"}),
        (guard_download("x"), set()),
        (guard_data(), set()),
    ],
)
def test_nothing_comes_from_elsewhere(headers: Mapping[str, str], beside: set[str]) -> None:
    """Each directive allows what is ours, or nothing; but for these."""
    found = set()
    for directive in headers["Content-Security-Policy"].split("; "):
        name, *sources = directive.split(" ")
        found |= {f"{name} {each}" for each in sources if each not in ("'self'", "'none'")}
    assert found == beside


# Bad weather


def test_an_answer_that_takes_too_long_is_as_a_database_that_is_away() -> None:
    """Whatever it waits for; whoever asks next is answered."""
    ended = threading.Event()

    class Slow:
        ancestors = ()

        def show_order(self, _route: OrderPage, _cursor: object) -> None:
            ended.wait(60)

    async def ask() -> list[dict[str, Any]]:
        scope = {
            "type": "http", "method": "GET", "path": "/orders/a/1", "raw_path": b"/orders/a/1",
            "query_string": b"", "headers": [],
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await application(scope, None, send)
        return sent

    application = Application(Site(Slow(), ""))  # type: ignore[arg-type]
    before = timeouts.use(replace(timeouts.get(), web_answer_seconds=0.01))
    try:
        begun, body = asyncio.run(ask())[:2]
    finally:
        timeouts.use(before)
        ended.set()
        application.close()
    assert begun["status"] == 503
    assert (b"retry-after", b"5") in begun["headers"]
    assert b"Nothing is lost" in body["body"]
    assert application.under_way == 0
