"""The configuration: its schema, how it is found, read and checked."""
