"""The signer's service: the directory of its socket, its unit, and whether it signs."""

import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from conversation_tracker.checks.dialogue import ask
from conversation_tracker.checks.dns.signature import read_tags
from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix.greeting import greet
from conversation_tracker.postfix.names import list_authors
from installer import socket_directory
from installer.machine import Failed, Machine
from installer.signing.places import USER, Places

_SHIPPED = Path(__file__).resolve().parents[1] / "signer.service"
_STOCK = "opendkim.service"
_SYSTEMD = Path("/run/systemd/system")
_UNITS = Path("/etc/systemd/system")
_PATIENCE = 20  # seconds


def is_stock_there() -> bool:
    """Return whether Debian's own instance was there before: then it is the administrator's."""
    return shutil.which("opendkim", path="/usr/sbin:/usr/bin") is not None


def stop_stock(machine: Machine) -> None:
    """Stop Debian's own instance where nobody asked for it: it came with the package."""
    if _SYSTEMD.is_dir():
        machine.run("systemctl", "disable", "--now", _STOCK)


def see_signatures(machine: Machine, places: Places, domains: Mapping[str, str]) -> None:
    """See that what answers signs for each domain, hard and soft aliases alike, if it runs.

    Raises:
        Failed: it does not.
    """
    socket = Socket("unix", path=str(places.socket))
    if machine.dry_run or greet(socket) is not None:
        return
    for domain, selector in domains.items():
        for author in list_authors(domain):
            added = {name.lower(): value for name, value in ask(socket, author).items()}
            tags = read_tags(added.get("dkim-signature", ""))
            if (tags.get("d"), tags.get("s")) != (domain, selector):
                raise Failed(
                    f"what runs at {socket} does not sign for {domain} by {selector}: restart it,"
                    " and run this again"
                )
    machine.say(f"it signs for {', '.join(domains)}")


def write_unit(machine: Machine, places: Places) -> bool:
    """Write the unit, and return whether it changed."""
    text = _SHIPPED.read_text("utf-8")
    text = text.replace("@CONFIGURATION@", str(places.configuration))
    return machine.write(places.unit, text.replace("@SOCKETS@", str(places.socket.parent)), 0o644)


def start(machine: Machine, places: Places, *, changed: bool) -> None:
    """Start it, anew if anything changed, and wait until it answers.

    Raises:
        Failed: it does not.
    """
    socket = Socket("unix", path=str(places.socket))
    if not _SYSTEMD.is_dir() or places.unit.parent != _UNITS:
        machine.say("systemd does not run it. Start it yourself, and again after each change:")
        machine.say(f"  runuser -u {USER} -- /usr/sbin/opendkim -f -x {places.configuration}")
        return
    unit = places.unit.name
    if changed:
        machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "enable", unit)
    running = subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False)
    if changed or running.returncode != 0:
        machine.run("systemctl", "restart", unit)
    if machine.dry_run:
        return
    end = time.monotonic() + _PATIENCE
    while (trouble := greet(socket)) is not None:
        if time.monotonic() > end:
            raise Failed(
                f"the signer does not answer at {socket} ({trouble}): journalctl -u {unit}"
            )
        time.sleep(0.5)
    machine.say("it answers")


def remove(machine: Machine, places: Places) -> None:
    """Stop it, and remove the unit."""
    if _SYSTEMD.is_dir() and places.unit.parent == _UNITS:
        try:
            machine.run("systemctl", "disable", "--now", places.unit.name)
        except Failed as failure:
            machine.say(str(failure))
    machine.run("rm", "-f", places.unit)
    machine.run("rm", "-f", places.socket)
    if socket_directory.is_right(places.socket.parent, USER):
        machine.run("rmdir", "--ignore-fail-on-non-empty", places.socket.parent)
    if _SYSTEMD.is_dir() and places.unit.parent == _UNITS:
        machine.run("systemctl", "daemon-reload")
