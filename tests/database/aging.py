"""Puts recorded messages at another time, as if they had come then.

PostgreSQL moves no row from one month to another while a foreign key points to the month; nothing
of the tracker changes a message's time, so only tests miss it.
"""

from collections.abc import Mapping

import psycopg

_MOVE = """
CREATE TEMPORARY TABLE m ON COMMIT DROP AS SELECT * FROM tracker.messages WHERE {where};
CREATE TEMPORARY TABLE d ON COMMIT DROP AS
    SELECT d.* FROM tracker.deliveries AS d JOIN m ON m.id = d.message_id;
DELETE FROM tracker.messages WHERE id IN (SELECT id FROM m);
UPDATE m SET at = {at};
UPDATE d SET message_at = m.at FROM m WHERE m.id = d.message_id;
INSERT INTO tracker.messages OVERRIDING SYSTEM VALUE SELECT * FROM m;
INSERT INTO tracker.deliveries SELECT * FROM d
"""


def move(uri: str, at: str, where: str = "true", values: Mapping[str, object] | None = None) -> int:
    """Set the time of messages anew.

    Args:
        uri: the database.
        at: an SQL expression of the new time; `at` stands for the old one.
        where: an SQL condition on tracker.messages.
        values: what stands for %(name)s in both.

    Returns:
        How many messages there were.
    """
    moved = 0
    with psycopg.connect(uri) as connection:
        for number, statement in enumerate(_MOVE.format(at=at, where=where).split(";")):
            cursor = connection.execute(statement.encode(), values or {})
            moved = cursor.rowcount if number == 0 else moved
    return moved
