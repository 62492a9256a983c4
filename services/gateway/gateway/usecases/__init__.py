"""What the gateway does; every RPC is forwarded the same way."""
