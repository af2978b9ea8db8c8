-- Refused mail: what was refused, when and why, so that support can answer "where is it?".
--
-- Nothing of a refused message is kept but its subject, masked. A client that tries again adds to
-- the count of the same row.

CREATE TABLE tracker.refusals (
    order_id bigint NOT NULL REFERENCES tracker.orders ON DELETE CASCADE,
    digest bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    times integer NOT NULL DEFAULT 1,
    -- NULL: nobody who takes part in the order.
    author_id bigint REFERENCES tracker.participants ON DELETE CASCADE,
    recipient_id bigint REFERENCES tracker.participants ON DELETE CASCADE,
    subject text NOT NULL,
    reply text NOT NULL,
    CONSTRAINT refusals_pkey PRIMARY KEY (order_id, digest)
);

CREATE INDEX refusals_at ON tracker.refusals (at);
CREATE INDEX refusals_author ON tracker.refusals (author_id);
CREATE INDEX refusals_recipient ON tracker.refusals (recipient_id);

CREATE FUNCTION tracker.refuse(
    order_id bigint, digest bytea, author uuid, recipient uuid, subject text, reply text)
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO tracker.refusals AS r (order_id, digest, author_id, recipient_id, subject, reply)
    SELECT o.id, tracker.keyed(refuse.digest),
            (SELECT p.id FROM tracker.participants AS p
              WHERE p.token = author AND p.order_id = refuse.order_id),
            (SELECT p.id FROM tracker.participants AS p
              WHERE p.token = recipient AND p.order_id = refuse.order_id),
            refuse.subject, refuse.reply
      FROM tracker.orders AS o WHERE o.id = refuse.order_id
    ON CONFLICT ON CONSTRAINT refusals_pkey
    DO UPDATE SET at = now(), times = r.times + 1, reply = excluded.reply
$$;
