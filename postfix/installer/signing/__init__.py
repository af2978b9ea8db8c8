"""The parts of the signer that `postfix/signer` sets up: keys, tables, service."""
