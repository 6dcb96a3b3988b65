"""Pure decisions about what several workers share: backfills, rate limits, book snapshots."""
