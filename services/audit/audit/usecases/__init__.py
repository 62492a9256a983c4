"""One file per RPC or event."""
