"""Deribit v2: JSON-RPC, books chained by change ids."""
