"""The feed held against what is recorded: every event once, in its place, and nothing else."""

import psycopg

_QUEUED = "SELECT count(*) FROM tracker.event_queue"
_HEAD = "SELECT position FROM tracker.feed_head"
_GAPS = """
SELECT 'between the positions ' || before || ' and ' || position || ' there is none'
  FROM (SELECT position, lag(position, 1, %(since)s::bigint) OVER (ORDER BY position) AS before
          FROM tracker.feed WHERE position > %(since)s) AS each
 WHERE position <> before + 1
UNION ALL
SELECT 'the head is ' || h.position || ', the last position ' || last.position
  FROM tracker.feed_head AS h,
       (SELECT coalesce(max(position), %(since)s) AS position FROM tracker.feed) AS last
 WHERE h.position <> last.position
"""
_MESSAGES = """
SELECT 'message ' || coalesce(m.id, f.message_id) || ' is told ' || coalesce(f.times, 0)
       || ' times and is recorded ' || count(m.id) || ' times'
  FROM tracker.messages AS m
  FULL JOIN (SELECT message_id, count(*) AS times FROM tracker.feed
              WHERE event = 'recorded' AND position > %(since)s GROUP BY message_id) AS f
    ON f.message_id = m.id
 GROUP BY m.id, f.message_id, f.times
HAVING count(m.id) <> 1 OR coalesce(f.times, 0) <> 1
"""
_STATES = """
SELECT 'a delivery of message ' || d.message_id || ' is ' || d.state || ' and was told as '
       || coalesce(string_agg(f.event, ', ' ORDER BY f.position), 'nothing')
  FROM tracker.deliveries AS d
  JOIN tracker.participants AS p ON p.id = d.recipient_id
  JOIN tracker.orders AS o ON o.id = p.order_id
  LEFT JOIN tracker.feed AS f
    ON f.message_id = d.message_id AND f.position > %(since)s
   AND f.alias = tracker.hard_alias(p.token, o.alias_domain)
   AND f.event IN ('sent', 'delayed', 'bounced')
 GROUP BY d.message_id, d.recipient_id, d.state
HAVING coalesce((array_agg(f.event::text ORDER BY f.position DESC))[1], 'accepted') <> d.state
    OR count(f.event) <> count(DISTINCT f.event::text)
"""
# Messages of one order that are recorded at once may stand in either order; what began after
# another was committed stands behind it.
_ORDER = """
SELECT 'message ' || early.message_id || ' is told after ' || late.message_id
       || ' of its order, which began after it was committed'
  FROM tracker.feed AS early
  JOIN tracker.messages AS m ON m.id = early.message_id
  JOIN tracker.feed AS late
    ON late.order_id = early.order_id AND late.position < early.position
   AND late.event = 'recorded' AND late.position > %(since)s
  JOIN tracker.messages AS n ON n.id = late.message_id
 WHERE early.event = 'recorded' AND early.position > %(since)s
   AND pg_xact_commit_timestamp(m.xmin) < n.at
"""

# Refusals stay where messages are counted anew: those of before have events of before.
_REFUSALS = """
SELECT 'order ' || coalesce(r.order_id, f.order_id) || ' has ' || coalesce(r.times, 0)
       || ' refusals, and ' || coalesce(f.times, 0) || ' are told'
  FROM (SELECT order_id, count(*) AS times FROM tracker.refusals
         WHERE since > coalesce((SELECT max(at) FROM tracker.feed WHERE position <= %(since)s),
                                '-infinity')
         GROUP BY order_id) AS r
  FULL JOIN (SELECT order_id, count(*) AS times FROM tracker.feed
              WHERE event = 'refused' AND position > %(since)s GROUP BY order_id) AS f
    USING (order_id)
 WHERE coalesce(r.times, 0) <> coalesce(f.times, 0)
"""


def head(uri: str) -> int:
    """Return the last position."""
    with psycopg.connect(uri) as connection:
        [(position,)] = connection.execute(_HEAD).fetchall()
    return int(position)


def queued(uri: str) -> int:
    """Return how many events wait to be published."""
    with psycopg.connect(uri) as connection:
        [(count,)] = connection.execute(_QUEUED).fetchall()
    return int(count)


def faults(uri: str, since: int) -> list[str]:
    """Return what is wrong in the feed behind a position, one line each."""
    found = []
    with psycopg.connect(uri) as connection:
        for query in (_GAPS, _MESSAGES, _STATES, _REFUSALS, _ORDER):
            rows = connection.execute(query.encode(), {"since": since}).fetchall()
            found += [f"feed: {said}" for (said,) in rows]
    return found
