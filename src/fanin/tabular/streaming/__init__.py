"""Training from tables larger than memory, and from tables that come in pieces."""
