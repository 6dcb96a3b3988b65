"""The simulated exchange as a server, with its ledger and faults."""
