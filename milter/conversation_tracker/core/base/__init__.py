"""What all of core stands on: octets, limits, header names."""
