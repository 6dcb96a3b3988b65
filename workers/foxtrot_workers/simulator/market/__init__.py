"""The seeded market of the simulated exchange."""
