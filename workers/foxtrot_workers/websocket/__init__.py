"""WebSocket clients behind one interface."""
