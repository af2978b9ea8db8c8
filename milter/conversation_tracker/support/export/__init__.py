"""The command `export`: all of one person's conversations in one archive, for them to read."""
