-- Who may hand in a store's own mail: the names that clients authenticate as, letter for letter.
-- Empty: any client that authenticated or is in a trusted network.

ALTER TABLE tracker.stores
    ADD COLUMN submitters text[] NOT NULL DEFAULT '{}'
        CONSTRAINT stores_submitters_are_a_list_of_names
            CHECK (coalesce(array_ndims(submitters), 1) = 1
                   AND array_position(submitters, NULL) IS NULL
                   AND array_position(submitters, '') IS NULL)
        CONSTRAINT stores_submitters_are_printable
            CHECK (array_to_string(submitters, ' ') !~ '[[:cntrl:]]');
