"""The pure rules of the tracker: no input or output, no clock, no log, no database.

Here are the tracker's own nouns - address, alias, conversation, message - and what is decided with
them: `planning` makes a `plan`. Below lie `syntax` (how mail is written), `masking` (addresses
replaced), `scanning` (the final scan) and `reports` (messages about messages).
"""
