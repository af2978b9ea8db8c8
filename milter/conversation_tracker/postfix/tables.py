"""The two tables that `configure` writes: routes of the alias domains, and our header checks."""

import re

from conversation_tracker.postfix.host import CHANGED, EXEMPT, SPLITTER, Host

_ROUTES = """\
# Mail to the alias domains goes to the splitter, which makes one copy for each recipient.
# Written by postfix/configure. A regular expression answers for the whole address: in transport_maps, an entry for
# a whole address or a deeper domain in any other table would otherwise come before one for the domain here.
"""  # noqa: E501
_RECEIVED = """\
# The Received header that this host itself adds to mail for one alias names the host that sent it; no milter can see
# or change that header. Written by postfix/configure; run it again when myhostname or mail_name changes.
"""  # noqa: E501
_FORGED = """\
# What a client writes in the name of this host's own verifiers; see authserv_id in the tracker's configuration.
"""  # noqa: E501
_POSTMASTER = "# Who gets mail for a postmaster must see where it came from.\n"
_PLAIN = re.compile(r"[A-Za-z0-9_-]")


def write_routes(host: Host) -> str:
    """Write the regular expression table that sends the alias domains to the splitter."""
    there = write_next_hop(host)
    exempt = "".join(f"{EXEMPT}{name}\n" for name in host.exempt)
    changed = "".join(f"{CHANGED}{x.name}: {x.old} -> {x.new}\n" for x in host.changed)
    return f"{_ROUTES}{exempt}{changed}" + "".join(
        f"/^(.*[@.])?{quote(domain)}$/  {SPLITTER}:{there}\n" for domain in host.domains
    )


def write_next_hop(host: Host) -> str:
    """Return the listener's address as a transport takes it."""
    address, _, port = host.listener.rpartition(":")
    return f"[{address}]:{port}"


def write_header_checks(host: Host) -> str:
    """Write the header checks that take HELO and address of the sending host out of Received.

    Header checks see what clients send, not what milters add: forged results go here as well.
    """
    name = host.settings.get_value("mail_name")
    own = [host.settings.get_value("myhostname")]
    own += [s.options["myhostname"] for s in host.settings.services if "myhostname" in s.options]
    hosts = "|".join(dict.fromkeys(map(quote, own)))
    lines = [_RECEIVED]
    if host.authserv_id:
        start = rf'/^Authentication-Results[[:space:]]*:[[:space:]]*"?{quote(host.authserv_id)}'
        lines += [_FORGED, f"{start}([^.[:alnum:]-]|$)/  IGNORE\n"]
    lines.append(_POSTMASTER)
    lines += [
        f"/^Received: from [^<]*for <(postmaster|abuse)@{quote(domain)}\\.?>;/  DUNNO\n"
        for domain in host.domains
    ]
    lines += [
        rf"/^Received: from .*[[:space:]]by ({hosts}) \({quote(name)}\) with [[:alnum:]]+"
        rf" id ([[:alnum:]]+)[[:space:]]+for <[^>]*[@.]{quote(domain)}\.?>;[[:space:]]*"
        r"([^[:space:]].*)$/"
        f"  REPLACE Received: by $1 ({name}) id $2; $3\n"
        for domain in host.domains
    ]
    return "".join(lines)


def quote(text: str) -> str:
    """Write a text so that a POSIX regular expression between slashes means it literally."""
    return "".join(c if _PLAIN.match(c) else f"\\{c}" for c in text)
