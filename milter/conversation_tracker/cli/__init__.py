"""The command `conversation-tracker`: arguments, exit codes, one line for each error."""
