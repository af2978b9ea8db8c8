"""`check` and `configure` go by one list: what the one refuses is WRONG to the other.

Each requirement is broken in a configuration directory of Postfix's own that was right before.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from conversation_tracker.checks import postfix as check_postfix
from conversation_tracker.postfix import requirements
from conversation_tracker.postfix import settings as postfix_settings
from conversation_tracker.postfix.finding import Finding
from conversation_tracker.postfix.host import CONFIGURE
from conversation_tracker.postfix.milters import read_socket
from conversation_tracker.postfix.names import name_command
from conversation_tracker.postfix.requirements import ALL

DOMAIN = "ct.example.com"
OURS = "unix:conversation-tracker/milter.sock"
DKIM = "unix:d/s"
LISTENER = "127.0.0.1:10027/inet"
BACK = "127.0.0.1:10025/inet"
INSIDE = f"x.{DOMAIN}"

# What configure has to refuse, with the options that it takes for that.
REFUSED = [
    ("smtpd_milters", [f"mine={DKIM}", "smtpd_milters=$mine"], ["--signer", DKIM]),
    ("signer", [], ["--signer", "unix:d/none"]),
    ("socket", [], ["--socket", "unix:/run/tracker.sock"]),
    ("macros", ["milter_connect_macros=j"], []),
    ("macros", ["milter_mail_macros={auth_type}"], []),
    ("macros", ["smtp/inet/milter_mail_macros={mail_addr}"], []),
    ("macros", ["milter_macro_daemon_name=tracker-split"], []),
    ("non_smtpd_milters", [f"non_smtpd_milters={OURS}"], []),
    ("ways past", ["receive_override_options=no_milters"], []),
    ("ways past", ["smtpd_milter_maps=cidr:{{127.0.0.0/8 DISABLE}}"], []),
    ("ways past", ["smtpd_proxy_filter=127.0.0.1:10025"], []),
    ("ways past", ["smtp/inet/smtpd_milters="], []),
    ("ways past", [f"smtp/inet/smtpd_milters={{{OURS},default_action=accept}}"], []),
    ("ways past", ["smtp/inet/receive_override_options=no_milters"], []),
    ("ways past", ["smtp/inet/smtpd_proxy_filter=127.0.0.1:1"], []),
    ("ways past", ["smtp/inet/milter_default_action=accept"], []),
    ("ways past", [f"{BACK}/content_filter="], []),
    ("ways past", [f"{BACK}/smtpd_authorized_xforward_hosts=127.0.0.0/8"], []),
    ("listener", [f"{LISTENER}/milter_macro_daemon_name=other"], []),
    ("listener", ["smtp/inet/milter_macro_daemon_name=tracker-split"], []),
    ("inet_protocols", ["inet_protocols=ipv6"], []),
    ("nested domains", [], ["--alias-domain", INSIDE]),
    ("myorigin", [f"myorigin=mail.{DOMAIN}"], []),
    ("relay_domains", ["mydestination=localhost, CT.example.com"], []),
    ("relay_domains", ["virtual_mailbox_domains=static:yes"], []),
    ("relay_domains", ["virtual_alias_domains=hash:/no/such/file"], []),
    ("rewriting", ["masquerade_domains=example.com"], []),
    ("rewriting", ["canonical_maps=inline:{@ct.example.com=a@b.example}"], []),
    ("rewriting", ["virtual_alias_maps=hash:/no/such/file"], []),
]  # fmt: skip

# What it mends itself; a name is taken from the table above where only an administrator can.
MENDED = [
    ("milter_default_action", ["milter_default_action=accept"]),
    ("smtpd_milters", ["smtpd_milters=inet:v:1"]),
    ("smtpd_milters", [f"smtpd_milters={{{OURS}, default_action=accept}}"]),
    ("transport", ["tracker-split/unix/smtp_fallback_relay=relay.example"]),
    ("transport", ["tracker-split_destination_recipient_limit=50"]),
    ("listener", [f"{LISTENER}/smtpd_milters="]),
    ("listener", [f"{LISTENER}/local_header_rewrite_clients=permit_mynetworks"]),
    ("listener", [f"{LISTENER}/smtputf8_autodetect_classes=sendmail,verify"]),
    ("listener", [f"smtpd_milters={OURS}, {DKIM}"]),
    ("time-outs", ["milter_content_timeout=10s"]),
    ("bare newline", ["smtpd_forbid_bare_newline=no"]),
    ("info_log_address_format", ["info_log_address_format=internal"]),
    ("forged results", ["header_checks=static:{PREPEND X: y}"]),
    ("relay_domains", ["relay_domains="]),
    ("relay_recipient_maps", ["relay_recipient_maps=inline:{z.example=y}"]),
    ("transport_maps", ["transport_maps=static:smtp:"]),
    ("transport_maps", ["transport_maps=hash:/no/such/file"]),
    ("header_checks", ["header_checks="]),
]

# What loses no mail and shows nobody: said, and no more.
NOTED = [
    ("milter_protocol", ["milter_protocol=2"]),
    ("message_size_limit", ["message_size_limit=0"]),
    ("bare newline", ["smtpd_forbid_bare_newline_exclusions=127.0.0.0/8"]),
]


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the files of a configuration that is right; the first test makes it."""
    return tmp_path_factory.mktemp("right")


@pytest.fixture
def configured(debian: Any, right: Path) -> Any:
    """Return a configuration that is right: configure has been there."""
    directory = str(debian.directory)
    if not list(right.iterdir()):
        debian.postconf("-M", f"{BACK}=127.0.0.1:10025 inet n - y - - smtpd")
        debian.configured("--authserv-id", "mx.example.com")
        for name, data in debian.files().items():
            text = data.decode().replace(directory, "@DIRECTORY@")
            (right / name).write_text(text.replace(str(debian.queue), "@QUEUE@"))
    found = {}
    for file in right.iterdir():
        text = file.read_text().replace("@DIRECTORY@", directory)
        found[file.name] = text.replace("@QUEUE@", str(debian.queue)).encode()
    debian.put(found)
    return debian


class Checked:
    """What `check` has to say of a configuration, which is read once: that takes a second."""

    def __init__(self, host: Any, options: list[str] | None = None) -> None:
        environ = {"PATH": os.environ["PATH"], "MAIL_CONFIG": str(host.directory)}
        settings = postfix_settings.read_settings(environ)
        given = dict(zip((options or [])[::2], (options or [])[1::2], strict=True))
        socket = read_socket(given.get("--socket", host.socket), settings)
        assert socket is not None
        domains = {DOMAIN, given.get("--alias-domain", DOMAIN)}
        self._looked_at = check_postfix.read_host(settings, socket, domains)
        self._said = {(fact.verdict, fact.text) for fact in check_postfix.check(self._looked_at)}

    def of(self, name: str) -> list[Finding]:
        """Return what is said of one requirement, which is among all that is said."""
        [requirement] = [each for each in ALL if each.name == name]
        found = list(requirement.find(self._looked_at))
        assert {(each.verdict, str(each)) for each in found} <= self._said
        return [finding for finding in found if finding.verdict != "ok"]


def check(host: Any, name: str) -> list[Finding]:
    """Return what `check` has to say of one requirement as things are now."""
    return Checked(host).of(name)


def test_every_requirement_is_tried() -> None:
    tried = {name for table in (REFUSED, MENDED, NOTED) for name, *_ in table}
    assert tried == {each.name for each in ALL}
    settable = {each.name for each in ALL if each.set is not None}
    assert settable <= {name for table in (MENDED, NOTED) for name, *_ in table}


def test_nothing_is_said_of_what_configure_has_set(configured: Any) -> None:
    checked = Checked(configured)
    notes = [str(finding) for each in ALL for finding in checked.of(each.name)]
    assert notes == ["no milter is behind the tracker: what it rewrites leaves unsigned"]


@pytest.mark.parametrize(("name", "settings", "options"), REFUSED)
def test_what_configure_refuses_is_wrong_to_check(
    configured: Any, name: str, settings: list[str], options: list[str]
) -> None:
    assert [each for each in check(configured, name) if each.verdict == "WRONG"] == []
    configured.set(*settings)
    base = ["--socket", configured.socket, "--alias-domain", DOMAIN]
    before = configured.files()
    done = configured.configure(*base, *options)
    assert done.returncode == 1, done.stderr
    assert done.stderr.endswith("configure: nothing was changed\n")
    assert configured.files() == before
    start = "configure: refused: "
    lines = [line for line in done.stderr.splitlines() if line.startswith(start)]
    # The script is the tree's; what is tried here may be the Debian package's.
    told = name_command("configure")
    refused = {line.removeprefix(start).replace("postfix/configure", told) for line in lines}
    if options[:1] == ["--signer"]:  # what signs is known to check by the listener alone
        first = "$mine, " if settings else ""
        listener = f"{LISTENER}/smtpd_milters={OURS},{options[1]}"
        configured.set(f"smtpd_milters={first}{OURS}", listener)
    checked = Checked(configured, options)
    wrong = {str(each) for each in checked.of(name) if each.verdict == "WRONG"}
    assert wrong
    assert wrong <= refused
    # One cause may break other requirements as well.
    for other in ALL:
        wrong |= {str(each) for each in checked.of(other.name)}
    assert refused <= wrong


@pytest.mark.parametrize(("name", "settings"), MENDED)
def test_what_configure_mends_is_wrong_to_check_before(
    configured: Any, name: str, settings: list[str]
) -> None:
    configured.set(*settings)
    wrong = [finding for finding in check(configured, name) if finding.verdict == "WRONG"]
    assert wrong
    mends = {finding.mend for finding in wrong}
    own = {"mend or remove it", "make it with postmap, or remove it"}
    assert any(CONFIGURE in mend for mend in mends) or mends <= own
    shown = configured.configured("--dry-run").stdout
    assert " -> " in shown
    assert [each for each in check(configured, name) if each.verdict == "WRONG"] == wrong
    assert configured.configured().stdout.startswith(shown.rpartition("configure: ")[0])
    assert [each for each in check(configured, name) if each.verdict == "WRONG"] == []
    assert configured.configured().stdout == "configure: nothing to change\n"


@pytest.mark.parametrize(("name", "settings"), NOTED)
def test_what_need_not_be_wrong_is_noted(configured: Any, name: str, settings: list[str]) -> None:
    configured.set(*settings)
    said = check(configured, name)
    assert [finding.verdict for finding in said] == ["note"]
    assert str(said[0]).partition(" is ")[0] in settings[0]


def test_an_alias_domain_that_is_kept_from_masquerading_is_right(configured: Any) -> None:
    """Postfix goes by the first name that matches."""
    configured.set(f"masquerade_domains=!{DOMAIN} example.com")
    assert check(configured, "rewriting") == []
    assert configured.configured().stdout == "configure: nothing to change\n"


def test_the_list_is_what_configure_applies_and_takes_back(configured: Any) -> None:
    """What is set by the list is all that --remove takes back; what harms nobody is as before."""
    assert configured.configure("--remove").returncode == 0
    assert {path.name for path in configured.directory.iterdir()} == {"main.cf", "master.cf"}
    checked = Checked(configured)
    wrong = {
        each.name
        for each in requirements.ALL
        if any(finding.verdict == "WRONG" for finding in checked.of(each.name))
    }
    taken_back = {each.name for each in requirements.ALL if each.unset is not None}
    assert taken_back <= wrong <= taken_back | {"bare newline"}  # as this Postfix has it unasked
