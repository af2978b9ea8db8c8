"""What lets mail past the tracker: settings of main.cf, and services with settings of their own."""

from collections.abc import Iterator, Mapping

from conversation_tracker.postfix.finding import Finding, doubt, note, ok, refusal
from conversation_tracker.postfix.host import CONFIGURE, Host
from conversation_tracker.postfix.milters import (
    SAFE_ACTIONS,
    find_ours,
    meets_tracker,
    read_milters,
)
from conversation_tracker.postfix.settings import MasterService, split_entries

# What keeps all mail of a service from milters.
UNSEEN = ("smtpd_milter_maps", "smtpd_proxy_filter")


def find_ways_past(host: Host) -> Iterator[Finding]:
    """Judge whether mail of a store's own systems can come in without meeting the tracker."""
    found = [*_find_in_main(host)]
    for service in host.ways_in:
        if str(service) not in host.exempt:
            backs = [*_find_way_back(host, service)] if service.loopback else []
            found += backs or _find_at_service(host, service)
    yield from found
    for name in host.exempt:
        yield note(f"{name} is exempt: its mail need not meet the tracker")
    if all(finding.verdict == "ok" for finding in found):
        yield ok("no service that takes mail leaves the tracker out")


def _find_in_main(host: Host) -> Iterator[Finding]:
    for name, trouble in _find_unseen(host.settings.main):
        if name not in host.exempt:
            mend = "take it out"
            if name in UNSEEN:
                mend += f", or {CONFIGURE} --exempt {name} if no mail of a store's own is meant"
            yield refusal(f"main.cf: {name} {trouble}", mend)


def _find_unseen(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the parameters among `values` that keep mail from milters, and how."""
    if "no_milters" in split_entries(values.get("receive_override_options", "")):
        yield "receive_override_options", "has no_milters"
    for name in UNSEEN:
        if values.get(name, ""):
            yield name, "is set, and keeps mail from the tracker"


def _find_at_service(host: Host, service: MasterService) -> Iterator[Finding]:
    text = f"master.cf, {service}"
    for trouble, mend in _find_own_settings(host, service):
        if service.loopback:
            # As a rule a content filter's way back in: its mail has met the tracker before.
            yield doubt(
                f"{text}: {trouble}; right only where no mail of a store's own systems comes in"
            )
        else:
            mend += f", or {CONFIGURE} --exempt {service} if no mail of a store's own comes in"
            yield refusal(f"{text}: {trouble}", mend)


def _find_own_settings(host: Host, service: MasterService) -> Iterator[tuple[str, str]]:
    """Yield what a service sets so that mail goes past the tracker, and what to do."""
    for name, trouble in _find_unseen(service.options):
        yield f"{name} {trouble}", "take it out"
    if "smtpd_milters" in service.options:
        listed = read_milters(service.options["smtpd_milters"])
        inside = host.is_inside(service)
        place = find_ours(listed, host.socket, host.settings, inside=inside)
        if place is None:
            yield (
                "smtpd_milters is its own, without the tracker",
                f"take it out, or {CONFIGURE} --service {service} to add it there",
            )
        elif listed[place].lets_pass:
            yield (
                f"smtpd_milters gives the tracker default_action={listed[place].action}",
                CONFIGURE,
            )
    action = service.options.get("milter_default_action", SAFE_ACTIONS[0])
    if action not in SAFE_ACTIONS:
        yield f"milter_default_action is {action}", "take it out"


def _find_way_back(host: Host, service: MasterService) -> Iterator[Finding]:
    """Judge a service by which a content filter or proxy hands mail in; nothing if it is none.

    Its client is this host, which is trusted, whoever the sender may be. What passed the tracker
    before would be a loop here, and what did not would count as the store's own.
    """
    filtered = service.options.get("content_filter") == ""
    forwards = bool(host.settings.get_value("smtpd_authorized_xforward_hosts", service))
    if not filtered and not forwards:
        return
    if not meets_tracker(service, host.settings, host.socket):
        if filtered:
            yield ok(
                f"master.cf, {service}: what a content filter hands back passes no milter again"
            )
        return
    what = "a content filter hands mail back" if filtered else "a proxy hands mail on (XFORWARD)"
    yield refusal(
        f"master.cf, {service}: {what} here, and meets the tracker as mail of this host, trusted",
        "add no_milters to receive_override_options here, and let the tracker see mail where"
        f" clients connect; or {CONFIGURE} --exempt {service}",
    )
