"""Private servers for the tests and the demo: PostgreSQL, Postfix, a sink for what it sends.

Each keeps to a temporary directory and high loopback ports, never touches the machine's own
servers, and is gone, directory and all, when the process that started it ends, however it ends.
Nothing here imports the package it helps to test. Import with the folder `postfix` on sys.path.
"""
