"""One module an exchange; each has the same rooms in the same order, none imports another's internals."""
