"""Postfix's settings as its own tools give them: parameters, services, tables, lists.

`read` runs postconf three times; a table is asked through postmap when it matters. Nothing here
judges and nothing is changed. `Unreadable` is raised where Postfix is absent or its configuration
broken, `TableError` where a table or file cannot be asked: never taken for "no such entry".
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_WAIT = 30.0  # seconds
_SYSTEM = "/usr/sbin:/sbin:/usr/local/sbin"
_COMPLAINTS = ("fatal: ", "error: ", "warning: ")
_WHOLE_ADDRESS_ONLY = frozenset({"regexp", "pcre"})  # tables that are not asked for a domain
_INNER = re.compile(r"\{\s*([^\s,}]++)(.*)\}", re.DOTALL)
_OWN_ACTION = re.compile(r"default_action\s*=\s*(\w+)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Unreadable(Exception):
    """Postfix's configuration cannot be read; the message says why."""


class TableError(Exception):
    """A table or file cannot be asked; the message names it."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service of master.cf; `options` are its parameters (-o), names expanded."""

    name: str
    type: str
    chroot: str
    command: str
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Give the name by which postconf knows it."""
        return f"{self.name}/{self.type}"

    @property
    def takes_mail(self) -> bool:
        """Tell whether SMTP clients come in here."""
        return self.command == "smtpd" and self.type in ("inet", "pass")

    @property
    def loopback(self) -> bool:
        """Tell whether it listens on a loopback address only, by its name."""
        return self.name.startswith(("127.", "localhost:", "[::1]:"))


@dataclass(frozen=True, slots=True)
class Settings:
    """One Postfix instance.

    Attributes:
        main: all parameters of main.cf with names expanded, defaults too.
        services: the services of master.cf.
        ask: gives a table's answer for a key, or None; raises TableError.
    """

    main: Mapping[str, str]
    services: Sequence[Service]
    ask: Callable[[str, str], str | None]

    def value(self, name: str, service: Service | None = None) -> str:
        """Give a parameter's value, "" if Postfix does not know it; a service's own comes first."""
        if service is not None and name in service.options:
            return service.options[name]
        return self.main.get(name, "")

    def listed(self, name: str, domain: str) -> str | None:
        """Find the entry of the parameter `name`, a list of domains, that `domain` matches."""
        parents = name in entries(self.value("parent_domain_matches_subdomains").replace(",", " "))
        return self._listed(entries(self.value(name)), domain, parents=parents)

    def _listed(self, among: Sequence[str], domain: str, *, parents: bool) -> str | None:
        for entry in among:
            negated, bare = entry.startswith("!"), entry.removeprefix("!")
            if bare.startswith("/"):
                inner = [line.split("#")[0].strip() for line in _lines(bare)]
                found = self._listed(list(filter(None, inner)), domain, parents=parents)
                hit = found is not None
            elif ":" in bare and not bare.startswith("["):
                hit = any(self.ask(bare, key) is not None for key in _keys(domain, parents))
            else:
                hit = bare.lower() in _keys(domain, parents)
            if hit:
                return None if negated else entry
        return None

    def route(self, address: str) -> str | None:
        """Give what transport_maps say of an address (transport(5)), or None."""
        domain = address.rpartition("@")[2]
        among = entries(self.value("parent_domain_matches_subdomains").replace(",", " "))
        keys = [address, domain, *_keys(domain, "transport_maps" in among)[1:], "*"]
        for key in keys:
            for table in entries(self.value("transport_maps")):
                kind = table.removeprefix("proxy:").partition(":")[0]
                if key != address and kind in _WHOLE_ADDRESS_ONLY:
                    continue
                if (said := self.ask(table, key)) is not None:
                    return said
        return None


def _keys(domain: str, parents: bool) -> list[str]:
    """Give the keys under which a list or table may hold a domain, the domain first."""
    keys, rest = [domain], domain.partition(".")[2]
    while rest:
        keys += [rest] if parents else []
        keys.append(f".{rest}")
        rest = rest.partition(".")[2]
    return keys


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise TableError(f"{path} ({error.strerror})") from None


def entries(value: str) -> list[str]:
    """Cut a list into its entries; what stands in braces is one entry."""
    found, entry, depth = [], "", 0
    for character in value:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0 and (character == "," or character.isspace()):
            found.append(entry)
            entry = ""
        else:
            entry += character
    return [each for each in (*found, entry) if each]


@dataclass(frozen=True, slots=True)
class Milter:
    """One entry of a list of milters: where it listens, and its own default_action or ""."""

    address: str
    action: str = ""


def milters(value: str) -> list[Milter]:
    """Read a list of milters."""
    found = []
    for entry in entries(value):
        inner = _INNER.fullmatch(entry)
        action = _OWN_ACTION.search(inner[2]) if inner else None
        found.append(Milter(inner[1] if inner else entry, action[1] if action else ""))
    return found


def seconds(value: str) -> int | None:
    """Read a time such as 30, 30s or 5m; None if it is none."""
    number, unit = (value[:-1], value[-1]) if value[-1:] in _UNITS else (value, "s")
    return int(number) * _UNITS[unit] if number.isascii() and number.isdigit() else None


def read(environ: Mapping[str, str]) -> Settings:
    """Read the settings of the instance that MAIL_CONFIG in `environ` names, or of the default one.

    Raises:
        Unreadable: Postfix is not installed, or its configuration is broken.
    """
    path = f"{environ.get('PATH', os.defpath)}:{_SYSTEM}"
    programs = [shutil.which(name, path=path) for name in ("postconf", "postmap")]
    if None in programs:
        raise Unreadable("there is no postconf and postmap here")
    directory = environ.get("MAIL_CONFIG")
    postconf, postmap = (
        [str(each), *(["-c", directory] if directory else [])] for each in programs
    )
    main = dict(_pairs(_said(postconf, "-x")))
    options: dict[str, dict[str, str]] = {}
    for name, value in _pairs(_said(postconf, "-Px")):
        service, _, parameter = name.rpartition("/")
        options.setdefault(service, {})[parameter] = value
    return Settings(main, _services(_said(postconf, "-M"), options), _Tables(postmap))


class _Tables:
    """Asks tables, each question once."""

    def __init__(self, postmap: Sequence[str]) -> None:
        self._postmap = postmap
        self._known: dict[tuple[str, str], str | None] = {}

    def __call__(self, table: str, key: str) -> str | None:
        if (table, key) not in self._known:
            # The server behind `proxy:` may not run; the table itself is the same.
            self._known[table, key] = self._asked(table.removeprefix("proxy:"), key)
        return self._known[table, key]

    def _asked(self, table: str, key: str) -> str | None:
        done = _run([*self._postmap, "-q", key, table])
        if done.returncode == 0:
            return done.stdout.strip()
        if any(complaint in done.stderr for complaint in _COMPLAINTS):
            raise TableError(table)
        return None


def _services(said: str, options: Mapping[str, Mapping[str, str]]) -> list[Service]:
    found = []
    for line in said.splitlines():
        fields = line.split()
        if len(fields) >= 8:
            name, kind, _private, _unprivileged, chroot, _wakeup, _limit, command = fields[:8]
            own = options.get(f"{name}/{kind}", {})
            found.append(Service(name, kind, chroot, command, own))
    return found


def _pairs(said: str) -> Iterator[tuple[str, str]]:
    for line in said.splitlines():
        name, equals, value = line.partition(" =")
        if equals:
            yield name.strip(), value.strip()


def _said(postconf: Sequence[str], mode: str) -> str:
    done = _run([*postconf, mode])
    if done.returncode != 0:
        raise Unreadable(f"postconf {mode} fails ({done.stderr.strip().partition(chr(10))[0]})")
    return done.stdout


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_WAIT,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreadable(
            f"{Path(command[0]).name} cannot be run ({type(error).__name__})"
        ) from None
