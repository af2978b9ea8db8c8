"""Known addresses found and replaced in plain text: how each may be spelled, and where it ends."""
