"""What the splitter needs: a way out with one recipient at a time, and a listener for the way in.

The fragments postfix/main.cf and postfix/master.cf say the same for those who do it by hand.
"""

from collections.abc import Iterator, Mapping

from conversation_tracker.postfix.changes import Changes
from conversation_tracker.postfix.finding import Finding, ok, refusal
from conversation_tracker.postfix.host import CONFIGURE, SPLITTER, Host, find_listeners
from conversation_tracker.postfix.milters import (
    SAFE_ACTIONS,
    find_ours,
    read_milters,
    write_address,
)
from conversation_tracker.postfix.names import is_loopback
from conversation_tracker.postfix.settings import (
    MasterService,
    Settings,
    read_seconds,
    split_entries,
)

TRANSPORT = f"{SPLITTER}/unix"
LIMIT = f"{SPLITTER}_destination_recipient_limit"

# An SMTP client that hands each recipient's copy to the listener unchanged. What main.cf may say
# for mail to the outside world (fallback, credentials, header checks, line folding) must not
# touch it.
TRANSPORT_OPTIONS = {
    "syslog_name": "postfix/tracker-split",
    "smtp_bind_address": "127.0.0.1",
    "smtp_fallback_relay": "",
    "smtp_sasl_auth_enable": "no",
    "smtp_tls_security_level": "none",
    "smtp_tls_policy_maps": "",
    "smtp_send_xforward_command": "no",
    "smtp_generic_maps": "",
    "smtp_header_checks": "",
    "smtp_mime_header_checks": "",
    "smtp_nested_header_checks": "",
    "smtp_body_checks": "",
    "smtp_line_length_limit": "0",
    "smtp_discard_ehlo_keywords": "",
    "smtp_discard_ehlo_keyword_address_maps": "",
    "disable_mime_output_conversion": "yes",
}

# Takes mail for our own domains from this host only, believes nothing about it, and has the
# milters that its second pass needs (`_MILTERS`). The checks of the first pass are not made again.
_MILTERS = "smtpd_milters"
LISTENER_OPTIONS = {
    "syslog_name": "postfix/tracker-split",
    "milter_macro_daemon_name": SPLITTER,
    _MILTERS: "",
    "smtpd_milter_maps": "",
    "milter_default_action": SAFE_ACTIONS[0],
    "receive_override_options": "no_unknown_recipient_checks",
    "content_filter": "",
    "smtpd_proxy_filter": "",
    "local_header_rewrite_clients": "",
    "smtputf8_autodetect_classes": "all",
    "mynetworks": "127.0.0.0/8",
    "smtpd_client_restrictions": "permit_mynetworks,reject",
    "smtpd_helo_restrictions": "",
    "smtpd_sender_restrictions": "",
    "smtpd_relay_restrictions": "permit_auth_destination,reject",
    "smtpd_recipient_restrictions": "permit_auth_destination,reject",
    "smtpd_data_restrictions": "",
    "smtpd_end_of_data_restrictions": "",
    "smtpd_sasl_auth_enable": "no",
    "smtpd_tls_security_level": "none",
    "smtpd_upstream_proxy_protocol": "",
    "smtpd_authorized_xforward_hosts": "",
    "smtpd_authorized_xclient_hosts": "",
    "smtpd_discard_ehlo_keywords": "",
    "smtpd_discard_ehlo_keyword_address_maps": "",
    "smtpd_error_sleep_time": "0",
    "smtpd_soft_error_limit": "1001",
    "smtpd_hard_error_limit": "1000",
    "smtpd_client_event_limit_exceptions": "127.0.0.0/8",
}


def find_transport(host: Host) -> Iterator[Finding]:
    """Judge the splitter's way out: it makes one copy for each recipient."""
    service = host.settings.find(TRANSPORT)
    if service is None or service.command != "smtp":
        yield refusal(f"master.cf has no transport {SPLITTER}", CONFIGURE)
        return
    for trouble in _compare(service, host.settings, TRANSPORT_OPTIONS):
        yield refusal(f"master.cf, {service}: {trouble}", CONFIGURE)
    limit = host.settings.get_value(LIMIT)
    if limit == "1":
        yield ok(f"{LIMIT} is 1")
    else:
        yield refusal(
            f"{LIMIT} is {limit or 'not set'}: several recipients would get one copy", CONFIGURE
        )


def set_transport(host: Host, changes: Changes) -> None:
    """Make the splitter's way out."""
    fields = f"- - {_choose_chroot(host.settings, 'smtp')} - 20 smtp"
    changes.want_service(TRANSPORT, fields, TRANSPORT_OPTIONS)
    changes.want(LIMIT, "1")


def unset_transport(host: Host, changes: Changes) -> None:
    """Take the splitter's way out away."""
    changes.want_unset(LIMIT)
    changes.want_no_service(TRANSPORT)


def find_listener(host: Host) -> Iterator[Finding]:
    """Judge the splitter's way in: one listener, for this host only, set for the second pass."""
    found = find_listeners(host.settings)
    if _is_taken(host):
        yield refusal(
            f"master.cf has another service at {host.listener}", "name a free port with --listener"
        )
    elif _is_occupied(host):
        yield refusal(
            f"another program listens at {host.listener}", "name a free port with --listener"
        )
    elif len(found) != 1:
        others = [str(service) for service in found if service.name != host.listener]
        yield refusal(
            f"master.cf has {len(found)} listeners with milter_macro_daemon_name={SPLITTER},"
            " it needs one",
            f"take that name from {', '.join(others)}" if others else CONFIGURE,
        )
    else:
        [listener] = found
        faults = list(_find_listener_faults(host, listener))
        for trouble in faults:
            yield refusal(f"master.cf, {listener}: {trouble}", CONFIGURE)
        if not faults:
            yield ok(f"the splitter's listener is {listener.name}")


def _is_taken(host: Host) -> bool:
    there = host.settings.find(f"{host.listener}/inet")
    return there is not None and there not in find_listeners(host.settings)


def _is_occupied(host: Host) -> bool:
    """Return whether a stranger has the port: Postfix's master would end when it is reloaded.

    A listener that was taken out of master.cf may still run: Postfix itself is no stranger.
    """
    if host.old_listener == host.listener or not is_loopback(host.listener):
        return False
    said = host.listen_at(host.listener)
    if said is None:
        return False
    name, product = (host.settings.get_value(each) for each in ("myhostname", "mail_name"))
    return not (said.startswith(f"220 {name} ") or f" ESMTP {product}" in said)


def _find_listener_faults(host: Host, listener: MasterService) -> Iterator[str]:
    settings = host.settings
    if not listener.takes_mail or not is_loopback(listener.name):
        yield "it must be smtpd at a loopback address (127.0.0.1:PORT), for this host only"
    inside = host.is_inside(listener)
    own = read_milters(settings.get_value(_MILTERS, listener))
    place = find_ours(own, host.socket, settings, inside=inside)
    if place is None:
        yield "its smtpd_milters does not name the tracker's socket"
    else:
        behind = {m.address for m in own[place + 1 :]}
        for signer in sorted(set(_find_behind(host, inside=inside)) - behind):
            yield f"it lacks {signer}, which is behind the tracker elsewhere: copies leave unsigned"
    wanted = {name: value for name, value in LISTENER_OPTIONS.items() if name != _MILTERS}
    yield from _compare(listener, settings, wanted)


def _find_behind(host: Host, *, inside: bool) -> list[str]:
    """Return the milters behind the tracker where mail comes in."""
    usual = read_milters(host.settings.get_value(_MILTERS))
    place = find_ours(usual, host.socket, host.settings, inside=inside)
    return [m.address for m in usual[place + 1 :]] if place is not None else []


def _compare(
    service: MasterService, settings: Settings, wanted: Mapping[str, str]
) -> Iterator[str]:
    """Yield what holds for a service instead of what is wanted."""
    for name, value in wanted.items():
        now = settings.get_value(name, service)
        if name == "milter_default_action" and now in SAFE_ACTIONS:
            continue
        if split_entries(now) != split_entries(value) and (
            read_seconds(now) is None or read_seconds(now) != read_seconds(value)
        ):
            yield f"its {name} is {now or 'empty'}, not {value or 'empty'}"


def set_listener(host: Host, changes: Changes) -> None:
    """Make the splitter's listener; one of an earlier run elsewhere goes."""
    if host.old_listener and host.old_listener != host.listener:
        changes.want_no_service(f"{host.old_listener}/inet")
    if _is_taken(host):
        return
    options = {**LISTENER_OPTIONS, _MILTERS: ",".join([host.ours, *_list_signers(host, changes)])}
    there = host.settings.find(f"{host.listener}/inet")
    if there is not None and there.written.get("milter_default_action") in SAFE_ACTIONS:
        del options["milter_default_action"]
    fields = f"n - {_choose_chroot(host.settings, 'smtpd')} - - smtpd"
    changes.want_service(f"{host.listener}/inet", fields, options)


def _list_signers(host: Host, changes: Changes) -> list[str]:
    """Return what will be behind the tracker where mail comes in: copies need it as well."""
    planned = changes.main.get(_MILTERS, host.settings.get_value(_MILTERS))
    addresses = [m.address for m in read_milters(planned)]
    places = [
        p for p, each in enumerate(addresses) if write_address(each, host.settings) == host.ours
    ]
    return addresses[places[0] + 1 :] if places else []


def unset_listener(host: Host, changes: Changes) -> None:
    """Take the listener away."""
    if host.old_listener:
        changes.want_no_service(f"{host.old_listener}/inet")


def _choose_chroot(settings: Settings, program: str) -> str:
    """Return the chroot field of the first service that runs a program: ours runs as that one."""
    return next((s.chroot for s in settings.services if s.command == program), "-")
