"""Finds addresses to which Postfix tries to deliver, and at once cannot: nobody has them.

So a test goes the whole way out, and comes back as a report, but into nobody's mailbox and to no
other host.
"""

from collections.abc import Iterator

from conversation_tracker.postfix.settings import Settings, TableError

_KEEPING = ("always_bcc", "sender_bcc_maps", "recipient_bcc_maps")
_CATCHING = (
    "luser_relay", "fallback_transport", "fallback_transport_maps", "mailbox_transport",
    "mailbox_transport_maps",
)  # fmt: skip
_RELAYING = (
    "relayhost", "sender_dependent_relayhost_maps", "sender_dependent_default_transport_maps",
)  # fmt: skip
NOWHERE = "check.invalid"  # RFC 2606


def find_trouble(settings: Settings) -> str:
    """Return why no test can be sent without something of it staying, or "".

    Args:
        settings: Postfix's.
    """
    keeping = next((name for name in _KEEPING if settings.get_value(name)), "")
    if keeping:
        return f"{keeping} would keep a copy"
    if settings.get_value("soft_bounce") == "yes":
        return "with soft_bounce it would stay in the queue"
    if {"bounce", "2bounce"} & set(settings.entries("notify_classes")):
        return "notify_classes would have Postfix write to its postmaster about it"
    return ""


def list_domains(settings: Settings, word: str) -> list[str]:
    """Return the domains of which no address but those there are is taken; the best come first.

    Args:
        settings: Postfix's.
        word: what stands for a mailbox that is not there.
    """
    return [
        domain
        for domain in _list_candidates(settings)
        if not _is_redirected(settings, f"{word}@{domain}")
    ]


def _list_candidates(settings: Settings) -> Iterator[str]:
    local = settings.get_value("local_transport").partition(":")[0]
    if local in ("local", "error") and not any(map(settings.get_value, _CATCHING)):
        named = [each.lower() for each in settings.entries("mydestination")]
        yield from (
            each for each in named if "." in each and each.isascii() and not {*each} & {*":/![]"}
        )
    usual = settings.get_value("default_transport").partition(":")[0] == "smtp"
    if usual and not any(map(settings.get_value, _RELAYING)):
        yield NOWHERE


def _is_redirected(settings: Settings, address: str) -> bool:
    local, _, domain = address.rpartition("@")
    names = ("virtual_alias_maps", "canonical_maps", "recipient_canonical_maps")
    tables = [table for name in names for table in settings.entries(name)]
    own = settings.entries("alias_maps") if domain != NOWHERE else []
    try:
        if any(settings.ask(each, key) for each in tables for key in (address, f"@{domain}")):
            return True
        if any(settings.ask(each, local) for each in own):  # a pattern may catch everybody
            return True
        route = settings.route(address)
    except TableError:
        return True
    return route is not None and not route.startswith(("error:", "local:"))
