"""Sets of header names that more than one room asks for, in lower case.

A set that one file alone asks for stands in that file.
"""

THREADING = frozenset({b"message-id", b"in-reply-to", b"references"})
"""What makes a thread of messages (RFC 5322 section 3.6.4)."""

IDENTIFYING = THREADING | {b"content-id", b"resent-message-id", b"original-message-id"}
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

ADDRESS_HEADERS = frozenset(
    b"""
    from sender reply-to to cc bcc apparently-to errors-to
    resent-from resent-sender resent-reply-to resent-to resent-cc resent-bcc
    mail-followup-to mail-reply-to
    disposition-notification-to return-receipt-to x-confirm-reading-to x-pmrqc
    """.split()
)
"""Headers whose value is a list of addresses: each has a place, not only a text."""

KEPT_FROM_PROTECTED = frozenset(
    b"""
    from to cc reply-to subject date message-id in-reply-to references
    mime-version content-type content-transfer-encoding content-disposition content-id
    content-description content-language content-location content-base content-duration
    content-features content-md5 content-alternative
    auto-submitted importance priority x-priority precedence
    x-conversation-hops
    """.split()
)
"""All that is kept of mail whose sender is a person to protect: what makes a message readable,
keeps its thread together and stops loops. Everything else may tell who wrote, or where. See also
`is_needed`."""

TRACE_HEADERS = frozenset(
    # The way the message took, and the envelope it travelled in.
    b"""
    received return-path delivered-to x-received x-original-to envelope-to
    """.split()
    # What servers on that way found out about the sender. A retry may find out something else.
    + b"""
    authentication-results x-authentication-results received-spf
    x-spam x-spamd-result x-rspamd-queue-id x-rspamd-server x-virus-scanned
    """.split()
    # Signatures over what the message was; they break when it is masked.
    + b"""
    dkim-signature domainkey-signature x-google-dkim-signature
    """.split()
)
"""Headers added on the way, which say nothing of what the sender wrote; see also `is_trace`."""


def is_needed(key: bytes) -> bool:
    """Return whether a header is kept of a person's mail: a reader needs it.

    Args:
        key: its name in lower case.
    """
    return key in KEPT_FROM_PROTECTED or key.startswith(b"content-")
