"""Bitfinex v2: bare arrays, keyed by channel number; one sequence for all of a connection."""
