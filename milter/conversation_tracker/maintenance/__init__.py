"""What runs by a timer: expiry, and the partitions of months to come."""
