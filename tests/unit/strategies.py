"""What hypothesis draws for mail: addresses, mailboxes, header fields, MIME trees and reports.

They are the fuzzer's builders, driven by drawn bytes: what shrinks is the row of choices.
"""

from hypothesis import strategies as st

import spelling
import trees
from choices import Choices

CHOICES = st.binary(max_size=500).map(Choices)

ADDRESSES = CHOICES.map(spelling.address)
"""Somebody's address, mostly a participant's."""

MAILBOXES = CHOICES.map(spelling.mailbox)
"""A mailbox in any shape of RFC 5322, and in broken ones."""

FIELDS = CHOICES.map(trees.field)
"""One header field with its line end, folded with LF."""

TEXTS = CHOICES.map(spelling.text)
"""Running text with addresses in it, however they are spelled."""

TREES = CHOICES.map(trees.part)
"""A MIME part with its header block, and whatever is in it."""

REPORTS = CHOICES.map(trees.report)
"""A delivery status notification as RFC 3464 has it, or as others write it."""


def messages(author: str) -> st.SearchStrategy[bytes]:
    """Draw whole messages of somebody."""
    return CHOICES.map(lambda choices: trees.message(choices, author))
