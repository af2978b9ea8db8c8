"""Documents whose text is not what their octets say: each in a module."""
