"""Which addresses are one mailbox in several spellings.

At most providers what follows a `+` is a tag; Gmail also reads no dots, and has two names. Letter
case and the forms of an international domain are `Address.key`'s. Nothing here raises.
"""

from conversation_tracker.core.model.address import Address

_GMAIL = ("gmail.com", "googlemail.com")


def base_identity(address: Address) -> str:
    """Return the identity of the mailbox that an address most likely is of.

    Args:
        address: any address.

    Returns:
        Its key without a tag; at Gmail without dots too, and under one name. A quoted local part
        (RFC 5321 section 4.1.2) has no tag.
    """
    local, _, domain = address.key.rpartition("@")
    if local.startswith('"'):
        return address.key
    untagged = local.partition("+")[0] or local
    if domain in _GMAIL:
        return f"{untagged.replace('.', '')}@{_GMAIL[0]}"
    return f"{untagged}@{domain}"


def mailbox_identity(address: Address) -> str:
    """Return the identity of the one mailbox an address surely is: `base_identity`, with its tag.

    What a tag is to one provider is to another a part of the name, and somebody else's mailbox.
    """
    local, _, domain = address.key.rpartition("@")
    if local.startswith('"') or domain not in _GMAIL:
        return address.key
    untagged, plus, tag = local.partition("+")
    return f"{untagged.replace('.', '')}{plus}{tag}@{_GMAIL[0]}"


def is_single_label(address: Address) -> bool:
    """Return whether a domain is a single label: no mail goes there from another host."""
    return "." not in address.domain and not address.domain.startswith("[")
