"""Where in a copy the reader's own address stands, and where whose alias: for people to look at.

The final scan's matcher finds it, in every form in which somebody may see it. No line holds a real
address. Nothing here raises.
"""

from collections.abc import Iterator, Sequence

from conversation_tracker.core.base.limits import UNLIMITED, Limits
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.model.conversation import Conversation, Participant
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.scan import Scanner


def find_positions(
    headers: Sequence[Header],
    body: Octets,
    conversation: Conversation,
    reader: Participant,
    limits: Limits = UNLIMITED,
) -> Iterator[str]:
    """Find the reader's own address in a copy, and everybody's aliases.

    Args:
        headers: the copy's header fields.
        body: its body.
        conversation: the conversation with everybody who takes part.
        reader: whose copy it is.
        limits: what looking may use.

    Returns:
        A line for what stands for each, with its places as of `Hit`: first for the reader, then for
        the others as they joined; none for whom nothing is there.
    """
    own = f"own {reader.token}"
    wanted = {reader.address.key: own} if reader.address is not None else {}
    for participant in conversation:
        wanted[conversation.hard(participant)] = participant.token
        if (soft := conversation.soft(participant)) is not None:
            wanted[soft] = participant.token
    places: dict[str, dict[str, None]] = {}
    for hit in Scanner(wanted, limits).scan(headers, body):
        places.setdefault(hit.token, {})[hit.channel] = None
    names = {own: "their own address", reader.token: "their alias"}
    for each in conversation:
        alias = f"the alias of {each.role} {conversation.hard(each)}"
        names.setdefault(each.token, alias)
    for token, what in names.items():
        if token in places:
            who = f"{reader.role} {conversation.hard(reader)}"
            yield f"copy for {who}: {what} in {', '.join(places[token])}"
