"""The rows of tracker.texts: which messages lack one, and what is written there.

Each function is one statement. Raises the driver's errors.
"""

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from conversation_tracker.database.connection import Connection


class MessagePlace(NamedTuple):
    """Which message: its time, as the database writes it, and its number."""

    at: str
    id: int


NEWEST = MessagePlace("infinity", 2**63 - 1)
"""Behind every message."""

_LACKS: LiteralString = """
    NOT EXISTS (SELECT FROM tracker.texts AS t
                 WHERE t.message_id = m.id AND t.message_at = m.at)"""
_RECENT: LiteralString = (
    "SELECT m.at::text, m.id FROM tracker.messages AS m"
    " WHERE m.at > now() - %s::interval AND" + _LACKS + " ORDER BY m.at DESC, m.id DESC LIMIT %s"
)
# The last of a line says where the next one begins, whether it lacks anything or not.
_OLDER: LiteralString = (
    "WITH line AS MATERIALIZED ("
    " SELECT m.at, m.id FROM tracker.messages AS m"
    "  WHERE m.at <= %(at)s::timestamptz AND (m.at, m.id) < (%(at)s::timestamptz, %(id)s)"
    "  ORDER BY m.at DESC, m.id DESC LIMIT %(most)s)"
    " SELECT m.at::text, m.id," + _LACKS + " FROM line AS m ORDER BY m.at DESC, m.id DESC"
)
_RAW: LiteralString = """
    SELECT CASE WHEN octet_length(m.raw) <= %s THEN m.raw END
      FROM tracker.messages AS m WHERE m.id = %s AND m.at = %s::timestamptz"""
# The row is locked: whoever erases the author's name waits, and then finds the words. Contents go
# as they are (b): as text they would take several times as much memory.
_INSERT: LiteralString = """
    INSERT INTO tracker.texts (message_id, message_at, order_id, body, html, attachments, files,
                               marks, words)
    SELECT m.id, m.at, m.order_id, found.body, %(html)s, %(files)s,
           coalesce(%(contents)b::bytea[], '{}'), %(marks)s::text[],
           tracker.write_words(tracker.word_mark(o.store), o.number, m.subject, m.sender_name,
                               m.attachment_names, found.body)
      FROM (SELECT * FROM tracker.messages AS m
             WHERE m.id = %(id)s AND m.at = %(at)s::timestamptz FOR SHARE) AS m
      JOIN tracker.orders AS o ON o.id = m.order_id,
           LATERAL (SELECT coalesce(nullif(%(body)s::text, ''), m.first_words) AS body) AS found
    ON CONFLICT DO NOTHING"""
# What the database says of values that it cannot keep.
_REFUSED = (
    psycopg.DataError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
    psycopg.errors.CheckViolation,
)


def find_recent(connection: Connection, within: str, most: int) -> list[MessagePlace]:
    """Return messages of late that nothing was taken out of, the newest first.

    Args:
        connection: not in a transaction.
        within: how late, an interval.
        most: how many at most.
    """
    with connection.apply_limits():
        return [MessagePlace(*row) for row in connection.execute(_RECENT, (within, most))]


def find_older(
    connection: Connection, before: MessagePlace, most: int
) -> tuple[list[MessagePlace], MessagePlace | None]:
    """Look at the messages before one, the newest first.

    Args:
        connection: not in a transaction.
        before: the message.
        most: how many to look at.

    Returns:
        Those that nothing was taken out of; and the last one looked at, None if there are no more.
    """
    with connection.apply_limits():
        line = connection.execute(_OLDER, {"at": before.at, "id": before.id, "most": most})
        found = [(MessagePlace(at, number), lacks) for at, number, lacks in line]
    last = found[-1][0] if len(found) == most else None
    return [place for place, lacks in found if lacks], last


def fetch_raw(connection: Connection, place: MessagePlace, most: int) -> bytes | None:
    """Return a recorded message; None if it is gone by now, or has more octets than `most`."""
    with connection.apply_limits(), connection.cursor(binary=True) as cursor:
        row = cursor.execute(_RAW, (most, place.id, place.at)).fetchone()
    return row[0] if row else None


def insert(
    connection: Connection,
    place: MessagePlace,
    body: str | None,
    html: str | None,
    files: Sequence[dict[str, Any]],
    contents: Sequence[bytes],
    marks: Sequence[str],
) -> bool:
    """Write what was taken out of a message; nothing if it is gone, or was taken out before.

    Args:
        connection: not in a transaction.
        place: the message.
        body: its text; of None or an empty one its first words are kept.
        html: its page, sanitised.
        files: an object for each file.
        contents: contents of files that the database cannot decode.
        marks: what could not be taken out.

    Returns:
        False where the database cannot keep such values.
    """
    values = {
        "id": place.id, "at": place.at, "body": body, "html": html, "files": Jsonb(list(files)),
        "contents": list(contents) or None, "marks": list(marks),
    }  # fmt: skip
    try:
        with connection.apply_limits():
            connection.execute(_INSERT, values)
    except _REFUSED:
        return False
    return True
