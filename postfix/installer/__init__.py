"""The installer: what `postfix/install` does once there is a Python.

Only the standard library is imported, and of the program what `postfix/configure` needs.
"""
