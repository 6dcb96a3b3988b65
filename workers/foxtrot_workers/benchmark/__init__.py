"""What `foxtrot-supervisor bench` measures with: a load server, a counting handler, the system to compare with."""
