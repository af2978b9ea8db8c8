"""The signer's configuration and tables: which domains it signs for, by which keys."""

import re

from installer.machine import Machine
from installer.signing.places import Places

_ROW = re.compile(r"(?m)^(\S+) \1:([^:\s]+):")
_CONFIGURATION = """\
# Written by postfix/signer: an OpenDKIM that signs what leaves in the alias domains, and does nothing else.
# It signs for whoever the client is: that is safe only because the tracker, which is before it, refuses a forged From.
Mode                s
Syslog              yes
UMask               007
Socket              local:{socket}
KeyTable            file:{keys}
SigningTable        refile:{signing}
InternalHosts       {hosts}
Canonicalization    relaxed/relaxed
SignatureAlgorithm  rsa-sha256
OversignHeaders     From
SignHeaders         *,+List-Unsubscribe-Post
"""  # noqa: E501


def read_domains(places: Places) -> dict[str, str]:
    """Return the selector of each domain that an earlier run set up."""
    try:
        return dict(_ROW.findall(places.tables[0].read_text("utf-8", "replace")))
    except OSError:
        return {}


def write_tables(machine: Machine, places: Places, domains: dict[str, str]) -> bool:
    """Write what OpenDKIM reads, and return whether anything changed."""
    keys, signing, hosts = places.tables
    texts = {
        keys: "".join(
            f"{domain} {domain}:{selector}:{places.find_key(domain, selector)}\n"
            for domain, selector in domains.items()
        ),
        # Soft aliases are in subdomains, and signed by their alias domain's key.
        signing: "".join(f"*@{domain} {domain}\n*@*.{domain} {domain}\n" for domain in domains),
        hosts: "0.0.0.0/0\n::/0\n",
        places.configuration: _CONFIGURATION.format(
            socket=places.socket, keys=keys, signing=signing, hosts=hosts
        ),
    }
    changed = False
    for path, text in texts.items():
        changed |= machine.write(path, text, 0o644)
    return changed
