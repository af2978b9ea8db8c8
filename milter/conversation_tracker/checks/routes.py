"""What `check` finds out about the alias domains in Postfix: that their mail goes to the splitter.

Everything is judged from settings that were read already, and from tables that are asked for
addresses made up here. A table that cannot be asked is a finding.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence

from conversation_tracker.checks.finding import Fact, note, ok, wrong
from conversation_tracker.checks.postfix import CONFIGURE, SPLITTER, listeners
from conversation_tracker.postfix.settings import Settings, TableError, entries

_LIMIT = f"{SPLITTER}_destination_recipient_limit"
_ELSEWHERE = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains")
_CLIENT = "client.example"
_WRITTEN = re.compile(r"/\^\(\.\*\[@\.\]\)\?(.+)\$/\s+" + SPLITTER)


def facts(settings: Settings, domains: Collection[str]) -> Iterator[Fact]:
    """Judge where mail to the alias domains goes.

    Args:
        settings: Postfix's.
        domains: the alias domains of the stores, and those that older orders use.
    """
    yield from _splitter(settings)
    yield from _myorigin(settings, domains)
    rules: Sequence[Callable[[Settings, str], Iterator[Fact]]] = (
        _class, _recipients, _route, _received,
    )  # fmt: skip
    for domain in sorted(domains):
        for rule in rules:
            try:
                yield from rule(settings, domain)
            except TableError as error:
                yield wrong(f"Postfix cannot ask {error} about {domain}", "mend or remove it")


def stale(table: str, domains: Collection[str]) -> Iterator[Fact]:
    """Judge the transport table that postfix/configure wrote: whether it names other domains.

    Args:
        table: the file's text.
        domains: the alias domains that there are.
    """
    for line in table.splitlines():
        written = _WRITTEN.match(line)
        domain = written[1].replace("\\", "") if written else None
        if domain is not None and domain not in domains:
            yield note(
                f"Postfix sends {domain} to the splitter, but no store has that alias domain"
            )


def _splitter(settings: Settings) -> Iterator[Fact]:
    found = [s for s in settings.services if s.name == SPLITTER and s.type == "unix"]
    if not found or found[0].command != "smtp":
        yield wrong(f"master.cf has no transport {SPLITTER}", CONFIGURE)
        return
    limit = settings.value(_LIMIT)
    if limit == "1":
        yield ok(f"{_LIMIT} is 1")
    else:
        yield wrong(
            f"{_LIMIT} is {limit or 'not set'}: several recipients would get one copy",
            f"postconf -e {_LIMIT}=1",
        )


def _myorigin(settings: Settings, domains: Collection[str]) -> Iterator[Fact]:
    origin = settings.value("myorigin").lower()
    for domain in domains:
        if origin == domain or origin.endswith(f".{domain}"):
            yield wrong(
                f"myorigin is {origin}, in the alias domain {domain}",
                "choose another: local senders would get forged aliases",
            )


def _probes(domain: str) -> tuple[str, str]:
    """Make up a hard and a soft alias."""
    return f"{'0' * 32}@{domain}", f"probe@example.com-{'0' * 12}b.{domain}"


def _class(settings: Settings, domain: str) -> Iterator[Fact]:
    """Judge which class of Postfix's addresses (ADDRESS_CLASS_README) the domain is in."""
    names = [probe.rpartition("@")[2] for probe in _probes(domain)]
    fine = True
    for parameter in _ELSEWHERE:
        if any(settings.listed(parameter, name) for name in names):
            fine = False
            yield wrong(
                f"{parameter} holds the alias domain {domain}",
                "take it out: its mail would be delivered there, not masked",
            )
    lacking = [name for name in names if not settings.listed("relay_domains", name)]
    if lacking:
        what = domain if domain in lacking else f"the subdomains of {domain}, for soft aliases"
        yield wrong(f"relay_domains does not hold {what}", CONFIGURE)
    elif fine:
        yield ok(f"relay_domains, and no other class, holds {domain} and its subdomains")


def _recipients(settings: Settings, domain: str) -> Iterator[Fact]:
    """Judge whether Postfix refuses aliases by a list of its own."""
    tables = entries(settings.value("relay_recipient_maps"))
    for probe in _probes(domain) if tables else ():
        keys = (probe, f"@{probe.rpartition('@')[2]}")
        if all(settings.ask(table, key) is None for table in tables for key in keys):
            yield wrong(f"relay_recipient_maps does not know the recipients in {domain}", CONFIGURE)
            return


def _route(settings: Settings, domain: str) -> Iterator[Fact]:
    listening = [service.name for service in listeners(settings)]
    for probe in _probes(domain):
        kind = "soft" if "b." in probe else "hard"
        route = settings.route(probe)
        if route is None:
            yield wrong(f"transport_maps has nothing for {kind} aliases of {domain}", CONFIGURE)
            return
        if not route.startswith(f"{SPLITTER}:"):
            yield wrong(f"transport_maps sends {kind} aliases of {domain} to {route}", CONFIGURE)
            return
        to = route.partition(":")[2].replace("[", "").replace("]", "")
        if len(listening) == 1 and to != listening[0].replace("[", "").replace("]", ""):
            yield wrong(
                f"transport_maps sends {domain} to {to}, the listener is {listening[0]}", CONFIGURE
            )
            return
    yield ok(f"transport_maps sends {domain} and its subdomains to the splitter")


def _received(settings: Settings, domain: str) -> Iterator[Fact]:
    """Judge whether this host's own Received header keeps the sending host to itself."""
    line = (
        f"Received: from {_CLIENT} ({_CLIENT} [192.0.2.1]) by {settings.value('myhostname')}"
        f" ({settings.value('mail_name')}) with ESMTP id 4ABC for <probe@{domain}>;"
        " Thu, 1 Jan 1970 00:00:00 +0000 (UTC)"
    )
    places = [("main.cf", settings.value("header_checks"))]
    places += [
        (f"master.cf, {service}", service.options["header_checks"])
        for service in settings.services
        if "header_checks" in service.options
    ]
    for place, value in places:
        said = next(filter(None, (settings.ask(table, line) for table in entries(value))), None)
        action = (said or "").partition(" ")[0].upper()
        if action == "IGNORE" or (action == "REPLACE" and _CLIENT not in (said or "")):
            yield ok(f"{place}: header_checks leave no sending host in Received for {domain}")
        else:
            yield wrong(
                f"{place}: header_checks leave the sending host in Received of mail for {domain}",
                f"{CONFIGURE}; its table must be the first that knows Received",
            )
