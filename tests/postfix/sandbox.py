"""What systemd would put around a service, as far as it can be had without systemd.

A unit's own properties decide: which /proc it sees (ProcSubset, ProtectProc), what it may write to
(ProtectSystem, ProtectKernelTunables), what it may become (NoNewPrivileges, CapabilityBoundingSet).
Its journal is one of ours. Namespaces and the kernel do the rest, as they do for systemd.
"""

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .journal import JournalFile

_ASK_BOOT = "mount -t proc proc /proc && cat /proc/sys/kernel/random/boot_id"


def _read_boot() -> str:
    """Read the boot's number as the sandbox does: systemd-nspawn puts another over that."""
    command = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", _ASK_BOOT]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return said.strip().replace("-", "")


THIS_BOOT = _read_boot()
MACHINE = Path("/etc/machine-id").read_text().strip()


class Journal:
    """A journal on disk, of Postfix's lines."""

    def __init__(self, home: Path) -> None:
        """Make it, empty, in a directory that is there."""
        self.folder = home / "journal"
        self._files: dict[str, JournalFile] = {}
        self._at = 1_700_000_000_000_000

    def write(self, line: str, *, boot: str = THIS_BOOT, machine: str = MACHINE) -> None:
        """Add a line of Postfix's log, as this machine in this boot said it, or another."""
        if machine not in self._files:
            (self.folder / machine).mkdir(parents=True)
            self._files[machine] = JournalFile(self.folder / machine / "system.journal", machine)
        identifier, _, message = line.partition(": ")
        self._at += 1
        fields = {
            "_BOOT_ID": boot,
            "_MACHINE_ID": machine,
            "SYSLOG_FACILITY": "2",
            "SYSLOG_IDENTIFIER": identifier.rpartition(" ")[2].partition("[")[0],
            "MESSAGE": message,
        }
        self._files[machine].append(fields, self._at, boot)


def properties(unit: str) -> dict[str, str]:
    """Read the settings of a unit; of one that stands there several times the last."""
    lines = [line for line in unit.splitlines() if line[:1] not in ("#", ";", "[", "")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def confined(unit: str, journal: Journal, home: Path, command: Sequence[str]) -> list[str]:
    """Return the command that runs another as this unit would, with this journal.

    Args:
        unit: the unit's text.
        journal: the journal it shall see; none but this.
        home: the one directory it may write to, as its StateDirectory.
        command: what to run.
    """
    told = properties(unit)
    subset, hidden = told.get("ProcSubset", "all"), told.get("ProtectProc", "default")
    options = ["nosuid", *(["subset=pid"] if subset == "pid" else [])]
    options += [f"hidepid={hidden}"] if hidden != "default" else []
    steps = [
        "mount -t tmpfs tmpfs /var/log",
        "mkdir /var/log/journal",
        f"mount --bind {shlex.quote(str(journal.folder))} /var/log/journal",
        "if [ -d /run/log ]; then mount -t tmpfs tmpfs /run/log; fi",
        f"mount -t proc -o {','.join(options)} proc /proc",
    ]
    if told.get("ProtectKernelTunables") == "yes" and subset != "pid":
        steps += ["mount --bind /proc/sys /proc/sys", "mount -o remount,bind,ro /proc/sys"]
    if told.get("ProtectSystem") == "strict":
        place = shlex.quote(str(home))
        steps += [f"mount --bind {place} {place}", "mount -o remount,bind,ro /"]
    limits = ["--no-new-privs"] if told.get("NoNewPrivileges") == "yes" else []
    if told.get("CapabilityBoundingSet") == "":
        limits += ["--bounding-set=-all", "--inh-caps=-all"]
    steps.append(shlex.join(["exec", "setpriv", *limits, *command]))
    script = "set -e\n" + "\n".join(steps)
    spaces = ["--mount", "--pid", "--fork", "--kill-child=KILL", "--propagation", "private"]
    return ["unshare", *spaces, "sh", "-c", script]
