"""How far the publisher is behind, as SQL expressions in seconds: of the feed, and of the texts.

The milter's metrics and `check` ask for both in one statement. Neither takes longer for how many
messages there are in all; that of the texts does for how many came in the last ten minutes, until
these are a thousand.
"""

from typing import LiteralString

UNPUBLISHED: LiteralString = """
    coalesce((SELECT extract(epoch FROM clock_timestamp() - q.at)::float8
                FROM tracker.event_queue AS q ORDER BY q.id LIMIT 1), 0)"""
"""The age of the oldest event that is not published, 0 if there is none."""

# Looked at are a thousand messages from the newest on that was read, which tells since when nobody
# reads; and a thousand of the last ten minutes, which tells when only some are read. A message of
# before there were texts does not count. Each row is looked up by its key, whatever the planner
# knows of the tables: an EXISTS could become a join with all of them.
UNREAD: LiteralString = """
    coalesce((
        WITH since AS MATERIALIZED (
            SELECT coalesce((SELECT m.applied_at FROM tracker.migrations AS m
                              WHERE m.name = '0021-texts'), '-infinity') AS made,
                   coalesce((SELECT t.message_at FROM tracker.texts AS t
                              ORDER BY t.message_id DESC LIMIT 1), '-infinity') AS read),
        seen AS MATERIALIZED (
            (SELECT m.id, m.at FROM tracker.messages AS m
              WHERE m.at > (SELECT greatest(made, read) FROM since)
              ORDER BY m.at LIMIT 1000)
            UNION ALL
            (SELECT m.id, m.at FROM tracker.messages AS m
              WHERE m.at > (SELECT greatest(made, now() - interval '10 minutes') FROM since)
                AND m.at < now() - interval '1 minute'
              ORDER BY m.at DESC LIMIT 1000))
        SELECT extract(epoch FROM clock_timestamp() - min(s.at))::float8 FROM seen AS s
         WHERE (SELECT t.message_id FROM tracker.texts AS t
                 WHERE t.message_id = s.id AND t.message_at = s.at LIMIT 1) IS NULL), 0)"""
"""The age of the oldest message that nothing was taken out of, 0 if there is none."""
