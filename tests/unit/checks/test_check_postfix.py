"""`check` tells a Postfix that shows all mail to the tracker from one that lets some past it."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cost import linear

from conversation_tracker.checks import postfix as check_postfix
from conversation_tracker.checks import systemd as check_systemd
from conversation_tracker.checks.finding import CheckLine, note, ok, wrong
from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix import milters
from conversation_tracker.postfix.settings import (
    MasterService,
    Settings,
    TableError,
    read_seconds,
    split_entries,
)
from conversation_tracker.postfix.splitter import LISTENER_OPTIONS, TRANSPORT_OPTIONS

DOMAIN = "ct.example.com"
SOCKET = Socket("unix", path="/var/spool/postfix/conversation-tracker/milter.sock")
OURS = "unix:conversation-tracker/milter.sock"
SIGNER = "inet:127.0.0.1:8894"
SPLIT = "127.0.0.1:10027"
TRANSPORT = "regexp:/etc/postfix/tracker_transport"
CHECKS = "regexp:/etc/postfix/tracker_header_checks"

MAIN = {
    "milter_default_action": "tempfail",
    "smtpd_milters": f"inet:127.0.0.1:8891, {OURS}, {SIGNER}",
    "non_smtpd_milters": "",
    "milter_connect_macros": "j {daemon_name} {daemon_addr} v _",
    "milter_mail_macros": "i {auth_type} {auth_authen} {auth_author} {mail_addr}",
    "queue_directory": "/var/spool/postfix",
    "compatibility_level": "3.6",
    "milter_connect_timeout": "30s",
    "milter_command_timeout": "30s",
    "milter_content_timeout": "300s",
    "message_size_limit": "10240000",
    "smtpd_forbid_bare_newline": "normalize",
    "smtpd_forbid_bare_newline_exclusions": "",
    "local_header_rewrite_clients": "permit_inet_interfaces",
    "tracker-split_destination_recipient_limit": "1",
    "myorigin": "mail.example.com",
    "myhostname": "mail.example.com",
    "mail_name": "Postfix",
    "mydestination": "mail.example.com, localhost",
    "virtual_alias_domains": "",
    "virtual_mailbox_domains": "",
    "parent_domain_matches_subdomains": "mynetworks,relay_domains,smtpd_access_maps",
    "relay_domains": DOMAIN,
    "relay_recipient_maps": "",
    "transport_maps": f"hash:/etc/postfix/transport, {TRANSPORT}",
    "header_checks": CHECKS,
}
BACK = "127.0.0.1:10025"
SMTPD = MasterService("smtp", "inet", "y", "smtpd")
LISTENER = MasterService(
    SPLIT,
    "inet",
    "y",
    "smtpd",
    {**LISTENER_OPTIONS, "smtpd_milters": f"{OURS},{SIGNER}"},
)
SPLITTER = MasterService("tracker-split", "unix", "y", "smtp", TRANSPORT_OPTIONS)


def ask(table: str, key: str) -> str | None:
    """Answer as the tables that postfix/configure writes; hash tables have nothing."""
    if table == TRANSPORT and re.fullmatch(rf"(.*[@.])?{re.escape(DOMAIN)}", key):
        return f"tracker-split:[127.0.0.1]:{SPLIT.partition(':')[2]}"
    if table == CHECKS and key.startswith("Received: ") and f"{DOMAIN}>" in key:
        return "REPLACE Received: by mail.example.com (Postfix) id 4ABC; Thu"
    if table == "broken:":
        raise TableError(table, "no such file")
    return None


GOOD = Settings(MAIN, (SMTPD, LISTENER, SPLITTER), ask)


def main(**changes: str) -> Settings:
    """Return good settings with other main.cf parameters."""
    return replace(GOOD, main={**MAIN, **changes})


def service(name: str, **options: str) -> Settings:
    """Return good settings with a service more."""
    return replace(
        GOOD, services=(*GOOD.services, MasterService(name, "inet", "y", "smtpd", options))
    )


def listener(**options: str) -> Settings:
    """Return good settings with other options of the splitter's listener."""
    changed = replace(LISTENER, options={**LISTENER.options, **options})
    return replace(GOOD, services=(SMTPD, changed, SPLITTER))


def found(
    settings: Settings, socket: Socket = SOCKET, trouble: str | PermissionError | None = None
) -> list[CheckLine]:
    """Return all facts of a Postfix; with `trouble` its signer is met."""
    host = check_postfix.read_host(settings, socket, {DOMAIN})
    return list(
        check_postfix.check(replace(host, greet=lambda _: trouble, listen_at=lambda _: None))
    )


def texts(facts: list[CheckLine], verdict: str) -> list[str]:
    """Return the texts of one verdict."""
    return [fact.text for fact in facts if fact.verdict == verdict]


def test_a_good_postfix_has_nothing_wrong_and_nothing_to_note() -> None:
    facts = found(GOOD)
    assert texts(facts, "WRONG") == []
    assert texts(facts, "note") == []
    assert any(SIGNER in text for text in texts(facts, "ok"))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (main(milter_default_action="accept"), "would let mail out unmasked"),
        (main(milter_default_action="reject"), "mail must wait"),
        (main(info_log_address_format="internal"), "can look like a delivery"),
        (main(milter_default_action="quarantine"), "milter_default_action is quarantine"),
        (main(smtpd_milters=""), "smtpd_milters does not name the tracker's socket"),
        (main(smtpd_milters=f"unix:other.sock, {SIGNER}"), "does not name the tracker's socket"),
        (main(smtpd_milters=f"unix:{SOCKET.path}, {SIGNER}"), "smtpd is chrooted and cannot reach"),
        (
            main(smtpd_milters=f"{{ {OURS}, default_action=accept }}, {SIGNER}"),
            "gives the tracker default_action=accept",
        ),
        (main(smtpd_milters=f"{OURS}, {SIGNER}, unix:opendmarc/sock"), "put what verifies before"),
        (main(non_smtpd_milters=OURS), "non_smtpd_milters names the tracker's socket"),
        (main(receive_override_options="no_milters"), "main.cf: receive_override_options has no_m"),
        (main(smtpd_milter_maps="hash:/x"), "main.cf: smtpd_milter_maps is set"),
        (main(smtpd_proxy_filter="127.0.0.1:10025"), "main.cf: smtpd_proxy_filter is set"),
        (main(milter_macro_daemon_name="tracker-split"), "the splitter's listener's alone"),
        (main(milter_content_timeout="1m"), "milter_content_timeout is 1m"),
        (main(milter_command_timeout="10s"), "milter_command_timeout is 10s"),
        (main(smtpd_forbid_bare_newline="no"), "a second mail can be hidden"),
        (service("submission", smtpd_milters=""), "smtpd_milters is its own, without the tracker"),
        (service("submission", smtpd_milters=SIGNER), "master.cf, submission/inet: smtpd_milters"),
        (service("submission", receive_override_options="no_milters"), "has no_milters"),
        (service("submission", smtpd_proxy_filter="127.0.0.1:10025"), "smtpd_proxy_filter is set"),
        (service("submission", milter_default_action="accept"), "milter_default_action is accept"),
        (service(BACK, content_filter=""), "a content filter hands mail back here"),
        (
            service(BACK, content_filter="", receive_override_options="no_header_body_checks"),
            "and meets the tracker as mail of this host, trusted",
        ),
        (service(BACK, smtpd_authorized_xforward_hosts="127.0.0.0/8"), "a proxy hands mail on"),
        (service(f"{SPLIT}1", milter_macro_daemon_name="tracker-split"), "has 2 listeners"),
        (replace(GOOD, services=(SMTPD, SPLITTER)), "has 0 listeners"),
        (replace(GOOD, services=(SMTPD, LISTENER)), "master.cf has no transport tracker-split"),
        (
            listener(local_header_rewrite_clients="permit_mynetworks"),
            "its local_header_rewrite_clients is permit_mynetworks, not empty",
        ),
        (
            listener(smtputf8_autodetect_classes="sendmail, verify"),
            "its smtputf8_autodetect_classes is sendmail, verify, not all",
        ),
        (listener(smtpd_milters=SIGNER), "does not name the tracker's socket"),
        (listener(smtpd_milters=OURS), f"it lacks {SIGNER}"),
        (
            listener(milter_default_action="accept"),
            "its milter_default_action is accept, not tempfail",
        ),
        (listener(receive_override_options="no_milters"), "its receive_override_options is no_m"),
        (listener(receive_override_options="no_address_mappings"), "is no_address_mappings, not"),
        (listener(content_filter="smtp:x"), "its content_filter is smtp:x, not empty"),
        (main(**{"tracker-split_destination_recipient_limit": "50"}), "would get one copy"),
        (main(myorigin=DOMAIN), "myorigin is"),
        (main(myorigin=f"mail.{DOMAIN}"), "myorigin is"),
        (main(relay_domains=""), f"relay_domains does not hold {DOMAIN}"),
        (main(parent_domain_matches_subdomains=""), "does not hold the subdomains"),
        (
            main(mydestination=f"localhost {DOMAIN}"),
            f"mydestination holds the alias domain {DOMAIN}",
        ),
        (main(virtual_alias_domains=DOMAIN), "virtual_alias_domains holds"),
        (main(virtual_mailbox_domains=DOMAIN), "virtual_mailbox_domains holds"),
        (main(relay_recipient_maps="hash:/x"), "does not know the recipients"),
        (main(transport_maps=""), f"transport_maps has nothing for hard aliases of {DOMAIN}"),
        (
            main(transport_maps="broken:"),
            f"cannot ask broken: (no such file) about {DOMAIN}",
        ),
        (
            main(relay_domains="broken:"),
            f"cannot ask broken: (no such file) about {DOMAIN}",
        ),
        (main(header_checks=""), "leave the sending host in Received"),
        (service("x", header_checks="regexp:/other"), "master.cf, x/inet: header_checks leave"),
    ],
)
def test_what_would_let_mail_past_or_lose_it_is_wrong(settings: Settings, says: str) -> None:
    assert [text for text in texts(found(settings), "WRONG") if says in text]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (replace(listener(smtpd_milters=OURS), main={**MAIN, "smtpd_milters": OURS}), "unsigned"),
        (service("127.0.0.1:10025", smtpd_milters=""), "right only where no mail of a store's own"),
        (main(message_size_limit="0"), "message_size_limit is 0"),
        (main(message_size_limit="52428800"), "message_size_limit is 52 MB"),
        (main(smtpd_forbid_bare_newline_exclusions="127.0.0.0/8"), "exclusions is not empty"),
        (
            replace(GOOD, main={k: v for k, v in MAIN.items() if "newline" not in k}),
            "this Postfix has no smtpd_forbid_bare_newline",
        ),
    ],
)
def test_what_need_not_be_wrong_is_noted(settings: Settings, says: str) -> None:
    assert [text for text in texts(found(settings), "note") if says in text]
    assert texts(found(settings), "WRONG") == []


@pytest.mark.parametrize(
    "options",
    [
        {"receive_override_options": "no_milters,no_header_body_checks"},
        {"smtpd_milters": ""},
        {"smtpd_milters": SIGNER},
    ],
)
def test_a_filters_way_back_without_the_tracker_is_right(options: dict[str, str]) -> None:
    """Its mail has met the tracker before: nothing is to be done there, and nothing is advised."""
    facts = found(service(BACK, content_filter="", **options))
    assert texts(facts, "WRONG") == texts(facts, "note") == []
    assert any("what a content filter hands back" in text for text in texts(facts, "ok"))


@pytest.mark.parametrize(
    "settings",
    [
        main(milter_default_action="shutdown"),
        main(smtpd_milters=f"{{ {OURS}, default_action=tempfail }}, {SIGNER}"),
        main(smtpd_milters=f"unix:/conversation-tracker/milter.sock {SIGNER}"),
        main(relay_domains=f"{DOMAIN} .{DOMAIN}", parent_domain_matches_subdomains=""),
        main(relay_domains=f"other.example {DOMAIN}"),
        main(transport_maps=f"proxy:{TRANSPORT}, {TRANSPORT}"),
        service("submission", smtpd_milters=f"{OURS}, {SIGNER}"),
        service("submission", milter_default_action="shutdown"),
        replace(GOOD, services=(replace(SMTPD, type="pass"), LISTENER, SPLITTER)),
    ],
)
def test_other_ways_to_say_the_same_are_right(settings: Settings) -> None:
    assert texts(found(settings), "WRONG") == []


@pytest.mark.parametrize(
    ("address", "socket", "inside", "ours"),
    [
        (OURS, SOCKET, True, True),
        (OURS, SOCKET, False, True),
        ("local:conversation-tracker/./milter.sock", SOCKET, False, True),
        (f"unix:{SOCKET.path}", SOCKET, False, True),
        (f"unix:{SOCKET.path}", SOCKET, True, False),
        ("unix:/conversation-tracker/milter.sock", SOCKET, True, True),
        ("unix:/conversation-tracker/milter.sock", SOCKET, False, False),
        ("inet:127.0.0.1:8890", SOCKET, False, False),
        ("inet:127.0.0.1:8890", Socket("inet", host="127.0.0.1", port=8890), True, True),
        ("inet:localhost:8890", Socket("inet", host="127.0.0.1", port=8890), True, True),
        ("inet:[::1]:8890", Socket("inet", host="::1", port=8890), True, True),
        ("inet:mx.example.com:8890", Socket("inet", host="0.0.0.0", port=8890), True, True),
        ("inet:127.0.0.1:8891", Socket("inet", host="127.0.0.1", port=8890), True, False),
        ("inet:mx.example.com:8890", Socket("inet", host="127.0.0.1", port=8890), True, False),
    ],
)
def test_an_address_is_recognised_as_a_service_sees_it(
    address: str, socket: Socket, inside: bool, ours: bool
) -> None:
    assert milters.is_ours(address, socket, GOOD, inside=inside) is ours


@pytest.mark.parametrize(
    ("chroot", "level", "inside"),
    [("y", "3.6", True), ("n", "0", False), ("-", "0", True), ("-", "2", False), ("-", "", True)],
)
def test_a_service_is_chrooted_as_master_says_or_by_default(
    chroot: str, level: str, inside: bool
) -> None:
    settings = main(compatibility_level=level)
    assert milters.is_chrooted(replace(SMTPD, chroot=chroot), settings) is inside


def test_a_signer_that_does_not_answer_is_wrong() -> None:
    [text] = texts(found(GOOD, trouble="Connection refused"), "WRONG")
    assert text.startswith("no signer answers on inet:127.0.0.1:8894 (Connection refused): start")
    facts = found(GOOD, trouble=PermissionError())
    assert texts(facts, "WRONG") == []
    assert any("not for this user to ask" in text for text in texts(facts, "note"))


def test_transports_are_looked_up_as_postfix_does() -> None:
    """The whole address in every table comes before the domain in any; regexp sees no domain."""
    asked: list[tuple[str, str]] = []

    def noting(table: str, key: str) -> str | None:
        asked.append((table, key))
        return "smtp:" if (table, key) == ("hash:b", ".example.com") else None

    settings = replace(GOOD, main={**MAIN, "transport_maps": "regexp:a hash:b"}, ask=noting)
    assert settings.route("x@ct.example.com") == "smtp:"
    assert asked == [
        ("regexp:a", "x@ct.example.com"),
        ("hash:b", "x@ct.example.com"),
        ("hash:b", "ct.example.com"),
        ("hash:b", ".example.com"),
    ]


def test_an_exclusion_in_a_list_of_domains_comes_first() -> None:
    settings = main(relay_domains=f"!sub.{DOMAIN}, {DOMAIN}")
    assert settings.find_in_list("relay_domains", f"sub.{DOMAIN}") is None
    assert settings.find_in_list("relay_domains", f"other.{DOMAIN}") == DOMAIN


def test_domains_of_old_in_the_transport_table_are_noted(tmp_path: Path) -> None:
    table = (
        "# comment\n"
        r"/^(.*[@.])?ct\.example\.com$/  tracker-split:[127.0.0.1]:10027" "\n"
        r"/^(.*[@.])?old\.example\.com$/  tracker-split:[127.0.0.1]:10027" "\n"
    )  # fmt: skip
    (tmp_path / "tracker_transport").write_text(table)
    host = check_postfix.read_host(main(config_directory=str(tmp_path)), SOCKET, {DOMAIN})
    [fact] = check_postfix.check_table(host)
    assert (fact.verdict, "old.example.com" in fact.text) == ("note", True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("a, b\tc", ["a", "b", "c"]),
        ("a,,b", ["a", "b"]),
        ("{ a, x=y }, b", ["{ a, x=y }", "b"]),
        ("inline:{ a=b, { c = d } } e", ["inline:{ a=b, { c = d } }", "e"]),
    ],
)
def test_a_list_is_cut_at_commas_and_blanks_outside_braces(value: str, expected: list[str]) -> None:
    assert split_entries(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("30", 30), ("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86400), ("", None), ("x", None)],
)
def test_times_are_read_as_postfix_does(value: str, expected: int | None) -> None:
    assert read_seconds(value) == expected


RUNNING = {"LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active"}


@pytest.mark.parametrize(
    ("properties", "verdicts"),
    [
        (RUNNING | {"LastTriggerUSec": "Thu 2026-01-01 00:00:00 UTC"}, ["ok"] * 5),
        (RUNNING | {"LastTriggerUSec": "n/a"}, ["ok", "ok", "note", "ok", "ok"]),
        (RUNNING | {"UnitFileState": "disabled"}, ["WRONG", "WRONG", "note", "ok", "ok"]),
        (RUNNING | {"ActiveState": "failed"}, ["WRONG", "WRONG", "note", "WRONG", "WRONG"]),
        (
            {"LoadState": "loaded", "UnitFileState": "disabled", "ActiveState": "inactive"},
            ["WRONG", "WRONG", "note", "note", "note"],
        ),
        ({"LoadState": "not-found"}, ["WRONG", "WRONG", "note", "note"]),
        ({}, ["WRONG", "WRONG", "note", "note"]),
    ],
)
def test_units_are_to_be_enabled_and_active(
    properties: dict[str, str], verdicts: list[str]
) -> None:
    ask: Callable[[str], dict[str, str]] = lambda _unit: properties  # noqa: E731
    assert [fact.verdict for fact in check_systemd.check(ask)] == verdicts


@pytest.mark.parametrize(
    ("fact", "line"),
    [
        (ok("it holds"), "ok      it holds"),
        (wrong("it fails", "mend it"), "WRONG   it fails: mend it"),
        (note("by the way\nso"), "note    by the way so"),
        (
            note("mail to john@example.com and <a@b.example>"),
            "note    mail to (address) and <(address)>",
        ),
        (note('to "john doe"@example.com, and no more'), "note    to (address) and no more"),
        (note(r'<"jo\"hn doe"@x> of "this"'), 'note    <(address)> of "this"'),
        (note('"john\ndoe"@example.com'), "note    (address)"),
        (note("john%40example.com"), "note    (address)"),
        (note("a file of 50%, and user@"), "note    a file of 50%, and user@"),
    ],
)
def test_a_fact_is_one_line_without_an_address(fact: CheckLine, line: str) -> None:
    assert str(fact) == line


def test_a_long_fact_is_not_cut_within_an_address() -> None:
    for length in range(440, 520):
        assert "johndoe" not in str(note(f"{'x' * length} johndoe@example.com"))[8:]


@pytest.mark.parametrize("piece", ['"', '"\\', '\\"', '"a@', "a%40", '"@'])
def test_a_fact_of_many_quotation_marks_costs_no_more_than_its_length(piece: str) -> None:
    linear(lambda size: str(note(piece * size)), 40_000)
