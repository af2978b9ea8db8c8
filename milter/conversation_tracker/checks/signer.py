"""What `check` finds out about the milters behind the tracker: what they add to a copy.

Each is asked itself, by the milter protocol, with a message as it leaves the tracker: an alias in
From, and envelope addresses of before, which Postfix had told it already. A signer adds its
signature and nothing else. One that writes the envelope down writes real addresses into copies.
Nothing is sent and nothing recorded.
"""

from collections.abc import Collection, Iterator, Mapping

from conversation_tracker.checks.dialogue import RECIPIENT, SENDER, NoMilterError, ask
from conversation_tracker.checks.finding import CheckLine, note, ok, wrong
from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix.host import find_listeners
from conversation_tracker.postfix.milters import (
    find_ours,
    is_chrooted,
    read_milters,
    read_socket,
)
from conversation_tracker.postfix.names import list_authors
from conversation_tracker.postfix.settings import Settings


def check(settings: Settings, ours: Socket, domains: Collection[str]) -> Iterator[CheckLine]:
    """Ask each milter behind the tracker what it adds to a copy.

    Args:
        settings: Postfix's.
        ours: the tracker's socket.
        domains: the alias domains.
    """
    for address in list_behind(settings, ours):
        place = read_socket(address, settings)
        if place is None or not domains:
            continue
        try:
            added = [ask(place, author) for author in list_authors(min(domains))]
        except PermissionError:
            yield note(f"{address} is not for this user to ask: run check as root")
            continue
        except (OSError, NoMilterError) as error:
            yield note(f"{address}: what it adds to copies was not asked ({_name(error)})")
            continue
        yield from _judge(address, *added)


def list_behind(settings: Settings, ours: Socket) -> list[str]:
    """Return the milters behind the tracker on the splitter's listeners, each once.

    Args:
        settings: Postfix's.
        ours: the tracker's socket.
    """
    found: dict[str, None] = {}
    for service in find_listeners(settings):
        listed = read_milters(settings.get_value("smtpd_milters", service))
        inside = is_chrooted(service, settings)
        place = find_ours(listed, ours, settings, inside=inside)
        if place is not None:
            found |= dict.fromkeys(each.address for each in listed[place + 1 :])
    return list(found)


def _judge(address: str, hard: Mapping[str, str], soft: Mapping[str, str]) -> Iterator[CheckLine]:
    told = [
        name
        for name, value in (*hard.items(), *soft.items())
        if any(each in value.lower() for each in (SENDER, RECIPIENT))
        and name.lower() != "dkim-signature"
    ]
    if told:
        yield wrong(
            f"{address}, behind the tracker, writes real addresses into copies ({told[0]})",
            "have it add its signature and nothing else (Rspamd: use = [] in milter_headers.conf)",
        )
    signs = [any(name.lower() == "dkim-signature" for name in each) for each in (hard, soft)]
    if signs == [True, False]:
        yield wrong(
            f"{address} signs no mail with a soft alias in From",
            "have it sign for subdomains of the alias domain, or set mask and issuer_mask to hard",
        )
    elif signs == [False, False]:
        yield note(f"{address}, behind the tracker, signs no copies of mail from outside")
    elif not told:
        yield ok(f"{address}, behind the tracker, signs copies and adds no address")


def _name(error: Exception) -> str:
    return str(error) if isinstance(error, NoMilterError) else type(error).__name__
