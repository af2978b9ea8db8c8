"""What `check` finds out about the units of systemd: whether they are enabled and have run.

Where systemd does not run there is nothing to find, and nothing is said.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from conversation_tracker.base import timeouts
from conversation_tracker.checks.finding import CheckLine, note, ok, wrong

SERVICE = "conversation-tracker.service"
TIMER = "conversation-tracker-expire.timer"
FOLLOWER = "conversation-tracker-follow.service"
PUBLISHER = "conversation-tracker-publish.service"
OPTIONAL = {
    FOLLOWER: "no delivery becomes more than accepted",
    PUBLISHER: "unless another host publishes, programs learn of nothing that happens",
}

_BOOTED = Path("/run/systemd/system")  # sd_booted(3)

Properties = dict[str, str]


def check(properties: Callable[[str], Properties] | None = None) -> Iterator[CheckLine]:
    """Judge our units.

    Args:
        properties: gives the properties of a unit; None asks systemd, if it runs.
    """
    if properties is None:
        if shutil.which("systemctl") is None or not _BOOTED.is_dir():
            return
        properties = _read_properties
    for unit in (SERVICE, TIMER):
        yield from check_unit(unit, properties(unit))
    for unit, lacks in OPTIONAL.items():
        yield check_optional(unit, properties(unit), lacks)


def check_optional(unit: str, found: Properties, lacks: str) -> CheckLine:
    """Judge a unit that mail does not need, and without which something lacks."""
    if found.get("ActiveState") == "active":
        return ok(f"{unit} is active")
    if found.get("UnitFileState") == "enabled":
        return wrong(
            f"{unit} is enabled, but {found.get('ActiveState')}",
            f"see journalctl -u {unit}, then systemctl restart {unit}",
        )
    return note(f"{unit} is not active: {lacks}")


def check_unit(unit: str, found: Properties) -> Iterator[CheckLine]:
    """Judge one unit by its properties."""
    if found.get("LoadState") != "loaded":
        yield wrong(f"systemd does not know {unit}", "run postfix/install, or install the unit")
        return
    if found.get("UnitFileState") == "enabled" and found.get("ActiveState") == "active":
        yield ok(f"{unit} is enabled and active")
    else:
        state = f"{found.get('UnitFileState') or 'not enabled'}, {found.get('ActiveState')}"
        yield wrong(f"{unit} is {state}", f"systemctl enable --now {unit}")
    if unit == TIMER:
        last = found.get("LastTriggerUSec", "")
        if last in ("", "n/a", "0"):
            yield note(f"{TIMER} has not run yet")
        else:
            yield ok(f"{TIMER} ran last on {last}")


def _read_properties(unit: str) -> Properties:
    names = "LoadState,UnitFileState,ActiveState,LastTriggerUSec"
    try:
        said = subprocess.run(
            ["systemctl", "show", unit, f"--property={names}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeouts.get().check_systemd_seconds,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {key: value for key, _, value in (line.partition("=") for line in said.splitlines())}
