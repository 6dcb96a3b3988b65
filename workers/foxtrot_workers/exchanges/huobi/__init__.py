"""HTX (Huobi), spot and swaps: gzip frames, snapshots requested on the connection itself."""
