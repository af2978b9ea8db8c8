"""Sets of header names that more than one room asks for, in lower case.

A set that one file alone asks for stands in that file.
"""

THREADING = frozenset({b"message-id", b"in-reply-to", b"references"})
"""What makes a thread of messages (RFC 5322 section 3.6.4)."""

IDENTIFYING = THREADING | {b"content-id", b"resent-message-id"}
"""The fields of messages and parts that hold identifiers."""
