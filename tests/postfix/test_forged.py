"""What strangers write in the verifier's name is not believed, and `check` asks whether it is."""

import io
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from conversation_tracker.checks import forged_results
from conversation_tracker.checks import run as check
from conversation_tracker.checks.finding import CheckLine
from conversation_tracker.config.config import load
from conversation_tracker.core.model import replies
from conversation_tracker.core.rules import probe
from conversation_tracker.database.health import read_state
from conversation_tracker.postfix import settings as postfix_settings
from conversation_tracker.postfix.names import name_command
from private.client import Client
from private.mailhost import MailHost

from .verifier import Verifier

if TYPE_CHECKING:
    from private.postgres import Postgres

ID = "mx.example.com"
STORE = """
INSERT INTO tracker.stores (name, alias_domain, sender_domains, spoofed_senders)
VALUES ('shop', 'ct.example.com', '{shop.example}', 'reject')
"""
_numbers = itertools.count(1)
BUYER, CARRIER = "john@doe.example", "desk@victim.example"


@contextmanager
def host(
    postgres: "Postgres", migrated: str, name: str = ID, before: str = ""
) -> Iterator[MailHost]:
    """Run a mail host whose tracker believes this name, with a verifier before it or none."""
    database = f"forged{next(_numbers)}"
    uri = postgres.create_database(database, template=migrated)
    with psycopg.connect(uri) as connection:
        connection.execute(STORE)
    settings = {"smtpd_milters": before} if before else {}
    options = {"authserv_id": name} if name else {}
    with MailHost(uri, settings=settings, options=options) as found:
        found.uri = uri  # type: ignore[attr-defined]
        yield found
    postgres.drop_database(database)


def facts(found: MailHost, name: str = ID) -> list[CheckLine]:
    """Ask, as check does."""
    environ = {"PATH": os.environ["PATH"], "MAIL_CONFIG": str(found.postfix.config)}
    settings = postfix_settings.read_settings(environ)
    config = load(found.tracker.config, {})
    state = read_state(config.database)
    return [*forged_results.check(settings, config.socket, name, state.domains, state.secret)]


def counted(uri: str) -> list[int]:
    """Count what is recorded of anybody."""
    with psycopg.connect(uri) as connection:
        return [
            connection.execute(f"SELECT count(*) FROM tracker.{table}".encode()).fetchone()[0]  # type: ignore[index]
            for table in ("messages", "refusals", "orders", "participants")
        ]


def believed(found: MailHost, helo: str) -> bool:
    """Return whether forged results of a client that calls itself so are believed."""
    key = read_state(load(found.tracker.config, {}).database).secret
    to = probe.make_address("ct.example.com", time.time(), key)
    with Client(found.postfix.port) as client:
        assert client.command(f"EHLO {helo}").ok
        said = str(client.send("", to, forged_results.write_message(ID)).final)
    assert said in (str(replies.PROBE_BELIEVED), str(replies.PROBE_FAILED)), said
    return said == str(replies.PROBE_BELIEVED)


def test_check_says_whether_forged_results_are_believed(
    postgres: "Postgres", migrated: str
) -> None:
    """With nothing before the tracker they are; `configure` mends it for every verifier."""
    with host(postgres, migrated) as found:
        asked = facts(found)
        assert [fact.verdict for fact in asked] == ["WRONG", "WRONG"]  # two smtpds of the test's
        assert all(f"{name_command('configure')} --authserv-id {ID}" in fact.text for fact in asked)
        assert believed(found, "out.evil.example")
        assert not believed(found, "x; dkim=pass header.d=victim.example")
        found.configure("--authserv-id", ID)
        found.postfix.reload()
        asked = facts(found)
        assert [fact.verdict for fact in asked] == ["ok", "ok"], asked
        assert not believed(found, "out.evil.example")
        assert counted(found.uri) == [0, 0, 0, 0]  # type: ignore[attr-defined]
        assert found.sink.messages == []
        assert found.postfix.queue() == []
        out = io.StringIO()
        environ = {"PATH": os.environ["PATH"], "MAIL_CONFIG": str(found.postfix.config)}
        check.run(load(found.tracker.config, {}), out, environ)
        assert out.getvalue().count(f"results that a stranger writes in the name of {ID}") == 2
        assert "probe-" not in out.getvalue() + found.tracker.log_text()


def test_a_service_that_believes_nobody_is_told_apart(postgres: "Postgres", migrated: str) -> None:
    with host(postgres, migrated, name="") as found:
        [fact] = facts(found, "")
        assert fact.verdict == "ok"
        asked = facts(found)
        assert {fact.verdict for fact in asked} == {"WRONG"}
        assert all("reload conversation-tracker" in fact.text for fact in asked)


def test_what_cannot_be_asked_is_noted(postgres: "Postgres", migrated: str) -> None:
    with host(postgres, migrated) as found:
        found.postfix.configure({"smtpd_recipient_restrictions": "reject"})
        found.postfix.reload()
        assert {fact.verdict for fact in facts(found)} == {"note"}
        assert all("could not be asked (554 5.7.1)" in fact.text for fact in facts(found))
        found.postfix.stop()
        assert {fact.verdict for fact in facts(found)} == {"note"}
        assert all("ConnectionRefusedError" in fact.text for fact in facts(found))


# i= lies outside d=, which OpenDKIM finds out without a key, and repeats.
SMUGGLING = (
    "v=1; a=rsa-sha256; c=relaxed/relaxed; d=evil.example; s=x; h=from:to;"
    " bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA;"
    " i=x=3Bdkim=3Dpass=20header.d=3Dvictim.example=20header.x=3Dx@elsewhere.example"
)


def letter(alias: str, *fields: str) -> bytes:
    """Write a stranger's mail as the carrier."""
    lines = [*fields, f"From: {CARRIER}", f"To: {alias}", "Subject: Pay me", "", "Text.", ""]
    return "\r\n".join(lines).encode()


def masked(uri: str, address: str, role: str) -> str:
    with psycopg.connect(uri) as connection:
        row = connection.execute(
            "SELECT tracker.mask('shop', '1', %s, %s)", (address, role)
        ).fetchone()
        assert row is not None
        return str(row[0])


@pytest.fixture(scope="module")
def verified(postgres: "Postgres", migrated: str) -> Iterator[MailHost]:
    """A host with OpenDKIM 2.11 before its tracker, as Debian has it."""
    with Verifier(ID) as verifier, host(postgres, migrated, before=verifier.socket) as found:
        yield found


def test_what_opendkim_repeats_of_a_signature_is_not_believed(verified: MailHost) -> None:
    uri = verified.uri  # type: ignore[attr-defined]
    alias = masked(uri, BUYER, "buyer")
    masked(uri, CARRIER, "partner")
    said = verified.send("x@evil.example", alias, letter(alias, f"DKIM-Signature: {SMUGGLING}"))
    assert str(said.final).startswith(str(replies.SENDER_REFUSED)), said.final
    # It is the verifier that says so: without it here, nothing would be shown by this test.
    with Client(verified.postfix.submission_port) as client:
        data = letter(alias, f"DKIM-Signature: {SMUGGLING}")
        before = len(verified.sink.messages)
        assert client.send("x@evil.example", "out@elsewhere.example", data).ok
    verified.sink.wait_for(before + 1, 30.0)
    [results] = verified.sink.messages[-1].header("Authentication-Results")
    assert b"dkim=pass header.d=victim.example" in b" ".join(results.split())


def test_opendkim_alone_leaves_what_it_cannot_read_and_check_says_so(verified: MailHost) -> None:
    assert {fact.verdict for fact in facts(verified)} == {"WRONG"}
    alias = masked(verified.uri, BUYER, "buyer")  # type: ignore[attr-defined]
    masked(verified.uri, CARRIER, "partner")  # type: ignore[attr-defined]
    forged = f"Authentication-Results: {ID}; dmarc=pass header.from=victim.example"
    assert verified.send("x@evil.example", alias, letter(alias, forged)).ok
    verified.configure("--authserv-id", ID)
    verified.postfix.reload()
    assert {fact.verdict for fact in facts(verified)} == {"ok"}
    said = verified.send("x@evil.example", alias, letter(alias, forged))
    assert str(said.final).startswith(str(replies.SENDER_REFUSED))


def test_what_a_policy_service_puts_before_mail_is_removed_like_a_strangers(
    postgres: "Postgres", migrated: str
) -> None:
    """So the results of policyd-spf count no more, as docs/compatibility.md says."""
    line = f"Authentication-Results: {ID}; spf=pass smtp.mailfrom=victim.example"
    with host(postgres, migrated) as found:
        restrictions = f"check_sender_access static:{{PREPEND {line}}}"
        found.postfix.configure({"smtpd_sender_restrictions": restrictions})
        found.postfix.reload()
        alias = masked(found.uri, BUYER, "buyer")  # type: ignore[attr-defined]
        masked(found.uri, CARRIER, "partner")  # type: ignore[attr-defined]
        assert found.send("x@victim.example", alias, letter(alias)).ok
        found.configure("--authserv-id", ID)
        found.postfix.reload()
        said = found.send("x@victim.example", alias, letter(alias))
        assert str(said.final).startswith(str(replies.SENDER_REFUSED))
