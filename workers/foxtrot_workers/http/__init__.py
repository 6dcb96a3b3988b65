"""HTTP/1.1 GET requests on the event loop, for REST."""
