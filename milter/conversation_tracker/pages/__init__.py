"""The pages that people look at: an order, the list of orders, and what went wrong."""
