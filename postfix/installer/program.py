"""The program: its user, a virtual environment for it, the command and the manual pages."""

import shutil
import sys
import tempfile
from pathlib import Path

from installer.machine import Failed, Machine
from installer.options import USER, Options

_BUILT_FROM = ("milter", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
_SECTIONS = "1578"
_PAGE_USER = f"{USER}-web"


def make_user(machine: Machine, source: Path) -> None:
    """Add the users that the program and its web page run as."""
    machine.step(f"User {USER}")
    users = Path("/etc/passwd").read_text("utf-8", "replace").splitlines()
    missing = [
        name
        for name in (USER, _PAGE_USER)
        if not any(line.startswith(f"{name}:") for line in users)
    ]
    if not missing:
        machine.say("is there")
    elif shutil.which("systemd-sysusers"):
        machine.run("systemd-sysusers", source / "systemd" / "conversation-tracker.sysusers")
    else:
        for name in missing:
            machine.run(
                "adduser", "--system", "--group", "--no-create-home", "--home", "/",
                "--shell", "/usr/sbin/nologin", name,
            )  # fmt: skip


def install_program(machine: Machine, options: Options, source: Path) -> None:
    """Put the program into a virtual environment that sees Debian's packages."""
    prefix = options.prefix
    machine.step(f"Program in {prefix}")
    if not _is_environment(prefix):
        machine.run("/usr/bin/python3", "-m", "venv", "--system-site-packages", prefix)
    pip = (prefix / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check")
    # Debian has all that it needs: no index is asked.
    offline = ("--no-index", "--no-build-isolation")
    with tempfile.TemporaryDirectory() as copy:
        for name in _BUILT_FROM:  # setuptools writes into the tree it builds from
            if (source / name).is_dir():
                shutil.copytree(source / name, Path(copy) / name, dirs_exist_ok=True)
            elif (source / name).exists():
                shutil.copy(source / name, copy)
        machine.run(*pip, *offline, copy)
    if options.fast:
        only = ("--only-binary", ":all:", "--require-hashes", "-r")
        try:
            machine.run(*pip, *only, Path(__file__).with_name("fast.txt"))
        except Failed:
            machine.say(
                "the compiled database driver is not to be had here;"
                " without it the tracker is slower"
            )


def _is_environment(prefix: Path) -> bool:
    """Whether there is a whole one, pip being the last of it, for the Python that there is now."""
    version = ".".join(map(str, sys.version_info[:2]))
    packages = prefix / "lib" / f"python{version}" / "site-packages"
    return (prefix / "bin" / "pip").exists() and (packages / "pip").is_dir()


def link_program(machine: Machine, options: Options) -> None:
    """Put the command on everybody's path."""
    machine.step("Command")
    folder = (options.root or Path("/")) / "usr/local/bin"
    link, program = folder / "conversation-tracker", options.prefix / "bin/conversation-tracker"
    if link.is_symlink() and link.readlink() == program:
        machine.say("as it should be")
        return
    machine.run("install", "-d", folder)
    machine.run("ln", "-sfn", program, link)


def install_manuals(machine: Machine, options: Options, source: Path) -> None:
    """Put the manual pages where man looks."""
    folder = (options.root or Path("/")) / "usr/local/share/man"
    for page in find_manuals(source):
        text = page.read_text("utf-8")
        machine.write(folder / f"man{page.suffix[1:]}" / page.name, text, 0o644)


def find_manuals(source: Path) -> list[Path]:
    """Find the manual pages that the program comes with."""
    return sorted(page for each in _SECTIONS for page in (source / "docs").glob(f"*.{each}"))


def remove_program(machine: Machine, options: Options, source: Path) -> None:
    """Take command, manual pages and environment away."""
    machine.step("Program")
    machine.run("rm", "-f", "/usr/local/bin/conversation-tracker")
    folder = Path("/usr/local/share/man")
    pages = [folder / f"man{page.suffix[1:]}" / page.name for page in find_manuals(source)]
    if pages:
        machine.run("rm", "-f", *pages)
    # Remove only a virtual environment with our program in it: a mistaken --prefix deletes nothing.
    prefix = options.prefix
    if (prefix / "pyvenv.cfg").exists() and (prefix / "bin/conversation-tracker").exists():
        machine.run("rm", "-rf", prefix)
