"""Kraken WebSocket v2, as the simulated exchange speaks it."""
