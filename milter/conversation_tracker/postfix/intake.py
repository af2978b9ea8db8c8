"""What Postfix must do with mail that comes in: ask the tracker, wait, send it enough macros."""

import re
from collections.abc import Iterator

from conversation_tracker.postfix.changes import Changes
from conversation_tracker.postfix.finding import Finding, doubt, fault, note, ok, refusal
from conversation_tracker.postfix.host import CONFIGURE, SPLITTER, Host
from conversation_tracker.postfix.milters import (
    SAFE_ACTIONS,
    Milter,
    find_ours,
    insert_ours,
    is_chrooted,
    list_names,
    read_milters,
    read_socket,
    write_address,
)
from conversation_tracker.postfix.settings import read_seconds, split_entries

# Seconds that Postfix must be ready to wait (what our own time-outs come to, and some), and what
# is set where it waits less.
_WAITS = {
    "milter_connect_timeout": (10, "30s"),
    "milter_command_timeout": (30, "30s"),
    "milter_content_timeout": (120, "300s"),
}
_PROTOCOL = "6"
# By these the tracker decides what a client may do.
_MACROS = {
    "milter_connect_macros": ("{daemon_name}",),
    "milter_mail_macros": ("{auth_authen}", "{auth_type}"),
}
_VERIFIERS = re.compile(r"opendmarc|clamav|clamsmtp|spamass|spamd|amavis|spf", re.IGNORECASE)
_NEWLINE = "smtpd_forbid_bare_newline"
_EXCLUSIONS = "smtpd_forbid_bare_newline_exclusions"
_LOG_FORM = "info_log_address_format"
_BIG_MESSAGE = 25_000_000  # octets
_COPIES = 4  # of a message, in memory at once

HARMLESS = frozenset(
    {"milter_default_action", "milter_protocol", _NEWLINE, _EXCLUSIONS, _LOG_FORM, *_WAITS}
)


def find_default_action(host: Host) -> Iterator[Finding]:
    """Judge whether mail waits while a milter fails: it must never leave half masked."""
    action = host.settings.get_value("milter_default_action")
    if action in SAFE_ACTIONS:
        yield ok(f"milter_default_action is {action}")
    else:
        yield refusal(
            f"milter_default_action is {action}: a milter that dies would let mail out unmasked"
            if action == "accept"
            else f"milter_default_action is {action}: mail must wait while the tracker is down",
            CONFIGURE,
        )


def find_silent(host: Host) -> Iterator[Finding]:
    """Judge the milters of others: mail that passes while one is down would wait from now on.

    Where it waits already, that is not our doing.

    Args:
        host: Postfix as it is before anything is changed.
    """
    settings = host.settings
    if settings.get_value("milter_default_action") in SAFE_ACTIONS:
        return
    known = {host.ours, host.signer, host.old_milter, host.old_signer}
    for milter in read_milters(settings.get_value("smtpd_milters")):
        address = write_address(milter.address, settings)
        if milter.action or address in known:
            continue
        socket = read_socket(address, settings) if address else None
        trouble = host.greet(socket) if socket else None
        if isinstance(trouble, str):
            yield refusal(
                f"smtpd_milters has {milter.address}, where no milter answers ({trouble}): mail"
                " passes it now, and would wait",
                f"start it, take it out, or write {{ {milter.address}, default_action=accept }}",
            )


def set_default_action(host: Host, changes: Changes) -> None:
    """Make Postfix keep mail waiting when the milter does not answer."""
    if host.settings.get_value("milter_default_action") not in SAFE_ACTIONS:
        changes.want("milter_default_action", SAFE_ACTIONS[0])


def find_milters(host: Host) -> Iterator[Finding]:
    """Judge whether the tracker is asked, after the verifiers and right before the signer."""
    settings, socket = host.settings, host.socket
    ways = [s for s in host.ways_in if "smtpd_milters" not in s.options]
    inside = any(host.is_inside(service) for service in ways)
    listed = read_milters(settings.get_value("smtpd_milters"))
    place = find_ours(listed, socket, settings, inside=inside)
    if place is None:
        if find_ours(listed, socket, settings, inside=not inside) is not None:
            yield refusal(
                f"smtpd is chrooted and cannot reach {socket} by what smtpd_milters says", CONFIGURE
            )
        else:
            yield refusal(f"smtpd_milters does not name the tracker's socket {socket}", CONFIGURE)
        return
    yield ok("smtpd_milters names the tracker's socket")
    if listed[place].lets_pass:
        yield refusal(
            f"smtpd_milters gives the tracker default_action={listed[place].action}: when it dies,"
            " it would let mail out unmasked",
            CONFIGURE,
        )
    yield from _find_signer(host, listed, place)
    yield from _find_behind(listed[place + 1 :])


def _find_signer(host: Host, listed: list[Milter], place: int) -> Iterator[Finding]:
    """Judge the signer's place: what signs before the tracker signs what is then rewritten."""
    addresses = [write_address(m.address, host.settings) or m.address for m in listed]
    signs_before = not set(addresses[:place]).isdisjoint(list_names(host.signer))
    if host.signer and (signs_before or addresses[place + 1 : place + 2] != [host.signer]):
        yield refusal(
            f"smtpd_milters does not have {host.ours} right before the signer {host.signer}",
            "name each on its own in that list, in this order",
        )


def _find_behind(behind: list[Milter]) -> Iterator[Finding]:
    if not behind:
        yield note("no milter is behind the tracker: what it rewrites leaves unsigned")
    for milter in behind:
        if _VERIFIERS.search(milter.address):
            yield fault(
                f"{milter.address} is behind the tracker in smtpd_milters",
                "put what verifies before it: it sees mail that is masked already",
            )
        else:
            yield ok(f"behind the tracker is {milter.address}, which must do nothing but sign")


def find_signer(host: Host) -> Iterator[Finding]:
    """Judge whether the signer runs: while it does not, all mail waits.

    One that was there before may be down for a while; a new one would be a mistake.
    """
    socket = read_socket(host.signer, host.settings) if host.signer else None
    if socket is None:
        return
    trouble = host.greet(socket)
    if trouble is None:
        yield ok(f"the signer answers on {socket}")
    elif isinstance(trouble, PermissionError):
        yield note(f"{socket} is not for this user to ask: run check as root")
    else:
        say = fault if host.signer == host.old_signer else refusal
        yield say(
            f"no signer answers on {socket} ({trouble})",
            f"start it; or {CONFIGURE} --signer with another one, or none",
        )


def set_milters(host: Host, changes: Changes) -> None:
    """Put the tracker into smtpd_milters, and into the lists of services that are to have it."""
    settings = host.settings
    written = split_entries(settings.join_list("smtpd_milters"))
    if not _has_ours(host, written) and _has_ours(host, settings.entries("smtpd_milters")):
        return  # by way of another parameter
    changes.want_list("smtpd_milters", _insert(host, written))
    for name in host.joined:
        service = settings.find(name)
        if service is not None:
            own = split_entries(service.written.get("smtpd_milters", ""))
            changes.want_option(service, "smtpd_milters", ",".join(_insert(host, own)))


def _has_ours(host: Host, listed: list[str]) -> bool:
    addresses = [each.address for each in read_milters(" ".join(listed))]
    written = {write_address(each, host.settings) for each in addresses}
    return not written.isdisjoint(list_names(host.ours))


def _insert(host: Host, listed: list[str]) -> list[str]:
    old = (host.old_milter, host.old_signer if host.old_signer != host.signer else "")
    return insert_ours(listed, host.ours, host.signer, old, host.settings)


def _names(host: Host, listed: str, address: str) -> bool:
    """Whether a list of milters names one, given as Postfix has it."""
    named = {write_address(each.address, host.settings) for each in read_milters(listed)}
    return not address or not named.isdisjoint(list_names(address))


def unset_milters(host: Host, changes: Changes) -> None:
    """Take the tracker out of every list of milters, and a signer that came with it."""
    settings = host.settings
    ours = [*list_names(host.ours), *list_names(host.old_milter)]
    before = {each.name: each.old for each in host.changed}

    def others(listed: list[str], place: str) -> list[str]:
        came = place in before and not _names(host, before[place], host.old_signer)
        gone = [*ours, *(list_names(host.old_signer) if came else ())]
        named = zip(listed, read_milters(" ".join(listed)), strict=True)
        return [each for each, m in named if write_address(m.address, settings) not in gone]

    listed = split_entries(settings.join_list("smtpd_milters"))
    changes.want_list("smtpd_milters", others(listed, "smtpd_milters"))
    for service in settings.services:
        if "smtpd_milters" in service.written and service.name != host.old_listener:
            own = split_entries(service.written["smtpd_milters"])
            place = f"{service}/smtpd_milters"
            changes.want_option(service, "smtpd_milters", ",".join(others(own, place)))


def find_socket(host: Host) -> Iterator[Finding]:
    """Judge where the socket is: a chrooted smtpd sees nothing outside the queue directory."""
    queue = host.settings.get_value("queue_directory").rstrip("/")
    for service in host.ways_in if host.outside else ():
        if is_chrooted(service, host.settings):
            yield refusal(
                f"the socket {host.socket.path} is outside {queue}, where the chrooted service"
                f" {service} cannot reach it",
                f"put it under {queue}",
            )


def find_macros(host: Host) -> Iterator[Finding]:
    """Judge whether the tracker learns by which service mail comes in, and who logged in."""
    for name, wanted in _MACROS.items():
        for where, service in host.iter_places(name):
            given = host.settings.entries(name, service)
            for macro in wanted:
                if macro not in given:
                    yield refusal(
                        f"{where}: {name} does not hold {macro}",
                        "add it: the tracker knows by it who sends",
                    )
    if host.settings.get_value("milter_macro_daemon_name") == SPLITTER:
        yield refusal(
            f"main.cf: milter_macro_daemon_name is {SPLITTER}",
            "take it out: that name is the splitter's listener's alone",
        )


def find_local_mail(host: Host) -> Iterator[Finding]:
    """Judge whether mail of local programs meets the tracker before the splitter: it must not."""
    settings = host.settings
    listed = read_milters(settings.get_value("non_smtpd_milters"))
    inside = [find_ours(listed, host.socket, settings, inside=each) for each in (True, False)]
    if any(place is not None for place in inside):
        yield refusal(
            "non_smtpd_milters names the tracker's socket",
            "take it out: mail it refuses or defers there would stick in the queue",
        )


def find_waits(host: Host) -> Iterator[Finding]:
    """Judge whether Postfix waits as long as the tracker may take."""
    short = {name: least for name, (least, _) in _WAITS.items() if _is_short(host, name)}
    for name, least in short.items():
        value = host.settings.get_value(name)
        yield refusal(f"{name} is {value}, the tracker may take {least} s", CONFIGURE)
    if not short:
        yield ok("Postfix waits long enough for the tracker")


def set_waits(host: Host, changes: Changes) -> None:
    """Set how long Postfix waits; a longer wait is the administrator's choice."""
    for name, (_, usual) in _WAITS.items():
        if _is_short(host, name):
            changes.want(name, usual)


def _is_short(host: Host, name: str) -> bool:
    wait = read_seconds(host.settings.get_value(name))
    return wait is not None and wait < _WAITS[name][0]


def find_protocol(host: Host) -> Iterator[Finding]:
    """Judge whether Postfix speaks the version of the protocol that the tracker is tried with."""
    value = host.settings.get_value("milter_protocol")
    if value not in ("", _PROTOCOL):
        yield doubt(f"milter_protocol is {value}, the tracker is tried with {_PROTOCOL}")


def set_protocol(host: Host, changes: Changes) -> None:
    """Set the version of the protocol."""
    if host.settings.get_value("milter_protocol") != _PROTOCOL:
        changes.want("milter_protocol", _PROTOCOL)


def find_bare_newline(host: Host) -> Iterator[Finding]:
    """Judge whether a message ends where the milter sees it end (LF.LF), for every client."""
    settings = host.settings
    if _NEWLINE not in settings.main:
        yield note(f"this Postfix has no {_NEWLINE}: a newer one cannot be smuggled (LF.LF)")
    elif settings.get_value(_NEWLINE) == "no":
        yield refusal(f"{_NEWLINE} is no: a second mail can be hidden in one (LF.LF)", CONFIGURE)
    elif settings.get_value(_EXCLUSIONS):
        yield doubt(f"{_EXCLUSIONS} is not empty: those clients can hide a mail in another")
    else:
        yield ok(f"{_NEWLINE} is {settings.get_value(_NEWLINE)}, for all clients")


def set_bare_newline(host: Host, changes: Changes) -> None:
    """Set how messages end; an older Postfix cannot."""
    settings = host.settings
    if _NEWLINE in settings.main:
        if settings.get_value(_NEWLINE) not in ("normalize", "yes", "reject"):
            changes.want(_NEWLINE, "normalize")
        if settings.get_value(_EXCLUSIONS):
            changes.want(_EXCLUSIONS, "")


def find_log_form(host: Host) -> Iterator[Finding]:
    """Judge how the log writes addresses: without quotes nobody can tell where one ends."""
    form = host.settings.get_value(_LOG_FORM)
    if form not in ("", "external"):
        yield refusal(
            f"{_LOG_FORM} is {form}: an address in the log can look like a delivery", CONFIGURE
        )


def set_log_form(host: Host, changes: Changes) -> None:
    """Make Postfix log addresses with quotes."""
    if host.settings.get_value(_LOG_FORM) not in ("", "external"):
        changes.want(_LOG_FORM, "external")


def find_size(host: Host) -> Iterator[Finding]:
    """Judge the size of messages: one costs the tracker a few times its size in memory."""
    value = host.settings.get_value("message_size_limit")
    limit = int(value) if value.isdigit() else 0
    if limit == 0:
        yield note("message_size_limit is 0: a message may fill the tracker's memory")
    elif limit > _BIG_MESSAGE:
        yield note(
            f"message_size_limit is {limit // 1_000_000} MB: such a message takes the tracker some"
            f" {_COPIES * limit // 1_000_000} MB of memory"
        )
    else:
        yield ok(f"message_size_limit is {value}")


def find_protocols(host: Host) -> Iterator[Finding]:
    """Judge whether the splitter's listener can have its IPv4 address."""
    if host.settings.get_value("inet_protocols") == "ipv6":
        yield refusal(
            "inet_protocols is ipv6, and the splitter's listener needs 127.0.0.1", "set it to all"
        )
