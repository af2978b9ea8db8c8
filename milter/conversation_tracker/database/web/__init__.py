"""What the web page asks the database, as a role that was granted stores, and of these alone.

That there is no grant, and that there is no such thing, is told alike: `NotThere`. The driver's
errors are raised where the database cannot answer.
"""
