"""The service: the directory of its socket, its units, and whether it answers."""

import time
from pathlib import Path

from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix.greeting import greet
from conversation_tracker.postfix.milters import read_socket
from installer import socket_directory
from installer.configuration import Configuration
from installer.machine import Failed, Machine
from installer.options import NO_POSTFIX, USER, Options

SERVICE = "conversation-tracker.service"
TIMER = "conversation-tracker-expire.timer"
FOLLOWER = "conversation-tracker-follow.service"
PUBLISHER = "conversation-tracker-publish.service"
# An administrator names its instances, each with a file of its own: nothing starts one here.
PAGE = "conversation-tracker-web@.service"
UNITS = (SERVICE, "conversation-tracker-expire.service", TIMER, FOLLOWER, PUBLISHER, PAGE)

STATE = Path("/var/lib/conversation-tracker")  # of the follower
_USUAL_CONFIG = Path("/etc/conversation-tracker/conversation-tracker.conf")
_SYSTEMD = Path("/run/systemd/system")
_PATIENCE = 20  # seconds


def read_listening(configuration: Configuration) -> Socket:
    """Read where the service listens.

    Raises:
        Failed: the configuration does not say.
    """
    socket = read_socket(configuration.socket, NO_POSTFIX)
    if socket is None:
        raise Failed(
            f"{configuration.file}: socket is neither unix:/PATH nor inet:PORT@HOST: mend it there"
        )
    return socket


def check_socket_directory(configuration: Configuration) -> None:
    """See that the directory of the socket may be made this program's own.

    Raises:
        Failed: it is somebody else's; nothing was done.
    """
    socket = read_listening(configuration)
    if socket.kind == "unix":
        socket_directory.check(Path(socket.path).parent, USER)


def make_socket_directory(machine: Machine, options: Options, configuration: Configuration) -> None:
    """Make the directory by whose group Postfix may use the socket, which is 0660."""
    socket = read_listening(configuration)
    if socket.kind != "unix":
        return
    directory = Path(socket.path).parent
    machine.step(f"Socket directory {directory}")
    if options.root is not None:
        inside = options.root / directory.relative_to("/")
        machine.run("install", "-d", "-m", f"{socket_directory.MODE:o}", inside)
    else:
        socket_directory.make(machine, directory, USER)


def remove_socket_directory(machine: Machine, configuration: Configuration) -> None:
    """Remove the directory, if it is as it was made and nothing but the socket is in it."""
    socket = read_listening(configuration)
    directory = Path(socket.path).parent
    if socket.kind == "unix" and socket_directory.is_right(directory, USER):
        machine.run("rm", "-f", socket.path)
        machine.run("rmdir", "--ignore-fail-on-non-empty", directory)


def install_units(
    machine: Machine, options: Options, configuration: Configuration, source: Path
) -> None:
    """Write the units, for this prefix, socket and configuration."""
    machine.step("Units")
    socket = read_listening(configuration)
    directory = Path(socket.path).parent if socket.kind == "unix" else None
    folder = (options.root or Path("/")) / "etc/systemd/system"
    for unit in UNITS:
        lines = (source / "systemd" / unit).read_text("utf-8").splitlines(keepends=True)
        text = "".join(_adapt(line, options, directory) for line in lines)
        machine.write(folder / unit, text, 0o644)


def _adapt(line: str, options: Options, directory: Path | None) -> str:
    if line.startswith(("ExecStart=", "ExecReload=")):
        return line.replace("/opt/conversation-tracker", str(options.prefix), 1)
    if line.startswith("ReadWritePaths="):
        # Nothing makes one for a TCP socket, and systemd starts no service that lacks it.
        return f"ReadWritePaths={directory}\n" if directory is not None else ""
    if line.startswith("User=") and options.root is None:
        file = options.configuration
        return (
            line
            if file == _USUAL_CONFIG
            else (f"{line}Environment=CONVERSATION_TRACKER_CONFIG={file}\n")
        )
    return line


def start_service(machine: Machine, options: Options) -> None:
    """Start it anew; without systemd the administrator has to."""
    machine.step("Service")
    if _SYSTEMD.is_dir():
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "enable", "--now", TIMER)
        for unit in (SERVICE, FOLLOWER, PUBLISHER):
            machine.run("systemctl", "enable", unit)
            machine.run("systemctl", "restart", unit)
        machine.run("systemctl", "try-restart", PAGE.replace("@", "@*"))
        return
    program = f"runuser -u {USER} -- {options.prefix}/bin/conversation-tracker"
    machine.say(f"systemd does not run here. Start the service yourself, as the user {USER}:")
    machine.say(f"  {program} serve")
    machine.say(f"and once a day: {program} expire")
    machine.say("and, where it may read Postfix's log and write the file, beside the service:")
    machine.say(f"  {program} follow --state FILE")
    machine.say("and, for programs that follow what happens, beside the service:")
    machine.say(f"  {program} publish")


def wait_for_service(machine: Machine, configuration: Configuration) -> None:
    """Wait until it answers.

    Raises:
        Failed: it does not.
    """
    machine.step("Does it answer?")
    socket = read_listening(configuration)
    if machine.dry_run:
        machine.say(f"+ ask {socket}")
        return
    end = time.monotonic() + _PATIENCE
    while (trouble := greet(socket)) is not None:
        if time.monotonic() > end:
            raise Failed(
                f"the service does not answer at {socket} ({trouble}): Postfix is left as it was;"
                " start the service and run this again"
            )
        time.sleep(1)
    machine.say("yes")


def remove_service(machine: Machine) -> None:
    """Stop it, and take the units away."""
    machine.step("Service")
    if _SYSTEMD.is_dir():
        try:
            machine.run("systemctl", "disable", "--now", TIMER, PUBLISHER, FOLLOWER, SERVICE)
            machine.run("systemctl", "stop", PAGE.replace("@", "@*"))
        except Failed as failure:
            machine.say(str(failure))
    for unit in UNITS:
        machine.run("rm", "-f", f"/etc/systemd/system/{unit}")
    if _SYSTEMD.is_dir():
        machine.run("systemctl", "daemon-reload")
