"""The configuration file and its options: read, checked, and all faults reported at once."""
