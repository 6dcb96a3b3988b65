"""From rings and sockets to one ordered stream of events for each connection."""
