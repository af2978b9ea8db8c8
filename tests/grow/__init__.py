"""What tests/growth is made of: filling a database, the cost of a message, mail during expiry."""
