"""The service: a parent that holds the socket, its workers, and the limits that end them."""
