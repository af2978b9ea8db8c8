"""The signer's keys: one of 2048 bits for each domain, which nobody but the signer can read."""

import base64
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from conversation_tracker.postfix.signing import write_record
from installer.machine import Failed, Machine
from installer.signing.places import USER, Places

_BITS = "2048"
_MODE = 0o600


def make_key(machine: Machine, places: Places, domain: str, selector: str) -> bool:
    """Make a domain's key if there is none, and see that it is the signer's alone.

    Returns:
        Whether one was made.

    Raises:
        Failed: it cannot be made.
    """
    _make_directory(machine, places)
    path = places.find_key(domain, selector)
    if not path.exists():
        machine.say(f"+ openssl genrsa -out {path} {_BITS}")
        if machine.dry_run:
            return True
        # It is never there without its owner and mode, nor half of it.
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)
        data = _run("openssl", "genrsa", _BITS)
        with open(fresh, "xb", opener=lambda name, flags: os.open(name, flags, _MODE)) as file:
            file.write(data)
        shutil.chown(fresh, USER, USER)
        fresh.replace(path)
        return True
    found = path.stat()
    if (_name_owner(found.st_uid), stat.S_IMODE(found.st_mode)) == (USER, _MODE):
        machine.say(f"{path}: as it should be")
    else:
        machine.run("chown", f"{USER}:{USER}", path)
        machine.run("chmod", f"{_MODE:o}", path)
    return False


def _make_directory(machine: Machine, places: Places) -> None:
    for directory, mode in (
        (places.home, 0o755),
        (places.keys, 0o711),
        (places.home / "dns", 0o755),
    ):
        if not directory.is_dir() or stat.S_IMODE(directory.stat().st_mode) != mode:
            machine.run("install", "-d", "-m", f"{mode:o}", directory)


def publish(machine: Machine, places: Places, domain: str, selector: str) -> str:
    """Return the record that publishes a domain's key, and write it where `check` finds it."""
    path = places.find_key(domain, selector)
    if not path.exists():  # only shown
        return write_record(domain, selector, "...")
    public = _run("openssl", "rsa", "-in", path, "-pubout", "-outform", "DER")
    record = write_record(domain, selector, base64.b64encode(public).decode())
    machine.write(places.find_record(domain), f"{record}\n", 0o644)
    return record


def _name_owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _run(*command: str | Path) -> bytes:
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        raise Failed(f"{command[0]} cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        raise Failed(f"{' '.join(map(str, command))} fails ({said})")
    return done.stdout
