"""Sets of header names that more than one room asks for, in lower case.

A set that one file alone asks for stands in that file.
"""

THREADING = frozenset({b"message-id", b"in-reply-to", b"references"})
"""What makes a thread of messages (RFC 5322 section 3.6.4)."""

IDENTIFYING = THREADING | {b"content-id", b"resent-message-id"}
"""The fields of messages and parts that hold identifiers."""

NEVER_KEPT = frozenset(
    b"""
    x-conversation-hops bcc resent-bcc dkim-signature domainkey-signature
    authentication-results received-spf return-path delivered-to x-original-to
    x-envelope-to x-envelope-from errors-to
    """.split()
)
"""What no copy keeps: the hop count, which is written anew; signatures that our edits break, where
the message was delivered before, and who was to receive it blindly."""

ANSWERED = frozenset({b"from", b"sender", b"reply-to", b"mail-followup-to", b"mail-reply-to"})
"""Where an answer goes, or seems to come from."""
