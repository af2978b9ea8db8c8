"""Where `check` asks whether forged results are believed, what it hands in, and how it judges."""

from dataclasses import replace

import pytest

from conversation_tracker.checks import forged_results
from conversation_tracker.checks.forged_results import find_places, write_message
from conversation_tracker.config.socket import Socket
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.message import Message, parse
from conversation_tracker.core.rules.authentication import find_verdict
from conversation_tracker.core.syntax.results import parse_results
from conversation_tracker.postfix.settings import MasterService, Settings

ID = "mx.example.com"
OURS = "unix:conversation-tracker/milter.sock"
SOCKET = Socket("unix", path=f"/var/spool/postfix/{OURS.removeprefix('unix:')}")
MAIN = {
    "smtpd_milters": f"inet:127.0.0.1:8891, {OURS}",
    "queue_directory": "/var/spool/postfix",
    "inet_interfaces": "all",
    "inet_protocols": "all",
    "myhostname": "mail.example.com",
}
SPLIT = {"milter_macro_daemon_name": "tracker-split"}


def found(*services: MasterService, **changed: str) -> list[tuple[str, str, int]]:
    """Return the places among these services, by name."""
    settings = Settings({**MAIN, **changed}, services, lambda _table, _key: None)
    return [(service.name, host, port) for service, host, port in find_places(settings, SOCKET)]


def smtpd(name: str, kind: str = "inet", **options: str) -> MasterService:
    return MasterService(name, kind, "y", "smtpd", options)


@pytest.mark.parametrize(
    ("service", "changed", "host", "port"),
    [
        (smtpd("smtp"), {}, "127.0.0.1", 25),
        (smtpd("25"), {"inet_protocols": "ipv6"}, "::1", 25),
        (smtpd("2525"), {"inet_interfaces": "loopback-only"}, "127.0.0.1", 2525),
        (smtpd("smtp"), {"inet_interfaces": "192.0.2.1, 127.0.0.1"}, "192.0.2.1", 25),
        (smtpd("smtp"), {"inet_interfaces": "[2001:db8::1]"}, "2001:db8::1", 25),
        (smtpd("192.0.2.1:smtp"), {}, "192.0.2.1", 25),
        (smtpd("[::1]:2525"), {}, "::1", 2525),
    ],
)
def test_a_stranger_comes_in_where_postfix_listens(
    service: MasterService, changed: dict[str, str], host: str, port: int
) -> None:
    assert found(service, **changed) == [(service.name, host, port)]


@pytest.mark.parametrize(
    "service",
    [
        smtpd("submission"),
        smtpd("587"),
        smtpd("0.0.0.0:465"),
        smtpd("smtps"),
        smtpd("127.0.0.1:10027", **SPLIT),
        smtpd("127.0.0.1:10025", receive_override_options="no_milters"),
        smtpd("smtp", smtpd_milters="inet:127.0.0.1:8891"),
        smtpd("smtpd", "pass"),
        smtpd("unknown-port"),
        MasterService("smtp", "unix", "y", "smtp", {}),
        MasterService("smtp", "inet", "y", "postscreen", {}),
    ],
)
def test_where_no_stranger_comes_in_or_no_tracker_listens_nobody_is_asked(
    service: MasterService,
) -> None:
    assert found(service) == []


def test_postscreen_is_asked_for_the_smtpd_behind_it() -> None:
    screen = MasterService("smtp", "inet", "y", "postscreen", {})
    assert found(screen, smtpd("smtpd", "pass")) == [("smtp", "127.0.0.1", 25)]
    assert found(screen, smtpd("smtpd", "pass", smtpd_milters="")) == []


def test_each_forged_field_is_one_that_would_be_believed_alone() -> None:
    """Or it would not show that a verifier leaves it."""
    headers, body = parse(write_message(ID))
    forged = [header for header in headers if header.key == b"authentication-results"]
    rest = tuple(header for header in headers if header not in forged)
    assert len(forged) == 8
    for header in forged:
        assert parse_results(header.value, ID)
        whole = Message(None, (), (header, *rest), body, null=True)
        assert find_verdict(whole, ID) == "verified", header
    assert find_verdict(Message(None, (), rest, body, null=True), ID) == "failed"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (str(replies.PROBE_BELIEVED), "WRONG"),
        (str(replies.PROBE_FAILED), "ok"),
        (str(replies.PROBE_UNASKED), "WRONG"),
        ("250 2.0.0 Ok: queued as 4ABC", "WRONG"),
        ("451 4.7.1 Service unavailable", "note"),
        ("550 5.1.1 <probe-x@ct.example.com>: No such alias", "note"),
        ("ConnectionRefusedError", "note"),
    ],
)
def test_what_ends_the_message_is_judged(said: str, kind: str) -> None:
    fact = forged_results._judge(smtpd("smtp"), said, ID)
    assert fact.verdict == kind
    assert "probe-" not in str(fact)


def test_with_nobody_to_believe_or_no_domain_nothing_is_asked() -> None:
    """Neither opens a connection: nothing listens at these ports."""
    settings = Settings(MAIN, (smtpd("1"),), lambda _table, _key: None)
    [fact] = forged_results.check(settings, SOCKET, "", {"ct.example.com"}, b"x")
    assert (fact.verdict, "nobody's" in fact.text) == ("ok", True)
    [fact] = forged_results.check(settings, SOCKET, ID, set(), b"x")
    assert fact.verdict == "note"
    assert not list(
        forged_results.check(replace(settings, services=()), SOCKET, ID, {"ct.example.com"}, b"x")
    )
