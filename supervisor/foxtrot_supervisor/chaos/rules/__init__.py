"""Plans and verdicts of chaos runs (pure)."""
