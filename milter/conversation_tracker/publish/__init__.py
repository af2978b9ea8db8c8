"""What is made, off the way of mail, of what was recorded: the feed of events for programs."""
