"""One file for each RPC and each event, of the same name."""
