"""All rows, in the order of the table."""

from beside import clients, connections, filters, mailboxes, policies, senders, settings, verifiers
from beside.row import Row

ALL: tuple[Row, ...] = (
    *verifiers.ROWS,
    *policies.ROWS,
    *filters.ROWS,
    *mailboxes.ROWS,
    *connections.ROWS,
    *settings.ROWS,
    *senders.ROWS,
    *clients.ROWS,
)
