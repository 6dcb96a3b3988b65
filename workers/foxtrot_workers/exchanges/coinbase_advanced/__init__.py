"""Coinbase Advanced Trade: the public market data channels."""
