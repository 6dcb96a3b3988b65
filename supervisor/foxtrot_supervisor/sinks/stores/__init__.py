"""What the sinks for stores share: addresses, access without secrets in the open, the fields of an event."""
