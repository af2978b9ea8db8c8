"""What is asked of the database for one person's rights: all of them that there is, and its end."""
