"""`conversation-tracker web`: what is shown to whom, by a real server of a role that reads."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from web_client import Answer, Web
from web_orders import CUSTOMER, Orders

from conversation_tracker.pages.links import Links
from private.postgres import Postgres

ODD = [
    "a/b", "a%2Fb", "..", ".", "~", "~~", "50% off?", "#1", "ü 漢", "a;b=c", "' OR 1=1 --", "<b>",
]  # fmt: skip
LINKS = Links()
PLAIN = b"Subject: x\r\n\r\nHello\r\n"


@pytest.fixture(scope="module")
def orders(postgres: Postgres, shared: str) -> Iterator[Orders]:
    """Return a database with two stores and what happened in them."""
    found = Orders(postgres, shared)
    found.add_store("shop")
    found.add_store("other", "ct.example.org")
    found.add_store("a/b ü?")
    for store in ("shop", "other"):
        for number in ("1001", "1002", "1003", "10011", "2001"):
            found.open(store, number)
        found.write(store, "1001", "Where is parcel 17?")
        found.bounce(found.write(store, "1002", "On its way", "store"))
        found.refuse(store, "1003")
        found.write(store, "2001", "Give me money", verdict="flagged")
    for number in ODD:
        found.open("shop", number)
    found.publish()
    yield found
    found.close()


@pytest.fixture(scope="module")
def web(orders: Orders, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Return the page of a role that was granted `shop`."""
    with Web(tmp_path_factory.mktemp("web"), orders.add_reader("shop")) as found:
        yield found


@pytest.fixture(scope="module")
def signed(orders: Orders, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Return a page behind a proxy that names who is signed in, by a port."""
    from private.ports import free_port

    home = tmp_path_factory.mktemp("signed")
    with Web(
        home,
        orders.add_reader("shop", "other", group="tracker_integrator"),
        listen=f"inet:{free_port()}@127.0.0.1",
        user_header="X-Remote-User",
        frame_ancestors="https://erp.example.com",
    ) as found:
        yield found


def last_message(orders: Orders, store: str, number: str) -> int:
    [(found,)] = orders.sql(
        "SELECT max(m.id) FROM tracker.messages AS m JOIN tracker.orders AS o ON o.id = m.order_id"
        " WHERE o.store = %s AND o.number = %s",
        store,
        number,
    )
    return int(found)


def found_in(answer: Answer) -> list[str]:
    """Return the addresses that a page's rows lead to."""
    assert answer.status == 200
    return [part.partition('"')[0] for part in answer.text.split('href="/orders/')[1:]]


# Orders


def test_an_order_is_shown_as_a_page_and_as_json(web: Web) -> None:
    page = web.get("/orders/shop/1001")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Where is parcel 17?" in page.text
    for answer in (
        web.get("/orders/shop/1001", Accept="application/json"),
        web.get("/orders/shop/1001?format=json"),
    ):
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        found = json.loads(answer.text)
        assert (found["store"], found["number"], found["more"]) == ("shop", "1001", False)
        assert [each["subject"] for each in found["messages"]] == ["Where is parcel 17?"]


def test_its_json_is_what_the_database_says(web: Web, orders: Orders) -> None:
    [(said,)] = orders.sql("SELECT tracker.conversation('shop', '1001', 50)")
    assert json.loads(web.get("/orders/shop/1001?format=json").text) == said


@pytest.mark.parametrize("number", ODD)
def test_a_number_may_hold_any_character(web: Web, number: str) -> None:
    answer = web.get(LINKS.order_json("shop", number))
    assert (answer.status, json.loads(answer.text)["number"]) == (200, number)
    assert web.get(LINKS.order("shop", number)).status == 200


def test_so_may_a_stores_name(orders: Orders, tmp_path_factory: pytest.TempPathFactory) -> None:
    orders.open("a/b ü?", "1")
    with Web(tmp_path_factory.mktemp("odd"), orders.add_reader("a/b ü?")) as web:
        answer = web.get(LINKS.order_json("a/b ü?", "1"))
        assert json.loads(answer.text)["store"] == "a/b ü?"
        assert web.get(LINKS.orders("a/b ü?")).status == 200


def test_an_order_without_a_grant_is_as_one_that_is_not_there(web: Web, orders: Orders) -> None:
    """Octet for octet, for each kind of page."""
    theirs, ours = last_message(orders, "other", "1001"), last_message(orders, "shop", "1001")
    for ask, missing in (
        ("/orders/other/1001", "/orders/nowhere/1001"),
        ("/orders/other/1001?before=2026-01-01T00:00:00Z", "/orders/shop/nothing"),
        (f"/orders/other/1001/messages/{theirs}", f"/orders/shop/nothing/messages/{ours}"),
        (f"/orders/other/1001/attachments/{theirs}/1", f"/orders/shop/1001/attachments/{ours}/99"),
        # What is there, but of another order.
        (f"/orders/shop/1001/messages/{theirs}", "/orders/shop/1001/messages/999999"),
        (f"/orders/shop/1002/attachments/{ours}/1", "/orders/shop/1002/attachments/999999/1"),
        ("/?store=other", "/?store=nowhere"),
    ):
        one, another = web.get(ask), web.get(missing)
        assert one.status == another.status == 404
        assert one.octets == another.octets
        assert _without_date(one) == _without_date(another)
    one = web.get("/orders/other/1001", Accept="application/json")
    another = web.get("/orders/shop/nothing?format=json")
    assert one.status == another.status == 404
    assert one.octets == another.octets
    assert one.headers["content-type"] == "application/problem+json"
    assert json.loads(one.text)["status"] == 404


def _without_date(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "date"}


def test_a_grant_that_is_taken_away_is_gone_at_once(
    orders: Orders, tmp_path_factory: pytest.TempPathFactory
) -> None:
    uri = orders.add_reader("shop")
    with Web(tmp_path_factory.mktemp("revoked"), uri) as web:
        assert web.get("/orders/shop/1001").status == 200
        orders.sql("SELECT tracker.revoke_store(%s, 'shop')", orders.roles[-1])
        assert web.get("/orders/shop/1001").status == 404
        assert found_in(web.get("/?q=1001")) == []


def test_pages_of_a_long_order_lead_to_each_other(web: Web, orders: Orders) -> None:
    orders.open("shop", "long")
    for number in range(120):
        orders.write("shop", "long", f"Message {number}", "store", raw=PLAIN)
    address, seen = "/orders/shop/long?format=json", []
    while address:
        page = json.loads(web.get(address).text)
        seen[:0] = [each["subject"] for each in page["messages"]]
        before = quote(page["messages"][0]["date"])
        address = f"/orders/shop/long?format=json&before={before}" if page["more"] else ""
    assert seen == [f"Message {number}" for number in range(120)]
    first = json.loads(web.get("/orders/shop/long?format=json").text)["messages"][-2]
    after = quote(first["date"])
    page = json.loads(web.get(f"/orders/shop/long?format=json&after={after}").text)
    assert [each["subject"] for each in page["messages"]] == ["Message 119"]
    assert "Message 119" in web.get(f"/orders/shop/long?after={after}").text


def test_huge_texts_are_cut_on_the_page_and_whole_in_its_json(web: Web, orders: Orders) -> None:
    """Whoever writes them must not keep support from the order."""
    orders.open("shop", "huge")
    for number in range(3):
        orders.write("shop", "huge", f"Message {number}", "store", raw=PLAIN)
    orders.publish()
    orders.sql(
        "UPDATE tracker.texts SET body = repeat(E'many words\\n', 200000)"
        " WHERE order_id = (SELECT id FROM tracker.orders WHERE number = 'huge')"
    )
    page = web.get("/orders/shop/huge")
    assert page.status == 200
    assert 3_000_000 < len(page.octets) < 6_000_000
    found = json.loads(web.get("/orders/shop/huge?format=json").text)["messages"]
    assert [len(each["body"]) for each in found] == [1_000_000] * 3


@pytest.mark.parametrize(
    "query",
    ["before=x", "after=17", "before=2026-01-01", "format=xml", "q=%FF",
     "before=2026-01-01T00:00:00Z&after=2026-01-01T00:00:00Z", "&".join(["a"] * 30)],
)  # fmt: skip
def test_what_makes_no_sense_is_a_bad_request(web: Web, query: str) -> None:
    answer = web.get(f"/orders/shop/1001?{query}")
    assert answer.status == 400
    assert "<html" in answer.text


# Files and pages of messages


def test_a_file_is_a_download_whatever_its_sender_called_it(web: Web, orders: Orders) -> None:
    message = last_message(orders, "shop", "1001")
    picture = web.get(f"/orders/shop/1001/attachments/{message}/1")
    assert (picture.status, picture.octets) == (200, b"\x89PNG\r\n"[:4] + picture.octets[4:])
    assert picture.headers["content-type"] == "image/png"
    page = web.get(f"/orders/shop/1001/attachments/{message}/2")
    assert page.octets == b"<script>alert(1)</script>"
    assert page.headers["content-type"] == "application/octet-stream"
    for answer in (picture, page):
        assert answer.headers["content-disposition"].startswith("attachment; filename=")
        assert answer.headers["content-security-policy"].startswith("sandbox;")
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert "%C3%BCber.html" in page.headers["content-disposition"]
    assert "%E2%80%AE" not in page.headers["content-disposition"]


@pytest.mark.parametrize("file", ["0", "99", "-1", "x", "2147483648", "1e3", "%31%00"])
def test_there_is_no_other_file(web: Web, orders: Orders, file: str) -> None:
    message = last_message(orders, "shop", "1001")
    assert web.get(f"/orders/shop/1001/attachments/{message}/{file}").status == 404


def test_a_messages_own_page_runs_and_loads_nothing(web: Web, orders: Orders) -> None:
    answer = web.get(f"/orders/shop/1001/messages/{last_message(orders, 'shop', '1001')}")
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'; style-src 'unsafe-inline';")
    assert "img-src data:;" in policy
    assert "<script" not in answer.text
    assert 'src="data:image/png;base64,iVBORw=="' in answer.text


# Finding


def test_by_number_the_exact_one_first(web: Web) -> None:
    assert found_in(web.get("/?q=1001"))[:2] == ["shop/1001", "shop/10011"]
    assert found_in(web.get("/?q=200")) == ["shop/2001"]
    assert found_in(web.get("/?q=1001&store=shop"))[0] == "shop/1001"


@pytest.mark.parametrize("typed", ["10_1", "1%", "%", "_001", "100.", "1*", "[0-9]", "\\1001"])
def test_what_is_typed_for_a_number_has_no_sign_for_any(orders: Orders, typed: str) -> None:
    find = "SELECT count(*) FROM tracker.find_numbers(%s, NULL, 50)"
    assert orders.sql(find, "100") != [(0,)]
    assert orders.sql(find, typed) == [(0,)]


def test_by_subject_and_by_words_of_the_text(web: Web) -> None:
    assert found_in(web.get("/?q=%22is%20parcel%2017%22")) == ["shop/1001"]
    assert "shop/1001" in found_in(web.get("/?q=WHERE"))
    assert found_in(web.get("/?q=nothinglikeit")) == []


def test_an_order_of_many_messages_hides_no_other(web: Web, orders: Orders) -> None:
    for number in ("quiet", "loud"):
        orders.open("shop", number)
    raw = b"Subject: x\r\n\r\nAbout the zebra\r\n"
    orders.write("shop", "quiet", "One", "store", raw=raw)
    for number in range(101):
        orders.write("shop", "loud", f"Number {number} is it", "store", raw=raw)
    orders.publish()
    found = web.get("/?q=zebra")
    assert found_in(found) == ["shop/loud", "shop/quiet"]
    assert "Number 100 is it" in found.text


@pytest.mark.parametrize(
    "words",
    ["%00", "'", "%22", "(%26|!", "%25%25", "a" * 3000, "\\\\", "%F0%9F%98%80", ":*", "_%25"],
)
def test_nothing_that_is_typed_is_an_error(web: Web, words: str) -> None:
    assert web.get(f"/?q={words}").status == 200


def test_by_alias_in_any_form_and_case(web: Web, orders: Orders) -> None:
    hard = orders.mask("shop", "1001", CUSTOMER)
    for typed in (hard, hard.upper(), hard.partition("@")[0]):
        assert found_in(web.get(f"/?q={quote(typed)}")) == ["shop/1001"]
        answer = web.search(typed)
        assert answer.status == 303
        assert found_in(web.get(answer.headers["location"])) == ["shop/1001"]
    orders.sql("UPDATE tracker.stores SET mask = 'soft'")
    try:
        soft, theirs = (orders.mask(store, "1001", CUSTOMER) for store in ("shop", "other"))
    finally:
        orders.sql("UPDATE tracker.stores SET mask = 'hard'")
    assert soft.startswith(f"{CUSTOMER}-")
    for typed in (soft, soft.upper()):
        answer = web.search(typed, field="address")
        assert found_in(answer) == ["shop/1001"]
        assert CUSTOMER not in answer.text.lower()
    # Whatever stands before the order's reference: nobody confirms a guess.
    assert found_in(web.search(soft.replace("john.doe", "jane"))) == ["shop/1001"]
    assert found_in(web.search(theirs)) == []
    assert found_in(web.get(f"/?q={orders.mask('other', '1002', CUSTOMER)}")) == []


def test_by_address_which_is_shown_nowhere_and_noted(signed: Web, orders: Orders) -> None:
    orders.sql("DELETE FROM tracker.lookups")
    answer = signed.search(CUSTOMER.upper(), field="address", X_Remote_User="anna@erp.example")
    found = found_in(answer)
    assert {"shop/1001", "other/1001", "shop/a%2Fb"} <= set(found)
    noted = orders.sql("SELECT actor, db_user, store FROM tracker.lookups ORDER BY store")
    assert [(actor, store) for actor, _role, store in noted] == [
        ("anna@erp.example", "other"),
        ("anna@erp.example", "shop"),
    ]
    assert {role for _actor, role, _store in noted} <= set(orders.roles)
    for text in (answer.text, signed.log_text(), str(answer.headers)):
        assert "customer.example" not in text.lower()
        assert "anna" not in text
    one = signed.search(CUSTOMER, store="shop", X_Remote_User="anna")
    assert all(each.startswith("shop/") for each in found_in(one))
    assert found_in(signed.search("nobody@customer.example", X_Remote_User="anna")) == []


@pytest.mark.parametrize(
    "words", ["john.doe", "x@", "@", "a b@c@d", "\0@x", "x" * 300 + "@y.example"]
)
def test_what_is_no_address_is_said_to_be_none(signed: Web, words: str) -> None:
    answer = signed.search(words, field="address", X_Remote_User="anna")
    assert answer.status == 200
    assert "This is no mail address." in answer.text


def test_no_link_searches_for_an_address(web: Web) -> None:
    for words in (CUSTOMER, CUSTOMER.replace("@", "%2540"), CUSTOMER.replace("@", " (at) ")):
        answer = web.get(f"/?q={quote(words, safe='%')}")
        assert answer.status == 400
        assert "john" not in answer.text
        assert found_in_any(answer) == []


def found_in_any(answer: Answer) -> list[str]:
    return answer.text.split('href="/orders/')[1:]


def test_words_that_are_sent_by_the_form_become_a_link(web: Web) -> None:
    answer = web.search("parcel 17", "shop")
    assert answer.status == 303
    where = urlsplit(answer.headers["location"])
    assert where.path == "/"
    assert parse_qs(where.query) == {"q": ["parcel 17"], "store": ["shop"]}


def test_an_address_among_the_words_stands_in_no_link(signed: Web) -> None:
    """The form sends both alike: which it was is seen here, not in the browser."""
    for typed in (CUSTOMER, f"Order of <{CUSTOMER}>", f"mailto:{CUSTOMER}"):
        answer = signed.search(typed, X_Remote_User="anna")
        assert answer.status == 200
        assert found_in(answer)
        assert "john" not in answer.text
    assert signed.search(CUSTOMER.replace("@", " (at) "), X_Remote_User="anna").status == 200


def test_words_of_another_site_are_the_link_that_it_might_have_had(web: Web) -> None:
    answer = web.search("parcel 17", Sec_Fetch_Site="cross-site")
    assert (answer.status, answer.headers["location"]) == (303, "/?q=parcel+17")
    assert web.search(CUSTOMER, Sec_Fetch_Site="cross-site").status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "none"}, 403),
        ({"Sec_Fetch_Site": "", "Origin": "https://evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://orders.example.com", "Host": "orders.example.com"}, 200),
        ({}, 200),
    ],
)
def test_no_other_site_searches(signed: Web, headers: dict[str, str], status: int) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded", "X_Remote_User": "anna"}
    body = b"address=nobody%40customer.example"
    assert signed.get("/", method="POST", body=body, **form, **headers).status == status


def test_a_form_is_short_and_a_form(web: Web) -> None:
    assert web.search("x" * 20_000).status == 413
    assert web.search("x", Content_Type="text/plain").status == 415
    assert web.search("x", Content_Type="multipart/form-data; boundary=x").status == 415


# Lists


def test_lists_have_what_may_be_read(web: Web, signed: Web) -> None:
    ours = web.get("/")
    assert found_in(ours) == ["shop/1001", "shop/1002", "shop/1003", "shop/2001"]
    assert "mailbox full" in ours.text
    assert "On its way" in ours.text
    both = set(found_in(signed.get("/", X_Remote_User="anna")))
    assert both == {f"{s}/{n}" for s in ("shop", "other") for n in (1001, 1002, 1003, 2001)}
    one = found_in(signed.get("/?store=other", X_Remote_User="anna"))
    assert one == ["other/1001", "other/1002", "other/1003", "other/2001"]


def test_whoever_has_waited_longest_comes_first(
    orders: Orders, tmp_path_factory: pytest.TempPathFactory
) -> None:
    orders.add_store("waits")
    for number in ("1", "2", "3", "answered", "closed"):
        orders.open("waits", number)
        orders.write("waits", number)
    orders.write("waits", "answered", "On its way", "store")
    orders.sql("SELECT tracker.close_order('waits', 'closed')")
    orders.write("waits", "1", "And now?")
    with Web(tmp_path_factory.mktemp("waits"), orders.add_reader("waits")) as web:
        assert found_in(web.get("/")) == ["waits/1", "waits/2", "waits/3"]


def test_whoever_was_granted_nothing_sees_nothing(
    orders: Orders, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Web(tmp_path_factory.mktemp("nothing"), orders.add_reader()) as web:
        assert found_in(web.get("/")) == []
        assert found_in(web.get("/?q=1001")) == []
        assert found_in(web.search(CUSTOMER)) == []
        assert web.get("/orders/shop/1001").status == 404


def test_what_was_refused_has_its_own_subject(
    orders: Orders, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """That of its sender's, not of another's; and none once it is gone from the timeline."""
    orders.add_store("refuses")
    orders.open("refuses", "1")
    for subject, who in (("First", "buyer"), ("Offer", None), ("Second", "buyer")):
        orders.refuse("refuses", "1", subject=subject, who=who)
    for number in range(18):
        orders.refuse("refuses", "1", subject=f"More {number}", who="partner")
    orders.publish()
    with Web(tmp_path_factory.mktemp("refuses"), orders.add_reader("refuses")) as web:

        def subjects() -> list[str]:
            rows = web.get("/?store=refuses").text.split('href="/orders/')[1:]
            return [re.sub(r"(?s).*class=\"subject[^>]*>([^<]*)<.*|.*", r"\1", row) for row in rows]

        told = ["Second", "Offer", "First"]
        # The hour's row that counts the others has none.
        assert subjects() == ["", *(f"More {number}" for number in range(15, -1, -1)), *told]
        orders.sql("DELETE FROM tracker.refusals WHERE subject LIKE 'More %%'")
        assert subjects() == [""] * 17 + told


# Who is signed in


def test_who_is_not_named_is_let_in_nowhere_but_at_files_of_ours(signed: Web) -> None:
    for path in ("/", "/orders/shop/1001", "/orders/shop/1001?format=json"):
        assert signed.get(path).status == 403
        assert signed.get(path, X_Remote_User="").status == 403
        assert signed.get(path, X_Remote_User="x" * 300).status == 403
        assert signed.get(path, X_Remote_User="anna").status == 200
    assert signed.get("/static/page.css").status == 200


def test_who_names_themselves_beside_the_proxy_is_not_believed(signed: Web) -> None:
    connection = signed.connect()
    connection.putrequest("GET", "/")
    connection.putheader("X-Remote-User", "admin")
    connection.putheader("x-remote-user", "anna")
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()


# All answers


def test_every_answer_is_guarded(web: Web, orders: Orders) -> None:
    message = last_message(orders, "shop", "1001")
    for path in (
        "/", "/?q=1001", "/orders/shop/1001", "/orders/shop/1001?format=json", "/nowhere",
        "/orders/shop/1001?before=x", "/static/page.css", "/static/page.js", "/%FF",
        f"/orders/shop/1001/messages/{message}", f"/orders/shop/1001/attachments/{message}/1",
    ):  # fmt: skip
        answer = web.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors" in policy
        assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        kept = "no-cache" if path.startswith("/static") else "no-store"
        assert answer.headers["cache-control"] == kept
        assert "server" not in answer.headers


def test_an_order_may_be_embedded_by_whom_the_configuration_names(signed: Web) -> None:
    policy = signed.get("/orders/shop/1001", X_Remote_User="anna").headers[
        "content-security-policy"
    ]
    assert policy.endswith("frame-ancestors https://erp.example.com")


def test_files_of_ours_are_kept_by_the_browser(web: Web) -> None:
    answer = web.get("/static/page.js")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    again = web.get("/static/page.js", If_None_Match=answer.headers["etag"])
    assert (again.status, again.octets) == (304, b"")


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"]
)
def test_it_is_only_read(web: Web, method: str) -> None:
    for path in ("/orders/shop/1001", "/static/page.css"):
        answer = web.get(path, method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    if method != "POST":
        answer = web.get("/", method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert web.get("/nowhere", method=method).status == 404


def test_head_is_get_without_a_body(web: Web, orders: Orders) -> None:
    message = last_message(orders, "shop", "1001")
    for path in (
        "/static/page.css", "/orders/shop/1001?format=json", "/orders/shop/nothing",
        f"/orders/shop/1001/attachments/{message}/1",
    ):  # fmt: skip
        head, got = web.get(path, method="HEAD"), web.get(path)
        assert (head.status, head.octets) == (got.status, b"")
        assert _without_date(head) == _without_date(got)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/%FF", 400), ("/orders/%C3/1", 400), ("/orders/shop/%00", 404), ("//", 404),
        ("/orders/shop/1001/", 404), ("/..%2F..%2Fetc%2Fpasswd", 404),
        ("/static/%2E%2E%2Fpage.css", 404), ("/orders/" + "x" * 5000 + "/1", 404), ("/;", 404),
        ("/orders/shop/1001%3Fformat=json", 404), ("/orders/shop/1001#x", 404),
    ],
)  # fmt: skip
def test_odd_paths_lead_nowhere(web: Web, path: str, status: int) -> None:
    answer = web.get(path)
    assert answer.status == status
    assert "<html" in answer.text


def test_the_log_has_a_line_for_each_request_and_nothing_of_what_was_asked(web: Web) -> None:
    web.get("/orders/shop/secret-number?q=john%40doe.example")
    web.get("/orders/shop/1001?format=json")
    web.get("/static/page.css")
    # A line comes once the answer is out.
    web.until(lambda: web.events("request")[-1]["page"] == "static")
    one, another, _last = web.events("request")[-3:]
    assert (one["method"], one["page"], one["status"]) == ("GET", "order", 404)
    assert (another["page"], another["status"]) == ("json", 200)
    assert one.keys() == {"at", "level", "event", "method", "page", "status", "ms"}
    assert "secret-number" not in web.log_text()
    assert datetime.fromisoformat(one["at"])


def test_while_an_upgrade_is_at_work_it_is_said_that_no_address_is_found(
    web: Web, orders: Orders
) -> None:
    before = orders.sql("SELECT * FROM tracker.unnumbered")
    orders.sql("INSERT INTO tracker.unnumbered (place, after, last) VALUES ('participants', 0, 1)")
    try:
        answer = web.search(CUSTOMER, field="address")
        assert (answer.status, "An upgrade is at work" in answer.text) == (200, True)
    finally:
        orders.sql("DELETE FROM tracker.unnumbered")
    assert before == []
    assert found_in(web.search(CUSTOMER, field="address"))
