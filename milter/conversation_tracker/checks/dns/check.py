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
from conversation_tracker.postfix.milters import read_socket
from conversation_tracker.postfix.names import list_authors
from conversation_tracker.postfix.settings import Settings


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
    for domain, soft in sorted(domains.items()):
        author, _ = list_authors(domain)
        signatures = [*_sign(settings, ours, author)]
        signers = [read_tags(each).get("d", "").lower() for each in signatures]
        host = settings.get_value("myhostname")
        for facts in (
            mail_exchangers.check(names, domain, host, soft=soft),
            _check_sender(names, settings, domain),
            signing_key.check(names, domain, author, signatures),
            alignment.check(names, domain, signers, soft=soft),
        ):
            try:
                yield from facts
            except NameSystemError as error:
                yield note(f"the name system gives no answer now ({error})", "run check again")


def _check_sender(names: NameSystem, settings: Settings, domain: str) -> Iterator[CheckLine]:
    host = settings.get_value("myhostname")
    given = [settings.get_value(f"smtp_bind_address{six}") for six in ("", "6")]
    named = [each for each in given if each] or names.find_addresses(host)
    addresses = [each for each in named if ip_address(each).is_global]
    relay = settings.get_value("relayhost").partition(":")[0].strip("[]")
    yield from sender_policy.check(names, domain, host, addresses, relay)


def _sign(settings: Settings, ours: Socket, author: str) -> Iterator[str]:
    """Have each milter behind the tracker sign, and yield the signatures."""
    for address in list_behind(settings, ours):
        place = read_socket(address, settings)
        if place is None:
            continue
        try:
            added = ask(place, author)
        except (OSError, NoMilterError):
            continue  # which the signer's own check says
        yield from (value for name, value in added.items() if name.lower() == "dkim-signature")
