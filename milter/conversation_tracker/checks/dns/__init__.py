"""What `check --dns` looks at for each alias domain, one file for each record."""
