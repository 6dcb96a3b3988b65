"""Coinbase Exchange, as the simulated exchange speaks it."""
