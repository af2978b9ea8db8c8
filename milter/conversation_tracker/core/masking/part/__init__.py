"""Known addresses replaced in the parts of a message, each by its type."""
