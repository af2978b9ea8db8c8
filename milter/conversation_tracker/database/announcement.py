"""What the world is told of a message that is new: one JSON text, aliases only.

It has no line break in it, whatever the order is called, and is short enough for a notification:
less than 8000 octets. docs/sql.md shows one.
"""

import json

from conversation_tracker.core.model.plan import Record

_MANY = 50  # recipients
_OCTETS = 5500  # of their aliases; the rest is for the names of store and order, of any characters
_TOKEN = 36  # octets around the domain: the token, "@", quotes and a comma

_json = json.JSONEncoder(ensure_ascii=False, separators=(", ", " : ")).encode


def announcement(number: int, store: str, order: str, alias_domain: str, record: Record) -> str:
    """Write the announcement of a message.

    Args:
        number: its id in the database.
        store: the store's name.
        order: the order's number.
        alias_domain: the order's alias domain.
        record: the message; of very many recipients, only the first ones are named.

    Returns:
        The text.
    """
    first = min(_MANY, _OCTETS // (len(alias_domain) + _TOKEN))
    return _json(
        {
            "id": number,
            "store": store,
            "order": order,
            "direction": record.direction,
            "from": f"{record.sender}@{alias_domain}",
            "to": [f"{token}@{alias_domain}" for token, _bounce in record.recipients[:first]],
        }
    )
