"""Pure rules of anti-fraud: no clients, no protobuf, no event loop."""
