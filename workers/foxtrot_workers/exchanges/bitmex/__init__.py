"""BitMEX, which closed on 23 September 2026: for recordings."""
