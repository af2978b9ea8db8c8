"""`check` asks the milters before the tracker: who verifies, of which version, in whose name."""

import os
from typing import Any

import pytest

from conversation_tracker.checks import verifiers
from conversation_tracker.checks.finding import CheckLine
from conversation_tracker.checks.verifiers import FoundVerifier
from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix.settings import read_settings

from .signer import Signer
from .verifier import Verifier

ID = "mx.example.com"


def ask(debian: Any, authserv_id: str) -> list[CheckLine]:
    environ = {"PATH": os.environ["PATH"], "MAIL_CONFIG": str(debian.directory)}
    ours = Socket("unix", path=debian.socket.removeprefix("unix:"))
    return [*verifiers.check(read_settings(environ), ours, authserv_id)]


def test_a_real_verifier_is_asked_its_name(debian: Any) -> None:
    with Verifier(ID) as verifier, Signer("ct.example.com") as signer:
        debian.set(f"smtpd_milters={verifier.socket}")
        debian.configured("--signer", signer.socket)
        [fact] = ask(debian, ID)
        assert fact.verdict == "ok"
        assert fact.what.startswith("opendkim 2.1")
        assert f"({verifier.socket}) verifies in the name of {ID}, whose" in fact.what
        [fact] = ask(debian, "other.example.com")
        assert (fact.verdict, f"set authserv_id = {ID} in" in fact.advice) == ("WRONG", True)
        [fact] = ask(debian, "")
        assert (fact.verdict, f"--authserv-id {ID}" in fact.advice) == ("note", True)
    [down, none] = ask(debian, ID)
    assert (down.verdict, "was not asked" in down.what) == ("note", True)
    assert (none.verdict, "no milter before the tracker writes" in none.what) == ("note", True)


def test_what_is_behind_the_tracker_is_not_asked_and_no_verifier_is_a_note(debian: Any) -> None:
    with Signer("ct.example.com") as signer:
        debian.configured("--signer", signer.socket)
        assert ask(debian, "") == []
        [fact] = ask(debian, ID)
        assert fact.verdict == "note"


DKIM = FoundVerifier("unix:a", "opendkim", "2.11.0", ID)
DMARC = FoundVerifier("inet:127.0.0.1:8893", "opendmarc", "1.4.2", "other.example.com")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([DKIM, DMARC], ["ok", "note"]),
        ([DMARC], ["WRONG"]),
        ([FoundVerifier("unix:a", "", "", ID.upper())], ["ok"]),
        ([FoundVerifier("unix:a", "opendmarc", "1.3.2", ID)], ["ok", "WRONG"]),
        ([FoundVerifier("unix:a", "clamav", "", "")], ["note", "note"]),
        ([], ["note"]),
    ],
)
def test_what_they_are_is_judged(found: list[FoundVerifier], expected: list[str]) -> None:
    assert [fact.verdict for fact in verifiers.judge(found, ID)] == expected


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("mx.example.com; dkim=pass", ID),
        (' "mx.example.com" 1; none', ID),
        ("\n\tmx.example.com/4ABC;\n\tdkim=none", ID),
        (";", ""),
        ("", ""),
    ],
)
def test_the_name_is_the_first_word(value: str, name: str) -> None:
    assert verifiers._find_name({"X-Other": "x", "authentication-results": value}) == name
