"""What `check` finds out about Postfix: whether all mail meets the tracker, and none goes past it.

Everything here judges settings that were read already (`postfix_settings`); where an alias domain's
mail goes is judged in `check_routes`. Postfix absent or unreadable is a finding.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping

from conversation_tracker.checks.finding import Fact, note, ok, wrong
from conversation_tracker.config.options import Socket
from conversation_tracker.postfix.settings import (
    Milter,
    Service,
    Settings,
    entries,
    milters,
    seconds,
)

SPLITTER = "tracker-split"
CONFIGURE = "run postfix/configure"

_SAFE = ("tempfail", "shutdown")
_VERIFIERS = re.compile(r"opendmarc|clamav|clamsmtp|spamass|spamd|amavis|spf", re.IGNORECASE)
_WILDCARDS = ("0.0.0.0", "::")

# Seconds that Postfix must be ready to wait: what our own timeouts come to, and some.
_LEAST_WAITS = {
    "milter_connect_timeout": 10,
    "milter_command_timeout": 30,
    "milter_content_timeout": 120,
}
_BIG_MESSAGE = 25_000_000  # octets
_COPIES = 4  # of a message, in memory at once


def chrooted(service: Service, settings: Settings) -> bool:
    """Tell whether a service runs inside the queue directory (master(5))."""
    if service.chroot in ("y", "n"):
        return service.chroot == "y"
    return settings.value("compatibility_level").partition(".")[0] in ("", "0")


def is_ours(address: str, socket: Socket, settings: Settings, *, inside: bool) -> bool:
    """Tell whether a milter's address, as a service sees it, is the tracker's socket.

    Args:
        address: as Postfix has it.
        socket: the tracker's.
        settings: Postfix's.
        inside: the service runs chrooted.
    """
    kind, _, where = address.partition(":")
    if socket.kind == "unix":
        # Postfix's daemons run in the queue directory; for a chrooted one it is the root as well.
        queue = settings.value("queue_directory")
        path = posixpath.join(queue, where.lstrip("/") if inside else where)
        return kind in ("unix", "local") and _same_path(path, socket.path)
    host, _, port = where.rpartition(":")
    host = host.strip("[]").lower().replace("localhost", "127.0.0.1")
    own = socket.host.replace("localhost", "127.0.0.1")
    return kind == "inet" and port == str(socket.port) and (host == own or own in _WILDCARDS)


def _same_path(one: str, other: str) -> bool:
    return posixpath.normpath(one) == posixpath.normpath(other)


def listeners(settings: Settings) -> list[Service]:
    """Give the services that are the splitter's way in."""
    return [s for s in settings.services if s.options.get("milter_macro_daemon_name") == SPLITTER]


def meets(service: Service, settings: Settings, socket: Socket) -> bool:
    """Tell whether mail that comes in at a service meets the tracker.

    Args:
        service: it.
        settings: Postfix's.
        socket: the tracker's.
    """
    if "no_milters" in entries(settings.value("receive_override_options", service)):
        return False
    listed = milters(settings.value("smtpd_milters", service))
    return _place(listed, socket, settings, inside=chrooted(service, settings)) is not None


def facts(settings: Settings, socket: Socket) -> Iterator[Fact]:
    """Judge whether all mail meets the tracker.

    Args:
        settings: Postfix's.
        socket: the tracker's.
    """
    yield from _default_action(settings)
    yield from _milter_list(settings, socket)
    yield from _local_mail(settings, socket)
    yield from _overrides(settings, socket)
    yield from _listener(settings, socket)
    yield from _waits(settings)
    yield from _size(settings)
    yield from _bare_newline(settings)
    yield from _addresses_in_log(settings)


def _default_action(settings: Settings) -> Iterator[Fact]:
    action = settings.value("milter_default_action")
    if action in _SAFE:
        yield ok(f"milter_default_action is {action}")
    else:
        yield wrong(
            f"milter_default_action is {action}: a milter that dies would let mail out unmasked"
            if action == "accept"
            else f"milter_default_action is {action}: mail must wait while the tracker is down",
            "postconf -e milter_default_action=tempfail",
        )


def _milter_list(settings: Settings, socket: Socket) -> Iterator[Fact]:
    """Judge smtpd_milters for each way mail can come in that has no list of its own."""
    ways = [s for s in settings.services if s.takes_mail and "smtpd_milters" not in s.options]
    inside = any(chrooted(service, settings) for service in ways)
    listed = milters(settings.value("smtpd_milters"))
    place = _place(listed, socket, settings, inside=inside)
    if place is None:
        if _place(listed, socket, settings, inside=not inside) is not None or (
            inside and _outside(socket, settings)
        ):
            yield wrong(
                f"smtpd is chrooted and cannot reach {socket} by what smtpd_milters says",
                f"put the socket below {settings.value('queue_directory')}, and {CONFIGURE}",
            )
        else:
            yield wrong(f"smtpd_milters does not name the tracker's socket {socket}", CONFIGURE)
        return
    yield ok("smtpd_milters names the tracker's socket")
    ours, *behind = listed[place:]
    if ours.action and ours.action not in _SAFE:
        yield wrong(
            f"smtpd_milters gives the tracker default_action={ours.action}",
            "take it out: a milter that dies would let mail out unmasked",
        )
    yield from _behind(behind)


def _place(listed: list[Milter], socket: Socket, settings: Settings, *, inside: bool) -> int | None:
    for place, milter in enumerate(listed):
        if is_ours(milter.address, socket, settings, inside=inside):
            return place
    return None


def _outside(socket: Socket, settings: Settings) -> bool:
    queue = settings.value("queue_directory").rstrip("/")
    return socket.kind == "unix" and not socket.path.startswith(f"{queue}/")


def _behind(behind: list[Milter]) -> Iterator[Fact]:
    if not behind:
        yield note("no milter is behind the tracker: what it rewrites leaves unsigned")
    for milter in behind:
        if _VERIFIERS.search(milter.address):
            yield wrong(
                f"{milter.address} is behind the tracker in smtpd_milters",
                "put what verifies before it: it sees mail that is masked already",
            )
        else:
            yield ok(f"behind the tracker is {milter.address}, which must do nothing but sign")


def _local_mail(settings: Settings, socket: Socket) -> Iterator[Fact]:
    listed = milters(settings.value("non_smtpd_milters"))
    if any(_place(listed, socket, settings, inside=inside) is not None for inside in (True, False)):
        yield wrong(
            "non_smtpd_milters names the tracker's socket",
            "take it out: mail it refuses or defers there would stick in the queue",
        )


def _overrides(settings: Settings, socket: Socket) -> Iterator[Fact]:
    """Judge what goes past the tracker, in main.cf and at single services."""
    fine = True
    for name, trouble in _ways_past(settings.main):
        fine = False
        yield wrong(f"main.cf: {name} {trouble}", f"take it out, and {CONFIGURE}")
    own = listeners(settings)
    for service in settings.services:
        if not service.takes_mail or service in own:
            continue
        if service.loopback and (backs := list(_way_back(service, settings, socket))):
            fine = fine and all(fact.verdict == "ok" for fact in backs)
            yield from backs
            continue
        found = [f"{name} {trouble}" for name, trouble in _ways_past(service.options)]
        if "smtpd_milters" in service.options:
            listed = milters(service.options["smtpd_milters"])
            inside = chrooted(service, settings)
            if _place(listed, socket, settings, inside=inside) is None:
                found.append("smtpd_milters is its own, without the tracker")
        action = service.options.get("milter_default_action", _SAFE[0])
        if action not in _SAFE:
            found.append(f"milter_default_action is {action}")
        for trouble in found:
            fine = False
            yield _way_past(service, trouble)
    if fine:
        yield ok("no service that takes mail leaves the tracker out")


def _way_back(service: Service, settings: Settings, socket: Socket) -> Iterator[Fact]:
    """Judge a service by which a content filter or proxy hands mail in; nothing if it is none.

    Its client is this host, which is trusted, whoever the sender may be. What passed the tracker
    before would be a loop here, and what did not would count as the store's own.
    """
    filtered = service.options.get("content_filter") == ""
    forwards = bool(settings.value("smtpd_authorized_xforward_hosts", service))
    if not filtered and not forwards:
        return
    if not meets(service, settings, socket):
        if filtered:
            yield ok(
                f"master.cf, {service}: what a content filter hands back passes no milter again"
            )
        return
    what = "a content filter hands mail back" if filtered else "a proxy hands mail on (XFORWARD)"
    yield wrong(
        f"master.cf, {service}: {what} here, and meets the tracker as mail of this host, trusted",
        "let the tracker see it where clients connect, and add no_milters to"
        " receive_override_options here",
    )


def _ways_past(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Give the parameters among `values` that keep mail from milters, and how."""
    if "no_milters" in entries(values.get("receive_override_options", "")):
        yield "receive_override_options", "has no_milters"
    for name in ("smtpd_milter_maps", "smtpd_proxy_filter"):
        if values.get(name, ""):
            yield name, "is set, and keeps mail from the tracker"


def _way_past(service: Service, trouble: str) -> Fact:
    text = f"master.cf, {service}: {trouble}"
    if service.loopback:
        # As a rule a content filter's way back in: its mail has met the tracker before.
        return note(f"{text}; right only where no mail of a store's own comes in")
    return wrong(text, f"take it out, or {CONFIGURE} --service {service}")


def _listener(settings: Settings, socket: Socket) -> Iterator[Fact]:
    if settings.value("milter_macro_daemon_name") == SPLITTER:
        yield wrong(
            f"main.cf: milter_macro_daemon_name is {SPLITTER}",
            "take it out: that name is the splitter's listener's alone",
        )
    found = listeners(settings)
    if len(found) != 1:
        yield wrong(
            f"master.cf has {len(found)} listeners with milter_macro_daemon_name={SPLITTER},"
            " it needs one",
            CONFIGURE,
        )
        return
    [listener] = found
    faults = list(_listener_faults(listener, settings, socket))
    for fault in faults:
        yield wrong(f"master.cf, {listener}: {fault}", CONFIGURE)
    if not faults:
        yield ok(f"the splitter's listener is {listener.name}")


def _listener_faults(listener: Service, settings: Settings, socket: Socket) -> Iterator[str]:
    if not listener.takes_mail or not listener.loopback:
        yield "it must be smtpd at a loopback address"
    if settings.value("local_header_rewrite_clients", listener):
        yield "local_header_rewrite_clients must be empty, or Postfix completes headers"
    own = milters(settings.value("smtpd_milters", listener))
    place = _place(own, socket, settings, inside=chrooted(listener, settings))
    if place is None:
        yield "its smtpd_milters does not name the tracker's socket"
    else:
        usual = milters(settings.value("smtpd_milters"))
        first = _place(usual, socket, settings, inside=chrooted(listener, settings))
        signers = {m.address for m in usual[first + 1 :]} if first is not None else set()
        for signer in sorted(signers - {m.address for m in own[place + 1 :]}):
            yield f"it lacks {signer}, which is behind the tracker elsewhere: copies leave unsigned"
    if settings.value("milter_default_action", listener) not in _SAFE:
        yield "its milter_default_action is not tempfail"
    overridden = set(entries(settings.value("receive_override_options", listener)))
    for option in sorted(
        overridden & {"no_milters", "no_address_mappings", "no_header_body_checks"}
    ):
        yield f"its receive_override_options has {option}"
    for name in ("smtpd_milter_maps", "smtpd_proxy_filter", "content_filter"):
        if settings.value(name, listener):
            yield f"its {name} is not empty"


def _waits(settings: Settings) -> Iterator[Fact]:
    fine = True
    for name, least in _LEAST_WAITS.items():
        value = settings.value(name)
        wait = seconds(value)
        if wait is not None and wait < least:
            fine = False
            yield wrong(f"{name} is {value}, the tracker may take {least} s", CONFIGURE)
    if fine:
        yield ok("Postfix waits long enough for the tracker")


def _size(settings: Settings) -> Iterator[Fact]:
    value = settings.value("message_size_limit")
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


def _bare_newline(settings: Settings) -> Iterator[Fact]:
    name = "smtpd_forbid_bare_newline"
    if name not in settings.main:
        yield note(f"this Postfix has no {name}: a newer one cannot be smuggled (LF.LF)")
        return
    value = settings.value(name)
    exclusions = settings.value(f"{name}_exclusions")
    if value == "no":
        yield wrong(f"{name} is no: a second mail can be hidden in one (LF.LF)", CONFIGURE)
    elif exclusions:
        yield note(f"{name}_exclusions is not empty: those clients can hide a mail in another")
    else:
        yield ok(f"{name} is {value}, for all clients")


def _addresses_in_log(settings: Settings) -> Iterator[Fact]:
    """Judge how Postfix's log writes addresses: without quotes nobody can tell where one ends."""
    form = settings.value("info_log_addr_form")
    if form not in ("", "external"):
        yield wrong(
            f"info_log_addr_form is {form}: an address in the log can look like a delivery",
            "postconf -e info_log_addr_form=external",
        )
