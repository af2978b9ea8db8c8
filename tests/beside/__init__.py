"""What tests/neighbours runs beside the tracker: programs, set-ups, and what is tried."""
