"""Parts of `foxtrot-supervisor bench`: a load server, a counting handler, and the baseline to compare with."""
