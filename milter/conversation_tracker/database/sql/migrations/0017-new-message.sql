-- What tracker.record takes of one message of one order, each thing by its name. The message itself
-- is an argument of its own, so that this row stays small.
CREATE TYPE tracker.new_message AS (
    order_id bigint,
    -- Who joins the order with it, as tracker.join_order takes them; NULL if nobody does.
    joined jsonb,
    -- What identifies the message within the order, 32 octets, not keyed.
    digest bytea,
    -- HOST/QUEUE-ID
    queue_id text,
    direction text,
    -- The author's token, and that of the return path, which may be NULL.
    sender uuid,
    return_path uuid,
    -- These two go together: a recipient's token, and the bounce token of the delivery.
    recipients uuid[],
    bounces uuid[],
    sender_name text,
    message_id text,
    subject text,
    first_words text,
    -- Octets.
    size bigint,
    attachment_names text[],
    automatic boolean,
    auto_reply boolean,
    -- Objects of ours, original, token: the message identifiers that were replaced; NULL if none was.
    identifiers jsonb,
    verdict text,
    -- A client handed it in; it is no copy of the splitter's.
    first_pass boolean,
    notes text[],
    -- It is the store's own mail.
    own boolean,
    -- Nothing but its client tells it from another one with the same text, so it is the one that came
    -- before for ten minutes only, and not for a week.
    brief boolean,
    -- The addresses, by their keys, of whom it names and who is not known to whom planned it.
    mentioned text[],
    -- Tokens of whose soft alias a copy shows that was not handed out before.
    shown uuid[]
);
