"""The configuration file and its options: read, checked, and all faults told at once."""
