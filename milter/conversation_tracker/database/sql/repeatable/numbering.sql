-- Giving addresses the number of their store, where they were there before it had one (0024).

-- Gives it to the next rows, so many at most, and tells whether it came further: it does not where none
-- is left, or somebody has locked the next, which then has its turn later. It waits for nobody but one
-- that does the same, and mail waits for few rows.
CREATE OR REPLACE FUNCTION tracker.number_addresses(most integer) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    next record;
    ids bigint[];
    free bigint[];
    came_to bigint;
BEGIN
    SELECT * INTO next FROM tracker.unnumbered AS u ORDER BY u.place LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF next.place = 'participants' THEN
        ids := ARRAY(SELECT p.id FROM tracker.participants AS p
                      WHERE p.id > next.after AND p.id <= next.last ORDER BY p.id LIMIT most);
        -- A return address that becomes a participant's gets the number then.
        free := ARRAY(SELECT p.id FROM tracker.participants AS p
                       WHERE p.id = ANY (ids) AND p.store_number IS NULL AND p.address IS NOT NULL
                         FOR NO KEY UPDATE SKIP LOCKED);
        UPDATE tracker.participants AS p SET store_number = n.number
          FROM tracker.orders AS o JOIN tracker.store_numbers AS n ON n.store = o.store
         WHERE p.id = ANY (free) AND o.id = p.order_id;
        came_to := coalesce(
            (SELECT min(p.id) - 1 FROM tracker.participants AS p
              WHERE p.id = ANY (ids) AND p.store_number IS NULL AND p.address IS NOT NULL),
            ids[cardinality(ids)]);
    ELSE
        ids := ARRAY(SELECT r.participant_id FROM tracker.return_addresses AS r
                      WHERE r.participant_id > next.after AND r.participant_id <= next.last
                      ORDER BY r.participant_id LIMIT most);
        free := ARRAY(SELECT r.participant_id FROM tracker.return_addresses AS r
                       WHERE r.participant_id = ANY (ids) AND r.store_number IS NULL
                         AND r.address IS NOT NULL
                         FOR NO KEY UPDATE SKIP LOCKED);
        UPDATE tracker.return_addresses AS r SET store_number = n.number
          FROM tracker.orders AS o JOIN tracker.store_numbers AS n ON n.store = o.store
         WHERE r.participant_id = ANY (free) AND o.id = r.order_id;
        came_to := coalesce(
            (SELECT min(r.participant_id) - 1 FROM tracker.return_addresses AS r
              WHERE r.participant_id = ANY (ids) AND r.store_number IS NULL
                AND r.address IS NOT NULL),
            ids[cardinality(ids)]);
    END IF;
    IF came_to IS NULL THEN
        DELETE FROM tracker.unnumbered AS u WHERE u.place = next.place;
    ELSE
        UPDATE tracker.unnumbered AS u SET after = came_to WHERE u.place = next.place;
    END IF;
    RETURN came_to IS DISTINCT FROM next.after;
END
$$;
