"""What every room above core may use: errors for people, random tokens. Nothing here does I/O."""
