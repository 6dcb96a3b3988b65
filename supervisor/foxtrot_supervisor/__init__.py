"""Supervises processes, hosts the EventEngine. Public names are re-exported here."""
