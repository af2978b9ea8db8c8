"""Known addresses found and replaced in decoded text, however they are written."""
