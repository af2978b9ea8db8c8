-- The store's own mail that names no order may be refused where somebody of an open order would get it.
ALTER TABLE tracker.stores
    ADD COLUMN unnamed_mail text NOT NULL DEFAULT 'pass'
        CONSTRAINT stores_unnamed_mail_is_pass_or_reject CHECK (unnamed_mail IN ('pass', 'reject'));

COMMENT ON COLUMN tracker.stores.unnamed_mail IS
    'The store''s mail that names no order, to somebody in an open one: pass, or reject (550 5.7.1).';
