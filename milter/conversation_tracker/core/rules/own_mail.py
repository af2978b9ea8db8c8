"""A store's own mail: who may hand it in, and the order that its order header names."""

from collections.abc import Mapping
from dataclasses import replace

from conversation_tracker.core.model.message import Arrival, Message
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.syntax.encoded_words import decode_words

_LONGEST_NUMBER = 200


class UnusableNumber(ValueError):
    """The store's order header names no order."""


def find_own_store(message: Message, stores: Mapping[str, Store]) -> Store | None:
    """Return whose own mail a message is.

    Args:
        message: the message.
        stores: the stores by each of their sender domains.

    Returns:
        The store, if the client is trusted, may hand in its mail, and the author is in one of its
        sender domains.
    """
    if not message.arrival.trusted or message.arrival.split or message.author is None:
        return None
    store = stores.get(message.author.domain)
    return store if store is not None and _submits(message.arrival, store) else None


def drop_false_trust(message: Message, stores: Mapping[str, Store]) -> Message:
    """Do not trust a client that writes as a store whose mail it may not hand in.

    What it says is then a claim like any stranger's.

    Args:
        message: the message.
        stores: the stores by each of their sender domains.

    Returns:
        The message; the same object where nothing changes.
    """
    arrival = message.arrival
    if not arrival.trusted:
        return message
    claimed = [stores.get(author.domain) for author in message.authors]
    if all(store is None or _submits(arrival, store) for store in claimed):
        return message
    return replace(message, arrival=replace(arrival, trusted=False))


def _submits(arrival: Arrival, store: Store) -> bool:
    return not store.submitters or arrival.user in store.submitters


def read_order_number(message: Message, store: Store) -> str | None:
    """Read the order's number from the store's order header.

    Args:
        message: the store's own mail.
        store: the store.

    Returns:
        The number, None if there is no such header.

    Raises:
        UnusableNumber: it is empty, or too long. What was meant to be masked must not leave as it
            is.
    """
    value = message.first(store.order_header.encode("ascii").lower())
    if value is None:
        return None
    number = decode_words(value).strip()
    if not 0 < len(number) <= _LONGEST_NUMBER:
        raise UnusableNumber
    return number
