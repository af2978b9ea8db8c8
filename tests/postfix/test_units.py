"""systemd understands the units, and finds them shut tight."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conversation_tracker.config.options import WEB

SYSTEMD = Path(__file__).parents[2] / "systemd"
PROGRAM = "/opt/conversation-tracker/bin/conversation-tracker"
SERVICES = (
    "conversation-tracker.service",
    "conversation-tracker-expire.service",
    "conversation-tracker-follow.service",
    "conversation-tracker-publish.service",
    "conversation-tracker-web@.service",
)
UNITS = (*SERVICES, "conversation-tracker-expire.timer")
TIGHT = 15  # tenths of systemd's exposure level; 100 is a service without any hardening


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return a directory with the units; their program is one that every machine has."""
    for name in UNITS:
        text = (SYSTEMD / name).read_text()
        (tmp_path / name).write_text(text.replace(PROGRAM, "/bin/true"))
    return tmp_path


def analyzed(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    command = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_systemd_has_no_complaint(units: Path) -> None:
    done = analyzed("verify", "--man=no", *(units / name for name in UNITS))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_hardened(units: Path, name: str) -> None:
    done = analyzed("security", "--offline=true", f"--threshold={TIGHT}", units / name)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_not_shut_is_explained(units: Path, name: str) -> None:
    """Whatever systemd still marks as open is named in the unit with its reason."""
    report = analyzed("security", "--offline=true", units / name).stdout
    marked = re.findall(r"^✗ (\w+)=", report, re.MULTILINE)
    text = (SYSTEMD / name).read_text()
    explained = [option for option in marked if re.search(rf"^#.*\b{option}\b", text, re.MULTILINE)]
    # An address family is explained by its own name; the device list follows from ProtectClock.
    rest = {option for option in marked if option not in explained}
    assert rest <= {"RestrictAddressFamilies", "DeviceAllow"}
    assert re.search(r"^# AF_UNIX: ", text, re.MULTILINE)


def test_the_publisher_alone_is_told_to_stop() -> None:
    """Told too, the process that reads would leave a message as unreadable that it just has."""
    assert "\nKillMode=mixed\n" in (SYSTEMD / "conversation-tracker-publish.service").read_text()


def test_tracker_starts_before_postfix_and_survives_its_failures() -> None:
    text = (SYSTEMD / "conversation-tracker.service").read_text()
    for line in (
        "Type=notify",
        "Before=postfix.service postfix@-.service",
        "After=network-online.target postgresql.service",
        "Restart=on-failure",
        "RestartPreventExitStatus=2",
        f"ExecReload=/bin/sh -c '{PROGRAM} check --config || [ $? = 1 ]'",
        "ExecReload=/bin/sh -c 'kill -HUP $MAINPID'",
        "ReadWritePaths=/var/spool/postfix/conversation-tracker",
    ):
        assert f"\n{line}\n" in text
    assert re.search(r"^WatchdogSec=\d+$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("more", "passes", "said"),
    [
        ("", True, ""),
        ("nonsense = 1\n", False, "<3>conversation-tracker: "),
        # As a start does, which takes these and says the same.
        ("trusted_networks = 0.0.0.0/0\n", True, "<3>WRONG   trusted_networks has 0.0.0.0/0: "),
    ],
)
def test_a_reload_fails_before_the_service_hears_of_a_faulty_configuration(
    tmp_path: Path, more: str, passes: bool, said: str
) -> None:
    """Systemd runs what the unit names in turn, and stops at what fails; the journal has why."""
    text = (SYSTEMD / "conversation-tracker.service").read_text()
    first, *rest = re.findall(r"^ExecReload=/bin/sh -c '(.*)'$", text, re.MULTILINE)
    assert rest == ["kill -HUP $MAINPID"]
    config, journal = tmp_path / "conversation-tracker.conf", tmp_path / "journal"
    lines = "database = postgresql:///x\nsocket = unix:/run/x/milter.sock\n"
    config.write_text(f"[tracker]\n{lines}{more}")
    with journal.open("w") as stream:
        status = os.fstat(stream.fileno())
        done = subprocess.run(
            ["/bin/sh", "-c", first.replace(PROGRAM, f"{sys.executable} -m conversation_tracker")],
            env=os.environ
            | {
                "CONVERSATION_TRACKER_CONFIG": str(config),
                "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}",
            },
            stdout=stream,
            stderr=stream,
            check=False,
        )
    assert (done.returncode == 0) is passes
    # What `journalctl -p err` shows; the rest has no priority of its own.
    errors = [line for line in journal.read_text().splitlines() if line.startswith("<")]
    assert len(errors) == bool(said)
    assert "".join(errors).startswith(said)


def test_follower_may_read_the_log_and_keeps_its_place() -> None:
    text = (SYSTEMD / "conversation-tracker-follow.service").read_text()
    for line in (
        f"ExecStart={PROGRAM} follow",
        "SupplementaryGroups=adm systemd-journal",
        "StateDirectory=conversation-tracker",
        "Restart=on-failure",
        "RestartPreventExitStatus=2",
        "WantedBy=multi-user.target",
    ):
        assert f"\n{line}\n" in text


def test_publisher_is_watched_and_writes_nothing() -> None:
    text = (SYSTEMD / "conversation-tracker-publish.service").read_text()
    for line in (
        f"ExecStart={PROGRAM} publish",
        "Type=notify",
        "ProtectSystem=strict",
        "Restart=on-failure",
        "RestartPreventExitStatus=2",
        "WantedBy=multi-user.target",
    ):
        assert f"\n{line}\n" in text
    assert re.search(r"^WatchdogSec=\d+$", text, re.MULTILINE)
    assert "ReadWritePaths" not in text
    assert "StateDirectory" not in text


def test_a_page_is_an_instance_with_a_file_and_a_user_of_its_own() -> None:
    text = (SYSTEMD / "conversation-tracker-web@.service").read_text()
    config = "/etc/conversation-tracker/web-%i.conf"
    for line in (
        f"ExecStart={PROGRAM} -c {config} web",
        f"ExecReload=/bin/sh -c '{PROGRAM} -c {config} check --config || [ $? = 1 ]'",
        "Type=notify",
        "User=conversation-tracker-web",
        # One that ends leaves the others' sockets.
        "RuntimeDirectory=conversation-tracker",
        "RuntimeDirectoryMode=2750",
        "RuntimeDirectoryPreserve=yes",
        "ProtectSystem=strict",
        "RestartPreventExitStatus=2",
        "WantedBy=multi-user.target",
    ):
        assert f"\n{line}\n" in text
    assert WEB["listen"].default == "unix:/run/conversation-tracker/web.sock"
    assert re.search(r"^WatchdogSec=\d+$", text, re.MULTILINE)
    assert "ReadWritePaths" not in text


def test_expiry_runs_daily_and_makes_up_for_a_missed_day() -> None:
    text = (SYSTEMD / "conversation-tracker-expire.timer").read_text()
    assert "\nOnCalendar=daily\n" in text
    assert "\nPersistent=true\n" in text


def test_sysusers_makes_a_user_that_cannot_log_in() -> None:
    file = SYSTEMD / "conversation-tracker.sysusers"
    entries = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    assert entries == [
        'u conversation-tracker - "Conversation Tracker" / /usr/sbin/nologin',
        'u conversation-tracker-web - "Conversation Tracker, the web page" / /usr/sbin/nologin',
    ]
