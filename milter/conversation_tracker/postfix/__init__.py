"""Postfix's own settings, as they are on this host."""
