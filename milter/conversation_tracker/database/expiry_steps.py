"""The statements of expiry: what is due, and how it is taken away.

Each step is three statements, run in this order for each batch; `expiry` runs them.
`%(now)s` is the time to go by; `%(since)s` and `%(until)s` are the first and last time of a batch,
which say in which months it is. Nothing here runs anything.
"""

from dataclasses import dataclass
from typing import LiteralString


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of thing to take away.

    Attributes:
        counts: the counters that `act` gives a row of.
        seek: gives the next rows in line, (time, id), due or not: so each batch's work is bounded.
        lock: locks those of them that are due, and gives their ids.
        act: takes them away. A statement of its own, and so of a later snapshot: it sees all that
            was committed before the locks were had.
    """

    counts: tuple[str, ...]
    seek: LiteralString
    lock: LiteralString
    act: LiteralString


EMPTY = Step(
    ("orders", "addresses"),
    seek="""
        SELECT o.expires_at::text, o.id FROM tracker.orders AS o
         WHERE o.emptied_at IS NULL AND o.expires_at <= %(now)s
           AND (o.expires_at, o.id) > (%(at)s::timestamptz, %(id)s)
         ORDER BY o.expires_at, o.id LIMIT %(size)s""",
    lock="""
        SELECT id FROM tracker.orders
         WHERE id = ANY (%(ids)s) AND emptied_at IS NULL AND expires_at <= %(now)s
           FOR NO KEY UPDATE SKIP LOCKED""",
    act="""
        WITH emptied AS (
            UPDATE tracker.participants SET address = NULL
             WHERE order_id = ANY (%(ids)s) AND address IS NOT NULL RETURNING id
        ), apart AS (
            UPDATE tracker.return_addresses SET address = NULL
             WHERE order_id = ANY (%(ids)s) AND address IS NOT NULL RETURNING participant_id
        ), unmapped AS (
            DELETE FROM tracker.message_ids WHERE order_id = ANY (%(ids)s)
        ), marked AS (
            UPDATE tracker.orders SET emptied_at = %(now)s WHERE id = ANY (%(ids)s) RETURNING id
        ), told AS (
            INSERT INTO tracker.event_queue (event, order_id) SELECT 'expired', id FROM marked
        )
        SELECT (SELECT count(*) FROM marked),
               (SELECT count(*) FROM emptied) + (SELECT count(*) FROM apart)""",
)
DELETE_MESSAGES = Step(
    ("messages",),
    seek="""
        SELECT m.at::text, m.id FROM tracker.messages AS m
         WHERE m.at < %(now)s - (SELECT min(message_retention) FROM tracker.stores)
           AND (m.at, m.id) > (%(at)s::timestamptz, %(id)s)
         ORDER BY m.at, m.id LIMIT %(size)s""",
    lock="""
        SELECT m.id FROM tracker.messages AS m
          JOIN tracker.orders AS o ON o.id = m.order_id
          JOIN tracker.stores AS s ON s.name = o.store
         WHERE m.id = ANY (%(ids)s)
           AND m.at BETWEEN %(since)s::timestamptz AND %(until)s::timestamptz
           AND m.at < %(now)s - s.message_retention
           FOR UPDATE OF m SKIP LOCKED""",
    act="""
        WITH deleted AS (
            DELETE FROM tracker.messages
             WHERE id = ANY (%(ids)s)
               AND at BETWEEN %(since)s::timestamptz AND %(until)s::timestamptz
            RETURNING id
        )
        SELECT count(*) FROM deleted""",
)
DELETE_REFUSALS = Step(
    ("refusals",),
    seek="""
        SELECT f.at::text, f.order_id FROM tracker.refusals AS f
         WHERE f.at < %(now)s - (SELECT min(message_retention) FROM tracker.stores)
           AND (f.at, f.order_id) > (%(at)s::timestamptz, %(id)s)
         ORDER BY f.at, f.order_id LIMIT %(size)s""",
    lock="""
        SELECT f.order_id FROM tracker.refusals AS f
          JOIN tracker.orders AS o ON o.id = f.order_id
          JOIN tracker.stores AS s ON s.name = o.store
         WHERE f.order_id = ANY (%(ids)s) AND f.at < %(now)s - s.message_retention
           FOR UPDATE OF f SKIP LOCKED""",
    act="""
        WITH deleted AS (
            DELETE FROM tracker.refusals AS f USING tracker.orders AS o, tracker.stores AS s
             WHERE f.order_id = ANY (%(ids)s) AND o.id = f.order_id AND s.name = o.store
               AND f.at < %(now)s - s.message_retention
            RETURNING f.order_id
        )
        SELECT count(*) FROM deleted""",
)
REMOVE_ORDERS = Step(
    ("removed",),
    seek="""
        SELECT o.expires_at::text, o.id FROM tracker.orders AS o
         WHERE o.emptied_at IS NOT NULL
           AND o.expires_at < %(now)s - (SELECT min(message_retention) FROM tracker.stores)
           AND (o.expires_at, o.id) > (%(at)s::timestamptz, %(id)s)
         ORDER BY o.expires_at, o.id LIMIT %(size)s""",
    lock="""
        SELECT o.id FROM tracker.orders AS o JOIN tracker.stores AS s ON s.name = o.store
         WHERE o.id = ANY (%(ids)s) AND o.emptied_at IS NOT NULL
           AND o.expires_at < %(now)s - s.message_retention
           FOR UPDATE OF o SKIP LOCKED""",
    act="""
        WITH deleted AS (
            DELETE FROM tracker.orders AS o
             WHERE o.id = ANY (%(ids)s)
               AND NOT EXISTS (SELECT FROM tracker.messages AS m WHERE m.order_id = o.id)
            RETURNING o.id
        )
        SELECT count(*) FROM deleted""",
)
# The oldest come first, so the first that is younger ends it; those that came late wait for them.
DELETE_EVENTS = Step(
    ("unpublished",),
    seek="""
        SELECT next.at::text, next.id
          FROM (SELECT q.at, q.id FROM tracker.event_queue AS q
                 WHERE q.id > %(id)s ORDER BY q.id LIMIT %(size)s) AS next
         WHERE %(at)s::timestamptz IS NOT NULL AND next.at < %(now)s - interval '1 month'
         ORDER BY next.id""",
    lock="""
        SELECT q.id FROM tracker.event_queue AS q
         WHERE q.id = ANY (%(ids)s) AND q.at < %(now)s - interval '1 month'
           FOR UPDATE SKIP LOCKED""",
    act="""
        WITH deleted AS (
            DELETE FROM tracker.event_queue WHERE id = ANY (%(ids)s) RETURNING id
        )
        SELECT count(*) FROM deleted""",
)
DELETE_DOMAINS = """
    WITH deleted AS (
        DELETE FROM tracker.alias_domains AS d
         WHERE NOT EXISTS (SELECT FROM tracker.stores AS s WHERE s.alias_domain = d.name)
           AND NOT EXISTS (SELECT FROM tracker.orders AS o WHERE o.alias_domain = d.name)
        RETURNING d.name
    )
    SELECT count(*) FROM deleted"""

# A message that comes again after a week is tried anew.
DELETE_SUSPECTS = """
    WITH deleted AS (
        DELETE FROM tracker.suspects WHERE at < %(now)s - interval '7 days' RETURNING digest
    )
    SELECT count(*) FROM deleted"""

DELETE_ERASURES = "DELETE FROM tracker.erasures WHERE keep_until < %(now)s RETURNING id"

TRIM_FEED = "SELECT tracker.trim_feed(%(now)s)"

# What a run would count; an order whose messages would go now is removed in the same run.
DRY_RUN = """
    WITH kept AS (
        SELECT name, %(now)s - message_retention AS since FROM tracker.stores
    ), due AS (
        SELECT id FROM tracker.orders WHERE emptied_at IS NULL AND expires_at <= %(now)s
    ), gone AS (
        SELECT o.id FROM tracker.orders AS o JOIN kept ON kept.name = o.store
         WHERE o.expires_at <= %(now)s AND o.expires_at < kept.since
           AND NOT EXISTS (SELECT FROM tracker.messages AS m
                            WHERE m.order_id = o.id AND m.at >= kept.since)
    )
    SELECT (SELECT count(*) FROM due) AS orders,
           (SELECT count(*) FROM tracker.participants
             WHERE address IS NOT NULL AND order_id IN (SELECT id FROM due))
           + (SELECT count(*) FROM tracker.return_addresses
               WHERE address IS NOT NULL AND order_id IN (SELECT id FROM due)) AS addresses,
           (SELECT count(*) FROM tracker.messages AS m
              JOIN tracker.orders AS o ON o.id = m.order_id JOIN kept ON kept.name = o.store
             WHERE m.at < kept.since) AS messages,
           (SELECT count(*) FROM tracker.refusals AS f
              JOIN tracker.orders AS o ON o.id = f.order_id JOIN kept ON kept.name = o.store
             WHERE f.at < kept.since) AS refusals,
           (SELECT count(*) FROM gone) AS removed,
           (SELECT count(*) FROM tracker.alias_domains AS d
             WHERE NOT EXISTS (SELECT FROM tracker.stores AS s WHERE s.alias_domain = d.name)
               AND NOT EXISTS (SELECT FROM tracker.orders AS o WHERE o.alias_domain = d.name
                                AND o.id NOT IN (SELECT id FROM gone))) AS domains,
           ARRAY(SELECT to_char(lacking, 'YYYY-MM')
                   FROM tracker.months_lacking(%(now)s) AS lacking) AS made,
           ARRAY(SELECT to_char(month, 'YYYY-MM') FROM tracker.months(%(now)s)
                  WHERE past OR outdated AND NOT EXISTS (
                        SELECT FROM tracker.messages AS m
                          JOIN tracker.orders AS o ON o.id = m.order_id
                          JOIN kept ON kept.name = o.store
                         WHERE m.at >= month::timestamp AT TIME ZONE 'UTC'
                           AND m.at < (month + interval '1 month') AT TIME ZONE 'UTC'
                           AND m.at >= kept.since)) AS dropped,
           (SELECT count(*) FROM tracker.event_queue AS q
             WHERE q.at < %(now)s - interval '1 month') AS unpublished,
           ARRAY(SELECT to_char(month, 'YYYY-MM')
                   FROM tracker.feed_months(%(now)s) WHERE outdated) AS feed_dropped"""
