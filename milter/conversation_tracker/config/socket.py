"""Where the milter listens.

Only the standard library is imported: `postfix/configure` runs before anything is installed.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal


@dataclass(frozen=True, slots=True)
class Socket:
    """Where the milter listens: `path` of a unix socket, or `host` and `port`."""

    kind: Literal["unix", "inet"]
    path: str = ""
    host: str = ""
    port: int = 0

    @property
    def libmilter(self) -> str:
        """Name the socket as libmilter's smfi_setconn takes it."""
        if self.kind == "unix":
            return f"unix:{self.path}"
        if is_literal(self.host):
            family = "inet6" if ":" in self.host else "inet"
            return f"{family}:{self.port}@[{self.host}]"
        return f"inet:{self.port}@{self.host}"

    def __str__(self) -> str:
        """Name the socket as Postfix does; a log's net against addresses leaves it alone."""
        if self.kind == "unix":
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"inet:{host}:{self.port}"


def is_literal(host: str) -> bool:
    """Return whether `host` is an IP address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
