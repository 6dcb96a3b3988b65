"""Bitget: spot, and futures settled in USDT, USDC and coins."""
