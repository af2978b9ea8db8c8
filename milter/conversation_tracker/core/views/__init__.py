"""A message as one reader sees it, and the edits that make it so."""
