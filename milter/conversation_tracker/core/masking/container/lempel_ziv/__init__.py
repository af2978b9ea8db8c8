"""Files that refer back to what came before, and that no library here unpacks: each in a module."""
