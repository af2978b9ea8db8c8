"""What the programs say of themselves: log events, counters, and marks in shared memory."""
