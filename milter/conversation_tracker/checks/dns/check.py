"""What `check --dns` finds out: each record that an alias domain needs, and what to publish."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from conversation_tracker.checks.dialogue import NoMilterError, ask
from conversation_tracker.checks.dns import alignment, mail_exchangers, sender_policy, signing_key
from conversation_tracker.checks.dns.names import NameSystem, NameSystemError
from conversation_tracker.checks.dns.signature import read_tags
from conversation_tracker.checks.finding import CheckLine, note
from conversation_tracker.checks.signer import list_behind
from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix.greeting import greet
from conversation_tracker.postfix.milters import read_socket
from conversation_tracker.postfix.names import list_authors
from conversation_tracker.postfix.settings import Settings

_AS_ROOT = "run check as root"


def check(
    names: NameSystem, settings: Settings, ours: Socket, domains: Mapping[str, bool]
) -> Iterator[CheckLine]:
    """Ask the name system about each alias domain.

    Args:
        names: the name system.
        settings: Postfix's.
        ours: the tracker's socket.
        domains: the alias domains, and whether soft aliases are made there.
    """
    if not domains:
        yield note("there is no alias domain: the name system was not asked")
    signers, denied = _find_signers(settings, ours)
    for address in denied:
        yield note(f"{address} is not for this user to ask: its key was not looked at", _AS_ROOT)
    for domain, soft in sorted(domains.items()):
        author, _ = list_authors(domain)
        signatures = [*_sign(signers, author)]
        signed_by = [read_tags(each).get("d", "").lower() for each in signatures]
        host = settings.get_value("myhostname")
        questions = [
            mail_exchangers.check(names, domain, host, soft=soft),
            _check_sender(names, settings, domain),
        ]
        if not denied:
            questions.append(signing_key.check(names, domain, author, signatures))
            questions.append(alignment.check(names, domain, signed_by, soft=soft))
        for facts in questions:
            try:
                yield from facts
            except NameSystemError as error:
                yield note(f"the name system gives no answer now ({error})", "run check again")


def _check_sender(names: NameSystem, settings: Settings, domain: str) -> Iterator[CheckLine]:
    host = settings.get_value("myhostname")
    given = [settings.get_value(f"smtp_bind_address{six}") for six in ("", "6")]
    named = [each for each in given if _is_address(each)] or names.find_addresses(host)
    addresses = [each for each in named if ip_address(each).is_global]
    relay = settings.get_value("relayhost").partition(":")[0].strip("[]")
    yield from sender_policy.check(names, domain, host, addresses, relay)


def _is_address(text: str) -> bool:
    """Whether Postfix sends from there: what is no address it warns of, and goes without."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _find_signers(settings: Settings, ours: Socket) -> tuple[list[Socket], list[str]]:
    """Find the milters behind the tracker, and the addresses of those that we may not ask."""
    places: list[Socket] = []
    denied: list[str] = []
    for address in list_behind(settings, ours):
        place = read_socket(address, settings)
        if place is not None and isinstance(greet(place), PermissionError):
            denied.append(address)
        elif place is not None:
            places.append(place)
    return places, denied


def _sign(signers: list[Socket], author: str) -> Iterator[str]:
    """Have each signer sign, and yield the signatures."""
    for place in signers:
        try:
            added = ask(place, author)
        except (OSError, NoMilterError):
            continue  # which the signer's own check says
        yield from (value for name, value in added.items() if name.lower() == "dkim-signature")
