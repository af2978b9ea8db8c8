"""What people look at and call by hand: explain, timeline, mask, unmask, close, erase."""
