"""The table tracker.webhooks: what may stand in it, and who may read it."""

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest
from logins import LogIn
from sending import add_webhook, happen, state
from stores import refused

if TYPE_CHECKING:
    from tests.database.conftest import Shop

KEY = "whsec_" + base64.b64encode(b"k" * 24).decode()
ASCII = "webhooks_url_is_host_and_port_and_path_in_ascii"
BEGINS = "webhooks_url_begins_with_https_or_http"
USER = "webhooks_url_has_no_user_or_password"
SECRET = "webhooks_secret_is_whsec_and_base64_of_24_to_64_octets"


@pytest.fixture(autouse=True)
def alone(shop: "Shop") -> Iterator[None]:
    """Leave no webhook behind."""
    yield
    shop.rows("DELETE FROM tracker.webhooks RETURNING 1")


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.com",
        "https://shop.example.com/hooks/tracker?key=a%20b&x=[]".replace("[]", "()"),
        "http://10.0.0.5:8080/",
        "https://[2001:db8::1]:8443/x",
        "https://[::1]/",
        "https://xn--caf-dma.example:65535/",
        "https://a.example/@b:99999",
        "https://a.example/" + "x" * 1982,
    ],
)
def test_a_good_url_is_taken(shop: "Shop", url: str) -> None:
    add_webhook(shop, url)


@pytest.mark.parametrize(
    ("url", "constraint"),
    [
        ("", ASCII),
        ("ftp://a.example/", ASCII),
        ("javascript:alert(1)", ASCII),
        ("https://", ASCII),
        ("https:///x", ASCII),
        ("https://a b/", ASCII),
        ("https://a.example/\n", ASCII),
        ("https://caf\xe9.example/", ASCII),
        ("https://a.example/caf\xe9", ASCII),
        ("https://a.example#x", ASCII),
        ("https://a.example/#x", ASCII),
        ("https://a.example\\x", ASCII),
        ("https://a.example:0/", ASCII),
        ("https://a.example:65536/", ASCII),
        ("https://a.example:99999", ASCII),
        ("https://[::1]:70000/", ASCII),
        ("https://a.example:/", ASCII),
        ("https://john@a.example/", USER),
        ("https://john:pass@a.example/", USER),
        ("https://a.example/" + "x" * 1983, "webhooks_url_has_2000_characters_at_most"),
    ],
)
def test_a_bad_url_is_refused_and_the_constraint_says_why(
    shop: "Shop", url: str, constraint: str
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        add_webhook(shop, url)
    assert caught.value.diag.constraint_name in {constraint, BEGINS, USER} - (
        {BEGINS} if url.startswith("http") else set()
    )


def test_a_url_is_there_once_in_a_store(shop: "Shop") -> None:
    add_webhook(shop, "https://a.example/")
    with refused("webhooks_url_is_given_once_in_a_store"):
        add_webhook(shop, "https://a.example/")


@pytest.mark.parametrize("size", [24, 25, 26, 27, 32, 63, 64])
def test_a_secret_has_24_to_64_octets(shop: "Shop", size: int) -> None:
    hook = add_webhook(shop, "https://a.example/")
    secret = "whsec_" + base64.b64encode(b"k" * size).decode()
    for column in ("secret", "former_secret"):
        query = f"UPDATE tracker.webhooks SET {column} = %s WHERE id = %s RETURNING 1"
        assert shop.rows(query, secret, hook) == [(1,)]


@pytest.mark.parametrize(
    "secret",
    [
        "", "secret", "whsec_", KEY.removeprefix("whsec_"), KEY.upper(), KEY + "=", KEY + "A",
        KEY + "\n", " " + KEY, KEY[:-1] + "*", KEY.replace("whsec_", "whsk_"),
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
    ],
)  # fmt: skip
def test_a_bad_secret_is_refused(shop: "Shop", secret: str) -> None:
    hook = add_webhook(shop, "https://a.example/")
    with refused(SECRET):
        shop.rows("UPDATE tracker.webhooks SET secret = %s WHERE id = %s", secret, hook)
    with refused("webhooks_former_secret_is_like_a_secret"):
        shop.rows("UPDATE tracker.webhooks SET former_secret = %s WHERE id = %s", secret, hook)


def test_secrets_are_made_by_themselves_and_none_is_like_another(shop: "Shop") -> None:
    for number in range(20):
        add_webhook(shop, f"https://a.example/{number}")
    secrets = [secret for (secret,) in shop.rows("SELECT secret FROM tracker.webhooks")]
    assert len(set(secrets)) == 20
    assert {len(base64.b64decode(each.removeprefix("whsec_"))) for each in secrets} == {32}


def test_events_are_those_that_the_feed_knows(shop: "Shop") -> None:
    known = shop.one(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'event_is_known'"
    )
    names = known.split("'")[1::2]
    assert "left out" in names
    add_webhook(shop, "https://a.example/", *names)
    for bad in ("opening", "", None):
        with refused("webhooks_events_are_those_of_the_feed"):
            add_webhook(shop, f"https://a.example/{bad}", "closed", bad)  # type: ignore[arg-type]


def test_a_webhook_goes_with_its_store_and_follows_its_name(shop: "Shop") -> None:
    hook = add_webhook(shop, "https://a.example/")
    shop.rows("UPDATE tracker.stores SET name = 'other' WHERE name = %s RETURNING 1", shop.name)
    assert shop.one("SELECT store FROM tracker.webhooks WHERE id = %s", hook) == "other"
    shop.rows("DELETE FROM tracker.stores WHERE name = 'other' RETURNING 1")
    assert shop.rows("SELECT FROM tracker.webhook_states WHERE webhook_id = %s", hook) == []


def test_a_webhook_that_is_changed_is_tried_at_once(shop: "Shop") -> None:
    hook = add_webhook(shop, "https://a.example/")
    happen(shop, "a")
    shop.one("SELECT tracker.queue_webhook(%s, 10)", hook)
    position = shop.one(
        "SELECT min(position) FROM tracker.webhook_deliveries WHERE webhook_id = %s", hook
    )
    shop.one("SELECT tracker.settle_webhook(%s, %s, '500', 5, 5, 1)", hook, position)
    assert state(shop, hook)["failures"] == 1
    shop.rows("UPDATE tracker.webhooks SET events = '{closed}' WHERE id = %s RETURNING 1", hook)
    assert state(shop, hook)["failures"] == 1
    shop.rows(
        "UPDATE tracker.webhooks SET url = 'https://b.example/' WHERE id = %s RETURNING 1", hook
    )
    assert (state(shop, hook)["failures"], state(shop, hook)["held_until"]) == (0, None)


ALLOWED = "SELECT id, store, url, events, active FROM tracker.webhooks"
DENIED = [
    "SELECT secret FROM tracker.webhooks",
    "SELECT former_secret FROM tracker.webhooks",
    "SELECT * FROM tracker.webhooks",
    "SELECT id FROM tracker.webhooks WHERE secret LIKE 'whsec_A%'",
    "SELECT id FROM tracker.webhooks ORDER BY secret",
    "COPY tracker.webhooks TO STDOUT",
    "SELECT * FROM tracker.webhook_states",
    "SELECT * FROM tracker.webhook_deliveries",
    "INSERT INTO tracker.webhooks (store, url) VALUES ('{store}', 'https://a.example/')",
    "UPDATE tracker.webhooks SET url = 'https://evil.example/'",
    "UPDATE tracker.webhooks SET active = false",
    "DELETE FROM tracker.webhooks",
    "SELECT tracker.retry_webhooks(NULL)",
    "SELECT tracker.end_webhook(1, 'https://a.example/')",
    "SELECT tracker.queue_webhook(1, 1)",
    "SELECT tracker.settle_webhook(1, 1, '200', NULL, NULL, 0)",
]


@pytest.mark.parametrize("statement", DENIED)
@pytest.mark.parametrize("role", ["tracker_reader", "tracker_integrator"])
def test_nobody_but_the_service_sees_a_secret_or_writes(
    login: LogIn,
    shop: "Shop",
    role: str,
    statement: str,
) -> None:
    add_webhook(shop, "https://a.example/1")
    login(role).may_not(statement)


def test_an_integrator_sees_the_webhooks_of_granted_stores_only(
    login: LogIn,
    shop: "Shop",
) -> None:
    add_webhook(shop, "https://a.example/")
    clerk = login("tracker_integrator")
    user = clerk.connection.info.user
    shop.one("SELECT tracker.revoke_store(%s, %s)", user, shop.name)
    assert clerk.connection.execute(ALLOWED).fetchall() == []
    shop.one("SELECT tracker.grant_store(%s, %s)", user, shop.name)
    assert len(clerk.connection.execute(ALLOWED).fetchall()) == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        clerk.connection.execute("SELECT secret FROM tracker.webhooks")


def test_a_reader_sees_no_webhook(login: LogIn, shop: "Shop") -> None:
    login("tracker_reader").may_not(ALLOWED)


def test_the_service_reads_and_writes(login: LogIn, shop: "Shop") -> None:
    clerk = login("tracker_service")
    clerk.run("INSERT INTO tracker.webhooks (store, url) VALUES ('{store}', 'https://a.example/')")
    assert len(clerk.connection.execute("SELECT secret FROM tracker.webhooks").fetchall()) == 1
    hook = shop.one("SELECT max(id) FROM tracker.webhooks")
    clerk.run(f"SELECT tracker.queue_webhook({hook}, 1)")
    clerk.run(f"SELECT tracker.settle_webhook({hook}, 1, '500', 5, 5, 1)")
    clerk.run(f"SELECT tracker.end_webhook({hook}, 'https://a.example/')")
    clerk.run("SELECT tracker.retry_webhooks(NULL)")
    clerk.run("DELETE FROM tracker.webhooks")
