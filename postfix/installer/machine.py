"""What the installer does to the machine: each command is shown, and run unless it is a dry run."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


class Failed(Exception):
    """It cannot be done; the message says why, and what is left as it was."""


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine.

    Attributes:
        dry_run: everything is shown, nothing is changed.
    """

    dry_run: bool

    def step(self, text: str) -> None:
        """Announce a step."""
        print(f"\n== {text}", flush=True)

    def say(self, text: str) -> None:
        """Print a line at once, before what a command prints."""
        print(text, flush=True)

    def run(self, *command: str | Path) -> None:
        """Show a command, and run it.

        Raises:
            Failed: it could not be run, or failed; what it said is on standard error.
        """
        words = [str(word) for word in command]
        self.say(f"+ {' '.join(words)}")
        if self.dry_run:
            return
        try:
            code = subprocess.run(words, stdin=subprocess.DEVNULL, cwd="/", check=False).returncode
        except OSError as error:
            raise Failed(f"{words[0]} cannot be run: {error.strerror}") from None
        if code != 0:
            raise Failed(f"{shlex.join(words)} failed with exit code {code}")

    def write(self, path: Path, text: str, mode: int, group: str = "") -> bool:
        """Put a text into a file, all at once, and return True; if it holds it already, False.

        Args:
            path: the file.
            text: what it is to hold.
            mode: who may do what with it.
            group: whose it is, "" for the usual one.
        """
        if path.is_file() and path.read_text("utf-8", "replace") == text:
            self.say(f"{path}: as it should be")
            return False
        self.say(f"+ write {path}" + (f" for {group}" if group else ""))
        if self.dry_run:
            return True
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        with open(new, "w", encoding="utf-8", opener=_make_opener(mode)) as file:
            file.write(text)
        new.chmod(mode)
        if group:
            shutil.chown(new, group=group)
        new.replace(path)
        return True

    def install_packages(self, names: list[str], wanted: list[str]) -> None:
        """Install these Debian packages, and of those `wanted` what this Debian has."""
        missing = [name for name in names if not _is_installed(name)]
        if missing:
            self.run("apt-get", "update")
        missing += [name for name in wanted if not _is_installed(name) and _is_known(name)]
        if not missing:
            self.say("all there")
            return
        if not self.dry_run:
            _see_installable(missing)
        self.run(
            "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y",
            "--no-install-recommends", *missing,
        )  # fmt: skip


def _make_opener(mode: int) -> Callable[[str, int], int]:
    return lambda path, flags: os.open(path, flags, mode)


def _is_installed(package: str) -> bool:
    return _say("dpkg-query", "-W", "-f", "${db:Status-Status}", package) == "installed"


def _is_known(package: str) -> bool:
    said = _say("apt-cache", "policy", package)
    return "Candidate: " in said and "Candidate: (none)" not in said


def _see_installable(packages: list[str]) -> None:
    """See that all can be installed before the first one is.

    Raises:
        Failed: they cannot; nothing was installed.
    """
    command = ["apt-get", "install", "--simulate", "-y", "--no-install-recommends", *packages]
    environ = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    if done.returncode != 0:
        sys.stderr.write(done.stdout + done.stderr)
        raise Failed(f"{' '.join(packages)} cannot be installed here; nothing was installed")


def _say(*command: str) -> str:
    environ = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environ
        ).stdout
    except OSError:
        raise Failed(f"there is no {command[0]}: this is not Debian") from None
