"""The final scan of what is about to leave, written apart from all that masks."""
