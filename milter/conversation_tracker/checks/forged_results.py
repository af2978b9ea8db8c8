"""What `check` finds out about verifiers: whether what a stranger writes in their name is believed.

It says to the running Postfix what a stranger would: a message with forged Authentication-Results,
to an address that the tracker alone knows for what it is (`core.rules.probe`). The tracker refuses
it in the end, and its reply tells what it would have believed. Nothing is recorded and nothing is
delivered. What keeps Postfix from being asked is a finding.
"""

import time
from collections.abc import Collection, Iterator
from email.utils import formatdate, make_msgid

from conversation_tracker.checks.finding import CheckLine, note, ok, wrong
from conversation_tracker.checks.handing_in import hand_in
from conversation_tracker.config.socket import Socket
from conversation_tracker.core.model import replies
from conversation_tracker.core.rules import probe
from conversation_tracker.postfix.host import find_listeners
from conversation_tracker.postfix.milters import meets_tracker
from conversation_tracker.postfix.names import name_command
from conversation_tracker.postfix.settings import MasterService, Settings, split_entries

_AUTHOR = "forged-results.invalid"  # RFC 2606: nobody's, and without a policy
_PORTS = {"smtp": 25}
_SUBMISSION = ("submission", "587", "submissions", "smtps", "465")
_EVERYWHERE = ("all", "loopback-only", "localhost")


def check(
    settings: Settings, socket: Socket, authserv_id: str, domains: Collection[str], secret: bytes
) -> Iterator[CheckLine]:
    """Ask the running Postfix, at each place where a stranger's mail comes in.

    Args:
        settings: Postfix's.
        socket: the tracker's.
        authserv_id: whose results are believed, "" for nobody's.
        domains: the alias domains.
        secret: what a probe is signed with.
    """
    if not authserv_id:
        yield ok("authserv_id is empty: nobody's Authentication-Results are believed")
        return
    if not domains:
        yield note("there is no alias domain: whether forged results are believed was not asked")
        return
    address = probe.make_address(min(domains), time.time(), secret)
    for place in find_places(settings, socket):
        said = hand_in(place, settings, "", [address], write_message(authserv_id))
        yield _judge(place[0], said, authserv_id)


def find_places(settings: Settings, socket: Socket) -> Iterator[tuple[MasterService, str, int]]:
    """Find where strangers come in: service, host and port.

    Args:
        settings: Postfix's.
        socket: the tracker's.
    """
    own = find_listeners(settings)
    behind = [s for s in settings.services if s.command == "smtpd" and s.type == "pass"]
    for service in settings.services:
        host, _, name = service.name.rpartition(":")
        if service.type != "inet" or service in own or name in _SUBMISSION:
            continue
        if service.command == "postscreen":
            met = any(meets_tracker(each, settings, socket) for each in behind)
        else:
            met = service.takes_mail and meets_tracker(service, settings, socket)
        port = _PORTS.get(name, int(name) if name.isdecimal() else 0)
        if met and port:
            yield service, host.strip("[]") or _find_own_host(settings), port


def _find_own_host(settings: Settings) -> str:
    """Return the address at which a service is reached that names none."""
    first = next(iter(split_entries(settings.get_value("inet_interfaces"))), "all").strip("[]")
    if first not in _EVERYWHERE:
        return first
    return "::1" if settings.get_value("inet_protocols") == "ipv6" else "127.0.0.1"


def write_message(authserv_id: str) -> bytes:
    """Write a message with results that nobody found, in each form that may get past a verifier.

    Args:
        authserv_id: whose name to write them in.
    """
    forms = (
        f"{authserv_id}; dkim=pass header.d={_AUTHOR}; dmarc=pass header.from={_AUTHOR}",
        f"{authserv_id}; dkim=pass header.d={_AUTHOR}",
        f"{authserv_id}; dmarc=pass (p=none dis=none) header.from={_AUTHOR}",
        f"{authserv_id}; spf=pass smtp.mailfrom=forged@{_AUTHOR}",
        f'"{authserv_id}" 1; dkim=pass header.d={_AUTHOR}',
        f"\r\n\t{authserv_id.upper()};\r\n\tdkim=pass header.i=@{_AUTHOR};",
        # OpenDKIM cannot read these, and leaves what it cannot read.
        f"{authserv_id}; dkim=pass header.d={_AUTHOR} smtp.mailfrom=a=b@{_AUTHOR}",
        f"{authserv_id}; dkim=pass header.d={_AUTHOR} x-forged.by=check",
    )
    lines = [
        *(f"Authentication-Results: {form}" for form in forms),
        f"From: Forged results <forged@{_AUTHOR}>",
        "To: undisclosed-recipients:;",
        "Subject: Are forged results believed? (a test by conversation-tracker check)",
        f"Date: {formatdate()}",
        f"Message-ID: {make_msgid(domain=_AUTHOR)}",
        "",
        "This goes nowhere.",
        "",
    ]
    return "\r\n".join(lines).encode("ascii", "replace")


def _judge(service: MasterService, said: str, authserv_id: str) -> CheckLine:
    """Judge the reply that ended the message."""
    where = f"master.cf, {service}"
    if said == str(replies.PROBE_BELIEVED):
        return wrong(
            f"{where}: what a stranger writes in the name of {authserv_id} is believed",
            f"run {name_command('configure')} --authserv-id {authserv_id}, and reload Postfix",
        )
    if said == str(replies.PROBE_FAILED):
        return ok(f"{where}: results that a stranger writes in the name of {authserv_id} are not")
    if said == str(replies.PROBE_UNASKED):
        return wrong(
            f"{where}: the running service believes no results, its authserv_id is another",
            "systemctl reload conversation-tracker",
        )
    if said.startswith("2"):
        return wrong(f"{where}: the tracker is not asked", "see what else is wrong here")
    status = " ".join(word for word in said.split()[:2] if word[:1].isalnum())
    return note(f"{where}: whether forged results are believed could not be asked ({status})")
