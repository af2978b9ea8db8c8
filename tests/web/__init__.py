"""The web page and the timeline's file in a real browser: what is seen, and what never happens."""
