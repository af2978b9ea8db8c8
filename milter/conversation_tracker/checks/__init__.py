"""What `check` looks at, one file for each subject; none of it changes anything."""
