"""What `check --live` does: mail of a test order through the running Postfix, and all away."""
