"""All rows, in the order of the table."""

from beside import clients, connections, filters, mailboxes, policies, senders, verifiers
from beside.row import Row

ALL: tuple[Row, ...] = (
    *verifiers.ROWS,
    *policies.ROWS,
    *filters.ROWS,
    *mailboxes.ROWS,
    *connections.ROWS,
    *senders.ROWS,
    *clients.ROWS,
)
