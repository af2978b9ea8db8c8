"""What `check` finds out about the milters before the tracker: who verifies, and in whose name.

Each is asked itself, by the milter protocol, with a message whose signature is broken beyond doubt,
so that a verifier says something without asking a name server. What it writes tells the name
(authserv-id, RFC 8601 section 2.5); the process behind its socket tells which program it is, and
that program its version. Nothing is sent and nothing recorded.
"""

import re
import shutil
import socket as sockets
import struct
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from conversation_tracker.base import timeouts
from conversation_tracker.checks.dialogue import NoMilterError, ask
from conversation_tracker.checks.finding import CheckLine, note, ok, wrong
from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix.milters import find_ours, read_milters, read_socket
from conversation_tracker.postfix.names import name_command
from conversation_tracker.postfix.settings import Settings

_AUTHOR = "somebody@verifier-probe.invalid"  # RFC 2606: nobody's
# i= lies outside of d=, which every verifier finds out without a key (RFC 6376 section 3.5).
_SIGNATURE = (
    "v=1; a=rsa-sha256; c=relaxed/relaxed; d=verifier-probe.invalid; s=x; h=from;"
    " bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA; i=@elsewhere.invalid"
)
# Programs, and how each is asked for its version.
_PROGRAMS = {"opendkim": "-V", "opendmarc": "-V", "rspamd": "--version"}
_VERSION = re.compile(r"\bv?(\d+(?:\.\d+)+)")
_NAME = re.compile(r'\s*"?([^\s";/]+)')
_PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
# CVE-2019-16378: of two From fields it verifies one, and readers see the other.
_FAULTY = {"opendmarc": (1, 4)}


@dataclass(frozen=True, slots=True)
class FoundVerifier:
    """One milter before the tracker.

    Attributes:
        address: as Postfix has it.
        program: which one it is, "" where that cannot be seen.
        version: its version, "" where it does not say.
        name: in whose name it writes results, "" where it writes none.
    """

    address: str
    program: str
    version: str
    name: str

    def __str__(self) -> str:
        """Return what to call it."""
        shown = " ".join(filter(None, (self.program, self.version)))
        return f"{shown} ({self.address})" if shown else self.address


def check(settings: Settings, ours: Socket, authserv_id: str) -> Iterator[CheckLine]:
    """Ask each milter before the tracker.

    Args:
        settings: Postfix's.
        ours: the tracker's socket.
        authserv_id: whose results are believed, "" for nobody's.
    """
    found = []
    for address in _list_before(settings, ours):
        place = read_socket(address, settings)
        if place is None:
            continue
        program = _find_program(place, address)
        try:
            added = ask(place, _AUTHOR, [("DKIM-Signature", _SIGNATURE)])
        except PermissionError:
            yield note(f"{address} is not for this user to ask: run check as root")
            continue
        except (OSError, NoMilterError) as error:
            yield note(f"{address}: whether it verifies was not asked ({type(error).__name__})")
            continue
        found.append(FoundVerifier(address, program, _find_version(program), _find_name(added)))
    yield from judge(found, authserv_id)


def _list_before(settings: Settings, ours: Socket) -> list[str]:
    listed = read_milters(settings.get_value("smtpd_milters"))
    places = [find_ours(listed, ours, settings, inside=each) for each in (True, False)]
    place = next((each for each in places if each is not None), None)
    return [each.address for each in listed[:place]] if place is not None else []


def judge(found: list[FoundVerifier], authserv_id: str) -> Iterator[CheckLine]:
    """Judge what the milters before the tracker are.

    Args:
        found: they.
        authserv_id: whose results are believed, "" for nobody's.
    """
    names = {each.name.lower() for each in found if each.name}
    believed = authserv_id.lower() in names
    for each in found:
        if not each.name:
            yield note(f"{each}, before the tracker, writes no results of a broken signature")
        elif not authserv_id:
            yield note(
                f"{each} verifies in the name of {each.name}, and nobody's results are believed",
                f"set authserv_id = {each.name} in the configuration, and run"
                f" {name_command('configure')} --authserv-id {each.name}",
            )
        elif each.name.lower() == authserv_id.lower():
            yield ok(f"{each} verifies in the name of {each.name}, whose results are believed")
        elif believed:
            yield note(f"{each} verifies in the name of {each.name}, and is not believed")
        else:
            yield wrong(
                f"{each} verifies in the name of {each.name}, and authserv_id is {authserv_id}:"
                " nobody's sender is known to be who they claim",
                f"set authserv_id = {each.name} in the configuration, or its AuthservID to"
                f" {authserv_id}",
            )
        yield from _judge_version(each)
    if authserv_id and not names:
        yield note(f"no milter before the tracker writes results in the name of {authserv_id}")


def _judge_version(verifier: FoundVerifier) -> Iterator[CheckLine]:
    least = _FAULTY.get(verifier.program)
    numbers = tuple(map(int, verifier.version.split("."))) if verifier.version else ()
    if least is not None and numbers and numbers < least:
        yield wrong(
            f"{verifier} verifies one of two From fields (CVE-2019-16378)",
            f"install {verifier.program} {'.'.join(map(str, least))} or later",
        )


def _find_name(added: dict[str, str]) -> str:
    value = next((v for k, v in added.items() if k.lower() == "authentication-results"), "")
    match = _NAME.match(value)
    return match[1] if match else ""


def _find_program(place: Socket, address: str) -> str:
    """Find which program is behind a socket: by its process, or else by the socket's name."""
    process = _find_process(place) if place.kind == "unix" else ""
    return next((name for name in _PROGRAMS if name in (process, *re.split(r"\W", address))), "")


def _find_process(place: Socket) -> str:
    """Return the name of the process that listens (SO_PEERCRED, unix(7)), "" if it cannot be seen.

    Args:
        place: a unix socket.
    """
    with suppress(OSError), sockets.socket(sockets.AF_UNIX) as connection:
        connection.settimeout(timeouts.get().check_socket_seconds)
        connection.connect(place.path)
        packed = connection.getsockopt(sockets.SOL_SOCKET, sockets.SO_PEERCRED, 12)
        process = struct.unpack("3i", packed)[0]
        return Path(f"/proc/{process}/comm").read_text("utf-8", "replace").strip()
    return ""


def _find_version(program: str) -> str:
    found = shutil.which(program, path=_PATH) if program else None
    if found is None:
        return ""
    try:
        done = subprocess.run(
            [found, _PROGRAMS[program]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeouts.get().check_socket_seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = _VERSION.search(done.stdout + done.stderr)
    return match[1] if match else ""
