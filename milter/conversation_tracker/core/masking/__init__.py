"""Known addresses replaced wherever they stand; whose, and by what, the caller says."""
