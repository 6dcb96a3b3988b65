"""Crypto.com Exchange: the market feed of API v1, and of v2 in recordings."""
