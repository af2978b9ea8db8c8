"""Where a webhook goes: its URL taken apart, and the addresses its host has just now.

The name is resolved once for each connection, and what was judged is what is connected to: a name
that has another address a moment later (DNS rebinding) gains nothing. All of a name's addresses
must be good; one that leads inward, in whatever spelling the system's resolver knows, refuses all.
"""

import queue
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from conversation_tracker.base import timeouts
from conversation_tracker.publish.webhooks.addresses import Reach, is_own, judge

_LENGTH = 2_000
# As the table's constraints have it, which are read by people.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<target>/[A-Za-z0-9._~!$&'(),;=:@/?%*+-]*)?"
)
_PORTS = {"https": 443, "http": 80}
_resolving = threading.BoundedSemaphore(64)  # names at once, of which some may never get an answer


class Unsendable(Exception):
    """Nothing was sent; `why` is a word of the closed list that the webhook's state shows."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL, taken apart.

    Attributes:
        secure: it is https.
        host: a name, or an IP address without brackets.
        port: the port.
        target: path and query. It may hold a secret of the receiver's: show it to nobody.
    """

    secure: bool
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        """What may be shown of the URL: host, and port unless it is the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == _PORTS["https" if self.secure else "http"]
        return host if usual else f"{host}:{self.port}"


def read_url(url: str) -> Destination:
    """Take a URL apart.

    Raises:
        Unsendable: it is none that a webhook may have.
    """
    found = _URL.fullmatch(url) if len(url) <= _LENGTH else None
    if found is None:
        raise Unsendable("bad-url")
    port = int(found["port"] or _PORTS[found["scheme"]])
    host = found["host"].strip("[]").lower()
    if port > 65_535 or (":" in host and not is_address(host)):
        raise Unsendable("bad-url")
    return Destination(found["scheme"] == "https", host, port, found["target"] or "/")


def is_address(text: str) -> bool:
    """Return whether a host is an IP address and no name."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


Resolver = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host as the system has them, in the order to try.

    The system's resolver cannot be told when to end: it has a thread of its own, which is left
    where it is when the time is over.

    Raises:
        TimeoutError: no answer came in time, or too many names are waited for.
        OSError: it has none.
        UnicodeError: it is no name.
    """
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(address[0]) for *_, address in found)))
        except Exception as error:
            answers.put(error)
        finally:
            _resolving.release()

    if not _resolving.acquire(blocking=False):
        raise TimeoutError
    try:
        threading.Thread(target=ask, name="resolver", daemon=True).start()
    except RuntimeError:
        _resolving.release()
        raise TimeoutError from None
    try:
        answer = answers.get(timeout=timeouts.get().webhook_resolve_seconds)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def choose_addresses(
    destination: Destination, *, allow_private: bool, resolver: Resolver = resolve
) -> list[str]:
    """Return the addresses that a destination may be reached at.

    Args:
        destination: where to.
        allow_private: addresses of this host and its network are good as well, and without TLS.
        resolver: gives a host's addresses.

    Raises:
        Unsendable: it has none, or one that is not good.
        TimeoutError: which it has, nobody said in time.
    """
    try:
        found = resolver(destination.host, destination.port)
    except TimeoutError:
        raise
    except (OSError, UnicodeError):
        raise Unsendable("no-address") from None
    if not found:
        raise Unsendable("no-address")
    inward = False
    for address in found:
        reach = _judge(address)
        if reach is Reach.NOWHERE or (reach is Reach.INWARD and not allow_private):
            raise Unsendable("private-address")
        inward = inward or reach is Reach.INWARD
    # Everybody on the way would read it.
    if not destination.secure and not (allow_private and all(map(_is_inward, found))):
        raise Unsendable("not-https")
    return found


def _is_inward(address: str) -> bool:
    return _judge(address) is Reach.INWARD


def _judge(address: str) -> Reach:
    if "%" in address:  # a zone: link-local
        return Reach.INWARD
    reach = judge(ip_address(address))
    return Reach.INWARD if reach is Reach.PUBLIC and is_own(address) else reach
