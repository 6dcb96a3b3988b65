"""Fetches the instrument list of an exchange, in a process of its own."""
