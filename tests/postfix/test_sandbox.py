"""The follower marks deliveries where its unit puts it: in a sandbox, with the journal alone."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from private import processes

from .sandbox import MACHINE, Journal, confined, properties
from .stage import Order, Stage, stage

if TYPE_CHECKING:
    from private.postgres import Postgres

UNIT = (Path(__file__).parents[2] / "systemd" / "conversation-tracker-follow.service").read_text()
BUYER, CARRIER = "john@doe.example", "desk@carrier.example"
MAIL = "From: <{}>\r\nTo: {}\r\nMessage-ID: <{}@carrier.example>\r\n\r\nOn its way.\r\n"
OTHER_MACHINE, LAST_BOOT = "0" * 31 + "1", "0" * 31 + "2"


@pytest.fixture(scope="module")
def host(postgres: "Postgres", migrated: str) -> Iterator[Stage]:
    with stage(postgres, migrated) as found:
        yield found


class Confined:
    """The follower's unit, started by hand."""

    def __init__(self, on: Stage, home: Path) -> None:
        """Prepare it; nothing runs yet."""
        self.journal, self._home, self._on = Journal(home), home, on
        self._state, self._said = home / "state", home / "said"
        self._state.mkdir()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it reads."""
        options = properties(UNIT)["ExecStart"].split()[1:]
        config = str(self._on.host.tracker.config)
        command = [sys.executable, "-m", "conversation_tracker", "-c", config, *options]
        environment = os.environ | {"STATE_DIRECTORY": str(self._state)}
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                confined(UNIT, self.journal, self._state, command), stderr=said, env=environment
            )
        assert processes.until(lambda: self.told("following"), 30.0), self._said.read_text()
        assert self.told("following")[0]["source"] == "journal"

    def told(self, event: str) -> list[dict[str, str]]:
        """Return the lines of its log with this event."""
        lines = [
            json.loads(text) for text in self._said.read_text().splitlines() if text[:1] == "{"
        ]
        return [line for line in lines if line["event"] == event]

    def close(self) -> None:
        """End it, and journalctl with it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None


@pytest.fixture
def follower(host: Stage, tmp_path: Path) -> Iterator[Confined]:
    found = Confined(host, tmp_path)
    yield found
    found.close()


def sent(host: Stage, order: Order) -> str:
    """Send one mail of the carrier's to the buyer; return Postfix's line about its delivery."""
    log = host.host.postfix
    before = log.log_text()
    data = MAIL.format(CARRIER, order.alias(BUYER), f"{order.shop.name}.{len(order.timeline())}")
    assert host.send(CARRIER, order.alias(BUYER), data.encode()).ok
    found = re.compile(rf"^.*/smtp\[\d+\]: \w+: to=<{BUYER}>.* status=sent .*$", re.MULTILINE)
    assert processes.until(lambda: found.search(log.log_text(), len(before)), 20.0), log.log_text()
    match = found.search(log.log_text(), len(before))
    assert match is not None
    return match[0]


def test_deliveries_are_marked_by_the_journal(host: Stage, follower: Confined) -> None:
    """Also by what it said before a reboot that the follower did not see; never by other hosts'."""
    order = host.shop().order("1001", buyer=BUYER, carrier=CARRIER)
    states = lambda: [line.state for line in order.timeline()]  # noqa: E731
    follower.journal.write(sent(host, order))
    follower.start()
    follower.journal.write(sent(host, order), machine=OTHER_MACHINE)
    follower.journal.write(sent(host, order))
    assert processes.until(lambda: "sent" in states(), 20.0), follower.told("log-unreadable")
    assert states() == ["accepted", "accepted", "sent"]
    follower.close()
    follower.journal.write(sent(host, order), boot=LAST_BOOT)
    follower.journal.write(sent(host, order))
    follower.start()
    assert processes.until(lambda: states()[3:] == ["sent", "sent"], 20.0), states()
    assert follower.told("log-unreadable") == []


def test_the_unit_shows_journalctl_what_it_needs(tmp_path: Path) -> None:
    """The boot's number, without which --follow ends at once; the sandbox here can tell."""
    journal = Journal(tmp_path)
    journal.write("host postfix/smtp[1]: hello")
    follow = ["timeout", "2", "journalctl", "--follow", "--output=cat", f"_MACHINE_ID={MACHINE}"]
    found = {}
    for unit in (UNIT, f"{UNIT}\nProcSubset=pid\n"):
        done = subprocess.run(
            confined(unit, journal, tmp_path, follow), capture_output=True, text=True, check=False
        )
        found[unit] = done
    assert (found[UNIT].stdout, found[UNIT].stderr) == ("hello\n", "")
    assert "boot id" in done.stderr.lower()
