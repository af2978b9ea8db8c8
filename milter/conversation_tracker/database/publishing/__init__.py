"""What the publisher asks of the database. It runs SQL, and decides nothing."""
