"""Kraken spot: WebSocket v2, and v1 in recordings."""
