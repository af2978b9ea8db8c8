"""Postfix's lists of milters: which are in them, which of them is ours, and where ours belongs."""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix.settings import MasterService, Settings, split_entries

_INNER = re.compile(r"\{\s*([^\s,}]++)(.*)\}", re.DOTALL)
_OWN_ACTION = re.compile(r"default_action\s*=\s*(\w+)")
_WILDCARDS = ("0.0.0.0", "::")
_NO_ADDRESS = re.compile(r"[\s,{}$]")

# With another, a milter that dies in the middle lets mail out as it is at that point.
SAFE_ACTIONS = ("tempfail", "shutdown")


@dataclass(frozen=True, slots=True)
class Milter:
    """One entry of a list of milters: where it listens, and its own default_action or ""."""

    address: str
    action: str = ""

    @property
    def lets_pass(self) -> bool:
        """Whether it has an action of its own by which mail passes when it fails."""
        return self.action not in ("", *SAFE_ACTIONS)


def read_milter(entry: str) -> Milter:
    """Read one entry of a list of milters."""
    inner = _INNER.fullmatch(entry)
    action = _OWN_ACTION.search(inner[2]) if inner else None
    return Milter(inner[1] if inner else entry, action[1] if action else "")


def read_milters(value: str) -> list[Milter]:
    """Read a list of milters."""
    return [read_milter(entry) for entry in split_entries(value)]


def is_chrooted(service: MasterService, settings: Settings) -> bool:
    """Return whether a service runs inside the queue directory (master(5))."""
    if service.chroot in ("y", "n"):
        return service.chroot == "y"
    return settings.get_value("compatibility_level").partition(".")[0] in ("", "0")


def is_ours(address: str, socket: Socket, settings: Settings, *, inside: bool) -> bool:
    """Return whether a milter's address, as a service sees it, is the tracker's socket.

    Args:
        address: as Postfix has it.
        socket: the tracker's.
        settings: Postfix's.
        inside: the service runs chrooted.
    """
    kind, _, where = address.partition(":")
    if socket.kind == "unix":
        # Postfix's daemons run in the queue directory; for a chrooted one it is the root as well.
        queue = settings.get_value("queue_directory")
        path = posixpath.join(queue, where.lstrip("/") if inside else where)
        same = posixpath.normpath(path) == posixpath.normpath(socket.path)
        return kind in ("unix", "local") and same
    host, _, port = where.rpartition(":")
    host = host.strip("[]").lower().replace("localhost", "127.0.0.1")
    own = socket.host.replace("localhost", "127.0.0.1")
    return kind == "inet" and port == str(socket.port) and (host == own or own in _WILDCARDS)


def find_ours(
    listed: Sequence[Milter], socket: Socket, settings: Settings, *, inside: bool
) -> int | None:
    """Find the tracker's place in a list of milters; arguments as `is_ours`."""
    for place, milter in enumerate(listed):
        if is_ours(milter.address, socket, settings, inside=inside):
            return place
    return None


def meets_tracker(service: MasterService, settings: Settings, socket: Socket) -> bool:
    """Return whether mail that comes in at a service meets the tracker.

    Args:
        service: it.
        settings: Postfix's.
        socket: the tracker's.
    """
    if "no_milters" in settings.entries("receive_override_options", service):
        return False
    listed = read_milters(settings.get_value("smtpd_milters", service))
    return find_ours(listed, socket, settings, inside=is_chrooted(service, settings)) is not None


def write_address(text: str, settings: Settings) -> str | None:
    """Write a milter's address as Postfix wants it; None if it is none.

    A socket under the queue directory is named relative to it: Postfix's daemons run there,
    chrooted or not, so that this one form is right for both.

    Args:
        text: unix:/PATH, unix:PATH, local:PATH, inet:PORT@HOST or inet:HOST:PORT.
        settings: Postfix's.
    """
    kind, _, where = text.partition(":")
    if _NO_ADDRESS.search(text) or not where:
        return None
    if kind in ("unix", "local"):
        queue = settings.get_value("queue_directory").rstrip("/")
        return f"unix:{where.removeprefix(f'{queue}/')}"
    if kind != "inet":
        return None
    port, at, host = where.partition("@")
    if at:
        bare = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"inet:{bare}:{port}" if port.isdecimal() and host else None
    host, _, port = where.rpartition(":")
    return text if host and port else None


def read_socket(text: str, settings: Settings) -> Socket | None:
    """Read where the tracker listens; None if it is nothing of that kind. As `write_address`."""
    kind, _, where = (write_address(text, settings) or "").partition(":")
    if kind == "unix":
        return Socket("unix", path=posixpath.join(settings.get_value("queue_directory"), where))
    host, _, port = where.rpartition(":")
    if kind != "inet" or not port.isdecimal():
        return None
    return Socket("inet", host=host.strip("[]"), port=int(port))


def list_names(address: str) -> list[str]:
    """List the addresses that may mean one milter, given as `write_address` writes it.

    To a chrooted smtpd the queue directory is the root: by hand, many write unix:/PATH from there.
    """
    kind, _, path = address.partition(":")
    inside = kind == "unix" and not path.startswith("/")
    return [address, *([f"unix:/{path}"] if inside else [])] if address else []


def insert_ours(
    listed: Sequence[str], ours: str, signer: str, old: tuple[str, str], settings: Settings
) -> list[str]:
    """Put the tracker into a list of milters: after the verifiers and right before the signer.

    Where no signer is named and it is in the list already, it stays where it is.

    Args:
        listed: the entries as they are written.
        ours: the tracker's address as Postfix wants it, "" to take it out.
        signer: the signer's, or "".
        old: the tracker's address of an earlier run, and that of a signer that has been replaced.
        settings: Postfix's.
    """
    entry, done, found = ours, False, []
    old_ours, old_signer = old
    names = [*list_names(ours), *list_names(old_ours)]
    addresses = [_read_address(each, settings) for each in listed]
    for each, address in zip(listed, addresses, strict=True):
        # Settings of its own stay, but not one that lets mail pass, nor a path that a chrooted
        # smtpd cannot see.
        if ours and address == ours and ours in each and not read_milter(each).lets_pass:
            entry = each
    for each, address in zip(listed, addresses, strict=True):
        if address in list_names(signer):
            # A chrooted smtpd alone can see the other form.
            named = (
                each.replace(read_milter(each).address, signer, 1) if address != signer else each
            )
            found += [named] if done or not entry else [entry, named]
            done = True
        elif address in names:
            if entry and not signer and not done:
                found.append(entry)
                done = True
        elif address in list_names(old_signer):
            continue
        else:
            found.append(each)
    if entry and not done:
        found += [entry, signer] if signer else [entry]
    return found


def _read_address(entry: str, settings: Settings) -> str:
    address = read_milter(entry).address
    return write_address(address, settings) or address
