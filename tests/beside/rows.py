"""All rows, in the order of the table."""

from beside import filters, mailboxes, senders, verifiers
from beside.row import Row

ALL: tuple[Row, ...] = (*verifiers.ROWS, *filters.ROWS, *mailboxes.ROWS, *senders.ROWS)
