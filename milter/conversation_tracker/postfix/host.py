"""One Postfix, and what the tracker needs of it: what every requirement is tried on."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix import milters
from conversation_tracker.postfix.greeting import greet, listen_at
from conversation_tracker.postfix.names import name_command
from conversation_tracker.postfix.settings import MasterService, Settings

SPLITTER = "tracker-split"
CONFIGURE = f"run {name_command('configure')}"
UNSET = "(not set)"
DEFAULT_LISTENER = "127.0.0.1:10027"

_DOMAIN = re.compile(r"(?m)^/\^\(\.\*\[@\.\]\)\?([^\s$]+)\$/[ \t]++" + SPLITTER)
EXEMPT = "# Exempt: "
CHANGED = "# Changed: "
_CHANGED = re.compile(rf"(?m)^{CHANGED}(\S+): (.*) -> (.*)$")
_EXEMPT = re.compile(rf"(?m)^{EXEMPT}(\S+)$")
_RESULTS = re.compile(r'(?m)^/\^Authentication-Results[^\n"]*"\?([^\n(]+)\(\[\^')


def find_listeners(settings: Settings) -> list[MasterService]:
    """Return the services that are the splitter's way in."""
    return [s for s in settings.services if s.options.get("milter_macro_daemon_name") == SPLITTER]


def make_probes(domain: str) -> tuple[str, str]:
    """Make up a hard and a soft alias."""
    return f"{'0' * 32}@{domain}", f"probe@example.com-{'0' * 12}b.{domain}"


@dataclass(frozen=True, slots=True)
class Host:
    """One Postfix, and what the tracker needs of it.

    Attributes:
        settings: Postfix's.
        socket: the tracker's.
        domains: the alias domains.
        listener: HOST:PORT where the splitter hands mail back.
        signer: the milter that signs, as Postfix has it, or "".
        authserv_id: whose Authentication-Results Postfix removes from what clients send, or "".
        joined: services (NAME/TYPE) with milters of their own, where the tracker is to be as well.
        exempt: services and parameters whose mail need not meet the tracker.
        changed: settings that harm nobody, as they were before the first run.
        old_listener: the listener of an earlier run, or "".
        old_milter: the tracker's address then, or "".
        old_signer: the signer's address then, or "".
        greet: says what is wrong with a milter's socket, None if a milter answers.
        listen_at: gives what is said to who connects to HOST:PORT, None if nobody is there.
    """

    settings: Settings
    socket: Socket
    domains: tuple[str, ...] = ()
    listener: str = DEFAULT_LISTENER
    signer: str = ""
    authserv_id: str = ""
    joined: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()
    changed: "tuple[OldSetting, ...]" = ()
    old_listener: str = ""
    old_milter: str = ""
    old_signer: str = ""
    greet: Callable[[Socket], str | PermissionError | None] = greet
    listen_at: Callable[[str], str | None] = listen_at

    @property
    def ours(self) -> str:
        """The tracker's socket as Postfix wants it."""
        return milters.write_address(str(self.socket), self.settings) or str(self.socket)

    @property
    def outside(self) -> bool:
        """Whether the tracker's socket is outside the queue directory."""
        queue = self.settings.get_value("queue_directory").rstrip("/")
        return self.socket.kind == "unix" and not self.socket.path.startswith(f"{queue}/")

    def is_inside(self, service: MasterService) -> bool:
        """Return whether to a service the queue directory is the root; not if nothing is there."""
        return milters.is_chrooted(service, self.settings) and not self.outside

    @property
    def ways_in(self) -> list[MasterService]:
        """The services by which mail comes in, the splitter's listeners left out."""
        own = find_listeners(self.settings)
        return [s for s in self.settings.services if s.takes_mail and s not in own]

    def iter_places(self, name: str) -> Iterator[tuple[str, MasterService | None]]:
        """Yield main.cf and each service that has a parameter of its own, with how to name them."""
        yield "main.cf", None
        for service in self.settings.services:
            if name in service.options:
                yield f"master.cf, {service}", service


@dataclass(frozen=True, slots=True)
class OldSetting:
    """One parameter that was changed.

    Attributes:
        name: its name; one of a service in master.cf is SERVICE/TYPE/PARAMETER.
        old: what stood there, UNSET where nothing did.
        new: what was put there.
    """

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier run of `configure` left; "" and () where there is nothing."""

    listener: str
    milter: str
    signer: str
    domains: tuple[str, ...]
    authserv_id: str
    exempt: tuple[str, ...]
    changed: "tuple[OldSetting, ...]"


def read_earlier(settings: Settings) -> Earlier:
    """Read what an earlier run left in Postfix.

    Only on a loopback address is a listener ours; anywhere else the name is a mistake.
    """
    own = next((s for s in find_listeners(settings) if s.loopback), None)
    listed = milters.read_milters(settings.get_value("smtpd_milters", own)) if own else []
    routes = _read_text(transport_file(settings))
    return Earlier(
        own.name if own else "",
        listed[0].address if listed else "",
        listed[1].address if len(listed) > 1 else "",
        tuple(each.replace("\\", "") for each in _DOMAIN.findall(routes)),
        "".join(_RESULTS.findall(_read_text(header_file(settings)))[:1]).replace("\\", ""),
        tuple(_EXEMPT.findall(routes)),
        tuple(OldSetting(*each) for each in _CHANGED.findall(routes)),
    )


def transport_file(settings: Settings) -> Path:
    """Name the table that sends the alias domains to the splitter."""
    return Path(settings.get_value("config_directory")) / "tracker_transport"


def header_file(settings: Settings) -> Path:
    """Name the table of our header checks."""
    return Path(settings.get_value("config_directory")) / "tracker_header_checks"


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace") if path.is_absolute() else ""
    except OSError:
        return ""
