-- A store may also have mail refused for an attachment with an address that cannot be masked.

ALTER TABLE tracker.stores
    DROP CONSTRAINT stores_attachments_with_address_is_flag_or_remove,
    ADD CONSTRAINT stores_attachments_with_address_is_flag_remove_or_refuse
        CHECK (attachments_with_address IN ('flag', 'remove', 'refuse'));
