"""What is to happen to a message: who it is from, who joins, what is recorded, the plan."""
