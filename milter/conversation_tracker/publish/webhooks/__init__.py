"""Webhooks: what happened to a store's orders, sent to its own programs over HTTP.

Nothing here touches mail: whoever receives may be slow, away or hostile, and delays nobody else.
"""
