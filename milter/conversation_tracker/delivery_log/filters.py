"""Content filters: what Postfix hands mail to, and takes it back from under another queue id.

Mail given to a filter is not delivered yet. What the filter hands back has the same envelope
sender, which belongs to one delivery (`bounce-...`): the queue manager logs it each time before it
has mail delivered. So nothing need be kept over a restart. Mail with the null sender is not found
again.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from conversation_tracker.core.model.alias import Bounce
from conversation_tracker.core.reports import maillog
from conversation_tracker.postfix import settings as postfix_settings
from conversation_tracker.postfix.settings import Settings

_USUAL_PORTS = ("25", "24")  # of SMTP and LMTP, where none is named
_HOST_AND_PORT = re.compile(r"\[?(?P<host>(?<=\[)[^\]]++|[^\[\]:]++)\]?(?::(?P<port>[0-9]{1,5}))?")
_MOST = 10_000  # queue ids that are kept, each some 200 octets


class Filters:
    """The content filters of one Postfix; false if it has none."""

    def __init__(self, destinations: Iterable[str] = ()) -> None:
        """Take what `content_filter` says, TRANSPORT:DESTINATION each."""
        self.origins: dict[str, Bounce] = {}
        self._places = {each for each in map(str.strip, destinations) if each}

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Filters":
        """Ask Postfix; one that cannot be asked has none."""
        try:
            return cls(_list_destinations(postfix_settings.read_settings(environ)))
        except postfix_settings.Unreadable:
            return cls()

    def __bool__(self) -> bool:
        """Return whether there is one."""
        return bool(self._places)

    def is_filter(self, relay: str) -> bool:
        """Return whether a relay, as Postfix's log names it, is a filter.

        Args:
            relay: HOST[ADDRESS]:PORT, HOST[SOCKET], or a transport's name.
        """
        return any(_is_place(relay, each) for each in self._places)

    def learn(self, lines: Iterable[str]) -> None:
        """Note which deliveries the queue ids in lines of the log belong to."""
        for line in lines:
            if (origin := maillog.read_origin(line)) is not None:
                queue_id, bounce = origin
                self.origins.pop(queue_id, None)
                self.origins[queue_id] = bounce
        while len(self.origins) > _MOST:
            del self.origins[next(iter(self.origins))]


def _list_destinations(settings: Settings) -> Iterator[str]:
    yield settings.get_value("content_filter")
    for service in settings.services:
        yield service.options.get("content_filter", "")


def _is_place(relay: str, destination: str) -> bool:
    transport, _, place = destination.partition(":")
    if relay == transport:
        return True  # pipe(8) names the transport
    if place.startswith(("inet:", "unix:")):
        kind, _, place = place.partition(":")
        if kind == "unix":
            return relay.endswith(f"[{place}]")
    found = _HOST_AND_PORT.fullmatch(place)
    if found is None or found["host"].lower() not in _list_hosts(relay):
        return False
    ports = (found["port"],) if found["port"] else _USUAL_PORTS
    return relay.endswith(tuple(f"]:{port}" for port in ports))


def _list_hosts(relay: str) -> tuple[str, str]:
    name, _, rest = relay.partition("[")
    return name.lower(), rest.rpartition("]")[0].lower()
