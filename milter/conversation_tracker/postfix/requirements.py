"""What the tracker needs of Postfix, in one list: `check` reports, `configure` applies it.

A requirement finds out whether it holds, and some can be set. What cannot be set, or does not hold
in spite of it, `configure` refuses; the same finding is what `check` says.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from conversation_tracker.postfix import alias_domains, intake, splitter, ways_past
from conversation_tracker.postfix.alias_domains import each_domain
from conversation_tracker.postfix.changes import Changes
from conversation_tracker.postfix.finding import Finding
from conversation_tracker.postfix.host import UNSET, Host, OldSetting

Change = Callable[[Host, Changes], None]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement.

    Attributes:
        name: what it is about: a parameter, or a few words.
        find: says whether it holds.
        set: collects the changes by which it will hold; None if an administrator has to.
        unset: collects the changes that take them back; None if they harm nobody.
    """

    name: str
    find: Callable[[Host], Iterator[Finding]]
    set: Change | None = None
    unset: Change | None = None


SIGNER = Requirement("signer", intake.find_signer)
NESTED = Requirement("nested domains", each_domain(alias_domains.find_nested))

# What needs no Postfix to be judged.
WITHOUT_POSTFIX = (SIGNER, NESTED)

# What needs no alias domain to be judged.
OF_ALL_MAIL = (
    Requirement(
        "milter_default_action", intake.find_default_action, intake.set_default_action
    ),
    Requirement(
        "smtpd_milters", intake.find_milters, intake.set_milters, intake.unset_milters
    ),
    SIGNER,
    Requirement("socket", intake.find_socket),
    Requirement("macros", intake.find_macros),
    Requirement("non_smtpd_milters", intake.find_local_mail),
    Requirement("ways past", ways_past.find_ways_past),
    Requirement(
        "transport", splitter.find_transport, splitter.set_transport, splitter.unset_transport
    ),
    Requirement(
        "listener", splitter.find_listener, splitter.set_listener, splitter.unset_listener
    ),
    Requirement("inet_protocols", intake.find_protocols),
    Requirement("time-outs", intake.find_waits, intake.set_waits),
    Requirement("milter_protocol", intake.find_protocol, intake.set_protocol),
    Requirement("message_size_limit", intake.find_size),
    Requirement("bare newline", intake.find_bare_newline, intake.set_bare_newline),
    Requirement("info_log_address_format", intake.find_log_form, intake.set_log_form),
    Requirement("forged results", alias_domains.find_forged),
)  # fmt: skip

# What must hold for each alias domain.
OF_DOMAINS = (
    NESTED,
    Requirement("myorigin", each_domain(alias_domains.find_origin)),
    Requirement(
        "relay_domains",
        each_domain(alias_domains.find_class),
        alias_domains.set_class,
        alias_domains.unset_class,
    ),
    Requirement("rewriting", each_domain(alias_domains.find_rewriting)),
    Requirement(
        "relay_recipient_maps",
        each_domain(alias_domains.find_recipients),
        alias_domains.set_recipients,
    ),
    Requirement(
        "transport_maps",
        each_domain(alias_domains.find_route),
        alias_domains.set_route,
        alias_domains.unset_route,
    ),
    Requirement(
        "header_checks",
        each_domain(alias_domains.find_received),
        alias_domains.set_header_checks,
        alias_domains.unset_header_checks,
    ),
)

# What is right without the tracker, too: `configure --remove` puts it back as it was before the
# first run, and leaves it where that is not known.
HARMLESS = intake.HARMLESS

# Of these the old value is kept, of all others only that main.cf did not name them.
_KEPT = HARMLESS | {"smtpd_milters"}

ALL = (*OF_ALL_MAIL, *OF_DOMAINS)


def examine(host: Host, requirements: Iterable[Requirement] = ALL) -> Iterator[Finding]:
    """Yield for each requirement whether it holds."""
    for requirement in requirements:
        yield from requirement.find(host)


def apply(host: Host) -> Changes:
    """Collect every change that the tracker needs."""
    changes = _collect(host)
    known = {each.name for each in host.changed}
    fresh = [
        OldSetting(name, _read_old(host, name), value)
        for name, value in changes.main.items()
        if name not in known and (name in _KEPT or name not in host.settings.named)
    ]
    fresh += [
        OldSetting(place, _read_option(host, service, name), value)
        for (service, name), value in changes.options.items()
        if name in _KEPT and (place := f"{service}/{name}") not in known
    ]
    # How it was before the first run is kept beside the routes, for whoever takes it out again.
    return _collect(replace(host, changed=(*host.changed, *fresh))) if fresh else changes


def _collect(host: Host) -> Changes:
    changes = Changes(host.settings)
    for requirement in ALL:
        if requirement.set is not None:
            requirement.set(host, changes)
    return changes


def _read_old(host: Host, name: str) -> str:
    named = name in host.settings.named
    return host.settings.written.get(name, "") if named else UNSET


def _read_option(host: Host, service: str, name: str) -> str:
    found = host.settings.find(service)
    return found.written.get(name, UNSET) if found is not None else UNSET


def withdraw(host: Host) -> Changes:
    """Collect every change that takes the tracker out again."""
    changes = Changes(host.settings)
    for requirement in ALL:
        if requirement.unset is not None:
            requirement.unset(host, changes)
    for each in host.changed:
        if each.name not in HARMLESS:
            if each.old == UNSET and changes.main.get(each.name) == "":
                changes.drop(each.name)
        elif _read_old(host, each.name) == each.new:  # what somebody has set since stays
            if each.old == UNSET:
                changes.want_unset(each.name)
            else:
                changes.want(each.name, each.old)
    return changes
