"""Reports for operators, computed from records and measurements (pure)."""
