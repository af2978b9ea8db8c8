"""The values everything works on: addresses, aliases, conversations, messages, plans, replies."""
