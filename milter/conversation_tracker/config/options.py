"""The options: what each one's text may be, and the value it stands for.

One reader per option, and the table `OPTIONS` of them all. A reader turns text into a value or
raises WrongValueError; it opens nothing and knows no file. No message quotes the value of
`database`, nor any other that looks as if it held a password.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import psycopg
from psycopg.conninfo import conninfo_to_dict

from conversation_tracker.config.socket import Socket, is_literal
from conversation_tracker.core.model.address import Address, AddressError

Network = IPv4Network | IPv6Network

_WORKERS_LIMIT = 256

# sun_path has 108 bytes with its NUL, and the socket is first bound as PATH.tmp.
_SOCKET_PATH_LIMIT = 107 - len(".tmp")

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+")  # RFC 2045 section 5.1
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}")
_FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
# Every request has these, or the server reads them.
_TAKEN_FIELDS = frozenset(
    "accept authorization connection content-length content-type cookie host origin"
    " sec-fetch-site transfer-encoding".split()
)
_ORIGIN_PORT = re.compile(r":([0-9]+)\Z")
_BRACKETED = re.compile(r"\A\[([^][]*)\]")


class WrongValueError(Exception):
    """A value that cannot be taken; each argument says one thing that is wrong with it."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its default as text (None: it is mandatory), an example, and its reader."""

    default: str | None
    example: str
    read: Callable[[str], object]


def _quote(value: str) -> str:
    """Return the value in quotes, or a stand-in if it may hold a password or is long."""
    if len(value) > 60 or "@" in value or "//" in value or "pass" in value.lower():
        return "the value"
    return repr(value)


def _check_database(value: str) -> str:
    """Check a libpq URI or conninfo; no message may show any of it."""
    if not value:
        raise WrongValueError("is empty; write for instance postgresql:///conversation_tracker")
    try:
        parts = conninfo_to_dict(value)
    except (psycopg.Error, UnicodeError):  # the latter for a %80 that is no UTF-8
        raise WrongValueError(
            "is neither a libpq URI (postgresql://USER@HOST/NAME) nor KEY=VALUE pairs; in a URI "
            "special characters are percent-encoded (the value is not shown: it may hold a "
            "password)"
        ) from None
    hosts = str(parts.get("host") or "").split(",")
    ports = str(parts.get("port") or "").split(",")
    encode = "in a URI write the password's @ as %40, : as %3A, / as %2F and ; as %3B"
    if any("@" in host[1:] for host in hosts):
        raise WrongValueError(f"has an @ inside a host's name; {encode}")
    if any(port and _read_port(port) is None for port in ports):
        raise WrongValueError(f"has a port that is no number from 1 to 65535; {encode}")
    return value


def _read_socket(value: str) -> Socket:
    """Read `unix:/PATH` or `inet:PORT@HOST`."""
    kind, _, where = value.partition(":")
    if kind == "unix":
        return Socket("unix", path=_check_socket_path(where))
    port, at, host = where.partition("@")
    if kind != "inet" or not at:
        raise WrongValueError(f"{_quote(value)} is neither unix:/PATH nor inet:PORT@HOST")
    number, name = _read_port(port), _read_host(host)
    if number is None:
        raise WrongValueError(f"{_quote(port)} is no port; write inet:PORT@HOST, PORT 1 to 65535")
    if name is None:
        raise WrongValueError(f"{_quote(host)} is neither an IP address nor a host's name")
    return Socket("inet", host=name, port=number)


def _check_socket_path(path: str) -> str:
    """Check that a unix socket can be bound at `path`, and first at `path`.tmp."""
    if not path.startswith("/") or path.endswith("/"):
        raise WrongValueError(f"{_quote(path)} is no absolute path of a socket; write unix:/PATH")
    size = len(path.encode())
    if size > _SOCKET_PATH_LIMIT:
        raise WrongValueError(
            f"the path has {size} bytes; a socket's has at most {_SOCKET_PATH_LIMIT} "
            "(four more are needed while it is made)"
        )
    return path


def _read_workers(value: str) -> int:
    """Read the number of processes; auto is one per processor we may run on."""
    if value == "auto":
        return len(os.sched_getaffinity(0))
    if re.fullmatch(r"[0-9]{1,3}", value) and 1 <= int(value) <= _WORKERS_LIMIT:
        return int(value)
    raise WrongValueError(
        f"{_quote(value)} is neither auto nor a number from 1 to {_WORKERS_LIMIT}"
    )


def _read_networks(value: str) -> tuple[Network, ...]:
    """Read networks between white space or commas; every wrong one is a fault of its own."""
    networks: list[Network] = []
    faults: list[str] = []
    for word in re.split(r"[\s,]+", value):
        if word:
            try:
                networks.append(_read_network(word))
            except WrongValueError as error:
                faults.extend(error.args)
    if faults:
        raise WrongValueError(*faults)
    return tuple(networks)


def _read_network(word: str) -> Network:
    """Read one network, an IPv6 one also in Postfix's brackets."""
    text = _BRACKETED.sub(r"\1", word)
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise WrongValueError(
            f"{_quote(word)} is no network; write for instance 192.0.2.0/24 or 2001:db8::/32"
        ) from None
    address = ip_address(text.partition("/")[0])
    if address != network.network_address:
        raise WrongValueError(
            f"{_quote(word)} has host bits set; write {network} for the network "
            f"or {address}/{address.max_prefixlen} for the one host"
        )
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if mapped is not None and network.prefixlen >= 96:
        return IPv4Network((mapped, network.prefixlen - 96))
    return network


def _read_authserv_id(value: str) -> str:
    """Read the identifier of the verifier to believe (RFC 8601 section 2.5); empty: none."""
    if value and not _TOKEN.fullmatch(value):
        raise WrongValueError(f"{_quote(value)} is no single word such as mx.example.com")
    return value


def _read_postmaster(value: str) -> str:
    """Read the address of who gets mail for postmasters; empty: the mail host's own."""
    if not value:
        return value
    try:
        address = Address.parse(value)
    except AddressError:
        raise WrongValueError(
            "is no mail address; write for instance postmaster@example.com"
        ) from None
    if not str(address).isascii():
        # A milter cannot have Postfix ask for SMTPUTF8.
        raise WrongValueError("has a local part that is not ASCII; name another address")
    return str(address)


def _read_metrics(value: str) -> tuple[str, int] | None:
    """Read HOST:PORT, an IPv6 address in brackets; empty: none."""
    if not value:
        return None
    host, _, port = value.rpartition(":")
    number = _read_port(port)
    name = None if ":" in host and not _BRACKETED.match(host) else _read_host(host)
    if number is None or name is None:
        raise WrongValueError(
            f"{_quote(value)} is no HOST:PORT; write for instance 127.0.0.1:9000 or [::1]:9000"
        )
    return name, number


def _read_log_format(value: str) -> str:
    """Read the log's format; what auto is, depends on the terminal and is the caller's."""
    if value not in ("auto", "json", "console"):
        raise WrongValueError(f"{_quote(value)} is none of auto, json, console")
    return value


def _read_listen(value: str) -> Socket:
    """Read where the web page listens: a socket as any other, but of TCP on this host only."""
    socket = _read_socket(value)
    if socket.kind == "inet" and not (
        is_literal(socket.host) and ip_address(socket.host).is_loopback
    ):
        raise WrongValueError(
            f"{_quote(socket.host)} is not this host alone: write unix:/PATH, or"
            " inet:PORT@127.0.0.1, and have a proxy in front of it ask who it is"
        )
    return socket


def _read_user_header(value: str) -> str:
    """Read the name of a header field (RFC 9110 section 5.1), in lower case; empty: none."""
    if value and not _FIELD_NAME.fullmatch(value):
        raise WrongValueError(f"{_quote(value)} is no header's name such as X-Remote-User")
    if value.lower() in _TAKEN_FIELDS:
        raise WrongValueError(f"{_quote(value)} says something else; name a header of its own")
    return value.lower()


def _read_ancestors(value: str) -> tuple[str, ...]:
    """Read origins (RFC 6454 section 6.1) between white space; every wrong one is a fault."""
    found = value.split()
    wrong = [each for each in found if not _is_origin(each)]
    if wrong:
        raise WrongValueError(
            *(
                f"{_quote_origin(each)} is no origin; write for instance https://erp.example.com"
                for each in wrong
            )
        )
    return tuple(each.lower() for each in found)


def _is_origin(text: str) -> bool:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        return False
    found = _ORIGIN_PORT.search(rest)
    host = rest[: found.start()] if found else rest
    if found and _read_port(found[1]) is None:
        return False
    return _read_host(host.removeprefix("*.")) is not None and (":" not in host or host[0] == "[")


def _quote_origin(text: str) -> str:
    return repr(text) if len(text) <= 60 and "@" not in text else "the value"


def _read_switch(value: str) -> bool:
    """Read yes or no."""
    if value.lower() not in ("yes", "no"):
        raise WrongValueError(f"{_quote(value)} is neither yes nor no")
    return value.lower() == "yes"


def _read_port(text: str) -> int | None:
    """Read a port's number; None if it is none."""
    if re.fullmatch(r"[0-9]{1,5}", text) and 1 <= int(text) <= 65535:
        return int(text)
    return None


def _read_host(text: str) -> str | None:
    """Read an IP address, an IPv6 one also in brackets, or a host's name; None if it is none."""
    bare = _BRACKETED.sub(r"\1", text)
    if is_literal(bare):
        return str(ip_address(bare))
    return text.lower() if _HOST_NAME.fullmatch(text) else None


OPTIONS: Mapping[str, Option] = {
    "database": Option(None, "postgresql:///conversation_tracker", _check_database),
    "socket": Option(
        None, "unix:/var/spool/postfix/conversation-tracker/milter.sock", _read_socket
    ),
    "workers": Option("auto", "4", _read_workers),
    "trusted_networks": Option("127.0.0.0/8 ::1/128", "127.0.0.0/8 192.0.2.0/24", _read_networks),
    "authserv_id": Option("", "mx.example.com", _read_authserv_id),
    "postmaster": Option("", "postmaster@example.com", _read_postmaster),
    "metrics": Option("", "127.0.0.1:9000", _read_metrics),
    "log_format": Option("auto", "json", _read_log_format),
}

PUBLISH: Mapping[str, Option] = {
    "allow_private": Option("no", "yes", _read_switch),
}

WEB: Mapping[str, Option] = {
    "listen": Option(
        "unix:/run/conversation-tracker/web.sock",
        "unix:/run/conversation-tracker/web-support.sock",
        _read_listen,
    ),
    "user_header": Option("", "X-Remote-User", _read_user_header),
    "frame_ancestors": Option("", "https://erp.example.com", _read_ancestors),
}

SECTIONS: Mapping[str, Mapping[str, Option]] = {
    "tracker": OPTIONS,
    "publish": PUBLISH,
    "web": WEB,
}
"""The options of each section; no name is in two of them."""
