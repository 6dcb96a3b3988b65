"""dYdX v4, and v3 of recordings."""
