"""Known addresses replaced in header fields, of messages and of parts."""
