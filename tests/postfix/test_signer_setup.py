"""`postfix/signer` sets up a real OpenDKIM: its signatures verify by what it says to publish."""

import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dkim
import pytest

from conversation_tracker.checks import dialogue
from conversation_tracker.checks.dns import check as check_dns
from conversation_tracker.checks.dns import signing_key
from conversation_tracker.checks.dns.names import NameSystem
from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix.greeting import greet
from conversation_tracker.postfix.names import list_authors
from conversation_tracker.postfix.settings import read_settings
from conversation_tracker.postfix.signing import find_record
from private import processes
from private.nameserver import NameServer

POSTFIX = Path(__file__).parents[2] / "postfix"
DOMAIN, OTHER = "ct.example.com", "alias.example.org"
HOST = "mail.example.com"


class Setup:
    """One signer in a directory of its own, above which nobody but root may write."""

    def __init__(self, home: Path) -> None:
        self.home, self.socket = home, home / "socket" / "signer.sock"
        self.unit = home / "signer.service"

    def run(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """Run `postfix/signer`."""
        places = ["--config-dir", self.home / "etc", "--socket", self.socket, "--unit", self.unit]
        command = [str(POSTFIX / "signer"), *map(str, places), *options]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def start(self) -> "subprocess.Popen[bytes]":
        """Start what the unit starts, as its user."""
        [command] = re.findall(r"^ExecStart=(.*)$", self.unit.read_text(), re.MULTILINE)
        self.socket.unlink(missing_ok=True)
        child = subprocess.Popen(command.split(), user="opendkim", group="opendkim")
        socket = Socket("unix", path=str(self.socket))
        assert processes.until(lambda: greet(socket) is None or child.poll() is not None, 20.0)
        assert child.poll() is None
        return child

    def sign(self, author: str) -> str:
        """Have it sign, and return the signature."""
        added = dialogue.ask(Socket("unix", path=str(self.socket)), author)
        return added.get("DKIM-Signature", "")

    def files(self) -> dict[str, tuple[str, str, bytes]]:
        """Return mode, owner and contents of all it has."""
        return {
            str(path.relative_to(self.home)): (
                stat.filemode(path.stat().st_mode),
                pwd.getpwuid(path.stat().st_uid).pw_name,
                path.read_bytes() if path.is_file() else b"",
            )
            for path in self.home.rglob("*")
        }


@pytest.fixture
def setup() -> Iterator[Setup]:
    home = Path(tempfile.mkdtemp(dir="/srv", prefix="conversation-tracker-signer-"))
    home.chmod(0o755)
    try:
        yield Setup(home)
    finally:
        shutil.rmtree(home)


def list_records(said: str) -> list[str]:
    """Return the records that it says to publish."""
    return re.findall(r"^  (\S+\._domainkey\..*)$", said, re.MULTILINE)


def verify(signature: str, author: str, names: NameSystem) -> bool:
    """Verify a signature as a receiver does: by code and by a name server that are not ours."""
    fields = [("DKIM-Signature", signature), *dialogue.list_fields(author)]
    lines = [f"{name}: {value}".replace("\n", "\r\n") for name, value in fields]

    def ask(name: bytes, **_more: object) -> bytes:
        return "".join(names.ask(name.decode().rstrip("."), "TXT")).encode()

    header = "\r\n".join([*lines, "", ""]).encode()
    return bool(dkim.verify(header + dialogue.BODY, dnsfunc=ask))


def test_a_signature_verifies_by_the_record_that_is_shown(
    setup: Setup, debian: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For hard and soft aliases of each domain, of any client, and for nobody else."""
    done = setup.run("--domain", DOMAIN, "--domain", OTHER)
    assert done.returncode == 0, done.stderr
    records = list_records(done.stdout)
    assert len(records) == 2
    assert find_record(DOMAIN, setup.home / "etc") == records[0]
    child = setup.start()
    try:
        assert stat.S_IMODE(setup.socket.stat().st_mode) & 0o777 == 0o770
        assert setup.socket.group() == "postfix"
        with NameServer() as server:
            wanted = [name for each in (DOMAIN, OTHER) for name in (each, f"*.{each}")]
            mail = [f"{name}. MX 1 {HOST}." for name in wanted]
            server.publish(*records, *mail, f"{HOST}. A 9.9.9.9")
            names = NameSystem([server.address], server.port)
            for domain in (DOMAIN, OTHER):
                for author in list_authors(domain):
                    signature = setup.sign(author)
                    assert f"d={domain};" in signature
                    assert verify(signature, author, names)
            assert setup.sign("somebody@example.com") == ""
            assert setup.sign("somebody@evilct.example.com") == ""
            assert f"it signs for {DOMAIN}, {OTHER}" in setup.run("--domain", OTHER).stdout
            # And `check --dns` says the same, of a Postfix that uses it.
            debian.configured("--signer", f"unix:{setup.socket}", "--alias-domain", OTHER)
            environ = {"PATH": os.environ["PATH"], "MAIL_CONFIG": str(debian.directory)}
            ours = Socket("unix", path=debian.socket.removeprefix("unix:"))
            domains = {DOMAIN: True, OTHER: True}
            facts = list(check_dns.check(names, read_settings(environ), ours, domains))
            keys = [fact for fact in facts if "private key (2048 bits)" in fact.text]
            assert [fact.verdict for fact in keys] == ["ok", "ok"], facts
            assert {fact.verdict for fact in facts} == {"ok", "note"}
            # A key that is lost is made anew, and then the published one is another's.
            (setup.home / "etc" / "keys" / f"{DOMAIN}.tracker.private").unlink()
            setup.run("--domain", DOMAIN)
            child.kill()
            child.wait()
            child = setup.start()
            monkeypatch.setattr(
                signing_key, "find_record", lambda domain: find_record(domain, setup.home / "etc")
            )
            [fact] = signing_key.check(
                names, DOMAIN, list_authors(DOMAIN)[0], [setup.sign(list_authors(DOMAIN)[0])]
            )
            assert "does not belong to the signer's private key" in fact.what
            server.publish(fact.advice.removeprefix("publish "))
            names = NameSystem([server.address], server.port)
            assert verify(setup.sign(list_authors(DOMAIN)[0]), list_authors(DOMAIN)[0], names)
    finally:
        child.kill()
        child.wait()


def test_run_again_it_changes_nothing_and_adds_domains(setup: Setup) -> None:
    assert setup.run("--domain", DOMAIN).returncode == 0
    before = setup.files()
    key = f"etc/keys/{DOMAIN}.tracker.private"
    assert before[key][:2] == ("-rw-------", "opendkim")
    done = setup.run("--domain", DOMAIN)
    assert (done.returncode, setup.files()) == (0, before)
    assert "+ " not in done.stdout
    assert len(list_records(setup.run("--domain", OTHER).stdout)) == 2
    after = setup.files()
    assert after[key] == before[key]
    assert after["etc/SigningTable"][2].decode().splitlines() == [
        f"{pattern} {domain}"
        for domain in (DOMAIN, OTHER)
        for pattern in (f"*@{domain}", f"*@*.{domain}")
    ]
    (setup.home / key).chmod(0o644)
    os.chown(setup.home / key, 0, 0)
    assert setup.run("--domain", DOMAIN).returncode == 0
    assert setup.files()[key] == before[key]
    assert setup.run("--domain", DOMAIN, "--selector", "next").returncode == 0
    assert f"{DOMAIN}:next:" in (setup.home / "etc" / "KeyTable").read_text()
    assert (setup.home / key).exists()


def test_a_dry_run_makes_nothing(setup: Setup) -> None:
    done = setup.run("--domain", DOMAIN, "--dry-run")
    assert done.returncode == 0
    assert f"openssl genrsa -out {setup.home}/etc/keys/{DOMAIN}.tracker.private 2048" in done.stdout
    assert setup.files() == {}


def test_removal_leaves_the_keys(setup: Setup) -> None:
    setup.run("--domain", DOMAIN)
    done = setup.run("--remove")
    assert done.returncode == 0, done.stderr
    assert "still there: the keys" in done.stdout
    assert [name for name, (_, _, data) in sorted(setup.files().items()) if data] == [
        f"etc/dns/{DOMAIN}.txt",
        f"etc/keys/{DOMAIN}.tracker.private",
    ]
    assert not setup.socket.parent.exists()


def test_it_is_not_removed_while_postfix_asks_it(
    setup: Setup, debian: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All mail would wait."""
    setup.run("--domain", DOMAIN)
    monkeypatch.setenv("MAIL_CONFIG", str(debian.directory))
    debian.set(f"smtpd_milters=inet:127.0.0.1:1, {{ unix:{setup.socket}, default_action=accept }}")
    before = setup.files()
    done = setup.run("--remove")
    assert (done.returncode, setup.files()) == (1, before)
    assert "postfix/configure --signer none" in done.stderr
    rooted = "unix:/s/signer.sock"  # to a chrooted smtpd
    setup.socket = debian.queue / "s" / "signer.sock"
    for setting in (f"smtpd_milters={rooted}", f"cleanup/unix/non_smtpd_milters={rooted}"):
        debian.set("smtpd_milters=", setting)
        assert setup.run("--remove", "--dry-run").returncode == 1, setting


def test_a_directory_of_somebody_elses_is_left_alone(setup: Setup) -> None:
    setup.socket.parent.mkdir()
    (setup.socket.parent / "other").touch()
    done = setup.run("--domain", DOMAIN)
    assert (done.returncode, "give it another" in done.stderr) == (1, True)
    assert set(setup.files()) == {"socket", "socket/other"}


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--domain", "ct_example.com"],
        ["--domain", DOMAIN, "--domain", f"a.{DOMAIN}"],
        ["--domain", DOMAIN, "--selector", "a.b"],
        ["--domain", DOMAIN, "--unit", "relative"],
        ["--domain", DOMAIN, "--config-dir", "/srv/a b"],
        ["--domain", DOMAIN, "--what"],
    ],
)
def test_what_is_no_order_is_refused_in_one_line(setup: Setup, options: list[str]) -> None:
    done = setup.run(*options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert setup.files() == {}


def test_the_unit_is_shut_tight(setup: Setup) -> None:
    setup.run("--domain", DOMAIN)
    security = ["systemd-analyze", "security", "--offline=true", "--threshold=15", str(setup.unit)]
    done = subprocess.run(security, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    said = done.stdout
    verified = ["systemd-analyze", "verify", "--man=no", str(setup.unit)]
    done = subprocess.run(verified, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    marked = re.findall(r"^✗ (\w+)=", said, re.MULTILINE)
    text = setup.unit.read_text()
    open_ = {each for each in marked if not re.search(rf"^#.*\b{each}\b", text, re.MULTILINE)}
    assert open_ <= {"RestrictAddressFamilies", "DeviceAllow"}
