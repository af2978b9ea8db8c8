"""One path for each kind of message: look up, decide in `core`, record, return the outcome.

A path never asks what the message is, and never goes to another path. What several need lies in
`record`.
"""
