"""What `check` finds out about programs of this host that hand in by /usr/sbin/sendmail.

No milter sees such mail on its way in. To a real address it leaves unmasked, and nobody notices; so
this is said where the store's own domain is one of this host's.
"""

from collections.abc import Collection, Iterator

from conversation_tracker.checks.finding import CheckLine, note
from conversation_tracker.postfix.settings import Settings, TableError

_LOCAL = ("mydestination", "virtual_mailbox_domains", "virtual_alias_domains")
_ANYBODY = "static:anyone"


def check(settings: Settings, sender_domains: Collection[str]) -> Iterator[CheckLine]:
    """Judge whether programs of this host may write as a store, past the tracker.

    Args:
        settings: Postfix's.
        sender_domains: what the stores' own mail comes from.
    """
    if _ANYBODY not in settings.entries("authorized_submit_users"):
        return
    local = [domain for domain in sorted(sender_domains) if _is_local(settings, domain)]
    if local:
        yield note(
            f"{', '.join(local)}: stores write from here, and what a program of this host gives to"
            " /usr/sbin/sendmail for a real address is not masked",
            "have such programs hand in by SMTP, or name in authorized_submit_users who may use it",
        )


def _is_local(settings: Settings, domain: str) -> bool:
    if domain in (settings.get_value("myorigin").lower(), settings.get_value("myhostname").lower()):
        return True
    try:
        return any(settings.find_in_list(name, domain) is not None for name in _LOCAL)
    except TableError:
        return False  # the alias domains' own check says of the table that it cannot be asked
