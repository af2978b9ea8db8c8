-- The store's mail that names no order is refused also where it goes to the mailbox of somebody who takes
-- part under an address with a tag: john@ is read by john+shop@. These are found by the address without
-- the tag, in all its spellings at Gmail; few addresses have a tag.
CREATE INDEX participants_untagged
    ON tracker.participants (coalesce(
        tracker.gmail_key(regexp_replace(address, '\+[^@]*@', '@')),
        tracker.address_key(regexp_replace(address, '\+[^@]*@', '@'))
    ))
    WHERE address ~ '^[^"+@]+\+';
