"""HTTP and WebSocket framing of the simulated exchange."""
