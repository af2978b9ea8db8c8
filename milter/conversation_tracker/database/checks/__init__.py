"""What `check` does in the database besides asking."""
