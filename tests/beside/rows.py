"""All rows, in the order of the table."""

from beside import filters, verifiers
from beside.row import Row

ALL: tuple[Row, ...] = (*verifiers.ROWS, *filters.ROWS)
