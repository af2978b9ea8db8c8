"""The configuration file: what it may say, and everything that is wrong with it.

Here the ini file becomes one frozen `Config`; what each option's text may be is in `options`.
Nothing here opens a socket, a database or a log, and no default is looked up later: `auto` is
resolved before `load` returns. All faults of a file are collected and raised together as one
`ConfigError`, one line for each; nothing else is raised, and no line shows a password.
"""

import configparser
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, Literal

from conversation_tracker.config.options import SECTIONS, Network, WrongValueError
from conversation_tracker.config.socket import Socket

__all__ = ["DEFAULT_PATH", "PATH_VARIABLE", "SECTION", "Config", "ConfigError", "Socket", "load"]

DEFAULT_PATH = Path("/etc/conversation-tracker/conversation-tracker.conf")
PATH_VARIABLE = "CONVERSATION_TRACKER_CONFIG"
SECTION = "tracker"

DEFAULT_LISTEN = Socket("unix", path="/run/conversation-tracker/web.sock")

_SIZE_LIMIT = 65_536  # characters; more is no configuration but a mistake, /dev/zero for one
_REPEATS_LIMIT = 100  # each repeated key costs one more reading of the file
_REPEATED = "\0"  # begins the name that takes a repeated key's place; no file may hold it
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


class ConfigError(Exception):
    """All that is wrong with one configuration file: `str` has one line per fault.

    `faults` holds the same lines, each `FILE: [section] key: what is wrong and what is right`.
    """

    def __init__(self, path: Path, faults: list[str]) -> None:
        self.faults = tuple(f"{path}: {fault}" for fault in faults)
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True, slots=True)
class Config:
    """What one configuration file says, checked and with every default filled in."""

    database: str = field(repr=False)  # may hold a password
    socket: Socket
    workers: int
    trusted_networks: tuple[Network, ...]
    authserv_id: str
    postmaster: str
    metrics: tuple[str, int] | None
    log_format: Literal["json", "console"]
    path: Path
    allow_private: bool = False
    listen: Socket = DEFAULT_LISTEN
    user_header: str = ""
    frame_ancestors: tuple[str, ...] = ()

    def trusts(self, address: str) -> bool:
        """Return whether a client's `address` is inside `trusted_networks`.

        An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) counts as the IPv4 address it is.
        What is no IP address ("unknown", a unix socket's name) is not trusted.
        """
        try:
            client = ip_address(address)
        except ValueError:
            return False
        if isinstance(client, IPv6Address) and client.ipv4_mapped is not None:
            client = client.ipv4_mapped
        return any(client in network for network in self.trusted_networks)


def load(path: Path | None, environ: Mapping[str, str], *, isatty: bool = False) -> Config:
    """Read the configuration.

    `path` names the file; None stands for the one that `CONVERSATION_TRACKER_CONFIG` names in
    `environ`, and without that for `DEFAULT_PATH`. `isatty` tells whether the log goes to a
    terminal, where `log_format = auto` means console. Raises ConfigError, with every fault.
    """
    path = path or Path(environ.get(PATH_VARIABLE) or DEFAULT_PATH)
    faults: list[str] = []
    parser = _parse(path, _read_lines(path), faults)
    found = _check_values(_read_values(parser, faults), faults)
    if faults:
        raise ConfigError(path, faults)
    if found["log_format"] == "auto":
        found["log_format"] = "console" if isatty else "json"
    return Config(path=path, **found)


def _read_lines(path: Path) -> list[str]:
    """Read the file, only so far as a configuration can be long."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_SIZE_LIMIT + 1)
    except FileNotFoundError:
        fault = f"does not exist; name another file with -c or in {PATH_VARIABLE}"
    except OSError as error:
        fault = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        fault = "is not UTF-8; save it as UTF-8 text"
    except ValueError:
        fault = "cannot be read: a file's name holds no NUL"
    else:
        if len(text) <= _SIZE_LIMIT and "\0" not in text:
            return text.split("\n")
        fault = f"holds a NUL or more than {_SIZE_LIMIT} characters: this is no configuration"
    raise ConfigError(path, [fault])


def _parse(path: Path, lines: list[str], faults: list[str]) -> configparser.ConfigParser:
    """Read the lines' ini syntax, past every repeated key and section, so that no fault hides.

    The parser stops at a repetition. It is noted, taken out of `lines`, and all is read again.
    """
    for _ in range(_REPEATS_LIMIT):
        parser = configparser.ConfigParser(
            interpolation=None,
            delimiters=("=",),
            inline_comment_prefixes=(";",),
            default_section=_REPEATED,  # no [DEFAULT] whose keys appear elsewhere
        )
        try:
            parser.read_file(lines)
        except (configparser.DuplicateOptionError, configparser.DuplicateSectionError) as error:
            faults.append(_drop_repetition(lines, error))
        except configparser.MissingSectionHeaderError as error:
            fault = f"line {error.lineno}: stands before a section; begin with [{SECTION}]"
            raise ConfigError(path, [*faults, fault]) from None
        except configparser.ParsingError as error:
            wrong = "is neither [section] nor KEY = VALUE nor a comment"
            faults.extend(f"line {number}: {wrong}" for number, _line in error.errors)
            return parser
        else:
            return parser
    raise ConfigError(path, faults)


def _drop_repetition(
    lines: list[str], error: configparser.DuplicateOptionError | configparser.DuplicateSectionError
) -> str:
    """Take what `error` complains of out of `lines`, in place; return the fault's line."""
    number = error.lineno or 1
    section = f"[{_safe_name(error.section)}]"
    if isinstance(error, configparser.DuplicateSectionError):
        lines[number - 1] = ""
        return f"{section}: begins a second time in line {number}; keep one"
    lines[number - 1] = f"{_REPEATED}{number} ="  # lines that continue the value keep a key
    return f"{section} {_safe_name(error.option)}: stands a second time in line {number}; keep one"


def _read_values(parser: configparser.ConfigParser, faults: list[str]) -> Mapping[str, str]:
    """Return the known keys with their values as text; note unknown keys and sections."""
    values: dict[str, str] = {}
    sections = ", ".join(f"[{each}]" for each in SECTIONS)
    for section in parser.sections():
        if section not in SECTIONS:
            faults.append(
                f"[{_safe_name(section)}]: unknown section; the known ones are {sections}"
            )
            continue
        for key, value in parser.items(section):
            if key in SECTIONS[section]:
                values[key] = value
            elif key and not key.startswith(_REPEATED):  # no key at all is noted already
                known = ", ".join(SECTIONS[section])
                faults.append(
                    f"[{section}] {_safe_name(key)}: unknown key; the known ones are {known}"
                )
    return values


def _safe_name(name: str) -> str:
    """Return a section's or key's name, or a stand-in for what may be a piece of a password."""
    return name if _PLAIN_NAME.fullmatch(name) else "(no plain word)"


def _check_values(values: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    """Turn each option's text, or its default, into its value; note what is wrong."""
    found: dict[str, Any] = {}
    for section, options in SECTIONS.items():
        for key, option in options.items():
            text = values.get(key, option.default)
            try:
                if text is None:
                    raise WrongValueError(
                        f"is missing; write for instance {key} = {option.example}"
                    )
                found[key] = option.read(_check_plain(key, text))
            except WrongValueError as error:
                faults.extend(f"[{section}] {key}: {what}" for what in error.args)
    return found


def _check_plain(key: str, value: str) -> str:
    """Return the value if it is one line of readable characters; only networks may have more."""
    if "\n" in value and key != "trusted_networks":
        raise WrongValueError(
            "goes on over several lines; write one, and begin no other line with white space"
        )
    if not all(character.isprintable() or character in "\t\n" for character in value):
        raise WrongValueError("holds a character that cannot be seen; type the value anew")
    return value
