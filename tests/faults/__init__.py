"""Faults under load: servers that can be hurt, mail that is counted, and what hurts them.

`Site` is a whole mail host with a relay before the milter and one before the database; `Load` sends
mail and sends it again where it was not taken; `Ledger` counts what was sent, delivered and
recorded. Tests provoke one fault each; `tests/soak` many at random.
"""
