"""`postfix/configure` sets Postfix up so that no mail passes unmasked, or refuses and says why."""

import os
import signal
import socket as sockets
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import warm

from conversation_tracker.checks import postfix as check_postfix
from conversation_tracker.cli import configure
from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix import edit
from conversation_tracker.postfix.names import name_command
from conversation_tracker.postfix.settings import read_settings
from private import processes

from .answering import answering
from .conftest import CONFIGURE

COMMAND = name_command("configure")
DOMAIN = "ct.example.com"
LISTENER = "127.0.0.1:10027"
OURS = "unix:conversation-tracker/milter.sock"
ROOTED = "unix:/conversation-tracker/milter.sock"  # as a chrooted smtpd may have it
DKIM = "unix:d/s"
HARD = "ff2e6348a53a4d449af92be2a1011328@ct.example.com"
SOFT = "johndoe@vtex.com.br-207700027841b.ct.example.com"


# postconf does its work, and whoever called it is killed.
KILL = '[[ $3 != {} ]] || {{ $REAL "$@"; kill -KILL $PPID; exit; }}\nexec $REAL "$@"'


def shown(output: str, setting: str) -> str:
    """Return the new value that `configure` shows for a setting."""
    [line] = [line for line in output.splitlines() if line.startswith(f"{setting}: ")]
    return line.partition(" -> ")[2]


def test_mail_meets_the_tracker(debian: Any) -> None:
    done = debian.configured()
    assert debian.value("smtpd_milters") == OURS
    assert debian.value("milter_default_action") in ("tempfail", "shutdown")  # of 3.10
    assert debian.value("milter_protocol") == "6"
    assert debian.value("relay_domains") == DOMAIN
    assert debian.value("tracker-split_destination_recipient_limit") == "1"
    assert debian.value("transport_maps") == f"regexp:{debian.directory}/tracker_transport"
    assert debian.value("header_checks") == f"regexp:{debian.directory}/tracker_header_checks"
    assert debian.value("smtpd_forbid_bare_newline") == "normalize"
    assert debian.value("smtpd_forbid_bare_newline_exclusions") == ""
    assert debian.value("non_smtpd_milters") == ""
    listener = debian.options(f"{LISTENER}/inet")
    assert listener["milter_macro_daemon_name"] == "tracker-split"
    assert listener["smtpd_milters"] == OURS
    assert listener["local_header_rewrite_clients"] == ""
    assert listener["smtputf8_autodetect_classes"] == "all"
    assert "no_milters" not in listener["receive_override_options"]
    assert debian.options("tracker-split/unix")["smtp_fallback_relay"] == ""
    assert "reload" in done.stdout


def test_our_services_run_chrooted_where_debians_do(debian: Any) -> None:
    debian.configured()
    for service in (f"{LISTENER}/inet", "tracker-split/unix"):
        assert debian.postconf("-Fh", f"{service}/chroot") == "y"


def test_second_run_changes_nothing_and_says_so(debian: Any) -> None:
    debian.configured("--signer", DKIM)
    before = debian.files()
    assert debian.configured("--signer", DKIM).stdout == "configure: nothing to change\n"
    assert debian.files() == before


def test_later_run_keeps_what_it_is_not_told_anew(debian: Any) -> None:
    debian.configured("--signer", DKIM)
    before = debian.files()
    done = debian.configure()
    assert (done.returncode, done.stdout) == (0, "configure: nothing to change\n")
    assert debian.files() == before
    done = debian.configure("--alias-domain", "alias.example.org", "--dry-run")
    assert shown(done.stdout, "relay_domains") == f"{DOMAIN}, alias.example.org"
    lines = [line for line in done.stdout.splitlines() if "tracker-split:[" in line]
    assert len(lines) == 2


def test_dry_run_shows_every_change_and_makes_none(debian: Any) -> None:
    before = debian.files()
    done = debian.configured("--dry-run")
    assert debian.files() == before
    shown_settings = {
        line.partition(": ")[0] for line in done.stdout.splitlines() if " -> " in line
    }
    # Postfix 3.9 and later are right by themselves.
    newline = "smtpd_forbid_bare_newline"
    right = {newline} if debian.postconf("-dh", newline) == "normalize" else set()
    assert (
        shown_settings
        == {
            f"{debian.directory}/tracker_transport",
            f"{debian.directory}/tracker_header_checks",
            "tracker-split/unix",
            f"{LISTENER}/inet",
            "smtpd_milters",
            "transport_maps",
            "header_checks",
            "tracker-split_destination_recipient_limit",
            "relay_domains",
            "smtpd_forbid_bare_newline",
            "smtpd_forbid_bare_newline_exclusions",
        }
        - right
    )


@pytest.mark.parametrize(
    ("before", "signer", "after"),
    [
        ("inet:v:1, unix:rspamd", "", f"inet:v:1, unix:rspamd, {OURS}"),
        ("inet:v:1", DKIM, f"inet:v:1, {OURS}, {DKIM}"),
        (f"inet:v:1 {DKIM}", "unix:/QUEUE/d/s", f"inet:v:1, {OURS}, {DKIM}"),
        (f"inet:v:1, {DKIM}, inet:w:2", DKIM, f"inet:v:1, {OURS}, {DKIM}, inet:w:2"),
        (
            f"{{ inet:v:1, default_action=accept }}, {{{DKIM}, connect_timeout=5s}}",
            DKIM,
            f"{{ inet:v:1, default_action=accept }}, {OURS}, {{{DKIM}, connect_timeout=5s}}",
        ),
        (f"{DKIM}, {OURS}", DKIM, f"{OURS}, {DKIM}"),
        (f"unix:/QUEUE/conversation-tracker/milter.sock, {DKIM}", DKIM, f"{OURS}, {DKIM}"),
        (f"{ROOTED}, inet:v:1", "", f"{OURS}, inet:v:1"),
        (f"inet:v:1, {ROOTED}, {DKIM}", DKIM, f"inet:v:1, {OURS}, {DKIM}"),
        ("unix:/d/s, inet:v:1", DKIM, f"{OURS}, {DKIM}, inet:v:1"),
        (
            f"{{unix:/d/s, connect_timeout=5s}}, {OURS}",
            DKIM,
            f"{OURS}, {{{DKIM}, connect_timeout=5s}}",
        ),
        (f"{{{OURS}, default_action=accept}}, inet:w:2", "", f"{OURS}, inet:w:2"),
        (f"{OURS}, inet:v:1, {OURS}", "", f"{OURS}, inet:v:1"),
        ("$others", "", f"$others, {OURS}"),
    ],
)
def test_tracker_stands_after_verifiers_and_before_the_signer(
    debian: Any, before: str, signer: str, after: str
) -> None:
    debian.set(f"smtpd_milters={before.replace('/QUEUE', str(debian.queue))}", "others=inet:v:1")
    options = ["--signer", signer.replace("/QUEUE", str(debian.queue))] if signer else []
    done = debian.configured("--dry-run", *options)
    assert shown(done.stdout, "smtpd_milters") == after


@pytest.mark.parametrize(
    ("before", "signer"),
    [
        (f"inet:v:1, {OURS}, {DKIM}", DKIM),
        (f"inet:v:1, {OURS}, inet:w:2", ""),
        (f"{{{OURS}, connect_timeout=5s}}", ""),
        ("inet:v:1, $tracker", ""),
    ],
)
def test_right_order_is_left_alone(debian: Any, before: str, signer: str) -> None:
    debian.set(f"smtpd_milters={before}", f"tracker={OURS}")
    done = debian.configured("--dry-run", *(["--signer", signer] if signer else []))
    assert "\nsmtpd_milters: " not in done.stdout


def test_signer_runs_on_the_listener_and_verifiers_do_not(debian: Any) -> None:
    debian.set("smtpd_milters=inet:v:1")
    debian.configured("--signer", DKIM)
    assert debian.value("smtpd_milters") == f"inet:v:1, {OURS}, {DKIM}"
    assert debian.value(f"{LISTENER}/inet/smtpd_milters") == f"{OURS},{DKIM}"


def test_another_signer_replaces_the_one_before(debian: Any) -> None:
    server = sockets.create_server(("127.0.0.1", 0))
    address = f"inet:127.0.0.1:{server.getsockname()[1]}"
    with answering(server):
        debian.set(f"smtpd_milters=inet:v:1, {address}")
        debian.configured("--signer", address)
    debian.configured("--signer", DKIM)
    assert debian.value("smtpd_milters") == f"inet:v:1, {OURS}, {DKIM}"
    assert debian.value(f"{LISTENER}/inet/smtpd_milters") == f"{OURS},{DKIM}"
    debian.configured("--signer", "none")
    assert debian.value("smtpd_milters") == f"inet:v:1, {OURS}"
    assert debian.value(f"{LISTENER}/inet/smtpd_milters") == OURS
    assert debian.configured().stdout == "configure: nothing to change\n"


@pytest.mark.parametrize("answer", [None, b"220 mail.example.com ESMTP\r\n"])
def test_signer_that_does_not_answer_is_refused(debian: Any, answer: bytes | None) -> None:
    before = debian.files()
    server = sockets.create_server(("127.0.0.1", 0))
    address = f"inet:127.0.0.1:{server.getsockname()[1]}"
    with ExitStack() as stack:
        if answer is None:
            server.close()
        else:
            stack.enter_context(answering(server, answer))
        base = ("--socket", debian.socket, "--alias-domain", DOMAIN)
        done = debian.configure(*base, "--signer", address)
    assert done.returncode == 1
    assert f"refused: no signer answers on {address} (" in done.stderr
    assert debian.files() == before


def test_signer_of_an_earlier_run_may_be_down(debian: Any) -> None:
    """Or nothing could be mended while it is."""
    debian.configured("--signer", DKIM)
    (debian.queue / "d" / "s").unlink()
    done = debian.configured()
    assert done.stdout == "configure: nothing to change\n"
    assert "WARNING: no signer answers on unix:" in done.stderr


def test_moved_socket_replaces_the_old_one(debian: Any) -> None:
    debian.configured("--signer", DKIM)
    done = debian.configure("--socket", "inet:8890@127.0.0.1", "--dry-run")
    assert shown(done.stdout, "smtpd_milters") == f"inet:127.0.0.1:8890, {DKIM}"
    assert shown(done.stdout, f"{LISTENER}/inet/smtpd_milters") == f"inet:127.0.0.1:8890,{DKIM}"
    assert "a unix socket is better" in done.stderr


def test_moved_listener_replaces_the_old_one(debian: Any) -> None:
    debian.configured()
    done = debian.configured("--listener", "127.0.0.1:10028")
    assert debian.postconf("-M", f"{LISTENER}/inet") == ""
    assert debian.options("127.0.0.1:10028/inet")["smtpd_milters"] == OURS
    assert "tracker-split:[127.0.0.1]:10028" in done.stdout


def test_accepting_on_failure_ends_and_is_said_aloud(debian: Any) -> None:
    debian.set("milter_default_action=accept", "milter_protocol=2", "milter_content_timeout=10s")
    done = debian.configured("--dry-run")
    assert shown(done.stdout, "milter_default_action") == "tempfail"
    assert "WARNING: milter_default_action was accept" in done.stderr
    assert shown(done.stdout, "milter_protocol") == "6"
    assert shown(done.stdout, "milter_content_timeout") == "300s"


def test_longer_timeout_and_stricter_line_ends_are_left_alone(debian: Any) -> None:
    debian.set("milter_content_timeout=10m", "smtpd_forbid_bare_newline=reject")
    done = debian.configured("--dry-run")
    assert "milter_content_timeout" not in done.stdout
    assert "smtpd_forbid_bare_newline: " not in done.stdout


def test_lists_that_are_there_are_kept(debian: Any) -> None:
    debian.set(
        "transport_maps=inline:{ a.example=smtp:[b] }, hash:/x",
        "header_checks=regexp:/y",
        "relay_domains=other.example",
        "relay_recipient_maps=inline:{z.example=y}",
        "parent_domain_matches_subdomains=",
    )
    done = debian.configured("--dry-run")
    table = f"regexp:{debian.directory}/tracker_transport"
    assert shown(done.stdout, "transport_maps") == (
        f"{table}, inline:{{ a.example=smtp:[b] }}, hash:/x"
    )
    assert shown(done.stdout, "header_checks") == (
        f"regexp:{debian.directory}/tracker_header_checks, regexp:/y"
    )
    assert shown(done.stdout, "relay_domains") == f"other.example, {DOMAIN}, .{DOMAIN}"
    assert shown(done.stdout, "relay_recipient_maps") == f"inline:{{z.example=y}}, {table}"


@pytest.mark.parametrize(
    ("settings", "options", "reason"),
    [
        (
            ["mydestination=localhost, CT.example.com"],
            [],
            "mydestination holds the alias domain ct.example.com (CT.example.com)",
        ),
        (
            ["virtual_alias_domains=$x", "x=ct.example.com"],
            [],
            "virtual_alias_domains holds the alias domain",
        ),
        (
            ["virtual_mailbox_domains=static:yes"],
            [],
            "virtual_mailbox_domains holds the alias domain ct.example.com (static:",
        ),
        (["virtual_alias_maps=inline:{@ct.example.com=a@b.example}"], [], "virtual_alias_maps"),
        (["virtual_alias_maps=regexp:{{/./ root}}"], [], "virtual_alias_maps: regexp:"),
        (["virtual_alias_maps=hash:/no/such/file"], [], "hash:/no/such/file"),
        (["sender_canonical_maps=static:me@example.com"], [], "sender_canonical_maps: static:"),
        (["masquerade_domains=example.com"], [], "masquerade_domains has example.com"),
        (
            ["receive_override_options=no_milters"],
            [],
            "main.cf: receive_override_options has no_milters: take it out",
        ),
        (["smtpd_proxy_filter=127.0.0.1:10025"], [], "main.cf: smtpd_proxy_filter is set"),
        (["smtpd_milter_maps=cidr:{{127.0.0.0/8 DISABLE}}"], [], "--exempt smtpd_milter_maps"),
        (["milter_connect_macros=j"], [], "milter_connect_macros does not hold {daemon_name}"),
        (["milter_mail_macros={mail_addr}"], [], "does not hold {auth_authen}"),
        (
            ["milter_macro_daemon_name=tracker-split"],
            [],
            "that name is the splitter's listener's alone",
        ),
        (["inet_protocols=ipv6"], [], "needs 127.0.0.1"),
        (["smtp/inet/smtpd_milters="], [], "postfix/configure --service smtp/inet"),
        (
            ["smtp/inet/smtpd_milters=inet:v:1"],
            [],
            "postfix/configure --service smtp/inet",
        ),
        (
            ["smtp/inet/receive_override_options=no_address_mappings,no_milters"],
            [],
            "master.cf, smtp/inet: receive_override_options has no_milters: take it out",
        ),
        (["smtp/inet/smtpd_proxy_filter=127.0.0.1:1"], [], "master.cf, smtp/inet: smtpd_proxy"),
        (
            ["smtp/inet/milter_default_action=accept"],
            [],
            "milter_default_action is accept: take it out",
        ),
        (
            ["smtp/inet/milter_macro_daemon_name=tracker-split"],
            [],
            "has 2 listeners with milter_macro_daemon_name=tracker-split",
        ),
        ([], ["--listener", "192.0.2.1:10027"], "must be smtpd at a loopback address"),
        ([], ["--alias-domain", "x.ct.example.com"], "is inside alias domain ct.example.com"),
        ([], ["--socket", "unix:/run/tracker.sock"], "chrooted service smtp/inet cannot reach it"),
        (
            ["compatibility_level=0", "smtp/inet/chroot=-"],
            ["--socket", "unix:/run/tracker.sock"],
            "chrooted service smtp/inet cannot reach it",
        ),
    ],
)
def test_refuses_what_would_let_mail_pass_unmasked(
    debian: Any, settings: list[str], options: list[str], reason: str
) -> None:
    for setting in settings:
        if setting.startswith("smtp/inet/chroot"):
            debian.postconf("-F", setting)
        else:
            debian.set(setting)
    before = debian.files()
    base = ["--socket", debian.socket, "--alias-domain", DOMAIN]
    done = debian.configure(*base, *options)
    assert done.returncode == 1
    assert any(
        line.startswith("configure: refused: ") and reason in line
        for line in done.stderr.splitlines()
    ), done.stderr
    assert done.stderr.endswith("configure: nothing was changed\n")
    assert debian.files() == before


def test_all_reasons_are_named_at_once(debian: Any) -> None:
    debian.set("mydestination=ct.example.com", "receive_override_options=no_milters")
    done = debian.configure("--socket", debian.socket, "--alias-domain", DOMAIN)
    assert done.stderr.count("configure: refused: ") == 2


def test_port_of_another_service_is_not_taken(debian: Any) -> None:
    debian.postconf("-M", f"{LISTENER}/inet={LISTENER} inet n - n - - smtpd")
    done = debian.configure("--socket", debian.socket, "--alias-domain", DOMAIN)
    assert done.returncode == 1
    assert "name a free port with --listener" in done.stderr


@pytest.mark.parametrize(
    ("said", "free"), [(b"220 mail.example.com ESMTP Postfix\r\n", True), (b"hello\r\n", False)]
)
def test_port_of_a_stranger_is_not_taken(debian: Any, said: bytes, free: bool) -> None:
    """Postfix would end at its next reload; its own listener that still runs is no stranger."""
    server = sockets.create_server(("127.0.0.1", 0))
    listener = f"127.0.0.1:{server.getsockname()[1]}"
    base = ("--dry-run", "--socket", debian.socket, "--alias-domain", DOMAIN)
    with answering(server, said, unasked=True):
        done = debian.configure(*base, "--listener", listener)
    assert (done.returncode == 0) is free, done.stderr
    assert (f"refused: another program listens at {listener}: name" in done.stderr) is not free


def test_socket_anywhere_will_do_where_nothing_is_chrooted(debian: Any) -> None:
    debian.postconf("-F", "smtp/inet/chroot=-")
    done = debian.configured("--dry-run", "--socket", "unix:/run/tracker.sock")
    assert shown(done.stdout, "smtpd_milters") == "unix:/run/tracker.sock"


def test_service_with_milters_of_its_own_gets_the_tracker_on_request(debian: Any) -> None:
    debian.postconf("-M", "submission/inet=submission inet n - y - - smtpd")
    debian.set(f"submission/inet/smtpd_milters=inet:v:1,{DKIM}")
    debian.configured("--signer", DKIM, "--service", "submission/inet")
    assert debian.value("submission/inet/smtpd_milters") == f"inet:v:1,{OURS},{DKIM}"
    assert debian.configured().stdout == "configure: nothing to change\n"
    assert debian.configure("--remove").returncode == 0
    assert debian.value("submission/inet/smtpd_milters") == f"inet:v:1,{DKIM}"


def test_settings_of_a_milter_at_a_service_stay(debian: Any) -> None:
    """Postconf takes no blanks in a parameter of a service; master.cf may have them."""
    own = "{ inet:v:1, default_action=accept }"
    line = f"submission inet n - y - - smtpd -o {{ smtpd_milters = {own} }}"
    debian.postconf("-M", f"submission/inet={line}")
    debian.configured("--service", "submission/inet")
    expected = f"{{inet:v:1,default_action=accept}},{OURS}"
    assert debian.value("submission/inet/smtpd_milters") == expected
    assert debian.configured().stdout == "configure: nothing to change\n"
    debian.postconf("-M", f"submission/inet={line}")
    assert "submission" not in debian.configure("--remove").stdout
    assert debian.value("submission/inet/smtpd_milters") == own


def test_exempt_service_is_not_refused(debian: Any) -> None:
    debian.set("smtp/inet/receive_override_options=no_milters")
    debian.configured("--dry-run", "--exempt", "smtp/inet")


def test_what_is_exempt_stays_so_until_it_is_told_otherwise(debian: Any) -> None:
    """`check` knows of it, too; a service that is gone is forgotten."""
    own = "smtp/inet/receive_override_options=no_milters"
    debian.set(own)
    debian.configured("--exempt", "smtp/inet", "--exempt", "smtpd_proxy_filter")
    assert debian.configured().stdout == "configure: nothing to change\n"
    environ = {"PATH": os.environ["PATH"], "MAIL_CONFIG": str(debian.directory)}
    socket = Socket("unix", path=debian.socket.removeprefix("unix:"))
    found = list(check_postfix.check(check_postfix.read_host(read_settings(environ), socket)))
    assert not [line for line in found if "no_milters" in line.text and line.verdict == "WRONG"]
    assert [line.text for line in found if "is exempt" in line.text] == [
        f"{name} is exempt: its mail need not meet the tracker"
        for name in ("smtp/inet", "smtpd_proxy_filter")
    ]
    base = ("--socket", debian.socket, "--alias-domain", DOMAIN, "--exempt")
    assert debian.configure(*base, "none").returncode == 1
    done = debian.configure(*base, "smtps/inet")
    assert (done.returncode, "neither a service" in done.stderr) == (2, True)


@pytest.mark.parametrize("named", [("--config-dir",), ()], ids=["option", "variable"])
def test_an_instance_is_not_taken_for_that_its_main_cf_was_copied_from(
    debian: Any, another: Callable[[], Any], named: tuple[str, ...]
) -> None:
    original = another()
    before = original.files()
    debian.set(f"config_directory={original.directory}")
    directory = str(debian.directory)
    command = [str(CONFIGURE), *(each for name in named for each in (name, directory))]
    command += ["--socket", debian.socket, "--alias-domain", DOMAIN]
    done = warm.run(command, env={"PATH": os.environ["PATH"], "MAIL_CONFIG": directory})
    assert done.returncode == 0, done.stderr
    assert original.files() == before
    assert debian.value("transport_maps") == f"regexp:{directory}/tracker_transport"
    assert DOMAIN.encode() in debian.files()["tracker_header_checks"].replace(b"\\", b"")


def test_an_instance_is_not_taken_for_the_default_one(debian: Any) -> None:
    """Not by Postfix 3.10 either, which says so as long as main.cf is a second old."""
    (debian.directory / "main.cf").touch()
    environ = {"PATH": os.environ["PATH"], "MAIL_CONFIG": str(debian.directory)}
    assert read_settings(environ).get_value("config_directory") == str(debian.directory)


def test_check_says_when_an_older_configure_was_the_last(debian: Any) -> None:
    debian.configured()
    environ = {"PATH": os.environ["PATH"], "MAIL_CONFIG": str(debian.directory)}
    socket = Socket("unix", path=debian.socket.removeprefix("unix:"))

    def ask() -> list[tuple[str, str]]:
        host = check_postfix.read_host(read_settings(environ), socket, ["another.example"])
        return [(line.verdict, line.text) for line in check_postfix.check_version(host)]

    assert ask() == [("ok", f"Postfix is set up as this program's {COMMAND} does it")]
    path = debian.directory / "tracker_header_checks"
    path.write_text(path.read_text() + "# of an older program\n")
    [(verdict, text)] = ask()
    assert verdict == "note"
    assert f"({path})" in text
    assert f"run {COMMAND} again" in text
    debian.configured()
    assert ask()[0][0] == "ok"
    debian.configure("--remove")
    assert ask() == []


def test_way_back_from_a_content_filter_only_draws_a_warning(debian: Any) -> None:
    debian.postconf("-M", "127.0.0.1:10025/inet=127.0.0.1:10025 inet n - y - - smtpd")
    debian.set("127.0.0.1:10025/inet/smtpd_milters=")
    done = debian.configured("--dry-run")
    assert "WARNING: master.cf, 127.0.0.1:10025/inet: smtpd_milters" in done.stderr


def test_header_checks_of_a_cleanup_service_draw_a_warning(debian: Any) -> None:
    debian.set("cleanup/unix/header_checks=regexp:/x")
    done = debian.configured("--dry-run")
    assert "WARNING: master.cf, cleanup/unix: header_checks" in done.stderr


def test_missing_socket_draws_a_warning(debian: Any) -> None:
    assert "until the tracker runs, mail gets 451" in debian.configured("--dry-run").stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--socket", "unix:/run/x"],
        ["--alias-domain", DOMAIN],
        ["--socket", "tcp:1", "--alias-domain", DOMAIN],
        ["--socket", "inet:x@127.0.0.1", "--alias-domain", DOMAIN],
        ["--socket", "unix:/run/x y", "--alias-domain", DOMAIN],
        ["--socket", "unix:/run/x", "--alias-domain", "ct example.com"],
        ["--socket", "unix:/run/x", "--alias-domain", "localhost"],
        ["--socket", "unix:/run/x", "--alias-domain", "-x.example.com"],
        ["--socket", "unix:/run/x", "--alias-domain", DOMAIN, "--signer", "unix:/run/x"],
        ["--socket", "unix:/run/x", "--alias-domain", DOMAIN, "--service", "none/inet"],
        ["--socket"],
        ["--what"],
    ],
)
def test_wrong_usage_is_one_line_and_changes_nothing(debian: Any, options: list[str]) -> None:
    before = debian.files()
    done = debian.configure(*options)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert debian.files() == before


def stubbed(debian: Any, tmp_path: Path, script: str) -> dict[str, str]:
    """Return an environment in which postconf is a script that may call `$REAL`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    stub = folder / "postconf"
    stub.write_text(f"#!/bin/bash\nREAL=/usr/sbin/postconf\n{script}\n")
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            '[[ $3 != -e ]] || { for a in "$@"; do [[ $a == transport_maps=* ]] || b+=("$a"); done;'
            ' exec $REAL "${b[@]}"; }\nexec $REAL "$@"',
            "transport_maps has nothing for hard aliases of ct.example.com",
        ),
        ('[[ $3 != -e ]] || exit 1\nexec $REAL "$@"', "postconf -e failed"),
    ],
)
def test_failure_on_the_way_takes_everything_back(
    debian: Any, tmp_path: Path, script: str, reason: str
) -> None:
    before = debian.files()
    env = stubbed(debian, tmp_path, script)
    done = debian.configure("--socket", debian.socket, "--alias-domain", DOMAIN, env=env)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "is as it was before" in done.stderr
    assert debian.files() == before


def lines(debian: Any) -> dict[str, list[bytes]]:
    """Return the lines of each file; postconf adds them to main.cf in any order."""
    return {name: sorted(text.splitlines()) for name, text in debian.files().items()}


def test_main_cf_is_taken_back_before_what_it_names(
    debian: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And who ran it can be ended as before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    taken_back: list[str] = []
    restore = edit.Copy.restore

    def note(copy: edit.Copy) -> None:
        taken_back.append(copy.path.name)
        restore(copy)

    def fail(*_: object) -> None:
        raise edit.EditFailed("it cannot be")

    monkeypatch.setattr(edit.Copy, "restore", note)
    monkeypatch.setattr(edit, "carry_out", fail)
    options = ["--config-dir", str(debian.directory), "--socket", debian.socket]
    try:
        assert configure.main([*options, "--alias-domain", DOMAIN]) == configure.REFUSED
        after = {number: signal.getsignal(number) for number in before}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    tables = ["tracker_transport", "tracker_header_checks"]
    assert taken_back == ["main.cf", "master.cf", *tables]
    assert after == before


def test_nohup_is_respected(debian: Any, tmp_path: Path) -> None:
    """It goes on when whoever started it from afar is cut off."""
    script = '[[ $3 != -e ]] || kill -HUP $PPID\nexec $REAL "$@"'
    env = stubbed(debian, tmp_path, script)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        done = debian.configure("--socket", debian.socket, "--alias-domain", DOMAIN, env=env)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert done.returncode == 0, done.stderr
    assert debian.value("smtpd_milters") == OURS


def test_two_runs_at_once_are_one_after_the_other(debian: Any, tmp_path: Path) -> None:
    """Else one would work with what the other has changed meanwhile, and undo it."""
    began = tmp_path / "began"
    script = f'[[ $3 != -e ]] || {{ touch {began}; sleep 2; }}\nexec $REAL "$@"'
    slow = stubbed(debian, tmp_path, script)
    options = ("--socket", debian.socket, "--alias-domain")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(debian.configure, *options, DOMAIN, env=slow)
        assert processes.until(began.exists, 30.0)
        second = debian.configure(*options, "alias.example.org")
        assert (first.result().returncode, second.returncode) == (0, 0)
    assert sorted(debian.value("relay_domains").split(", ")) == ["alias.example.org", DOMAIN]
    assert debian.configure().stdout == "configure: nothing to change\n"


@pytest.mark.parametrize("mode", ["-M", "-P", "-e"])
def test_a_run_that_was_killed_is_done_by_the_next(debian: Any, tmp_path: Path, mode: str) -> None:
    options = ("--socket", debian.socket, "--alias-domain", DOMAIN, "--service", "587/inet")
    debian.postconf("-M", "587/inet=587 inet n - y - - smtpd -o smtpd_milters=inet:v:1")
    before = debian.files()
    assert debian.configure(*options).returncode == 0
    whole = lines(debian)
    debian.put(before)
    killed = stubbed(debian, tmp_path, KILL.format(mode))
    assert debian.configure(*options, env=killed).returncode == -signal.SIGKILL
    assert (lines(debian) == whole) is (mode == "-e")  # the last step
    assert debian.configure(*options).returncode == 0
    assert lines(debian) == whole


@pytest.mark.parametrize("mode", ["-P", "-e", "-X", "-MX"])
def test_a_removal_that_was_killed_is_done_by_the_next(
    debian: Any, tmp_path: Path, mode: str
) -> None:
    """It knows by the splitter's listener what there is to be removed: that must go last."""
    debian.set("relay_domains=other.example")  # which has to be set again, not only unset
    debian.postconf("-M", "587/inet=587 inet n - y - - smtpd -o smtpd_milters=inet:v:1")
    debian.configured("--service", "587/inet")
    there = debian.files()
    assert debian.configure("--remove").returncode == 0
    whole = lines(debian)
    debian.put(there)
    killed = stubbed(debian, tmp_path, KILL.format(mode))
    assert debian.configure("--remove", env=killed).returncode == -signal.SIGKILL
    assert lines(debian) != whole
    assert debian.configure("--remove").returncode == 0
    assert lines(debian) == whole
    assert not any(b"milter.sock" in line for text in whole.values() for line in text)


def test_signer_hidden_in_another_parameter_is_refused_and_taken_back(debian: Any) -> None:
    debian.set(f"mine={DKIM}", "smtpd_milters=$mine")
    before = debian.files()
    done = debian.configure("--socket", debian.socket, "--alias-domain", DOMAIN, "--signer", DKIM)
    assert done.returncode == 1
    assert "right before the signer" in done.stderr
    assert debian.files() == before


def test_remove_leaves_what_was_there_before(debian: Any) -> None:
    debian.set(
        f"smtpd_milters={DKIM}", "relay_domains=other.example", "transport_maps=hash:/etc/none"
    )
    debian.set("milter_content_timeout=20s", "milter_default_action=accept", "milter_protocol=2")
    services, named = debian.postconf("-M"), debian.postconf("-n")
    debian.configured()
    assert debian.value("milter_content_timeout") == "300s"
    done = debian.configure("--remove")
    assert done.returncode == 0
    assert "nothing is masked" in done.stderr
    assert "milter_default_action: tempfail -> accept" in done.stdout
    newline = "smtpd_forbid_bare_newline"
    was_set = debian.postconf("-dh", newline) != "normalize"  # newer versions have it so
    assert (f"{newline}: normalize -> (not set)" in done.stdout) is was_set
    assert debian.postconf("-n") == named
    assert debian.value("smtpd_milters") == DKIM
    assert debian.value("relay_domains") == "other.example"
    assert debian.value("transport_maps") == "hash:/etc/none"
    assert debian.value("header_checks") == ""
    assert debian.postconf("-M") == services
    assert set(debian.files()) == {"main.cf", "master.cf"}
    assert debian.configure("--remove").stdout == "configure: nothing to change\n"


@pytest.mark.parametrize("there", [False, True])
def test_remove_takes_out_a_signer_that_came_with_the_tracker(debian: Any, there: bool) -> None:
    """It signs for whoever the client is; one that was there before stays."""
    debian.set(f"smtpd_milters=inet:v:1{', unix:d/s' if there else ''}")
    named = debian.postconf("-n")
    debian.configured()
    debian.configured("--signer", "unix:d/s")
    assert debian.value("smtpd_milters").endswith(f"{OURS}, unix:d/s")
    assert debian.configure("--remove").returncode == 0
    assert debian.postconf("-n") == named


def test_remove_knows_a_signer_that_was_there_by_the_name_for_a_chrooted_smtpd(debian: Any) -> None:
    debian.set("smtpd_milters=inet:v:1, unix:/d/s")
    debian.configured("--signer", "unix:d/s")
    assert debian.value("smtpd_milters") == f"inet:v:1, {OURS}, unix:d/s"
    assert debian.configure("--remove").returncode == 0
    assert debian.value("smtpd_milters") == "inet:v:1, unix:d/s"


@pytest.mark.parametrize("there", [False, True])
def test_remove_knows_for_each_service_whether_the_signer_came_too(
    debian: Any, there: bool
) -> None:
    """Else it would take out one that was there, or leave one that signs for everybody."""
    debian.postconf("-M", "submission/inet=submission inet n - y - - smtpd")
    own = f"inet:v:1{',unix:d/s' if there else ''}"
    debian.set(f"submission/inet/smtpd_milters={own}")
    debian.configured("--signer", "unix:d/s", "--service", "submission/inet")
    assert debian.value("submission/inet/smtpd_milters") == f"inet:v:1,{OURS},unix:d/s"
    assert debian.configure("--remove").returncode == 0
    assert debian.value("submission/inet/smtpd_milters") == own


def test_remove_unsets_no_parameter_twice(debian: Any) -> None:
    """Postconf -X crashes on that. A table of routes edited by hand may say so."""
    named = debian.postconf("-n")
    debian.configured()
    routes = debian.directory / "tracker_transport"
    notes = [each for each in routes.read_text().splitlines() if each.startswith("# Changed: ")]
    assert any("(not set) ->" in each for each in notes)
    routes.write_text("\n".join([*notes, routes.read_text()]))
    done = debian.configure("--remove")
    assert done.returncode == 0, done.stderr
    assert debian.postconf("-n") == named


def test_remove_leaves_what_was_changed_since_and_what_it_does_not_know(debian: Any) -> None:
    debian.set("milter_content_timeout=20s")
    debian.configured()
    debian.set("milter_content_timeout=500s", "smtpd_forbid_bare_newline=yes")
    debian.configured("--alias-domain", "alias.example.org")
    routes = debian.directory / "tracker_transport"
    text = routes.read_text()
    assert "# Changed: milter_content_timeout: 20s -> 300s\n" in text
    there = debian.files()
    done = debian.configure("--remove")
    assert debian.value("milter_content_timeout") == "500s"
    assert debian.value("smtpd_forbid_bare_newline") == "yes"
    was_set = debian.postconf("-dh", "smtpd_forbid_bare_newline") != "normalize"
    assert ("left as they are" not in done.stdout) is was_set  # else it was never ours
    # An older program kept no such notes.
    debian.put(there)
    routes.write_text("".join(x for x in text.splitlines(True) if "# Changed" not in x))
    done = debian.configure("--remove")
    assert "left as they are, since they harm nobody: milter_content_timeout" in done.stdout


def test_remove_finds_the_tracker_by_the_path_inside_the_chroot(debian: Any) -> None:
    """Where it stayed, all mail would wait for a milter that is gone."""
    debian.set(f"smtpd_milters={ROOTED}, inet:v:1")
    debian.postconf("-M", "submission/inet=submission inet n - y - - smtpd")
    debian.set(f"submission/inet/smtpd_milters={ROOTED}")
    done = debian.configure("--remove", "--socket", debian.socket)
    assert done.returncode == 0, done.stderr
    assert debian.value("smtpd_milters") == "inet:v:1"
    assert debian.options("submission/inet")["smtpd_milters"] == ""


def test_only_addresses_in_alias_domains_go_to_the_splitter(debian: Any) -> None:
    debian.configured("--alias-domain", "alias.example.org")
    there = f"tracker-split:[127.0.0.1]:{LISTENER.partition(':')[2]}"
    for key in (HARD, SOFT, HARD.upper(), DOMAIN, f".{DOMAIN}", "x@alias.example.org"):
        assert debian.answer("tracker_transport", key) == there
    for key in (
        "x@example.com",
        "x@notct.example.com",
        f"{DOMAIN}@example.com",
        "x@ctXexample.com",
    ):
        assert debian.answer("tracker_transport", key) == ""


def test_a_milter_of_others_that_is_down_is_told_before_mail_waits_for_it(debian: Any) -> None:
    """With `accept` mail passes it; with what the tracker needs none would."""
    dead = "unix:d/none"
    debian.set(f"smtpd_milters={dead}, {DKIM}", "milter_default_action=accept")
    before = debian.files()
    done = debian.configure("--socket", debian.socket, "--alias-domain", DOMAIN)
    assert done.returncode == 1
    assert f"smtpd_milters has {dead}, where no milter answers (No such file" in done.stderr
    assert f"start it, take it out, or write {{ {dead}, default_action=accept }}" in done.stderr
    assert "nothing was changed" in done.stderr
    assert DKIM not in done.stderr.replace(f"{dead},", "").partition("no milter answers")[2]
    assert debian.files() == before
    debian.set(f"smtpd_milters={{ {dead}, default_action=accept }}, {DKIM}")
    debian.configured()
    assert debian.value("milter_default_action") == "tempfail"
    debian.set(f"smtpd_milters={dead}, {OURS}")
    debian.configured()


RECEIVED = """\
Received: from secret.example (client.example [192.0.2.1])
\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))
\t(Authenticated sender: shop)
\tby mail.example.com (Postfix) with ESMTPSA id 4XyZ12
\tfor <{recipient}>; Mon, 23 Nov 2026 16:00:00 +0000 (UTC)"""
REDUCED = "Received: by {host} (Postfix) id 4XyZ12; Mon, 23 Nov 2026 16:00:00 +0000 (UTC)"


def test_received_of_this_host_tells_only_of_this_host(debian: Any) -> None:
    debian.postconf("-M", "192.0.2.9:25/inet=192.0.2.9:25 inet n - y - - smtpd")
    debian.set("192.0.2.9:25/inet/myhostname=mx2.example.com")
    debian.configured()
    for recipient in (HARD, SOFT, f'"{HARD.partition("@")[0]}"@{DOMAIN}', HARD.upper(), f"{HARD}."):
        reduced = "REPLACE " + REDUCED.format(host="mail.example.com")
        header = RECEIVED.format(recipient=recipient)
        assert debian.answer("tracker_header_checks", header) == reduced
    for name in ("postmaster", "Abuse"):
        header = RECEIVED.format(recipient=f"{name}@{DOMAIN}")
        assert debian.answer("tracker_header_checks", header) == "DUNNO"
    second = RECEIVED.format(recipient=HARD).replace("by mail.", "by mx2.")
    assert "by mx2.example.com (Postfix) id" in debian.answer("tracker_header_checks", second)


@pytest.mark.parametrize(
    "header",
    [
        RECEIVED.format(recipient="buyer@example.com"),
        RECEIVED.format(recipient=f"{DOMAIN}@example.org"),
        RECEIVED.format(recipient=HARD).replace("by mail.", "by other."),
        RECEIVED.format(recipient=HARD).replace("(Postfix)", "(Other)"),
        RECEIVED.format(recipient=HARD).replace(f"\n\tfor <{HARD}>", ""),
        "X-" + RECEIVED.format(recipient=HARD),
        f"Subject: for <{HARD}>; by mail.example.com (Postfix)",
    ],
)
def test_other_headers_are_left_alone(debian: Any, header: str) -> None:
    table = "tracker_header_checks"
    shipped = Path(__file__).parents[2] / "postfix" / table
    (debian.directory / table).write_bytes(shipped.read_bytes())
    assert debian.answer(table, header) == ""


def forged(debian: Any, *values: str) -> list[str]:
    """Return what the header checks say of results in these forms."""
    headers = [f"Authentication-Results: {value}" for value in values]
    return [debian.answer("tracker_header_checks", header) for header in headers]


def test_results_in_the_verifiers_name_are_removed_from_what_clients_send(debian: Any) -> None:
    name = "mx.example.com"
    debian.configured("--authserv-id", name)
    ours = (
        f"{name}; dkim=pass", f"{name} 1; dkim=pass", f"\n\t{name};\n\tdkim=pass", f"{name}\n ;x",
        f'"{name}"; dkim=pass', "MX.Example.COM; dkim=pass", name, f"{name}/4ABC; dkim=pass",
        f"{name}(x); dkim=pass",
    )  # fmt: skip
    assert set(forged(debian, *ours)) == {"IGNORE"}
    others = ("mx.example.org; x", "mx-example.com; x", f"{name}.evil.example; x", f"a.{name}; x")
    assert set(forged(debian, *others)) == {""}
    header = f"Authentication-Results : {name}; dkim=pass"
    assert debian.answer("tracker_header_checks", header) == "IGNORE"
    assert debian.answer("tracker_header_checks", f"ARC-Authentication-Results: {name}; x") == ""
    assert debian.configured().stdout == "configure: nothing to change\n"
    assert debian.configured("--authserv-id", "none").stdout.count(" -> ") == 1
    assert set(forged(debian, *ours)) == {""}


def test_another_table_that_keeps_forged_results_is_refused(debian: Any) -> None:
    debian.configured("--authserv-id", "a*b.example")
    assert forged(debian, "a*b.example; x", "ab.example; x", "aab.example; x") == ["IGNORE", "", ""]
    assert debian.configured().stdout == "configure: nothing to change\n"


@pytest.mark.parametrize("name", ["a b", "a;b", 'a"b', "a/b"])
def test_a_name_of_a_verifier_is_one_word(debian: Any, name: str) -> None:
    done = debian.configure(
        "--socket", debian.socket, "--alias-domain", DOMAIN, "--authserv-id", name
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


BACK = "127.0.0.1:10025/inet"
NO_MILTERS = "receive_override_options=no_milters,no_header_body_checks"
XFORWARD = "smtpd_authorized_xforward_hosts=127.0.0.0/8"


@pytest.mark.parametrize(
    ("settings", "refused", "warned"),
    [
        (["content_filter="], True, False),
        (["content_filter=", "receive_override_options=no_header_body_checks"], True, False),
        (["content_filter=", f"smtpd_milters=inet:v:1,{OURS}"], True, False),
        (["content_filter=", NO_MILTERS], False, False),
        (["content_filter=", "smtpd_milters="], False, False),
        (["content_filter=", "smtpd_milters=inet:v:1"], False, False),
        ([XFORWARD], True, False),
        ([XFORWARD, NO_MILTERS], False, True),
        (["content_filter=smtp:[127.0.0.1]:10024"], False, False),
        ([], False, False),
    ],
)  # fmt: skip
def test_mail_that_a_filter_hands_back_does_not_meet_the_tracker(
    debian: Any, settings: list[str], refused: bool, warned: bool
) -> None:
    """It would be a loop, or this host's own; where it does not, nothing is said."""
    debian.postconf("-M", f"{BACK}=127.0.0.1:10025 inet n - y - - smtpd")
    debian.set(*(f"{BACK}/{setting}" for setting in settings))
    base = ("--dry-run", "--socket", debian.socket, "--alias-domain", DOMAIN)
    done = debian.configure(*base)
    assert (done.returncode == 1) is refused, done.stderr
    assert (f"refused: master.cf, {BACK}: " in done.stderr) is refused
    assert ("meets the tracker as mail of this host, trusted" in done.stderr) is refused
    assert (f"WARNING: master.cf, {BACK}: " in done.stderr) is warned
    assert debian.configure(*base, "--exempt", BACK).returncode == 0
