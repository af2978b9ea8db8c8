"""Who of several threads works, waits, and is written with whom; nothing here knows PostgreSQL."""
