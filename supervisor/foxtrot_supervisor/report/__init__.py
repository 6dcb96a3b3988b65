"""What operators are shown, computed from records and counters (pure)."""
