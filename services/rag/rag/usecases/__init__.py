"""One file for each RPC or event."""
