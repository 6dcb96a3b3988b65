"""The ordinary mishaps, by group: each scenario plays one in a place of its own and notes the promises not kept."""
