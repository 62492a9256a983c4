"""Redis and gRPC behind the gateway's ports."""
