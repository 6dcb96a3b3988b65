"""Symbols of a connection: patterns over the exchange's instrument list, and their placement on workers."""
