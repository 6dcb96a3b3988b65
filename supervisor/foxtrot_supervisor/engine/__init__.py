"""The engine process: receives events, merges them, and calls handlers."""
