"""A Postfix milter that gives partners an alias instead of a customer's e-mail address.

The version lives here, equal to the one in setup.cfg; nothing else does.
"""

__version__ = "0.1.0"
