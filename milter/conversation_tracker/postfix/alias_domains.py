"""What must hold for each alias domain: its mail goes to the splitter, and nothing changes it."""

from collections.abc import Callable, Iterator

from conversation_tracker.postfix import tables
from conversation_tracker.postfix.changes import Changes
from conversation_tracker.postfix.finding import Finding, fault, ok, refusal, unasked
from conversation_tracker.postfix.host import (
    CONFIGURE,
    SPLITTER,
    Host,
    find_listeners,
    header_file,
    make_probes,
    transport_file,
)
from conversation_tracker.postfix.settings import MasterService, TableError, split_entries

_ELSEWHERE = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains")
_REWRITING = (
    "virtual_alias_maps", "canonical_maps", "recipient_canonical_maps", "sender_canonical_maps",
)  # fmt: skip
_CLIENT = "client.example"

Rule = Callable[[Host, str], Iterator[Finding]]


def each_domain(rule: Rule) -> Callable[[Host], Iterator[Finding]]:
    """Apply a rule to every alias domain; a table that cannot be asked is a finding."""

    def find(host: Host) -> Iterator[Finding]:
        for domain in sorted(host.domains):
            try:
                yield from rule(host, domain)
            except TableError as error:
                yield unasked(error, f"Postfix cannot ask {error} about {domain}")

    return find


def find_nested(host: Host, domain: str) -> Iterator[Finding]:
    """Judge whether it is inside another: soft aliases have subdomains of their own."""
    for other in host.domains:
        if domain.endswith(f".{other}"):
            yield refusal(f"alias domain {domain} is inside alias domain {other}", "choose another")


def find_origin(host: Host, domain: str) -> Iterator[Finding]:
    """Judge whether local senders are in it."""
    origin = host.settings.get_value("myorigin").lower()
    if origin == domain or origin.endswith(f".{domain}"):
        yield refusal(
            f"myorigin is {origin}, in the alias domain {domain}",
            "choose another: local senders would get forged aliases",
        )


def find_class(host: Host, domain: str) -> Iterator[Finding]:
    """Judge which class of Postfix's addresses (ADDRESS_CLASS_README) the domain is in."""
    names = [probe.rpartition("@")[2] for probe in make_probes(domain)]
    fine = True
    for parameter in _ELSEWHERE:
        found = filter(None, (host.settings.find_in_list(parameter, name) for name in names))
        if (entry := next(found, None)) is not None:
            fine = False
            yield refusal(
                f"{parameter} holds the alias domain {domain} ({entry})",
                "take it out: its mail would be delivered there, not masked",
            )
    lacking = [name for name in names if not host.settings.find_in_list("relay_domains", name)]
    if lacking:
        what = domain if domain in lacking else f"the subdomains of {domain}, for soft aliases"
        yield refusal(f"relay_domains does not hold {what}", CONFIGURE)
    elif fine:
        yield ok(f"relay_domains, and no other class, holds {domain} and its subdomains")


def set_class(host: Host, changes: Changes) -> None:
    """Make Postfix accept mail for the alias domains."""
    wanted = split_entries(host.settings.join_list("relay_domains"))
    parents = "relay_domains" in host.settings.entries("parent_domain_matches_subdomains")
    for domain in host.domains:
        for entry in (domain,) if parents else (domain, f".{domain}"):
            if entry not in wanted:
                wanted.append(entry)
    changes.want_list("relay_domains", wanted)


def unset_class(host: Host, changes: Changes) -> None:
    """Make Postfix accept no mail for them."""
    there = split_entries(host.settings.join_list("relay_domains"))
    kept = [entry for entry in there if entry.removeprefix(".") not in host.domains]
    changes.want_list("relay_domains", kept)


def find_rewriting(host: Host, domain: str) -> Iterator[Finding]:
    """Judge whether a map changes its addresses before or after the tracker has seen them."""
    settings = host.settings
    for table in settings.entries("masquerade_domains"):
        name = table.removeprefix("!").removeprefix(".").lower()
        if domain == name or domain.endswith(f".{name}"):
            if not table.startswith("!"):
                yield refusal(
                    f"masquerade_domains has {table}, which would cut {domain} out of addresses",
                    f"put !{domain} before it",
                )
            break
    keys = [key for probe in make_probes(domain) for key in (f"@{probe.rpartition('@')[2]}", probe)]
    for parameter in _REWRITING:
        for table in settings.entries(parameter):
            try:
                changed = next((key for key in keys if settings.ask(table, key) is not None), None)
            except TableError as error:
                yield unasked(error, f"{parameter}: {error} cannot be asked")
                continue
            if changed is not None:
                yield refusal(
                    f"{parameter}: {table} changes addresses in {changed.rpartition('@')[2]}",
                    "exclude the alias domain there",
                )


def find_recipients(host: Host, domain: str) -> Iterator[Finding]:
    """Judge whether Postfix refuses aliases by a list of its own: only the tracker knows them."""
    maps = host.settings.entries("relay_recipient_maps")
    for probe in make_probes(domain) if maps else ():
        keys = (probe, f"@{probe.rpartition('@')[2]}")
        if all(host.settings.ask(table, key) is None for table in maps for key in keys):
            yield refusal(
                f"relay_recipient_maps does not know the recipients in {domain}", CONFIGURE
            )
            return


def set_recipients(host: Host, changes: Changes) -> None:
    """Add ours to a list of recipients; without one Postfix takes every recipient."""
    ours = f"regexp:{transport_file(host.settings)}"
    wanted = split_entries(host.settings.join_list("relay_recipient_maps"))
    if wanted and ours not in wanted:
        changes.want_list("relay_recipient_maps", [*wanted, ours])


def find_route(host: Host, domain: str) -> Iterator[Finding]:
    """Judge where the first table of transport_maps that knows an alias sends it."""
    listening = [service.name for service in find_listeners(host.settings)]
    for probe in make_probes(domain):
        kind = "soft" if "b." in probe else "hard"
        route = host.settings.route(probe)
        if route is None:
            yield refusal(f"transport_maps has nothing for {kind} aliases of {domain}", CONFIGURE)
            return
        if not route.startswith(f"{SPLITTER}:"):
            yield refusal(f"transport_maps sends {kind} aliases of {domain} to {route}", CONFIGURE)
            return
        to = route.partition(":")[2].replace("[", "").replace("]", "")
        if len(listening) == 1 and to != listening[0].replace("[", "").replace("]", ""):
            yield refusal(
                f"transport_maps sends {domain} to {to}, the listener is {listening[0]}", CONFIGURE
            )
            return
    yield ok(f"transport_maps sends {domain} and its subdomains to the splitter")


def set_route(host: Host, changes: Changes) -> None:
    """Send the alias domains to the splitter."""
    path = transport_file(host.settings)
    changes.want_file(path, tables.write_routes(host))
    changes.want_first("transport_maps", f"regexp:{path}")


def unset_route(host: Host, changes: Changes) -> None:
    """Send them there no longer."""
    path = transport_file(host.settings)
    for name in ("transport_maps", "relay_recipient_maps"):
        kept = [x for x in split_entries(host.settings.join_list(name)) if x != f"regexp:{path}"]
        changes.want_list(name, kept)
    changes.want_no_file(path)


def find_received(host: Host, domain: str) -> Iterator[Finding]:
    """Judge whether this host's own Received header keeps the sending host to itself."""
    settings = host.settings
    line = (
        f"Received: from {_CLIENT} ({_CLIENT} [192.0.2.1]) by {settings.get_value('myhostname')}"
        f" ({settings.get_value('mail_name')}) with ESMTP id 4ABC for <probe@{domain}>;"
        " Thu, 1 Jan 1970 00:00:00 +0000 (UTC)"
    )
    for where, service in host.iter_places("header_checks"):
        said, trouble = _ask_first(host, service, line)
        action = said.partition(" ")[0].upper()
        if action == "IGNORE" or (action == "REPLACE" and _CLIENT not in said):
            yield ok(f"{where}: header_checks leave no sending host in Received for {domain}")
            continue
        text = f"{where}: header_checks leave the sending host in Received of mail for {domain}"
        text += trouble
        ours = f"regexp:{header_file(settings)}"
        if service is None:
            yield refusal(text, f"{CONFIGURE}; its table must be the first that knows Received")
        else:
            yield fault(text, f"put {ours} first there, or take header_checks out")


def _ask_first(host: Host, service: MasterService | None, line: str) -> tuple[str, str]:
    """Return header_checks' first answer to a line, and what kept us from it, or ""."""
    maps = host.settings.entries("header_checks", service)
    try:
        return next(filter(None, (host.settings.ask(table, line) for table in maps)), ""), ""
    except TableError as error:
        return "", f" ({error} cannot be asked)"


def find_forged(host: Host) -> Iterator[Finding]:
    """Judge whether results that clients write in the name given to `configure` are removed."""
    if not host.authserv_id:
        return
    line = f"Authentication-Results: {host.authserv_id}; dkim=pass header.d={_CLIENT}"
    said, trouble = _ask_first(host, None, line)
    if said.upper() != "IGNORE":
        yield refusal(
            f"header_checks leave what strangers write in the name of {host.authserv_id}{trouble}",
            f"{CONFIGURE}; its table must be the first that knows Authentication-Results",
        )


def set_header_checks(host: Host, changes: Changes) -> None:
    """Put our header checks first."""
    path = header_file(host.settings)
    changes.want_file(path, tables.write_header_checks(host))
    changes.want_first("header_checks", f"regexp:{path}")


def unset_header_checks(host: Host, changes: Changes) -> None:
    """Remove our header checks."""
    path = header_file(host.settings)
    there = split_entries(host.settings.join_list("header_checks"))
    changes.want_list("header_checks", [x for x in there if x != f"regexp:{path}"])
    changes.want_no_file(path)
