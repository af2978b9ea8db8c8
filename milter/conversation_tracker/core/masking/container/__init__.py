"""Files that hold other files, or text in a form of their own: unpacked to look for addresses."""
