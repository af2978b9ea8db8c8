"""What people look at and call by hand: explain, timeline, export, mask, unmask, close, erase."""
