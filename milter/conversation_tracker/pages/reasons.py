"""Why mail did not arrive, in plain sentences: enhanced status codes (RFC 3463), our replies."""

import re

from conversation_tracker.core.model import replies

_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})\Z", re.ASCII)

_BY_SUBJECT = {
    1: "Something is wrong with the address",
    2: "The mailbox does not take it",
    3: "The recipient's mail system does not take it",
    4: "The recipient's mail server could not be reached",
    5: "The mail servers did not understand each other",
    6: "The recipient's mail system does not take what is in the message",
    7: "The recipient's mail system refuses it by its rules",
}
_BY_DETAIL = {
    (1, 1): "No such mailbox",
    (1, 2): "No such domain, or it takes no mail",
    (1, 3): "The address is not valid",
    (1, 4): "The address means more than one mailbox",
    (1, 6): "The mailbox has moved, and nobody knows where",
    (1, 7): "The sender's address is not valid",
    (1, 8): "The sender's address is not known",
    (1, 9): "The recipient's mail system is no mail server",
    (1, 10): "The domain takes no mail",
    (2, 1): "The mailbox is switched off",
    (2, 2): "The mailbox is full",
    (2, 3): "The message is too large for the mailbox",
    (2, 4): "A mailing list could not pass it on",
    (3, 1): "The recipient's mail system is full",
    (3, 2): "The recipient's mail system takes no mail at the moment",
    (3, 4): "The message is too large for the recipient's mail system",
    (3, 5): "The recipient's mail system is set up wrongly",
    (4, 1): "The recipient's mail server does not answer",
    (4, 2): "The connection broke off",
    (4, 3): "The recipient's mail server could not be found",
    (4, 4): "The recipient's mail server could not be found",
    (4, 5): "The recipient's mail system has too much to do",
    (4, 6): "The message goes round in circles",
    (4, 7): "It was tried for too long, and was given up",
    (5, 3): "The message has too many recipients",
    (6, 1): "The recipient's mail system does not take this kind of content",
    (6, 7): "The recipient's mail system takes no addresses with such letters",
    (7, 1): "The recipient's mail system refuses it by its rules",
    (7, 2): "The mailing list takes no mail from this sender",
    (7, 13): "The recipient's account is switched off",
    (7, 17): "The mailbox belongs to somebody else by now",
    (7, 18): "The domain belongs to somebody else by now",
    (7, 20): "The recipient's mail system wants a signature (DKIM) that lacks",
    (7, 21): "The recipient's mail system wants a signature (DKIM) that lacks",
    (7, 22): "The recipient's mail system wants another signature (DKIM)",
    (7, 23): "The sending server is not one of the sender's domain (SPF)",
    (7, 24): "Whether the sending server is one of the sender's domain (SPF) could not be checked",
    (7, 25): "The sending server's name and address do not match",
    (7, 26): "The message could not prove where it comes from (SPF, DKIM)",
    (7, 27): "The sender's domain takes no mail itself",
    (7, 28): "The recipient's mail system has had too much mail from here",
}
_OURS = {
    replies.UNKNOWN_ALIAS: "It was sent to an alias that does not exist",
    replies.EXPIRED_ALIAS: "The order's aliases have stopped working",
    replies.SENDER_REFUSED: "This store takes no mail from this sender",
    replies.FORGED_SENDER: "It gave one of our aliases as its sender",
    replies.UNNAMED: "The store's own mail did not say which order it belongs to",
    replies.NOT_A_REPORT: "It was sent to an address for delivery reports only",
    replies.ALONE: "It was sent to several at once where one is taken; the sender tries again",
    replies.TOO_MANY_PARTICIPANTS: "The order has too many people already",
    replies.LOOP: "It came from here: mail was going round in circles",
    replies.CANNOT_MASK: "Somebody's address is in it and cannot be hidden",
    replies.TOO_MANY_FIELDS: "Its header is too long",
    replies.TOO_SLOW: "It is too complicated to hide the addresses in it",
    replies.CONDEMNED: "It could not be worked on",
    replies.NO_SENDER: "It does not say who sent it",
    replies.HOURLY_LIMIT: "The order got too many messages in an hour; the sender tries again",
    replies.TRY_LATER: "It could not be taken at the moment; the sender tries again",
}
_BY_REPLY = {str(reply): words for reply, words in _OURS.items()}
_NO_REASON = "The recipient's mail system did not take it"


def explain_status(status: str) -> str:
    """Say in words what an enhanced status code means.

    Args:
        status: as `class.subject.detail`; anything else is no reason.

    Returns:
        A sentence without its full stop.
    """
    found = _STATUS.match(status)
    if found is None:
        return _NO_REASON
    subject, detail = int(found[2]), int(found[3])
    return _BY_DETAIL.get((subject, detail)) or _BY_SUBJECT.get(subject, _NO_REASON)


def explain_refusal(reply: str) -> str:
    """Say in words why we refused a message.

    Args:
        reply: ours, as it was recorded, perhaps with how many more there were behind it.

    Returns:
        A sentence without its full stop.
    """
    known = next((words for said, words in _BY_REPLY.items() if reply.startswith(said)), None)
    return known or "We did not take it"
