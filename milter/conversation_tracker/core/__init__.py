"""The pure rules of the tracker: no input or output, no clock, no log, no database."""
