"""Protobuf and the domain, both ways."""
