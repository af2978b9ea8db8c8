"""Postfix's settings as its own tools give them: parameters, services, tables, lists.

`read_settings` runs postconf a few times; a table is asked through postmap when it matters. Nothing
here judges and nothing is changed. `Unreadable` is raised where Postfix is absent or its
configuration broken, `TableError` where a table or file cannot be asked: never taken for "no such
entry". Only the standard library is imported: `postfix/configure` runs before anything is
installed.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conversation_tracker.base import timeouts

_SYSTEM = "/usr/sbin:/sbin:/usr/local/sbin"
_UNKNOWN = 1  # postmap's exit code for a key that a table does not have
# What postmap says when it could not ask. It warns besides, of main.cf, of a source younger than
# its table, of a line that is passed over: so does Postfix, and takes the table's answer.
_FATAL = re.compile(r"(?:fatal|panic): (.*)")
# Where the line before says why: "Application error" is no reason.
_NO_REASON = re.compile(r"table \S.* (?:query|lookup) error: ")
_WARNED = re.compile(r"(?:warning|error): (?!\S*/(?:main|master)\.cf\b)(.*)")
_UNSUPPORTED = re.compile(r"unsupported dictionary type: (\w+)")
# The types that Debian has in packages of their own.
_PACKAGED = frozenset({"cdb", "ldap", "lmdb", "mongodb", "mysql", "pcre", "pgsql", "sqlite"})
_UNMADE = ("open database ", "No such file or directory")
_PATTERNS = frozenset({"regexp", "pcre", "cidr"})  # tables that are asked for the whole key only
_OF_SEVERAL = ("unionmap:{", "pipemap:{")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Unreadable(Exception):
    """Postfix's configuration cannot be read; the message says why."""


class TableError(Exception):
    """A table or file cannot be asked; the message names it, and says why.

    Attributes:
        denied: this user may not read it; root may.
        mend: what an administrator does about it.
    """

    denied = False

    def __init__(self, name: str, why: str) -> None:
        """Take the table, and what Postfix says of it."""
        self.denied = "Permission denied" in why
        self.mend = _choose_mend(why)
        super().__init__(f"{name} ({why})")


def _choose_mend(why: str) -> str:
    lacking = _UNSUPPORTED.search(why)
    if lacking and lacking[1] in _PACKAGED:
        return f"install postfix-{lacking[1]}, or remove it"
    if all(each in why for each in _UNMADE):
        return "make it with postmap, or remove it"
    return "mend or remove it"


@dataclass(frozen=True, slots=True)
class MasterService:
    """One service of master.cf.

    Attributes:
        options: its parameters (-o), names expanded.
        written: the same as they are written.
        line: the whole of it, on one line.
    """

    name: str
    type: str
    chroot: str
    command: str
    options: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    line: str = ""

    def __str__(self) -> str:
        """Return the name by which postconf knows it."""
        return f"{self.name}/{self.type}"

    @property
    def takes_mail(self) -> bool:
        """Whether SMTP clients come in here."""
        return self.command == "smtpd" and self.type in ("inet", "pass")

    @property
    def loopback(self) -> bool:
        """Whether it listens on a loopback address only, by its name."""
        return self.name.startswith(("127.", "localhost:", "[::1]:"))


@dataclass(frozen=True, slots=True)
class Settings:
    """One Postfix instance.

    Attributes:
        main: all parameters of main.cf with names expanded, defaults too.
        services: the services of master.cf.
        ask: gives a table's answer for a key, or None; raises TableError.
        written: all parameters as they are written.
        named: the parameters that main.cf itself sets.
    """

    main: Mapping[str, str]
    services: Sequence[MasterService]
    ask: Callable[[str, str], str | None]
    written: Mapping[str, str] = field(default_factory=dict)
    named: frozenset[str] = frozenset()

    def get_value(self, name: str, service: MasterService | None = None) -> str:
        """Return a parameter's value, "" if Postfix knows none; a service's own comes first."""
        if service is not None and name in service.options:
            return service.options[name]
        return self.main.get(name, "")

    def entries(self, name: str, service: MasterService | None = None) -> list[str]:
        """Return a parameter's value as a list."""
        return split_entries(self.get_value(name, service))

    def join_list(self, name: str) -> str:
        """Return a list as main.cf has it; a default that comes to nothing is empty."""
        there = name in self.named or self.get_value(name)
        return self.written.get(name, "") if there else ""

    def find(self, name: str) -> MasterService | None:
        """Find a service by its name and type, NAME/TYPE."""
        return next((service for service in self.services if str(service) == name), None)

    def find_in_list(self, name: str, domain: str) -> str | None:
        """Find the entry of the parameter `name`, a list of domains, that `domain` matches."""
        parents = name in self.entries("parent_domain_matches_subdomains")
        return self._search_list(self.entries(name), domain, parents=parents)

    def _search_list(self, among: Sequence[str], domain: str, *, parents: bool) -> str | None:
        for entry in among:
            negated, bare = entry.startswith("!"), entry.removeprefix("!")
            if bare.startswith("/"):
                inner = [line.split("#")[0].strip() for line in _read_lines(bare)]
                found = self._search_list(list(filter(None, inner)), domain, parents=parents)
                hit = found is not None
            elif ":" in bare and not bare.startswith("["):
                keys = [domain] if is_pattern(bare) else _make_keys(domain, parents)
                hit = any(self.ask(bare, key) is not None for key in keys)
            else:
                hit = bare.lower() in _make_keys(domain, parents)
            if hit:
                return None if negated else entry
        return None

    def route(self, address: str) -> str | None:
        """Return what transport_maps say of an address (transport(5)), or None."""
        domain = address.rpartition("@")[2]
        among = self.entries("parent_domain_matches_subdomains")
        keys = [address, domain, *_make_keys(domain, "transport_maps" in among)[1:], "*"]
        for key in keys:
            for table in self.entries("transport_maps"):
                if key != address and is_pattern(table):
                    continue
                if (said := self.ask(table, key)) is not None:
                    return said
        return None


def _make_keys(domain: str, parents: bool) -> list[str]:
    """Return the keys under which a list or table may hold a domain, the domain first."""
    keys, rest = [domain], domain.partition(".")[2]
    while rest:
        keys += [rest] if parents else []
        keys.append(f".{rest}")
        rest = rest.partition(".")[2]
    return keys


def _read_lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise TableError(path, str(error.strerror)) from None


def is_pattern(table: str) -> bool:
    """Return whether a table holds patterns, so that it is asked for a whole key and no part of it.

    Args:
        table: TYPE:NAME; of several in one the first of a pipemap decides, all of a unionmap.
    """
    bare = table.removeprefix("proxy:")
    if not bare.startswith(_OF_SEVERAL):
        return bare.partition(":")[0] in _PATTERNS
    inner = [is_pattern(each) for each in split_entries(bare[bare.index("{") + 1 : -1])]
    return any(inner[:1] if bare.startswith("pipemap:") else inner)


def drop_proxies(table: str) -> str:
    """Name a table without the server that stands before it, or before one of several in it.

    That server may not run; the table itself is the same.

    Args:
        table: TYPE:NAME.
    """
    bare = table.removeprefix("proxy:")
    if not bare.startswith(_OF_SEVERAL):
        return bare
    start = bare.index("{") + 1
    inner = " ".join(map(drop_proxies, split_entries(bare[start:-1])))
    return f"{bare[:start]}{inner}}}"


def split_entries(value: str) -> list[str]:
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


def read_seconds(value: str) -> int | None:
    """Read a time such as 30, 30s or 5m; None if it is none."""
    number, unit = (value[:-1], value[-1]) if value[-1:] in _UNITS else (value, "s")
    return int(number) * _UNITS[unit] if number.isascii() and number.isdigit() else None


def find_tool(name: str, environ: Mapping[str, str]) -> list[str]:
    """Find postconf or postmap, ready to be given arguments.

    Args:
        name: the program's name.
        environ: PATH, and MAIL_CONFIG where Postfix is not the default instance.

    Raises:
        Unreadable: Postfix is not installed.
    """
    found = shutil.which(name, path=f"{environ.get('PATH', os.defpath)}:{_SYSTEM}")
    if found is None:
        raise Unreadable("there is no postconf and postmap here")
    directory = environ.get("MAIL_CONFIG")
    return [found, *(["-c", directory] if directory else [])]


def read_settings(environ: Mapping[str, str], trial: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of the instance that MAIL_CONFIG in `environ` names, or of the default one.

    Args:
        environ: PATH and MAIL_CONFIG.
        trial: parameters of main.cf that are taken to be set like this.

    Raises:
        Unreadable: Postfix is not installed, or its configuration is broken.
    """
    postconf, postmap = (find_tool(name, environ) for name in ("postconf", "postmap"))
    supposed = dict(trial or {})
    if directory := environ.get("MAIL_CONFIG"):
        # postconf of 3.10 names the default instance's where main.cf is a second old, and that of
        # 3.7 what a main.cf copied from there says: tables would be written there.
        supposed["config_directory"] = directory
    other = [part for name, value in supposed.items() for part in ("-o", f"{name}={value}")]
    main = dict(_read_pairs(_run_postconf(postconf, "-x", *other)))
    services = _read_services(
        _run_postconf(postconf, "-M"),
        _read_options(_run_postconf(postconf, "-Px", *other)),
        _read_options(_run_postconf(postconf, "-P")),
    )
    written = dict(_read_pairs(_run_postconf(postconf)))
    named = frozenset(name for name, _ in _read_pairs(_run_postconf(postconf, "-n")))
    return Settings(main, services, _Tables(postmap), written, named)


class _Tables:
    """Asks tables, each question once."""

    def __init__(self, postmap: Sequence[str]) -> None:
        self._postmap = postmap
        self._known: dict[tuple[str, str], str | None] = {}

    def __call__(self, table: str, key: str) -> str | None:
        if (table, key) not in self._known:
            self._known[table, key] = self._ask(table, key)
        return self._known[table, key]

    def _ask(self, table: str, key: str) -> str | None:
        try:
            done = run_tool([*self._postmap, "-q", key, drop_proxies(table)])
        except Unreadable:
            raise TableError(table, "it does not answer") from None
        if done.returncode == 0:
            return done.stdout.strip()
        if why := _find_reason(done.stderr):
            raise TableError(table, why)
        if done.returncode != _UNKNOWN:
            raise TableError(table, "postmap crashes")
        return None


def _find_reason(said: str) -> str:
    """Return why postmap could not ask a table, "" if it could."""
    reason = warned = ""
    for line in said.splitlines():
        if found := _FATAL.search(line):
            reason = warned if warned and _NO_REASON.match(found[1]) else found[1]
        elif found := _WARNED.search(line):
            warned = found[1]
    return reason


def _read_options(said: str) -> dict[str, dict[str, str]]:
    """Sort the parameters of services by service."""
    found: dict[str, dict[str, str]] = {}
    for name, value in _read_pairs(said):
        service, _, parameter = name.rpartition("/")
        found.setdefault(service, {})[parameter] = value
    return found


def _read_services(
    said: str, options: Mapping[str, Mapping[str, str]], written: Mapping[str, Mapping[str, str]]
) -> list[MasterService]:
    found = []
    for line in said.splitlines():
        fields = line.split()
        if len(fields) >= 8:
            name, kind, _private, _unprivileged, chroot, _wakeup, _limit, command = fields[:8]
            own = f"{name}/{kind}"
            found.append(
                MasterService(
                    name, kind, chroot, command,
                    options.get(own, {}), written.get(own, {}), " ".join(fields),
                )
            )  # fmt: skip
    return found


def _read_pairs(said: str) -> Iterator[tuple[str, str]]:
    for line in said.splitlines():
        name, equals, value = line.partition(" =")
        if equals:
            yield name.strip(), value.strip()


def _run_postconf(postconf: Sequence[str], *mode: str) -> str:
    done = run_tool([*postconf, *mode])
    if done.returncode != 0:
        complaint = done.stderr.strip().partition("\n")[0]
        raise Unreadable(f"postconf {' '.join(mode[:1])} fails ({complaint})")
    return done.stdout


def run_tool(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run a tool of Postfix's to its end.

    Raises:
        Unreadable: it cannot be started, or does not end.
    """
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeouts.get().postfix_program_seconds,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreadable(
            f"{Path(command[0]).name} cannot be run ({type(error).__name__})"
        ) from None
