"""`check --live` sends mail of a test order out and back, and nothing of it stays."""

import io
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest

from conversation_tracker.checks import run as check
from conversation_tracker.checks.live.check import judge
from conversation_tracker.checks.live.destination import find_trouble, list_domains
from conversation_tracker.config.config import load
from conversation_tracker.database.checks import rehearsal
from conversation_tracker.database.checks.rehearsal import SeenMessage
from conversation_tracker.postfix import queue
from conversation_tracker.postfix.settings import Settings, read_settings
from private import processes
from private.mailhost import MailHost

if TYPE_CHECKING:
    from private.postgres import Postgres

DOMAIN = "ct.example.com"
STORE = f"INSERT INTO tracker.stores (name, alias_domain) VALUES ('shop', '{DOMAIN}')"
TABLES = (
    "stores orders participants return_addresses messages deliveries repeats refusals message_ids"
    " sender_domains alias_domains"
).split()


@pytest.fixture(scope="module")
def host(postgres: "Postgres", migrated: str) -> Iterator[MailHost]:
    """A mail host that has mailboxes of its own, but not for everybody."""
    uri = postgres.create_database("live", template=migrated)
    with psycopg.connect(uri) as connection:
        connection.execute(STORE)
    settings = {"mydestination": "mail.example.com, localhost"}
    with MailHost(uri, settings=settings) as found:
        yield found
    postgres.drop_database("live")


def environ(host: MailHost) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "MAIL_CONFIG": str(host.postfix.config)}


def look(host: MailHost) -> list[dict[str, str]]:
    """Run the test, and return what is found of it."""
    out = io.StringIO()
    wanted = check.Wanted(live=True, json=True)
    check.run(load(host.tracker.config, {}), out, environ(host), wanted)
    return [row for row in json.loads(out.getvalue()) if row["subject"] == "live"]


def counts(host: MailHost) -> list[int]:
    """Count the rows there are."""
    with psycopg.connect(load(host.tracker.config, {}).database) as connection:
        return [
            connection.execute(f"SELECT count(*) FROM tracker.{table}".encode()).fetchone()[0]  # type: ignore[index]
            for table in TABLES
        ]


def test_mail_goes_out_and_back_and_nothing_stays(host: MailHost) -> None:
    before, sent = counts(host), len(host.sink.messages)
    found = look(host)
    assert [(row["level"], row["text"].partition(" (")[0]) for row in found] == [
        ("ok", "test mail"),
        ("ok", "test mail"),
        ("ok", "of the test mail nothing is left"),
    ], found
    assert "(out) was masked, recorded, sent to 2 and came back (bounced 5." in found[0]["text"]
    assert "(back) was masked, recorded, sent to 1 and came back" in found[1]["text"]
    assert counts(host) == before
    assert host.postfix.queue() == []
    assert len(host.sink.messages) == sent
    # By the splitter, one copy for each.
    assert host.postfix.log_text().count("relay=127.0.0.1[127.0.0.1]") >= 2


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"smtpd_recipient_restrictions": "reject"}, "(out) was not taken (554 5.7.1)"),
        (
            {"smtpd_recipient_restrictions": "check_recipient_access static:hold"},
            "(out) 0 came back in 1 s",
        ),
    ],
)
def test_what_does_not_come_back_is_wrong_and_leaves_nothing(
    host: MailHost,
    settings: dict[str, str],
    says: str,
    change_timeouts: Callable[..., object],
) -> None:
    change_timeouts(check_live_seconds=1.0)
    before = counts(host)
    usual = {name: host.postfix.postconf(name) for name in settings}
    host.postfix.configure(settings)
    host.postfix.reload()
    try:
        found = look(host)
    finally:
        host.postfix.configure(usual)
        host.postfix.reload()
    assert any(row["level"] == "wrong" and says in row["text"] for row in found), found
    assert counts(host) == before
    assert host.postfix.queue() == []


def test_a_queue_that_is_not_shown_is_not_taken_for_empty(
    host: MailHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Postfix does not show it to all (authorized_mailq_users); root sees it always."""
    monkeypatch.setattr(queue, "find_tool", lambda _name, _environ: ("/bin/false",))
    found = look(host)
    assert [row["level"] for row in found] == ["ok", "ok", "note"]
    assert found[2]["text"].startswith("whether test mail is still in the queue was not seen")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_whatever_ends_it_leaves_nothing(host: MailHost, number: int) -> None:
    """Between the first message and its way back, while rows are there and mail is on its way."""
    before = counts(host)
    command = [sys.executable, "-m", "conversation_tracker", "-c", host.tracker.config]
    child = subprocess.Popen(
        [*command, "check", "--live"],
        env={**os.environ, **environ(host)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert processes.until(lambda: counts(host)[0] > before[0], 60.0)
    child.send_signal(number)
    child.wait(30)
    assert processes.until(lambda: counts(host) == before, 30.0)
    assert processes.until(lambda: host.postfix.queue() == [], 30.0)


@pytest.mark.parametrize("said", [b"", b"conversation-tracker-check-x\n"])
def test_who_is_told_of_no_database_asks_none(said: bytes) -> None:
    """Its owner was killed as it began; libpq would take a database of its own."""
    end, kept = os.pipe()
    command = [sys.executable, "-P", "-m", "conversation_tracker.checks.live.sweeper"]
    env = {**os.environ, "PGHOST": "/nowhere"}
    subprocess.run(command, input=said, env=env, pass_fds=[kept], check=True)
    os.close(kept)
    with os.fdopen(end) as stream:
        assert select.select([stream], [], [], 20.0)[0]  # the process, which had it too, is gone


def test_what_an_older_test_left_goes_and_a_store_of_such_a_name_does_not(host: MailHost) -> None:
    uri = load(host.tracker.config, {}).database
    old, young = (rehearsal.make_name(at, "0123456789abcdef") for at in (1_700_000_000, 4e9))
    with psycopg.connect(uri, autocommit=True) as connection:
        for name in (old, young, "conversation-tracker-check-mine"):
            connection.execute(
                "INSERT INTO tracker.stores (name, alias_domain) VALUES (%s, %s)", (name, DOMAIN)
            )
        connection.execute("SELECT tracker.mask(%s, '1', 'a@example.org')", (old,))
        assert host.tracker.run("expire").returncode == 0
        left = {row[0] for row in connection.execute("SELECT name FROM tracker.stores")}
        connection.execute("DELETE FROM tracker.stores WHERE name LIKE 'conversation-%'")
    assert left == {"shop", young, "conversation-tracker-check-mine"}


def test_a_message_that_is_not_masked_or_not_recorded_is_wrong() -> None:
    back = ("bounced 5.1.1", "bounced 5.1.1")
    for seen, expected in (
        (SeenMessage("outbound", False, back), ["ok"]),
        (SeenMessage("outbound", True, back), ["WRONG"]),
        (SeenMessage("outbound", False, back[:1]), ["WRONG"]),
        (SeenMessage("outbound", False, ("accepted ", back[0])), ["WRONG"]),
        (None, ["WRONG"]),
    ):
        assert [fact.verdict for fact in judge("out", seen, 2)] == expected


LOCAL = {
    "mydestination": "mail.example.com localhost, hash:/x, !no.example.com",
    "local_transport": "local:mail",
    "default_transport": "smtp",
}


def make_settings(**changes: str) -> Settings:
    return Settings(LOCAL | changes, (), answer)


def answer(table: str, key: str) -> str | None:
    """Answer as a table of the host's own addresses, or as one of patterns for everybody."""
    return "you" if "@mail" in key or table == "regexp:/everybody" else None


@pytest.mark.parametrize(
    ("changes", "domains"),
    [
        ({}, ["mail.example.com", "check.invalid"]),
        ({"luser_relay": "root"}, ["check.invalid"]),
        ({"mailbox_transport": "lmtp:unix:private/dovecot"}, ["check.invalid"]),
        ({"local_transport": "lmtp:unix:private/dovecot"}, ["check.invalid"]),
        ({"alias_maps": "hash:/x"}, ["mail.example.com", "check.invalid"]),
        ({"alias_maps": "hash:/x, regexp:/everybody"}, ["check.invalid"]),
        ({"relayhost": "[relay.example.com]"}, ["mail.example.com"]),
        ({"default_transport": "uucp"}, ["mail.example.com"]),
        ({"virtual_alias_maps": "hash:/x"}, ["check.invalid"]),
        ({"mydestination": "m\u00e4il.example.com"}, ["check.invalid"]),
        ({"relayhost": "relay.example.com", "luser_relay": "root"}, []),
    ],
)
def test_nobody_gets_the_mail(changes: dict[str, str], domains: list[str]) -> None:
    assert list_domains(make_settings(**changes), "x") == domains


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"always_bcc": "archive"}, "always_bcc would keep a copy"),
        ({"soft_bounce": "yes"}, "stay in the queue"),
        ({"notify_classes": "resource, 2bounce"}, "postmaster"),
    ],
)
def test_where_something_would_stay_nothing_is_sent(changes: dict[str, str], says: str) -> None:
    found = find_trouble(make_settings(**changes))
    assert says in found
    assert (found == "") is (says == "")


def test_the_settings_of_the_host_are_those_that_are_tried(host: MailHost) -> None:
    settings = read_settings(environ(host))
    assert find_trouble(settings) == ""
    assert list_domains(settings, "x")[0] == "mail.example.com"
