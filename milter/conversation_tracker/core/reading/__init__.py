"""What a person reads of a recorded message: its text, its page, its files."""
