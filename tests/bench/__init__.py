"""The parts of `tests/benchmark`: servers of its own, mail of several kinds, and what to measure.

Everything runs on private servers on loopback and Unix sockets, and stops with the command.
"""
