"""Coinbase Exchange: the WebSocket feed."""
